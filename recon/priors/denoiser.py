"""The contract of every prior: it takes noise of a given strength from a video."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray


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
