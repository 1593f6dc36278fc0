"""The loops of the forward model and of its adjoint: shares of the light, summed over time, and spread back.

======  ====================================================  ==================
symbol  meaning                                               shape
======  ====================================================  ==================
x       video, irradiance of each sub-exposure, 1 = white     (T, H, W)
S       share of a sub-exposure that a bucket collects, 0..1  (B, T, p, q)
y       charge, in white sub-exposures                        (B, H, W)
G       a small matrix per pixel between buckets              (B, C, p, q)
======  ====================================================  ==================

    y[b, i, j] = sum_t S[b, t, (i + i0) mod p, (j + j0) mod q] x[t, i, j]

Nothing is normalised: a code that blocks light pays for it in noise. Integer video under a code of zeros and ones stays integer
and exact. (i0, j0), the origin, is the chip address of pixel [0, 0].
"""

from __future__ import annotations

from functools import lru_cache, partial

import numba
import numpy as np
from numpy.typing import DTypeLike, NDArray

from sensors.kernel import FLAGS, rows
from sensors.refusal import Refusal


class BucketShare:
    """The shares S of a sensor, prepared for the kernels; forward and adjoint stand next to each other.

    Parameters
    ----------
    share : ndarray, (B, T, p, q)
        In [0, 1]. Zeros and ones, and a second bucket that takes what the first leaves, are recognised and run faster.
    """

    def __init__(self, share: NDArray) -> None:
        self.share = share = np.ascontiguousarray(share)
        binary = share.dtype == np.uint8
        self._one_bucket = binary and len(share) == 1
        self._complement = binary and len(share) == 2 and bool((share[0] + share[1] == 1).all())
        self._for_width = lru_cache(maxsize=4)(partial(_expanded, share))  # holds the shares, not this: no cycle to be collected

    def forward(self, video: NDArray, origin: tuple[int, int], out: NDArray | None = None) -> NDArray:
        """Charge of one exposure. The adjoint is `adjoint`.

        Parameters
        ----------
        video : ndarray, (T, H, W)
            uint8 or uint16 in its own unit, or float32 or float64 irradiance.
        out : ndarray, (B, H, W), optional
            Written and returned; fresh memory costs more than the sum itself.

        Returns
        -------
        ndarray, (B, H, W)
            uint16 or uint32 for integer video under a code of zeros and ones, else the float type of the video.
        """
        buckets, (_, height, width) = len(self.share), video.shape
        exact = np.issubdtype(video.dtype, np.integer) and (self._one_bucket or self._complement)
        out = fitting(out, (buckets, height, width), _sum_type(video) if exact else _float_type(video))
        video = np.ascontiguousarray(video)
        if exact:
            bits = self._for_width(width, origin[1], np.uint8)
            kernel = _sum_pair if self._complement else _sum_one
            rows(kernel, height, video, bits, origin[0], *out, work=video.size)
        else:
            shares = self._for_width(width, origin[1], out.dtype)
            rows(_sum_grey, height, video, shares, origin[0], out, work=video.size * buckets)
        return out

    def adjoint(self, charge: NDArray, origin: tuple[int, int]) -> NDArray:
        """Spread charge (B, H, W) back over the sub-exposures that fed it: S^T y, (T, H, W). The adjoint of `forward`."""
        charge = np.ascontiguousarray(charge)
        _, height, width = charge.shape
        shares = self._for_width(width, origin[1], charge.dtype)
        video = np.empty((shares.shape[1], height, width), charge.dtype)
        rows(_sum_adjoint, height, charge, shares, origin[0], video, work=video.size)
        return video


def combine(charge: NDArray, matrix: NDArray, origin: tuple[int, int]) -> NDArray:
    """A small matrix between the buckets of each pixel: y'[b] = sum_c G[b, c] y[c], G periodic over the chip.

    Parameters
    ----------
    charge : ndarray, (C, H, W)
    matrix : ndarray, (B, C, p, q)
        One matrix for all (p = q = 1), per tile pixel, or per pixel of the chip.

    Returns
    -------
    ndarray, (B, H, W)
    """
    dtype = _float_type(charge)
    charge = np.ascontiguousarray(charge)
    _, height, width = charge.shape
    out = np.empty((len(matrix), height, width), dtype)
    rows(_combine, height, charge, periodic_columns(matrix.astype(dtype), width, origin[1]), origin[0], out, work=charge.size)
    return out


