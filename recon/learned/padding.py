"""Frames of any size for networks that take multiples of a cell: continued in the phase of the code; large ones in bands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from recon.learned.network import Given

#: Larger frames are run in bands of rows, which overlap by the reach of the network, if it says one.
MOST_PIXELS = 2_500_000


def on_whole_cells(run: Callable[[Given], Tensor], given: Given, multiple: tuple[int, int], reach: int) -> Tensor:
    """What a network makes of captures of any size and origin, (N, T, H, W).

    Parameters
    ----------
    run : callable
        The network: captures whose sides are multiples of ``multiple`` and that begin with a tile, to (N, T, h, w).
    given : Given
    multiple, reach
        What the network asks for (`recon.learned.network.Network`).
    """
    import torch

    sensor, shape = given.exposure.sensor, (given.charge.shape[2], given.charge.shape[3])
    (rows, top), (columns, left) = map(whole_cells, shape, sensor.origin, sensor.grid, multiple)
    band = max(1, MOST_PIXELS // (len(columns) * multiple[0])) * multiple[0] if reach else len(rows)
    halo = -(-reach // multiple[0]) * multiple[0] if band < len(rows) else 0
    parts = []
    for first in range(0, len(rows), band):
        low = max(first - halo, 0)
        seen = rows[low : first + band + halo]
        where = torch.from_numpy(seen)[:, None], torch.from_numpy(columns)
        part = run(given.fields(lambda field: field[:, :, *where])._replace(exposure=given.exposure.gathered(shape, seen, columns)))  # noqa: B023
        parts.append(part[:, :, first - low : first - low + band])
    return torch.cat(parts, 2)[:, :, top : top + shape[0], left : left + shape[1]]


def whole_cells(size: int, first: int, tile: int, multiple: int) -> tuple[NDArray[np.int64], int]:
    """Which pixels of an axis to take, some twice, so that it begins with a tile and is a multiple long; and how many come before."""
    before = first % tile
    place = np.arange(-(-(before + size) // multiple) * multiple) - before
    place = np.where(place < 0, place + -(place // tile) * tile, place)
    return np.where(place >= size, place - -(-(place - size + 1) // tile) * tile, place).clip(0, size - 1), before
