"""The table of codes: light, rank, condition and noise gain of a tile, with one bucket and with two.

======  ================================================================================
symbol  meaning
======  ================================================================================
A       what each bucket of each pixel of the tile collects of each frame, (K, T)
======  ================================================================================

    condition = s_max / s_min of A        noise gain = sqrt( trace (A^T A)^-1 / T )

The noise gain is that of multiplexing for additive noise (Schechner, Nayar, Belhumeur, "Multiplexing for optimal lighting", PAMI
2007): below 1 a code beats seeing one frame at a time, where the noise does not grow with the light.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import sensors
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: Codes of more frames are not judged: the cost grows with the cube of their number.
MOST_FRAMES = 2048

#: Eigenvalues of A^T A below this part of the largest count as zero.
RCOND = 1e-12

#: Sensors under which a code is judged: one bucket, and two.
CAMERAS = ("coded-pixel", "two-bucket")

#: Columns of a table: the name of a code, then the cells of `Criteria.row`.
COLUMNS = ("code", "T", "tile", "light", "open", "rank 1 | 2", "condition 1 | 2", "noise gain 1 | 2")


@dataclass(frozen=True)
class System:
    """The system that a tile solve inverts. Condition and noise gain are infinite where the rank is below T."""

    rank: float
    condition: float
    noise_gain: float


@dataclass(frozen=True)
class Criteria:
    """Criteria of one code; pairs are (one bucket, two buckets). Condition and noise gain are infinite where the rank is below T."""

    frames: int
    tile: tuple[int, int]
    light: float
    fewest_open: float
    most_open: float
    rank: tuple[float, float]
    condition: tuple[float, float]
    noise_gain: tuple[float, float]

    def row(self) -> tuple[str, ...]:
        """The cells of a table."""
        pairs = [" | ".join(f"{v:.3g}" for v in pair) for pair in (self.rank, self.condition, self.noise_gain)]
        opened = f"{self.fewest_open:g}" if self.fewest_open == self.most_open else f"{self.fewest_open:g} .. {self.most_open:g}"
        return (str(self.frames), "x".join(map(str, self.tile)), f"{self.light:.3f}", opened, *pairs)


def criteria(code: NDArray) -> Criteria:
    """The criteria of a code (T, p, q).

    Raises
    ------
    Refusal
        If it is a cycle of several codes; judge each on its own.
    """
    if code.ndim != 3:
        raise Refusal(f"criteria are of one code (T, p, q), not of a cycle {code.shape}; judge each on its own")
    opened = code.sum(0, dtype=np.float64)
    one, two = (system(sensors.make(name, code)) for name in CAMERAS)
    light = float(code.mean(dtype=np.float64))
    return Criteria(
        *(len(code), code.shape[1:], light, float(opened.min()), float(opened.max())),
        *((one.rank, two.rank), (one.condition, two.condition), (one.noise_gain, two.noise_gain)),
    )


def system(sensor: Sensor) -> System:
    """The system of a sensor under one code, with all that it mixes; not a number above 2048 frames.

    Raises
    ------
    Refusal
        If its pixels respond by a map over the chip, so that there is no tile.
    """
    if sensor.frames > MOST_FRAMES:
        return System(np.nan, np.nan, np.nan)
    seen = sensor.exposure.on_tile
    A = seen.swapaxes(0, 1).reshape(sensor.frames, -1)
    eigenvalues = np.linalg.eigvalsh(A @ A.T)[::-1]
    rank = int((eigenvalues > RCOND * eigenvalues[0]).sum()) if eigenvalues[0] > 0 else 0
    if rank < sensor.frames:
        return System(rank, np.inf, np.inf)
    return System(rank, float(np.sqrt(eigenvalues[0] / eigenvalues[-1])), float(np.sqrt((1 / eigenvalues).mean())))
