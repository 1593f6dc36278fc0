"""Motion-compensated averaging: what moves keeps its brightness, so that frames denoise, and complete, each other along the flow.

    x_t = sum_k w_k f_{t+k}(x + u_{t,t+k}) / sum_k w_k,        w_k = exp(-max(<(f_{t+k}(x + u_{t,t+k}) - f_t)^2> - 2 sigma^2, 0) / h^2)

over |k| <= reach, <.> the mean over a small window: where the flow is wrong or something is hidden the frames differ by more than
their noise, and count for nothing. The temporal filter of E. Dubois, S. Sabri, Noise reduction in image sequences using
motion-compensated temporal filtering, IEEE Trans. Communications 1984, with the weights of non-local means.
"""

from __future__ import annotations

from typing import Self

import numba
import numpy as np
from numpy.typing import NDArray

from recon.iteration_limit import refuse_endless
from recon.optical_flow import Neighbours, warp
from recon.priors.denoiser import Denoiser
from sensors.kernel import FLAGS, rows
from sensors.refusal import Refusal

#: Frames are compared over a window that reaches so many pixels.
RADIUS = 2


class MotionCompensated(Denoiser):
    """The mean of the frames along their motion.

    Parameters
    ----------
    reach : int
        Frames before and after that count.
    tolerance : float
        h, irradiance: a difference beyond the noise that still passes for the same thing.

    Raises
    ------
    Refusal
        If a setting is out of range.
    """

    def __init__(self, reach: int = 1, tolerance: float = 0.07) -> None:
        refuse_endless(100, reach=reach)
        if not tolerance > 0:
            raise Refusal(f"tolerance={tolerance} is a difference in irradiance; needed: above 0")
        self.reach = reach
        self.tolerance = tolerance
        self.neighbours_: Neighbours | None = None

    def guided_by(self, video: NDArray[np.float32]) -> Self:
        """The same with the optical flow of this video."""
        guided = type(self)(self.reach, self.tolerance)
        guided.neighbours_ = Neighbours(video, self.reach)
        return guided

    def __call__(self, video: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        """The mean along the flow that guides it, or along its own."""
        if self.neighbours_ is None:
            return self.guided_by(video)(video, sigma)
        total, weights = video.copy(), np.ones_like(video)
        noise, per = np.float32(2 * sigma**2), np.float32(1 / self.tolerance**2)
        for (t, s), flow in self.neighbours_.flows.items():
            moved = warp(video[s], flow)
            rows(_join, len(moved), moved, video[t], noise, per, total[t], weights[t], work=8 * moved.size)
        return total / weights


@numba.njit(**FLAGS)
def _join(moved, frame, noise, per, total, weights, first, last):
    """Add a frame that was moved, where it is like the other; beyond the border the differences go on mirrored."""
    H, W = frame.shape
    line, mean = np.empty(W + 2 * RADIUS, np.float32), np.empty(W, np.float32)
    for i in range(first, last):
        line[:] = 0
        for d in range(-RADIUS, RADIUS + 1):
            row = i + d
            if row < 0:
                row = min(-1 - row, H - 1)
            elif row >= H:
                row = max(2 * H - 1 - row, 0)
            for j in range(W):
                difference = moved[row, j] - frame[row, j]
                line[RADIUS + j] += difference * difference
        for j in range(RADIUS):
            line[RADIUS - 1 - j] = line[RADIUS + min(j, W - 1)]
            line[RADIUS + W + j] = line[RADIUS + max(W - 1 - j, 0)]
        mean[:] = 0
        for d in range(2 * RADIUS + 1):
            for j in range(W):
                mean[j] += line[j + d]
        share = np.float32(1) / np.float32((2 * RADIUS + 1) ** 2)
        for j in range(W):
            weight = np.exp(per * min(noise - share * mean[j], np.float32(0)))
            total[i, j] += weight * moved[i, j]
            weights[i, j] += weight
