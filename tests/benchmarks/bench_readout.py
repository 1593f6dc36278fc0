"""Shot noise, fixed pattern, read noise and conversion of two buckets of 720x1280, against the same in plain numpy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sensors.fixed_pattern import dsnu_map, prnu_map
from sensors.readout import Readout
from tests.benchmarks.interleaved import Ratio, compare

SHAPE = (2, 720, 1280)


def ratios() -> Iterator[Ratio]:
    yield _ratio("readout of a pair, bright (20..4000 e-)", 20, 4000, at_least=5)
    yield _ratio("readout of a pair, mixed (0..400 e-)", 0, 400, at_least=3.5)


def _ratio(name: str, dimmest: float, brightest: float, at_least: float) -> Ratio:
    readout = Readout(white=100, full_well=10_000, read_noise=2.5, prnu=0.01, dsnu=2, gain=0.4, black_level=64, bits=12)
    electrons = dimmest + (brightest - dimmest) * np.random.default_rng(1).random(SHAPE) ** 2
    charge = (electrons / 100).astype(np.float32)
    gains = np.stack([prnu_map(0.01, 0, bucket, SHAPE[1:]) for bucket in (0, 1)])
    offsets = np.stack([dsnu_map(2, 0, bucket, SHAPE[1:]) for bucket in (0, 1)])
    rng = np.random.default_rng(0)
    out = np.empty(SHAPE, np.uint16)

    def plain() -> np.ndarray:
        signal = np.minimum(rng.poisson(charge * 100 * gains), 10_000)
        signal = (signal + offsets + rng.normal(0, 2.5, SHAPE)) * 0.4 + 64
        return np.clip(np.round(signal), 0, 4095).astype(np.uint16)

    return compare(name, plain, lambda: readout.read_out(charge, seed=0, out=out), at_least=at_least, turns=7)
