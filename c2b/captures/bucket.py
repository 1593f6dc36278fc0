"""One bucket of a capture, for formats that know of no second."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sensors.capture import Capture
from sensors.refusal import Refusal


def chosen(capture: Capture, bucket: int | None) -> int:
    """The bucket asked for, or the only one.

    Raises
    ------
    Refusal
        If there are several and none is named, or there is none of that number.
    """
    buckets = capture.sensor.buckets
    if bucket is None and buckets > 1:
        raise Refusal(
            f"the capture has {buckets} buckets and the format holds one; choose it: --bucket 0 collects while the code is 1"
        )
    if bucket is not None and not 0 <= bucket < buckets:
        raise Refusal(f"the capture has buckets 0 .. {buckets - 1}, not {bucket}")
    return bucket or 0


def light_of(capture: Capture, bucket: int | None) -> NDArray:
    """Which part of each sub-exposure one bucket collects, leaks and all: its row of M S, pixel by pixel.

    Returns
    -------
    ndarray, (T, H, W)
        uint8 where it is all zeros and ones, else float32.
    """
    sensor, number = capture.sensor, chosen(capture, bucket)
    if sensor.colour == "rgb" or sensor.codes > 1:
        what = "in colour" if sensor.colour == "rgb" else f"cycles {sensor.codes} codes"
        raise Refusal(f"the capture {what}; the format holds grey measurements under one code")
    height, width = capture.images.shape[2:4]
    light = sensor.at(0).exposure.on_pixels(height, width, np.float64)[number]
    return light.astype(np.uint8 if bool(((light == 0) | (light == 1)).all()) else np.float32)
