"""One small matrix that solves every tile of a periodic code alike: uniform intensity within a tile, T unknowns.

======  ======================================================================  =================
symbol  meaning                                                                 shape
======  ======================================================================  =================
A       what pixel k of the tile (all buckets) collects of frame t              (K, T), K = B p q
n       on-count, the row sums of A                                             (K,)
R       A with its rows divided by n: each row a mean over frames               (K, T)
w       weight of a row, 1 / (standard deviation of y / n), or 1                (K,)
x       the T frames of one tile                                                (T,)
======  ======================================================================  =================

    x = argmin |w (R x - y / n)|^2 + ridge |x - mean(x)|^2

Dividing by n matters: stacking two buckets unweighted lets the many-frame rows drown the one-frame rows and loses 5 dB. The ridge pulls
the frames of a tile towards their mean and never dims them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np
from numpy.typing import NDArray

from sensors.kernel import FLAGS, rows
from sensors.sensor import Sensor

#: Singular values below this part of the largest are dropped: that of the published pair network.
RCOND = 1e-3

#: A pixel that collects less than this many frames of an exposure counts as closed.
NEVER_OPEN = 1e-6

#: Ridge of a noisy capture where none is given: without noise, for noise as large as the texture, and at most.
RIDGE_UNDER_NOISE, RIDGE_PER_NOISE, LARGEST_RIDGE = 0.1, 0.05, 3.0

#: Products and sums may be fused: no bits are promised here.
PRODUCT_FLAGS = {**FLAGS, "fastmath": {"contract"}}


@dataclass(frozen=True)
class TileMatrix:
    """One small matrix that solves every tile alike, and what it does to a still scene."""

    solve: NDArray[np.float32]  # (T, B, p, q): x = sum over b, i, j of solve * y
    response: NDArray[np.float64]  # (T, p, q): what each pixel of the tile adds to a frame of a still scene
    rank: int
    condition: float


@lru_cache(maxsize=16)
def tile_matrix(
    sensor: Sensor, origin: tuple[int, int], buckets: int, ridge: float | None, noise: tuple[float, ...] | None
) -> TileMatrix:
    """The solve of the tile that begins at pixel [0, 0] of a frame at ``origin``, from the first ``buckets`` buckets.

    ``noise`` is the variance of each, relative to that of the scene within a tile.
    """
    p, q = sensor.tile
    shares = turned(sensor.exposure.on_tile[:buckets], *origin)
    shares = np.broadcast_to(shares, (*shares.shape[:2], p, q))
    A = shares.transpose(0, 2, 3, 1).reshape(-1, sensor.frames)
    n = A.sum(1)
    open_rows = n > NEVER_OPEN
    per_count = np.where(open_rows, 1 / np.where(open_rows, n, 1), 0)
    R = A * per_count[:, None]
    w = np.ones_like(n) if noise is None else 1 / np.sqrt(1 + np.repeat(noise, p * q) * per_count**2)
    if ridge is None:
        ridge = 0.0 if noise is None else ridge_under(noise[0])
    singular = np.linalg.svd(R, compute_uv=False)
    rank = int((singular > max(RCOND * singular[0], NEVER_OPEN)).sum())
    solve = _least_squares(R, np.where(open_rows, w, 0), ridge) * per_count
    response = (solve * n).reshape(sensor.frames, -1, p, q).sum(1)
    condition = float(singular[0] / singular[-1]) if len(singular) >= sensor.frames and singular[-1] > 0 else np.inf
    return TileMatrix(solve.reshape(sensor.frames, -1, p, q).astype(np.float32), response, rank, condition)


def solve_periodic(charge: NDArray[np.float32], solve: NDArray[np.float32]) -> NDArray[np.float32]:
    """Apply one small matrix to every tile.

    Parameters
    ----------
    charge : ndarray of float32, (B, H, W)
    solve : ndarray of float32, (T, B, p, q)

    Returns
    -------
    ndarray of float32, (T, h, w)
        h = ceil(H / p), w = ceil(W / q); where these do not divide, the last tiles overlap their neighbours and are turned to match.
    """
    T, _, p, q = solve.shape
    _, height, width = charge.shape
    rows_first = np.empty((-(-height // p), T, -(-width // q)), np.float32)
    low = rows_first.transpose(1, 0, 2)
    _apply(charge, solve, rows_first)
    if height % p:
        low[:, -1:] = solve_periodic(np.ascontiguousarray(charge[:, -p:]), turned(solve, height - p, 0))
    if width % q:
        low[:, :, -1:] = solve_periodic(np.ascontiguousarray(charge[:, :, -q:]), turned(solve, 0, width - q))
    return low


def turned(solve: NDArray, rows_down: int, columns_right: int) -> NDArray:
    """The solve of a tile that begins at another phase of the same periodic code."""
    return np.ascontiguousarray(np.roll(solve, (-rows_down, -columns_right), (-2, -1)))


def centroids_of(response: NDArray) -> NDArray:
    """Row and column at which each frame of a still scene is sampled, (T, 2): the centroid of its response, kept in the tile."""
    _, p, q = response.shape
    total = response.sum((1, 2))
    total = np.where(np.abs(total) > 1e-9, total, 1)
    row = (response.sum(2) @ np.arange(p)) / total
    column = (response.sum(1) @ np.arange(q)) / total
    return np.stack([row.clip(0, p - 1), column.clip(0, q - 1)], 1).round(6)


def ridge_under(noise: float) -> float:
    """The ridge where none is given: the noisier a frame's own sample is, the more its frame is taken from the others."""
    return min(RIDGE_UNDER_NOISE + RIDGE_PER_NOISE * noise, LARGEST_RIDGE)


