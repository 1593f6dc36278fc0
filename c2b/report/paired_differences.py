"""Paired differences with a bootstrap over groups: whether one method is better than another on clips of which some show one scene.

======  ==========================================================  =====
symbol  meaning                                                     shape
======  ==========================================================  =====
d       difference of a pair, such as PSNR of two methods on a clip (n,)
s, m    sum of the differences of a group, and how many they are    (G,)
e       mean of all differences, sum s / sum m
v       its standard error, from the groups
======  ==========================================================  =====

    v = sqrt( G / (G - 1) sum_g (s_g - m_g e)^2 ) / sum_g m_g          interval: e - v Q(1 - a/2) .. e - v Q(a/2)

Groups are drawn with replacement, each with all of its pairs, and Q are quantiles of (e* - e) / v* over the draws: the studentised
bootstrap (B. Efron, R. Tibshirani, "An introduction to the bootstrap", 1993, section 12.5) with the standard error of clustered data.
Of five groups the plain percentile interval at 95 % holds the truth in 84 % of cases of normal differences, this one in 94 %; of skewed
differences both in 2 to 5 % less. Fewer groups tell too little: the ends are infinite.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sensors.refusal import Refusal

#: Groups below which there is no interval: of four, ends are often ten times as far away as of five.
FEWEST = 5

#: A standard error below this part of the largest deviation of a group, or of the numbers themselves, is rounding: groups are equal.
_OF_DEVIATIONS, _OF_NUMBERS = 1e-9, 1e-13


@dataclass(frozen=True)
class Difference:
    """Mean of paired differences, and how sure it is.

    Attributes
    ----------
    mean : float
        In the unit of the pairs.
    spread : float
        Standard deviation over the pairs; NaN of one pair.
    low, high : float
        Ends of the interval; infinite where there are fewer than `FEWEST` groups.
    level : float
        Share of cases in which such an interval is to hold the true mean.
    pairs, groups : int
    """

    mean: float
    spread: float
    low: float
    high: float
    level: float
    pairs: int
    groups: int

    @property
    def certain(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        """``+0.85 [+0.31, +1.42]``."""
        ends = (
            f"[{self.low:+.2f}, {self.high:+.2f}]" if math.isfinite(self.low) and math.isfinite(self.high) else "[too few groups]"
        )
        return f"{self.mean:+.2f} {ends}"


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    groups: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
    draws: int = 20_000,
    seed: int = 0,
) -> Difference:
    """First minus second, pair by pair.

    Parameters
    ----------
    first, second : array_like, (n,)
    groups : sequence, (n,), optional
        Which group each pair belongs to; pairs of one group are not independent. By default each pair is a group.
    level : float
    draws : int
        Bootstrap samples; where G groups can be drawn in no more than so many ways, G to the power of G, each is taken once.
    seed : int
        Seed of the draws.

    Raises
    ------
    Refusal
        If there is nothing to compare, the lengths differ, a difference is not finite, or the level is not between 0 and 1.

    Examples
    --------
    >>> print(paired_difference([31.0, 28.4, 33.1, 30.2, 29.9], [30.1, 27.7, 32.1, 29.0, 29.3]))
    +0.88 [+0.56, +1.23]
    """
    d = np.subtract(first, second, dtype=np.float64) if np.shape(first) == np.shape(second) else np.empty((0, 0))
    if d.ndim != 1 or not d.size or (groups is not None and len(groups) != d.size):
        sizes = np.shape(first), np.shape(second), "" if groups is None else f", groups ({len(groups)},)"
        raise Refusal(f"paired numbers are two lists of one length, not {sizes[0]} and {sizes[1]}{sizes[2]}")
    if not np.isfinite(d).all():
        raise Refusal("a difference is not finite, as where a video and its truth are identical")
    if not 0 < level < 1:
        raise Refusal(f"level={level} is not between 0 and 1")
    s, m = _by_group(d, groups)
    low, high = _interval(
        s, m, 1 - level, draws, np.random.default_rng(seed), _OF_NUMBERS * float(np.abs(np.asarray(first)).max())
    )
    spread = float(d.std(ddof=1)) if d.size > 1 else math.nan
    return Difference(float(d.mean()), spread, low, high, level, d.size, s.size)


def _by_group(d: NDArray[np.float64], groups: Sequence[Hashable] | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and number of the differences of each group."""
    known: dict[Hashable, int] = {}
    numbers = [known.setdefault(group, len(known)) for group in (range(d.size) if groups is None else groups)]
    return np.bincount(numbers, d).astype(np.float64), np.bincount(numbers).astype(np.float64)


def _interval(
    s: NDArray[np.float64], m: NDArray[np.float64], alpha: float, draws: int, rng: np.random.Generator, rounding: float
) -> tuple[float, float]:
    count, e = s.size, s.sum() / m.sum()
    least = max(_OF_DEVIATIONS * np.abs(s / m - e).max(), rounding)
    if count < FEWEST:
        return -math.inf, math.inf
    if np.abs(s / m - e).max() <= rounding:
        return float(e), float(e)
    v = float(_standard_error(s, m))
    every = count**count <= draws
    drawn = np.indices((count,) * count).reshape(count, -1).T if every else rng.integers(0, count, (draws, count))
    deviation = s[drawn].sum(1) / m[drawn].sum(1) - e
    error = _standard_error(s[drawn], m[drawn])
    equal = error <= least
    studentised = np.where(equal, np.copysign(math.inf, deviation), deviation / np.where(equal, 1, error))
    studentised[equal & (np.abs(deviation) <= least)] = 0
    low, high = np.quantile(studentised, [alpha / 2, 1 - alpha / 2], method="inverted_cdf")
    return float(e - v * high), float(e - v * low)


def _standard_error(s: NDArray[np.float64], m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard error of sum s / sum m, groups along the last axis."""
    count, pairs = s.shape[-1], m.sum(-1)
    residual = s - m * (s.sum(-1) / pairs)[..., None]
    return np.sqrt(count / (count - 1) * (residual**2).sum(-1)) / pairs
