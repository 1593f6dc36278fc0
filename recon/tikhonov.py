"""Tikhonov: of all videos that explain the capture as far as its noise allows, the one that changes least over space and time.

======  ==============================================================================  ====================
symbol  meaning                                                                         shape
======  ==============================================================================  ====================
x       the frames; those of all exposures in a row where exposures share frames        (T, H, W)
A       exposure, `Sensor.expose_timeline`                                              to (N, B, H, W)
Sigma   variance of the charge y; infinite where saturated, so that 1 / Sigma is zero   (N, B, H, W)
L       l_xy Dx^T Dx + l_xy Dy^T Dy + l_t Dt^T Dt, differences between neighbours       T x T, H x H, W x W
c       the diagonal of L inside the video, 4 l_xy + 2 l_t
======  ==============================================================================  ====================

    x = argmin (y - A x)^T Sigma^-1 (y - A x) + l_xy |grad_xy x|^2 + l_t |d/dt x|^2  =  (A^T Sigma^-1 A + L)^-1 A^T Sigma^-1 y

l is 1 over the variance of the difference between neighbours, so that noise and smoothness weigh against each other in one unit. Solved
matrix-free by conjugate gradients. The preconditioner takes L as c, and what is left is inverted by Woodbury's identity:

    (A^T Sigma^-1 A + c)^-1 = (1 - A^T (A A^T + c Sigma)^-1 A) / c

with the row sums of A A^T for A A^T itself. For one bucket and for two that share no frame, that is the same, and since nothing in A is
negative it is never too small, so that the preconditioner stays positive for any sensor. (Tikhonov, "Solution of incorrectly formulated
problems and the regularization method", Soviet Mathematics 4, 1963.)
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from recon.conjugate_gradients import conjugate_gradients
from recon.iteration_limit import refuse_endless
from recon.reconstructor import Reconstructor, in_colour
from sensors.capture import Capture
from sensors.kernel import FLAGS, rows
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: Variance that is always added to the charge, in white sub-exposures squared: exact data would stop conjugate gradients.
ROUNDING = 1e-6

#: The same where neighbours share light or charge, whose sums round more: 1 % of a white sub-exposure as standard deviation.
ROUNDING_SHARED = 1e-4

#: By this part the row sums are enlarged: what the preconditioner takes from 1 leaves more than the rounding of float32.
FLOAT32 = np.float32(1e-5)


class Tikhonov(Reconstructor):
    """Smoothness as the only prior, for any sensor and code; exposures that share frames are solved together.

    Parameters
    ----------
    spatial : float
        l_xy, 1 / variance of the difference between neighbouring pixels, 1 = white.
    temporal : float
        l_t, 1 / variance of the difference between successive frames of a pixel.
    tolerance : float
        Conjugate gradients stop when the preconditioned residual, about the step still to go, is this part of x.
    iterations : int
        Or after so many steps.

    Raises
    ------
    Refusal
        If both weights are zero, or a setting is out of range.
    """

    def __init__(self, spatial: float = 40.0, temporal: float = 2.5, tolerance: float = 1e-4, iterations: int = 300) -> None:
        if not (0 <= spatial < np.inf and 0 <= temporal < np.inf and spatial + temporal > 0):
            raise Refusal(f"spatial={spatial:g}, temporal={temporal:g}: needed 0 or more, and one of them above 0")
        if not 0 < tolerance < 1:
            raise Refusal(f"tolerance={tolerance:g}: needed 0 < tolerance < 1")
        refuse_endless(100_000, iterations=iterations)
        self.spatial = spatial
        self.temporal = temporal
        self.tolerance = tolerance
        self.iterations = iterations

    def reconstruct(self, capture: Capture) -> NDArray[np.float32]:
        """The video of every exposure; where exposures share frames, of all exposures together."""
        sensor = capture.sensor
        if sensor.exposures_apart or not len(capture):
            return super().reconstruct(capture)
        row = sensor.timeline(len(capture))
        solved = [row.windows(self._timeline(plane)) for plane in capture.planes()]
        return np.stack([in_colour([plane[n] for plane in solved], sensor) for n in range(len(capture))])

    def solve(self, capture: Capture) -> NDArray[np.float32]:
        """The frames (T, H, W) of one exposure."""
        return self._timeline(capture)

    def smoothest(self, sensor: Sensor, charge: NDArray[np.float32], variance: NDArray[np.float32]) -> NDArray[np.float32]:
        """The minimum of the equation above.

        Parameters
        ----------
        sensor : Sensor
        charge, variance : ndarray of float32, (N, B, H, W)
            y, which may be anything of that shape, and Sigma.

        Returns
        -------
        ndarray of float32, (period (N - 1) + T, H, W)
            All that the exposures see, in a row.
        """
        variance = variance + np.float32(ROUNDING if sensor.pixels_apart else ROUNDING_SHARED)
        precision = 1 / variance
        c = np.float32(4 * self.spatial + 2 * self.temporal)
        gram = sensor.expose_timeline(sensor.expose_timeline_adjoint(np.ones_like(charge)))
        woodbury = 1 / (gram * (1 + (FLOAT32 if sensor.pixels_apart else 100 * FLOAT32)) + c * variance)
        start = sensor.expose_timeline_adjoint(woodbury * charge)  # the preconditioner, applied to A^T Sigma^-1 y

        def normal(x: NDArray) -> NDArray:
            return sensor.expose_timeline_adjoint(precision * sensor.expose_timeline(x)) + self._roughness(x)

        def precondition(r: NDArray) -> NDArray:
            return (r - sensor.expose_timeline_adjoint(woodbury * sensor.expose_timeline(r))) / c

        return conjugate_gradients(
            normal,
            sensor.expose_timeline_adjoint(precision * charge),
            start,
            precondition=precondition,
            tolerance=self.tolerance,
            iterations=self.iterations,
        )

    def _timeline(self, capture: Capture) -> NDArray[np.float32]:
        return self.smoothest(capture.sensor, capture.charge, capture.variance)

    def _roughness(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """L x, (T, H, W)."""
        out = np.empty_like(x)
        rows(_laplacian, x.shape[1], x, np.float32(self.spatial), np.float32(self.temporal), out, work=x.size)
        return out


@numba.njit(**FLAGS)
def _laplacian(x, spatial, temporal, out, first, last):
    """out = L x; what would lie beyond the border is as the border, so that it adds nothing."""
    T, H, W = x.shape
    for t in range(T):
        for i in range(first, last):
            here, o = x[t, i], out[t, i]
            above, below = x[t, max(i - 1, 0)], x[t, min(i + 1, H - 1)]
            before, after = x[max(t - 1, 0), i], x[min(t + 1, T - 1), i]
            two = np.float32(2)
            for j in range(W):
                o[j] = spatial * (two * here[j] - above[j] - below[j]) + temporal * (two * here[j] - before[j] - after[j])
            for j in range(1, W):
                o[j] += spatial * (here[j] - here[j - 1])
            for j in range(W - 1):
                o[j] += spatial * (here[j] - here[j + 1])
