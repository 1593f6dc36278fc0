"""The videos that networks start from, in batches on any device: the tile solve and its registration as tensors.

======  ============================================================  ==================
symbol  meaning                                                       shape
======  ============================================================  ==================
y       charge, in white sub-exposures                                (N, B, H, W)
n       on-count, the row sums of A                                   (B, H, W)
x       low-resolution video, one value per tile and frame            (N, T, h, w)
======  ============================================================  ==================

Matrices and spline are those of `recon.tile_matrix` and `recon.upsampling`, without noise; the results are tested equal. Where a
tile does not determine all frames a small ridge does. Sums are float32, whatever autocast says.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recon.networks.space_to_depth import fold
from recon.reconstructor import needs_local
from recon.tile_matrix import TileMatrix, centroids_of, tile_matrix, turned
from recon.upsampling import spline_matrix, tile_starts
from sensors.exposure import LARGEST_TILE
from sensors.exposure_torch import Exposure
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: Pull towards the mean of the frames where a tile does not determine them.
RIDGE = 0.01

#: The buckets together have to see all frames alike, to this part, for their sum to be a blurred image.
UNEVEN = 0.1


def refusal(sensor: Sensor) -> str:
    """Why the sensor has no tile video; empty if it has."""
    if reason := needs_local(sensor, "tile video"):
        return reason
    if not sensor.at(0).exposure.repeats:
        return f"tile video needs a code that repeats every {LARGEST_TILE} pixels or fewer, and pixels that are alike all over the chip"
    return ""


def blurred_refusal(sensor: Sensor) -> str:
    """Why the buckets of a sensor with tile video make no blurred image; empty if they do."""
    seen = sensor.at(0).exposure.on_tile.sum(0)
    if np.ptp(seen, axis=0).max() <= UNEVEN * seen.max():
        return ""
    return "the buckets of this sensor together do not see all frames alike, so that there is no blurred image; take two-bucket"


def blurred(charge: Tensor, exposure: Exposure) -> Tensor:
    """The mean of all frames, (N, 1, H, W): what all buckets collect, over how many frames that is."""
    return charge.float().sum(1, keepdim=True) / exposure.counts(*charge.shape[-2:]).sum(0)


def low_resolution(charge: Tensor, exposure: Exposure, buckets: int | None = None, *, aligned: bool = False) -> Tensor:
    """One value per tile and frame, as `TileSolve.low_resolution` under a readout without noise.

    Parameters
    ----------
    charge : Tensor, (N, B, H, W)
    exposure : Exposure
        That took it.
    buckets : int, optional
        The first so many are used: 1 for the coded image alone; all if not given.
    aligned : bool
        By the tiles of the chip, so that a frame is sampled at the same pixel of a tile at every origin, instead of by tiles that
        begin at pixel [0, 0].

    Returns
    -------
    Tensor of float32, (N, T, h, w)
        h = ceil(H / p), w = ceil(W / q); aligned, ceil((H + i0 mod p) / p) and so on.

    Raises
    ------
    Refusal
        If the frame is smaller than one tile.
    """
    sensor = exposure.sensor
    matrix = _matrix(sensor, (0, 0) if aligned else sensor.origin, buckets or sensor.buckets)
    charge = whole_tiles(charge, sensor.tile, sensor.origin if aligned else (0, 0))
    tiles = fold(charge[:, : matrix.solve.shape[1]].float(), sensor.tile)
    solve = torch.as_tensor(matrix.solve, device=charge.device).flatten(1)
    with torch.autocast(charge.device.type, enabled=False):
        return (solve @ tiles.flatten(2)).unflatten(2, tiles.shape[2:])


def centroids(sensor: Sensor, buckets: int) -> NDArray:
    """Row and column of the tile at which each frame of the aligned `low_resolution` is sampled, (T, 2)."""
    return centroids_of(_matrix(sensor, (0, 0), buckets).response)


def registered(charge: Tensor, exposure: Exposure, buckets: int | None = None) -> Tensor:
    """Each frame at full size, interpolated from where its samples truly lie, as `TileSolve.reconstruct` without noise.

    Parameters
    ----------
    charge, exposure, buckets
        As in `low_resolution`.

    Returns
    -------
    Tensor of float32, (N, T, H, W)
    """
    low = low_resolution(charge, exposure, buckets)
    splines = _splines(exposure.sensor, buckets or exposure.buckets, (charge.shape[-2], charge.shape[-1]))
    rows, columns = (spline.to(low.device) for spline in splines)
    with torch.autocast(low.device.type, enabled=False):
        return torch.einsum("tyi,ntix->ntyx", rows, torch.einsum("ntij,txj->ntix", low, columns))


def whole_tiles(image: Tensor, tile: tuple[int, int], origin: tuple[int, int] = (0, 0)) -> Tensor:
    """An image (..., H, W) continued to whole tiles; its pixel [0, 0] lies at (origin mod tile) of the result.

    What is missing of a tile is taken from its neighbour at the same phase of the code: to repeat the last *pixel* would give one
    position of the tile the charge of another.

    Raises
    ------
    Refusal
        If the image is smaller than one tile.
    """
    for axis, side, start in zip((-2, -1), tile, origin, strict=True):
        size, before = image.shape[axis], start % side
        if size < side:
            raise Refusal(
                f"a frame of {image.shape[-2]}x{image.shape[-1]} is smaller than the tile of {tile[0]}x{tile[1]} pixels"
            )
        where = np.arange(-before, -(-(size + before) // side) * side - before)
        if len(where) > size:
            where += side * (where < 0) - side * (where >= size)
            image = image.index_select(axis, torch.as_tensor(where, device=image.device))
    return image


def _matrix(sensor: Sensor, origin: tuple[int, int], buckets: int) -> TileMatrix:
    found = tile_matrix(sensor, origin, buckets, None, None)
    return found if found.rank == sensor.frames else tile_matrix(sensor, origin, buckets, RIDGE, None)


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # what is kept may serve a training later
def _splines(sensor: Sensor, buckets: int, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """What takes the samples of each frame to its rows (T, H, h) and to its columns (T, W, w)."""
    response = _matrix(sensor, sensor.origin, buckets).response
    starts = [tile_starts(size, side) for size, side in zip(shape, sensor.tile, strict=True)]
    first, last = centroids_of(response), centroids_of(turned(response, int(starts[0][-1]), int(starts[1][-1])))
    return tuple(  # type: ignore[return-value]
        torch.as_tensor(
            np.stack([spline_matrix(starts[k], *ends, shape[k]) for ends in zip(first[:, k], last[:, k], strict=True)])
        )
        for k in range(2)
    )
