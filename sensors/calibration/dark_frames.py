"""Dark frames: the black level, what gathers in the dark, and the noise of the amplifier.

::

    mean_b(t)     = black_b + K_b I_b t                 DN; I: dark current, electrons per second
    variance_b(t) = (K_b sigma_b)^2 + 1/12 + K_b^2 I_b t    the dark current is shot noise itself (EMVA 1288, eq. 12 ff.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from sensors.calibration.estimate import half_width, replicates
from sensors.calibration.stack_moments import StackMoments

#: Variance of rounding to whole steps.
ROUNDING = 1 / 12
#: Squared steps of dark variance below which rounding hides the read noise (EMVA 1288 release 4.0, section 6.6).
ROUNDING_FLOOR = 0.24
#: And below which steps of different width cannot be taken for one.
SPANNED = 4.0


def black_level_and_slope(
    seconds: Sequence[float], darks: Sequence[StackMoments], good: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Replicates (R, B) of the dark mean at no exposure, in DN, and of its slope in DN per second.

    The slope is None where all darks last equally long; the black level then contains their dark current.
    """
    means = np.stack([replicates(dark.mean, good) for dark in darks], axis=-1)
    times = np.asarray(seconds, np.float64)
    if np.ptp(times) == 0:
        return means.mean(-1), None
    centred = times - times.mean()
    slope = means @ centred / (centred @ centred)
    return means.mean(-1) - slope * times.mean(), slope


def drift(seconds: Sequence[float], darks: Sequence[StackMoments], good: NDArray[np.bool_]) -> NDArray[np.float64]:
    """By how many DN (B,) the black level moved, between frames and between darks: what noise within the frames does not explain."""
    within = np.stack([stdtrit(max(dark.frames - 1, 1), 0.975) * dark.unsteady for dark in darks]).max(0)
    means = np.stack([replicates(dark.mean, good) for dark in darks], axis=-1)
    black, slope = black_level_and_slope(seconds, darks, good)
    line = black[..., None] + (0.0 if slope is None else slope[..., None] * np.asarray(seconds, np.float64))
    return within + np.maximum(np.abs(means - line)[0] - 2 * half_width(means - line), 0).max(-1)


def rounding_bias(
    variance: NDArray[np.float64], spread: NDArray[np.float64], step: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """By how much rounding to whole steps may falsify a mean, in DN, and a variance that is freed of `ROUNDING`, in DN^2.

    Sheppard's correction holds for noise of half a step and more; below, what is left depends on where the mean lies between two
    steps. With f = exp(-2 pi^2 (variance + spread) / step^2) it is f step / pi and f (step^2 / pi^2 + 4 variance) at most (B. Widrow,
    I. Kollar, "Quantization Noise", 2008, ch. 5); below `ROUNDING_FLOOR`, where the variance is not known itself, half a step.

    Parameters
    ----------
    variance : ndarray, (B,)
        Temporal, without that of rounding, DN^2.
    spread : ndarray, (B,)
        Variance of the means of the pixels, which lie between the steps here and there.
    step : ndarray, (B,)
        DN.
    """
    safe = np.where(step > 0, step, 1.0)
    left = np.where(step > 0, np.exp(-2 * np.pi**2 * (np.maximum(variance, 0) + np.maximum(spread, 0)) / safe**2), 0)
    hidden = variance + ROUNDING * step**2 < ROUNDING_FLOOR * step**2
    return np.where(hidden, step / 2, left * step / np.pi), left * (step**2 / np.pi**2 + 4 * np.maximum(variance, 0))


def dark_variance(
    seconds: Sequence[float],
    darks: Sequence[StackMoments],
    good: NDArray[np.bool_],
    *,
    gain: NDArray[np.float64] | None,
    black: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Replicates (R, B) of the variance of a pixel at no exposure, in DN^2, rounding included.

    With the gain (R, B) the shot noise of the dark current is taken off each stack; without it, the variance is continued to no
    exposure.
    """
    usable = [(t, dark) for t, dark in zip(seconds, darks, strict=True) if dark.frames > 1]
    variances = np.stack([replicates(dark.variance, good) for _, dark in usable], axis=-1)
    weights = np.array([dark.frames - 1 for _, dark in usable], np.float64)
    times = np.array([t for t, _ in usable])
    if gain is not None:
        means = np.stack([replicates(dark.mean, good) for _, dark in usable], axis=-1)
        return (variances - gain[..., None] * (means - black[..., None])) @ weights / weights.sum()
    if np.ptp(times) == 0:
        return variances @ weights / weights.sum()
    centred = times - weights @ times / weights.sum()
    slope = variances @ (weights * centred) / (weights @ centred**2)
    return variances @ weights / weights.sum() - slope * (weights @ times / weights.sum())


def row_variance(darks: Sequence[StackMoments], good: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Replicates (R, B) of the temporal variance of whole rows, in DN^2, without what the pixels' own noise leaves in a row mean."""
    columns = darks[0].mean.shape[-1]
    usable = [dark for dark in darks if dark.frames > 1]
    weights = np.array([dark.frames - 1 for dark in usable], np.float64)
    excess = [replicates(d.row_variance[..., None]) - replicates(d.variance, good) / columns for d in usable]
    return np.stack(excess, axis=-1) @ weights / weights.sum()
