"""A folder such as a laboratory makes it: darks, flats and coded captures of a simulated two-bucket sensor, with its JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from c2b.captures import write_capture
from sensors.calibration.code_registration import gray_planes
from sensors.readout import Readout
from sensors.timing import Timing
from sensors.two_bucket import TwoBucket

SHAPE, T = (40, 56), 9
SECONDS = 0.05
READOUT = Readout(
    white=100,
    full_well=8400,
    read_noise=12,
    gain=(0.45, 0.47),
    black_level=64,
    bits=13,
    dark_current=40.0,
    prnu=0.01,
    dsnu=6,
    serial=5,
)
LEAKAGE, MISMATCH = (0.03, 0.02), 0.04
#: Where the code memory of `write_folder` is: rows begin at address 3 and rise, columns fall from 60.
FIRST_ROW, LAST_COLUMN = 3, 60


class Laboratory:
    """Takes stacks into a folder and notes what they are."""

    def __init__(self, folder: Path, readout: Readout = READOUT) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.readout, self.taken, self.files = folder, readout, 0, []

    def sensor(self, code: np.ndarray, seconds: float = SECONDS, **settings: Any) -> TwoBucket:
        timing = Timing(sub_exposure=seconds / len(code))
        return TwoBucket(code, readout=self.readout, timing=timing, leakage=LEAKAGE, mismatch=MISMATCH, **settings)

    def take(self, level: float, code: np.ndarray, frames: int = 4, seconds: float = SECONDS, **settings: Any) -> np.ndarray:
        """Frames under steady light, (L, 2, H, W)."""
        sensor = self.sensor(code, seconds, **settings)
        video = np.full((len(code), *SHAPE), level, np.float32)
        images = [sensor.take(video, seed=3, number=self.taken + n) for n in range(frames)]
        self.taken += frames
        return np.stack(images)

    def save(self, name: str, stack: np.ndarray, kind: str, **words: Any) -> None:
        np.save(self.folder / name, stack)
        self.files.append({"file": name, "kind": kind, **words})

    def finish(self, **settings: Any) -> Path:
        head = {"sensor": "two-bucket", "bits": self.readout.bits, "sub_exposures": T, "sub_exposure": SECONDS / T}
        (self.folder / "calibration.json").write_text(json.dumps({**head, "files": self.files, **settings}))
        return self.folder


def open_for(count: int) -> np.ndarray:
    """The code of one tile pixel that is open in the first ``count`` sub-exposures."""
    return (np.arange(T) < count).astype(np.uint8)[:, None, None]


def write_folder(folder: Path, readout: Readout = READOUT, levels: int = 8) -> Path:
    """Everything but grey masks, which a two-bucket sensor does not have."""
    lab = Laboratory(folder, readout)
    for seconds in (0.05, 0.5, 2.0):
        lab.save(f"dark-{seconds}.npy", lab.take(0, open_for(T), 6, seconds), "dark", exposure=seconds)
    for level in np.linspace(0.5, 12, levels):
        for duty in (1, 0):
            name = f"flat-{duty}-{level:.2f}.npy"
            lab.save(name, lab.take(level, open_for(T * duty)), "flat", exposure=SECONDS, level=level, duty=duty)
    for m in range(0, T, 3):
        lab.save(f"duty-{m}.npy", lab.take(5, open_for(m)), "duty", exposure=SECONDS, level=5, duty=f"{m}/{T}")
    capture = lab.sensor(open_for(T)).capture(np.full((4 * T, *SHAPE), 5, np.float32), seed=8)
    write_capture(folder / "duty-all.c2b.ome.tif", capture)
    lab.files.append({"file": "duty-all.c2b.ome.tif", "kind": "duty", "exposure": SECONDS, "level": 5, "duty": 1})
    _strobes(lab)
    _addresses(lab)
    return lab.finish(title="made by hand")


def lag_matrix() -> np.ndarray:
    """A tenth of the light of each sub-exposure is steered by the bit before."""
    matrix = 0.9 * np.eye(T) + 0.1 * np.eye(T, k=-1)
    matrix[0, 0] = 1
    return matrix


def _strobes(lab: Laboratory) -> None:
    codes = [np.eye(T, dtype=np.uint8)[s][:, None, None] for s in range(T)] + [open_for(T), open_for(0)]
    for t in range(T):
        flash = np.zeros((T, *SHAPE), np.float32)
        flash[t] = 30
        images = [lab.sensor(code, lag=lag_matrix()).take(flash, seed=4, number=lab.taken + n) for n, code in enumerate(codes)]
        lab.taken += len(codes)
        lab.save(f"flash-{t}.npy", np.stack(images), "strobe", strobe=t)


def _addresses(lab: Laboratory) -> None:
    rows = gray_planes(64)[:, FIRST_ROW + np.arange(SHAPE[0])]
    columns = gray_planes(64)[:, LAST_COLUMN - np.arange(SHAPE[1])]
    for axis, planes in (("row", rows[:, :, None]), ("column", columns[:, None, :])):
        for bit, plane in enumerate(planes):
            for complement in (False, True):
                seen = np.broadcast_to(plane ^ complement, SHAPE).copy()
                seen[7, 11] = 1  # a stuck bit
                code = np.broadcast_to(seen, (T, *SHAPE))
                stack = lab.take(5, code, 1)
                lab.save(f"{axis}-{bit}-{complement}.npy", stack, "gray-code", axis=axis, bit=bit, complement=complement)
