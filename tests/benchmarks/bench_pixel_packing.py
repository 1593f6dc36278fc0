"""Unpacking 14.7 million pixels against the byte slices and shifts one would write in numpy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from c2b.video.pixel_packing import row_bytes, unpack
from tests.benchmarks.interleaved import Ratio, compare

FRAMES, HEIGHT, WIDTH = 16, 720, 1280


def ratios() -> Iterator[Ratio]:
    yield _ratio("Mono12p", _lowest_first, 8)
    yield _ratio("Mono12msb", _highest_first, 8)


def _ratio(packing: str, plain, at_least: float) -> Ratio:
    shape = (FRAMES, HEIGHT, row_bytes(packing, WIDTH))
    packed = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    out = np.empty((FRAMES, HEIGHT, WIDTH), np.uint16)
    assert np.array_equal(plain(packed), unpack(packed, packing, WIDTH, out))
    name = f"unpacking {packing}, {FRAMES}x{HEIGHT}x{WIDTH}"
    return compare(name, lambda: plain(packed), lambda: unpack(packed, packing, WIDTH, out), at_least=at_least, batch=4)


def _lowest_first(packed: NDArray[np.uint8]) -> NDArray[np.uint16]:
    b0, b1, b2 = (packed[..., k::3].astype(np.uint16) for k in range(3))
    return _interleaved(b0 | (b1 & 15) << 8, b1 >> 4 | b2 << 4)


def _highest_first(packed: NDArray[np.uint8]) -> NDArray[np.uint16]:
    b0, b1, b2 = (packed[..., k::3].astype(np.uint16) for k in range(3))
    return _interleaved(b0 << 4 | b1 >> 4, (b1 & 15) << 8 | b2)


def _interleaved(even: NDArray[np.uint16], odd: NDArray[np.uint16]) -> NDArray[np.uint16]:
    out = np.empty((*even.shape[:-1], 2 * even.shape[-1]), np.uint16)
    out[..., ::2], out[..., 1::2] = even, odd
    return out
