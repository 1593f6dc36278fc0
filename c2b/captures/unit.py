"""The unit of a measurement that nobody calibrated: what one white sub-exposure adds to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: How `white_by_brightest` is named in the record of a capture.
BRIGHTEST = "assumed: the brightest sample, relative to the light its code lets through, is white throughout"


def white_by_brightest(images: NDArray, sensor: Sensor) -> float:
    """The least white under which no sample exceeds what its code can collect: the largest of image / (M S 1).

    It puts the scene into [0, 1]; only a measurement of known light can do better.

    Parameters
    ----------
    images : ndarray, (N, B, H, W)
        Without black level.
    sensor : Sensor

    Raises
    ------
    Refusal
        If the images are dark wherever the code is open, or not finite somewhere there.
    """
    ones = np.ones((sensor.frames, *images.shape[2:4]), np.uint8)
    white = 0.0
    for number in range(sensor.codes):
        full = sensor.at(number).expose(ones)
        for image in images[number :: sensor.codes]:
            samples = image[full > 0]
            if broken := len(samples) - int(np.isfinite(samples).sum()):
                raise Refusal(f"the measurement holds {broken} values that are not finite (NaN or infinite)")
            white = max(white, float(np.max(samples / full[full > 0], initial=0.0)))
    if not white > 0:
        raise Refusal("the measurement is dark wherever its code is open; it has no light to take as white")
    return white


def white_of_frames(frames: NDArray) -> float:
    """White of original frames: 255 and 65535 for integers, for floats 1 where none exceeds it, else 255 (8 bit frames as floats)."""
    if frames.dtype.kind in "bui":
        return {1: 255.0, 2: 65535.0}.get(frames.dtype.itemsize, float(frames.max()))
    return 1.0 if frames.max() <= 1 else 255.0
