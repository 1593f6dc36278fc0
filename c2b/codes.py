"""The codes of the field, each an array (T, p, q) in [0, 1]: code[t, i, j] is 1 while pixel (i, j) of the tile collects.

A tile of p x q pixels repeats over the chip. A 1x1 tile is one code for all pixels (a flutter shutter); a tile as large as the chip
is a full-resolution mask.
"""

from __future__ import annotations

from math import isqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import c2b
from c2b import code_files
from sensors import spec
from sensors.memory_budget import refuse_beyond
from sensors.refusal import Refusal

#: Raskar, Agrawal, Tumblin, "Coded exposure photography: motion deblurring using fluttered shutter", SIGGRAPH 2006: 52 chips, 26 open.
RASKAR_52 = "1010000111000001010000110011110111010111001001100111"

#: No array of codes is made larger than this many values.
LARGEST_CODE = 2**28

#: Bytes for each value while a code is made and a sensor checks it.
BYTES_EACH = 12

Tile = int | tuple[int, int]


def make(text: str) -> NDArray:
    """A code by its name, or from a file: ``codes.make("impulse:tile=3")``, ``codes.make("mask.npy")``; a folder holds a picture each.

    Raises
    ------
    Refusal
        If the name, a setting or the file is unknown or wrong.

    Examples
    --------
    >>> make("impulse:tile=2").reshape(4, 4).tolist()
    [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    """
    if is_file(text):
        return code_files.read_code(text)
    return spec.make(c2b.CODES, "code", text)


def is_file(text: str) -> bool:
    """Whether a word means a file or a folder of pictures rather than the name of a code."""
    return spec.is_file(text) or (text.partition(":")[0] not in c2b.CODES and Path(text).is_dir())


def impulse(tile: Tile = 3) -> NDArray[np.uint8]:
    """Sequential impulse: each pixel of the tile sees exactly one frame, in reading order.

    Frame t is seen by pixel (t // q, t % q) of a p x q tile, so T = p q. The default 3x3x9 is the code of the coded-blurred pair
    network (Anupama, Prasan, Mitra, "Video reconstruction by spatio-temporal fusion of blurred-coded image pair", ICPR 2020); the
    sampling is that of Bub et al., "Temporal pixel multiplexing", Nature Methods 2010.
    """
    p, q = _tile(tile)
    _check_size(p * q, p, q)
    return np.eye(p * q, dtype=np.uint8).reshape(p * q, p, q)


def long(frames: int = 9) -> NDArray[np.uint8]:
    """Long exposure: every pixel is open throughout. Under a two-bucket sensor the second bucket stays dark."""
    _check_size(_frames(frames), 1, 1)
    return np.ones((frames, 1, 1), np.uint8)


def bernoulli(frames: int = 9, tile: Tile = 3, probability: float = 0.5, seed: int = 0) -> NDArray[np.uint8]:
    """Bernoulli: each pixel is open in each frame with the given probability, independently.

    The code of compressed sensing; with a tile as large as the chip the random mask of the SCI benchmark (Llull et al., "Coded
    aperture compressive temporal imaging", Optics Express 2013).
    """
    if not 0 <= probability <= 1:
        raise Refusal(f"probability={probability} is out of range; needed: 0 <= probability <= 1")
    p, q = _tile(tile)
    _check_size(_frames(frames), p, q)
    return (_rng(seed).random((frames, p, q), np.float32) < probability).astype(np.uint8)


