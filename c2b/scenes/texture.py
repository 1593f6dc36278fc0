"""What surfaces look like: photographs, grain, letters and test patterns, as linear reflectance in [0, 1].

The photographs come with scikit-learn: china.jpg by danielbuechele and flower.jpg by vultilion, both CC BY 2.0.
"""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates, zoom

from c2b.scenes.layer import TEXELS
from c2b.scenes.shape import Grid, coverage
from sensors.response import StandardRGB

Photograph = Literal["china", "flower"]

_DOTS = """25755 65656 34443 65556 74647 74644 34553 55755 72227 11152 55655 44447 57755 65555
           25552 65644 25563 65655 34216 72222 55557 55552 55775 55255 55222 71247 61247 00000"""

#: Letters of 5 rows of 3 dots; each digit of `_DOTS` is one row, in octal.
_LETTERS = {
    letter: np.array([[int(dot) for dot in f"{int(row):03b}"] for row in code])
    for letter, code in zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ2 ",
        re.findall("[0-7]{5}", _DOTS),
        strict=True,
    )
}


def photograph(name: Photograph, region: tuple[float, float, float, float], shape: tuple[int, int]) -> NDArray[np.float32]:
    """A part of a photograph, resampled without aliasing.

    Parameters
    ----------
    name : {"china", "flower"}
    region : tuple of float
        First row, last row, first column, last column, in pixels of the photograph (427 x 640); reflected beyond its edges.
    shape : tuple of int
        Texels (h, w) of the result.

    Returns
    -------
    ndarray of float32, (h, w, 3)
        Linear, the picture's sRGB undone.
    """
    top, bottom, left, right = region
    strides = (bottom - top) / shape[0], (right - left) / shape[1]
    blur = [0.4 * math.sqrt(max(stride**2 - 1, 0)) for stride in strides]
    y, x = (first - 0.5 + (np.arange(n) + 0.5) * s for first, n, s in zip((top, left), shape, strides, strict=True))
    where = np.meshgrid(y, x, indexing="ij")
    planes = [map_coordinates(gaussian_filter(plane, blur), where, np.float32, mode="mirror") for plane in _developed(name)]
    return np.clip(np.stack(planes, -1), 0, 1)


def grain(rng: np.random.Generator, shape: tuple[int, int], contrast: float) -> NDArray[np.floating]:
    """A factor (h, w, 1) about 1 with detail at every scale up to 4 texels, equally strong per octave.

    Keeps a surface rough where a photograph is enlarged, and gives plain paint something that moves.
    """
    height, width = shape
    layers = np.zeros(shape, np.float32)
    for size in (1, 2, 4):
        coarse = rng.standard_normal((height // size + 2, width // size + 2), np.float32)
        layers += zoom(coarse, size, order=1, grid_mode=True, mode="nearest")[:height, :width]
    return np.exp(contrast * np.clip(layers / layers.std(), -2.5, 2.5))[..., None]


def siemens_star(y: Grid, x: Grid, sectors: int) -> NDArray[np.floating]:
    """Black and white sectors that grow ever finer towards the middle, where they fade to their mean; (h, w) in [0, 1]."""
    rho, period = np.hypot(y, x), 2 * math.pi / sectors
    from_edge = rho * (np.abs((np.arctan2(y, x) % period) - period / 2) - period / 4)
    resolved = np.clip(rho * period * TEXELS / 3 - 1, 0, 1)  # from 3 texels a period to 6
    return 0.5 + resolved * (coverage(from_edge) - 0.5)


def checker(y: Grid, x: Grid, side: float) -> NDArray[np.floating]:
    """Squares of ``side`` pixels; (h, w) in [0, 1]."""
    waves = [np.clip(TEXELS * side / math.pi * np.sin(math.pi * axis / side), -0.5, 0.5) for axis in (y, x)]
    return 0.5 + 2 * waves[0] * waves[1]


def letters(shape: tuple[int, int], lines: tuple[str, ...]) -> NDArray[np.float32]:
    """Lines of capitals, each as wide as the sheet, so that long lines are small; (h, w), 1 = ink."""
    height, width = shape
    sheet = np.zeros(shape, np.float32)
    dots = [max(1, int(0.8 * width) // (4 * len(line) - 1)) for line in lines]
    gap = (height - 5 * sum(dots)) // (len(lines) + 1)
    top = gap
    for line, dot in zip(lines, dots, strict=True):
        text = np.concatenate([np.pad(_LETTERS[letter], ((0, 0), (0, 1))) for letter in line], 1)[:, :-1]
        block = np.kron(text, np.ones((dot, dot)))
        left = (width - block.shape[1]) // 2
        if gap >= 0 and left >= 0:  # a sheet of a few texels stays blank
            sheet[top : top + block.shape[0], left : left + block.shape[1]] = block
        top += 5 * dot + gap
    return sheet


@cache
def _developed(name: Photograph) -> tuple[NDArray[np.float32], ...]:
    """The planes of a photograph, linear light."""
    from sklearn.datasets import load_sample_image

    stored = np.moveaxis(load_sample_image(f"{name}.jpg"), -1, 0) / np.float32(255)
    return tuple(StandardRGB().decode(stored).astype(np.float32))
