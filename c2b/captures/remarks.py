"""What a user should hear of a capture that was read: its mask, its axes, an assumed white, what was ignored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from c2b import masks
from sensors.sensor import Sensor


def remarks(record: Mapping[str, Any]) -> Iterator[str]:
    """A line each, out of the record of a capture."""
    if "mask" in record:
        yield f"mask: {masks.text(record['mask'])}"
    if "axes" in record:
        yield f"axes: {record['axes']}"
    if assumed := record.get("assumed"):
        yield f"assumed of the photograph: {', '.join(assumed)}"
    provenance = record.get("provenance")
    white = provenance.get("white") if isinstance(provenance, Mapping) else None
    if isinstance(white, str) and white.startswith("assumed: "):
        yield f"white: {record['white']:.6g}, {white}; --white states another"
    yield from (f"note: {note}" for note in record.get("notes", ()))


def unseen(sensor: Sensor) -> Iterator[str]:
    """A line about frames that no pixel sees under the code; whatever a method shows there is its own guess."""
    for number in range(sensor.codes):
        shares = sensor.at(number).shares
        if frames := np.flatnonzero(~shares.any((0, 2, 3))).tolist():
            which = "frame" + "s" * (len(frames) > 1) + " " + ", ".join(map(str, frames))
            of = f" of code {number}" if sensor.codes > 1 else ""
            yield f"note: under this code{of} no pixel sees {which} (counted from 0): what is shown there is a guess"
