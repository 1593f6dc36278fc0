"""Parasitic light: what the storage nodes gather while the rows wait to be read, a slope down the image.

In row r of H, with the lamp on during exposure and readout, under a code that leaves the bucket open throughout::

    Q(r) = rate [w t_exposure + pi (t_exposure + t_readout r / H)]

======  ====================================================================================
symbol  meaning
======  ====================================================================================
w       what the bucket keeps of the light: its response times 1 - the leakage to the other
pi      what its storage node collects of the light: the setting ``parasitic`` of a sensor
p       pi / w, relative to the open bucket
======  ====================================================================================

Slope over level gives p without gain and lamp; `of_the_light` makes it pi. Since the nodes collect whatever the code says,
parasitic light looks like leakage in a duty ramp: `without_parasitic` takes it off.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sensors.calibration.estimate import GROUPS, replicates
from sensors.calibration.stack_moments import CLIPPED, StackMoments
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
    """Replicates (R, B) of p, the parasitic sensitivity relative to that of the open bucket.

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
    if (lit.clipped(good) > CLIPPED).any():
        raise Refusal("the capture for parasitic light is saturated; take it with less light")
    light = lit.mean - dark.mean
    if flat is not None:
        shape = flat.mean - dark.mean
        light = light / (shape / shape.mean((1, 2), keepdims=True))
    rows = light.shape[1]
    height = _height(rows) + np.zeros_like(light)
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


def of_the_light(
    relative: NDArray[np.float64], leakage: NDArray[np.float64] | float, mismatch: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """Replicates (R, B) of pi = p w, for a sensor of that leakage (R, B) from each bucket and mismatch (R,) (`sensors.two_bucket`)."""
    if relative.shape[-1] == 1:
        return relative
    response = np.stack(np.broadcast_arrays(np.minimum(1, 1 + np.asarray(mismatch)), np.minimum(1, 1 - np.asarray(mismatch))), -1)
    return relative * response * (1 - leakage)


def without_parasitic(
    slope: NDArray[np.float64], offset: NDArray[np.float64], relative: NDArray[np.float64], wait: float, rows: int
) -> NDArray[np.float64]:
    """The offsets of a duty ramp without what the storage nodes add to them.

    Parameters
    ----------
    slope, offset : ndarray, (R, 2)
        See `tap_contrast.duty_ramp`.
    relative : ndarray, (R, 2)
        p.
    wait : float
        t_readout / t_exposure.
    rows : int
        H.
    """
    part = relative * (1 + wait * replicates(_height(rows))[:, None])
    return offset - (slope + offset) * part / (1 + part)


def _height(rows: int) -> NDArray[np.float64]:
    """r / H, (H, 1)."""
    return (np.arange(rows) / rows)[:, None]
