"""What a tile collects, sample by sample, and how much noise the samples have.

======  ======================================================================  =================
symbol  meaning                                                                 shape
======  ======================================================================  =================
A       what each bucket of each pixel of the tile collects of each frame       (K, T), K = B p q
Sigma   variance of the samples, where every frame has the same irradiance      (K,)
======  ======================================================================  =================

    Sigma = (white y + dark + s^2) / white^2 + (prnu y)^2        y = level sum_t A[., t]

Charge is in white sub-exposures; white, dark (the electrons of the dark current) and s (read and row noise, rounding and DSNU) are
those of `sensors.readout`. What no sum of a variance is, saturation and companding, is left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sensors.exposure import LARGEST_TILE
from sensors.sensor import Sensor

#: Longer codes are not judged: the cost grows with the cube of their length.
MOST_FRAMES = 2048


def tile_of(sensor: Sensor) -> NDArray[np.float64] | None:
    """A as (B, T, p, q); None of a full-resolution mask, of a code longer than `MOST_FRAMES`, and where pixels respond by a map."""
    if sensor.code.ndim != 3 or sensor.frames > MOST_FRAMES or max(sensor.tile) > LARGEST_TILE or sensor.late_rows:
        return None
    exposure = sensor.exposure
    return exposure.on_tile if exposure.mixing.shape[2:] == (1, 1) else None


def rows_of(tile: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B, T, p, q) as A, (K, T), bucket by bucket."""
    return np.moveaxis(tile, 1, -1).reshape(-1, tile.shape[1])


def variance(sensor: Sensor, charge: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sigma of samples whose mean charge is (B, ...), in squared white sub-exposures; zeros of an ideal readout."""
    readout = sensor.readout
    if readout.white is None:
        return np.zeros_like(charge)
    buckets = len(charge)
    current = np.broadcast_to(np.asarray(readout.dark_current, np.float64), buckets)
    floor = np.square(readout.dark_noise(buckets)) + current * sensor.duration
    y = np.maximum(charge, 0)
    return (readout.white * y + floor.reshape(-1, *[1] * (charge.ndim - 1))) / readout.white**2 + np.square(readout.prnu * y)


def variance_slope(sensor: Sensor, charge: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much `variance` grows with the charge (B, ...)."""
    readout = sensor.readout
    if readout.white is None:
        return np.zeros_like(charge)
    return np.where(charge > 0, 1 / readout.white + 2 * readout.prnu**2 * charge, 0.0)


def even_variance(sensor: Sensor, tile: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Sigma of the tile (B, T, p, q) where every frame has the irradiance ``level``: (K,)."""
    return variance(sensor, level * tile.sum(1)).reshape(-1)
