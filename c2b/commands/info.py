"""``c2b info``"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from c2b.options import NOTHING, MeasurementOptions


def info(file: str, /, *, said: MeasurementOptions = NOTHING, linearize: str | None = None, json: bool = False) -> None:
    """Say what a file is: capture, video, code, or weights and what they were trained for.

    A file that holds both, such as an SCI scene with its true frames, is told as a capture.

    Parameters
    ----------
    file
        Any file that c2b reads, or the name of a scene, a code or weights (c2b list). With --code also a measurement of your own.
    said
        What the file of a capture does not say: see the options below.
    json
        Print JSON.
    linearize
        Response of a video: how light becomes stored values: none, srgb, gamma:exponent=2.2. Default: as the file says, else none.
    """
    from json import dumps

    from c2b.file_facts import facts_of
    from c2b.terminal import table

    facts = facts_of(file, said, {} if linearize is None else {"linearize": linearize})
    if json:
        print(dumps(facts))
    else:
        print(table(["", ""], _lines(facts), file))


def _lines(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Key and value, nested keys dotted; what is not known or not set is left out."""
    for key, value in facts.items():
        if isinstance(value, dict):
            yield from _lines(value, f"{prefix}{key}.")
        elif key == "notes":
            yield from (("note", str(line)) for line in value)
        elif value is not None:
            yield prefix + key, _short(value)


def _short(value: Any, most: int = 100) -> str:
    text = str(value)
    return text if len(text) <= most else text[: most - 4] + " ..."
