"""Grey masks of an optical modulator: each mask photographed in front of a white scene, as snapshot compressive imaging does.

::

    mask_k = (I_k - D) / (I_white - D)

Optics and misalignment are in it, which is what a reconstruction wants.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from sensors.calibration.stack_moments import CLIPPED, StackMoments
from sensors.refusal import Refusal

#: Signal of white, in standard deviations of its mean, below which a pixel's mask is not known.
_SEEN = 5.0


def grey_masks(
    masks: Sequence[StackMoments], white: StackMoments, dark: StackMoments, *, bucket: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The masks (T, H, W), and half of the 95 % interval of each of their values.

    Values may leave [0, 1] by their noise. A pixel that white does not light, or saturates, is 0, its interval infinite. Intervals are
    infinite also where a stack has one frame, whose noise is unknown. By as much as the light changes between frames, it may have
    changed between stacks.

    Raises
    ------
    Refusal
        If there is no mask, or white is saturated, or not one pixel sees it.
    """
    if not masks:
        raise Refusal("there is no mask among the captures")
    if white.clipped(np.ones_like(white.pinned, bool))[bucket] > CLIPPED:
        raise Refusal("the white of the masks is saturated; take all of them with less light")
    ground, span = dark.mean[bucket], white.mean[bucket] - dark.mean[bucket]
    noise_white, noise_dark = (_of_mean(stack, bucket) for stack in (white, dark))
    seen = (span > _SEEN * np.sqrt(np.nan_to_num(noise_white + noise_dark))) & (white.pinned[bucket] == 0)
    if not seen.any():
        raise Refusal("the white of the masks is no brighter than the dark")
    safe = np.where(seen, span, 1.0)
    lamp = max(_unsteady(stack, ground, bucket) for stack in (white, *masks))
    values, errors = [], []
    for stack in masks:
        value = (stack.mean[bucket] - ground) / safe
        # D stands in numerator and denominator
        variance = _of_mean(stack, bucket) + value**2 * noise_white + (1 - value) ** 2 * noise_dark
        variance += (value * span * lamp) ** 2
        values.append(np.where(seen, value, 0))
        errors.append(np.where(seen & np.isfinite(variance), ndtri(0.975) * np.sqrt(variance) / safe, np.inf))
    return np.stack(values).astype(np.float32), np.stack(errors).astype(np.float32)


def _unsteady(stack: StackMoments, ground: NDArray[np.float64], bucket: int) -> float:
    """How much the lamp changes from frame to frame, relative; about as much it may have changed from stack to stack."""
    light = float((stack.mean[bucket] - ground).mean())
    return float(stack.unsteady[bucket]) / light if light > 0 else 0.0


def _of_mean(stack: StackMoments, bucket: int) -> NDArray[np.float64]:
    """Variance of a pixel's mean: of its own noise smoothed to the bucket's line of variance over mean.

    A few frames alone would give each pixel a variance of its own luck.
    """
    mean, variance = stack.mean[bucket], stack.variance[bucket]
    if stack.frames < 2:
        return np.full(mean.shape, np.nan)
    slope, floor = np.polyfit(mean.ravel(), variance.ravel(), 1) if np.ptp(mean) > 0 else (0.0, variance.mean())
    return np.maximum(slope * mean + floor, 0.1 * variance.mean()) / stack.frames
