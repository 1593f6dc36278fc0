"""Plug-and-play: a data step alternating with a denoiser, whatever the sensor, whatever the denoiser.

======  =========================================================  =============
symbol  meaning                                                    shape
======  =========================================================  =============
x       the denoised video                                         (T, H, W)
v       the video after the data step                              (T, H, W)
y, A    charge, and what the sensor makes of a video               (B, H, W)
Sigma   variance of the charge                                     (B, H, W)
P       sigma^2, variance of the error that the denoiser is to     ()
        take away
d       damping                                                    ()
======  =========================================================  =============

    z = 2 x - v                                                    or z = x without acceleration
    v <- x + P A^T (P A A^T + P d + Sigma)^-1 (y - A z)
    x <- denoise(v, sigma)

Where a lens or cross-talk makes neighbours share, P A A^T is the diagonal of its row sums, which is nowhere smaller
(`sensors.exposure`), so that v <- z + ... is a gradient step, and z = x + k / (k + 3) (x - x before) its acceleration: FISTA (A. Beck,
M. Teboulle, SIAM J. Imaging Sciences 2009). It begins from the Tikhonov estimate, told of both too.

Without damping and noise the data step is the projection on the videos that explain the capture: generalised alternating projection
(X. Liao, H. Li, L. Carin, SIAM J. Imaging Sciences 2014), with total variation GAP-TV (X. Yuan, Generalized alternating projection
based total variation minimization for compressive sensing, ICIP 2016). Damped it is the alternating direction method of multipliers,
whose multiplier is v - x (S. Chan, X. Wang, O. Elgendy, Plug-and-play ADMM for image restoration, IEEE TCI 2017). If the denoiser is
the proximal operator of P R, the accelerated form goes to the most probable video, argmin (y - A x)^T Sigma^-1 (y - A x) / 2 + R(x):
the noisier the capture, the more the prior decides. Exposures in a row are one video of all their frames, whose data step is that of
each exposure under its own code, and whose denoiser knows no seams. In snapshot compressive imaging: X. Yuan, Y. Liu, J. Suo,
F. Durand, Q. Dai, Plug-and-play algorithms for video snapshot compressive imaging, PAMI 2022.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

import recon
from recon import priors
from recon.consistency import data_step
from recon.iteration_limit import refuse_endless
from recon.priors.denoiser import Denoiser, DenoisingFunction
from recon.priors.total_variation import GRADIENT, TotalVariation
from recon.pseudo_inverse import PseudoInverse
from recon.reconstructor import Reconstructor, at, needs_exposures_apart
from recon.tikhonov import Tikhonov
from sensors.bucket_share import combine
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: What noise of standard deviation 1 adds to the mean difference in video that serves it best, irradiance: the error of a result has
#: differences of its own.
GRADIENT_PER_NOISE = 0.6

#: Weight of differences in time against those in space, where none is given and there is noise: without noise they gain some tenths
#: of a decibel at best, and cost three times the time.
TIME_UNDER_NOISE = 0.1

#: Part of the weight of total variation that is left where neighbours share and there is no noise: gradient steps get on slowly.
SHARING = 0.003

#: Weights of Tikhonov in space and time that a capture without noise begins from.
WEAK = (0.1, 1.0)


class PlugAndPlay(Reconstructor):
    """The data step alternating with any denoiser.

    Parameters
    ----------
    denoiser : str or Denoiser or callable
        A name of `recon.priors.PRIORS` with settings, ``denoiser=tv,denoiser.time=0.3``, or an object or a function of your own.
    start : str, optional
        The method whose estimate comes first; the pseudo-inverse where that cannot serve the capture. By default gap-tv:time=0.3, under
        noise gap-tv.
    iterations : int
        At most, in each round.
    rounds : int
        How often the denoiser is guided by the estimate anew, such as by its motion.
    sigma : float
        Standard deviation of the noise that the denoiser is to take away, irradiance.
    damping : float
        d: 0 for generalised alternating projection, above for ADMM.
    accelerated : bool
        Carry the multiplier along.
    tolerance : float
        A round ends when |x - x before| < tolerance |x|.
    neighbours : int
        Exposures before and after each one that are reconstructed together with it; 1 costs three times the time.

    Raises
    ------
    Refusal
        If a setting is out of range, or the denoiser or the start is not known.
    """

    def __init__(
        self,
        denoiser: str | Denoiser | Callable[[NDArray[np.float32], float], NDArray] = "motion",
        start: str | None = None,
        iterations: int = 15,
        rounds: int = 2,
        sigma: float = 0.01,
        damping: float = 0.0,
        accelerated: bool = False,
        tolerance: float = 1e-4,
        neighbours: int = 0,
    ) -> None:
        if not 0 <= neighbours <= 100:
            raise Refusal(f"neighbours={neighbours} exposures on either side; needed: 0 to 100")
        refuse_endless(10_000, iterations=iterations)
        refuse_endless(100, rounds=rounds)
        if not sigma > 0:
            raise Refusal(f"sigma={sigma} is the noise the denoiser takes away; needed: above 0")
        if not (damping >= 0 and tolerance >= 0):
            raise Refusal(f"damping={damping} and tolerance={tolerance}; needed: 0 or more of each")
        self.denoiser = denoiser
        self.start = start
        self.iterations = iterations
        self.rounds = rounds
        self.sigma = sigma
        self.damping = damping
        self.accelerated = accelerated
        self.tolerance = tolerance
        self.neighbours = neighbours
        self._made(ideal=True)

    def refusal(self, sensor: Sensor) -> str:
        """Exposures that share frames cannot be corrected one by one."""
        return needs_exposures_apart(sensor, "plug-and-play")

    def solve(self, capture: Capture) -> NDArray[np.float32]:
        """The frames (T, H, W) of one exposure."""
        return self.solve_among(capture, 0)

    def solve_among(self, capture: Capture, number: int) -> NDArray[np.float32]:
        """The frames (T, H, W) of one exposure of a row that is reconstructed together."""
        each = [at(capture, n) for n in range(len(capture))]
        steps, apart = [self._step_towards(one) for one in each], capture.sensor.pixels_apart
        prior, start = self._made(capture.sensor.readout.ideal)
        x = z = np.concatenate([_estimate(start, one) for one in each])
        T = len(x) // len(each)
        parts = [slice(n * T, (n + 1) * T) for n in range(len(each))]
        for _ in range(self.rounds):
            guided = prior.guided_by(x)
            for k in range(self.iterations):
                v = np.concatenate([step(z[part]) for step, part in zip(steps, parts, strict=True)])
                v += x if apart else z
                before, x = x, guided(v, self.sigma)
                z = x
                if self.accelerated:
                    z = 2 * x - v if apart else x + np.float32(k / (k + 3)) * (x - before)
                if self.tolerance and _norm(x - before) < self.tolerance * _norm(x):
                    break
        return data_step(np.ascontiguousarray(x[parts[number]]), each[number])

    def _step_towards(self, one: Capture) -> Callable[[NDArray], NDArray[np.float32]]:
        """P A^T (P A A^T + P d + Sigma)^-1 (y - A z) of a single exposure, as a function of z (T, H, W)."""
        exposure, charge, spread = one.sensor.exposure, one.charge[0], np.float32(self.sigma**2)
        variance = one.variance[0] + self.damping * spread
        gain = (exposure.residual_precision(variance, spread) * spread).astype(np.float32)
        if not exposure.pixels_apart and not one.sensor.readout.ideal:  # a gradient step, as long as P allows
            most = spread / np.maximum(variance, spread * exposure.row_sums(*variance.shape[1:]))
            gain = (most[:, None] * np.eye(exposure.buckets)[:, :, None, None]).astype(np.float32)
        return lambda z: exposure.adjoint(combine(charge - exposure.expose(np.ascontiguousarray(z)), gain, (0, 0)))

    def parts(self, sensor: Sensor) -> tuple[Any, ...]:
        """Denoiser and start."""
        return self._made(sensor.readout.ideal)

    def _made(self, ideal: bool) -> tuple[Denoiser, Reconstructor]:
        given = self.denoiser
        denoiser = priors.make(given) if isinstance(given, str) else given
        if not isinstance(denoiser, Denoiser):
            if not callable(denoiser):
                raise Refusal(f"denoiser={denoiser!r} is neither a prior, its name, nor a function of a video and sigma")
            denoiser = DenoisingFunction(denoiser)
        return denoiser, recon.make(self.start or ("gap-tv:time=0.3" if ideal else "gap-tv"))


class GapTV(Reconstructor):
    """Generalised alternating projection with total variation.

    Parameters
    ----------
    weight : float
        Weight of total variation in one iteration, irradiance. It says how fast the iterations get to the result, hardly what it is.
    gradient : float, optional
        Mean modulus of the differences in video, irradiance: P = weight * gradient. The smaller, the smoother the result of a noisy
        capture. By default from the noise of the capture.
    time, coupled, inner : float, bool, int
        See `TotalVariation`: differences in time, one modulus for all frames, inner iterations of the dual variable. By default
        ``time`` is 0.1 under noise and 0 without. Without noise the iterations begin from zero, which cuts large differences by
        less and is worth 0.3 dB.
    iterations, damping, accelerated, tolerance
        See `PlugAndPlay`.

    Raises
    ------
    Refusal
        If a setting is out of range.
    """

    def __init__(
        self,
        weight: float = 0.1,
        gradient: float | None = None,
        time: float | None = None,
        coupled: bool = False,
        inner: int = 3,
        iterations: int = 60,
        damping: float = 0.0,
        accelerated: bool = True,
        tolerance: float = 1e-4,
    ) -> None:
        if not weight > 0 or (gradient is not None and not gradient > 0):
            raise Refusal(f"weight={weight} and gradient={gradient} are differences in irradiance; needed: above 0")
        self.weight = weight
        self.gradient = gradient
        self.time = time
        self.coupled = coupled
        self.inner = inner
        self.iterations = iterations
        self.damping = damping
        self.accelerated = accelerated
        self.tolerance = tolerance
        self._plug_and_play(GRADIENT, noisy=True)

    def refusal(self, sensor: Sensor) -> str:
        """Exposures that share frames cannot be corrected one by one."""
        return needs_exposures_apart(sensor, "total variation")

    def solve(self, capture: Capture) -> NDArray[np.float32]:
        """The frames (T, H, W) of one exposure."""
        gradient = GRADIENT + GRADIENT_PER_NOISE * _noise(capture) if self.gradient is None else self.gradient
        noisy, tiled = not capture.sensor.readout.ideal, not capture.sensor.masked
        return self._plug_and_play(gradient, noisy, tiled, self._step(capture, gradient)).solve(capture)

    def _step(self, capture: Capture, gradient: float) -> float:
        """The weight of one iteration, no larger than gradient steps allow where neighbours share."""
        exposure, variance = capture.sensor.exposure, capture.variance[0]
        if exposure.pixels_apart:
            return self.weight
        if capture.sensor.readout.ideal:
            return self.weight * SHARING
        allowed = variance / np.maximum(exposure.row_sums(*variance.shape[1:]), 1e-6)
        return min(self.weight, float(np.quantile(allowed, 0.05)) / gradient)

    def _plug_and_play(self, gradient: float, noisy: bool, tiled: bool = True, weight: float | None = None) -> PlugAndPlay:
        weight = self.weight if weight is None else weight
        time = TIME_UNDER_NOISE * noisy if self.time is None else self.time
        prior = TotalVariation(weight, time, self.coupled, self.inner, warm=noisy)
        sigma, start = (weight * gradient) ** 0.5, "tikhonov" if noisy else "tile" if tiled else "pseudo-inverse"
        return PlugAndPlay(prior, start, self.iterations, 1, sigma, self.damping, self.accelerated, self.tolerance)


class AdmmTV(GapTV):
    """The alternating direction method of multipliers with total variation: `GapTV`, damped.

    Parameters
    ----------
    damping : float
        Damping of the data step.
    weight, gradient, time, coupled, inner, iterations, accelerated, tolerance
        See `GapTV`.
    """

    def __init__(
        self,
        weight: float = 0.1,
        gradient: float | None = None,
        time: float | None = None,
        coupled: bool = False,
        inner: int = 3,
        iterations: int = 60,
        damping: float = 0.01,
        accelerated: bool = True,
        tolerance: float = 1e-4,
    ) -> None:
        super().__init__(weight, gradient, time, coupled, inner, iterations, damping, accelerated, tolerance)


def _estimate(method: Reconstructor, capture: Capture) -> NDArray[np.float32]:
    """That of the method, or of the pseudo-inverse where the method refuses the sensor or a frame smaller than its tile.

    Where neighbours share light or charge, so that there is no pseudo-inverse: Tikhonov.
    """
    if not method.refusal(capture.sensor):
        with suppress(Refusal):
            return method.solve(capture)
    if capture.sensor.pixels_apart:
        return PseudoInverse().solve(capture)
    return (Tikhonov(*WEAK) if capture.sensor.readout.ideal else Tikhonov()).solve(capture)


def _noise(capture: Capture) -> float:
    """Standard deviation of the charge, per white frame, in the noisiest bucket; 0 without noise."""
    gram = np.diagonal(capture.sensor.gram()).mean((0, 1))
    typical = [np.median(v[np.isfinite(v)]) if np.isfinite(v).any() else 0.0 for v in capture.variance[0]]
    return float(max(v / g for v, g in zip(typical, gram, strict=True) if g > 0) ** 0.5)


def _norm(video: NDArray) -> float:
    flat = video.ravel()
    return float(np.sqrt(flat @ flat))
