"""PSNR of the best linear estimate of a texture that moves evenly, of unknown speed and direction.

    Cov(x[t, r], x[t', r']) = c^2 mean over v of exp( -|r - r' - v (t - t')| / L )

is the covariance of light of contrast c whose correlation falls to 1/e at L pixels, moved by v pixels a sub-exposure, v spread over a
disc. Patches are of 8x8 pixels and all frames of an exposure; the error is that of `c2b.criteria.patch_posterior`, mean over the
places of the tile at which a patch can begin. Other scenes have other winners: this one is smooth in time, and favours pixels that
are open in one piece.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from c2b.criteria import collected
from c2b.criteria.criterion import Criterion
from c2b.criteria.patch_posterior import decibels, observed, patches, squared_error
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: Rows and columns of a patch, most samples of one, and speeds along a diameter of the disc.
SIDE, MOST_SAMPLES, SPEEDS = 8, 4096, 7


class MovingTexture(Criterion):
    """PSNR of the best linear estimate of evenly moving texture; for codes of 64 frames at most.

    Parameters
    ----------
    length : float
        Pixels over which the correlation of the texture falls to 1/e.
    speed : float
        Radius of the disc of velocities, in pixels a sub-exposure.
    contrast : float
        Standard deviation of the light, 1 = white.
    level : float
        Mean irradiance, 1 = white.
    """

    unit: ClassVar[str] = "dB"
    better: ClassVar[str] = "higher"

    def __init__(self, length: float = 4.0, speed: float = 1.0, contrast: float = 0.2, level: float = 0.5) -> None:
        if not (0 < length < math.inf and 0 <= speed < math.inf and 0 < contrast < math.inf and 0 < level < math.inf):
            raise Refusal(f"length={length:g}, speed={speed:g}, contrast={contrast:g}, level={level:g}; needed: above 0")
        self.length, self.speed, self.contrast, self.level = length, speed, contrast, level

    def __call__(self, sensor: Sensor) -> float | None:
        tile = collected.tile_of(sensor)
        if tile is None or sensor.frames * SIDE**2 > MOST_SAMPLES:
            return None
        C = self.contrast**2 * covariance(sensor.frames, self.length, self.speed)
        return decibels(float(np.mean([self._error(sensor, patch, C) for patch in patches(tile, (SIDE, SIDE))])))

    def _error(self, sensor: Sensor, patch: NDArray[np.float64], C: NDArray[np.float64]) -> float:
        noise = collected.even_variance(sensor, patch, self.level)
        return squared_error(patch, observed(patch, C).T, noise, float(np.trace(C)))


@lru_cache(maxsize=2)
def covariance(frames: int, length: float, speed: float) -> NDArray[np.float64]:
    """C of contrast 1 on a patch, (d, d), time first."""
    line = np.linspace(-speed, speed, SPEEDS)
    velocities = [(v, u) for v in line for u in line if math.hypot(v, u) <= speed * (1 + 1e-9)]
    t, lag = np.arange(frames)[:, None, None], np.arange(1 - SIDE, SIDE)
    away = [np.hypot(lag[:, None] - v * t, lag - u * t) for v, u in velocities]
    by_lag = np.mean([np.exp(-one / length) for one in away], axis=0)  # (T, 2 SIDE - 1, 2 SIDE - 1), of |t - t'|, r - r'
    at, rows, columns = (index.ravel() for index in np.indices((frames, SIDE, SIDE)))
    apart = (index[:, None] - index for index in (rows, columns))
    found: NDArray[np.float64] = by_lag[np.abs(at[:, None] - at), *(each + SIDE - 1 for each in apart)]
    return found
