"""Commands know no method and no format by name: whatever a table holds is asked for what it can do."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import c2b
import recon
from c2b.captures import FORMATS as CAPTURE_FORMATS
from c2b.video import FORMATS as VIDEO_FORMATS
from sensors.spec import find

FILES = sorted((Path(c2b.__file__).parent / "commands").glob("*.py"))


def names() -> set[str]:
    """Names of methods and formats, and the suffixes of files."""
    kinds = [find(table, "format", name) for table in (CAPTURE_FORMATS, VIDEO_FORMATS) for name in table]
    suffixes = {suffix for kind in kinds for suffix in (*getattr(kind, "suffixes", ()), getattr(kind, "suffix", ""))}
    return {*recon.METHODS, *CAPTURE_FORMATS, *VIDEO_FORMATS, *suffixes, ".safetensors", ".json", ".gif"} - {"", "/"}


def compared(tree: ast.AST) -> set[str]:
    """Texts on either side of a comparison, or given to ``endswith``."""
    sides = [side for node in ast.walk(tree) if isinstance(node, ast.Compare) for side in (node.left, *node.comparators)]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    sides += [word for call in calls if call.func.attr in ("endswith", "startswith") for word in call.args]
    return {node.value for side in sides for node in ast.walk(side) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_no_name_of_a_method_or_format_is_compared(path):
    assert not compared(ast.parse(path.read_text(encoding="utf-8"))) & names()


def test_a_comparison_with_a_name_is_seen():
    assert compared(ast.parse('x = y.suffix in (".mat", ".npz") or z == "tile" or w.endswith(".dng")')) >= {".mat", "tile", ".dng"}
