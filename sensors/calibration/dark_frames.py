"""Dark frames: the black level, what gathers in the dark, and the noise of the amplifier.

::

    mean_b(t)     = black_b + K_b I_b t                 DN; I: dark current, electrons per second
    variance_b(t) = (K_b sigma_b)^2 + 1/12 + K_b^2 I_b t    the dark current is shot noise itself (EMVA 1288, eq. 12 ff.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sensors.calibration.estimate import replicates
from sensors.calibration.stack_moments import StackMoments

#: Variance of rounding to whole DN.
ROUNDING = 1 / 12
#: DN^2 of dark variance below which rounding hides the read noise (EMVA 1288 release 4.0, section 6.6).
ROUNDING_FLOOR = 0.24


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
