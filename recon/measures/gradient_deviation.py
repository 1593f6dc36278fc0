"""Gradient magnitude similarity deviation: whether edges are as strong as they should be, everywhere.

GMSD: W. Xue, L. Zhang, X. Mou, A. C. Bovik, "Gradient magnitude similarity deviation", IEEE TIP 23(2), 2014.

    GMS = (2 m_x m_z + c) / (m_x^2 + m_z^2 + c)        GMSD = standard deviation of GMS over the pixels

m are gradient magnitudes by the Prewitt operator of frames at half their size, each pixel the mean of 2x2; c = 0.0026 for values
within 0 and 1 (170 for 0 to 255). The mean over frames; colours are averaged first.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import prewitt

from recon.measures.measure import Metric, Outcome, grey
from sensors.refusal import Refusal

#: The constant c; smallest side of a frame.
STABILISER, SMALLEST = 170 / 255**2, 8


class GradientDeviation(Metric):
    """Gradient magnitude similarity deviation: 0 where all edges are as they should be, mean over the frames."""

    better: ClassVar[str] = "lower"

    def __call__(self, outcome: Outcome) -> float:
        if min(outcome.truth.shape[1:3]) < SMALLEST:
            raise Refusal(f"GMSD compares frames of {SMALLEST}x{SMALLEST} pixels and more")
        return float(np.mean([_deviation(*pair) for pair in zip(*map(grey, outcome.shown), strict=True)]))


def _deviation(frame: NDArray, truth: NDArray) -> float:
    z, x = _gradient(frame), _gradient(truth)
    return float(((2 * x * z + STABILISER) / (x**2 + z**2 + STABILISER)).std())


def _gradient(frame: NDArray) -> NDArray[np.float64]:
    """Magnitude at half the size, (H // 2 - 2, W // 2 - 2): only where the operator lies wholly inside."""
    even = np.asarray(frame, np.float64)[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2]
    half = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
    return np.hypot(prewitt(half, 0), prewitt(half, 1))[1:-1, 1:-1] / 3
