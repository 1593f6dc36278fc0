"""How often ``--align-code`` finds how a code lies: ``python -m tests.soak_alignment [draws]``, presets x codes x clips.

Each capture is taken as it should be, and its code is stated otherwise: phase of the tile, orientation, roles and order of the frames
are drawn. The answer is *right* where the code found is the one that took it, or its reverse where the order is said to be unknown.
A quarter of an hour.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

import sensors
from c2b import codes
from c2b.video.recording import open_recording
from recon.code_arrangement import TURNS, Alignment, align
from sensors.capture import Capture
from sensors.refusal import Refusal
from tests.soak_check import interval
from tests.stored_data import data

CLIPS = ("d09_udacity-vehicles", "t13_davis-tennis", "t15_hevc-basketballpass-a")
PRESETS = (
    "cep-2019:white=100",
    "cep-2023:white=100",
    "c2b-2018:white=100",
    "pdc-2017:white=100",
    "two-bucket:white=400,read_noise=12,leakage=0.01",
)
CODES = ("impulse:tile=3", "impulse:tile=2", "bernoulli:frames=8,tile=4", "bump:frames=9,tile=4", "hadamard:order=8")
ROWS, COLUMNS, EXPOSURES = slice(60, 180), slice(80, 240), 3


def film(name: str, frames: int) -> NDArray[np.float32]:
    """Light of the first frames of a clip of the tuning data."""
    with open_recording(data(f"highspeed/devtest/{name}.mkv"), response="srgb") as clip:
        return np.asarray(clip.window(rows=ROWS, columns=COLUMNS, channels="luma").irradiance(0, frames), np.float32)


def wrongly_stated(capture: Capture, rng: np.random.Generator) -> Capture:
    """The capture with its code turned, moved, exchanged and reversed at random."""
    code = [*TURNS.values()][int(rng.integers(8))](capture.sensor.code)
    code = np.roll(code, (int(rng.integers(code.shape[-2])), int(rng.integers(code.shape[-1]))), (-2, -1))
    code = code[::-1] if rng.integers(2) else code
    return replace(capture, sensor=replace(capture.sensor, code=np.ascontiguousarray(1 - code if rng.integers(2) else code)))


def judged(found: Alignment, code: NDArray) -> str:
    """``right``, ``right, unsure``, ``wrong, unsure`` or ``WRONG``."""
    side = int(np.lcm.reduce([*code.shape[-2:], *found.capture.sensor.code.shape[-2:]]))
    ours, theirs = (np.tile(one, (1, side // one.shape[-2], side // one.shape[-1])) for one in (found.capture.sensor.code, code))
    right = np.array_equal(ours, theirs) or (found.order == "unknown" and np.array_equal(ours, theirs[::-1]))
    if found.sure:
        return "right" if right else "WRONG"
    return "right, unsure" if right else "wrong, unsure"


def main() -> None:
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    counts: Counter[str] = Counter()
    number = 0
    for clip in CLIPS:
        for preset in PRESETS:
            for spec in CODES:
                code = codes.make(spec)
                capture = sensors.make(preset, code).capture(film(clip, EXPOSURES * len(code)), seed=number)
                for _ in range(draws):
                    number += 1
                    try:
                        found = align(wrongly_stated(capture, np.random.default_rng(number)))
                        verdict, said = (
                            judged(found, code),
                            f"z {found.z:5.1f}, order {found.order}, distance {found.distance:.2f}, {found.how}",
                        )
                    except Refusal as reason:
                        verdict, said = "refused", str(reason)[:90]
                    counts[verdict] += 1
                    print(f"{clip:26} {preset:52} {spec:28} {verdict:14} {said}", flush=True)
    total = sum(counts.values())
    for verdict, count in counts.most_common():
        low, high = interval(count, total)
        print(f"{verdict:14} {count:4} of {total}  {count / total:6.1%} [{low:.1%}, {high:.1%}]")


if __name__ == "__main__":
    main()
