"""How much of the light is collected, and between which irradiances a sensor tells it.

======  ======================================================================  =================
symbol  meaning                                                                 shape
======  ======================================================================  =================
n       sub-exposures that each sample of the tile collects                     (B, p, q)
E       electrons that a bucket and its converter hold above dark                (B,)
s       noise in the dark, electrons                                            (B,)
======  ======================================================================  =================

    saturation = min E / (white max n)        darkest = 1 / sqrt( mean over pixels of sum_b (white n / s)^2 )

The irradiance is even in time and space. Under a code of few open sub-exposures the complement is full first: it gets the rest of the
light.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from c2b.criteria import collected
from c2b.criteria.criterion import Criterion
from sensors.sensor import Sensor


class Light(Criterion):
    """Part of the light that all buckets together collect."""

    better: ClassVar[str] = "higher"

    def __call__(self, sensor: Sensor) -> float | None:
        tile = collected.tile_of(sensor)
        return None if tile is None else float(tile.sum(0).mean())


class Saturation(Criterion):
    """Irradiance of an even scene at which the first bucket, or its converter, is full."""

    unit: ClassVar[str] = "white"
    better: ClassVar[str] = "higher"

    def __call__(self, sensor: Sensor) -> float | None:
        tile, held = collected.tile_of(sensor), _held(sensor)
        if tile is None or held is None or sensor.readout.white is None:
            return None
        most = tile.sum(1).max((1, 2))
        with np.errstate(divide="ignore"):
            found = float((held / (sensor.readout.white * most)).min())
        return found if found < math.inf else None


class DynamicRange(Saturation):
    """Saturation over the irradiance at which signal and noise of a pixel are equal, all its buckets together."""

    unit: ClassVar[str] = "dB"

    def __call__(self, sensor: Sensor) -> float | None:
        brightest, tile = super().__call__(sensor), collected.tile_of(sensor)
        if brightest is None or tile is None:
            return None
        noise = collected.variance(sensor, np.zeros((sensor.buckets, 1, 1)))
        if not noise.all():
            return None
        darkest = 1 / math.sqrt(float((tile.sum(1) ** 2 / noise).sum(0).mean()))
        return 20 * math.log10(brightest / darkest)


def _held(sensor: Sensor) -> NDArray[np.float64] | None:
    """Electrons of light that each bucket holds, (B,); None where nothing limits it."""
    readout, buckets = sensor.readout, sensor.buckets
    limits = []
    if readout.full_well is not None:
        limits.append(np.broadcast_to(np.asarray(readout.full_well, np.float64), buckets))
    if readout.bits is not None:
        levels = 2**readout.bits - 1 - np.asarray(readout.black_level, np.float64)
        limits.append(np.broadcast_to(levels / np.asarray(readout.gain, np.float64), buckets))
    if not limits:
        return None
    dark = np.broadcast_to(np.asarray(readout.dark_current, np.float64), buckets) * sensor.duration
    return np.maximum(np.min(limits, axis=0) - dark, 0)
