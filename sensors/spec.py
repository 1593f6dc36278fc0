"""The grammar of everything that has a name: ``name`` or ``name:key=value,key=value``.

Codes, sensors, presets, readouts, methods and priors are all written this way: on the command line, as the row label of a
comparison and as the provenance in a capture file. ::

    two-bucket:leakage=0.02            settings are converted by the annotation of the parameter, never guessed
    cep-2019:read_noise=[5,6]          a list
    flutter:chips="1010,0111"          a value with commas, quoted
    gap:denoiser=tv,denoiser.weight=1  dotted keys reach into a setting that is itself a name

A table maps a name to ``"module:attribute"``, imported when the name is first used.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import types
import typing
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sensors.refusal import Refusal

Table = Mapping[str, str]

#: Smallest and largest size of a number that a setting can have.
SMALLEST, LARGEST = 1e-15, 1e15

_PIECE = re.compile(r"""(?:"[^"]*"|'[^']*'|\[[^\]]*\]|[^,"'\[\]])+""")


def parse(text: str) -> tuple[str, dict[str, str]]:
    """Split ``name:key=value,...`` into the name and its settings, still as text.

    Raises
    ------
    Refusal
        If the text is empty, a setting lacks ``=``, a bracket or quote is not closed, or a key stands twice.

    Examples
    --------
    >>> parse("cep-2019:white=100,read_noise=[5,6]")
    ('cep-2019', {'white': '100', 'read_noise': '[5,6]'})
    """
    name, _, rest = text.strip().partition(":")
    if not name:
        raise Refusal(f"{text!r} names nothing; write name or name:key=value,key=value")
    settings: dict[str, str] = {}
    pieces = _PIECE.findall(rest)
    if ",".join(pieces) != rest:
        raise Refusal(f"{text!r} has an open bracket or quote, or an empty setting; write name:key=value,key=value")
    for piece in pieces:
        key, equals, value = piece.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key:
            raise Refusal(f"{text!r}: {piece!r} is not key=value")
        if key in settings:
            raise Refusal(f"{text!r}: {key} is given twice")
        settings[key] = value.strip()
    return name.strip(), settings


def write(name: str, settings: Mapping[str, Any]) -> str:
    """The text that `parse` reads back: the inverse of `parse` up to the form of the values."""
    return name + ":" * bool(settings) + ",".join(f"{key}={_text(value)}" for key, value in settings.items())


def is_file(text: str) -> bool:
    """Whether a word means a file: its name part holds a slash or ends in a suffix."""
    name = text if Path(text).exists() else text.partition(":")[0]
    return "/" in name or "\\" in name or bool(re.search(r"\.[A-Za-z]\w*$", name))


def find(table: Table, kind: str, name: str) -> Any:
    """Import what ``table`` registers under ``name``; the refusal lists the known names."""
    if name not in table:
        raise Refusal(unknown(kind, name, table))
    module, _, attribute = table[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def make(table: Table, kind: str, text: str, *given: Any, **defaults: Any) -> Any:
    """Call what ``table`` registers under the name in ``text``, with its settings converted by annotation.

    Parameters
    ----------
    table : mapping of str to str
        Name to ``"module:attribute"``.
    kind : str
        What the table holds, for messages: ``"sensor"``, ``"code"`` ...
    text : str
        ``name:key=value,...``
    *given, **defaults
        Handed on as they are; a setting in ``text`` goes before a default.
    """
    name, settings = parse(text)
    target = find(table, kind, name)
    return target(*given, **{**defaults, **convert(target, settings, label=f"{kind} {name}", taken=len(given))})


def convert(target: Any, settings: Mapping[str, str], *, label: str, taken: int = 0) -> dict[str, Any]:
    """Settings as text to the types that the parameters of ``target`` are annotated with.

    ``taken`` parameters from the front are already filled and cannot be set by text. A parameter that is a dataclass, with a
    default, is set by the words of its fields.
    """
    parameters = [
        p for p in inspect.signature(target).parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ][taken:]
    hints = typing.get_type_hints(target if inspect.isfunction(target) or _annotated(target) else target.__init__)
    groups = {p.name: p.default for p in parameters if dataclasses.is_dataclass(hints.get(p.name)) and p.default is not p.empty}
    owners = {f.name: group for group, default in groups.items() for f in dataclasses.fields(default)}
    names = [p.name for p in parameters if p.name not in groups]
    values: dict[str, Any] = {}
    grouped: dict[str, dict[str, str]] = {group: {} for group in groups}
    for key, text in _undotted(settings).items():
        if key in owners and key not in names:
            grouped[owners[key]][key] = text
            continue
        if key not in names:
            raise Refusal(unknown(f"setting of {label}", key, [*names, *owners]))
        try:
            values[key] = _plausible(from_text(text, hints.get(key, str)), f"{label}: {key}={text}")
        except Refusal:
            raise
        except ValueError:
            raise Refusal(f"{label}: {key}={text} is not {describe(hints[key]) or 'something that text can give'}") from None
    for group, words in grouped.items():
        if words:
            values[group] = dataclasses.replace(groups[group], **convert(type(groups[group]), words, label=label))
    return values


def _plausible(value: Any, what: str) -> Any:
    """The value; a Refusal if a number in it is none that a setting can have, so that its square is neither infinite nor nothing."""
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, float) and number and not SMALLEST <= abs(number) <= LARGEST:
            raise Refusal(f"{what} is no number that can be meant; needed: 0, or {SMALLEST:g} to {LARGEST:g} in size")
        if isinstance(number, int) and abs(number) >= 2**63:
            raise Refusal(f"{what} is no number that can be meant; needed: below 2^63")
    return value


