"""What a calibration found, for a person to read: the numbers of a sensor file with their intervals, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any


def tables(document: Mapping[str, Any]) -> Iterator[tuple[Sequence[str], Iterable[Iterable[Any]], str]]:
    """(columns, lines, title) of what was measured, and of what was not and why; of the document of a sensor file."""
    yield ("", "value", "95 % interval", "how"), _rows(document), "Measured"
    if missing := document["not_measured"]:
        yield ("", "why"), missing.items(), "Not measured"


def registrations(document: Mapping[str, Any]) -> Iterator[str]:
    """A line for each axis along which the addresses of the code memory were read off."""
    for axis, one in document.get("registration", {}).items():
        way = "falling" if one["flipped"] else "rising"
        yield f"code memory, {axis}s: address {one['offset']} {way}, {100 * one['agreement']:.4g} % of the pixels agree"


def _rows(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for group in ("sensor_settings", "readout", "measured"):
        for name, entry in document[group].items():
            if entry["provenance"] == "measured":
                yield name, _text(entry["value"]), _interval(entry["interval"]), entry["source"]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)}x{len(value)} matrix" if isinstance(value[0], list) else ", ".join(map(_text, value))
    return f"{value:.4g}"


def _interval(pair: Any) -> str:
    if not isinstance(pair[0], list):
        return f"{pair[0]:.4g} .. {pair[1]:.4g}"
    return "in the file" if isinstance(pair[0][0], list) else ", ".join(map(_interval, pair))
