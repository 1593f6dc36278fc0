"""Hot and dead pixels, rows and columns that stand out of their neighbours in every exposure.

======  =========================================================================  ============
symbol  meaning                                                                    shape
======  =========================================================================  ============
s       all light of an exposure, free of the code                                 (N, H, W)
y       charge of one bucket                                                       (N, H, W)
D       a line over the median of four lines a tile and two before and after, less 1  (H,) or (W,)
======  =========================================================================  ============

A pixel is a defect where it lies beyond all its eight neighbours by more than noise and their own range allow. A line is one where most
of its samples stand out by the same, and the lines beside it do not: an edge of the scene moves several of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from c2b.check.figure import Figure
from c2b.check.view import View

#: Standard deviations, and parts of the range of the neighbours, by which a pixel stands out.
SIGMA, RANGE = 5.0, 0.5

#: Part of the pixels that may.
PIXELS = 2e-3

#: A line stands out by more than this part of its light, and than this many times half the spread of its middle half of samples.
LINE, SPREAD = 0.1, 2.5

#: Times by which it stands out more than the lines beside it, and than 95 % of all lines of the frame do: bars of the scene are many.
ALONE, OTHERS, MOST = 3.0, 2.5, 0.95

#: Noise of whole rows over what independent pixels give.
BANDING = 3.5

_AROUND = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)


def figures(view: View) -> Iterator[Figure]:
    """Pixels, rows, columns, and the noise of rows."""
    yield _pixels(view)
    for axis, name in ((0, "row"), (1, "column")):
        yield _lines(view, axis, name)
    yield _banding(view)


def _pixels(view: View) -> Figure:
    about = "hot, dead or stuck pixels that the sensor does not list"
    cause = "hot and dead pixels: calibrate with darks, whose map makes them carry no weight"
    if min(view.charge.shape[2:]) < 3:
        return Figure("pixels", about, None, -np.inf, PIXELS, cause, remark="the frame is too small", percent=True)
    if view.buckets != 2 and view.sensor.masked:
        remark = "under a mask of one bucket neighbours see other times"
        return Figure("pixels", about, None, -np.inf, PIXELS, cause, remark=remark, percent=True)
    if view.buckets == 2:
        out = np.median(_standing_out(view.light, view.light_variance, (1, 1)), 0)[None]
    else:
        step = view.sensor.grid
        each = [_standing_out(view.charge[:, b], view.variance[:, b], step) for b in range(view.buckets)]
        out = np.median(np.stack(each), 1)
    found = np.abs(out).max(0) > 1
    first = [f"{i},{j}" for i, j in np.argwhere(found)[:5]]
    remark = f"{int(found.sum())} pixels; row,column {' '.join(first)}{' ...' * (int(found.sum()) > 5)}" if first else ""
    return Figure(
        "pixels", about, float(found.mean()), -np.inf, PIXELS, cause, remark=remark, percent=True, picture=found.astype(float)
    )


def _standing_out(image: NDArray, variance: NDArray, step: tuple[int, int]) -> NDArray[np.float64]:
    """By how many times what is allowed each pixel lies above (or below, negative) all its neighbours, (N, H, W); 0 where lost."""
    out = np.zeros(image.shape)
    for phase in np.ndindex(step):
        at = (..., slice(phase[0], None, step[0]), slice(phase[1], None, step[1]))
        part = image[at]
        if min(part.shape[-2:]) < 3:
            continue
        filled = np.where(np.isfinite(part), part, np.nanmedian(part) if np.isfinite(part).any() else 0.0)
        high = maximum_filter(filled, footprint=_AROUND[None], mode="mirror")
        low = minimum_filter(filled, footprint=_AROUND[None], mode="mirror")
        allowed = SIGMA * np.sqrt(np.where(np.isfinite(variance[at]), variance[at], 0)) + RANGE * (high - low) + 1e-6
        beyond = np.where(filled > high, filled - high, np.minimum(filled - low, 0))
        out[at] = np.where(np.isfinite(part), beyond / allowed, 0)
    return out


def _lines(view: View, axis: int, name: str) -> Figure:
    about, cause = (
        f"{name}s that stand out",
        (
            f"a dead or weak {name}, a driver of the code that is stuck in it, or a {name} that was read twice or lost: leave it out "
            "(--rows, --columns), or mend the sensor"
        ),
    )
    found: set[int] = set()
    p = view.sensor.grid[axis]
    for b in range(view.buckets):
        lines = np.moveaxis(view.charge[:, b], axis + 1, 1)
        lost = np.moveaxis(~view.seen[:, b], axis + 1, 1)
        if lines.shape[1] < 5 * p:
            continue
        found |= set(_outstanding(np.where(lost, np.nan, lines), p).tolist())
    said = ", ".join(map(str, sorted(found)[:8]))
    return Figure(f"{name}s", about, float(len(found)), 0, 0, cause, remark=f"{name} {said}" if found else "")


def _outstanding(lines: NDArray, p: int) -> NDArray[np.int64]:
    """Numbers of the lines (N, L, across) that stand out in every exposure; lines that are wholly lost do not."""
    L = lines.shape[1]
    numbers = np.arange(L)
    beside_of = np.stack([_inside(numbers + step * p, p, L) for step in (-2, -1, 1, 2)])
    light = np.nanmedian(np.abs(lines)) if np.isfinite(lines).any() else 0.0
    if not light > 0:
        return np.empty(0, np.int64)
    with warnings.catch_warnings():  # of lines that are wholly lost
        warnings.simplefilter("ignore", RuntimeWarning)
        beside = np.nanmedian(lines[:, beside_of], axis=1)
        D = (lines - beside) / np.maximum(beside, 0.2 * light)
        low, middle, high = np.nan_to_num(np.nanquantile(D, (0.25, 0.5, 0.75), axis=2))
    size = np.abs(middle)
    next_to = np.maximum(np.pad(size, ((0, 0), (1, 0)))[:, :-1], np.pad(size, ((0, 0), (0, 1)))[:, 1:])
    usual = OTHERS * np.quantile(size.min(0), MOST)
    stands = (size > LINE) & (size > usual) & (size > SPREAD * (high - low) / 2) & (size > ALONE * next_to)
    return np.flatnonzero(stands.all(0))


def _inside(numbers: NDArray, p: int, count: int) -> NDArray[np.int64]:
    """Lines beyond the frame replaced by the nearest ones of the same phase within it, but the first by the third."""
    low = np.where(numbers < 0, numbers % p + 3 * p, numbers)
    over = count - 1 - low
    return np.clip(np.where(over < 0, count - 1 - (over % p + 3 * p), low), 0, count - 1)


def _banding(view: View) -> Figure:
    """Medians of each row less its neighbours, over what independent pixels give."""
    about, cause = (
        "noise of whole rows over that of pixels",
        "row noise that the sensor does not state, pick-up of the mains, a ripple of the supply",
    )
    light = view.light if view.buckets == 2 else view.charge[:, 0]
    p = 1 if view.buckets == 2 else view.sensor.grid[0]
    if light.shape[1] < 2 * p + 8 or light.shape[2] < 16:
        return Figure("banding", about, None, 0.0, BANDING, cause, remark="the frame is too small")
    D = light[:, p:-p] - 0.5 * (light[:, : -2 * p] + light[:, 2 * p :])
    whole = np.isfinite(D).mean(2) > 0.5
    if not whole.any():
        return Figure("banding", about, None, 0.0, BANDING, cause, remark="no row counts")
    rows = np.where(np.isfinite(D), D, 0)[whole]
    middle = np.median(rows, axis=1)
    spread = 1.4826 * np.median(np.abs(rows - middle[:, None]), axis=1)
    expected = 1.2533 * spread / np.sqrt(light.shape[2])
    ratio = 1.4826 * float(np.median(np.abs(middle / np.maximum(expected, 1e-12))))
    return Figure("banding", about, ratio, 0.0, BANDING, cause)
