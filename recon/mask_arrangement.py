"""How a full-resolution mask lies on a capture: orientation, shift in whole pixels, roles of the buckets, turn of its codes.

======  ==========================================================================  ===============
symbol  meaning                                                                     shape
======  ==========================================================================  ===============
y       charge                                                                      (B, H, W)
S       share of each sub-exposure that a bucket collects                           (B, T, P, Q)
u, n    detail of y, y / G y - 1, and of sum_t S; G a Gaussian low pass             (B, H, W)
d       squared difference of y from the pixel beside it, over its local mean       (B, H, W)
c       how near in time a pixel and the one beside it collect, less its local mean (B, P, Q)
======  ==========================================================================  ===============

Two things of a mask show in any capture of it. Pixels that are open for longer are brighter: u resembles n. And wherever something
changes within the exposure, pixels that collect at the same time are alike, and others are not: d is small where c is large, also where
all pixels are open equally long. Both are cross-correlations,

    u * n        - sum over four neighbours of d * c

so that the Fourier transform gives them for every shift at once, for each of eight orientations, both roles and each turn of the codes.
Almost all of these are wrong, so that their spread is the noise of the right one: each is counted in standard deviations of all. Those
that come near the best are compared with it block by block.

No mask is told from its reverse in time so, nor by any likelihood: the film runs backwards. Neighbouring exposures tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from recon import code_arrangement
from recon.code_arrangement import EXCHANGED, REVERSED, SURE, TURNS, Alignment
from recon.tikhonov import Tikhonov
from sensors.capture import Capture
from sensors.orientations import Turn
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: Standard deviations of the low pass for the detail of a picture, and for what changes beside each pixel, in pixels.
DETAIL, LOCAL = 2.0, 4.0

#: Pixels beside each pixel that it is compared with.
BESIDE = ((0, 1), (1, 0), (1, 1), (1, -1))

#: Times of which this part of the exposure lies between count as near.
NEAR = 1 / 8

#: Times of an exposure that are told apart.
BINS = 32

#: A mask whose pixels are open for times that differ by less than this has no pattern of its own.
FLAT = 0.02

#: Standard deviations of all wrong arrangements by which the right one has to stand out; by chance the best of a million has 5.
STANDS_OUT = 8.0

#: Exposures that are looked at, of each code.
EXPOSURES = 2

#: Shifts of the best arrangement that are compared with it, pixels; side of the blocks.
AROUND, BLOCK = 1, 16

#: Side of the middle of the frame whose exposures tell the order of the frames.
MIDDLE = 128

#: What is in a picture beyond its local mean counts at most so much.
CLIPPED = 3.0

#: What is seen and what a mask would show, (N B, P, Q); shares (B, times, P, Q) by whether buckets are exchanged and number of the code
Fields = tuple[NDArray[np.float32], NDArray[np.float32]]
Shares = dict[tuple[bool, int], NDArray[np.float32]]


def align(capture: Capture) -> Alignment:
    """Find how the code of a capture lies, be it a mask or a tile (`code_arrangement`).

    Raises
    ------
    Refusal
        If the code cannot lie otherwise, or no arrangement explains the capture.
    """
    if not capture.sensor.masked:
        return code_arrangement.align(capture)
    plane = _plane(capture)
    every, shares = [*_arrangements(plane)], _shares(plane.sensor)
    scores = np.concatenate([_scores(_fields(plane, shares, one), one.shape).ravel() for one in every])
    sizes = np.cumsum([0, *(one.size for one in every)])
    z = scores / max(1.4826 * float(np.median(np.abs(scores - np.median(scores)))), 1e-30)
    best = _place(every, sizes, int(z.argmax()))
    patterned = bool(_uneven(shares[False, 0].sum(1)).any())
    if z.max() < STANDS_OUT and patterned:
        raise Refusal(
            f"no arrangement of this mask explains the capture: of {len(z):,} orientations, shifts and roles the best stands out by "
            f"{z.max():.1f} standard deviations, and the right one would by more than {STANDS_OUT:g}; is it another mask, or one that "
            "is scaled or turned by some degrees?"
        )
    blocks = _by_block(plane, shares, [best, *_rivals(every, sizes, z, best)])
    return _decided(capture, best, blocks, float(z.max()))


@dataclass(frozen=True)
class Lie:
    """One way in which a mask may lie: turned over, moved, its buckets exchanged, its codes beginning with another one."""

    turn: str
    exchanged: bool
    begins: int
    shape: tuple[int, int]
    by: tuple[int, int] = (0, 0)

    @property
    def size(self) -> int:
        """Number of shifts."""
        return self.shape[0] * self.shape[1]

    def of(self, code: NDArray) -> NDArray:
        """The code (T, P, Q) or (M, T, P, Q) that lies so."""
        change: Turn = TURNS[self.turn]
        turned = np.roll(change(code), self.by, (-2, -1))
        turned = np.roll(turned, -self.begins, 0) if code.ndim == 4 else turned
        return np.ascontiguousarray(turned.max() - turned if self.exchanged else turned)

    def __str__(self) -> str:
        """In words; empty as it is stated."""
        ways = zip(self.by, (("down", "up"), ("right", "left")), ("row", "column"), strict=True)
        moved = [f"{abs(n)} {what}{'s' * (abs(n) > 1)} {way[n < 0]}" for n, way, what in ways if n]
        parts = (
            self.turn,
            f"moved by {' and '.join(moved)}" if moved else "",
            EXCHANGED * self.exchanged,
            f"with its code {self.begins + 1} first" if self.begins else "",
        )
        return " ".join(filter(None, parts))


def _plane(capture: Capture) -> Capture:
    sensor = capture.sensor
    if not len(capture):
        raise Refusal("the capture holds no exposure")
    if sensor.colour not in ("mono", "rgb") or not sensor.local or sensor.late_rows or sensor.cell > 1:
        raise Refusal(
            "how a mask lies is told for mono and rgb captures of pixels that each have a value of the mask, whose exposures share no "
            "frames and whose rows are not late; --calibrate-mask looks within 2 px"
        )
    planes = capture[: EXPOSURES * sensor.codes].planes()
    return planes[len(planes) // 2]


def _arrangements(plane: Capture) -> Iterator[Lie]:
    """All but their shifts; orientations that leave the mask as large as the frame."""
    size = plane.images.shape[2:4]
    for (turn, change), exchanged, begins in product(TURNS.items(), (False, True), range(plane.sensor.codes)):
        rows, columns = change(plane.sensor.at(0).code).shape[-2:]
        if rows >= size[0] and columns >= size[1]:
            yield Lie(turn, exchanged, begins, (rows, columns))


def _shares(sensor: Sensor) -> Shares:
    """Those of each code, as it is and with buckets exchanged, in at most `BINS` times."""
    found = {}
    for exchanged, number in product((False, True), range(sensor.codes)):
        one = sensor.at(number)
        one = replace(one, code=one.code.max() - one.code) if exchanged else one
        shares = one.exposure.on_tile
        starts = np.arange(0, sensor.frames, -(-sensor.frames // BINS))
        found[exchanged, number] = np.add.reduceat(shares, starts, axis=1, dtype=np.float32)
    return found


def _fields(plane: Capture, shares: Shares, lie: Lie) -> Iterator[Fields]:
    """What is seen in a capture beside what the mask would show, (N B, P, Q) each; before the mask is moved."""
    change, count = TURNS[lie.turn], plane.sensor.codes
    codes = [np.ascontiguousarray(change(shares[lie.exchanged, (n + lie.begins) % count])) for n in range(min(len(plane), count))]
    return zip(_seen(plane, lie.shape), _shown(codes, len(plane)), strict=True)


def _scores(fields: Iterator[Fields], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Scores of all shifts of the mask on the chip, (P, Q)."""
    total = np.zeros(shape)
    for seen, shown in fields:
        spectrum = (np.fft.rfft2(seen) * np.fft.rfft2(shown).conj()).sum(0)
        total += _in_deviations(np.fft.irfft2(spectrum, s=shape))
    return total


