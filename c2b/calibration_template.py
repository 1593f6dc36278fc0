"""A folder to be filled at the bench: ``calibration.json`` with the files of the protocol, and the codes to load.

docs/laboratory.md tells what to take and how. The codes are pictures of zeros and ones (255): Gray-code addresses of rows and columns
and their complements, by which the code memory is registered to the pixels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b.calibration_folder import NAME
from c2b.video.image_folder import write_png
from sensors.atomic_file import atomic_file
from sensors.calibration.code_registration import gray_planes
from sensors.refusal import Refusal

#: Folder of the codes to be loaded.
CODES = "codes"

#: Exposure times of the darks in units of that of the film, levels of the flats in parts of a full bucket, steps of the duty ramp.
DARKS, LEVELS, STEPS = (1, 4, 16), (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.95), 5


def write_template(folder: str | Path, rows: int, columns: int, sub_exposures: int = 9, exposure: float = 0.05) -> dict[str, Any]:
    """Write the folder, and return its document.

    Parameters
    ----------
    folder : path
        Must not be there.
    rows, columns : int
        Pixels of the chip.
    sub_exposures : int
        Sub-exposures of an exposure.
    exposure : float
        Length of an exposure in seconds.

    Raises
    ------
    Refusal
        If the folder is there, or a size or time is out of range.
    """
    folder = Path(folder)
    if folder.exists():
        raise Refusal(f"{folder} is there already; name a new folder for the template")
    if not (1 <= rows <= 2**14 and 1 <= columns <= 2**14 and 1 <= sub_exposures <= 10**6 and 0 < exposure < 10**6):
        raise Refusal(
            f"a chip of {rows}x{columns} with {sub_exposures} sub-exposures in {exposure:g} s; needed: sides of 1 to 16384, and "
            "sub-exposures and seconds above 0"
        )
    head = {"sensor": "two-bucket", "bits": 12, "sub_exposures": sub_exposures, "sub_exposure": exposure / sub_exposures}
    document = {**head, "title": "", "files": [*_entries(rows, columns, sub_exposures, exposure)]}
    with atomic_file(folder) as partial:
        (partial / CODES).mkdir(parents=True)
        for name, plane in _codes(rows, columns):
            write_png(partial / CODES / f"{name}.png", plane * np.uint8(255))
        (partial / NAME).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return document


def _entries(rows: int, columns: int, sub_exposures: int, exposure: float) -> Iterator[dict[str, Any]]:
    """The files in the order in which they are taken."""
    for n, times in enumerate(DARKS):
        yield {"file": f"dark-{n}.npy", "kind": "dark", "exposure": exposure * times}
    for n in range(len(LEVELS)):
        for duty in (1, 0):
            yield {"file": f"flat-{n}-{'open' if duty else 'shut'}.npy", "kind": "flat", "exposure": exposure, "duty": duty}
    for duty in sorted({round(part) for part in np.linspace(0, sub_exposures, STEPS)}):
        yield {"file": f"duty-{duty}.npy", "kind": "duty", "exposure": exposure, "duty": f"{duty}/{sub_exposures}"}
    for name, _ in _codes(rows, columns):
        axis, bit, *complement = name.split("-")
        yield {"file": f"{name}.npy", "kind": "gray-code", "axis": axis, "bit": int(bit), "complement": bool(complement)}


def _codes(rows: int, columns: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Name and picture (rows, columns) of every bit plane and its complement."""
    for axis, length in (("row", rows), ("column", columns)):
        for bit, line in enumerate(gray_planes(length)):
            plane = np.broadcast_to(line[:, None] if axis == "row" else line[None], (rows, columns))
            yield f"{axis}-{bit}", np.ascontiguousarray(plane)
            yield f"{axis}-{bit}-complement", np.ascontiguousarray(1 - plane)
