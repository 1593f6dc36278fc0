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

import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sensors.refusal import Refusal

#: So many pixels numpy unpacks in less time than it takes to load the compiler; it needs ten bytes of memory for each.
FEW = 1 << 23


class Packing(NamedTuple):
    """Groups of ``pixels`` pixels of ``bits`` bit in ``bytes`` bytes; the pixels of the bytes, and the bytes of the pixels."""

    bits: int
    pixels: int
    bytes: int
    unpacked: Callable[..., tuple[NDArray[np.uint16], ...]]
    packed: Callable[..., tuple[NDArray[np.uint16], ...]]


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
    if target.size <= FEW and "numba" not in sys.modules:
        _unpack_groups(kind, source, groups, target)
    else:
        from c2b.video.pixel_unpacking import KERNELS
        from sensors.kernel import rows

        rows(KERNELS[packing], len(target), source, groups, target, work=target.size)
    if rest := width - groups * kind.pixels:
        tail = np.zeros((len(target), kind.bytes), np.uint8)
        tail[:, : needed - groups * kind.bytes] = source[:, groups * kind.bytes : needed]
        whole = np.empty((len(target), kind.pixels), np.uint16)
        _unpack_groups(kind, tail, 1, whole)
        target[:, -rest:] = whole[:, :rest]
    return out


def pack(pixels: NDArray, packing: str) -> NDArray[np.uint8]:
    """Rows of pixels to rows of packed bytes, (..., width) to (..., row_bytes): the inverse of `unpack`.

    Raises
    ------
    Refusal
        If the packing is unknown, or a pixel does not fit its bits.

    Examples
    --------
    >>> pack(np.array([[0xABC, 0x123]], np.uint16), "Mono12p").tobytes().hex()
    'bc3a12'
    """
    kind, width = _packing(packing), pixels.shape[-1]
    if pixels.dtype.kind not in "ui" or (pixels.size and not 0 <= pixels.min() <= pixels.max() < 1 << kind.bits):
        raise Refusal(f"{packing} holds whole numbers from 0 to {(1 << kind.bits) - 1}")
    groups = -(-width // kind.pixels)
    source = np.zeros((*pixels.shape[:-1], groups * kind.pixels), np.uint16)
    source[..., :width] = pixels
    target = np.empty((*pixels.shape[:-1], groups * kind.bytes), np.uint8)
    for k, part in enumerate(kind.packed(*(source[..., k :: kind.pixels] for k in range(kind.pixels)))):
        target[..., k :: kind.bytes] = part & 255
    return target[..., : row_bytes(packing, width)]


def _unpack_groups(kind: Packing, source: NDArray[np.uint8], groups: int, target: NDArray[np.uint16]) -> None:
    """The first ``groups`` of each row, in numpy."""
    whole = (source[:, k : groups * kind.bytes : kind.bytes].astype(np.uint16) for k in range(kind.bytes))
    for k, pixels in enumerate(kind.unpacked(*whole)):
        target[:, k : groups * kind.pixels : kind.pixels] = pixels


def _packing(name: str) -> Packing:
    if name not in PACKINGS:
        raise Refusal(f"unknown packing {name!r}; known: {', '.join(PACKINGS)}")
    return PACKINGS[name]


PACKINGS = {
    "Mono10p": Packing(
        10,
        4,
        5,
        lambda a, b, c, d, e: (a | (b & 3) << 8, b >> 2 | (c & 15) << 6, c >> 4 | (d & 63) << 4, d >> 6 | e << 2),
        lambda p, q, r, s: (p, p >> 8 | q << 2, q >> 6 | r << 4, r >> 4 | s << 6, s >> 2),
    ),
    "Mono12p": Packing(12, 2, 3, lambda a, b, c: (a | (b & 15) << 8, b >> 4 | c << 4), lambda p, q: (p, p >> 8 | q << 4, q >> 4)),
    "Mono10Packed": Packing(
        10, 2, 3, lambda a, b, c: (a << 2 | b & 3, c << 2 | b >> 4 & 3), lambda p, q: (p >> 2, p & 3 | (q & 3) << 4, q >> 2)
    ),
    "Mono12Packed": Packing(
        12, 2, 3, lambda a, b, c: (a << 4 | b & 15, c << 4 | b >> 4), lambda p, q: (p >> 4, p & 15 | q << 4, q >> 4)
    ),
    "Mono10msb": Packing(
        10,
        4,
        5,
        lambda a, b, c, d, e: (a << 2 | b >> 6, (b & 63) << 4 | c >> 4, (c & 15) << 6 | d >> 2, (d & 3) << 8 | e),
        lambda p, q, r, s: (p >> 2, p << 6 | q >> 4, q << 4 | r >> 6, r << 2 | s >> 8, s),
    ),
    "Mono12msb": Packing(
        12, 2, 3, lambda a, b, c: (a << 4 | b >> 4, (b & 15) << 8 | c), lambda p, q: (p >> 4, p << 4 | q >> 8, q)
    ),
}
