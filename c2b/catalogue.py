"""All that has a name, and what its settings mean: tables, signatures and docstrings, read as text, so that nothing heavy is loaded."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

#: What a sensor of any kind can be set to, beside its own: the fields of these.
_OF_ALL_SENSORS = (
    "sensors.sensor:Sensor",
    "sensors.readout:Readout",
    "sensors.timing:Timing",
    "sensors.optics:Optics",
    "sensors.photometry:Photometry",
    "sensors.code_link:CodeLink",
)


#: What an entry of a table is called, where it is not its title without the last letter.
_SINGULAR = {"criteria": "criterion"}

#: Columns of a table of names, and of one of settings.
COLUMNS = ("name", "settings", "what it is")
SETTING_COLUMNS = ("setting", "value", "type", "meaning")


def tables() -> dict[str, dict[str, str]]:
    """All that has a name, by what it is: name to ``module:attribute``, a preset file or a card."""
    import c2b
    import recon
    import sensors
    from c2b.criteria import CRITERIA
    from recon import measures, priors
    from sensors.name_table import look

    of_sensors = (sensors.SENSORS, sensors.READOUTS, sensors.RESPONSES)
    for table in (c2b.CODES, c2b.SCENES, *of_sensors, recon.METHODS, priors.PRIORS, measures.METRICS):
        look(table)
    formats = {f"{name} (video)": target for name, target in c2b.VIDEO_FORMATS.items()}
    formats |= {f"{name} (capture)": target for name, target in c2b.CAPTURE_FORMATS.items()}
    return {
        "codes": c2b.CODES,
        "sensors": sensors.SENSORS,
        "presets": sensors.PRESETS,
        "readouts": sensors.READOUTS,
        "responses": sensors.RESPONSES,
        "methods": recon.METHODS,
        "priors": priors.PRIORS,
        "metrics": measures.METRICS,
        "criteria": CRITERIA,
        "weights": _cards(),
        "scenes": c2b.SCENES,
        "formats": formats,
    }


def entries(title: str) -> list[tuple[str, ...]]:
    """`COLUMNS` of each entry of one of the `tables`."""
    return [(name, *_facts(target)) for name, target in tables()[title].items()]


def explained(name: str) -> dict[str, list[tuple[str, ...]]]:
    """`SETTING_COLUMNS` of each setting of everything of that name, by what it is.

    Raises
    ------
    Refusal
        If nothing has that name, or it is that of weights, which have no settings.
    """
    from sensors import spec
    from sensors.refusal import Refusal

    found = {
        title: entries[name] for title, entries in tables().items() if name in entries and title not in ("formats", "weights")
    }
    if name in tables()["weights"] and not found:
        raise Refusal(f"{name} are weights; c2b info {name} tells what they were trained for")
    if not found:
        raise Refusal(spec.unknown("table", name, tables()) + "; or one name out of them")
    rows: dict[str, list[tuple[str, ...]]] = {}
    for title, target in found.items():
        given = _numbers(_preset(target)) if target.endswith(".toml") else {}
        what = f"{_SINGULAR.get(title, title.removesuffix('s'))} {name}: {_facts(target)[1]}"
        rows[what] = [row for part in _parts(title, target) for row in _meanings(part, given)]
    return rows


def _parts(title: str, target: str) -> tuple[str, ...]:
    """The functions and classes, as ``module:name``, whose parameters an entry takes."""
    import sensors

    if target.endswith(".toml"):
        target = sensors.SENSORS[_preset(target)["sensor"]]
    return (target, *_OF_ALL_SENSORS) if title in ("sensors", "presets") else (target,)


def _meanings(target: str, given: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, str, str]]:
    """A row for each setting of ``module:name``, with the value of a preset, or else its default."""
    module, node = _definition(target)
    told = _documented(node, module)
    for setting, _, default in (one.partition("=") for one in _settings(node, module)):
        if setting not in _not_by_text():
            entry = given.get(setting)
            value = f"{_written(entry['value'])} ({entry['provenance']})" if entry else default and (default.strip("'") or "none")
            value = value or "needed"
            yield setting, value, *told.get(setting, ("", ""))


@cache
def _not_by_text() -> tuple[str, ...]:
    """`Sensor.not_by_text`, and the mark of keyword-only fields."""
    _, node = _definition(_OF_ALL_SENSORS[0])
    lines = (line for line in node.body if isinstance(line, ast.AnnAssign) and ast.unparse(line.target) == "not_by_text")
    return ("_", *ast.literal_eval(next(lines).value))  # type: ignore[arg-type]


def _documented(node: ast.FunctionDef | ast.ClassDef, module: str) -> dict[str, tuple[str, str]]:
    """Type and meaning of each parameter in the docstrings of a function, or of a class and its bases."""
    found: dict[str, tuple[str, str]] = {}
    for base, where in [*_bases(node, module), *_groups(node, module)]:
        found |= _documented(base, where)
    section = _PARAMETERS.search(ast.get_docstring(node) or "")
    for names, kind, text in _PARAMETER.findall(section[1] if section else ""):
        meaning = " ".join(text.split()).replace("``", "").replace("`", "")
        every, kinds = names.split(", "), (kind := kind.replace(", optional", "")).split(", ")
        kinds = kinds if len(kinds) == len(every) else [kind] * len(every)
        found |= {name: (one, meaning) for name, one in zip(every, kinds, strict=True)}
    return found


def _facts(target: str) -> tuple[str, str]:
    """Settings and first docstring line of ``module:name``, the title of a preset file, or the first sentence of a card."""
    if target.endswith(".md"):
        first = Path(target).read_text(encoding="utf-8").split("\n\n")[1]
        return "", " ".join(first.split()).split(". ")[0].rstrip(".").replace("`", "")
    if target.endswith(".toml"):
        preset = _preset(target)
        numbers = _numbers(preset)
        count = Counter(entry["provenance"] for entry in numbers.values())
        told = ", ".join(f"{number} {provenance}" for provenance, number in sorted(count.items(), reverse=True))
        settings = [f"{key}={_written(entry['value'])}" for key, entry in numbers.items()]
        return " ".join(settings), f"{preset['title']}; numbers: {told or 'none'}"
    module, node = _definition(target)
    alone = isinstance(node, ast.ClassDef) and sum(isinstance(one, ast.ClassDef) for one in _entries(module)) == 1
    told = ast.get_docstring(_parsed(module) if alone else node) or ""
    first = " ".join(told.split("\n\n")[0].split()).split(". ")[0].rstrip(".")
    return " ".join(_settings(node, module)), first.replace("`", "")


def _preset(target: str) -> dict[str, Any]:
    import tomllib

    return tomllib.loads((_root("sensors").parent / target).read_text(encoding="utf-8"))


@cache
def _cards() -> dict[str, str]:
    """Each weight file's name and card."""
    return dict(sorted((card.stem, str(card)) for card in (_root("recon") / "weights").glob("*.md")))


