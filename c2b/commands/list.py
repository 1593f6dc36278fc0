"""``c2b list``: reads tables, signatures and first docstring sentences as text, so that nothing heavy is imported."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

Kind = Literal["codes", "sensors", "presets", "readouts", "methods", "scenes", "formats"]


def list(kind: Kind | None = None, /, *, json: bool = False) -> None:
    """What is known by name: codes, sensors, presets, readouts, methods, scenes, formats.

    Parameters
    ----------
    kind
        One table only.
    json
        Print JSON.
    """
    from json import dumps

    from c2b.commands import table

    names = ("name", "settings", "what it is")
    tables = {
        title: [(name, *_facts(target)) for name, target in entries.items()]
        for title, entries in _tables().items()
        if kind in (None, title)
    }
    if json:
        print(dumps({title: [dict(zip(names, row, strict=True)) for row in rows] for title, rows in tables.items()}))
        return
    for title, rows in tables.items():
        table(names, rows, title)


def _tables() -> dict[str, dict[str, str]]:
    import c2b
    import recon
    import sensors

    formats = {f"{name} (video)": target for name, target in c2b.VIDEO_FORMATS.items()}
    formats |= {f"{name} (capture)": target for name, target in c2b.CAPTURE_FORMATS.items()}
    return {
        "codes": c2b.CODES,
        "sensors": sensors.SENSORS,
        "presets": sensors.PRESETS,
        "readouts": sensors.READOUTS,
        "methods": recon.METHODS,
        "scenes": c2b.SCENES,
        "formats": formats,
    }


def _facts(target: str) -> tuple[str, str]:
    """Settings and first docstring line of ``module:name``, or the title of a preset file."""
    if target.endswith(".toml"):
        import tomllib

        root = Path(find_spec("sensors").origin).parents[1]  # type: ignore[union-attr, arg-type]
        preset = tomllib.loads((root / target).read_text(encoding="utf-8"))
        numbers = {key: entry for part in preset.values() if isinstance(part, dict) for key, entry in part.items()}
        count = Counter(entry["provenance"] for entry in numbers.values())
        told = ", ".join(f"{number} {provenance}" for provenance, number in sorted(count.items(), reverse=True))
        settings = [f"{key}={_written(entry['value'])}" for key, entry in numbers.items()]
        return " ".join(settings), f"{preset['title']}; numbers: {told or 'none'}"
    module, _, name = target.partition(":")
    definitions = {node.name: node for node in _parsed(module).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    node = definitions[name]
    told = ast.get_docstring(node if isinstance(node, ast.FunctionDef) else _parsed(module)) or ""
    first = " ".join(told.split("\n\n")[0].split()).split(". ")[0].rstrip(".")
    return " ".join(_settings(node, module)), first.replace("``", "")


def _written(value: object) -> str:
    """A number or a list of a preset, as one would type it."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        return "[" + ",".join(map(_written, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _settings(node: ast.FunctionDef | ast.ClassDef, module: str) -> tuple[str, ...]:
    """``name=default`` of each parameter: of a function, of ``__init__``, or the fields of a dataclass and of its bases."""
    if isinstance(node, ast.FunctionDef):
        arguments = [a for a in (*node.args.args, *node.args.kwonlyargs) if a.arg != "self"]
        defaults = [None] * (len(node.args.args) - len(node.args.defaults)) + [*node.args.defaults]
        return tuple(_setting(a.arg, d) for a, d in zip(arguments, defaults[-len(arguments) or None :], strict=False))
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return _settings(item, module) if item.args.defaults else ()
    if not any("dataclass" in ast.unparse(d) for d in node.decorator_list):
        return ()
    own = tuple(
        _setting(f.target.id, f.value)
        for f in node.body
        if isinstance(f, ast.AnnAssign) and isinstance(f.target, ast.Name) and "ClassVar" not in ast.unparse(f.annotation)
    )
    return _inherited(node, module) + own


def _inherited(node: ast.ClassDef, module: str) -> tuple[str, ...]:
    """Fields of a dataclass base, where it is imported from a module of ours; those of Sensor itself are set elsewhere."""
    found: tuple[str, ...] = ()
    for base in node.bases:
        for line in _parsed(module).body:
            if isinstance(line, ast.ImportFrom) and line.module and any(a.name == ast.unparse(base) for a in line.names):
                if ast.unparse(base) == "Sensor" or line.module.split(".")[0] not in ("c2b", "recon", "sensors"):
                    continue
                definition = next(
                    (n for n in _parsed(line.module).body if isinstance(n, ast.ClassDef) and n.name == ast.unparse(base)), None
                )
                found += _settings(definition, line.module) if definition else ()
    return found


def _setting(name: str, default: ast.expr | None) -> str:
    return name if default is None else f"{name}={ast.unparse(default)}"


#: Private functions, and the methods of a class from the first that is not ``__init__``: not parsing them is four times quicker.
_PRIVATE = re.compile(r"^(?:@[^\n]*\n)*def _\w+\(.*\n(?:(?:[ )].*)?\n)*", re.MULTILINE)
_METHODS = re.compile(r"^(?: {4}@[^\n]*\n)* {4}def (?!__init__)\w+\(.*\n(?:(?: {4}.*)?\n)*", re.MULTILINE)


@cache
def _parsed(module: str) -> ast.Module:
    found = find_spec(module)
    assert found and found.origin
    source = Path(found.origin).read_text(encoding="utf-8")
    return ast.parse(_METHODS.sub("\n", _PRIVATE.sub("\n", source)))
