"""Pixels of 10 and 12 bit, packed into bytes as cameras send and recorders store them.

=============  ======  ======  ====================================================================================
packing        pixels  bytes   bits, b = byte, p = pixel
=============  ======  ======  ====================================================================================
Mono10p        4       5       one stream of bits, the lowest first (PFNC, USB3 Vision, GenICam)
Mono12p        2       3       p0 = b0 | (b1 & 15) << 8, p1 = b1 >> 4 | b2 << 4
Mono10Packed   2       3       p0 = b0 << 2 | (b1 & 3), p1 = b2 << 2 | (b1 >> 4 & 3) (GigE Vision)
Mono12Packed   2       3       p0 = b0 << 4 | (b1 & 15), p1 = b2 << 4 | b1 >> 4
Mono10msb      4       5       one stream of bits, the highest first (Phantom CINE, TIFF)
Mono12msb      2       3       p0 = b0 << 4 | b1 >> 4, p1 = (b1 & 15) << 8 | b2 (Photron MRAW, Phantom CINE, TIFF)
=============  ======  ======  ====================================================================================

A row ends with a whole byte; pixels that do not fill a group take the bytes their bits reach into.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from sensors.kernel import FLAGS, rows
from sensors.refusal import Refusal


class Packing(NamedTuple):
    """Groups of ``pixels`` pixels of ``bits`` bit in ``bytes`` bytes."""

    bits: int
    pixels: int
    bytes: int
    unpack: Callable[..., None]
    pack: Callable[..., None]


def row_bytes(packing: str, width: int) -> int:
    """The bytes that a row of so many pixels takes."""
    kind = _packing(packing)
    groups, rest = divmod(width, kind.pixels)
    tail = 2 * rest if packing.endswith("Packed") else -(-rest * kind.bits // 8)
    return groups * kind.bytes + tail


def unpack(packed: NDArray[np.uint8], packing: str, width: int, out: NDArray[np.uint16] | None = None) -> NDArray[np.uint16]:
    """Rows of packed bytes to rows of pixels; `pack` undoes it.

    Parameters
    ----------
    packed : ndarray of uint8, (..., bytes)
        At least `row_bytes` in a row; the rest is padding.
    packing : str
        A name of the table above.
    width : int
        Pixels in a row.
    out : ndarray of uint16, (..., width), optional
        C-contiguous.

    Raises
    ------
    Refusal
        If the packing is unknown or a row is too short.
    """
    kind, needed = _packing(packing), row_bytes(packing, width)
    if packed.dtype != np.uint8 or packed.ndim < 1 or packed.shape[-1] < needed:
        raise Refusal(f"{width} pixels of {packing} are {needed} bytes in a row, not {packed.dtype.name} {packed.shape}")
    if out is None:
        out = np.empty((*packed.shape[:-1], width), np.uint16)
    if 0 in out.shape:
        return out
    source, target = packed.reshape(-1, packed.shape[-1]), out.reshape(-1, width)
    groups = width // kind.pixels
    rows(kind.unpack, len(target), source, groups, target, work=target.size)
    if rest := width - groups * kind.pixels:
        tail = np.zeros((len(target), kind.bytes), np.uint8)
        tail[:, : needed - groups * kind.bytes] = source[:, groups * kind.bytes : needed]
        whole = np.empty((len(target), kind.pixels), np.uint16)
        kind.unpack(tail, 1, whole, 0, len(target))
        target[:, -rest:] = whole[:, :rest]
    return out


def pack(pixels: NDArray, packing: str) -> NDArray[np.uint8]:
    """Rows of pixels to rows of packed bytes, (..., width) to (..., row_bytes): the inverse of `unpack`.

    Raises
    ------
    Refusal
        If the packing is unknown, or a pixel does not fit its bits.
    """
    kind, width = _packing(packing), pixels.shape[-1]
    if pixels.dtype.kind not in "ui" or (pixels.size and not 0 <= pixels.min() <= pixels.max() < 1 << kind.bits):
        raise Refusal(f"{packing} holds whole numbers from 0 to {(1 << kind.bits) - 1}")
    groups = -(-width // kind.pixels)
    source = np.zeros((*pixels.shape[:-1], groups * kind.pixels), np.uint16)
    source[..., :width] = pixels
    target = np.empty((*pixels.shape[:-1], groups * kind.bytes), np.uint8)
    if target.size:
        flat = target.reshape(-1, groups * kind.bytes)
        rows(kind.pack, len(flat), source.reshape(len(flat), -1), groups, flat, work=source.size)
    return target[..., : row_bytes(packing, width)]


def _packing(name: str) -> Packing:
    if name not in PACKINGS:
        raise Refusal(f"unknown packing {name!r}; known: {', '.join(PACKINGS)}")
    return PACKINGS[name]


# Plain loops over groups: measured faster than words of 64 bit. Each shift is cast back at once: kept wider, as numba has it, the loop
# is half as fast. Arguments: source and target rows, groups in a row.
U = np.uint16


@numba.njit(**FLAGS)
def _unpack_10p(b, groups, p, first_row, last_row):
    for i in range(first_row, last_row):
        for k in range(groups):
            b0, b1, b2 = U(b[i, 5 * k]), U(b[i, 5 * k + 1]), U(b[i, 5 * k + 2])
            b3, b4 = U(b[i, 5 * k + 3]), U(b[i, 5 * k + 4])
            p[i, 4 * k] = b0 | U((b1 & 3) << 8)
            p[i, 4 * k + 1] = U(b1 >> 2) | U((b2 & 15) << 6)
            p[i, 4 * k + 2] = U(b2 >> 4) | U((b3 & 63) << 4)
            p[i, 4 * k + 3] = U(b3 >> 6) | U(b4 << 2)


@numba.njit(**FLAGS)
def _pack_10p(p, groups, b, first_row, last_row):
    for i in range(first_row, last_row):
        for k in range(groups):
            p0, p1, p2, p3 = p[i, 4 * k], p[i, 4 * k + 1], p[i, 4 * k + 2], p[i, 4 * k + 3]
            b[i, 5 * k] = p0 & 255
            b[i, 5 * k + 1] = p0 >> 8 | (p1 & 63) << 2
            b[i, 5 * k + 2] = p1 >> 6 | (p2 & 15) << 4
            b[i, 5 * k + 3] = p2 >> 4 | (p3 & 3) << 6
            b[i, 5 * k + 4] = p3 >> 2


@numba.njit(**FLAGS)
def _unpack_12p(b, groups, p, first_row, last_row):
    for i in range(first_row, last_row):
        for k in range(groups):
            b0, b1, b2 = U(b[i, 3 * k]), U(b[i, 3 * k + 1]), U(b[i, 3 * k + 2])
            p[i, 2 * k] = b0 | U((b1 & 15) << 8)
            p[i, 2 * k + 1] = U(b1 >> 4) | U(b2 << 4)


@numba.njit(**FLAGS)
def _pack_12p(p, groups, b, first_row, last_row):
    for i in range(first_row, last_row):
        for k in range(groups):
            p0, p1 = p[i, 2 * k], p[i, 2 * k + 1]
            b[i, 3 * k] = p0 & 255
            b[i, 3 * k + 1] = p0 >> 8 | (p1 & 15) << 4
            b[i, 3 * k + 2] = p1 >> 4


@numba.njit(**FLAGS)
def _unpack_10_packed(b, groups, p, first_row, last_row):
    for i in range(first_row, last_row):
        for k in range(groups):
            b0, b1, b2 = U(b[i, 3 * k]), U(b[i, 3 * k + 1]), U(b[i, 3 * k + 2])
            p[i, 2 * k] = U(b0 << 2) | U(b1 & 3)
            p[i, 2 * k + 1] = U(b2 << 2) | U(b1 >> 4 & 3)


@numba.njit(**FLAGS)
def _pack_10_packed(p, groups, b, first_row, last_row):
    for i in range(first_row, last_row):
        for k in range(groups):
            p0, p1 = p[i, 2 * k], p[i, 2 * k + 1]
            b[i, 3 * k] = p0 >> 2
            b[i, 3 * k + 1] = (p0 & 3) | (p1 & 3) << 4
            b[i, 3 * k + 2] = p1 >> 2


@numba.njit(**FLAGS)
def _unpack_12_packed(b, groups, p, first_row, last_row):
    for i in range(first_row, last_row):
        for k in range(groups):
            b0, b1, b2 = U(b[i, 3 * k]), U(b[i, 3 * k + 1]), U(b[i, 3 * k + 2])
            p[i, 2 * k] = U(b0 << 4) | U(b1 & 15)
            p[i, 2 * k + 1] = U(b2 << 4) | U(b1 >> 4)


@numba.njit(**FLAGS)
def _pack_12_packed(p, groups, b, first_row, last_row):
    for i in range(first_row, last_row):
        for k in range(groups):
            p0, p1 = p[i, 2 * k], p[i, 2 * k + 1]
            b[i, 3 * k] = p0 >> 4
            b[i, 3 * k + 1] = (p0 & 15) | (p1 & 15) << 4
            b[i, 3 * k + 2] = p1 >> 4


@numba.njit(**FLAGS)
def _unpack_10_msb(b, groups, p, first_row, last_row):
    for i in range(first_row, last_row):
        for k in range(groups):
            b0, b1, b2 = U(b[i, 5 * k]), U(b[i, 5 * k + 1]), U(b[i, 5 * k + 2])
            b3, b4 = U(b[i, 5 * k + 3]), U(b[i, 5 * k + 4])
            p[i, 4 * k] = U(b0 << 2) | U(b1 >> 6)
            p[i, 4 * k + 1] = U((b1 & 63) << 4) | U(b2 >> 4)
            p[i, 4 * k + 2] = U((b2 & 15) << 6) | U(b3 >> 2)
            p[i, 4 * k + 3] = U((b3 & 3) << 8) | b4


@numba.njit(**FLAGS)
def _pack_10_msb(p, groups, b, first_row, last_row):
    for i in range(first_row, last_row):
        for k in range(groups):
            p0, p1, p2, p3 = p[i, 4 * k], p[i, 4 * k + 1], p[i, 4 * k + 2], p[i, 4 * k + 3]
            b[i, 5 * k] = p0 >> 2
            b[i, 5 * k + 1] = (p0 & 3) << 6 | p1 >> 4
            b[i, 5 * k + 2] = (p1 & 15) << 4 | p2 >> 6
            b[i, 5 * k + 3] = (p2 & 63) << 2 | p3 >> 8
            b[i, 5 * k + 4] = p3 & 255


@numba.njit(**FLAGS)
def _unpack_12_msb(b, groups, p, first_row, last_row):
    for i in range(first_row, last_row):
        for k in range(groups):
            b0, b1, b2 = U(b[i, 3 * k]), U(b[i, 3 * k + 1]), U(b[i, 3 * k + 2])
            p[i, 2 * k] = U(b0 << 4) | U(b1 >> 4)
            p[i, 2 * k + 1] = U((b1 & 15) << 8) | b2


@numba.njit(**FLAGS)
def _pack_12_msb(p, groups, b, first_row, last_row):
    for i in range(first_row, last_row):
        for k in range(groups):
            p0, p1 = p[i, 2 * k], p[i, 2 * k + 1]
            b[i, 3 * k] = p0 >> 4
            b[i, 3 * k + 1] = (p0 & 15) << 4 | p1 >> 8
            b[i, 3 * k + 2] = p1 & 255


PACKINGS = {
    "Mono10p": Packing(10, 4, 5, _unpack_10p, _pack_10p),
    "Mono12p": Packing(12, 2, 3, _unpack_12p, _pack_12p),
    "Mono10Packed": Packing(10, 2, 3, _unpack_10_packed, _pack_10_packed),
    "Mono12Packed": Packing(12, 2, 3, _unpack_12_packed, _pack_12_packed),
    "Mono10msb": Packing(10, 4, 5, _unpack_10_msb, _pack_10_msb),
    "Mono12msb": Packing(12, 2, 3, _unpack_12_msb, _pack_12_msb),
}