def _in_deviations(field: NDArray) -> NDArray[np.float64]:
    spread = 1.4826 * float(np.median(np.abs(field - np.median(field))))
    return field / spread if spread > 0 else np.zeros_like(field)


def _seen(plane: Capture, shape: tuple[int, int]) -> Iterator[NDArray[np.float32]]:
    """u, then -d of each neighbour, of all exposures; 0 where the mask goes on beyond the frame, (N B, P, Q)."""
    charge = np.where(np.isfinite(plane.variance), plane.charge, np.nan)
    charge = np.where(np.isnan(charge), np.nanmedian(charge), charge).reshape(-1, *plane.images.shape[2:4])
    yield _on_chip(_relative(charge, DETAIL), plane, shape)
    for step in BESIDE:
        change = np.square(charge - _beside(charge, step))
        yield _on_chip(-_relative(change, LOCAL), plane, shape)


def _shown(codes: list[NDArray], count: int) -> Iterator[NDArray[np.float32]]:
    """Detail of n, then c of each neighbour, of all exposures, (N B, P, Q), from the shares of the codes that take turns."""

    def of_all(each: list[NDArray]) -> NDArray[np.float32]:
        return np.concatenate([each[n % len(each)] for n in range(count)])

    opened = [one.sum(1) for one in codes]
    pattern = [n / np.maximum(gaussian_filter(n, (0, DETAIL, DETAIL)), 1e-6) for n in opened]
    yield of_all([_less_local(one, DETAIL) * _uneven(n) for one, n in zip(pattern, opened, strict=True)])
    smooth = [_spread_in_time(one) for one in codes]
    for step in BESIDE:
        yield of_all([_less_local(_nearness(*one, step), LOCAL) for one in zip(codes, smooth, strict=True)])


