"""The loops of whatever spreads light or charge over neighbouring pixels: a small kernel, alone, or fused with the sum over time.

======  ======================================================================  ==============
symbol  meaning                                                                 shape
======  ======================================================================  ==============
k       kernel: part of a pixel that arrives at each offset; its sum is 1       (h, w)
u, v    columns and rows of the terms that k is the sum of                      (R, h), (R, w)
x       frames                                                                  (n, H, W)
S, y    shares and charge, as in `sensors.bucket_share`
======  ======================================================================  ==============

    (K x)[i, j] = sum_mn k[m, n] x[i - m, j - n] = sum_r sum_m u[r, m] sum_n v[r, n] x[i - m, j - n]

A Gaussian is one such term, any kernel a few: those of its singular value decomposition, until what is left is below `LEFT_OUT`. Beyond
the border the outermost pixel continues, so that a uniform field stays what it is; the adjoint is exact there too. What makes K of
optics is `sensors.optics`.
"""

from __future__ import annotations

from functools import lru_cache

import numba
import numpy as np
from numpy.typing import DTypeLike, NDArray

from sensors.bucket_share import fitting, periodic_columns
from sensors.kernel import FLAGS, rows

#: The terms of a kernel leave out this part of its light at most.
LEFT_OUT = 1e-3

#: Taps that the loops take at a time; kernels are filled up with zeros.
_TAPS = 4

_Bands = tuple[NDArray, NDArray, NDArray, int, int, bool]


