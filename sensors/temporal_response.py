"""How light and code fail to change hands at once: lag between sub-exposures, and rows that are late.

======  ==============================================================  ==================
symbol  meaning                                                         shape
======  ==============================================================  ==================
S       share of each sub-exposure that each bucket collects            (B, T, p, q)
L       part of the light of sub-exposure t that the code of s steers   (T, T)
d       delay of each row, in frames                                    (rows,)
======  ==============================================================  ==================

    lag:   S'[b, t] = sum_s L[t, s] S[b, s]
    rows:  S'[b, t, r] = (1 - f) S[b, t - n, r] + f S[b, t - n - 1, r]        n + f = d[r]

The rows of L add up to at most 1; what is missing is light lost in the hand-over.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sensors.refusal import Refusal

#: By so much the rows of a measured L may add up to more than 1.
ROUNDING = 1e-6


def checked_lag(lag: float | NDArray, frames: int) -> float | NDArray[np.float64]:
    """The lag as a plain number or a read-only matrix (T, T).

    Raises
    ------
    Refusal
        If it has another shape or makes light.
    """
    values = np.array(lag, np.float64)
    if not values.ndim:
        if not 0 <= values <= 0.5:
            raise Refusal(f"lag={values} is out of range; the part that each neighbouring sub-exposure steers is 0 .. 0.5")
        return float(values)
    if values.shape != (frames, frames):
        raise Refusal(
            f"lag of shape {values.shape} is not one number nor a matrix ({frames}, {frames}) between the sub-exposures"
        )
    if not ((values >= 0).all() and (values.sum(1) <= 1 + ROUNDING).all()):
        raise Refusal("lag makes light: its parts are 0 or more, and each row adds up to at most 1")
    values.setflags(write=False)
    return values


def lag_matrix(lag: float | NDArray, frames: int) -> NDArray[np.float64]:
    """L (T, T); one number is the part of each sub-exposure that either neighbour steers, and none is lost at the ends."""
    if isinstance(lag, np.ndarray):
        return lag
    neighbours = np.eye(frames, k=1) + np.eye(frames, k=-1)
    return lag * neighbours + np.diag(1 - lag * neighbours.sum(1))


def lagged(share: NDArray, lag: float | NDArray) -> NDArray:
    """S after lag, (B, T, p, q); S itself where there is none."""
    if isinstance(lag, float) and not lag:
        return share
    return np.einsum("ts,bsij->btij", lag_matrix(lag, share.shape[1]), share).astype(np.float32)


def delayed_rows(share: NDArray, delay: NDArray, frames: int | None = None) -> NDArray[np.float32]:
    """S where each row of the chip is late, (B, T, rows, q).

    Parameters
    ----------
    share : ndarray, (B, T, p, q)
    delay : ndarray, (rows,)
        In frames, of each row of the chip.
    frames : int, optional
        How many frames the result covers, T and the largest delay at least. Without it the code comes round: the first sub-exposure
        of a late row is still steered by the last one of the exposure before.
    """
    buckets, given, p, q = share.shape
    rows = np.arange(len(delay))
    whole = np.floor(delay).astype(int)
    part = (delay - whole).astype(np.float32)[:, None]
    padded = share if frames is None else np.concatenate([share, np.zeros((buckets, frames - given, p, q), share.dtype)], 1)
    padded = padded[:, :, rows % p]
    result = np.empty(padded.shape, np.float32)
    for t in range(padded.shape[1]):
        early, late = (padded[:, (t - whole - k) % padded.shape[1], rows] for k in (0, 1))
        result[:, t] = early + part * (late.astype(np.float32) - early)
    return result
