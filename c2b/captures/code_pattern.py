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
0 for an unrelated code, and near -1 for the complement. Saturation, a black level that is left in and a displaced mask lower it, a
black level that is too high raises it; noise does not bias it. Nothing is said of the order of the frames, nor of codes that are open
equally long everywhere. `c2b.captures.true_frames` asks more where the frames are known.
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

#: Sides of the blocks that count as independent, the first of which there are enough.
BLOCKS, FEWEST = (16, 8), 8

#: A pattern weaker than this part of the measurement tells nothing.
WEAK = 0.05

#: By how much the share of the code's own measurement may be below 1 and above it: motion, and light that the low pass has not
#: followed, which adds more often than it takes.
TOLERANCE, TOLERANCE_ABOVE = 0.1, 0.25

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
        return abs(self.value - 1) <= max(TOLERANCE if self.value < 1 else TOLERANCE_ABOVE, DOUBTED * self.error)


def looked_at(images: NDArray, sensor: Sensor) -> NDArray:
    """The first exposures, enough for every code in turn."""
    return images[: max(LOOKED_AT, sensor.codes)]


def share(images: NDArray, sensor: Sensor) -> Share | None:
    """The share s over all buckets of the first exposures, or None where it cannot be told.

    Parameters
    ----------
    images : ndarray, (N, B, H, W)
        Without black level, in any unit.
    sensor : Sensor
    """
    images = looked_at(images, sensor).astype(np.float64)
    height, width = images.shape[2:]
    sizes = [side for side in BLOCKS if images.shape[0] * images.shape[1] * (height // side) * (width // side) >= FEWEST]
    if not sizes:
        return None
    shown = [_shown(image, _open(sensor, number, image.shape[1:]), sizes[0]) for number, image in enumerate(images)]
    products, energies = (np.concatenate(parts) for parts in zip(*shown, strict=True))
    energy = energies.sum()
    if not energy > WEAK**2 * (images**2).sum():
        return None
    value = products.sum() / energy
    return Share(float(value), float(np.sqrt(((products - value * energies) ** 2).sum()) / energy))


class Verdict(NamedTuple):
    """What the measurements say of a code."""

    told: bool  # whether they can say anything
    doubt: str = ""  # why they may not be of this code
    refused: bool = False  # whether they cannot be


def verdict(images: NDArray, sensor: Sensor) -> Verdict:
    """Whether these measurements are of this code.

    Parameters
    ----------
    images, sensor
        As in `share`.
    """
    images = looked_at(images, sensor)
    found = share(images, sensor) if np.isfinite(images).all() else None
    if found is None or found.right:
        return Verdict(found is not None)
    said = f"{found.value:.0%} (+- {found.error:.1%}) of the pattern of the code is in it"
    if found.value > 1:
        return Verdict(True, f"{said}; a black level that is too high (--black) looks like that")
    for how, change in MISTAKES.items():
        other = share(images, replace(sensor, code=np.ascontiguousarray(change(sensor.code))))
        if other is not None and other.right and abs(other.value - 1) < abs(found.value - 1):
            return Verdict(True, f"{said}, and all of the same code {how}", found.none)
    if not found.none:
        return Verdict(
            True,
            f"{said}; a black level that is not subtracted (--black), saturated samples, a mask that is displaced by some pixels "
            "(--calibrate-mask) or another mask than the right one look like that",
        )
    if _smooth(images, sensor):
        said += (
            "; it is as smooth as a picture without a code, or one that was divided by the number of frames for which the code is "
            "open: multiply the latter by that number, after which it cannot be told whether the code is the right one"
        )
    return Verdict(True, said, True)


def _smooth(images: NDArray, sensor: Sensor) -> bool:
    """Whether the measurements have less detail than any pattern of such a code would give them."""
    counts = np.stack([_open(sensor, number, images.shape[2:]) for number in range(len(images))])
    coarse = gaussian_filter(images.astype(np.float64), (0, 0, COARSE, COARSE))
    through = gaussian_filter(counts, (0, 0, COARSE, COARSE))
    pattern = np.divide(counts, through, out=np.ones_like(counts), where=through > 0) - 1
    return bool(((images - coarse) ** 2).sum() < SMOOTH * ((coarse * pattern) ** 2).sum())


def _open(sensor: Sensor, number: int, size: tuple[int, ...]) -> NDArray[np.float64]:
    return np.asarray(sensor.at(number).expose(np.ones((sensor.frames, *size), np.uint8)), np.float64)


def _shown(image: NDArray, counts: NDArray, side: int) -> tuple[NDArray, NDArray]:
    """<y - G y, P> and |P|^2 of each block of an exposure, P = n u - G n u."""
    axes = (0, COARSE, COARSE)
    coarse = gaussian_filter(image, axes)
    through = gaussian_filter(counts, axes)
    pattern = counts * np.divide(coarse, through, out=np.zeros_like(coarse), where=through > 0)
    pattern -= gaussian_filter(pattern, axes)
    return _by_block((image - coarse) * pattern, side), _by_block(pattern**2, side)


def _by_block(values: NDArray, side: int) -> NDArray:
    """Sums over blocks; a border narrower than a block is left out."""
    rows, columns = (size // side * side for size in values.shape[1:])
    blocks = values[:, :rows, :columns].reshape(len(values), rows // side, side, columns // side, side)
    return blocks.sum((2, 4)).ravel()