def bump(frames: int = 9, tile: Tile = 3, length: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    """Single bump: each pixel opens once, for ``length`` frames in a row, from its own random start.

    Hitomi et al., "Video from a single coded exposure photograph using a learned over-complete dictionary", ICCV 2011, for pixels
    that cannot be opened twice. The possible starts are dealt out evenly over the tile, in random order, so that all frames are
    seen about equally often.
    """
    p, q = _tile(tile)
    if not 1 <= length <= _frames(frames):
        raise Refusal(f"a bump of length={length} does not fit into {frames} frames; needed: 1 <= length <= frames")
    _check_size(frames, p, q)
    starts = (
        np.resize(np.arange(frames - length + 1), p * q)
        if p * q >= frames - length + 1
        else np.linspace(0, frames - length, p * q).round()
    )
    starts = _rng(seed).permutation(starts.astype(int)).reshape(p, q)
    t = np.arange(frames)[:, None, None]
    return ((t >= starts) & (t < starts + length)).astype(np.uint8)


def hadamard(order: int = 4) -> NDArray[np.uint8]:
    """Hadamard tile: pixel k of the tile follows row k of a Hadamard matrix, -1 taken as 0; T = order = p q.

    With two buckets their difference is the Hadamard measurement itself (Wei et al., "Coded two-bucket cameras for computer
    vision", ECCV 2018; Schechner, Nayar, Belhumeur, "Multiplexing for optimal lighting", PAMI 2007). The first row is open
    throughout. Orders 1, 2 and multiples of 4 that Sylvester's and Paley's constructions reach.
    """
    matrix = _hadamard_matrix(order)
    return np.ascontiguousarray((1 + matrix.T) // 2, dtype=np.uint8).reshape(order, *_squarest(order))


def s_matrix(order: int = 15) -> NDArray[np.uint8]:
    """S-matrix tile: pixel k follows row k of an S-matrix, the best 0/1 weighing design of one bucket; T = order = p q.

    A Hadamard matrix of order + 1 without its first row and column, -1 taken as open (Harwit and Sloane, "Hadamard transform
    optics", 1979). Orders 4k - 1: 3, 7, 11, 15, ...
    """
    if order < 1 or (order + 1) % 4:
        raise Refusal(f"there is no S-matrix of order {order}; orders are 4k - 1: 3, 7, 11, 15, 19, 23, ...")
    matrix = _hadamard_matrix(order + 1)[1:, 1:]
    return np.ascontiguousarray((1 - matrix.T) // 2, dtype=np.uint8).reshape(order, *_squarest(order))


def shifting_mask(
    frames: int = 8, tile: Tile = 8, step: int = 1, probability: float = 0.5, seed: int = 0, across: int = 0, mask: str = ""
) -> NDArray:
    """Shifting mask: one random mask that moves by ``step`` rows down and ``across`` columns to the right from frame to frame.

    CACTI (Llull et al., "Coded aperture compressive temporal imaging", Optics Express 2013), where a piezo stage moves a chrome mask.
    What enters is new, not wrapped around.

    Parameters
    ----------
    mask : str
        A file of one mask (H, W) that moves, instead of a random one; wrapped around, so that a mask that is larger than the frame
        by the way it goes needs no wrapping.
    """
    if mask:
        one = code_files.read_mask(mask)
        _check_size(_frames(frames), *one.shape)
        return np.stack([np.roll(one, (step * t, across * t), (0, 1)) for t in range(_frames(frames))])
    p, q = _tile(tile)
    _check_size(_frames(frames), p, q)
    if not 0 <= probability <= 1:
        raise Refusal(f"probability={probability}: needed 0 <= probability <= 1")
    rows, columns = p + abs(step) * (frames - 1), q + abs(across) * (frames - 1)
    _check_size(1, rows, columns)
    down, right = (np.arange(frames) * move for move in (step, across))
    drawn = (_rng(seed).random((rows, columns), np.float32) < probability).astype(np.uint8)
    corners = zip(down.max() - down, right.max() - right, strict=True)
    return np.stack([drawn[top : top + p, left : left + q] for top, left in corners])


def flutter(chips: str = "raskar") -> NDArray[np.uint8]:
    """Flutter shutter: one sequence for all pixels, (T, 1, 1).

    Parameters
    ----------
    chips : str
        ``raskar``: the 52 chips of Raskar et al., SIGGRAPH 2006. ``mls63``: a maximum-length sequence of 2^n - 1 chips (Golomb,
        "Shift register sequences", 1967). Any other word of 0 and 1 is taken as it stands.
    """
    if chips == "raskar":
        sequence = RASKAR_52
    elif chips.startswith("mls"):
        sequence = _maximum_length(chips)
    else:
        sequence = chips
    if not sequence or set(sequence) - {"0", "1"}:
        raise Refusal(f"chips={chips!r} is not raskar, mls63 or a word of 0 and 1 such as 110100101")
    return np.array([int(chip) for chip in sequence], np.uint8).reshape(-1, 1, 1)


def _maximum_length(chips: str) -> str:
    from scipy.signal import max_len_seq

    length = int(chips[3:]) if chips[3:].isdigit() else 0
    bits = (length + 1).bit_length() - 1
    if length != 2**bits - 1 or not 2 <= bits <= 16:
        raise Refusal(
            f"chips={chips}: a maximum-length sequence has 2^n - 1 chips: mls3, mls7, mls15, mls31, mls63, ... mls65535"
        )
    return "".join(map(str, max_len_seq(bits)[0]))


def _hadamard_matrix(order: int) -> NDArray[np.int64]:
    """By Sylvester's doubling and Paley's first construction over the primes 4k - 1."""
    if 1 <= order <= 2:
        return np.array([[1, 1], [1, -1]])[:order, :order]
    if order > 2 and order % 4 == 0:
        if order <= 4096 and _is_prime(order - 1):
            return _paley(order - 1)
        if order <= 4096 and (order % 8 == 0 or order == 4):
            half = _hadamard_matrix(order // 2)
            return np.block([[half, half], [half, -half]])
    raise Refusal(f"no Hadamard matrix of order {order} by Sylvester or Paley; try 1, 2, 4, 8, 12, 16, 20, 24, 32 ... up to 4096")


def _paley(prime: int) -> NDArray[np.int64]:
    """Order prime + 1, normalised so that the first row and column are ones."""
    residue = np.full(prime, -1)
    residue[np.arange(1, prime) ** 2 % prime] = 1
    residue[0] = -1
    matrix = np.ones((prime + 1, prime + 1), np.int64)
    matrix[1:, 1:] = residue[(np.arange(prime) - np.arange(prime)[:, None]) % prime]
    return matrix


def _is_prime(n: int) -> bool:
    return n > 1 and all(n % d for d in range(2, isqrt(n) + 1))


def _squarest(pixels: int) -> tuple[int, int]:
    """p x q = pixels with p <= q as near to a square as it goes."""
    p = next(d for d in range(isqrt(pixels), 0, -1) if pixels % d == 0)
    return p, pixels // p


def _tile(tile: Tile) -> tuple[int, int]:
    p, q = (tile, tile) if isinstance(tile, int) else tile
    if p < 1 or q < 1:
        raise Refusal(f"a tile of {p}x{q} pixels is empty; needed: at least 1x1")
    return p, q


def _frames(frames: int) -> int:
    if frames < 1:
        raise Refusal(f"frames={frames}: a code has at least one frame")
    return frames


def _check_size(frames: int, p: int, q: int) -> None:
    if frames * p * q > LARGEST_CODE:
        raise Refusal(f"a code of {frames}x{p}x{q} values is larger than 2^28; take a smaller tile or fewer frames")
    refuse_beyond(BYTES_EACH * frames * p * q, f"a code of {frames}x{p}x{q} values")


def _rng(seed: int) -> np.random.Generator:
    if seed < 0:
        raise Refusal(f"seed={seed} is negative; give 0 or more")
    return np.random.default_rng(seed)
