"""Photon transfer: shot noise is Poisson, so that the variance of flats over their mean is the gain (EMVA 1288, section 6).

======  ==========================================================
symbol  meaning
======  ==========================================================
s       signal: mean of a flat less the mean in the dark, DN
v       temporal variance of a flat less that in the dark, DN^2
K       gain, DN per electron: v = K s below saturation
======  ==========================================================

The line goes through the origin and up to 70 % of saturation. Where the variance has collapsed although the converter has codes
left, the bucket is full: there the mean itself is the full well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensors.calibration.estimate import half_width, replicates
from sensors.calibration.stack_moments import CLIPPED, StackMoments

#: Part of saturation up to which the line is fitted.
LINEAR_PART = 0.7
#: Shot noise left, relative to that of an unlimited bucket, below which the bucket is full.
_COLLAPSED = 0.01
#: Part of the largest variance that is as large.
_ABOUT = 0.9
#: A bend of the line, relative at its end, that is no photon transfer any more; or a gain so much another where it may miss the dark.
_BENT = 0.1


@dataclass(frozen=True)
class PhotonTransfer:
    """The curve of every bucket, and what it says.

    Parameters
    ----------
    signal, variance : ndarray, (R, levels, B)
        Replicates of s and v, for each bucket from dim to bright.
    dark_variance : ndarray, (B,)
        DN^2, for the plot.
    fitted : ndarray of bool, (levels, B)
        The points on the line.
    gain : ndarray, (R, B)
        Replicates of K; NaN where it cannot be had.
    trouble : tuple of str, (B,)
        Why not; empty where it can.
    full : ndarray of int, (B,)
        Which level fills the bucket; -1 if none does.
    pinned : ndarray of bool, (levels, B)
        The points where the converter ends.
    beyond : ndarray, (B,)
        By how much the gain would be another if the line might bend or miss the dark, beyond noise.
    """

    signal: NDArray[np.float64]
    variance: NDArray[np.float64]
    dark_variance: NDArray[np.float64]
    fitted: NDArray[np.bool_]
    gain: NDArray[np.float64]
    trouble: tuple[str, ...]
    full: NDArray[np.int64]
    pinned: NDArray[np.bool_]
    beyond: NDArray[np.float64]


def photon_transfer(
    darks: Sequence[StackMoments],
    flats: Sequence[StackMoments],
    good: NDArray[np.bool_],
    *,
    room: NDArray[np.float64] | None = None,
) -> PhotonTransfer:
    """The photon-transfer curve of stacks of flats.

    Parameters
    ----------
    darks : sequence of StackMoments
        For each flat, of about its exposure time.
    flats : sequence of StackMoments
        One per level, of at least two frames each.
    good : ndarray of bool, (B, H, W)
        Pixels that count.
    room : ndarray, (B,), optional
        DN from black to the largest code of the converter.
    """
    pairs = [*zip(flats, darks, strict=True)]
    signal = np.stack([replicates(flat.mean - dark.mean, good) for flat, dark in pairs], axis=1)
    variance = np.stack([replicates(flat.variance - dark.variance, good) for flat, dark in pairs], axis=1)
    pinned = np.stack([flat.clipped(good) for flat in flats]) > CLIPPED
    order = np.argsort(signal[0], axis=0)
    signal, variance = (np.take_along_axis(each, order[None], 1) for each in (signal, variance))
    pinned = np.take_along_axis(pinned, order, 0)
    peak = _peak(variance[0])
    saturation = np.take_along_axis(signal[0], peak[None], 0)[0]
    saturation = saturation if room is None else np.minimum(saturation, room)
    fitted = (signal[0] <= LINEAR_PART * saturation) & ~pinned
    at_peak = np.arange(len(flats))[:, None] == peak
    fitted |= at_peak & ~pinned & (fitted.sum(0) == 0)  # a single level that is dim enough has nothing dimmer beside it
    use = fitted.astype(np.float64)
    squares = (use * signal**2).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = (use * signal * variance).sum(1) / squares
    others = [_other_lines(signal[..., b], variance[..., b], use[:, b]) for b in range(gain.shape[1])]
    told = [_trouble(signal[0, :, b], use[:, b], gain[:, b], *others[b]) for b in range(gain.shape[1])]
    trouble, beyond = tuple(why for why, _ in told), np.array([by for _, by in told])
    gain = np.where([bool(why) for why in trouble], np.nan, gain)
    return PhotonTransfer(
        signal=signal,
        variance=variance,
        dark_variance=replicates(darks[0].variance, good)[0],
        fitted=fitted,
        gain=gain,
        trouble=trouble,
        full=_full(signal[0], variance[0], gain[0], pinned),
        pinned=pinned,
        beyond=beyond,
    )


def full_well(curve: PhotonTransfer, dark_offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replicates (R, B) of the electrons that a bucket holds; NaN where no flat fills it below the end of the converter.

    Parameters
    ----------
    dark_offset : ndarray, (R, B)
        DN of dark current under the dark of the curve, which fills the bucket too.
    """
    level = np.maximum(curve.full, 0)
    plateau = np.take_along_axis(curve.signal, level[None, None, :], 1)[:, 0] + dark_offset
    return np.where(curve.full >= 0, plateau / curve.gain, np.nan)


