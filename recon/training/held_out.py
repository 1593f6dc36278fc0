"""Samples of a capture that are held out: a network is shown the others, and what its video gives there is compared with them.

======  ==========================================================================  ============
symbol  meaning                                                                     shape
======  ==========================================================================  ============
y, v    charge as measured and its variance                                         (B, H, W)
m       1 where a sample is held out, 0 where it is shown                           (B, H, W)
<v>     v averaged over some tiles, so that it does not know the noise of a sample  (B, H, W)
n       white sub-exposures that a sample sees                                      (B, H, W)
f       the network, of what is shown
======  ==========================================================================  ============

    w = m / (<v> + (n ERROR)^2)        error = sum w (y - A f)^2 / sum m        noise = sum w v / sum m

The noise of a sample that is held out is independent of those that are shown, so that the expected error is the square distance of A f
from the true charge, plus the noise: the truth is not needed (J. Batson, L. Royer, Noise2Self, ICML 2019; B. Yaman and others,
Self-supervised learning of physics-guided reconstruction, MRM 2020, split a measurement likewise). Under an impulse code a sample of
bucket 0 is one frame of its pixel, which the others tell only by motion. Noise that samples share, such as that of whole rows, breaks
this: the shown samples tell it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from torch import Tensor

from recon.learned.network import Given, given, tensor
from sensors.capture import Capture

#: Part of the samples that is held out.
SHARE = 0.1

#: Tiles over which variances are averaged.
TILES = 3

#: Error of a frame, 1 = white, that counts as much as noise of its size: without noise all samples count alike.
ERROR = 0.05


class HeldOut(NamedTuple):
    """A capture: what a network is shown, and what it is to predict."""

    given: Given
    charge: Tensor  # (1, B, H, W), as measured
    weight: Tensor  # (1, B, H, W), w; 0 where a sample was shown, is saturated or hot, or sees nothing
    noise: Tensor  # (1, B, H, W), w v

    def error(self, video: Tensor) -> Tensor:
        """Difference w (y - A f)^2 of each sample, (1, B, H, W), for a video (1, T, H, W)."""
        return self.weight * (self.charge - self.given.exposure.expose(video.float())).square()

    @property
    def samples(self) -> int:
        """Number of samples that are predicted."""
        return int((self.weight > 0).sum())


def held_out(capture: Capture, rng: np.random.Generator, *, start: str, share: float = SHARE) -> HeldOut:
    """Hold out samples of a single mono exposure.

    Parameters
    ----------
    capture : Capture
    rng : Generator
    start : str
        The classical method that the network starts from, or empty.
    share : float
        Part of the samples that is held out, each for itself.
    """
    mask = rng.random(capture.images.shape[1:]) < share
    weight = _weight(capture) * mask
    variance = np.where(np.isfinite(capture.variance[0]), capture.variance[0], 0)
    shown = given([hide(capture, mask)], start)
    return HeldOut(shown, *(tensor([field]) for field in (capture.charge[0], weight, weight * variance)))


def hide(capture: Capture, mask: NDArray[np.bool_]) -> Capture:
    """A single mono exposure as if samples (B, H, W) were of hot pixels: no method then looks at them."""
    sensor = capture.sensor
    known = sensor.hot_samples(mask.shape[1:], capture.record.get("lane", 0))
    step, *first = sensor.lattice
    top, left = (step * place + start for place, start in zip(sensor.origin, first, strict=True))
    hot = np.zeros((len(mask), top + step * mask.shape[1], left + step * mask.shape[2]), np.uint8)
    hot[:, top::step, left::step] = mask if known is None else mask | known
    return Capture(capture.images, replace(sensor, hot=hot), capture.record)


def _weight(capture: Capture) -> NDArray[np.float32]:
    """1 / (<v> + (n ERROR)^2) of a single exposure, (B, H, W)."""
    charge, variance, sensor = capture.charge[0], capture.variance[0], capture.sensor
    n = sensor.expose(np.ones((sensor.frames, *charge.shape[1:]), np.float32))
    known = np.isfinite(variance) & (n > 0)
    side = (0, *(TILES * size for size in sensor.grid))
    total, count = (uniform_filter(np.where(known, field, 0).astype(np.float32), side) for field in (variance, np.ones_like(n)))
    spread = total / np.maximum(count, 1e-6) + np.square(n * ERROR)
    return np.where(known, 1 / np.maximum(spread, 1e-12), 0).astype(np.float32)
