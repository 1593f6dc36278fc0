"""Which way up a picture is stored: the eight orientations of EXIF and TIFF, and the display matrices of video that mean the same.

==  =================================================  ==  =======================================================
1   upright                                            5   turned by 90 degrees clockwise, then mirrored
2   mirrored left to right                             6   turned by 90 degrees clockwise
3   turned by 180 degrees                              7   turned by 90 degrees counterclockwise, then mirrored
4   mirrored top to bottom                             8   turned by 90 degrees counterclockwise
==  =================================================  ==  =======================================================

The words say what is done to the stored picture so that it stands upright. (JEITA CP-3451, Exif 2.3, 2010, tag 274.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

UPRIGHT = 1

_WORDS = {
    2: "mirrored left to right",
    3: "turned by 180 degrees",
    4: "mirrored top to bottom",
    5: "turned by 90 degrees clockwise, then mirrored left to right",
    6: "turned by 90 degrees clockwise",
    7: "turned by 90 degrees counterclockwise, then mirrored left to right",
    8: "turned by 90 degrees counterclockwise",
}

#: By the signs of a, b, c, d of a matrix that takes the stored x, y to a x + c y, b x + d y.
_BY_SIGNS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}

#: Part of the largest entry of a display matrix that counts as 0.
_NOTHING = 0.01


def known(value: object) -> int:
    """An orientation tag as a number from 1 to 8; anything else means upright, as viewers take it."""
    return value if isinstance(value, int) and value in _WORDS else UPRIGHT


def words(orientation: int) -> str:
    """What is done to stored frames so that they stand upright; empty if nothing."""
    return _WORDS.get(orientation, "")


def of_matrix(matrix: Sequence[int]) -> int | None:
    """The orientation that a display matrix (3x3, row by row; all zeros: none) means, or None if its angle is none of them."""
    entries = np.array([matrix[0], matrix[1], matrix[3], matrix[4]], np.float64)
    largest = np.abs(entries).max()
    if not largest:
        return UPRIGHT
    signs = np.where(np.abs(entries) <= _NOTHING * largest, 0, np.sign(entries))
    a, b, c, d = (int(sign) for sign in signs)
    return _BY_SIGNS.get((a, b, c, d))


def size_upright(height: int, width: int, orientation: int) -> tuple[int, int]:
    """Height and width of a stored picture once it stands upright."""
    return (width, height) if orientation >= 5 else (height, width)


def upright(frames: NDArray, orientation: int, *, rows: int = 1) -> NDArray:
    """Stored frames the way up that they are shown.

    Parameters
    ----------
    frames : ndarray, (..., H, W, ...)
    orientation : int
        1 to 8.
    rows : int
        The axis of the rows; columns are the next.

    Returns
    -------
    ndarray, (..., H, W, ...) or (..., W, H, ...)
        ``frames`` themselves for orientation 1, else a copy.
    """
    if orientation == UPRIGHT:
        return frames
    shown = frames.swapaxes(rows, rows + 1) if orientation >= 5 else frames
    flips = tuple(axis for axis, turned in ((rows, (3, 4, 7, 8)), (rows + 1, (2, 3, 6, 7))) if orientation in turned)
    return np.ascontiguousarray(np.flip(shown, flips))
