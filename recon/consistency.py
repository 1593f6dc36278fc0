"""The noise-weighted data step: moves an estimate towards explaining the capture, as far as the noise allows.

    x <- x + P A^T (A P A^T + Sigma)^+ (y - A x)

Sigma is the variance of the capture, P that of the error of the estimate. Without noise this is the exact projection on the videos
that explain the capture. Exact projection under noise is wrong: it copies the noise of the capture into the estimate. Where P is not
known it is measured: the residual y - A x has the variance A P A^T + Sigma, so that a local mean of its square tells P.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from recon.reconstructor import Reconstructor, at, needs_local
from sensors.capture import Capture
from sensors.exposure import periodic
from sensors.sensor import Sensor

#: The error variance P is measured over windows of so many pixels: small enough to tell moving from static regions.
WINDOW = 9


#: A local mean of squared noise lies above the variance by chance; what goes beyond three of its standard errors is error.
NOT_BY_CHANCE = 1 + 3 * 2**0.5 / WINDOW


class Consistent(Reconstructor):
    """A method followed by the data step; serves whatever the method serves."""

    def __init__(self, method: Reconstructor) -> None:
        self.method = method
        self.also = method.also  # type: ignore[misc]
        self.neighbours = method.neighbours

    def refusal(self, sensor: Sensor) -> str:
        """That of the method; and exposures that share frames cannot be corrected one by one."""
        return needs_local(sensor, "the data step") or self.method.refusal(sensor)

    def parts(self, sensor: Sensor) -> tuple[Any, ...]:
        """The method."""
        return (self.method,)

    def remarks(self, capture: Capture) -> tuple[str, ...]:
        """Those of the method."""
        return self.method.remarks(capture)

    def fit(self, clips: Iterable[NDArray], sensors: Any, **settings: Any) -> Self:
        """That of the method."""
        self.method.fit(clips, sensors, **settings)
        return self

    def save(self, path: str | Path, card: Mapping[str, Any] | None = None) -> None:
        """What the method has learnt."""
        self.method.save(path, card)

    def load(self, path: str | Path) -> Self:
        """What the method has learnt."""
        self.method.load(path)
        return self

    def solve(self, capture: Capture) -> NDArray[np.float32]:
        """The frames (T, H, W) of one exposure."""
        return data_step(self.method.solve(capture), capture)

    def solve_among(self, capture: Capture, number: int) -> NDArray[np.float32]:
        """The frames (T, H, W) of one exposure of a row."""
        return data_step(self.method.solve_among(capture, number), at(capture, number))

    def __getattr__(self, name: str) -> object:
        if name in self.__dict__.get("also", ()):
            return getattr(self.method, name)
        raise AttributeError(name)


def data_step(video: NDArray, capture: Capture, error_variance: NDArray | float | None = None) -> NDArray[np.float32]:
    """One exposure's estimate (T, H, W), moved towards its capture.

    Parameters
    ----------
    video : ndarray, (T, H, W)
        The estimate x.
    capture : Capture
        A single mono exposure.
    error_variance : float or ndarray, (H, W) or (T, H, W), optional
        P, the variance of the error of the estimate; measured from the residual if not given.
    """
    exposure, charge, variance = capture.sensor.exposure, capture.charge[0], capture.variance[0]
    if error_variance is None:
        if capture.sensor.readout.ideal:
            return exposure.data_step(video, charge).astype(np.float32, copy=False)
        gram = periodic(exposure.gram(), exposure.origin, charge.shape[1:])
        error_variance = _measured_error(charge - exposure.expose(video), variance, gram)
    spread = np.asarray(error_variance, np.float32)
    spread = spread[None] if spread.ndim == 2 else spread
    return exposure.data_step(video, charge, variance, spread).astype(np.float32, copy=False)


def _measured_error(residual: NDArray, variance: NDArray, gram: NDArray) -> NDArray[np.float32]:
    """P (H, W) from the local mean of residual^2 - Sigma over that of the diagonal of A A^T, each bucket weighted by its precision."""
    weight = 1 / np.square(np.maximum(variance + np.diagonal(gram).transpose(2, 0, 1) * np.float32(1e-3), 1e-12))
    excess = sum(
        uniform_filter(w * np.where(w > 0, r**2 - NOT_BY_CHANCE * v, 0), WINDOW)
        for w, r, v in zip(weight, residual, variance, strict=True)
    )
    scale = sum(uniform_filter(w * gram[b, b], WINDOW) for b, w in enumerate(weight))
    return (np.maximum(excess, 0) / np.maximum(scale, 1e-12)).astype(np.float32)
