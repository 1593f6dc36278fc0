"""Code-to-pixel registration: show every code memory its own address, bit by bit, and read it off the image.

The bit planes of the address in Gray code are loaded as exposure codes under flat light, each also as its complement: a pixel that
is brighter under the plane than under the complement has a 1. Neighbouring Gray codes differ in one bit, so that a pixel between two
cells errs by one address at most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sensors.refusal import Refusal

#: Part of the usual contrast of plane against complement below which a pixel does not follow its code.
_FOLLOWS = 0.25


@dataclass(frozen=True)
class Registration:
    """Which row (or column) of the code memory drives each row (or column) of the image.

    Parameters
    ----------
    offset : int
        Address of image row 0.
    flipped : bool
        Whether addresses fall from row to row.
    agreement : float
        Part of the pixels that follow their code and have the address that offset and flip say.
    stuck : ndarray of bool, (H, W)
        Pixels that do not follow some bit of their code.
    skipped : tuple of int
        Image rows at which addresses do not go on by one.
    """

    offset: int
    flipped: bool
    agreement: float
    stuck: NDArray[np.bool_]
    skipped: tuple[int, ...]


def gray_planes(length: int) -> NDArray[np.uint8]:
    """The bit planes of the addresses 0 .. length - 1 in Gray code, most significant first, (bits, length)."""
    address = np.arange(length)
    bits = max(1, int(length - 1).bit_length())
    return ((address ^ (address >> 1))[None] >> np.arange(bits - 1, -1, -1)[:, None] & 1).astype(np.uint8)


def decode(planes: ArrayLike, complements: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The address of every pixel (H, W), and which pixels do not follow their code.

    Parameters
    ----------
    planes, complements : array_like, (bits, H, W)
        Images of the bucket that collects while the code is 1, most significant bit first.

    Raises
    ------
    Refusal
        If the two do not match in shape, or no pixel responds.
    """
    planes, complements = np.asarray(planes, np.float64), np.asarray(complements, np.float64)
    if planes.shape != complements.shape or planes.ndim != 3 or not len(planes):
        raise Refusal(
            f"Gray-code images {planes.shape} and their complements {complements.shape} should be (bits, rows, columns)"
        )
    contrast = planes - complements
    usual = np.median(np.abs(contrast))
    if not usual > 0:
        raise Refusal("no pixel tells a Gray-code plane from its complement; was the light on?")
    binary = np.logical_xor.accumulate(contrast > 0, axis=0)
    weights = 1 << np.arange(len(binary) - 1, -1, -1)
    return np.tensordot(weights, binary.astype(np.int64), 1), (np.abs(contrast) < _FOLLOWS * usual).any(0)


def register(address: NDArray[np.int64], stuck: NDArray[np.bool_], axis: int) -> Registration:
    """Offset and direction of decoded addresses (H, W) along an axis of the image: 0 for rows, 1 for columns.

    Raises
    ------
    Refusal
        If fewer than half of the pixels agree on any offset.
    """
    address, stuck = (address, stuck) if axis == 0 else (address.T, stuck.T)
    follows = np.where(stuck, -1, address)
    place = np.arange(len(address))[:, None]
    fits = []
    for sign in (1, -1):
        offsets = (address - sign * place)[~stuck]
        values, counts = np.unique(offsets, return_counts=True)
        if len(values):
            best = int(values[counts.argmax()])
            fits.append((float((follows == best + sign * place).mean()), best, sign))
    agreement, offset, sign = max(fits, default=(0.0, 0, 1))
    # the usual address of each row; a jump is a skipped or dummy row
    rows = np.array([np.bincount(row[row >= 0]).argmax() if (row >= 0).any() else -1 for row in follows])
    jumps = np.flatnonzero((np.diff(rows) != sign) & (rows[1:] >= 0) & (rows[:-1] >= 0)) + 1
    if agreement < 0.5 and len(jumps) > len(rows) // 2:
        raise Refusal(
            "the Gray-code images do not give addresses that rise or fall by one; are the planes in order, highest first?"
        )
    return Registration(offset, sign < 0, agreement, stuck if axis == 0 else stuck.T, tuple(map(int, jumps)))