def fitting(out: NDArray | None, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray:
    """``out`` if it has this shape and type, which a kernel does not check; a new array if it is None; else a Refusal."""
    if out is None:
        return np.empty(shape, dtype)
    if out.shape != shape or out.dtype != dtype:
        raise Refusal(f"out must be {shape} of {np.dtype(dtype)}, not {out.shape} of {out.dtype}")
    return out


def periodic_columns(tile: NDArray, width: int, column: int) -> NDArray:
    """A tile (..., q) repeated along its last axis to ``width`` columns, starting at ``column``; contiguous."""
    if tile.shape[-1] == width and column % width == 0:
        return np.ascontiguousarray(tile)
    return np.ascontiguousarray(tile[..., (np.arange(width) + column) % tile.shape[-1]])


def _sum_type(video: NDArray) -> DTypeLike:
    """The smallest type that holds the sum of all frames exactly."""
    return np.uint16 if len(video) * np.iinfo(video.dtype).max <= np.iinfo(np.uint16).max else np.uint32


def _float_type(array: NDArray) -> DTypeLike:
    return np.float64 if array.dtype == np.float64 else np.float32


# The kernels take a row of pixels at a time, so that its sums stay in the first-level cache, and four frames at a time, so that each
# sum is loaded and stored a quarter as often. The integer kernels read eight frames of the code from a byte: a full-resolution mask
# would otherwise be as much to read as the video.


def _expanded(share: NDArray, width: int, column: int, dtype: DTypeLike) -> NDArray:
    """The shares (B, T, p, width), periodic columns written out; as uint8 those of bucket 0, eight frames in a byte."""
    if dtype == np.uint8:
        return periodic_columns(np.packbits(share[0], axis=0, bitorder="little"), width, column)
    return periodic_columns(share.astype(dtype, copy=False), width, column)


@numba.njit(**FLAGS)
def _sum_pair(x, bits, i0, y0, y1, first, last):
    """y0 = sum of the x_t whose bit is set and y1 = sum_t x_t - y0, so that the complement costs no second selection."""
    T, _, W = x.shape
    whole, none, zero = y0.dtype.type, x.dtype.type(0), np.uint8(0)
    coded, every = np.empty(W, y0.dtype), np.empty(W, y0.dtype)
    for i in range(first, last):
        p = (i + i0) % bits.shape[1]
        for j in range(W):
            coded[j] = 0
            every[j] = 0
        t = 0
        while t + 4 <= T:
            s, m = bits[t // 8, p], np.uint8(1 << t % 8)
            ma, mb, mc, md = m, np.uint8(m << 1), np.uint8(m << 2), np.uint8(m << 3)
            for j in range(W):
                a, b, c, d = x[t, i, j], x[t + 1, i, j], x[t + 2, i, j], x[t + 3, i, j]
                every[j] += whole(a) + whole(b) + whole(c) + whole(d)
                a, b = a if np.uint8(s[j] & ma) != zero else none, b if np.uint8(s[j] & mb) != zero else none
                c, d = c if np.uint8(s[j] & mc) != zero else none, d if np.uint8(s[j] & md) != zero else none
                coded[j] += whole(a) + whole(b) + whole(c) + whole(d)
            t += 4
        while t < T:
            s, m = bits[t // 8, p], np.uint8(1 << t % 8)
            for j in range(W):
                every[j] += whole(x[t, i, j])
                coded[j] += whole(x[t, i, j] if np.uint8(s[j] & m) != zero else none)
            t += 1
        for j in range(W):
            y0[i, j] = coded[j]
            y1[i, j] = every[j] - coded[j]


@numba.njit(**FLAGS)
def _sum_one(x, bits, i0, y, first, last):
    """y = sum of the x_t whose bit is set."""
    T, _, W = x.shape
    whole, none, zero = y.dtype.type, x.dtype.type(0), np.uint8(0)
    coded = np.empty(W, y.dtype)
    for i in range(first, last):
        p = (i + i0) % bits.shape[1]
        for j in range(W):
            coded[j] = 0
        t = 0
        while t + 4 <= T:
            s, m = bits[t // 8, p], np.uint8(1 << t % 8)
            ma, mb, mc, md = m, np.uint8(m << 1), np.uint8(m << 2), np.uint8(m << 3)
            for j in range(W):
                a, b, c, d = x[t, i, j], x[t + 1, i, j], x[t + 2, i, j], x[t + 3, i, j]
                a, b = a if np.uint8(s[j] & ma) != zero else none, b if np.uint8(s[j] & mb) != zero else none
                c, d = c if np.uint8(s[j] & mc) != zero else none, d if np.uint8(s[j] & md) != zero else none
                coded[j] += whole(a) + whole(b) + whole(c) + whole(d)
            t += 4
        while t < T:
            s, m = bits[t // 8, p], np.uint8(1 << t % 8)
            for j in range(W):
                coded[j] += whole(x[t, i, j] if np.uint8(s[j] & m) != zero else none)
            t += 1
        for j in range(W):
            y[i, j] = coded[j]


@numba.njit(**FLAGS)
def _sum_grey(x, s, i0, y, first, last):
    """y_b = sum_t s_bt x_t in the floating type of y."""
    B, T, P, W = s.shape
    for i in range(first, last):
        p = (i + i0) % P
        for b in range(B):
            charge = y[b, i]
            for j in range(W):
                charge[j] = 0
            t = 0
            while t + 4 <= T:
                xa, xb, xc, xd = x[t, i], x[t + 1, i], x[t + 2, i], x[t + 3, i]
                sa, sb, sc, sd = s[b, t, p], s[b, t + 1, p], s[b, t + 2, p], s[b, t + 3, p]
                for j in range(W):
                    charge[j] += (sa[j] * xa[j] + sb[j] * xb[j]) + (sc[j] * xc[j] + sd[j] * xd[j])
                t += 4
            while t < T:
                for j in range(W):
                    charge[j] += s[b, t, p, j] * x[t, i, j]
                t += 1


@numba.njit(**FLAGS)
def _sum_adjoint(y, s, i0, x, first, last):
    """x_t = sum_b s_bt y_b."""
    B, T, P, W = s.shape
    for i in range(first, last):
        p = (i + i0) % P
        for t in range(T):
            light = x[t, i]
            for j in range(W):
                light[j] = s[0, t, p, j] * y[0, i, j]
            for b in range(1, B):
                for j in range(W):
                    light[j] += s[b, t, p, j] * y[b, i, j]


@numba.njit(**FLAGS)
def _combine(y, g, i0, out, first, last):
    """out_b = sum_c g_bc y_c."""
    B, C, P, W = g.shape
    for i in range(first, last):
        p = (i + i0) % P
        for b in range(B):
            for j in range(W):
                out[b, i, j] = g[b, 0, p, j] * y[0, i, j]
            for c in range(1, C):
                for j in range(W):
                    out[b, i, j] += g[b, c, p, j] * y[c, i, j]
