"""Whether a measurement without true frames shows the pattern of its code.

======  ====================================================================  ============
symbol  meaning                                                               shape
======  ====================================================================  ============
y       a measurement                                                         (H, W)
n       white sub-exposures that its code lets through                        (H, W)
G       Gaussian low pass, far coarser than the code
u       G y / G n, the scene without detail                                   (H, W)
======  ====================================================================  ============

A code whose pixels are open for different times leaves n u in its measurement. The share of that pattern,

    s = <y - G y, n u - G n u> / |n u - G n u|^2

is 1 for the code that the measurement was taken with, whatever moved, since the detail of a scene knows nothing of a code; it is near
0 for an unrelated code, and near -1 for the complement. Noise does not bias it. Nothing
is said of the order of the frames, nor of codes that are open equally long everywhere. `c2b.captures.true_frames` asks more where the
frames are known.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from c2b.captures.true_frames import MISTAKES_IN_PLACE as MISTAKES
from sensors.sensor import Sensor

#: Standard deviation of the low pass, pixels.
COARSE = 2.0

#: Side of the blocks that count as independent, and how many are needed.
BLOCK, FEWEST = 8, 8

#: A pattern weaker than this part of the measurement tells nothing.
WEAK = 0.05

#: By how much the share of the code's own measurement may differ from 1: motion, and light that the low pass has not followed.
TOLERANCE = 0.1

#: A share below this is none.
NONE = 0.25

#: Detail of less than this part of the energy of the pattern is that of a scene without a code.
SMOOTH = 0.5

#: Standard errors by which a share may differ from 1 in any case, and by which it has to be below `NONE`.
DOUBTED, SURE = 4.0, 2.0

#: Exposures that are looked at, or one of each code where more take turns.
LOOKED_AT = 4


class Share(NamedTuple):
    """Share of the pattern of the code in a measurement, with its standard error."""

    value: float
    error: float

    @property
    def none(self) -> bool:
        """Whether it is about 0, or negative."""
        return self.value + SURE * self.error < NONE

    @property
    def right(self) -> bool:
        """Whether it is 1, as far as can be told."""
        return abs(self.value - 1) <= max(TOLERANCE, DOUBTED * self.error)


def share(images: NDArray, sensor: Sensor) -> Share | None:
    """The share s over all buckets of the first exposures, or None where it cannot be told.

    Parameters
    ----------
    images : ndarray, (N, B, H, W)
        Without black level, in any unit; with an ideal readout.
    sensor : Sensor
    """
    images = images[: max(LOOKED_AT, sensor.codes)].astype(np.float64)
    shown = [_shown(image, _open(sensor, number, image.shape[1:])) for number, image in enumerate(images)]
    products, energies = (np.concatenate(parts) for parts in zip(*shown, strict=True))
    energy = energies.sum()
    if len(energies) < FEWEST or not energy > WEAK**2 * (images**2).sum():
        return None
    value = products.sum() / energy
    return Share(float(value), float(np.sqrt(((products - value * energies) ** 2).sum()) / energy))


def doubt(images: NDArray, sensor: Sensor) -> tuple[str, bool]:
    """Why these measurements may not be of this code, or nothing; and whether they cannot be.

    Parameters
    ----------
    images, sensor
        As in `share`.
    """
    found = share(images, sensor) if np.isfinite(images).all() else None
    if found is None or found.right:
        return "", False
    said = f"{found.value:.0%} (+- {found.error:.1%}) of the pattern of the code is in it"
    for how, change in MISTAKES.items():
        other = share(images, replace(sensor, code=np.ascontiguousarray(change(sensor.code))))
        if other is not None and other.right and abs(other.value - 1) < abs(found.value - 1):
            return f"{said}, and all of the same code {how}", found.none
    if found.none and _divided(images, sensor):
        said += "; it looks as if divided by the number of frames that the code is open for; multiply it by that number"
    return said, found.none


def _divided(images: NDArray, sensor: Sensor) -> bool:
    """Whether the measurements are smooth, and would show all of the pattern if they were multiplied by the open frames."""
    counts = np.stack([_open(sensor, number, images.shape[2:]) for number in range(len(images))])
    coarse = gaussian_filter(images.astype(np.float64), (0, 0, COARSE, COARSE))
    pattern = counts / gaussian_filter(counts, (0, 0, COARSE, COARSE)) - 1
    return bool(((images - coarse) ** 2).sum() < SMOOTH * ((coarse * pattern) ** 2).sum())


def _open(sensor: Sensor, number: int, size: tuple[int, ...]) -> NDArray[np.float64]:
    return np.asarray(sensor.at(number).expose(np.ones((sensor.frames, *size), np.uint8)), np.float64)


def _shown(image: NDArray, counts: NDArray) -> tuple[NDArray, NDArray]:
    """<y - G y, P> and |P|^2 of each block of an exposure, P = n u - G n u."""
    axes = (0, COARSE, COARSE)
    coarse = gaussian_filter(image, axes)
    through = gaussian_filter(counts, axes)
    pattern = counts * np.divide(coarse, through, out=np.zeros_like(coarse), where=through > 0)
    pattern -= gaussian_filter(pattern, axes)
    return _by_block((image - coarse) * pattern), _by_block(pattern**2)


def _by_block(values: NDArray) -> NDArray:
    """Sums over blocks; a border narrower than a block is left out."""
    rows, columns = (size // BLOCK * BLOCK for size in values.shape[1:])
    blocks = values[:, :rows, :columns].reshape(len(values), rows // BLOCK, BLOCK, columns // BLOCK, BLOCK)
    return blocks.sum((2, 4)).ravel()
