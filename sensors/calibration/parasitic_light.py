"""Parasitic light: what the storage nodes gather while the rows wait to be read, a slope down the image.

In row r of H, with the lamp on during exposure and readout (w: the bucket's part of the light, p: parasitic sensitivity)::

    Q(r) = rate [w t_exposure + p (t_exposure + t_readout r / H)]

Relative to a bucket that collects all light (w = 1), slope over level gives p without gain and lamp.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sensors.calibration.estimate import GROUPS, replicates
from sensors.calibration.stack_moments import StackMoments
from sensors.refusal import Refusal


def parasitic_sensitivity(
    lit: StackMoments,
    dark: StackMoments,
    good: NDArray[np.bool_],
    *,
    exposure: float,
    readout: float,
    flat: StackMoments | None = None,
) -> NDArray[np.float64]:
    """Replicates (R, B) of the parasitic sensitivity, relative to that of the photodiode.

    The code leaves the bucket open throughout. A ``flat`` of the same light, read without waiting, takes shading of the lamp off;
    without it the shading counts as parasitic light.

    Parameters
    ----------
    exposure, readout : float
        Seconds that the shutter is open, and from the readout of the first row to that of the last.

    Raises
    ------
    Refusal
        If a time is not positive, or the image is saturated.
    """
    if not (exposure > 0 and readout > 0):
        raise Refusal("parasitic light needs the exposure and the readout time in seconds, both positive")
    if (lit.pinned > 0).any():
        raise Refusal("the capture for parasitic light is saturated; take it with less light")
    light = lit.mean - dark.mean
    if flat is not None:
        shape = flat.mean - dark.mean
        light = light / (shape / shape.mean((1, 2), keepdims=True))
    rows = light.shape[1]
    height = (np.arange(rows) / rows)[:, None] + np.zeros_like(light)
    groups = min(GROUPS, rows)
    if groups < 2:
        raise Refusal("parasitic light is a slope over rows; there are too few")
    mean_h, mean_q = replicates(height, good), replicates(light, good)
    slope = replicates(height * light, good) - mean_h * mean_q
    slope /= replicates(height**2, good) - mean_h**2
    top = mean_q - slope * mean_h
    # slope / top = p t_readout / ((1 + p) t_exposure)
    ratio = slope / top * exposure / readout
    return ratio / (1 - ratio)
