"""Luma and two colour differences (YUV), as video is coded, to red, green, blue: ITU-R BT.601, BT.709, BT.2020.

Y                 kr R + (1 - kr - kb) G + kb B, from gamma-encoded R, G, B
U, V              (B - Y) / (2 - 2 kb), (R - Y) / (2 - 2 kr), around the middle of their scale, often at half resolution
full range        0 to 2^bits - 1 is black to white
limited range     16 to 235 is black to white in 8 bit, U and V 16 to 240; four times that in 10 bit, and so on
"""

from __future__ import annotations

from functools import lru_cache

import numba
import numpy as np
from numpy.typing import NDArray

from sensors.kernel import FLAGS, rows

#: kr and kb by the name of the standard.
WEIGHTS = {"601": (0.299, 0.114), "709": (0.2126, 0.0722), "2020": (0.2627, 0.0593)}


def full_range(luma: NDArray, bits: int) -> NDArray:
    """Limited-range Y on the full scale 0 to 2^bits - 1, rounded; (..., ) of uint8 or uint16."""
    return _full_range_table(bits, luma.dtype.str)[luma]


def to_rgb(y: NDArray, u: NDArray, v: NDArray, *, bits: int, limited: bool, standard: str, out: NDArray) -> None:
    """Write the red, green and blue of one frame to ``out``, rounded, on the full scale 0 to 2^bits - 1.

    Parameters
    ----------
    y : ndarray of uint8 or uint16, (H, W)
    u, v : ndarray of the same dtype, (H / 1, 2 or 4, W / 1, 2 or 4), rounded up
        A coarser sample holds for the pixels that it covers.
    out : ndarray of the same dtype, (H, W, 3)
    """
    kr, kb = WEIGHTS[standard]
    white, step = (1 << bits) - 1, 1 << (bits - 8)
    black, range_y, range_c = (16 * step, 219 * step, 224 * step) if limited else (0, white, white)
    down, across = (_shift(y.shape[axis], u.shape[axis]) for axis in (0, 1))
    scale = np.array([black, white / range_y, 1 << (bits - 1), white / range_c, white], np.float32)
    kg = 1 - kr - kb
    mix = np.array([2 - 2 * kr, (2 - 2 * kb) * kb / kg, (2 - 2 * kr) * kr / kg, 2 - 2 * kb], np.float32)
    rows(_to_rgb, y.shape[0], y, u, v, down, across, scale, mix, out, work=out.size)


def _shift(fine: int, coarse: int) -> int:
    """How many halvings, rounded up, lead from one size to the other; a shift is cheaper than a division per pixel."""
    return next(shift for shift in (0, 1, 2) if -(-fine >> shift) == coarse)


@lru_cache(maxsize=8)
def _full_range_table(bits: int, dtype: str) -> NDArray:
    white, step = (1 << bits) - 1, 1 << (bits - 8)
    values = (np.arange(1 << 8 * np.dtype(dtype).itemsize) - 16 * step) * (white / (219 * step))
    return np.rint(values).clip(0, white).astype(dtype)


@numba.njit(**FLAGS)
def _to_rgb(y, u, v, down, across, scale, mix, out, first_row, last_row):
    black, gain, middle, gain_c, white = scale[0], scale[1], scale[2], scale[3], scale[4]
    rv, gu, gv, bu = mix[0], mix[1], mix[2], mix[3]
    half, zero = np.float32(0.5), np.float32(0)
    U, V = np.empty(y.shape[1], np.float32), np.empty(y.shape[1], np.float32)
    R, G, B = np.empty_like(y[0]), np.empty_like(y[0]), np.empty_like(y[0])
    for i in range(first_row, last_row):
        k = i >> down
        for j in range(y.shape[1]):
            U[j] = (np.float32(u[k, j >> across]) - middle) * gain_c
            V[j] = (np.float32(v[k, j >> across]) - middle) * gain_c
        # Planar first, so that this loop is vectorised; the last one only interleaves.
        for j in range(y.shape[1]):
            Y = (np.float32(y[i, j]) - black) * gain + half
            R[j] = np.int32(min(max(Y + rv * V[j], zero), white))
            G[j] = np.int32(min(max(Y - gu * U[j] - gv * V[j], zero), white))
            B[j] = np.int32(min(max(Y + bu * U[j], zero), white))
        for j in range(y.shape[1]):
            out[i, j, 0] = R[j]
            out[i, j, 1] = G[j]
            out[i, j, 2] = B[j]
