"""A layer: a flat textured thing with soft edges, seen through a homography and laid over what is behind it.

======  ============================================================  ==============
symbol  meaning                                                       shape
======  ============================================================  ==============
I       irradiance of the frame, changed in place                     (H, W, C)
L       texels of the layer: colour times coverage, then coverage     (h, w, C + 1)
A       homography from frame pixel to texel, (row, column, 1)        (3, 3)
======  ============================================================  ==============

    I[p] <- colour(A p) + (1 - coverage(A p)) I[p]                    (Porter & Duff, Compositing digital images, SIGGRAPH 1984)

Texels are read through a cubic B-spline that does not interpolate: a lens with a spot of 0.58 texel (standard deviation). It is
positive and sums to one, so nothing rings or leaves [0, 1], and a layer is one smooth function that only moves: no sparkling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numba
import numpy as np
from numpy.typing import NDArray

from sensors.kernel import FLAGS, rows

#: Texels per pixel along each axis: fine enough that the lens keeps detail up to the limit of the pixels.
TEXELS = 1.5


@dataclass(frozen=True, eq=False)
class Layer:
    """One flat thing.

    Parameters
    ----------
    name : str
        What it is.
    image : ndarray of float32, (h, w, C + 1)
        Linear reflectance times coverage, then coverage; `TEXELS` to the pixel, the origin of the layer in the middle.
    pose : callable
        Time to homography (3, 3) from the layer to the frame, both in pixels from their middle, (row, column, 1).
    endless : bool
        Continued beyond its edges by reflection; otherwise nothing is there.
    """

    name: str
    image: NDArray[np.float32] = field(repr=False)
    pose: Callable[[float], NDArray[np.float64]]
    endless: bool = False

    def over(self, frame: NDArray[np.float32], time: float) -> None:
        """Lay the layer over ``frame`` (H, W, C), in place."""
        height, width = frame.shape[:2]
        to_texel = self._to_texel((height, width), time)
        top, bottom, left, right = self._window((height, width), to_texel)
        if top < bottom and left < right:
            work = 16 * (bottom - top) * (right - left)
            rows(_over, bottom - top, frame, self.image, to_texel, self.endless, top, left, right, work=work)

    def coverage(self, size: tuple[int, int], time: float) -> NDArray[np.float32]:
        """How much of each pixel the layer covers, (H, W) in [0, 1], whatever may stand before it."""
        frame = np.zeros((*size, 1), np.float32)
        self._white.over(frame, time)
        return np.minimum(frame[..., 0], np.float32(1))

    def carried(self, size: tuple[int, int], time: float, later: float) -> NDArray[np.float64]:
        """Homography (3, 3) from where a point of the layer is seen at ``time`` to where it is seen ``later``."""
        carried: NDArray[np.float64] = np.linalg.inv(self._to_texel(size, later)) @ self._to_texel(size, time)
        return carried

    @cached_property
    def _white(self) -> Layer:
        return replace(self, image=np.ascontiguousarray(self.image[..., [-1, -1]]))

    def _to_texel(self, size: tuple[int, int], time: float) -> NDArray[np.float64]:
        """A, from pixel of the frame to texel of the layer."""
        (height, width), (texel_rows, texel_columns) = size, self.image.shape[:2]
        enlarge = np.diag([TEXELS, TEXELS, 1.0])
        from_frame = np.linalg.solve(self.pose(time), _shift(-(height - 1) / 2, -(width - 1) / 2))
        return _shift((texel_rows - 1) / 2, (texel_columns - 1) / 2) @ enlarge @ from_frame

    def _window(self, size: tuple[int, int], to_texel: NDArray[np.float64]) -> tuple[int, int, int, int]:
        """Rows and columns of the frame that the layer can touch."""
        if self.endless:
            return 0, size[0], 0, size[1]
        h, w = self.image.shape[:2]
        corners = np.linalg.solve(to_texel, np.array([[0, 0, h, h], [0, w, 0, w], [1, 1, 1, 1]], np.float64))
        corners = corners[:2] / corners[2]
        first, last = np.floor(corners.min(1)), np.ceil(corners.max(1)) + 1
        (top, left), (bottom, right) = np.clip(first, 0, size).astype(int), np.clip(last, 0, size).astype(int)
        return int(top), int(bottom), int(left), int(right)


def _shift(down: float, right: float) -> NDArray[np.float64]:
    return np.array([[1, 0, down], [0, 1, right], [0, 0, 1]], np.float64)


@numba.njit(**FLAGS)
def _over(I, L, A, endless, top, left, right, first, last):
    h, w, channels = L.shape
    weight_u, weight_v = np.empty(4, np.float32), np.empty(4, np.float32)
    at_u, at_v = np.empty(4, np.int64), np.empty(4, np.int64)
    texel = np.empty(channels, np.float32)
    for i in range(top + first, top + last):
        for j in range(left, right):
            scale = 1.0 / (A[2, 0] * i + A[2, 1] * j + A[2, 2])
            u = (A[0, 0] * i + A[0, 1] * j + A[0, 2]) * scale
            v = (A[1, 0] * i + A[1, 1] * j + A[1, 2]) * scale
            if not endless and not (-1 < u < h and -1 < v < w):
                continue
            _spline(u, h, at_u, weight_u)
            _spline(v, w, at_v, weight_v)
            texel[:] = 0
            for a in range(4):
                for b in range(4):
                    share = weight_u[a] * weight_v[b]
                    for c in range(channels):
                        texel[c] += share * L[at_u[a], at_v[b], c]
            clear = np.float32(1) - texel[channels - 1]
            for c in range(channels - 1):
                I[i, j, c] = texel[c] + clear * I[i, j, c]


@numba.njit(**FLAGS)
def _spline(u, n, at, weight):
    """The four texels about ``u`` and their cubic B-spline weights; reflected at the edges of 0 .. n - 1."""
    whole = np.floor(u)
    f = np.float32(u - whole)
    g = np.float32(1) - f
    sixth = np.float32(1 / 6)
    weight[0] = g * g * g * sixth
    weight[1] = np.float32(2 / 3) - f * f * (np.float32(1) - f * np.float32(0.5))
    weight[2] = np.float32(2 / 3) - g * g * (np.float32(1) - g * np.float32(0.5))
    weight[3] = f * f * f * sixth
    period = 2 * (n - 1)
    for k in range(4):
        q = (np.int64(whole) - 1 + k) % period
        at[k] = q if q < n else period - q
