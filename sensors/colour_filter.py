"""The colour filter array: each pixel sees one colour, repeating every 2x2 pixels (Bayer, US patent 3971065, 1976).

A pattern names the four pixels from the chip's [0, 0], row by row: ``rggb`` has red at [0, 0] and blue at [1, 1]. Each of the four
phases, every second pixel in both directions, is a picture of one colour: a mono sensor with every second pixel of the code.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sensors.refusal import Refusal

PATTERNS = ("rggb", "bggr", "grbg", "gbrg")

#: Row and column at which each phase begins.
PHASES = ((0, 0), (0, 1), (1, 0), (1, 1))


def mosaic(video: NDArray, pattern: str, origin: tuple[int, int] = (0, 0)) -> NDArray:
    """What the pixels see of a colour video: one of its three values.

    Parameters
    ----------
    video : ndarray, (..., H, W, 3)
    pattern : str
        One of `PATTERNS`.
    origin : (int, int)
        Chip address of pixel [0, 0].

    Returns
    -------
    ndarray, (..., H, W)
        In the type of the video.
    """
    if video.ndim < 3 or video.shape[-1] != 3:
        raise Refusal(f"video of shape {video.shape} has no three colours to filter; needed: (..., H, W, 3)")
    seen = np.empty(video.shape[:-1], video.dtype)
    for (row, column), colour in zip(PHASES, shifted(pattern, origin), strict=True):
        seen[..., row::2, column::2] = video[..., row::2, column::2, "rgb".index(colour)]
    return seen


def shifted(pattern: str, origin: tuple[int, int]) -> str:
    """The pattern as a frame at ``origin`` sees it.

    Examples
    --------
    >>> shifted("rggb", (0, 1))
    'grbg'
    """
    if pattern not in PATTERNS:
        raise Refusal(f"unknown mosaic {pattern!r}; known: {', '.join(PATTERNS)}")
    return "".join(pattern[2 * ((row + origin[0]) % 2) + (column + origin[1]) % 2] for row, column in PHASES)


def planes(image: NDArray) -> list[NDArray]:
    """The four phases of a mosaic (..., H, W), in the order of `PHASES`, as views. The inverse is `interleave`."""
    if min(image.shape[-2:]) < 2:
        raise Refusal(f"a mosaic of {image.shape[-2]}x{image.shape[-1]} has no four colours; needed: 2x2 pixels at least")
    return [image[..., row::2, column::2] for row, column in PHASES]


def interleave(phases: Sequence[NDArray]) -> NDArray:
    """The mosaic (..., H, W) of four phases. The inverse of `planes`."""
    height, width = (phases[0].shape[axis] + phases[3].shape[axis] for axis in (-2, -1))
    image = np.empty((*phases[0].shape[:-2], height, width), phases[0].dtype)
    for part, phase in zip(planes(image), phases, strict=True):
        part[...] = phase
    return image


def every_second(field: NDArray, row: int, column: int) -> NDArray:
    """A periodic field (..., p, q) as the phase that begins at chip address [row, column] sees it: permuted where a side is odd."""
    p, q = field.shape[-2:]
    rows, columns = (
        (start % 2 + 2 * np.arange(side if side % 2 else side // 2)) % side for start, side in ((row, p), (column, q))
    )
    return field[..., rows[:, None], columns]
