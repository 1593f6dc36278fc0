"""Noise of the flattest regions of a capture against what its sensor says of itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from c2b.check.figure import Figure
from c2b.check.view import BLOCK, FLAT, SHORT, View, block_means, cross_difference

#: Variance of flat regions over that of the sensor. Less is noise that was taken out; more may be detail of the scene.
LEAST = 0.7


def figures(view: View) -> Iterator[Figure]:
    """That of each bucket."""
    about = "noise variance of flat regions over the sensor's"
    cause = (
        "frames that were averaged, denoised, resized or compressed, or a gain (DN per electron) or read noise of the sensor that is "
        "not this camera's"
    )
    for b in range(view.buckets):
        where = f"bucket {b}" if view.buckets > 1 else ""
        if view.sensor.readout.ideal:
            yield Figure("noise", about, None, LEAST, np.inf, cause, where, "the sensor says nothing of its noise (--sensor)")
            continue
        ratio = flat_ratio(np.where(view.seen, view.charge, np.nan)[:, b], view.variance[:, b], view.sensor.grid)
        yield Figure("noise", about, ratio, LEAST, np.inf, cause, where, "" if ratio is not None else "too small a frame")


def flat_ratio(images: NDArray, variance: NDArray, step: tuple[int, int]) -> float | None:
    """Measured over stated variance of the flattest blocks of images (N, H, W)."""
    side = (BLOCK * step[0], BLOCK * step[1])
    if any(size < each + stride for size, each, stride in zip(images.shape[1:], side, step, strict=True)):
        return None
    variance = np.where(np.isfinite(variance), variance, np.nan)
    height, width = (size - stride for size, stride in zip(variance.shape[1:], step, strict=True))
    corners = ((i, j) for i in (0, step[0]) for j in (0, step[1]))
    stated = np.sum([variance[:, i : height + i, j : width + j] for i, j in corners], axis=0)
    means = block_means(cross_difference(images, step) ** 2, side) / np.maximum(block_means(stated, side), 1e-15)
    return float(np.nanquantile(means, FLAT) / SHORT) if np.isfinite(means).any() else None
