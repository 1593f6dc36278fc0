"""What the tags of a DNG say of its numbers: linearisation, active area, black level, white level (DNG 1.7, chapters 5 and 6).

======  ===============================================================================  ==============
symbol  meaning                                                                          shape, unit
======  ===============================================================================  ==============
s       samples as stored                                                                (H, W[, 3])
v       LinearizationTable[min(s, its last place)], cut to ActiveArea                    (h, w[, 3]), DN
b       BlackLevel, repeated from the top left of ActiveArea, + DeltaV[row] + DeltaH[column]; where there are MaskedAreas, the
        mean of these by its place in the mosaic instead                                 (h, w[, 3]), DN
B, W    the largest b of a colour plane, and its WhiteLevel                              (3), DN
======  ===============================================================================  ==============

Irradiance is (v - b) / (W - B). A recording has one black and one white, so v + B - b is handed out with black B and white W: v itself
where b is the same everywhere. LibRaw does the same, but for some things: it takes the mean of DeltaV and DeltaH; it drops a row or
column where ActiveArea begins at an odd one; it divides by W minus the smallest b; and without WhiteLevel it does not ask the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LINEARIZATION, BLACK_REPEAT, BLACK_LEVEL, BLACK_DELTA_H, BLACK_DELTA_V, WHITE_LEVEL = 50712, 50713, 50714, 50715, 50716, 50717
ACTIVE_AREA, MASKED_AREAS, CFA_PATTERN = 50829, 50830, 33422
_RATIONAL = (5, 10)


class Tag(NamedTuple):
    """Data type, by its number in TIFF, and value; of rationals numerator and denominator in turn."""

    dtype: int
    value: Any


class Levels(NamedTuple):
    """Frame (h, w[, 3]) whose black and white are the same everywhere; what was measured or guessed, in words."""

    frame: NDArray
    black: float
    white: float
    white_stated: bool
    notes: tuple[str, ...]


def levelled(stored: NDArray, tags: Mapping[int, Tag], bits: int) -> Levels:
    """Apply the tags, by number, to samples as stored.

    Parameters
    ----------
    stored : ndarray of uint8, uint16 or float32, (H, W) or (H, W, 3)
    bits : int
        Bits of a stored sample.

    Raises
    ------
    ValueError
        If a tag has the wrong count, an area lies outside of the image, or there is a table for floating-point samples.
    """
    top, left, bottom, right = _area(tags, stored)
    linear, largest = _linearised(stored, tags, bits)
    frame = linear[top:bottom, left:right]
    black = _declared(tags, frame.shape)
    measured = _measured(linear, tags, (top, left), frame.shape)
    notes = _contradiction(black, measured) if BLACK_LEVEL in tags else ()
    black = black if measured is None else measured
    white, stated, more = _white(tags, frame.shape, largest)
    each = black.reshape(-1, *frame.shape[2:]).max(0, keepdims=frame.ndim == 2) if black.ndim > 1 else black
    if (white <= each).any():
        raise ValueError(f"a white level of {white.max():g}, not above the black level, {each.max():g}")
    return Levels(*_evened(frame, black, each, white), stated, (*notes, *more))


def _evened(frame: NDArray, black: NDArray, each: NDArray, white: NDArray) -> tuple[NDArray, float, float]:
    """The frame with one black and one white, those of the first plane; whole numbers stay whole where they can."""
    common, top = float(each.flat[0]), float(white.flat[0])
    gain = ((top - common) / (white - each)).astype(np.float32)
    if (gain == 1).all() and not np.ptp(black):
        return frame, common, top
    values = (frame - black.astype(np.float32)) * gain + np.float32(common)
    whole = np.rint(values)
    if frame.dtype.kind == "u" and np.array_equal(values, whole) and whole.min() >= 0 and whole.max() <= np.iinfo(np.uint16).max:
        return whole.astype(np.uint16), common, top
    return values, common, top


def _area(tags: Mapping[int, Tag], stored: NDArray) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of the active area."""
    height, width = stored.shape[:2]
    area = numbers(tags, ACTIVE_AREA)
    if area is None:
        return 0, 0, height, width
    if area.size != 4 or not (0 <= area[0] < area[2] <= height and 0 <= area[1] < area[3] <= width):
        raise ValueError(f"an active area {area.tolist()} that is not inside of {height}x{width}")
    top, left, bottom, right = (int(edge) for edge in area)
    return top, left, bottom, right


def _linearised(stored: NDArray, tags: Mapping[int, Tag], bits: int) -> tuple[NDArray, float]:
    """Samples through the table, and the largest number there can be; of floating-point samples, white by default."""
    table = numbers(tags, LINEARIZATION)
    if table is None:
        return stored, 1.0 if stored.dtype.kind == "f" else float((1 << bits) - 1)
    if stored.dtype.kind == "f":
        raise ValueError("a linearization table for floating-point samples, which have no places in it")
    if not table.size or table.min() < 0 or table.max() > np.iinfo(np.uint16).max:
        raise ValueError("a linearization table that is empty or not of 16 bit")
    return table.astype(np.uint16)[np.minimum(stored, table.size - 1)], float(table.max())


