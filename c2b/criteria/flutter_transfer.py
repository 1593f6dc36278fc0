"""The transfer function of a shutter that acts on all pixels at once, all its buckets together.

======  ======================================================================  =================
symbol  meaning                                                                 shape
======  ======================================================================  =================
c_b     what bucket b collects of each sub-exposure                             (T,)
C_b(w)  its Fourier transform, padded with zeros to 4096 samples                (4096,)
A_b     linear convolution of a line of n pixels with c_b                       (n + T - 1, n)
======  ======================================================================  =================

    minimum = min_w sqrt( sum_b |C_b(w)|^2 )        gain = sqrt( trace (sum_b A_b^T A_b)^-1 / n )

An object that moves by one pixel a sub-exposure is convolved with the code; a flat spectrum makes that invertible (R. Raskar, A.
Agrawal, J. Tumblin, "Coded exposure photography", SIGGRAPH 2006). Of two buckets the notches of one are filled by the other. Codes
that are flat for circular convolution, such as maximum-length sequences, have deep notches here.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvalsh, toeplitz

from c2b.criteria import collected
from c2b.criteria.criterion import Criterion
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: An eigenvalue below this part of the largest is zero.
RCOND = 1e-12

#: Samples of the transform; longest line, since the cost grows with its cube.
SAMPLES, LONGEST = 4096, 4096


class FlutterMinimum(Criterion):
    """Smallest value of the transfer function of a flutter shutter; not defined for codes that differ between pixels."""

    better: ClassVar[str] = "higher"

    def __call__(self, sensor: Sensor) -> float | None:
        codes = _codes(sensor)
        if codes is None:
            return None
        return float(np.sqrt((np.abs(np.fft.rfft(codes, SAMPLES)) ** 2).sum(0)).min())


class FlutterGain(Criterion):
    """Rms error of a deblurred line over that of a sample, for noise that is the same in all.

    Parameters
    ----------
    length : int
        Pixels of the line.
    """

    def __init__(self, length: int = 300) -> None:
        if not 2 <= length <= LONGEST:
            raise Refusal(f"length={length} is no line of pixels; needed: 2 to {LONGEST}")
        self.length = length

    def __call__(self, sensor: Sensor) -> float | None:
        codes = _codes(sensor)
        if codes is None:
            return None
        lag = np.sum([np.correlate(code, code, "full")[codes.shape[1] - 1 :] for code in codes], axis=0)
        column = np.zeros(self.length)
        column[: lag.size] = lag[: self.length]
        eigenvalues = eigvalsh(toeplitz(column))
        return math.sqrt(float((1 / eigenvalues).mean())) if eigenvalues[0] > RCOND * eigenvalues[-1] else math.inf


def _codes(sensor: Sensor) -> NDArray[np.float64] | None:
    """What each bucket collects of each sub-exposure, (B, T); None if pixels differ."""
    tile = collected.tile_of(sensor)
    return None if tile is None or tile.shape[2:] != (1, 1) else tile[..., 0, 0]
