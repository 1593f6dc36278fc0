"""How bright a capture is under the white that it states, and the factor by which networks are given it.

Networks learn from videos in [0, 1], dark and bright ones, and from no other light: a capture whose white is wrong by a factor of ten
is strange to them, and to the classical methods that some start from. So charge is divided by s, and the video multiplied by it,

    video = s network(charge / s),        s = m / min(max(m, `DARK`), `BRIGHT`)

m the irradiance of the bright parts of the scene. Within `DARK` to `BRIGHT` s is 1, so that what is measured of weights on captures
of known white stands, and the dark stays dark; beyond, the video is as bright as white makes it, and as good as at that end. s has no
steps, so that a film in which light changes does not flicker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

import numpy as np
from scipy.ndimage import median_filter, uniform_filter

from sensors.capture import Capture

#: Bright parts of the scenes that networks know, 1 = white; measured on weights that come with c2b (docs/laboratory.md).
DARK, BRIGHT = 0.2, 1.4

#: Part of the frame that may be brighter than its bright parts; side of the window in which these are at least, in pixels.
BRIGHTER, WINDOW = 0.01, 8

#: Part of the largest count of frames that a pixel must have collected to tell by itself how bright it was.
TELLING = 0.2


def light_level(capture: Capture) -> float:
    """Irradiance of the bright parts of one exposure of one plane, 1 = white; 0 where nothing is brighter than black.

    All buckets together, in the median of 3x3 pixels, which no hot pixel moves, and the mean over `WINDOW`, which tames noise.
    """
    charge = capture.charge[0]
    counts = capture.sensor.at(0).exposure.counts(*charge.shape[1:]).sum(0, dtype=np.float64)
    light = charge.sum(0, dtype=np.float64)
    around = uniform_filter(counts, WINDOW, mode="nearest")
    mean = np.divide(uniform_filter(light, WINDOW, mode="nearest"), around, out=np.zeros_like(light), where=around > 0)
    each = np.divide(light, counts, out=mean, where=counts > TELLING * counts.max())
    level = float(np.quantile(uniform_filter(median_filter(each, 3, mode="nearest"), WINDOW, mode="nearest"), 1 - BRIGHTER))
    return level if isfinite(level) and level > 0 else 0.0


def dimmed(capture: Capture, factor: float) -> Capture:
    """The same numbers under a white that is so many times brighter; the record says so."""
    if factor == 1:
        return capture
    readout, record = capture.sensor.readout, {**capture.record, "dimmed": factor * capture.record.get("dimmed", 1.0)}
    if readout.white is None:
        return replace(capture, record={**record, "white": capture.white * factor})
    return replace(capture, sensor=replace(capture.sensor, readout=replace(readout, white=readout.white * factor)), record=record)


def light_factor(planes: Sequence[Capture]) -> float:
    """s, of one exposure; of several planes that of the brightest."""
    level = max(map(light_level, planes))
    return level / min(max(level, DARK), BRIGHT) if level else 1.0
