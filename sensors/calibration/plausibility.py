"""Plausibility: what was mistaken on the bench, or is not as the formulas assume, told by the stacks themselves.

Each function returns the reason in words, or nothing; a mistake that makes every number wrong is a `Refusal`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sensors.calibration.stack_moments import CLIPPED, StackMoments
from sensors.refusal import Refusal

#: Correlation of temporal noise with that of a neighbour, and in standard errors of its own, that is no chance.
_ALIKE, _CERTAINLY = 0.005, 4.0
#: Squared steps of variance below which rounding holds most samples where they are.
_HELD = 0.24


def refuse_swapped_folders(darks: Sequence[StackMoments], lit: Sequence[StackMoments]) -> None:
    """Darks that are brighter than the brightest flat.

    Raises
    ------
    Refusal
    """
    if not lit:
        return
    dark, light = (max(float(each.mean.mean()) for each in stacks) for stacks in (darks, lit))
    noise = max(float(np.sqrt(np.nanmax([*each.variance.mean((1, 2)), 0.0]) / each.mean[0].size)) for each in (*darks, *lit))
    if dark > light + 5 * noise:
        raise Refusal(
            f"the darks are brighter (mean {dark:.4g} DN) than the brightest flat ({light:.4g} DN): dark and flat are swapped, or the "
            "lamp was on in the dark"
        )


def refuse_swapped_buckets(duties: Sequence[float], lit: Sequence[StackMoments], dark: StackMoments) -> None:
    """The bucket that should collect while the code is open has less of the light the longer it is.

    Raises
    ------
    Refusal
    """
    if len(dark.mean) != 2 or len(set(duties)) < 2:
        return
    signal = np.stack([(each.mean - dark.mean).mean((1, 2)) for each in lit])
    total = signal.sum(1)
    seen = total > 0.01 * total.max()
    part, open_part = (signal[:, 0] / np.where(seen, total, 1))[seen], np.asarray(duties, float)[seen]
    if seen.sum() > 1 and np.ptp(open_part) > 0 and np.polyfit(open_part, part, 1)[0] < 0:
        raise Refusal(
            "the ramp falls: bucket 0 collects less the longer the code is open, so that the buckets are swapped; bucket 0 is the one "
            "that collects while the code is 1 (or duty counts what is shut: state 1 - duty)"
        )


def clipped_darks(darks: Sequence[StackMoments], good: NDArray[np.bool_]) -> str:
    """Why darks cannot tell what darks tell: samples below the lowest code are lost."""
    clipped = np.stack([each.clipped(good) for each in darks])
    if not (clipped > CLIPPED).any():
        return ""
    bucket = int(clipped.max(0).argmax())
    return (
        f"the darks are clipped: {100 * clipped.max():.2g} % of the samples of bucket {bucket} stand at an end of the converter, what "
        "lies beyond is lost; raise the black level (offset) of the camera until none do, and take darks and flats anew"
    )


def dependent_noise(stacks: Sequence[StackMoments], good: NDArray[np.bool_]) -> str:
    """Why the temporal variance of the stacks is not that of the pixels: noise that is alike in successive frames or neighbours."""
    for place, (what, least) in enumerate((("successive frames", 3), ("neighbouring pixels", 2), ("neighbouring rows", 2))):
        told = [each for each in stacks if each.frames >= least]
        if not told:
            continue
        free = np.stack([_freely(each, good) * (each.frames - 1) * good[0].size for each in told])
        samples = free.sum(0)
        found = (free * np.stack([each.alike[:, place] for each in told])).sum(0) / np.maximum(samples, 1)
        alike = np.abs(found) > np.maximum(_ALIKE, _CERTAINLY / np.sqrt(np.maximum(samples, 1)))
        if alike.any():
            worst = float(found[np.where(alike, np.abs(found), 0).argmax()])
            return (
                f"the noise of {what} is correlated ({worst:+.2g}): the frames were averaged, smoothed, resized or demosaicked, or a "
                "picture moved; take raw frames"
            )
    return ""


def _freely(stack: StackMoments, good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The buckets (B,) whose samples move freely: neither clipped nor held by rounding."""
    return (stack.clipped(good) <= CLIPPED) & (stack.variance.mean((1, 2)) > _HELD * np.nan_to_num(stack.step) ** 2)
