"""Overlapping patches of a frame: where they lie, and the weighted mean of what was found for each."""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np
from numpy.typing import NDArray

from sensors.kernel import FLAGS, rows

#: A patch counts by a Kaiser window of this shape parameter: its centre is known better than its border.
TAPER = 3.0

#: Patches whose first rows lie within so many rows are added up apart, so that no result depends on the number of threads.
BAND = 64

#: Patches estimated at a time: enough for fast products, few enough to stay in the cache.
CHUNK = 384

#: Estimates the patches of an index: mean (n, d) and variance (n, d) or (n, 0), and what else it likes.
Estimate = Callable[[NDArray[np.intp]], tuple[NDArray[np.float32], ...]]


class PatchAverage:
    """Weighted mean over all patches that see a pixel.

    Parameters
    ----------
    patch : (int, int, int)
        T, h, w.
    shape : (int, int)
        H, W, not smaller than the patch.
    stride : int
        Step from patch to patch; the last ones lie at the border whatever it is.
    with_variance : bool
        Average variances too. That of a mean of estimates is at most the mean of theirs.

    Attributes
    ----------
    tops, lefts : ndarray of int, (n,)
        First row and column of every patch.
    """

    def __init__(self, patch: tuple[int, int, int], shape: tuple[int, int], stride: int, with_variance: bool) -> None:
        T, *sides = patch
        starts = [np.union1d(np.arange(0, size - side + 1, stride), size - side) for size, side in zip(shape, sides, strict=True)]
        self.tops, self.lefts = (grid.ravel() for grid in np.meshgrid(*starts, indexing="ij"))
        self.patch = patch
        self.shape = shape
        taper = [np.kaiser(side + 2, TAPER)[1:-1] for side in sides]
        self.window = np.outer(*taper).astype(np.float32)
        self._along = [_weight_along(*each) for each in zip(shape, starts, taper, strict=True)]
        count = -(-shape[0] // BAND)
        heights = [min(BAND + sides[0] - 1, shape[0] - BAND * b) for b in range(count)]
        self._sums = [np.zeros((1 + with_variance, T, height, shape[1]), np.float32) for height in heights]

    def add(self, index: NDArray[np.intp], estimate: Estimate) -> None:
        """Estimate the patches of an index, band by band, on all threads."""
        bands = np.split(index, np.searchsorted(self.tops[index], BAND * np.arange(1, len(self._sums))))

        def run(first: int, last: int) -> None:
            for band in range(first, last):
                for start in range(0, len(bands[band]), CHUNK):
                    some = bands[band][start : start + CHUNK]
                    for sums, found in zip(self._sums[band], estimate(some), strict=False):
                        where = (self.tops[some] - BAND * band, self.lefts[some])
                        _add(found.reshape(len(some), *self.patch), self.window, *where, sums)

        rows(run, len(bands), work=len(index) * int(np.prod(self.patch)))

    def result(self) -> NDArray[np.float32]:
        """Mean of what was added, and of its variance: (1, T, H, W) or (2, T, H, W)."""
        whole = np.zeros((*self._sums[0].shape[:2], *self.shape), np.float32)
        for band, sums in enumerate(self._sums):
            whole[:, :, BAND * band : BAND * band + sums.shape[2]] += sums
        for axis, weight in enumerate(self._along):
            whole /= np.expand_dims(weight, 1 - axis)
        return whole


def _weight_along(size: int, starts: NDArray, taper: NDArray) -> NDArray[np.float32]:
    """Sum of the windows over the pixels of one axis."""
    where = starts[:, None] + np.arange(len(taper))
    return np.bincount(where.ravel(), np.tile(taper, len(starts)), size).astype(np.float32)


@numba.njit(**{**FLAGS, "fastmath": {"contract"}})
def _add(found, window, tops, lefts, sums):
    """Every patch (T, h, w), weighted, to where it lies in ``sums`` (T, H, W)."""
    n, T, h, w = found.shape
    for c in range(n):
        for t in range(T):
            for i in range(h):
                row, into, weight = found[c, t, i], sums[t, tops[c] + i], window[i]
                left = lefts[c]
                if w == 8:  # a constant, so that a row is one vector
                    for j in range(8):
                        into[left + j] += weight[j] * row[j]
                else:
                    for j in range(w):
                        into[left + j] += weight[j] * row[j]
