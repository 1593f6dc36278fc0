"""Dense optical flow: how far each pixel of one frame has moved in another.

======  ==========================================================  =============
symbol  meaning                                                     shape
======  ==========================================================  =============
I, J    two frames                                                  (H, W)
u       flow, J(x + u(x)) = I(x): rows down, columns right, pixels  (2, H, W)
g       gradient of the mean of I and of J moved by u               (2, H, W)
<.>     mean over a square window                                   (H, W)
======  ==========================================================  =============

Of B. Lucas, T. Kanade, An iterative image registration technique, IJCAI 1981, for every pixel, from coarse to fine, as

    (<g g^T> + e) u = -<g (J(x + u) - I - g . u)> + e <u>

whose right side contains the flow so far, so that the window smooths it too; where the frame has no texture the flow is that of its
neighbours.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates, uniform_filter

from sensors.kernel import FLAGS, rows

#: e, irradiance squared per pixel squared: texture below it does not tell motion.
LEAST_TEXTURE = 1e-4

#: The coarsest frame has at least this many rows and columns.
COARSEST = 24

#: Gauss-Newton steps at each scale.
STEPS = 4


def optical_flow(first: NDArray, second: NDArray, radius: int = 5) -> NDArray[np.float32]:
    """The flow that takes the pixels of one frame to their places in another.

    Parameters
    ----------
    first, second : ndarray, (H, W)
        I and J, irradiance, 1 = white.
    radius : int
        Of the window, in pixels.

    Returns
    -------
    ndarray of float32, (2, H, W)
        In pixels: rows down, columns right.
    """
    if min(first.shape) < 2:
        return np.zeros((2, *first.shape), np.float32)
    scales = [(np.asarray(first, np.float32), np.asarray(second, np.float32))]
    while min(scales[-1][0].shape) >= 2 * COARSEST:
        scales.append(tuple(gaussian_filter(frame, 1.0)[::2, ::2] for frame in scales[-1]))
    flow = np.zeros((2, *scales[-1][0].shape), np.float32)
    for one, other in reversed(scales):
        if flow.shape[1:] != one.shape:
            flow = _doubled(flow, one.shape)
        for _ in range(STEPS):
            flow = _step(one, other, flow, 2 * radius + 1)
    return flow


def warp(frame: NDArray, flow: NDArray) -> NDArray[np.float32]:
    """J(x + u(x)) by cubic convolution (R. Keys, IEEE TASSP 1981); beyond the border the outermost pixel continues.

    Parameters
    ----------
    frame : ndarray, (H, W)
    flow : ndarray, (2, H, W)
        In pixels.
    """
    frame = np.ascontiguousarray(frame, np.float32)
    moved = np.empty_like(frame)
    rows(_warp, len(frame), frame, np.ascontiguousarray(flow, np.float32), moved, work=8 * frame.size)
    return moved


def _step(one: NDArray, other: NDArray, flow: NDArray, window: int) -> NDArray[np.float32]:
    moved = warp(other, flow)
    down, right = np.gradient((one + moved) / 2)
    rest = moved - one - down * flow[0] - right * flow[1]
    products = down * down, down * right, right * right, down * rest, right * rest, *flow
    dd, dr, rr, d, r, *near = (uniform_filter(product, window) for product in products)
    dd, rr, d, r = dd + LEAST_TEXTURE, rr + LEAST_TEXTURE, LEAST_TEXTURE * near[0] - d, LEAST_TEXTURE * near[1] - r
    determinant = dd * rr - dr * dr
    return np.stack([(rr * d - dr * r) / determinant, (dd * r - dr * d) / determinant])


def _doubled(flow: NDArray, shape: tuple[int, int]) -> NDArray[np.float32]:
    """The flow on a frame of twice the size, in its pixels."""
    where = np.meshgrid(np.arange(shape[0]) / 2, np.arange(shape[1]) / 2, indexing="ij")
    return np.stack([2 * map_coordinates(part, where, order=1, mode="nearest") for part in flow]).astype(np.float32)


@numba.njit(**FLAGS)
def _warp(f, u, out, first, last):
    """Catmull-Rom weights of four rows and four columns."""
    H, W = f.shape
    a, b = np.empty(4, np.float32), np.empty(4, np.float32)
    for i in range(first, last):
        for j in range(W):
            y = min(max(np.float32(i) + u[0, i, j], np.float32(0)), np.float32(H - 1))
            x = min(max(np.float32(j) + u[1, i, j], np.float32(0)), np.float32(W - 1))
            top, left = int(y), int(x)
            _cubic(y - np.float32(top), a)
            _cubic(x - np.float32(left), b)
            value = np.float32(0)
            for k in range(4):
                row = f[min(max(top + k - 1, 0), H - 1)]
                across = np.float32(0)
                for l in range(4):
                    across += b[l] * row[min(max(left + l - 1, 0), W - 1)]
                value += a[k] * across
            out[i, j] = value


@numba.njit(**FLAGS)
def _cubic(s, weight):
    """Of the samples at -1, 0, 1, 2 for a place between 0 and 1."""
    half = np.float32(0.5)
    weight[0] = half * s * (s * (2 - s) - 1)
    weight[1] = half * (s * s * (3 * s - 5) + 2)
    weight[2] = half * s * (s * (4 - 3 * s) + 1)
    weight[3] = half * s * s * (s - 1)
