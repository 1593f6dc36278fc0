"""What lens and pixel cost: the forward model with them against the one without, of light as float32."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import numpy as np

import sensors
from c2b import codes
from tests.benchmarks.interleaved import Ratio, compare


def ratios() -> Iterator[Ratio]:
    """Gates below 1: so many times slower it may be."""
    yield _forward("two-bucket 720x1280x9 float32, lens and cross-talk of light", "blur=0.7,crosstalk=0.02", 0.25)
    yield _forward("the same, and cross-talk of charge", "blur=0.7,crosstalk=0.02,charge_crosstalk=0.01", 0.2)


def _forward(name: str, optics: str, at_least: float) -> Ratio:
    code = codes.make("bernoulli:frames=9,tile=3")
    plain, sensor = sensors.make("two-bucket", code), sensors.make(f"two-bucket:{optics}", code)
    clips = [np.random.default_rng(seed).random((9, 720, 1280), np.float32) for seed in range(4)]
    out, other = plain.expose(clips[0]), plain.expose(clips[0])
    one, two = cycle(clips), cycle(clips)
    return compare(
        name, lambda: plain.expose(next(one), out=out), lambda: sensor.expose(next(two), out=other), at_least=at_least, turns=25
    )