def _uneven(opened: NDArray) -> NDArray[np.float32]:
    """1 for buckets whose pixels are open for different times, (B, 1, 1)."""
    return (np.ptp(opened, (1, 2)) > FLAT * np.maximum(opened.max((1, 2)), 1e-6)).astype(np.float32)[:, None, None]


def _spread_in_time(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """S averaged over times near by, (B, T, P, Q)."""
    T = shares.shape[1]
    times = np.arange(T)
    kernel = np.exp(-np.abs(times[:, None] - times) / max(1.0, NEAR * T)).astype(np.float32)
    return np.stack([(kernel @ bucket.reshape(T, -1)).reshape(bucket.shape) for bucket in shares])


def _nearness(shares: NDArray, smooth: NDArray, step: tuple[int, int]) -> NDArray[np.float32]:
    """c before its local mean is taken away: 1 for pixels that collect alike."""
    own = (shares * smooth).sum(1)
    scale = np.sqrt(np.maximum(own * _beside(own, step), 1e-12))
    return (smooth * _beside(shares, step)).sum(1) / scale


def _beside(field: NDArray, step: tuple[int, int]) -> NDArray:
    """The field at the pixel that lies a step further."""
    return np.roll(field, (-step[0], -step[1]), (-2, -1))


def _relative(field: NDArray, sigma: float) -> NDArray[np.float32]:
    """A field over its local mean, less 1, clipped."""
    mean = gaussian_filter(field, (0, sigma, sigma))
    floor = max(1e-6 * float(np.abs(mean).max()), 1e-30)
    return (field / np.maximum(mean, floor) - 1).clip(-1, CLIPPED).astype(np.float32)


def _less_local(field: NDArray, sigma: float) -> NDArray[np.float32]:
    return (field - gaussian_filter(field, (0, sigma, sigma))).astype(np.float32)


def _on_chip(field: NDArray, plane: Capture, shape: tuple[int, int]) -> NDArray[np.float32]:
    """A field of the frame where it lies on a mask of that shape."""
    whole = np.zeros((len(field), *shape), np.float32)
    rows, columns = (
        (np.arange(size) + first) % side for size, first, side in zip(field.shape[1:], plane.sensor.origin, shape, strict=True)
    )
    whole[:, rows[:, None], columns] = field
    return whole


def _place(every: list[Lie], sizes: NDArray, number: int) -> Lie:
    """The arrangement of a number among all scores, moved by the least."""
    which = int(np.searchsorted(sizes, number, "right")) - 1
    lie = every[which]
    at = np.unravel_index(number - int(sizes[which]), lie.shape)
    down, right = ((int(step) + side // 2) % side - side // 2 for step, side in zip(at, lie.shape, strict=True))
    return replace(lie, by=(down, right))


def _rivals(every: list[Lie], sizes: NDArray, z: NDArray, best: Lie) -> list[Lie]:
    """What is compared with the best: beside it, and the best of each other orientation and role; as stated."""
    steps = range(-AROUND, AROUND + 1)
    found = [replace(best, by=(best.by[0] + i, best.by[1] + j)) for i, j in product(steps, steps) if (i, j) != (0, 0)]
    for n in range(len(every)):
        found.append(_place(every, sizes, int(sizes[n] + z[sizes[n] : sizes[n + 1]].argmax())))
    return [one for one in {*found, every[0]} if one != best]


def _decided(capture: Capture, best: Lie, blocks: dict[Lie, NDArray], z: float) -> Alignment:
    leads = {other: code_arrangement.lead(blocks[best] - found) for other, found in blocks.items() if other != best}
    rivals = [other for other, ahead in leads.items() if ahead < SURE or z < STANDS_OUT]
    chosen = next(one for one in blocks if not str(one)) if rivals else best
    found = replace(capture, sensor=replace(capture.sensor, code=chosen.of(capture.sensor.code))) if str(chosen) else capture
    order, backward = _order(found) if not rivals else ("unknown", False)
    if backward:
        found = replace(found, sensor=replace(found.sensor, code=np.ascontiguousarray(found.sensor.code[..., ::-1, :, :])))
    how = " ".join(filter(None, (str(chosen), REVERSED * backward)))
    names = tuple(str(one) or "as stated" for one in (best, *rivals) if one != chosen)
    least = min([z, *leads.values()])
    return Alignment(found, how, not rivals, order, least, names, 1.0, len(blocks[best]), "blocks")


def _by_block(plane: Capture, shares: Shares, lies: list[Lie]) -> dict[Lie, NDArray[np.float64]]:
    """The score of arrangements by blocks of the frame; each field counts in units of what chance would give it."""
    total = {lie: np.zeros(tuple(side // BLOCK for side in plane.images.shape[2:4])) for lie in lies}
    for unmoved in {replace(lie, by=(0, 0)) for lie in lies}:
        for seen, shown in _fields(plane, shares, unmoved):
            chance = float(np.sqrt((np.square(seen).mean((1, 2)) * np.square(shown).mean((1, 2))).sum() * seen[0].size))
            for lie in lies if chance > 0 else ():
                if replace(lie, by=(0, 0)) == unmoved:
                    total[lie] += _sums((seen * np.roll(shown, lie.by, (1, 2))).sum(0), plane) / chance
    return {lie: found.ravel() for lie, found in total.items()}


def _sums(field: NDArray, plane: Capture) -> NDArray[np.float64]:
    """Sums over blocks of the frame of a field on the chip."""
    rows, columns = (
        (np.arange(size // BLOCK * BLOCK) + first) % side
        for size, first, side in zip(plane.images.shape[2:4], plane.sensor.origin, field.shape, strict=True)
    )
    part = field[rows[:, None], columns].astype(np.float64)
    return part.reshape(len(rows) // BLOCK, BLOCK, len(columns) // BLOCK, BLOCK).sum((1, 3))


def _order(capture: Capture) -> tuple[str, bool]:
    """Whether neighbouring exposures tell the order of the frames, and whether it is the reverse."""
    code = capture.sensor.at(0).code
    if np.array_equal(code, code[::-1]):
        return "symmetric", False
    if len(capture) < 2 or capture.sensor.timing.dead_frames >= capture.sensor.frames:
        return "unknown", False
    rows, columns = (slice(max((size - MIDDLE) // 2, 0), (size + MIDDLE) // 2) for size in capture.images.shape[2:4])
    part = capture[: code_arrangement.EXPOSURES]
    middle = Capture(np.asarray(part.images)[:, :, rows, columns], part.sensor.crop(rows, columns), part.record)
    found = code_arrangement.continuity(Tikhonov().reconstruct(middle.planes()[0]))
    return ("told", found < 0) if abs(found) > SURE else ("unknown", False)
