"""Companding: fewer bits for the same range, with steps that stay below shot noise (as Phantom cameras store 12 bits in 10).

======  ===========================================================
symbol  meaning
======  ===========================================================
v       what the converter gives, 0 .. V = 2**bits - 1, in DN
s       what is stored, 0 .. M = 2**stored_bits - 1
k       where the curve turns from a line into a square root, in DN
======  ===========================================================

    s = M (sqrt(v + k) - sqrt(k)) / (sqrt(V + k) - sqrt(k)),    k = M^2 / (4 (V - M))

which has slope 1 in the dark, where read noise asks for every step, and steps that grow with the square root, as shot noise does.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray


@lru_cache(maxsize=8)
def compression_table(bits: int, stored_bits: int) -> NDArray[np.uint16]:
    """s of each v: (2**bits,), rising, from 0 to 2**stored_bits - 1."""
    largest, stored = 2**bits - 1, 2**stored_bits - 1
    k = stored**2 / (4 * (largest - stored))
    v = np.arange(largest + 1, dtype=np.float64)
    s = stored * (np.sqrt(v + k) - np.sqrt(k)) / (np.sqrt(largest + k) - np.sqrt(k))
    return _kept(np.rint(s).astype(np.uint16))


@lru_cache(maxsize=8)
def expansion_table(bits: int, stored_bits: int) -> NDArray[np.float32]:
    """The middle of the v that are stored as each s, (2**stored_bits,) in DN."""
    first, count = _steps(bits, stored_bits)
    return _kept((first + (count - 1) / 2).astype(np.float32))


@lru_cache(maxsize=8)
def step_table(bits: int, stored_bits: int) -> NDArray[np.float32]:
    """How many v are stored as each s, (2**stored_bits,): the step of the quantisation, whose variance is step^2 / 12."""
    return _kept(_steps(bits, stored_bits)[1].astype(np.float32))


def look_up(table: NDArray[np.float32], stored: ArrayLike) -> NDArray[np.float32]:
    """The table at each stored value; between two entries where values are no longer whole, as in a mean of images."""
    stored = np.asarray(stored)
    if stored.dtype.kind in "ui":
        return table[np.clip(stored, 0, len(table) - 1)]
    return np.interp(stored, np.arange(len(table)), table).astype(np.float32)


def _steps(bits: int, stored_bits: int) -> tuple[NDArray, NDArray]:
    """First v and number of v of each s. Each s has some: the slope nowhere exceeds 1."""
    _, first, count = np.unique(compression_table(bits, stored_bits), return_index=True, return_counts=True)
    return first, count


def _kept(table: NDArray) -> NDArray:
    table.flags.writeable = False
    return table
