"""The contract of every prior: it takes noise of a given strength from a video."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sensors.refusal import Refusal


class Denoiser(ABC):
    """Settings go into ``__init__`` and are stored unchanged."""

    @abstractmethod
    def __call__(self, video: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        """The video without its noise.

        Parameters
        ----------
        video : ndarray of float32, (T, H, W)
            Irradiance, 1 = white; left as it is.
        sigma : float
            Standard deviation of the noise, irradiance.

        Returns
        -------
        ndarray of float32, (T, H, W)
            An array of its own.
        """

    def guided_by(self, video: NDArray[np.float32]) -> Denoiser:
        """The prior adapted to an estimate of the video, such as to its motion."""
        return self


class DenoisingFunction(Denoiser):
    """A function of one's own as a prior: ``recon.make("gap", denoiser=function)``.

    Parameters
    ----------
    function : callable
        ``function(video, sigma)``, as `Denoiser.__call__`.
    """

    def __init__(self, function: Callable[[NDArray[np.float32], float], NDArray]) -> None:
        self.function = function

    def __call__(self, video: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        """What the function makes of a copy of the video; a Refusal if that is no video of the same shape."""
        made = np.asarray(self.function(video.copy(), sigma))
        if made.shape != video.shape or made.dtype.kind not in "fiu":
            raise Refusal(f"the denoiser made {made.dtype} {made.shape} of a video {video.shape}; needed: numbers of the same shape")
        return made.astype(np.float32, copy=False)