def _other_lines(signal: NDArray, variance: NDArray, use: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Lines through the points (R, levels) of a bucket: gain and bend of v = K s + c s^2, and the gain of v = K s + d, each (R,)."""
    if use.sum() < 3:
        return (np.full(len(signal), np.nan),) * 3
    s1, s2, s3, s4 = ((use * signal**n).sum(1) for n in (1, 2, 3, 4))
    v, sv, ssv = ((use * signal**n * variance).sum(1) for n in (0, 1, 2))
    determinant = s2 * s4 - s3**2
    shifted = (use.sum() * sv - s1 * v) / (use.sum() * s2 - s1**2)
    return (sv * s4 - ssv * s3) / determinant, (ssv * s2 - sv * s3) / determinant, shifted


def _trouble(
    signal: NDArray, use: NDArray, gain: NDArray, bent: NDArray, bend: NDArray, shifted: NDArray
) -> tuple[str, float]:
    """Why a bucket's gain (R,) cannot be had from its points (levels,), or how far other lines give another one."""
    if not use.any():
        return "every flat is saturated", 0.0
    if not gain[0] > 2 * half_width(gain):
        return "the variance of the flats does not rise with their mean: they are all saturated, or too dark", 0.0
    if not np.isfinite(bent).all():
        return "", 0.0
    if abs(bend[0] * (use * signal).max() / bent[0]) > _BENT and abs(bend[0]) > 2 * half_width(bend):
        return "the variance does not follow the mean in a straight line: the response is companded or not linear", 0.0
    beyond = [max(0.0, float(abs(other[0] - gain[0]) - half_width(other - gain))) for other in (bent, shifted)]
    if beyond[1] > _BENT * gain[0]:
        return "the line of variance over mean misses the dark: black level or noise of the darks is not that of the flats", 0.0
    return "", max(beyond)


def _full(signal: NDArray, variance: NDArray, gain: NDArray, pinned: NDArray) -> NDArray[np.int64]:
    """The brightest level (levels, B) at which shot noise has gone although the converter has not ended; -1 if there is none."""
    with np.errstate(invalid="ignore"):
        full = (variance < _COLLAPSED * gain * signal) & (signal > 0) & ~pinned
    last = len(full) - 1 - full[::-1].argmax(0)
    return np.where(full.any(0) & (last > _peak(variance)), last, -1)


def _peak(variance: NDArray) -> NDArray[np.int64]:
    """The brightest level (levels, B) of about the largest variance: a variance that is the same all over has no peak at its noise."""
    high = variance >= _ABOUT * variance.max(0)
    return len(high) - 1 - high[::-1].argmax(0)
