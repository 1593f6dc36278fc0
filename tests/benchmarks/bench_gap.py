"""GAP-TV of a 256x256x8 snapshot compressive scene, 60 turns, against scikit-image's total variation in the same loop."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from skimage.restoration import denoise_tv_chambolle

import sensors
from recon.gap import GapTV
from recon.metrics import psnr
from sensors.kernel import threads
from tests.benchmarks.interleaved import Ratio, compare

TURNS, INNER, WEIGHT = 60, 5, 0.07


def ratios() -> Iterator[Ratio]:
    """At no worse a PSNR: as by default, with the same iterations in a turn, and with differences in time too."""
    rng = np.random.default_rng(0)
    mask = (rng.random((8, 256, 256)) < 0.5).astype(np.uint8)
    video = _moving_discs(rng)
    capture = sensors.make("coded-pixel", mask).capture(video, seed=0)
    charge, shares = capture.charge[0, 0], mask.astype(np.float32)
    count = np.maximum(shares.sum(0), 1)

    def plain() -> NDArray:
        x = shares * (charge / count)
        for _ in range(TURNS):
            x = x + shares * ((charge - (shares * x).sum(0)) / count)
            x = denoise_tv_chambolle(x, weight=WEIGHT, eps=0, max_num_iter=INNER + 1, channel_axis=0)
        return x

    for name, settings, at_least in (
        (f"GAP-TV 256x256x8, {TURNS} turns, as by default", {}, 6),
        (f"GAP-TV 256x256x8, {TURNS} turns of {INNER}", {"inner": INNER}, 4),
        (f"GAP-TV 256x256x8, {TURNS} turns, space and time", {"time": 0.1}, 1.5),
    ):
        method = GapTV(WEIGHT, accelerated=False, iterations=TURNS, tolerance=0, **settings)
        found = method.reconstruct(capture)[0]
        assert psnr(found, video, data_range=1) > psnr(plain(), video, data_range=1)
        with threads(1):
            yield compare(name, plain, lambda method=method: method.reconstruct(capture), at_least=at_least, turns=5)
        if not settings:
            with threads(2):
                yield compare(
                    f"GAP-TV 256x256x8, {TURNS} turns, two threads (wall time)",
                    plain,
                    lambda method=method: method.reconstruct(capture),
                    at_least=7,
                    turns=5,
                    clock=perf_counter,
                )


def _moving_discs(rng: np.random.Generator) -> NDArray[np.float32]:
    """Eight frames of forty grey discs in motion."""
    i, j = np.mgrid[:256, :256]
    video = np.full((8, 256, 256), 0.5, np.float32)
    for row, column, radius, down, right, grey in rng.random((40, 6)) * (256, 256, 30, 3, 3, 1):
        for t in range(8):
            video[t][(i - row - t * down) ** 2 + (j - column - t * right) ** 2 < radius**2] = grey
    return video
