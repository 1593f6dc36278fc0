"""What a code may become in one move, under what a chip can do (the constraints of `sensors.code_link`).

A space of codes begins with a random one, and proposes for each of its sites, which are pixels or wires, the one change that promises
most by the gradient.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensors.refusal import Refusal

Code = NDArray[np.uint8]


def flips(timeline: Code) -> Code:
    """One sub-exposure the other way."""
    return timeline ^ np.eye(len(timeline), dtype=np.uint8)


def swaps(timeline: Code) -> Code:
    """One sub-exposure opened and one shut, so that as many stay open."""
    shut, opened = np.flatnonzero(timeline == 0), np.flatnonzero(timeline)
    made = np.repeat(timeline[None], shut.size * opened.size, 0)
    rows = np.arange(len(made))
    made[rows, np.repeat(shut, opened.size)] = 1
    made[rows, np.tile(opened, shut.size)] = 0
    return made


def bumps(timeline: Code) -> Code:
    """Open once, of any length."""
    frames = len(timeline)
    first, last = np.triu_indices(frames)
    t = np.arange(frames)
    return ((t >= first[:, None]) & (t <= last[:, None])).astype(np.uint8)


def steps(timeline: Code) -> Code:
    """Only opening, or only closing, at any time."""
    lower = np.tri(len(timeline), dtype=np.uint8)
    return np.concatenate([lower, 1 - lower])


#: Moves of a pixel under each constraint that holds of single pixels.
MOVES: dict[str, Callable[[Code], Code]] = {"single-bump": bumps, "monotone": steps}


class Space(ABC):
    """Codes (T, p, q) that a chip can do."""

    @abstractmethod
    def beginning(self, frames: int, tile: tuple[int, int], opened: int, rng: np.random.Generator) -> Code:
        """A random code whose pixels are open in about so many sub-exposures."""

    @abstractmethod
    def propose(self, code: Code, gradient: NDArray[np.float64]) -> tuple[NDArray[np.float64], Callable[[NDArray], Code]]:
        """What the best change of each site promises, (n,), and the code after those of some sites."""


@dataclass(frozen=True)
class Pixels(Space):
    """Sites are the pixels of the tile; ``alternatives`` gives the timelines (n, T) that one (T,) may become."""

    alternatives: Callable[[Code], Code]

    def beginning(self, frames: int, tile: tuple[int, int], opened: int, rng: np.random.Generator) -> Code:
        if self.alternatives in (flips, swaps):
            return (np.argsort(rng.random((frames, *tile)), axis=0) < opened).astype(np.uint8)
        known = self.alternatives(np.zeros(frames, np.uint8))
        away = np.abs(known.sum(1, dtype=int) - opened)
        near = known[away == away.min()]
        return np.moveaxis(near[rng.integers(len(near), size=tile)], -1, 0)

    def propose(self, code: Code, gradient: NDArray[np.float64]) -> tuple[NDArray[np.float64], Callable[[NDArray], Code]]:
        lines: Code = np.moveaxis(code, 0, -1).reshape(-1, len(code))
        slopes = np.moveaxis(gradient, 0, -1).reshape(-1, len(code))
        made = [self.alternatives(line) for line in lines]
        promised = [(one.astype(np.float64) - line) @ slope for one, line, slope in zip(made, lines, slopes, strict=True)]
        best = np.stack([one[gains.argmax()] for one, gains in zip(made, promised, strict=True)])

        def after(sites: NDArray) -> Code:
            new = lines.copy()
            new[sites] = best[sites]
            return np.ascontiguousarray(np.moveaxis(new.reshape(*code.shape[1:], -1), -1, 0))

        return np.array([gains.max() for gains in promised]), after


class Wires(Space):
    """Each sub-exposure is a column of row signals times a row of column signals; sites are the wires in each sub-exposure."""

    def beginning(self, frames: int, tile: tuple[int, int], opened: int, rng: np.random.Generator) -> Code:
        share = np.sqrt(opened / frames)
        rows, columns = (rng.random((frames, side)) < share for side in tile)
        return (rows[:, :, None] & columns[:, None, :]).astype(np.uint8)

    def propose(self, code: Code, gradient: NDArray[np.float64]) -> tuple[NDArray[np.float64], Callable[[NDArray], Code]]:
        rows, columns = code.max(2), code.max(1)
        by_row = np.einsum("tij,tj->ti", gradient, columns) * (1.0 - 2.0 * rows)
        by_column = np.einsum("tij,ti->tj", gradient, rows) * (1.0 - 2.0 * columns)
        dark = ~code.any((1, 2))  # both wires of a sub-exposure that is all shut: open them by chance only
        by_row[dark], by_column[dark] = 0, 0

        def after(sites: NDArray) -> Code:
            new_rows, new_columns = rows.copy(), columns.copy()
            first, second = sites[sites < rows.size], sites[sites >= rows.size] - rows.size
            new_rows.flat[first] ^= 1
            new_columns.flat[second] ^= 1
            return new_rows[:, :, None] & new_columns[:, None, :]

        return np.concatenate([by_row.ravel(), by_column.ravel()]), after


def space(constraints: tuple[str, ...], *, same_light: bool) -> Space:
    """The codes that satisfy all constraints; with ``same_light`` all pixels are open equally long.

    Raises
    ------
    Refusal
        If they cannot be combined.
    """
    binding = [name for name in dict.fromkeys(constraints) if name in (*MOVES, "separable")]
    if len(binding) > 1 or (same_light and binding):
        raise Refusal(f"{' and '.join([*binding, *['the same light'] * same_light])} together are not supported; choose one")
    if binding == ["separable"]:
        return Wires()
    return Pixels(MOVES[binding[0]] if binding else swaps if same_light else flips)