def _declared(tags: Mapping[int, Tag], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Black level by the tags: one number, or (h, w[, 3])."""
    height, width, samples = *shape[:2], (shape[2] if len(shape) == 3 else 1)
    repeat = numbers(tags, BLACK_REPEAT)
    rows, columns = (1, 1) if repeat is None else (int(n) for n in repeat)
    pattern = numbers(tags, BLACK_LEVEL)
    pattern = np.zeros(1) if pattern is None else pattern
    deltas = [numbers(tags, code) for code in (BLACK_DELTA_V, BLACK_DELTA_H)]
    if not np.ptp(pattern) and all(delta is None for delta in deltas):
        return pattern[:1]
    if not np.ptp(pattern):
        rows, columns, pattern = 1, 1, np.repeat(pattern[:1], samples)
    if pattern.size != rows * columns * samples:
        raise ValueError(f"{pattern.size} black levels for {rows}x{columns} pixels of {samples} samples")
    tile = pattern.reshape(rows, columns, samples)
    black = np.tile(tile, (-(-height // rows), -(-width // columns), 1))[:height, :width]
    for delta, length, axis in zip(deltas, (height, width), (0, 1), strict=True):
        if delta is not None and delta.size != length:
            raise ValueError(f"{delta.size} black levels for {length} {('rows', 'columns')[axis]}")
        if delta is not None:
            black = black + np.expand_dims(delta, (1 - axis, 2))
    return black.reshape(shape)


def _measured(
    linear: NDArray, tags: Mapping[int, Tag], origin: tuple[int, int], shape: tuple[int, ...]
) -> NDArray[np.float64] | None:
    """Black level (h, w) as the mean of the masked pixels at each place of the 2x2 mosaic, as LibRaw has it; None without them all."""
    areas = numbers(tags, MASKED_AREAS)
    if areas is None or linear.ndim == 3:
        return None
    if areas.size % 4:
        raise ValueError(f"masked areas of {areas.size} numbers")
    masked = np.zeros(linear.shape, bool)
    for top, left, bottom, right in areas.astype(int).reshape(-1, 4):
        masked[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = True
    places = [(slice(row, None, 2), slice(column, None, 2)) for row in (0, 1) for column in (0, 1)]
    if not all(masked[place].any() for place in places):
        return None
    mosaic = tags.get(CFA_PATTERN) is not None
    means = [linear[place][masked[place]].mean() if mosaic else linear[masked].mean() for place in places]
    tile = np.reshape(means, (2, 2))[np.ix_(*((np.arange(2) + edge) % 2 for edge in origin))]
    return tile[:1, 0] if not np.ptp(tile) else np.tile(tile, (-(-shape[0] // 2), -(-shape[1] // 2)))[: shape[0], : shape[1]]


def _contradiction(declared: NDArray, measured: NDArray | None) -> tuple[str, ...]:
    if measured is None:
        return ()
    told, seen = declared.mean(), measured.mean()
    taken = f"black level {seen:.5g} is the mean of the masked pixels"
    return () if abs(told - seen) <= 1 else (f"{taken}; the file declares {told:.5g}. The first is taken, as LibRaw does",)


def _white(tags: Mapping[int, Tag], shape: tuple[int, ...], largest: float) -> tuple[NDArray[np.float64], bool, tuple[str, ...]]:
    """White level of each plane, whether the file states it, and what is doubtful about it."""
    samples = shape[2] if len(shape) == 3 else 1
    white = numbers(tags, WHITE_LEVEL)
    if white is None:
        guess = f"no white level is stated for the linearization table: its largest number, {largest:g}, is taken"
        return np.full(samples, largest), LINEARIZATION in tags, (guess,) if LINEARIZATION in tags else ()
    if white.size == samples or not np.ptp(white):
        return np.broadcast_to(white[:samples], samples), True, ()
    if samples > 1:
        raise ValueError(f"{white.size} white levels for {samples} samples")
    told = f"{white.size} white levels for one sample a pixel: the first, {white[0]:g}, is taken, as LibRaw does"
    return white[:1], True, (told,)


def numbers(tags: Mapping[int, Tag], code: int) -> NDArray[np.float64] | None:
    """The numbers of a tag; of rationals, numerator by denominator."""
    tag = tags.get(code)
    if tag is None:
        return None
    value = list(tag.value) if isinstance(tag.value, bytes) else tag.value
    found = np.atleast_1d(np.asarray(value, np.float64))
    if tag.dtype in _RATIONAL:
        if not found[1::2].all():
            raise ValueError(f"tag {code} is divided by 0")
        found = found[::2] / found[1::2]
    if not found.size or not np.isfinite(found).all():
        raise ValueError(f"tag {code} holds no finite number")
    return found
