"""Which outputs of a trained network never change, and how its frames compare: what a dead ReLU leaves behind in weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recon.metrics import psnr
from recon.tile_solve import LARGEST_TILE
from sensors.capture import Capture
from sensors.coded_pixel import CodedPixel
from sensors.sensor import Sensor
from sensors.two_bucket import TwoBucket

if TYPE_CHECKING:
    from recon.learned.method import Learned, Trained

#: An output (frame, row and column of the tile) is constant if its variance is below this part of the truth's.
CONSTANT = 1e-4

#: Truth that varies less than this says nothing about an output.
LEAST_VARIANCE = 1e-8

#: A frame this much worse (dB) than the mean of the others is pointed out.
WORSE = 6.0


class Output(NamedTuple):
    """A frame, and a row and a column of the tile; and its place among all of them."""

    frame: int
    row_of_tile: int
    column_of_tile: int
    row: int

    def __str__(self) -> str:
        return f"frame {self.frame}, row {self.row_of_tile}, column {self.column_of_tile} of the tile"


class OutputCheck(NamedTuple):
    """What a network makes of one scene."""

    constant: list[Output]
    frames: list[float]  # PSNR of each, dB

    @property
    def worse(self) -> list[int]:
        """Frames that are more than 6 dB below the mean of the others."""
        total, count = sum(self.frames), len(self.frames)
        return [t for t, one in enumerate(self.frames) if count > 1 and one < (total - one) / (count - 1) - WORSE]


def check_outputs(method: Learned, trained: Trained, video: NDArray) -> OutputCheck:
    """Let a method with these weights reconstruct a simulated capture of the sensor they were trained for.

    Parameters
    ----------
    method : Learned
        Of the weights; it is given them.
    trained : Trained
    video : ndarray of float32, (T, H, W)
        Something textured that moves, in all of the frame.
    """
    sensor = sensor_of(trained)
    method.trained_ = trained
    shown = method.reconstruct(Capture(sensor.take(video, seed=0)[None], sensor))[0]
    frames = [psnr(*pair, data_range=1.0) for pair in zip(shown, video, strict=True)]
    return OutputCheck(constant_outputs([variance_ratios(shown, video, sensor.tile)]), frames)


def sensor_of(trained: Trained) -> Sensor:
    """An ideal camera of the kind that the weights were trained for."""
    return (TwoBucket if trained.buckets == 2 else CodedPixel)(trained.code)


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
        One larger than codes on the tile grid have counts as a single pixel.
    """
    p, q = tile if max(tile) <= LARGEST_TILE else (1, 1)
    rows, columns = (size // side * side for size, side in zip(video.shape[1:], (p, q), strict=True))
    seen = [one[:, :rows, :columns].reshape(len(one), rows // p, p, columns // q, q).astype(np.float64) for one in (video, truth)]
    ours, theirs = (one.var((1, 3)) for one in seen)
    return np.where(theirs > LEAST_VARIANCE, ours / np.maximum(theirs, LEAST_VARIANCE), np.inf)