def _root(package: str) -> Path:
    return Path(find_spec(package).origin).parent  # type: ignore[union-attr, arg-type]


def _numbers(preset: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Setting to its entry, whatever group it stands in."""
    return {key: entry for part in preset.values() if isinstance(part, dict) for key, entry in part.items()}


def _definition(target: str) -> tuple[str, ast.FunctionDef | ast.ClassDef]:
    """The module and node of ``module:name``."""
    module, _, name = target.partition(":")
    definitions = {node.name: node for node in _parsed(module).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    return module, definitions[name]


def _entries(module: str) -> Iterator[ast.stmt]:
    """What the tables name of a module."""
    named = {target for entries in tables().values() for target in entries.values()}
    return (node for node in _parsed(module).body if f"{module}:{getattr(node, 'name', '')}" in named)


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
        pairs = zip(arguments, defaults[-len(arguments) or None :], strict=False)
        return tuple(setting for a, d in pairs for setting in (_grouped(d, module) or [_setting(a.arg, d)]))
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return _settings(item, module) if item.args.defaults else ()
    if not any("dataclass" in ast.unparse(d) for d in node.decorator_list):
        return _inherited(node, module)
    own = tuple(
        _setting(f.target.id, f.value)
        for f in node.body
        if isinstance(f, ast.AnnAssign) and isinstance(f.target, ast.Name) and "ClassVar" not in ast.unparse(f.annotation)
    )
    return _inherited(node, module) + own


def _inherited(node: ast.ClassDef, module: str) -> tuple[str, ...]:
    """Fields of the bases; those of Sensor itself are set elsewhere."""
    return tuple(field for base, where in _bases(node, module) if base.name != "Sensor" for field in _settings(base, where))


def _groups(node: ast.FunctionDef | ast.ClassDef, module: str) -> Iterator[tuple[ast.ClassDef, str]]:
    """The dataclasses whose fields are settings of a class."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            for default in item.args.defaults:
                if isinstance(default, ast.Call) and isinstance(default.func, ast.Name):
                    yield from _classes(default.func.id, module)


def _grouped(default: ast.expr | None, module: str) -> tuple[str, ...]:
    """``name=default`` of each field of a dataclass that is the default of a parameter: ``training=TrainingSettings(batch=16)``."""
    if not (isinstance(default, ast.Call) and isinstance(default.func, ast.Name)):
        return ()
    own = {each.arg: each.value for each in default.keywords}
    fields = [field for group, where in _classes(default.func.id, module) for field in _settings(group, where)]
    return tuple(_setting(name, own[name]) if (name := field.partition("=")[0]) in own else field for field in fields)


def _bases(node: ast.FunctionDef | ast.ClassDef, module: str) -> Iterator[tuple[ast.ClassDef, str]]:
    """The bases of a class, in this module or imported from modules of ours, and these."""
    for base in (ast.unparse(each) for each in getattr(node, "bases", ())):
        yield from _classes(base, module)


def _classes(name: str, module: str) -> Iterator[tuple[ast.ClassDef, str]]:
    """The class of that name in this module or imported from a module of ours, and that."""
    for line in _parsed(module).body:
        if isinstance(line, ast.ClassDef) and line.name == name:
            yield line, module
        if isinstance(line, ast.ImportFrom) and any(each.name == name for each in line.names):
            where = line.module or ""
            if where.startswith(("c2b.", "recon.", "sensors.")):
                yield _definition(f"{where}:{name}")[1], where  # type: ignore[misc]


def _setting(name: str, default: ast.expr | None) -> str:
    return name if default is None else f"{name}={ast.unparse(default)}"


#: Parts of a numpydoc docstring: what stands under Parameters, and each of them with its type and text.
_PARAMETERS = re.compile(r"^Parameters\n-+\n(.*?)(?=\n\n\w+\n---|\Z)", re.MULTILINE | re.DOTALL)
_PARAMETER = re.compile(r"^(\w+(?:, \w+)*) : (.*)\n((?:(?: {4}.*)?(?:\n|\Z))*)", re.MULTILINE)

#: Private functions, and the methods of a class from the first that is not ``__init__``: not parsing them is four times quicker.
_PRIVATE = re.compile(r"^(?:@[^\n]*\n)*def _\w+\(.*\n(?:(?:[ )].*)?\n)*", re.MULTILINE)
_METHODS = re.compile(r"^(?: {4}@[^\n]*\n)* {4}def (?!__init__)\w+\(.*\n(?:(?: {4}.*)?\n)*", re.MULTILINE)


@cache
def _parsed(module: str) -> ast.Module:
    found = find_spec(module)
    assert found and found.origin
    source = Path(found.origin).read_text(encoding="utf-8")
    return ast.parse(_METHODS.sub("\n", _PRIVATE.sub("\n", source)))