def _apply(charge: NDArray, solve: NDArray, low: NDArray) -> None:
    T, _, p, q = solve.shape
    rows(_solve_tiles, charge.shape[1] // p, charge, solve.reshape(T, -1), p, q, low, work=charge.size)


def _least_squares(R: NDArray, w: NDArray, ridge: float) -> NDArray:
    """(T, K): the matrix that takes y / n to x."""
    if not ridge:
        return np.linalg.pinv(R * w[:, None], rcond=RCOND) * w
    T = R.shape[1]
    normal = (R.T * w**2) @ R + ridge * (np.eye(T) - 1 / T)
    return np.linalg.pinv(normal, rcond=1e-12, hermitian=True) @ (R.T * w**2)


@numba.njit(**PRODUCT_FLAGS)
def _solve_tiles(y, solve, p, q, low, first, last):
    """x_t = sum_k solve_tk y_k for the whole tiles of a row; where one k only counts it is scaled; the impulse code only sorts."""
    T, K = solve.shape
    w = y.shape[2] // q
    pixels = np.empty((K, w), y.dtype)
    samples = T == K
    only = np.full(T, -1)
    for t in range(T):
        for k in range(K):
            if solve[t, k] != 0:
                only[t] = k if only[t] == -1 else -2
        samples &= only[t] == t and solve[t, t] == 1
    for i in range(first, last):
        into = low[i] if samples else pixels
        for k in range(0, K, q):
            _part_columns(y[k // (p * q), i * p + (k // q) % p], q, w, into[k : k + q])
        if samples:
            continue
        for t in range(T):
            out, a = low[i, t], solve[t]
            k = max(only[t], 0)
            for j in range(w):
                out[j] = a[k] * pixels[k, j]
            if only[t] >= 0:
                continue
            k = 1
            while k + 8 <= K:
                for j in range(w):
                    left = (a[k] * pixels[k, j] + a[k + 1] * pixels[k + 1, j]) + (
                        a[k + 2] * pixels[k + 2, j] + a[k + 3] * pixels[k + 3, j]
                    )
                    right = (a[k + 4] * pixels[k + 4, j] + a[k + 5] * pixels[k + 5, j]) + (
                        a[k + 6] * pixels[k + 6, j] + a[k + 7] * pixels[k + 7, j]
                    )
                    out[j] += left + right
                k += 8
            while k < K:
                for j in range(w):
                    out[j] += a[k] * pixels[k, j]
                k += 1


@numba.njit(**FLAGS)
def _part_columns(row, q, w, pixels):
    """Every q-th pixel of a row to a row of its own; written out for small q, so that LLVM shuffles instead of gathering."""
    if q == 2:
        for j in range(w):
            pixels[0, j], pixels[1, j] = row[2 * j], row[2 * j + 1]
    elif q == 3:
        for j in range(w):
            pixels[0, j], pixels[1, j], pixels[2, j] = row[3 * j], row[3 * j + 1], row[3 * j + 2]
    elif q == 4:
        for j in range(w):
            pixels[0, j], pixels[1, j] = row[4 * j], row[4 * j + 1]
            pixels[2, j], pixels[3, j] = row[4 * j + 2], row[4 * j + 3]
    else:
        for c in range(q):
            for j in range(w):
                pixels[c, j] = row[q * j + c]
