"""Temporal mixing: into which code bit the light of a sub-exposure really falls, by a lamp strobed once and codes open once.

M[t, s] is the part of the light of sub-exposure t that bit s of the code steers: the identity for an ideal pixel, with sub-diagonals
for latency and lag. With a flash in sub-exposure t, R_s the signal under the code that is open in s alone, R_all and R_none under the
codes open throughout and never::

    M[t, s] = (R_s - R_none) / (R_all - R_none)

Gain, light, dark level and leakage cancel. What is lost the same way under all codes (dead time) cancels too and cannot be seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sensors.calibration.estimate import half_width, replicates
from sensors.refusal import Refusal


def temporal_mixing(strobed: Sequence[ArrayLike], good: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Replicates (R, T, T) of the matrix M.

    Parameters
    ----------
    strobed : sequence of T array_like, (T + 2, H, W)
        For a flash in each sub-exposure t: mean images of bucket 0 under the T one-hot codes, then all open, then all closed.
    good : ndarray of bool, (H, W), optional
        Pixels that count.

    Raises
    ------
    Refusal
        If the counts do not fit, or the flash is not seen.
    """
    for t, images in enumerate(strobed):
        if len(np.asarray(images)) != len(strobed) + 2:
            raise Refusal(
                f"the strobe of sub-exposure {t} has {len(np.asarray(images))} images; needed: {len(strobed)} one-hot codes, "
                "all open and all closed"
            )
    signal = np.stack([replicates(np.asarray(images), good) for images in strobed], axis=1)
    flash = signal[..., -2] - signal[..., -1]
    if (flash[0] <= 2 * half_width(flash)).any():
        raise Refusal("a strobe is not seen in the open bucket; take it with more light")
    return (signal[..., :-2] - signal[..., -1:]) / flash[..., None]
