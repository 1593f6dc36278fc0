"""docs/adding.md, followed to the letter in a copy of the project: files, one line each, commands; and the guards hold in the copy."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import sensors

ROOT = Path(sensors.__file__).parents[1]
DOCUMENT = ROOT / "docs" / "adding.md"
PIECES = re.compile(
    r"^`(?P<file>[\w/.]+)`:\n\n```python\n(?P<source>.*?)^```$"
    r"|^One line in `(?P<table>[\w/.]+)`, (?P<where>.*?):\n\n```\w+\n(?P<line>.*?)^```$"
    r"|^```console\n(?P<commands>.*?)^```$"
    r"|^```python run\n(?P<script>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
#: All but that about plug-ins, which change nothing here (tests/test_plug_ins.py).
SECTIONS = {text.partition("\n")[0]: text for text in re.split(r"^## ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)[2:]}
GUARDS = "map or floors or need_each_other"


class Steps(NamedTuple):
    """What a section asks for."""

    files: dict[str, str]
    lines: list[tuple[str, str, str]]
    runs: list[str]


def steps(section: str) -> Steps:
    found = Steps({}, [], [])
    for piece in PIECES.finditer(section):
        if piece["file"]:
            found.files[piece["file"]] = piece["source"]
        elif piece["table"]:
            found.lines.append((piece["table"], piece["where"], piece["line"]))
        elif piece["commands"]:
            words = [shlex.split(line)[1:] for line in piece["commands"].splitlines()]
            found.runs.append(f"for words in {json.dumps(words)}:\n    assert main(words) == 0, words\n")
        else:
            found.runs.append(piece["script"])
    return found


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The packages with compiled kernels, and the guards; all sections are followed in it, one after the other."""
    there = tmp_path_factory.mktemp("copy")
    for package in ("sensors", "recon", "c2b"):
        shutil.copytree(ROOT / package, there / package, ignore=shutil.ignore_patterns("*.safetensors"))
    shutil.copytree(ROOT / "tests", there / "tests", ignore=shutil.ignore_patterns("__pycache__", "benchmarks", "fuzz"))
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, there)
    return there


def follow(there: Path, asked: Steps) -> None:
    """Write the files, and put each line behind the beginning of its table."""
    for name, source in asked.files.items():
        assert not (there / name).exists()
        (there / name).write_text(source, encoding="utf-8")
    for name, where, line in asked.lines:
        assert line.count("\n") == 1
        text = (there / name).read_text(encoding="utf-8")
        table = re.fullmatch(r"`(\w+)`", where)
        begin = text.index(f"{table[1]} = {{\n") if table else text.index("::\n\n") + 3
        at = text.index("\n", begin) + 1
        (there / name).write_text(text[:at] + line + text[at:], encoding="utf-8")


def test_what_is_added_is_its_file_and_one_line(copy, tmp_path):
    """One process runs what all sections ask for, each in a folder of its own."""
    pytest.importorskip("torch")
    script = "import os, sys, warnings\nwarnings.simplefilter('error')\nfrom c2b.cli import main\n"
    for number, (title, section) in enumerate(SECTIONS.items()):
        asked = steps(section)
        assert asked.files and len(asked.lines) == 1 and asked.runs, title
        follow(copy, asked)
        folder = str(tmp_path / str(number))
        script += "\n".join([f"print({title!r}); os.mkdir({folder!r}); os.chdir({folder!r})", *asked.runs]) + "\n"
    done = run(["-c", script], cwd=tmp_path, copy=copy)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_guards_hold_with_all_that_was_added(copy):
    done = run(["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_architecture.py", "-k", GUARDS], cwd=copy, copy=copy)
    assert done.returncode == 0, done.stdout[-3000:]


def run(words: list[str], *, cwd: Path, copy: Path) -> subprocess.CompletedProcess[str]:
    """Python on the packages of the copy."""
    env = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, *words], cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)
