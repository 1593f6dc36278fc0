"""A measured number and its 95 % interval, by the delete-a-group jackknife over rows.

Every estimator here is arithmetic on averages over the image. It is done once with all rows and once without each of G groups of
rows; how much the results scatter tells how well the number is known, with shot noise, row noise and fixed pattern in their true
proportions and no formula for any of them (B. Efron, C. Stein, "The jackknife estimate of variance", Annals of Statistics, 1981). ::

    replicates   (1 + G, ...)   [0] of all rows, [1 + g] without group g
    half width   t(97.5 %, G - 1) sqrt((G - 1) / G sum_g (r_g - mean r)^2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

#: Groups of rows; more would sharpen the interval itself by little.
GROUPS = 32
#: Half intervals outside its limits from which on a number is a contradiction rather than noise.
_CERTAINLY = 2.0
_ROUNDED = 1e-9


@dataclass(frozen=True)
class Estimate:
    """A measured number, or one for each bucket.

    Parameters
    ----------
    value, low, high : ndarray of float64
        All of one shape; the 95 % interval reaches from low to high.
    source : str
        How it was measured.
    trouble : str
        Why it is no number after all.
    """

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    source: str
    trouble: str = ""

    def document(self) -> dict[str, Any]:
        """As it stands in a sensor file."""
        interval = np.stack([self.low, self.high], axis=-1)
        return {"value": _plain(self.value), "interval": _plain(interval), "provenance": "measured", "source": self.source}

    @property
    def finite(self) -> bool:
        """Whether value and interval are numbers at all."""
        return not self.trouble and all(bool(np.isfinite(each).all()) for each in (self.value, self.low, self.high))

    def covers(self, truth: ArrayLike) -> NDArray[np.bool_]:
        """Whether the interval holds the true value, for each number."""
        return (self.low <= np.asarray(truth)) & (np.asarray(truth) <= self.high)


def replicates(image: ArrayLike, good: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Means of an image, of all its rows and without each group.

    Parameters
    ----------
    image : array_like, (..., H, W)
        Or (..., H, 1) for one number per row.
    good : ndarray of bool, (..., H, W), optional
        Pixels that count.

    Returns
    -------
    ndarray of float64, (1 + G, ...)
    """
    image = np.asarray(image, np.float64)
    weight = np.ones(image.shape) if good is None else np.broadcast_to(good, image.shape).astype(np.float64)
    total, count = (_by_group((each * weight).sum(-1)) for each in (image, np.ones(image.shape)))
    return np.concatenate([[total.sum(0) / count.sum(0)], (total.sum(0) - total) / (count.sum(0) - count)])


def estimate(
    values: NDArray[np.float64],
    source: str,
    *,
    root: bool = False,
    least: float = -np.inf,
    most: float = np.inf,
    beyond: float | NDArray[np.float64] = 0.0,
) -> Estimate:
    """The number of all rows, with the interval that the replicates give.

    Parameters
    ----------
    values : ndarray, (1 + G, ...)
        Replicates of the number; of its square with ``root``, so that a noise that may be zero has an interval that reaches it.
    source : str
        How it was measured.
    least, most : float
        Limits that the number has by its nature. Data that lie certainly outside contradict the model; then there is no number.
    beyond : float or ndarray
        What the number may be off besides, by causes that all rows have in common; of the square with ``root``.
    """
    half, least = half_width(values) + beyond, 0 if root else least
    ends = [np.clip(values[0] + sign * half, least, most) for sign in (0, -1, 1)]
    value, low, high = (np.sqrt(end) for end in ends) if root else ends
    outside = (values[0] + _CERTAINLY * half < least - _ROUNDED) | (values[0] - _CERTAINLY * half > most + _ROUNDED)
    worst = values[0].flat[int(outside.argmax())]
    trouble = f"the data contradict it: {'its square' if root else 'it'} would be {worst:.3g}" if outside.any() else ""
    return Estimate(value, low, high, source, trouble)


def half_width(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half of the 95 % interval of replicates (1 + G, ...)."""
    left_out = values[1:]
    groups = len(left_out)
    spread = np.square(left_out - left_out.mean(0)).sum(0) * ((groups - 1) / groups)
    return stdtrit(groups - 1, 0.975) * np.sqrt(spread)


def _by_group(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over interleaved groups of rows (..., H): (G, ...). Interleaved, since a gradient over the image is no noise."""
    groups = min(GROUPS, rows.shape[-1])
    return np.stack([rows[..., g::groups].sum(-1) for g in range(groups)])


def _plain(array: NDArray[np.float64]) -> Any:
    """Six digits, which no interval needs more than."""
    return np.vectorize(lambda x: float(f"{x:.6g}"), otypes=[float])(array).tolist()
