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

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from sensors.kernel import FLAGS, rows

#: e, irradiance squared per pixel squared: texture below it does not tell motion.
LEAST_TEXTURE = 1e-4

#: The coarsest frame has at least this many rows and columns.
COARSEST = 24

#: Gauss-Newton steps at each scale.
STEPS = 4

#: The frames of a video are smoothed by this much, in pixels, before the flow between them is measured.
SMOOTHING = 0.7


def optical_flow(first: NDArray, second: NDArray, radius: int = 5) -> NDArray[np.float32]:
    """The flow that takes the pixels of one frame to their places in another.

    Parameters
    ----------
    first, second : ndarray, (H, W)
        I and J, irradiance, 1 = white.
    radius : int
        Radius of the window, in pixels.

    Returns
    -------
    ndarray of float32, (2, H, W)
        In pixels: rows down, columns right.
    """
    return flow_between(pyramid(first), pyramid(second), radius)


def pyramid(frame: NDArray) -> list[NDArray[np.float32]]:
    """A frame (H, W) at scales from fine to coarse, each half the one before."""
    scales = [np.ascontiguousarray(frame, np.float32)]
    while min(scales[-1].shape) >= 2 * COARSEST:
        scales.append(np.ascontiguousarray(gaussian_filter(scales[-1], 1.0)[::2, ::2]))
    return scales


def flow_between(first: Sequence[NDArray], second: Sequence[NDArray], radius: int = 5, steps: int = STEPS) -> NDArray[np.float32]:
    """`optical_flow` of two frames whose pyramids are at hand, as where each has several neighbours."""
    flow = np.zeros((2, *first[-1].shape), np.float32)
    if min(first[0].shape) < 2:
        return flow
    for one, other in zip(reversed(first), reversed(second), strict=True):
        if flow.shape[1:] != one.shape:
            flow = _doubled(flow, one.shape)
        for _ in range(steps):
            flow = _step(one, other, flow, radius)
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


class Neighbours:
    """The frames before and after each frame of a video, moved onto it along the optical flow of a guide.

    Parameters
    ----------
    guide : ndarray, (T, H, W)
        A video of the same motion, such as an earlier estimate.
    reach : int
        How many frames before and after.
    steps : int
        Gauss-Newton steps at each scale.

    Attributes
    ----------
    flows : dict, (t, s) -> ndarray (2, H, W)
        From frame t to each other one s within reach.
    """

    def __init__(self, guide: NDArray, reach: int, steps: int = STEPS) -> None:
        scales = [pyramid(frame) for frame in gaussian_filter(guide, (0, SMOOTHING, SMOOTHING))]
        pairs = [(t, s) for t in range(len(guide)) for s in range(len(guide)) if 0 < abs(t - s) <= reach]
        self.flows = {(t, s): flow_between(scales[t], scales[s], steps=steps) for t, s in pairs}

    def beside(self, video: NDArray, step: int) -> NDArray[np.float32]:
        """For each frame, the one so many steps on, or the last there is, moved onto it; same shape."""
        last = len(video) - 1
        places = [(t, min(max(t + step, 0), last)) for t in range(len(video))]
        return np.stack([warp(video[s], self.flows[t, s]) if s != t else video[t] for t, s in places])


def _step(one: NDArray, other: NDArray, flow: NDArray, radius: int) -> NDArray[np.float32]:
    (H, W), moved, better = one.shape, warp(other, flow), np.empty_like(flow)
    across = np.empty((H, 7, W), np.float32)
    work = 8 * across.size
    rows(_products, H, np.ascontiguousarray(one), moved, flow, radius, across, work=work)
    rows(_solve, H, across, radius, better, work=work)
    return better


def _doubled(flow: NDArray, shape: tuple[int, int]) -> NDArray[np.float32]:
    """The flow on a frame of twice the size, in its pixels."""
    flow = 2 * flow
    for axis in (1, 2):
        flow = np.repeat(flow, 2, axis)
        between = np.moveaxis(flow, axis, 0)[1:-1]
        between[::2] = (between[::2] + between[1::2]) / 2
    return np.ascontiguousarray(flow[:, : shape[0], : shape[1]])


