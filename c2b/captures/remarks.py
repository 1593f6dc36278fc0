"""What a user should hear of a capture that was read: its mask, its axes, an assumed white, what was ignored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from c2b import masks


def remarks(record: Mapping[str, Any]) -> Iterator[str]:
    """A line each, out of the record of a capture."""
    if "mask" in record:
        yield f"mask: {masks.text(record['mask'])}"
    if "axes" in record:
        yield f"axes: {record['axes']}"
    provenance = record.get("provenance")
    white = provenance.get("white") if isinstance(provenance, Mapping) else None
    if isinstance(white, str) and white.startswith("assumed: "):
        yield f"white: {record['white']:.6g}, {white}; --white states another"
    yield from (f"note: {note}" for note in record.get("notes", ()))
