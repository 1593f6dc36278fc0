"""Tap contrast: leakage between two buckets by the duty ramp, which needs neither the gain nor the light level.

A code that is open m of S sub-exposures under steady light fills the buckets, d = m / S, Q the light of all sub-exposures,
g the response of a bucket, K its gain (leakage e0, e1 as in `sensors.two_bucket`)::

    bucket 0:  K0 g0 Q [(1 - e0 - e1) d       + e1] = a0 d       + b0
    bucket 1:  K1 g1 Q [(1 - e0 - e1) (1 - d) + e0] = a1 (1 - d) + b1

so that r1 = b0 / a0 = e1 / (1 - e0 - e1), r0 = b1 / a1 = e0 / (1 - e0 - e1), whence e = r / (1 + r0 + r1). Photo response and gain
of each pixel cancel in the ratios.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sensors.calibration.estimate import half_width, replicates
from sensors.calibration.stack_moments import StackMoments
from sensors.refusal import Refusal

#: Largest deviation from the straight line, relative to its height, that is still a ramp.
_STRAIGHT = 0.02


def duty_ramp(
    duties: Sequence[float], ramp: Sequence[StackMoments], dark: StackMoments, good: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slopes a and offsets b of both buckets, each as replicates (R, 2), in DN.

    Raises
    ------
    Refusal
        If there are not two buckets or two duties, or the ramp is not straight, as of a full bucket.
    """
    if len(dark.mean) != 2:
        raise Refusal("a duty ramp tells the leakage between two buckets; these stacks do not have two")
    if len(set(duties)) < 2:
        raise Refusal("a duty ramp needs two duty cycles at least, better 0, 1 and some between")
    signal = np.stack([replicates(step.mean - dark.mean, good) for step in ramp], axis=1)
    open_part = np.stack([np.asarray(duties, float), 1 - np.asarray(duties, float)], axis=-1)
    noise = np.stack([np.where(np.isnan(step.variance), 1.0, step.variance).mean((1, 2)) for step in ramp])
    counted = np.stack([step.pinned == 0 for step in ramp])
    if (counted.sum(0) < 2).any():
        raise Refusal("the duty ramp is saturated; take it with less light")
    weight = counted / np.maximum(noise, 1e-3)
    mean_d, mean_s = ((weight * each).sum(-2) / weight.sum(0) for each in (open_part, signal))
    away = open_part - mean_d
    slope = (weight * away * signal).sum(1) / (weight * away**2).sum(0)
    offset = mean_s - slope * mean_d
    residual = signal - (slope[:, None] * open_part + offset[:, None])
    bent = (np.abs(residual[0]) > _STRAIGHT * slope[0]) & (np.abs(residual[0]) > 2 * half_width(residual)) & counted
    if bent.any() or (slope[0] <= 0).any():
        raise Refusal("the duty ramp is not a straight rising line: a bucket is full, or the lamp changed")
    return slope, offset


def leakage(slope: NDArray[np.float64], offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replicates (R, 2) of the leakage to the complement and to the coded bucket, (e0, e1)."""
    ratio = (offset / slope)[:, ::-1]
    return ratio / (1 + ratio.sum(-1, keepdims=True))


def response_ratio(slope: NDArray[np.float64], gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replicates (R,) of g1 / g0, in electrons; without the gains, mismatch of response and of gain are one and the same."""
    electrons = slope / gain
    return electrons[:, 1] / electrons[:, 0]
