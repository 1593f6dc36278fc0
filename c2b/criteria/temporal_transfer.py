"""Which rhythms of the light survive an exposure: the gain of the linear estimate of least error, over temporal frequency.

======  ======================================================================  =================
symbol  meaning                                                                 shape
======  ======================================================================  =================
A       what each sample of the tile collects of each frame                     (K, T)
Sigma   variance of the samples                                                 (K,)
c       contrast: standard deviation of the light of a frame, 1 = white         scalar
e       exp(2 pi i f t), a rhythm of f periods a sub-exposure                   (T,)
======  ======================================================================  =================

    W = c^2 A^T (c^2 A A^T + Sigma)^-1 A        gain(f) = e^H W e / T

The light is even over the tile and as unsteady at each frequency (N. Wiener's filter). Without noise W projects on what the code
sees. A texture of period L that moves by v pixels a sub-exposure has f = v / L; below twice the side of the tile, textures alias
between its pixels even where they stand still.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from c2b.criteria import collected
from c2b.criteria.criterion import Criterion
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: What survives keeps this part of its amplitude.
SURVIVES = 0.5

#: Frequencies at which the gain is looked at, from 0 to a period of two sub-exposures.
FREQUENCIES = np.linspace(0, 0.5, 129)

#: Part of the variance of the light that stands for no noise.
NO_NOISE = 1e-9


class ShortestPeriod(Criterion):
    """Shortest period of which half the amplitude survives, and of all that are longer; infinite if none does.

    Parameters
    ----------
    level : float
        Mean irradiance, 1 = white.
    contrast : float
        Standard deviation of the light of a frame, 1 = white.
    """

    unit: ClassVar[str] = "sub-exposures"

    def __init__(self, level: float = 0.5, contrast: float = 0.2) -> None:
        if not (0 < level < math.inf and 0 < contrast < math.inf):
            raise Refusal(f"level={level:g}, contrast={contrast:g}; needed: above 0, 1 = white")
        self.level, self.contrast = level, contrast

    def __call__(self, sensor: Sensor) -> float | None:
        tile = collected.tile_of(sensor)
        if tile is None:
            return None
        frequency = self.highest(sensor, tile)
        return 1 / frequency if frequency else math.inf

    def highest(self, sensor: Sensor, tile: NDArray[np.float64]) -> float:
        """The highest frequency up to which all survive, in periods a sub-exposure; 0 if none does."""
        lost = np.flatnonzero(transfer(sensor, tile, self.level, self.contrast) < SURVIVES)
        last = lost[0] - 1 if lost.size else FREQUENCIES.size - 1
        return float(FREQUENCIES[last]) if last > 0 else 0.0


class FastestMotion(ShortestPeriod):
    """Fastest motion that does not alias, of the finest texture that the grid of tiles carries, of period twice its side."""

    unit: ClassVar[str] = "pixels a sub-exposure"
    better: ClassVar[str] = "higher"

    def __call__(self, sensor: Sensor) -> float | None:
        tile = collected.tile_of(sensor)
        return None if tile is None else 2 * max(sensor.tile) * self.highest(sensor, tile)


def transfer(sensor: Sensor, tile: NDArray[np.float64], level: float, contrast: float) -> NDArray[np.float64]:
    """The gain at each of `FREQUENCIES`, in [0, 1], of what a tile (B, T, p, q) of a sensor collects."""
    A = collected.rows_of(tile)
    noise = np.maximum(collected.even_variance(sensor, tile, level), NO_NOISE * contrast**2)
    _, s, V = np.linalg.svd(A / np.sqrt(noise)[:, None], full_matrices=False)
    kept = (contrast * s) ** 2 / (1 + (contrast * s) ** 2)
    rhythms = np.exp(2j * np.pi * FREQUENCIES[:, None] * np.arange(A.shape[1]))
    return (np.abs(rhythms @ V.T) ** 2) @ kept / A.shape[1]
