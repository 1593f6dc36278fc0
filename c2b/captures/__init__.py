"""Capture files: one file per format, chosen by what the file is.

A format is a class with ``suffix``, ``read`` and, if it can be written, ``write``, and one line in `FORMATS`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensors.refusal import Refusal

if TYPE_CHECKING:
    from sensors.capture import Capture

FORMATS = {
    "ome-tiff": "c2b.captures.ome_tiff:OmeTiff",
}


def format_of(path: str | Path) -> Any:
    """The format class that a file name's suffix names, or None."""
    from sensors.spec import find

    formats = (find(FORMATS, "capture format", name) for name in FORMATS)
    return next((one for one in formats if str(path).lower().endswith(one.suffix)), None)


def read_capture(path: str | Path, *, verify: bool = True) -> Capture:
    """Open a capture file: the images as a memory map, and the sensor, code and readout that took them, bit for bit.

    Parameters
    ----------
    path : path
    verify : bool
        Compare every array with its sha256.

    Raises
    ------
    Refusal
        If the file is absent, not a capture, cut short, or does not hold what its hashes say.
    """
    path = Path(path)
    if not path.is_file():
        raise Refusal(f"capture file {path} {'is a folder' if path.is_dir() else 'does not exist'}")
    kind = format_of(path)
    if kind is None:
        raise Refusal(_unknown(path))
    return kind.read(path, verify=verify)


def write_capture(path: str | Path, capture: Capture) -> None:
    """Write a capture; the file is self-contained and appears only when it is complete."""
    kind = format_of(path)
    if kind is None:
        raise Refusal(_unknown(Path(path)))
    kind.write(path, capture.sensor, iter(capture.images), len(capture), capture.record)


def _unknown(path: Path) -> str:
    from sensors.spec import find

    known = ", ".join("NAME" + find(FORMATS, "capture format", name).suffix for name in FORMATS)
    return f"{path} is not named like a capture file; known: {known}"
