"""White of a capture whose light nobody measured, told by its brightest parts, robustly.

The scale of a scene cannot be told from a capture: twice the light on half the white is the same picture. What is wanted is a scale
under which a video lies in [0, 1] and methods that learnt from such videos work. Here white is what the brightest thousandth of the
frame has in the median over the tile, in units of what the code lets through: a hot pixel or a few highlights do not move it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import median_filter, uniform_filter

from sensors.capture import Capture
from sensors.refusal import Refusal

#: Part of the frame that may be brighter than white.
BRIGHTER = 1e-3

#: Side of the window of a mask, pixels; a tile has its own.
WINDOW = 8


def scene_white(capture: Capture) -> float:
    """Irradiance, in units of the white that the capture states, that is to be white.

    Raises
    ------
    Refusal
        If nothing is brighter than black.
    """
    brightest = []
    for plane in capture.planes():
        sides = (1, 1, *(min(max(side, 3), WINDOW) for side in plane.sensor.tile))
        seen = np.isfinite(plane.variance)
        light = uniform_filter(np.where(seen, plane.charge, 0).astype(np.float64), sides, mode="nearest")
        ones = np.ones((plane.sensor.frames, *plane.images.shape[2:]), np.float32)
        through = np.stack([plane.sensor.at(n).expose(ones) for n in range(len(plane))])
        full = uniform_filter(np.where(seen, through, 0).astype(np.float64), sides, mode="nearest")
        enough = full > 0.2 * full.max()
        mean = np.divide(light, full, out=np.zeros_like(light), where=enough)
        ratio = np.divide(plane.charge, through, out=mean.copy(), where=seen & (through > 0.2 * full))
        middle = median_filter(ratio, sides, mode="nearest")
        brightest.append(float(np.quantile(middle[enough], 1 - BRIGHTER)) if enough.any() else 0.0)
    if not (found := max(brightest)) > 0:
        raise Refusal("the capture is dark, not above its black level; it has no light to take as white")
    return found


def with_scene_white(capture: Capture) -> Capture:
    """The same capture on the scale of `scene_white`; its record says so."""
    factor, readout = scene_white(capture), capture.sensor.readout
    how = "assumed: the brightest thousandth of the scene, in the median over the tile, is white"
    provenance = {**dict(capture.record.get("provenance") or {}), "white": how}
    if readout.ideal:
        return replace(capture, record={**capture.record, "white": capture.white * factor, "provenance": provenance})
    white = float(readout.white or 1.0) * factor
    sensor = replace(capture.sensor, readout=replace(readout, white=white))
    return replace(capture, sensor=sensor, record={**capture.record, "white": white, "provenance": provenance})
