"""Low-resolution frames back to full size, each interpolated from where its samples truly lie.

A tile solve gives one value per tile and frame. Under the impulse code that value *is* the sample of one pixel, so frame t has to be
interpolated from the positions of that pixel; centring it in the tile displaces the frames against each other and loses 3 dB.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Where the last tile overlaps its neighbour both may hold the same sample; samples closer than this, in pixels, count as one.
SAME_SAMPLE = 0.5


def tile_starts(size: int, tile: int) -> NDArray[np.int64]:
    """First pixel of each tile along an axis; where the size is no multiple of the tile the last one is moved back to fit.

    Examples
    --------
    >>> tile_starts(8, 3).tolist()
    [0, 3, 5]
    """
    return np.minimum(np.arange(-(-size // tile)) * tile, size - tile)


def upsample(
    low: NDArray, shape: tuple[int, int], tile: tuple[int, int], centroids: NDArray, last: NDArray | None = None
) -> NDArray[np.float32]:
    """Interpolate each frame by a natural cubic spline through its samples; beyond the outermost sample it continues constant.

    Parameters
    ----------
    low : ndarray, (T, h, w)
        One value per tile.
    shape : (int, int)
        H, W of the result.
    tile : (int, int)
        p, q.
    centroids : ndarray, (T, 2)
        Row and column within the tile at which each frame was sampled.
    last : ndarray, (T, 2), optional
        The same within the last tile of each axis, which lies at another phase of the code where it was moved back to fit.

    Returns
    -------
    ndarray of float32, (T, H, W)
    """
    starts = [tile_starts(size, side) for size, side in zip(shape, tile, strict=True)]
    where = np.stack([centroids, centroids if last is None else last], -1)
    matrices = [{(c, d): spline_matrix(starts[axis], c, d, shape[axis]) for c, d in where[:, axis].tolist()} for axis in range(2)]
    video = np.empty((len(low), *shape), np.float32)
    for frame, (row, column), out in zip(low.astype(np.float32, copy=False), where.tolist(), video, strict=True):
        np.matmul(matrices[0][*row] @ frame, matrices[1][*column].T, out=out)
    return video


def spline_matrix(starts: NDArray, centroid: float, last: float, size: int) -> NDArray[np.float32]:
    """U (size, samples): values at pixels 0 .. size - 1 of the spline through one sample per tile."""
    from scipy.interpolate import make_interp_spline

    positions = np.append(starts[:-1] + centroid, starts[-1] + last)
    count = len(positions)
    if count > 1 and positions[-1] - positions[-2] < SAME_SAMPLE:
        count -= 1
    at = np.clip(np.arange(size), positions[0], positions[count - 1])
    matrix = np.zeros((size, len(positions)), np.float32)
    if count == 1:
        matrix[:, 0] = 1
        return matrix
    degree, ends = (3, "natural") if count > 2 else (1, None)
    matrix[:, :count] = make_interp_spline(positions[:count], np.eye(count), k=degree, bc_type=ends)(at)
    return matrix
