"""JSON as people write it by hand: with the byte order mark of an editor, without numbers that are none."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

#: So much of a number that is refused is shown.
_SHOWN = 20


def read(path: Path) -> Any:
    """What a JSON file holds; all its numbers are finite, whole ones as floats too.

    Raises
    ------
    ValueError
        If it is no JSON in UTF-8, nested too deeply, or holds NaN, infinity or a number beyond those of float64.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), parse_float=_finite, parse_constant=_finite, parse_int=_whole)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _finite(text: str) -> float:
    """JSON has no infinity, although Python reads and writes it."""
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text if len(text) <= _SHOWN else f'{text[:_SHOWN]}...'} is not a finite number")
    return value


def _whole(text: str) -> int:
    _finite(text)
    return int(text)
