"""A stack of frames taken alike: the mean and the temporal variance of every pixel, with row noise and lamp flicker kept apart.

What the formulas of calibration assume of a stack is looked at here too: that its frames are different frames, that no samples are
clipped, that noise is independent between frames and between pixels, and how wide a step of the converter is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri

from sensors.refusal import Refusal

#: Part of the samples at an end of the converter from which on mean and variance mislead.
CLIPPED = 1e-4

_FRAMES_AT_ONCE = 16
_LARGEST = 1e12  # DN; the squares of such values are still numbers
#: A lowest value is where samples were cut off if it has so many of them, this part of all, so many times what the next two values let
#: expect, and there are so many values: noise of less than a step may well lie within two.
_PILED_UP = 20, 1e-3, 1.5, 4
#: Pixels in which two frames must differ if those that do not differ at all are to be copies; and the part of them that has a pattern.
_DIFFERENT, _PATTERN = 50, 0.01
#: Samples that are looked at to tell the step of the converter, and how many a value has on average where none is missed.
_LOOKED_AT, _DENSE = 2**20, 20
#: Chance that steady frames are taken for unsteady ones.
_CHANCE = 1e-3


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
    pinned : ndarray of float32, (B, H, W)
        Part of a pixel's samples that stand at an end of the converter, or at a lowest value at which they were cut off.
    frames : int
        L, without copies.
    copies : int
        Frames that repeat another one bit by bit; they are left out.
    unsteady : ndarray of float64, (B,)
        Standard deviation of the means of the frames that noise of pixels and rows does not explain, DN.
    alike : ndarray of float64, (B, 3)
        Correlation of the temporal noise: with the next frame (NaN for two), the pixel to the right and the pixel below.
    step : ndarray of float64, (B,)
        Between the values that occur, DN; 0 of values that are not quantised, NaN where too few tell.
    """

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    row_variance: NDArray[np.float64]
    pinned: NDArray[np.float32]
    frames: int
    copies: int
    unsteady: NDArray[np.float64]
    alike: NDArray[np.float64]
    step: NDArray[np.float64]

    def clipped(self, good: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Part of the samples of each bucket that stand at an end, (B,), of the pixels that count (B, H, W)."""
        return (self.pinned * good).sum((1, 2)) / np.maximum(good.sum((1, 2)), 1)


def stack_moments(stack: ArrayLike, *, top: float | None = None, name: str = "the stack") -> StackMoments:
    """Reduce a stack to its moments.

    The variance is the mean, over all pairs of frames, of half the squared difference: for two frames EMVA 1288's
    var(yA - yB) / 2. Fixed pattern cancels in it; taking the mean of each row from the difference, and then as much of the pattern of
    the mean frame as is in it, removes row noise and flicker.

    Parameters
    ----------
    stack : array_like, (L, B, H, W)
        In DN.
    top : float, optional
        The largest code of the converter, for ``pinned``.
    name : str
        Name of the stack, for messages.

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
    if len(kept := _without_copies(stack)) < frames:
        stack = stack[kept]
        mean = _mean(stack)
    values = [_values(stack[:, b]) for b in range(buckets)]
    sums = _Sums(stack, mean, [_lowest_end(*each) for each in values], np.inf if top is None else top)
    free = len(stack) - 1 if len(stack) > 1 else np.nan
    within, of_rows = sums.within / free, sums.of_rows / free
    independent = rows * (columns - 1)
    return StackMoments(
        mean=mean,
        variance=within * (columns / (columns - 1) * independent / (independent - 1)),
        row_variance=of_rows * (rows / (rows - 1)),
        pinned=(sums.pinned / len(stack)).astype(np.float32),
        frames=len(stack),
        copies=frames - len(stack),
        unsteady=_unsteady(sums.of_frames, of_rows.mean(-1) / (rows - 1)),
        alike=sums.alike(),
        step=np.array([_step(*each) for each in values]),
    )


class _Sums:
    """Over the frames (L, B, H, W), some at a time: squares, products with neighbours, and samples at the ends."""

    def __init__(self, stack: NDArray, mean: NDArray, lowest: list[float], top: float) -> None:
        shape: tuple[int, int, int] = mean.shape
        self.within, self.of_rows, self.pinned = np.zeros(shape), np.zeros(shape[:2]), np.zeros(shape)
        self.next_frame, self.right, self.below = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.of_frames, self.frames = np.zeros((len(stack), shape[0])), len(stack)
        low = np.array(lowest)[:, None, None]
        pattern = mean - mean.mean(-1, keepdims=True)
        energy = np.square(pattern).sum((1, 2))
        before = None
        for first in range(0, len(stack), _FRAMES_AT_ONCE):
            frame = stack[first : first + _FRAMES_AT_ONCE].astype(np.float64)
            self.pinned += ((frame <= low) | (frame >= top)).sum(0)
            frame -= mean
            row = frame.mean(-1, keepdims=True)
            frame -= row
            share = np.einsum("lbij,bij->lb", frame, pattern) / np.where(energy > 0, energy, 1)
            frame -= share[..., None, None] * pattern
            self.within += np.square(frame).sum(0)
            self._neighbours(frame, before)
            before = frame[-1]
            row = row[..., 0]
            self.of_frames[first : first + len(frame)] = row.mean(-1)
            self.of_rows += np.square(row - row.mean(-1, keepdims=True)).sum(0)

    def alike(self) -> NDArray[np.float64]:
        """Correlations (B, 3), without what taking off the means of frames and rows makes of independent noise.

        The mean of those of each pixel, since a few that are loud should not speak for all.
        """
        right, below = (np.sqrt(self.within * np.roll(self.within, -1, axis)) for axis in (-1, -2))
        expected = -1 / self.frames if self.frames > 2 else np.nan
        found = [
            _mean_ratio(self.next_frame, self.within) - expected,
            _mean_ratio(self.right[..., :-1], right[..., :-1]) + 1 / (self.within.shape[-1] - 1),
            _mean_ratio(self.below[..., :-1, :], below[..., :-1, :]),
        ]
        return np.stack(found, -1)

    def _neighbours(self, frame: NDArray, before: NDArray | None) -> None:
        self.right[..., :-1] += (frame[..., 1:] * frame[..., :-1]).sum(0)
        self.below[..., :-1, :] += (frame[..., 1:, :] * frame[..., :-1, :]).sum(0)
        self.next_frame += (frame[1:] * frame[:-1]).sum(0)
        if before is not None:
            self.next_frame += frame[0] * before


def least_step(stacks: Sequence[StackMoments], untold: float) -> NDArray[np.float64]:
    """The least step between values in any of the stacks, DN (B,); ``untold`` where none of them tells."""
    steps = np.stack([each.step for each in stacks])
    return np.where(np.isnan(steps).all(0), untold, np.where(np.isnan(steps), np.inf, steps).min(0))


def _mean_ratio(products: NDArray, squares: NDArray) -> NDArray[np.float64]:
    """Over the pixels of each bucket that have noise, (B,)."""
    noisy = squares > 0
    ratio = np.where(noisy, products, 0) / np.where(noisy, squares, 1)
    return ratio.sum((1, 2)) / np.maximum(noisy.sum((1, 2)), 1)


def _mean(stack: NDArray) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", over="ignore"):
        return stack.mean(0, dtype=np.float64)


def _without_copies(stack: NDArray) -> list[int]:
    """The frames that do not repeat an earlier one. Frames of hardly any noise may be equal by chance and are all kept."""
    first: dict[bytes, int] = {}
    for n, frame in enumerate(stack):
        first.setdefault(hashlib.blake2b(frame.tobytes()).digest(), n)
    kept = list(first.values())
    if len(kept) == 1:
        patterned = (stack[0] != np.median(stack[0], axis=(-2, -1), keepdims=True)).mean()
        return kept if patterned > _PATTERN else list(range(len(stack)))
    return kept if np.count_nonzero(stack[kept[0]] != stack[kept[1]]) >= _DIFFERENT else list(range(len(stack)))


def _values(samples: NDArray) -> tuple[NDArray, NDArray]:
    """The values of a bucket (L, H, W) in order, and how many samples of those that are looked at each has."""
    return np.unique(samples.reshape(-1)[:_LOOKED_AT], return_counts=True)


def _lowest_end(values: NDArray, counts: NDArray) -> float:
    """The value at or below which samples are cut off: 0, or where they pile up; else minus infinity."""
    least, part, times, many = _PILED_UP
    piled_up = len(values) >= many and counts[0] >= max(
        least, part * counts.sum(), times * counts[1] * max(1.0, counts[1] / counts[2])
    )
    return float(values[0]) if values[0] == 0 or piled_up else -np.inf


def _step(values: NDArray, counts: NDArray) -> float:
    """Distance of the values: of the dense ones, so that gaps between unlike parts of the picture do not count."""
    part = counts.cumsum() / counts.sum()
    dense = (part > 0.01) & (part - counts / counts.sum() < 0.99)
    if counts[dense].mean() < _DENSE:
        if len(values) < 2 or not (values == np.round(values)).all():
            return 0.0 if len(values) > 1 else np.nan
        common = int(np.gcd.reduce(np.diff(values).astype(np.int64)))
        return float(common) if common > 1 else np.nan  # of few samples each, some values may be missing by chance
    apart = np.diff((values[dense] if dense.sum() > 2 else values).astype(np.float64))
    return float(apart[apart <= 2 * np.median(apart)].mean()) if len(apart) else np.nan


def _unsteady(of_frames: NDArray, expected: NDArray) -> NDArray[np.float64]:
    """Standard deviation (B,) of means of frames (L, B) beyond a variance that is expected."""
    free = len(of_frames) - 1
    if not free:
        return np.zeros(len(expected))
    variance = of_frames.var(0, ddof=1)
    beyond = np.where(variance > expected * chdtri(free, _CHANCE) / free, variance - expected, 0)
    return np.sqrt(np.maximum(beyond, 0))
