"""Losses of videos at several scales, and of the motion by which they are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

#: Weights of four scales, coarse to fine, at the beginning and at the end of a schedule that goes from coarse to fine, as in N. Mayer
#: et al., "A large dataset to train convolutional networks for disparity, optical flow, and scene flow estimation", CVPR 2016, which
#: gives no numbers.
COARSE_FIRST, FINE_LAST = (1.0, 0.5, 0.2, 0.1), (0.0, 0.0, 0.2, 1.0)

#: Keeps the norm of a difference differentiable where it is zero.
LEAST_NORM = 1e-12


def multi_scale(
    images: Sequence[Tensor], truth: Tensor, error: Callable[[Tensor, Tensor], Tensor], weights: Sequence[float] | None = None
) -> Tensor:
    """Sum over scales of the error of images there, by weights.

    Parameters
    ----------
    images : sequence of Tensor, (N, T, h, w)
    truth : Tensor, (N, T, H, W)
        Averaged down to each scale.
    error : callable, (images, truth) -> Tensor
    weights : sequence of float, optional
        One for each scale; by default 1.
    """
    total = truth.new_zeros(())
    for image, weight in zip(images, weights or [1.0] * len(images), strict=True):
        if weight:
            total = total + weight * error(image, at_scale(truth, image.shape[-1])).mean()
    return total


def at_scale(truth: Tensor, width: int) -> Tensor:
    """A video (N, T, H, W) averaged down to so many columns."""
    return F.avg_pool2d(truth, truth.shape[-1] // width) if truth.shape[-1] != width else truth


def scale_weights(step: int, steps: int) -> list[float]:
    """Weights of four scales, coarse to fine, at a step of a schedule of so many steps."""
    share = min(1.0, step / steps) if steps else 1.0
    return [(1 - share) * first + share * last for first, last in zip(COARSE_FIRST, FINE_LAST, strict=True)]


def transformation_consistency(thetas: Sequence[Sequence[Tensor]]) -> Tensor:
    """Norm of the difference between the affine maps (N, K, 2, 3) of adjacent scales, summed over scales and frames, mean over N.

    The maps are in coordinates that do not depend on the scale. Argaw et al. 2020; that adjacent scales are compared is our reading.
    """
    found = [one - other for kind in thetas for one, other in pairwise(kind)]
    if not found:
        return torch.zeros(())
    return sum((each.square().sum((2, 3)) + LEAST_NORM).sqrt().sum(1).mean() for each in found)  # type: ignore[return-value]


def mirrored_similarity(frames: Tensor, truth: Tensor) -> Tensor:
    """How near frames are to the true ones that mirror them in time: minus the mean absolute difference, summed over frames.

    The penalty term of Argaw et al. 2020, which is unbounded below as published; here a pixel counts no more than the two true
    frames differ there. The middle frame does not count.

    Parameters
    ----------
    frames, truth : Tensor, (N, T, H, W)
        T odd.
    """
    mirrored = truth.flip(1)
    apart = torch.minimum((frames - mirrored).abs(), (truth - mirrored).abs())
    return -apart.mean((0, 2, 3)).sum()
