"""How well a video explains the capture it was made of, and how well one bucket tells the other.

======  =================================================================  ============
symbol  meaning                                                            shape
======  =================================================================  ============
y, v    charge of a bucket and its variance                                (N, H, W)
x, A x  the video, and the charge that it gives                            (T, H, W)
======  =================================================================  ============

A small residual says little: under an impulse code every arrangement of the tile explains every capture. A large one says that the
sensor is not the one that took it, or that the video is not of this capture.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

import recon
from c2b.check.figure import Figure
from c2b.check.view import View
from sensors.capture import Capture

#: Squared residual over the variance of the sensor.
RESIDUAL = 2.0

#: Residual relative to the charge, where the sensor says nothing of its noise.
RELATIVE = 0.05

#: Charge of a bucket over what a reconstruction of the other predicts, minus 1.
PREDICTED = 0.04

#: Methods that are tried for a video where none is given: of two buckets the first alone, so that the second can be predicted.
METHODS = ("gmm:stride=4,buckets=coded", "tikhonov")


def reconstruction(capture: Capture) -> NDArray[np.float32] | None:
    """Video (N, T, H, W) by the first of `METHODS` that serves the sensor and the size of its frames."""
    small = min(capture.images.shape[2:4]) < 8
    for name in METHODS:
        method = recon.make(name)
        if not (small and name.startswith("gmm")) and not method.refusal(capture.sensor.at(0)):
            return method.reconstruct(capture)
    return None


def figures(view: View, video: NDArray | None, own: bool) -> Iterator[Figure]:
    """Residual of each bucket, and the prediction of bucket 1 from bucket 0.

    Parameters
    ----------
    view : View
    video : ndarray, (N, T, H, W), optional
    own : bool
        Whether it was made here, out of bucket 0 alone.
    """
    if video is None:
        return
    charge = np.stack([view.sensor.at(n).expose(np.ascontiguousarray(one)) for n, one in enumerate(video)]).astype(np.float64)
    for b in range(1 if own else view.buckets):
        yield _residual(view, view.charge[: len(charge), b] - charge[:, b], b)
    if own and view.buckets == 2:
        yield _predicted(view, charge[:, 1])


def _residual(view: View, residual: NDArray, b: int) -> Figure:
    cause = (
        "noise, leakage, gain or black level other than the sensor's, frames of another response, or a video that was not made of this "
        "capture"
    )
    where = f"bucket {b}" if view.buckets > 1 else ""
    seen, y = view.seen[: len(residual), b], view.charge[: len(residual), b]
    if view.sensor.readout.ideal:
        size = np.sqrt(np.mean(np.square(y[seen]))) if seen.any() else 0.0
        picture = np.abs(residual).mean(0) / max(size, 1e-12)
        value = float(np.sqrt(np.mean(np.square(residual[seen]))) / size) if size > 0 else None
        return Figure("residual", "residual over the charge", value, 0.0, RELATIVE, cause, where, percent=True, picture=picture)
    ratio = np.where(seen, np.square(residual) / np.maximum(view.variance[: len(residual), b], 1e-15), np.nan)
    there = np.isfinite(ratio)
    picture = np.where(there, ratio, 0).sum(0) / np.maximum(there.sum(0), 1)
    value = float(ratio[there].mean()) if there.any() else None
    return Figure("residual", "squared residual over the noise", value, 0.0, RESIDUAL, cause, where, picture=picture)


def _predicted(view: View, predicted: NDArray) -> Figure:
    """Bucket 1 over what was predicted, by the median over windows."""
    cause = "swapped buckets, taps of different gain, leakage, a black level that is off, or a code of another phase"
    charge = np.where(view.seen[: len(predicted), 1], view.charge[: len(predicted), 1], predicted)
    smooth, expected = view.smooth(charge), view.smooth(predicted)
    lit = expected > 0.2 * np.median(expected)
    ratio = float(np.median(smooth[lit] / expected[lit]) - 1) if lit.any() else None
    about = "bucket 1 over what bucket 0 predicts of it, less 1"
    return Figure("other_bucket", about, ratio, -PREDICTED, PREDICTED, cause, percent=True)