def from_text(text: str, hint: Any) -> Any:
    """One value from its text, by annotation. Raises ``ValueError`` where the text does not fit."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _first_that_fits(text, arguments)
    if origin is typing.Literal:
        if text in arguments:
            return text
        raise ValueError(text)
    if origin is tuple:
        return _sequence(text, arguments)
    if hint is type(None):
        if text.lower() == "none":
            return None
        raise ValueError(text)
    if hint is bool:
        return _truth(text)
    if hint in (int, float):
        return hint(text)
    if hint in (str, Any):
        return text.strip("\"'")
    if hint is Path:
        return Path(text.strip("\"'"))
    raise ValueError(text)


def describe(hint: Any) -> str:
    """What `from_text` would take for an annotation, in words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(words for words in map(describe, arguments) if words)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin is tuple:
        return f"a list like [{','.join('12' if a is int else '0.5' for a in arguments if a is not Ellipsis)}]"
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", Path: "a path", type(None): "none"}
    return names.get(hint, "")


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that is not in a table: the nearest one first, then all."""
    known = list(known)
    near = get_close_matches(name, known, 1)
    return f"unknown {kind} {name!r}{f'; did you mean {near[0]}?' if near else ';'} known: {', '.join(known) or 'none'}"


def _undotted(settings: Mapping[str, str]) -> dict[str, str]:
    """``denoiser=tv, denoiser.weight=1`` becomes ``denoiser=tv:weight=1``."""
    flat = {key: value for key, value in settings.items() if "." not in key}
    for key, value in settings.items():
        head, dot, tail = key.partition(".")
        if dot and head not in flat:
            raise Refusal(f"{key}={value} needs {head}=... beside it")
        if dot:
            flat[head] += f"{',' if ':' in flat[head] else ':'}{tail}={value}"
    return flat


def _annotated(target: Any) -> bool:
    return hasattr(target, "__dataclass_fields__")


def _first_that_fits(text: str, hints: tuple[Any, ...]) -> Any:
    for hint in sorted(hints, key=lambda h: h is str):
        try:
            return from_text(text, hint)
        except ValueError:
            continue
    raise ValueError(text)


def _sequence(text: str, hints: tuple[Any, ...]) -> tuple[Any, ...]:
    if not (text.startswith("[") and text.endswith("]")):
        raise ValueError(text)
    items = [item.strip() for item in text[1:-1].split(",")]
    if len(hints) == 2 and hints[1] is Ellipsis:
        hints = (hints[0],) * len(items)
    if len(items) != len(hints):
        raise ValueError(text)
    return tuple(from_text(item, hint) for item, hint in zip(items, hints, strict=True))


def _truth(text: str) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]


def _text(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return "[" + ",".join(map(_text, value)) + "]"
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    text = str(value)
    return f'"{text}"' if re.search(r"[,\[\]]", text) and not re.fullmatch(r"""\[[^\[\]]*\]|"[^"]*"|'[^']*'""", text) else text
