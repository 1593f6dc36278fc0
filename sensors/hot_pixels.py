"""Hot pixels of a capture: which samples are left out, and what stands in their place.

A sample, one bucket of a pixel, is left out where the dark current of its hot pixel gives more than `BEYOND` standard deviations of
the noise that needs no light (read and row noise, rounding, DSNU) in one exposure: it tells more of the pixel than of the scene. In
shorter exposures the same pixel is as good as others. Where a sensor has a map of its hot pixels, such as calibration makes, these
are left out always.

`Capture.variance` is infinite for them. Since not every method weights by it, `Capture.charge` has the mean of the nearest good
samples that follow the same code, one tile away, in their place.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sensors.fixed_pattern import hot_pixel_map
from sensors.readout import Readout
from sensors.refusal import Refusal

BEYOND = 3.0


def left_out(
    readout: Readout,
    shape: tuple[int, int, int],
    *,
    duration: float,
    known: NDArray[np.uint8] | None,
    origin: tuple[int, int],
    lattice: tuple[int, int, int],
    lane: int = 0,
) -> NDArray[np.bool_] | None:
    """The hot samples (B, H, W) of a frame of one colour plane; None if there are none. See `Sensor.hot_samples`.

    Parameters
    ----------
    readout : Readout
    shape : (int, int, int)
        B, H, W.
    duration : float
        Exposure time, in seconds.
    known : ndarray, (B, rows, columns), optional
        Ones where calibration found a hot pixel of the chip.
    origin, lattice
        Place on the chip, and pitch of the pixels, as the sensor has them.
    lane : int
        Which colour plane.
    """
    buckets = shape[0]
    standing_out = [_stands_out(readout, bucket, buckets, duration) for bucket in range(buckets)]
    if known is None and not any(standing_out):
        return None
    if known is not None and len(known) != buckets:
        raise Refusal(f"the map of hot pixels has {len(known)} buckets, the sensor {buckets}")
    step, *first = lattice
    top, left = (step * place + start for place, start in zip(origin, first, strict=True))
    side = (step * shape[1], step * shape[2])
    hot = np.zeros((buckets, *side), bool)
    if known is not None:
        seen = known[:, top : top + side[0], left : left + side[1]]
        hot[:, : seen.shape[1], : seen.shape[2]] = seen
    for bucket in np.flatnonzero(standing_out).tolist():
        hot[bucket] |= hot_pixel_map(readout.hot_pixels, readout.serial, bucket, side, (top, left), lane)
    hot = hot[:, ::step, ::step]
    return hot if hot.any() else None


def replaced(charge: NDArray[np.float32], hot: NDArray[np.bool_], tile: tuple[int, int]) -> NDArray[np.float32]:
    """Charge (N, B, H, W) with its hot samples as their neighbours one tile away say, else those beside them, else 0.

    Parameters
    ----------
    charge : ndarray of float32, (N, B, H, W)
        Not changed.
    hot : ndarray of bool, (B, H, W)
    tile : (int, int)
        After which the code repeats.
    """
    bucket, row, column = np.nonzero(hot)
    height, width = charge.shape[2:]
    value, without = np.zeros((len(charge), len(row)), np.float32), np.ones(len(row), bool)
    for down, right in (tile, (1, 1)):
        total, count = np.zeros_like(value), np.zeros(len(row), np.float32)
        for rows, columns in ((row - down, column), (row + down, column), (row, column - right), (row, column + right)):
            inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
            where = bucket, rows.clip(0, height - 1), columns.clip(0, width - 1)
            good = inside & ~hot[where]
            total += np.where(good, charge[:, *where], 0)
            count += good
        value = np.where(without & (count > 0), total / np.maximum(count, 1), value)
        without &= count == 0
    charge = charge.copy()
    charge[:, bucket, row, column] = value
    return charge


def _stands_out(readout: Readout, bucket: int, buckets: int, duration: float) -> bool:
    if not (readout.hot_pixels and readout.hot_current):
        return False
    return readout.hot_current * duration > BEYOND * readout.dark_noise(buckets)[bucket]
