"""Outputs of a network that never change: what a dead ReLU leaves behind in weights."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: An output (frame, row and column of the tile) is constant if its variance is below this part of the truth's.
CONSTANT = 1e-4

#: Truth that varies less than this says nothing about an output.
LEAST_VARIANCE = 1e-8


class Output(NamedTuple):
    """A frame, and a row and a column of the tile; and its place among all of them."""

    frame: int
    row_of_tile: int
    column_of_tile: int
    row: int

    def __str__(self) -> str:
        return f"frame {self.frame}, row {self.row_of_tile}, column {self.column_of_tile} of the tile"


def constant_outputs(ratios: list[NDArray]) -> list[Output]:
    """The outputs (frame, row, column of the tile) that are constant in all cases, though the truth is not."""
    most = np.max(ratios, 0)
    return [Output(t, i, j, int(np.ravel_multi_index((t, i, j), most.shape))) for t, i, j in np.argwhere(most < CONSTANT).tolist()]


def variance_ratios(video: NDArray, truth: NDArray, tile: tuple[int, int]) -> NDArray[np.float64]:
    """Variance of each output over that of the truth there, (T, p, q); infinite where the truth does not vary.

    Parameters
    ----------
    video, truth : ndarray, (T, H, W)
        Beginning with a tile.
    tile : (int, int)
        `Sensor.grid`.
    """
    p, q = tile
    rows, columns = (size // side * side for size, side in zip(video.shape[1:], (p, q), strict=True))
    seen = [one[:, :rows, :columns].reshape(len(one), rows // p, p, columns // q, q).astype(np.float64) for one in (video, truth)]
    ours, theirs = (one.var((1, 3)) for one in seen)
    return np.where(theirs > LEAST_VARIANCE, ours / np.maximum(theirs, LEAST_VARIANCE), np.inf)
