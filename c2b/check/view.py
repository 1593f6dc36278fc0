"""A capture as the figures look at it: one mono plane of some of its exposures.

======  ======================================================================  ============
symbol  meaning                                                                 shape
======  ======================================================================  ============
y       charge, in white sub-exposures                                          (N, B, H, W)
v       its variance; infinite where a sample is saturated or known to be hot   (N, B, H, W)
e       charge of a white scene that stands still                               (N, B, H, W)
s       all light of an exposure, free of the code; relative to white           (N, H, W)
======  ======================================================================  ============
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from sensors.capture import Capture
from sensors.sensor import Sensor

#: Exposures that are looked at, as far apart as they come in a row.
MOST = 8

#: Window over which a code counts as covered evenly, where its tile is larger.
LARGEST_WINDOW = 16

#: Quantile of the blocks by noise that counts as flat, and what it is short of the mean of blocks of noise alone.
FLAT, SHORT = 0.1, 0.9

#: Side of a block, in cells of the tile.
BLOCK = 8


class View:
    """The first exposures of a mono capture."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture[: max(MOST, capture.sensor.codes)]
        self.sensor: Sensor = capture.sensor

    @cached_property
    def images(self) -> NDArray:
        """As read out, (N, B, H, W)."""
        return np.asarray(self.capture.images)

    @cached_property
    def charge(self) -> NDArray[np.float64]:
        """y; NaN where a sample is not finite."""
        return self.capture.charge.astype(np.float64)

    @cached_property
    def white(self) -> NDArray[np.float64]:
        """e."""
        ones = np.ones((self.sensor.frames, *self.charge.shape[2:]), np.float32)
        each = [self.sensor.at(n).expose(ones) for n in range(min(self.sensor.codes, len(self.charge)))]
        return np.stack([each[n % self.sensor.codes] for n in range(len(self.charge))]).astype(np.float64)

    @property
    def buckets(self) -> int:
        """B."""
        return self.charge.shape[1]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Samples that count, (N, B, H, W)."""
        return np.isfinite(self.capture.variance) & np.isfinite(self.charge)

    @cached_property
    def variance(self) -> NDArray[np.float64]:
        """v; for a readout that tells none, that of the flattest blocks."""
        if not self.sensor.readout.ideal:
            return self.capture.variance.astype(np.float64)
        own = [[_flat_variance(image, self.sensor.grid) for image in exposure] for exposure in self.charge]
        return np.broadcast_to(np.array(own)[:, :, None, None], self.charge.shape)

    @cached_property
    def light(self) -> NDArray[np.float64]:
        """s where two buckets share all light, (N, H, W); NaN where a sample is lost."""
        charge = np.where(self.seen, self.charge, np.nan)
        mixing = self.sensor.mixing
        if mixing.shape[:2] == (2, 2):
            inside = np.linalg.inv(np.broadcast_to(mixing.mean((2, 3)), (2, 2)))
            return np.einsum("bc,nchw->nhw", inside, charge) / self.sensor.frames
        return charge.sum(1) / np.maximum(self.white.sum(1), 1e-12)

    @cached_property
    def light_variance(self) -> NDArray[np.float64]:
        """Variance of `light`, (N, H, W)."""
        return np.where(self.seen, self.variance, 0).sum(1) / np.maximum(self.white.sum(1), 1e-12) ** 2

    @cached_property
    def window(self) -> tuple[int, int]:
        """Rows and columns over which the code is covered evenly: its tile, or a small window of a mask."""
        rows, columns = (min(side, LARGEST_WINDOW) for side in self.sensor.tile)
        return rows, columns

    def smooth(self, values: NDArray) -> NDArray[np.float64]:
        """Mean over the window about each pixel of the last two axes."""
        sides = [*[1] * (values.ndim - 2), *self.window]
        return uniform_filter(values.astype(np.float64), sides, mode="nearest")


def cross_difference(values: NDArray, step: tuple[int, int]) -> NDArray[np.float64]:
    """y[i, j] - y[i + p, j] - y[i, j + q] + y[i + p, j + q], blind to levels and slopes."""
    p, q = step
    down = values[..., :-p, :] - values[..., p:, :]
    return down[..., :-q] - down[..., q:]


def block_means(values: NDArray, side: tuple[int, int]) -> NDArray[np.float64]:
    """Means over whole blocks of the last two axes, without NaN; NaN where nothing is left."""
    rows, columns = (max(size // each, 1) for size, each in zip(values.shape[-2:], side, strict=True))
    p, q = min(side[0], values.shape[-2]), min(side[1], values.shape[-1])
    cut = values[..., : rows * p, : columns * q].reshape(*values.shape[:-2], rows, p, columns, q)
    there = np.isfinite(cut)
    count = there.sum((-3, -1))
    return np.where(count, np.where(there, cut, 0).sum((-3, -1)) / np.maximum(count, 1), np.nan)


def _flat_variance(image: NDArray, step: tuple[int, int]) -> float:
    """Noise variance of the flattest blocks of one image (H, W)."""
    if any(size <= 2 * each for size, each in zip(image.shape, step, strict=True)):
        return 0.0
    squares = cross_difference(image, step) ** 2 / 4
    means = block_means(squares, (BLOCK * step[0], BLOCK * step[1]))
    return float(np.nanquantile(means, FLAT) / SHORT) if np.isfinite(means).any() else 0.0