@numba.njit(**FLAGS)
def _products(one, moved, flow, radius, across, first, last):
    """g g^T (3), g (J - I - g . u) (2) and u (2) of each pixel, summed over the columns of the window; frames go on mirrored."""
    H, W = one.shape
    padded = np.empty((7, W + 2 * radius), np.float32)
    half = np.float32(0.5)
    for i in range(first, last):
        above, below = max(i - 1, 0), min(i + 1, H - 1)
        per_row = half / np.float32(max(below - above, 1))
        for j in range(W):
            left, right = max(j - 1, 0), min(j + 1, W - 1)
            per_column = half if right - left == 1 else half * half
            g = per_row * (one[below, j] + moved[below, j] - one[above, j] - moved[above, j])
            h = per_column * (one[i, right] + moved[i, right] - one[i, left] - moved[i, left])
            u, v = flow[0, i, j], flow[1, i, j]
            rest = moved[i, j] - one[i, j] - g * u - h * v
            k = radius + j
            padded[0, k], padded[1, k], padded[2, k] = g * g, g * h, h * h
            padded[3, k], padded[4, k], padded[5, k], padded[6, k] = g * rest, h * rest, u, v
        for k in range(7):
            for j in range(radius):
                padded[k, radius - 1 - j] = padded[k, radius + min(j, W - 1)]
                padded[k, radius + W + j] = padded[k, radius + max(W - 1 - j, 0)]
            _row_of_sums(padded, k, radius, across, i)


@numba.njit(**FLAGS)
def _row_of_sums(padded, k, radius, across, i):
    W = across.shape[2]
    for j in range(W):
        across[i, k, j] = padded[k, j]
    for d in range(1, 2 * radius + 1):
        for j in range(W):
            across[i, k, j] += padded[k, j + d]


@numba.njit(**FLAGS)
def _solve(across, radius, flow, first, last):
    """The flow from the sums over columns."""
    H, _, W = across.shape
    sums = np.empty((7, W), np.float32)
    share = np.float32(1) / np.float32((2 * radius + 1) ** 2)
    for i in range(first, last):
        sums[:] = 0
        for d in range(-radius, radius + 1):
            row = i + d
            if row < 0:
                row = min(-1 - row, H - 1)
            elif row >= H:
                row = max(2 * H - 1 - row, 0)
            _add(across, row, sums)
        _solve_row(sums, share, flow, i)


@numba.njit(**FLAGS)
def _add(across, row, sums):
    for k in range(7):
        for j in range(sums.shape[1]):
            sums[k, j] += across[row, k, j]


@numba.njit(**FLAGS)
def _solve_row(sums, share, flow, i):
    texture = np.float32(LEAST_TEXTURE)
    for j in range(sums.shape[1]):
        dd, dr, rr = share * sums[0, j] + texture, share * sums[1, j], share * sums[2, j] + texture
        d, r = share * (texture * sums[5, j] - sums[3, j]), share * (texture * sums[6, j] - sums[4, j])
        per = np.float32(1) / (dd * rr - dr * dr)
        flow[0, i, j], flow[1, i, j] = per * (rr * d - dr * r), per * (dd * r - dr * d)


@numba.njit(**FLAGS)
def _warp(f, u, out, first, last):
    """Catmull-Rom weights of four rows and four columns, a line at a time: places and weights first, then the samples."""
    H, W = f.shape
    pixels, stride = f.ravel(), np.int32(W)
    down, right = np.empty((4, W), np.float32), np.empty((4, W), np.float32)
    row, column = np.empty((4, W), np.int32), np.empty((4, W), np.int32)
    line = np.empty(W, np.float32)
    for i in range(first, last):
        for j in range(W):
            _along(np.float32(i) + u[0, i, j], H, j, row, down)
        for j in range(W):
            _along(np.float32(np.int32(j)) + u[1, i, j], W, j, column, right)
        line[:] = 0
        for k in range(4):
            for j in range(W):
                start = row[k, j] * stride
                line[j] += down[k, j] * (
                    right[0, j] * pixels[np.uint32(start + column[0, j])]
                    + right[1, j] * pixels[np.uint32(start + column[1, j])]
                    + right[2, j] * pixels[np.uint32(start + column[2, j])]
                    + right[3, j] * pixels[np.uint32(start + column[3, j])]
                )
        out[i] = line


@numba.njit(**FLAGS)
def _along(place, size, j, near, weight):
    """Along one axis the four samples about a place, within the frame, and their weights, into column j."""
    half, one, two, three = np.float32(0.5), np.float32(1), np.float32(2), np.float32(3)  # a bare 2 would compute in float64
    place = min(max(place, np.float32(0)), np.float32(size - 1))
    end = np.int32(size - 1)
    at = min(max(np.int32(place), np.int32(0)), end)  # also of what is no number
    s = place - np.float32(at)
    near[0, j], near[1, j] = max(at - np.int32(1), np.int32(0)), at
    near[2, j], near[3, j] = min(at + np.int32(1), end), min(at + np.int32(2), end)
    weight[0, j] = half * s * (s * (two - s) - one)
    weight[1, j] = half * s * s * (three * s - two - three) + one
    weight[2, j] = half * s * (s * (two + two - three * s) + one)
    weight[3, j] = half * s * s * (s - one)
