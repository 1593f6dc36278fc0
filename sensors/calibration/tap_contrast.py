"""Tap contrast: leakage between two buckets by the duty ramp, which needs neither the gain nor the light level.

A code that is open m of S sub-exposures under steady light fills the buckets, d = m / S, Q the light of all sub-exposures,
g the response of a bucket, K its gain (leakage e0, e1 as in `sensors.two_bucket`)::

    bucket 0:  K0 g0 Q [(1 - e0 - e1) d       + e1] = a0 d       + b0
    bucket 1:  K1 g1 Q [(1 - e0 - e1) (1 - d) + e0] = a1 (1 - d) + b1

so that r1 = b0 / a0 = e1 / (1 - e0 - e1), r0 = b1 / a1 = e0 / (1 - e0 - e1), whence e = r / (1 + r0 + r1). Photo response and gain
of each pixel cancel in the ratios, and so does the lamp, which may drift from step to step: of the signals s0, s1 of a step

    s0 [a1 (1 - d) + b1] = s1 [a0 d + b0]

holds whatever Q is. Three steps give a, b up to a factor; from the fourth on they can contradict each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensors.calibration.estimate import half_width, replicates
from sensors.calibration.stack_moments import CLIPPED, StackMoments
from sensors.refusal import Refusal

#: Largest deviation from the straight line, relative to its height, that is still a ramp.
_STRAIGHT = 0.02
#: Largest change of the lamp.
_STEADY = 0.1


@dataclass(frozen=True)
class DutyRamp:
    """The lines of both buckets.

    Parameters
    ----------
    slope, offset : ndarray, (R, 2)
        Replicates of a and b in DN, at the mean light of the ramp.
    lamp : float
        Largest deviation of the light of a step from the mean, relative, beyond noise.
    bent : float
        Largest deviation of a signal from its line, relative to the slope, beyond noise; of three steps, which cannot contradict
        each other, what the lamp would have to have changed.
    """

    slope: NDArray[np.float64]
    offset: NDArray[np.float64]
    lamp: float
    bent: float


def duty_ramp(duties: Sequence[float], ramp: Sequence[StackMoments], dark: StackMoments, good: NDArray[np.bool_]) -> DutyRamp:
    """Fit the lines of both buckets.

    Raises
    ------
    Refusal
        If there are not two buckets or three duties, a line falls, or the ramp is not straight, as of a full bucket.
    """
    if len(dark.mean) != 2:
        raise Refusal("a duty ramp tells the leakage between two buckets; these stacks do not have two")
    whole = np.array([(step.clipped(good) <= CLIPPED).all() for step in ramp])
    d = np.asarray(duties, float)[whole]
    if len(set(duties)) >= 3 > len(set(d)):
        raise Refusal("the duty ramp is saturated; take it with less light")
    if len(set(d)) < 3:
        raise Refusal("a duty ramp needs three duty cycles at least, better 0, 1 and two between, to tell a lamp that drifts")
    signal = np.stack([replicates(step.mean - dark.mean, good) for step, use in zip(ramp, whole, strict=True) if use], axis=1)
    scale = np.abs(signal[0]).max(0)
    if not (scale > 0).all():
        raise Refusal("the duty ramp holds no light")
    line = _lines(d, signal / scale) * np.repeat(scale, 2)
    slope, offset = line[:, ::2], line[:, 1::2]
    expected = slope[:, None] * np.stack([d, 1 - d], -1) + offset[:, None]
    light = (expected * signal).sum(-1) / (expected**2).sum(-1)
    mean_light = light.mean(1)
    off = light / mean_light[:, None] - 1
    residual = (signal - light[..., None] * expected) / (slope * mean_light[:, None])[:, None]
    lamp, bent = _beyond_noise(off), _beyond_noise(residual) if len(set(d)) > 3 else _beyond_noise(off)
    if (slope[0] <= 0).any():
        raise Refusal("the duty ramp does not rise: a bucket collects less the longer it is open, as if the buckets were swapped")
    if bent > _STRAIGHT or lamp > _STEADY:
        raise Refusal(
            f"the duty ramp is not a straight rising line (off by {bent:.2g}, the light by {lamp:.2g}): a bucket is full, or the lamp "
            "changed"
        )
    return DutyRamp(slope * mean_light[:, None], offset * mean_light[:, None], lamp, bent)


def _lines(d: NDArray, signal: NDArray) -> NDArray[np.float64]:
    """(a0, b0, a1, b1) of unit length for each replicate (R, K, 2) of the signal: the equation of all steps, in least squares."""
    total = np.abs(signal).sum(-1)
    s0, s1 = np.moveaxis(signal / np.where(total > 0, total, 1)[..., None], -1, 0)
    equations = np.stack([-s1 * d, -s1, s0 * (1 - d), s0], axis=-1)
    line = np.linalg.svd(equations, full_matrices=True)[2][:, -1]
    return line * np.sign(line.sum(1))[:, None]


def _beyond_noise(deviation: NDArray[np.float64]) -> float:
    """The largest of replicates (R, ...), less what noise makes."""
    return float(np.maximum(np.abs(deviation[0]) - 2 * half_width(deviation), 0).max())


def leakage(slope: NDArray[np.float64], offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replicates (R, 2) of the leakage to the complement and to the coded bucket, (e0, e1)."""
    ratio = (offset / slope)[:, ::-1]
    return ratio / (1 + ratio.sum(-1, keepdims=True))


def response_ratio(slope: NDArray[np.float64], gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replicates (R,) of g1 / g0, in electrons; without the gains, mismatch of response and of gain are one and the same."""
    electrons = slope / gain
    return electrons[:, 1] / electrons[:, 0]