class Spread:
    """A kernel, prepared for the loops; forward and adjoint stand next to each other.

    Parameters
    ----------
    kernel : ndarray, (h, w)
        Its sides are odd.
    """

    def __init__(self, kernel: NDArray) -> None:
        self._down, self._across = _terms(np.asarray(kernel, np.float64))
        self.kernel = np.einsum("rm,rn->mn", self._down, self._across)
        self._for_frames = lru_cache(maxsize=4)(self._bands)

    def forward(self, frames: NDArray, out: NDArray | None = None) -> NDArray:
        """K x of frames (n, H, W), in float32 or float64. The adjoint is `adjoint`."""
        return self._spread(frames, False, out)

    def adjoint(self, frames: NDArray) -> NDArray:
        """K^T x of frames (n, H, W). The adjoint of `forward`."""
        return self._spread(frames, True)

    def expose(self, video: NDArray, shares: NDArray, origin: tuple[int, int], out: NDArray | None = None) -> NDArray:
        """Charge S K x of a video (T, H, W), without K x ever being stored: (B, H, W).

        Parameters
        ----------
        video : ndarray, (T, H, W)
        shares : ndarray, (B, T, p, q)
        origin : (int, int)
            Chip address of pixel [0, 0].
        out : ndarray, (B, H, W), optional
        """
        _, height, width = video.shape
        out = fitting(out, (len(shares), height, width), _real(video))
        shares = periodic_columns(shares.astype(out.dtype, copy=False), width, origin[1])
        bands = self._for_frames(height, width, out.dtype, False)
        rows(_expose, height, np.ascontiguousarray(video), *bands, shares, origin[0], out, work=8 * video.size)
        return out

    def dense(self, height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """K as matrices of each term, down (R, H, H) and across (R, W, W): K x = sum_r D_r x C_r^T."""
        return _dense(self._down, height), _dense(self._across, width)

    def _spread(self, frames: NDArray, adjoint: bool, out: NDArray | None = None) -> NDArray:
        _, height, width = frames.shape
        out = fitting(out, frames.shape, _real(frames))
        bands = self._for_frames(height, width, out.dtype, adjoint)
        rows(_spread, height, np.ascontiguousarray(frames), *bands, out, work=8 * frames.size)
        return out

    def _bands(self, height: int, width: int, dtype: DTypeLike, adjoint: bool) -> _Bands:
        inner = self._across if adjoint else self._across[:, ::-1]
        down, across = _banded(self._down, height, adjoint), _banded(self._across, width, adjoint)
        halves = self._down.shape[1] // 2, self._across.shape[1] // 2
        return down.astype(dtype), across.astype(dtype), _filled(inner).astype(dtype), *halves, adjoint


def _real(array: NDArray) -> DTypeLike:
    return np.float64 if array.dtype == np.float64 else np.float32


def _terms(kernel: NDArray) -> tuple[NDArray, NDArray]:
    """u (R, h) and v (R, w), the fewest that make the kernel, of which the sum stays what it is."""
    u, strength, v = np.linalg.svd(kernel)
    for count in range(1, len(strength) + 1):
        down, across = u[:, :count].T * np.sqrt(strength[:count, None]), v[:count] * np.sqrt(strength[:count, None])
        made = np.einsum("rm,rn->mn", down, across)
        if np.abs(made - kernel).sum() <= LEFT_OUT * np.abs(kernel).sum():
            break
    return down * (kernel.sum() / made.sum()), across


def _filled(taps: NDArray) -> NDArray:
    return np.pad(taps, ((0, 0), (0, -taps.shape[1] % _TAPS)))


def _dense(taps: NDArray, size: int) -> NDArray[np.float64]:
    """Each term along one axis as a matrix, (R, size, size)."""
    matrix = np.zeros((len(taps), size, size))
    i, half = np.arange(size), taps.shape[1] // 2
    for m in range(taps.shape[1]):
        matrix[:, i, np.clip(i - (m - half), 0, size - 1)] += taps[:, m, None]
    return matrix


def _banded(taps: NDArray, size: int, adjoint: bool) -> NDArray:
    """`_dense`, or its transpose, of which entry [i, i + k - half] stands at [i, k]: (R, size, K), K a multiple of `_TAPS`."""
    bands = np.zeros((len(taps), size, taps.shape[1]))
    i, half = np.arange(size), taps.shape[1] // 2
    for m in range(taps.shape[1]):
        j = np.clip(i - (m - half), 0, size - 1)
        if adjoint:  # several i lead to the border
            for r in range(len(taps)):
                np.add.at(bands[r], (j, i - j + half), taps[r, m])
        else:
            bands[:, i, j - i + half] += taps[:, m, None]
    return np.pad(bands, ((0, 0), (0, 0), (0, -taps.shape[1] % _TAPS)))


# A row of pixels at a time, so that it stays in the first-level cache from the pass down the columns to the one along the row, and
# eight or four taps at a time, so that each sum is loaded and stored seldom.


@numba.njit(**FLAGS, fastmath={"contract"})
def _row(x, i, down, across, inner, half_down, half, adjoint, line, light):
    """Row i of K x, or of K^T x, into ``light``; ``line`` holds a row with ``half`` pixels and more on either side."""
    W = x.shape[1]
    left, right = (min(half, W), max(W - half, min(half, W))) if adjoint else (0, W)
    row = line[half : half + W]
    for r in range(len(down)):
        _down(x, i - half_down, down[r, i], row)
        if not adjoint:
            line[:half] = row[0]
            line[half + W : 2 * half + W] = row[W - 1]
        for j in range(left):
            light[j] = _near_border(row, across[r], j, half, light[j], r)
        for j in range(right, W):
            light[j] = _near_border(row, across[r], j, half, light[j], r)
        _along(line[left:], inner[r], light[left:right], r > 0)


@numba.njit(**FLAGS, fastmath={"contract"})
def _down(x, top, taps, line):
    """The pass down the columns, from row ``top`` on."""
    H, W = x.shape
    K = len(taps)
    real = line.dtype.type
    k = 0
    while k < K:
        n = top + k
        xa, xb = x[min(max(n, 0), H - 1)], x[min(max(n + 1, 0), H - 1)]
        xc, xd = x[min(max(n + 2, 0), H - 1)], x[min(max(n + 3, 0), H - 1)]
        a, b, c, d = taps[k], taps[k + 1], taps[k + 2], taps[k + 3]
        if k + 8 <= K:
            xe, xf = x[min(max(n + 4, 0), H - 1)], x[min(max(n + 5, 0), H - 1)]
            xg, xh = x[min(max(n + 6, 0), H - 1)], x[min(max(n + 7, 0), H - 1)]
            e, f, g, h = taps[k + 4], taps[k + 5], taps[k + 6], taps[k + 7]
            for j in range(W):
                four = (a * real(xa[j]) + b * real(xb[j])) + (c * real(xc[j]) + d * real(xd[j]))
                more = (e * real(xe[j]) + f * real(xf[j])) + (g * real(xg[j]) + h * real(xh[j]))
                line[j] = four + more if k == 0 else line[j] + (four + more)
            k += 8
        else:
            for j in range(W):
                four = (a * real(xa[j]) + b * real(xb[j])) + (c * real(xc[j]) + d * real(xd[j]))
                line[j] = four if k == 0 else line[j] + four
            k += 4


@numba.njit(**FLAGS, fastmath={"contract"})
def _along(line, taps, light, add):
    """The pass along a row; ``light`` begins where the taps lie at the beginning of ``line``."""
    n, K = len(light), len(taps)
    k = 0
    while k < K:
        l = line[k:]
        a, b, c, d = taps[k], taps[k + 1], taps[k + 2], taps[k + 3]
        fresh = k == 0 and not add
        if k + 8 <= K:
            e, f, g, h = taps[k + 4], taps[k + 5], taps[k + 6], taps[k + 7]
            for j in range(n):
                four = (a * l[j] + b * l[j + 1]) + (c * l[j + 2] + d * l[j + 3])
                more = (e * l[j + 4] + f * l[j + 5]) + (g * l[j + 6] + h * l[j + 7])
                light[j] = four + more if fresh else light[j] + (four + more)
            k += 8
        else:
            for j in range(n):
                four = (a * l[j] + b * l[j + 1]) + (c * l[j + 2] + d * l[j + 3])
                light[j] = four if fresh else light[j] + four
            k += 4


@numba.njit(**FLAGS, fastmath={"contract"})
def _near_border(line, taps, j, half, before, r):
    """Pixel j of the pass along a row of K^T x, added to what terms before r gave."""
    total = line.dtype.type(0) if r == 0 else before
    for k in range(2 * half + 1):
        n = j + k - half
        if 0 <= n < taps.shape[0]:
            total += taps[j, k] * line[n]
    return total


@numba.njit(**FLAGS, fastmath={"contract"})
def _spread(x, down, across, inner, half_down, half, adjoint, out, first, last):
    """out_n = K x_n."""
    n, _, W = x.shape
    line = np.zeros(W + 2 * half + inner.shape[1], out.dtype)
    for i in range(first, last):
        for t in range(n):
            _row(x[t], i, down, across, inner, half_down, half, adjoint, line, out[t, i])


@numba.njit(**FLAGS, fastmath={"contract"})
def _expose(x, down, across, inner, half_down, half, adjoint, s, i0, y, first, last):
    """y_b = sum_t s_bt K x_t, a frame after the other for a few rows, whose charge stays in the cache meanwhile."""
    T, _, W = x.shape
    B, _, P, _ = s.shape
    line, light = np.zeros(W + 2 * half + inner.shape[1], y.dtype), np.zeros(W, y.dtype)
    for top in range(first, last, 16):
        for t in range(T):
            for i in range(top, min(top + 16, last)):
                _row(x[t], i, down, across, inner, half_down, half, adjoint, line, light)
                p = (i + i0) % P
                if t == 0:
                    y[:, i] = 0
                if B == 2:
                    ya, yb, sa, sb = y[0, i], y[1, i], s[0, t, p], s[1, t, p]
                    for j in range(W):
                        ya[j] += sa[j] * light[j]
                        yb[j] += sb[j] * light[j]
                else:
                    for b in range(B):
                        charge, share = y[b, i], s[b, t, p]
                        for j in range(W):
                            charge[j] += share[j] * light[j]
