"""From one colour per pixel to three: bilinear, as normalised convolution with scipy.

Each colour is the local mean of its own samples, weighted by their distance (Knutsson, Westin, "Normalized and differential
convolution", CVPR 1993); at a sample it is the sample. Borders need no case of their own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve

from sensors.colour_filter import PHASES, shifted

#: Weight of the samples around a pixel, for red and blue, and for green, which has two of the four pixels.
SPARSE = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 4
DENSE = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]], np.float32) / 4


def demosaic(mosaic: NDArray, pattern: str, origin: tuple[int, int] = (0, 0)) -> NDArray[np.float32]:
    """Three colours of every pixel.

    Parameters
    ----------
    mosaic : ndarray, (K, H, W)
        Frames behind a colour filter.
    pattern : str
        One of `sensors.colour_filter.PATTERNS`.
    origin : (int, int)
        Chip address of pixel [0, 0].

    Returns
    -------
    ndarray of float32, (K, H, W, 3)
    """
    video = np.empty((*mosaic.shape, 3), np.float32)
    colours = shifted(pattern, origin)
    for index, colour in enumerate("rgb"):
        seen = np.zeros(mosaic.shape[1:], np.float32)
        for (row, column), letter in zip(PHASES, colours, strict=True):
            seen[row::2, column::2] = letter == colour
        kernel = DENSE if colour == "g" else SPARSE
        weight = convolve(seen, kernel, mode="constant")
        for frame, picture in zip(video, mosaic, strict=True):
            frame[..., index] = convolve(picture.astype(np.float32) * seen, kernel, mode="constant") / weight
    return video
