"""A stack of frames taken alike: the mean and the temporal variance of every pixel, with row noise and lamp flicker kept apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sensors.refusal import Refusal

_FRAMES_AT_ONCE = 16
_LARGEST = 1e12  # DN; the squares of such values are still numbers


@dataclass(frozen=True)
class StackMoments:
    """What calibration needs of a stack of L frames; the stack itself may be forgotten.

    Parameters
    ----------
    mean : ndarray of float64, (B, H, W)
        Over the frames, DN.
    variance : ndarray of float64, (B, H, W)
        Over the frames, within each row: what the pixel does and its row does not, DN^2. NaN for one frame.
    row_variance : ndarray of float64, (B, H)
        Over the frames, of the means of the rows against the mean of the frame, DN^2.
    pinned : ndarray of float64, (B,)
        Part of all samples that stand at an end of the converter.
    frames : int
        L.
    """

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    row_variance: NDArray[np.float64]
    pinned: NDArray[np.float64]
    frames: int


def stack_moments(stack: ArrayLike, *, top: float | None = None, name: str = "the stack") -> StackMoments:
    """Reduce a stack to its moments.

    The variance is the mean, over all pairs of frames, of half the squared difference: for two frames EMVA 1288's
    var(yA - yB) / 2. Fixed pattern cancels in it, and taking the mean of each row from the difference removes row noise and
    flicker.

    Parameters
    ----------
    stack : array_like, (L, B, H, W)
        In DN.
    top : float, optional
        The largest code of the converter, for ``pinned``.
    name : str
        Of the stack, for messages.

    Raises
    ------
    Refusal
        If the array has other axes, is empty or too small, or holds NaN or infinity.
    """
    stack = np.asarray(stack)
    if stack.ndim != 4 or stack.dtype.kind not in "uif":
        raise Refusal(f"{name} should be numbers (frames, buckets, rows, columns), not {stack.dtype} of shape {stack.shape}")
    frames, buckets, rows, columns = stack.shape
    if not frames or not buckets or rows < 8 or columns < 8:
        raise Refusal(f"{name} has shape {stack.shape}; needed: a frame, a bucket and at least 8x8 pixels")
    mean = _mean(stack)
    if not np.isfinite(mean).all():
        raise Refusal(f"{name} holds values that are not finite")
    if np.abs(mean).max() > _LARGEST:
        raise Refusal(f"{name} holds values beyond {_LARGEST:g}, which no converter gives")
    within, of_rows, pinned = np.zeros(mean.shape), np.zeros((buckets, rows)), np.zeros(buckets)
    for first in range(0, frames, _FRAMES_AT_ONCE):
        frame = stack[first : first + _FRAMES_AT_ONCE].astype(np.float64)
        if top is not None:
            pinned += ((frame <= 0) | (frame >= top)).sum((0, 2, 3))
        frame -= mean
        row = frame.mean(-1, keepdims=True)
        frame -= row
        within += np.square(frame).sum(0)
        row = row[..., 0]
        of_rows += np.square(row - row.mean(-1, keepdims=True)).sum(0)
    free = frames - 1 if frames > 1 else np.nan
    return StackMoments(
        mean=mean,
        variance=within * (columns / (columns - 1) / free),
        row_variance=of_rows * (rows / (rows - 1) / free),
        pinned=pinned / (frames * rows * columns),
        frames=frames,
    )


def _mean(stack: NDArray) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", over="ignore"):
        return stack.mean(0, dtype=np.float64)
