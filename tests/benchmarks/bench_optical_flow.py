"""Optical flow of two 480x640 frames, against the same method (Lucas and Kanade for every pixel, coarse to fine) of scikit-image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.registration import optical_flow_ilk

from recon.optical_flow import optical_flow
from sensors.kernel import threads
from tests.benchmarks.interleaved import Ratio, compare

#: Rows down, columns right, in pixels.
SHIFT = (3, -5)


def ratios() -> Iterator[Ratio]:
    """With the same window and as many warps at each scale; both find the shift."""
    one = gaussian_filter(np.random.default_rng(0).random((480, 640), np.float32), 2)
    one = (one - one.min()) / np.ptp(one)
    other = np.roll(one, SHIFT, (0, 1))

    def plain() -> np.ndarray:
        return optical_flow_ilk(one, other, radius=5, num_warp=4, gaussian=False, prefilter=False)

    for flow in (plain(), optical_flow(one, other)):
        assert np.abs(np.median(flow, (1, 2)) - SHIFT).max() < 0.1
    with threads(1):
        yield compare("optical flow 480x640", plain, lambda: optical_flow(one, other), at_least=5, turns=5)
