"""What the code of a measurement is often mistaken for: reversed, turned, exchanged, displaced.

======  ====================================================================  ============
symbol  meaning                                                               shape
======  ====================================================================  ============
y       a measurement                                                         (H, W)
n       white sub-exposures that its code lets through                        (H, W)
G       Gaussian low pass, far coarser than the code                          `COARSE`
======  ====================================================================  ============

How far a code is displaced is where the cross-correlation of y - G y and n - G n is largest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from sensors.orientations import TURNED
from sensors.sensor import Sensor

Change = Callable[[NDArray], NDArray]

#: Standard deviation of the low pass, pixels.
COARSE = 2.0

#: By the word for it; axes are (..., T, p, q).
IN_TIME: Mapping[str, Change] = {
    "reversed in time": lambda code: code[..., ::-1, :, :],
    "a frame earlier": lambda code: np.roll(code, -1, -3),
    "a frame later": lambda code: np.roll(code, 1, -3),
}
PLACED: Mapping[str, Change] = {
    **TURNED,
    "with open and closed exchanged": lambda code: code.max() - code,
}


def in_place(images: NDArray, sensor: Sensor) -> dict[str, Change]:
    """The mistakes of place that are possible for this code: turned over, displaced by a pixel, or by as much as the images say.

    Parameters
    ----------
    images : ndarray of float64, (N, B, H, W)
        Without black level, in any unit.
    sensor : Sensor
    """
    steps = ((-1, 0), (1, 0), (0, -1), (0, 1), displacement(images, sensor))
    return turned(sensor) | {how: change for by in steps for how, change in displaced(by).items()}


def turned(sensor: Sensor) -> dict[str, Change]:
    """Those of `PLACED` that leave the code its size."""
    return {how: turn for how, turn in PLACED.items() if turn(sensor.code).shape == sensor.code.shape}


def displaced(by: tuple[int, int]) -> dict[str, Change]:
    """A code moved by so many rows down and columns right; nothing where it is not moved."""
    ways = [(by[0], "row", "down" if by[0] > 0 else "up"), (by[1], "column", "to the right" if by[1] > 0 else "to the left")]
    words = [f"{'a' if abs(step) == 1 else abs(step)} {thing}{'s' * (abs(step) > 1)} {way}" for step, thing, way in ways if step]
    return {" and ".join(words): lambda code: np.roll(code, by, (-2, -1))} if words else {}


def displacement(images: NDArray, sensor: Sensor) -> tuple[int, int]:
    """Rows down and columns right by which the code has to be moved to resemble the images most.

    Parameters
    ----------
    images : ndarray of float64, (N, B, H, W)
        Without black level, in any unit.
    sensor : Sensor
    """
    size = images.shape[2:]
    likeness = np.zeros(size)
    for number, image in enumerate(images):
        detail, pattern = (_detail(array) for array in (image, open_counts(sensor, number, size)))
        likeness += np.fft.irfft2((np.fft.rfft2(detail) * np.fft.rfft2(pattern).conj()).sum(0), s=size)
    down, right = (int(at) for at in np.unravel_index(int(likeness.argmax()), size))
    return _least(down, size[0], sensor.code.shape[-2]), _least(right, size[1], sensor.code.shape[-1])


def open_counts(sensor: Sensor, number: int, size: tuple[int, ...]) -> NDArray[np.float64]:
    """White sub-exposures that the code of an exposure lets through, (B, H, W)."""
    return np.asarray(sensor.at(number).expose(np.ones((sensor.frames, *size), np.uint8)), np.float64)


def _detail(images: NDArray) -> NDArray:
    return images - gaussian_filter(images, (0, COARSE, COARSE))


def _least(step: int, size: int, tile: int) -> int:
    """The smallest of the equal steps: around the frame, and around the tile where that is smaller."""
    step = (step + size // 2) % size - size // 2
    return (step + tile // 2) % tile - tile // 2
