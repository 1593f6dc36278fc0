"""The ratio of the buckets against the duty cycle of the code, told by whatever stands still or moves on the average.

======  ==============================================================================  =========
symbol  meaning                                                                         shape
======  ==============================================================================  =========
z_b     window mean of the charge of bucket b over that of the white scene's            (N, H, W)
s, d    all light, (e_0 z_0 + e_1 z_1) / (e_0 + e_1) of a white scene's e, and z_0 - z_1  (n,)
a, o    gain and offset of bucket 0 relative to bucket 1: d = a s + o, s = 1 the median scalars
======  ==============================================================================  =========

A window that holds the whole tile sees all sub-exposures about equally, so that z_0 = z_1 but for what moves, which has no preferred
sign. What one bucket lacks the other has, so that s has hardly any part in the error
of d. Both are fitted by weighted least squares (Huber), standard errors by blocks of the frame.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from c2b.captures import code_pattern
from c2b.check.figure import Figure
from c2b.check.view import BLOCK, View, block_means

#: Light of one bucket relative to the other at the median light, and offset relative to that, by which they may differ.
GAIN, OFFSET = 0.03, 0.08

#: Middle half of a normal distribution, in standard deviations.
NORMAL = 1.349

#: Standard errors by which they must differ at least.
SURE = 5.0

#: Ratio of light under which two buckets cannot be told by their levels.
ALIKE = 1.25

#: Constant of Huber, and rounds of reweighting.
HUBER, ROUNDS = 1.345, 12


def figures(view: View) -> Iterator[Figure]:
    """Gain and offset of two buckets, their roles, and the share of the pattern of the code."""
    if view.buckets == 2:
        yield from _balance(view)
    if _has_pattern(view) and (found := code_pattern.share(np.nan_to_num(view.charge), view.sensor)) is not None:
        off = max(code_pattern.TOLERANCE if found.value < 1 else code_pattern.TOLERANCE_ABOVE, code_pattern.DOUBTED * found.error)
        cause = (
            "another code than this one, one that is turned, displaced or exchanged (--align-code), saturation, or a black level "
            "that is off"
        )
        limits = (1 - max(off, code_pattern.TOLERANCE), 1 + max(off, code_pattern.TOLERANCE_ABOVE))
        yield Figure("pattern", "pattern of the code in the measurement", found.value, *limits, cause, percent=True)


def _has_pattern(view: View) -> bool:
    """Whether pixels beside each other are open for different times."""
    relative = view.white / np.maximum(view.smooth(view.white), 1e-9) - 1
    return float(np.sqrt(np.mean(relative**2))) > code_pattern.WEAK


def _balance(view: View) -> Iterator[Figure]:
    z, blocks = _levels(view)
    gain_about, offset_about = (
        "light of bucket 0 over bucket 1, beyond the sensor's",
        "offset of bucket 0 over bucket 1, of median light",
    )
    if len(z) < 8 or not np.median(z.mean(1)) > 0:
        yield Figure("gain", gain_about, None, -GAIN, GAIN, "", remark="too small, or too dark", percent=True)
        return
    expected = float(np.divide(*view.white.mean((0, 2, 3))))
    measured = expected * float(np.exp(np.median(np.log(np.maximum(z[:, 0], 1e-6)) - np.log(np.maximum(z[:, 1], 1e-6)))))
    swapped = abs(np.log(measured * expected)) < abs(np.log(measured / expected))
    if max(expected, 1 / expected) > ALIKE:
        cause = "swapped buckets: bucket 0 is the one that collects while the code is 1 (c2b convert --swap)"
        remark = f"measured {measured:.3g}, by the duty cycle {expected:.3g}, swapped {1 / expected:.3g}"
        yield Figure("roles", "buckets exchanged by their light (0 no, 1 yes)", float(swapped), 0, 0, cause, remark=remark)
    white = view.white.mean((0, 2, 3)) / view.white.mean((0, 2, 3)).sum()
    light = float(np.median(z @ white))
    s = z @ white / light
    found, covariance = fitted(s, (z[:, 0] - z[:, 1]) / light, blocks)
    together = np.array([1.0, 1.0])
    chance = SURE * float(np.sqrt(together @ covariance @ together))
    cause = (
        "taps of different gain (calibrate with flats), leakage that the sensor does not state, a black level that is off, a response "
        "that is not linear, or another duty cycle than the code's"
    )
    yield Figure(
        "gain", gain_about, float(found.sum()), *_limits(GAIN, chance), cause, remark=f"+- {100 * chance:.2g} %", percent=True
    )
    chance = SURE * float(np.sqrt(covariance[1, 1]))
    cause = "a black level of one bucket that is off or has drifted (take darks anew, --black), or light that leaks into it"
    limits = _limits(max(OFFSET, GAIN / _spread(s)), chance)
    yield Figure("offset", offset_about, float(found[1]), *limits, cause, remark=f"+- {100 * chance:.2g} %", percent=True)


def _spread(s: NDArray) -> float:
    """Robust standard deviation of the light: over so much a gain that is within its tolerance may change into an offset."""
    low, high = np.quantile(s, (0.25, 0.75))
    return max(float(high - low) / NORMAL, 1e-3)


def _limits(tolerance: float, chance: float) -> tuple[float, float]:
    wide = max(tolerance, chance)
    return -wide, wide


def _levels(view: View) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """z of windows side by side, (n, 2), and the block that each lies in, (n,); without windows that hold lost samples."""
    charge = np.where(view.seen, view.charge, np.nan)
    light = _whole_windows(charge, view.window)
    white = _whole_windows(view.white, view.window)
    z = np.divide(light, white, out=np.full_like(light, np.nan), where=white > 1e-6)
    n, _, rows, columns = z.shape
    block = np.arange(rows)[:, None] // BLOCK * (columns // BLOCK + 1) + np.arange(columns) // BLOCK
    blocks = np.broadcast_to(block, (n, rows, columns)).ravel()
    flat = np.moveaxis(z, 1, -1).reshape(-1, 2)
    good = np.isfinite(flat).all(1)
    return flat[good], blocks[good]


def _whole_windows(values: NDArray, side: tuple[int, int]) -> NDArray[np.float64]:
    """Window means that are NaN where anything in the window is."""
    means = block_means(values, side)
    return np.where(block_means(np.isfinite(values).astype(float), side) > 1 - 1e-9, means, np.nan)


def fitted(s: NDArray, d: NDArray, blocks: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(a, o) of d = a s + o, and their covariance."""
    X = np.stack([s, np.ones_like(s)], 1)
    weight = 1 / np.square(np.maximum(s, 0) + 0.2 * np.median(s))
    start = np.ones_like(s)
    found = np.zeros(2)
    for _ in range(ROUNDS):
        W = weight * start
        found = np.linalg.lstsq((X.T * W) @ X, (X.T * W) @ d, rcond=None)[0]
        r = (d - X @ found) * np.sqrt(weight)
        scale = max(1.4826 * float(np.median(np.abs(r))), 1e-12)
        start = HUBER / np.maximum(np.abs(r) / scale, HUBER)
    W = weight * start
    scores = (X * (W * (d - X @ found))[:, None]).astype(np.float64)
    sums = np.stack([np.bincount(blocks, scores[:, k]) for k in range(2)], 1)
    bread = np.linalg.pinv((X.T * W) @ X)
    return found, bread @ (sums.T @ sums) @ bread
