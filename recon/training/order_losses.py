"""Losses of a video whose order in time cannot be observed: a blurred picture is the same for a clip and for its reverse.

The pairwise loss is Eq. 5 of M. Jin, G. Meishvili, P. Favaro, CVPR 2018 (Eq. 6 of K. Purohit, A. Shah, A. Rajagopalan, CVPR 2019): the
sum and the absolute difference of frames that lie symmetrically about the middle do not depend on which of the two is which. Where the
frames of a pair are alike its difference term has no gradient, so that the last layers of a network must not begin at zero.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from recon.training.losses import LEAST_SQUARE


def pairwise(frames: Tensor, truth: Tensor, *, middle: bool = True) -> Tensor:
    """Pairwise order-invariant loss, mean absolute value per pixel of the terms.

    Parameters
    ----------
    frames, truth : Tensor, (N, T, ...)
    middle : bool
        Add the error of the middle frame, which the pairs do not constrain (T odd).

    Returns
    -------
    Tensor, ()
    """
    half = frames.shape[1] // 2
    total = frames.new_zeros(())
    for k in range(half):
        first, last, true_first, true_last = frames[:, k], frames[:, -1 - k], truth[:, k], truth[:, -1 - k]
        total = total + pair_error(first, last, true_first, true_last)
    if middle and frames.shape[1] % 2:
        total = total + (frames[:, half] - truth[:, half]).abs().mean()
    return total


def pair_error(first: Tensor, last: Tensor, true_first: Tensor, true_last: Tensor) -> Tensor:
    """| |a + b| - |x + y| | + | |a - b| - |x - y| |, mean per pixel: one pair of frames (N, ...), whichever comes first."""
    sums = ((first + last).abs() - (true_first + true_last).abs()).abs().mean()
    return sums + ((first - last).abs() - (true_first - true_last).abs()).abs().mean()


def globally(frames: Tensor, truth: Tensor) -> Tensor:
    """Globally order-invariant loss: the error of the sum of all frames but the middle one of an odd number."""
    half, odd = divmod(frames.shape[1], 2)
    sums = [video.sum(1) - video[:, half] if odd else video.sum(1) for video in (frames, truth)]
    return (sums[0] - sums[1]).abs().mean()


def better_order(frames: Tensor, truth: Tensor, error: Callable[[Tensor, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """The error of each clip in the better of both orders, and whether that is the reversed one.

    Parameters
    ----------
    frames, truth : Tensor, (N, T, ...)
    error : callable, (frames, truth) -> Tensor (N,)

    Returns
    -------
    Tensor, (N,)
    Tensor of bool, (N,)
    """
    given, reversed_ = error(frames, truth), error(frames, truth.flip(1))
    return torch.minimum(given, reversed_), (reversed_ < given).detach()


def root_mean_square(frames: Tensor, truth: Tensor) -> Tensor:
    """Root mean square error of each clip, (N,); under the mean absolute error a network that begins as the blur stays so."""
    return ((frames - truth).square().flatten(1).mean(1) + LEAST_SQUARE).sqrt()


def mean_absolute(frames: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error of each clip, (N,)."""
    return (frames - truth).abs().flatten(1).mean(1)
