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

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from c2b.captures import code_mistakes
from c2b.captures.code_mistakes import COARSE, open_counts
from sensors.refusal import Refusal
from sensors.sensor import Sensor

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

#: Rows or columns by which a mask may lie off before registration does not find it.
REACH = 2

#: Side of the middle in which a mask that may be turned a little is looked for, up to a pixel further than `REACH`; and the share
#: that any mask has somewhere there that lies between the pixels and is slightly blurred.
MIDDLE, TRACE = 96, 0.1

#: A mask with so much of its pattern there lies there, and is not turned over, whatever a small tile looks like when it is.
HALF = 0.5


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
    return _share(images, _counts(sensor, images), sizes[0])


def _share(images: NDArray, counts: NDArray, side: int) -> Share | None:
    """The same for counts (N, B, H, W) of the code, with blocks of that side."""
    shown = [_shown(*both, side) for both in zip(images, counts, strict=True)]
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
        return Verdict(
            True, f"{said}; a black level that is too high (--black) and a blurred mask (--calibrate-mask) look like that"
        )
    if how := _explaining(images, sensor, found, code_mistakes.in_place(images.astype(np.float64), sensor)):
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


def refuse_beyond_registration(images: NDArray, sensor: Sensor) -> None:
    """Refuse a code that would not explain these measurements, wherever a registration found its mask to lie.

    What is not certain is let through: a mask that lies off by less than `REACH`, between pixels, slightly turned or blurred, and one
    the share of whose pattern cannot be told.

    Parameters
    ----------
    images, sensor
        As in `share`.

    Raises
    ------
    Refusal
        It names what the code is mistaken for, where it is a usual mistake.
    """
    if reason := _beyond_registration(images, sensor):
        raise Refusal(
            f"the mask does not explain the capture, nor would it displaced by up to {REACH} px: {reason}; needed: the mask that took "
            "this capture, turned as it was"
        )


def _beyond_registration(images: NDArray, sensor: Sensor) -> str:
    images = looked_at(images, sensor).astype(np.float64)
    found = share(images, sensor) if np.isfinite(images).all() else None
    if found is None or not found.none or (near := _near_by(images, sensor)) is None:
        return ""
    said = f"{found.value:.0%} (+- {found.error:.1%}) of the pattern of the code is in it"
    changes = {} if near.value > HALF else code_mistakes.turned(sensor)
    by = code_mistakes.displacement(images, sensor)
    if max(map(abs, by)) > REACH:
        changes |= code_mistakes.displaced(by)
    if how := _explaining(images, sensor, found, changes):
        return f"{said}, and all of the same code {how}"
    return f"{said}, nor much more of the same code up to {REACH} px off" if near.value + SURE * near.error < TRACE else ""


def _explaining(images: NDArray, sensor: Sensor, found: Share, changes: Mapping[str, code_mistakes.Change]) -> str:
    """The change of the code that explains the measurements and is a usual mistake, or nothing."""
    for how, change in changes.items():
        other = share(images, replace(sensor, code=np.ascontiguousarray(change(sensor.code))))
        if other is not None and other.right and abs(other.value - 1) < abs(found.value - 1):
            return how
    return ""


def _near_by(images: NDArray, sensor: Sensor) -> Share | None:
    """The largest share in the middle of the frame of the code moved by up to a pixel more than `REACH`; None where it is too small."""
    sides = [min(size, MIDDLE) for size in images.shape[2:]]
    if len(images) * images.shape[1] * (sides[0] // BLOCKS[0]) * (sides[1] // BLOCKS[0]) < FEWEST:
        return None
    rows, columns = (slice((size - side) // 2, (size + side) // 2) for size, side in zip(images.shape[2:], sides, strict=True))
    middle = ..., rows, columns
    counts, steps = _counts(sensor, images), range(-REACH - 1, REACH + 2)
    shares = [_share(images[middle], np.roll(counts, by, (-2, -1))[middle], BLOCKS[0]) for by in product(steps, steps)]
    return max((one for one in shares if one is not None), key=lambda one: one.value, default=None)


def _smooth(images: NDArray, sensor: Sensor) -> bool:
    """Whether the measurements have less detail than any pattern of such a code would give them."""
    counts = _counts(sensor, images)
    coarse = gaussian_filter(images.astype(np.float64), (0, 0, COARSE, COARSE))
    through = gaussian_filter(counts, (0, 0, COARSE, COARSE))
    pattern = np.divide(counts, through, out=np.ones_like(counts), where=through > 0) - 1
    return bool(((images - coarse) ** 2).sum() < SMOOTH * ((coarse * pattern) ** 2).sum())


def _counts(sensor: Sensor, images: NDArray) -> NDArray[np.float64]:
    return np.stack([open_counts(sensor, number, images.shape[2:]) for number in range(len(images))])


def _shown(image: NDArray, counts: NDArray, side: int) -> tuple[NDArray, NDArray]:
    """<y - G y, P> and |P|^2 of each block of an exposure, P = n u - G n u; 0 in a bucket that is open equally long everywhere.

    There P is the detail of the scene itself.
    """
    axes = (0, COARSE, COARSE)
    coarse = gaussian_filter(image, axes)
    through = gaussian_filter(counts, axes)
    pattern = counts * np.divide(coarse, through, out=np.zeros_like(coarse), where=through > 0)
    pattern -= gaussian_filter(pattern, axes)
    pattern *= (np.ptp(counts, axis=(1, 2)) > WEAK * counts.max((1, 2)))[:, None, None]
    return _by_block((image - coarse) * pattern, side), _by_block(pattern**2, side)


def _by_block(values: NDArray, side: int) -> NDArray:
    """Sums over blocks; a border narrower than a block is left out."""
    rows, columns = (size // side * side for size in values.shape[1:])
    blocks = values[:, :rows, :columns].reshape(len(values), rows // side, side, columns // side, side)
    return blocks.sum((2, 4)).ravel()
