"""Error of the frames of a tile that a linear solve without prior leaves.

======  ======================================================================  =================
symbol  meaning                                                                 shape
======  ======================================================================  =================
A       what each sample of the tile collects of each frame                     (K, T)
Sigma   variance of the samples                                                 (K,)
======  ======================================================================  =================

    Cramer-Rao: rms error >= sqrt( trace (A^T Sigma^-1 A)^-1 / T )

It is reached by weighted least squares. What else of the shape of the noise tells of the light, its variance, is not counted. The
comparison with seeing one frame at a time: Y. Schechner, S. Nayar, P. Belhumeur, "Multiplexing for optimal lighting", PAMI 29, 2007,
for additive noise; N. Ratner, Y. Schechner, "Illumination multiplexing within fundamental limits", CVPR 2007, with shot noise.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from c2b.criteria import collected, tile_system
from c2b.criteria.criterion import Criterion
from sensors.refusal import Refusal
from sensors.sensor import Sensor


class Condition(Criterion):
    """Condition number of the tile; infinite where its rank is below the number of frames."""

    def __call__(self, sensor: Sensor) -> float | None:
        return None if collected.tile_of(sensor) is None else tile_system.system(sensor).condition


class NoiseGain(Criterion):
    """Rms error of a frame over that of a sample, for noise that is the same in all; infinite where the rank is too low."""

    def __call__(self, sensor: Sensor) -> float | None:
        return None if collected.tile_of(sensor) is None else tile_system.system(sensor).noise_gain


class CramerRao(Criterion):
    """Cramer-Rao bound on the rms error of a frame of an even scene, 1 = white; infinite where the rank is too low.

    Parameters
    ----------
    level : float
        Irradiance of the scene, above 0; 1 = white.
    """

    unit: ClassVar[str] = "white"

    def __init__(self, level: float = 0.5) -> None:
        if not 0 < level < math.inf:
            raise Refusal(f"level={level:g} is no irradiance; needed: above 0, 1 = white")
        self.level = level

    def __call__(self, sensor: Sensor) -> float | None:
        tile = collected.tile_of(sensor)
        if tile is None or sensor.readout.ideal:
            return None
        return math.sqrt(squared_error(collected.rows_of(tile), collected.even_variance(sensor, tile, self.level)))


class SnrGain(CramerRao):
    """Signal-to-noise ratio of a frame over that of the impulse code with the same pixels and readout."""

    unit: ClassVar[str] = "dB"
    better: ClassVar[str] = "higher"

    def __call__(self, sensor: Sensor) -> float | None:
        error = super().__call__(sensor)
        if error is None:
            return None
        pixels = math.prod(sensor.tile) / sensor.frames  # of a tile, for each frame
        impulse = float(collected.variance(sensor, np.full((sensor.buckets, 1), self.level))[0, 0]) / pixels
        return 10 * math.log10(impulse / error**2) if error < math.inf else -math.inf


def squared_error(A: np.ndarray, variance: np.ndarray) -> float:
    """trace (A^T Sigma^-1 A)^-1 / T; infinite where the rank is below T."""
    eigenvalues = np.linalg.eigvalsh((A.T / variance) @ A)
    if eigenvalues[0] <= tile_system.RCOND * eigenvalues[-1]:
        return math.inf
    return float((1 / eigenvalues).mean())
