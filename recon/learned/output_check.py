"""Trained weights put to the test: which outputs never change, and how the frames compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from numpy.typing import NDArray

from recon.learned.constant_outputs import Output, constant_outputs, variance_ratios
from recon.metrics import psnr
from sensors.capture import Capture
from sensors.coded_pixel import CodedPixel
from sensors.sensor import Sensor
from sensors.two_bucket import TwoBucket

if TYPE_CHECKING:
    from recon.learned.method import Learned, Trained

#: A frame this much worse (dB) than the mean of the others is pointed out.
WORSE = 6.0


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
        Method of the weights; it is given them.
    trained : Trained
    video : ndarray of float32, (T, H, W)
        Something textured that moves, in all of the frame.
    """
    sensor = sensor_of(trained)
    method.trained_ = trained
    shown = method.reconstruct(Capture(sensor.take(video, seed=0)[None], sensor))[0]
    frames = [psnr(*pair, data_range=1.0) for pair in zip(shown, video, strict=True)]
    return OutputCheck(constant_outputs([variance_ratios(shown, video, sensor.grid)]), frames)


def sensor_of(trained: Trained) -> Sensor:
    """An ideal camera of the kind that the weights were trained for."""
    return (TwoBucket if trained.buckets == 2 else CodedPixel)(trained.code)
