"""The link that carries the code onto the chip: how fast codes can follow each other, and which codes the pixels can follow.

A chip of H x W pixels with one bit of memory each wants H W bits for every sub-exposure, so that the bandwidth of the link sets

    shortest sub-exposure = H W / bandwidth

and this bandwidth hardly changes between chips of one generation: 39,000 codes/s of 320 x 320 and 12,500 of VGA are both 4 Gb/s.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sensors.refusal import Refusal


def one_bit(code: NDArray) -> bool:
    """Each pixel either collects or does not: all values are 0 or 1."""
    return bool(np.isin(code, (0, 1)).all())


def single_bump(code: NDArray) -> bool:
    """Each pixel collects in one go, without a break (Hitomi et al., ICCV 2011; Zhang et al., 2016): at most one rise."""
    on = np.concatenate([np.zeros((1, *code.shape[1:]), bool), code > 0])
    return bool(((on[1:] & ~on[:-1]).sum(0) <= 1).all())


def monotone(code: NDArray) -> bool:
    """Each pixel only opens, or only closes, in the course of an exposure."""
    step = np.diff(code.astype(np.float64), axis=0)
    return bool(((step >= 0).all(0) | (step <= 0).all(0)).all())


def separable(code: NDArray) -> bool:
    """Each sub-exposure is a column of row signals times a row of column signals: what row and column wires can say."""
    code = code.astype(np.float64)
    rows, columns, peak = code.max(2, keepdims=True), code.max(1, keepdims=True), code.max((1, 2), keepdims=True)
    return bool(np.allclose(code * peak, rows * columns))


def shared(code: NDArray) -> bool:
    """All pixels do the same: a tile of one pixel, or one that repeats it."""
    return bool((code == code[:, :1, :1]).all())


#: What a chip may ask of a code (T, p, q), and how to say so.
CONSTRAINTS: dict[str, tuple[Callable[[NDArray], bool], str]] = {
    "one-bit": (one_bit, "its pixels hold one bit: values are 0 or 1"),
    "single-bump": (single_bump, "its pixels open only once in an exposure: a single bump"),
    "monotone": (monotone, "its pixels only open, or only close, in an exposure: a monotone code"),
    "separable": (separable, "it has only row and column wires: each sub-exposure is rows times columns"),
    "shared": (shared, "all its pixels share one code: a tile of 1x1"),
}


@dataclass(frozen=True)
class CodeLink:
    """Which codes a chip can do. Everything is optional; without settings any code at any rate can be done.

    Parameters
    ----------
    bandwidth_bps : float, optional
        Bits per second onto the chip; needs ``chip``.
    chip : (int, int), optional
        Rows and columns of pixels that hold a code.
    most_frames : int, optional
        Sub-exposures in one exposure.
    largest_tile : (int, int), optional
        Rows and columns of the largest tile.
    constraint : tuple of str
        Names of `CONSTRAINTS`.

    Raises
    ------
    Refusal
        If a number is not positive, a constraint is unknown, or the bandwidth comes without the chip.
    """

    bandwidth_bps: float | None = None
    chip: tuple[int, int] | None = None
    most_frames: int | None = None
    largest_tile: tuple[int, int] | None = None
    constraint: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "constraint", tuple(self.constraint))
        if unknown := [name for name in self.constraint if name not in CONSTRAINTS]:
            raise Refusal(f"code link: unknown constraint {unknown[0]!r}; known: {', '.join(CONSTRAINTS)}")
        for name in ("bandwidth_bps", "most_frames"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise Refusal(f"code link: {name}={value} is not a positive number")
        for name in ("chip", "largest_tile"):
            value = getattr(self, name)
            if value is not None and (len(value) != 2 or min(value) < 1):
                raise Refusal(f"code link: {name}={list(value)} is not [rows, columns] from 1 on")
        if self.bandwidth_bps is not None and self.chip is None:
            raise Refusal("code link: bandwidth_bps needs chip=[rows,columns], the pixels it has to fill")

    @property
    def shortest_sub_exposure(self) -> float:
        """Seconds that a code needs to reach all pixels, H W / bandwidth; 0 where the link is no limit."""
        return 0.0 if self.bandwidth_bps is None or self.chip is None else math.prod(self.chip) / self.bandwidth_bps

    def refusal(self, code: ArrayLike, sub_exposure: float = 0.0) -> str:
        """Why a code cannot be done, in one line; "" if it can.

        Parameters
        ----------
        code : array_like, (T, p, q) or (M, T, p, q)
        sub_exposure : float
            Seconds; 0 where it is not known, which no link refuses.
        """
        code = np.asarray(code)
        frames, *tile = code.shape[-3:]
        least = self.shortest_sub_exposure
        if 0 < sub_exposure < least * (1 - _ROUNDING):
            return (
                f"a code of {'x'.join(map(str, self.chip or ()))} pixels takes {least:.3g} s over a link of "
                f"{self.bandwidth_bps:.3g} bit/s; needed: sub_exposure of at least that, not {sub_exposure:.3g} s"
            )
        if self.most_frames is not None and frames > self.most_frames:
            return f"it takes at most {self.most_frames} sub-exposures in one exposure; this code has {frames}"
        for what, limit in (("largest tile is", self.largest_tile), ("chip has", self.chip)):
            if limit is not None and any(size > most for size, most in zip(tile, limit, strict=True)):
                return f"its {what} {limit[0]}x{limit[1]} pixels; this code has a tile of {tile[0]}x{tile[1]}"
        for name in self.constraint:
            holds, reason = CONSTRAINTS[name]
            if not all(holds(each) for each in code.reshape(-1, *code.shape[-3:])):
                return f"{reason}; this code is not {name}"
        return ""


_ROUNDING = 1e-6  # 12,500 codes/s are 80 us, whatever the last digit says
