"""Non-local means: patches that recur in a frame are averaged. From scikit-image, ``pip install scikit-image``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recon.iteration_limit import refuse_endless
from recon.priors.denoiser import Denoiser
from sensors.refusal import Refusal


class NonLocalMeans(Denoiser):
    """Frame by frame: A. Buades, B. Coll, J.-M. Morel, A non-local algorithm for image denoising, CVPR 2005.

    Parameters
    ----------
    patch : int
        Side of a patch in pixels.
    distance : int
        How far the patches that are averaged may lie apart, in pixels.
    strength : float
        Strength of the averaging: patches count with exp(-d^2 / (strength * sigma)^2), d the rms difference beyond the noise.

    Raises
    ------
    Refusal
        If scikit-image is not installed, or a setting is out of range.
    """

    def __init__(self, patch: int = 5, distance: int = 6, strength: float = 0.8) -> None:
        if min(patch, distance) < 1 or not strength > 0:
            raise Refusal(f"patch={patch}, distance={distance} and strength={strength}; needed: above 0")
        refuse_endless(100, patch=patch, distance=distance)
        try:
            import skimage.restoration  # noqa: F401
        except ImportError:
            raise Refusal("non-local means are those of scikit-image; pip install scikit-image") from None
        self.patch = patch
        self.distance = distance
        self.strength = strength

    def __call__(self, video: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        """Each frame without its noise."""
        from skimage.restoration import denoise_nl_means

        settings = {"patch_size": self.patch, "patch_distance": self.distance, "h": self.strength * sigma, "sigma": sigma}
        return np.stack([denoise_nl_means(frame, fast_mode=True, **settings) for frame in video])
