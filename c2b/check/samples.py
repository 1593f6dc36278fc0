"""Samples that tell little or nothing: saturated, dark, below black, at the ends of the converter; and codes that never come."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from c2b.check.figure import Figure
from c2b.check.view import View

#: Part of the samples that highlights of a scene may saturate.
SATURATED = 0.01

#: Standard deviations of the dark noise below black that no dark sample has by chance, and the part that may.
BELOW, BELOW_PART = 4.5, 1e-3

#: Part of the samples that may stand at the lowest code, and at the highest where no saturation is stated.
LOWEST, HIGHEST = 1e-3, 0.01

#: Median ratio of signal to noise of a bucket under which methods have little to work with.
LIGHT = 2.0

#: Part of the codes between the 5 % and 95 % quantiles that chance leaves out, and samples per code that are enough to say so.
MISSING, ENOUGH = 0.5, 12.0


def figures(view: View) -> Iterator[Figure]:
    """Those of each bucket."""
    ideal = view.sensor.readout.ideal
    for b in range(view.buckets):
        where = f"bucket {b}" if view.buckets > 1 else ""
        yield _light(view, b, where)
        if ideal:
            yield _at_the_top(view.images[:, b], where)
        else:
            yield _saturated(view, b, where)
            yield _below_black(view, b, where)
        if view.images.dtype.kind == "u":
            yield Figure(
                "clipped_dark", "samples at the lowest code", float((view.images[:, b] == 0).mean()), -np.inf, LOWEST,
                "a black level so low that noise is cut off: raise the pedestal of the converter", where, percent=True,
            )  # fmt: skip
            yield _missing_codes(view.images[:, b], where)


def _saturated(view: View, b: int, where: str) -> Figure:
    lost = np.isinf(view.capture.variance[:, b]).mean(0)
    known = view.sensor.hot_samples(view.charge.shape[2:])
    if known is not None:
        lost = np.where(known[b], 0, lost)
    cause = (
        "too much light for the exposure; the bucket that is open longer fills first: shorten sub-exposures or close the aperture"
    )
    return Figure(
        "saturated",
        "samples that are saturated",
        float(lost.mean()),
        -np.inf,
        SATURATED,
        cause,
        where,
        percent=True,
        picture=lost,
    )


def _at_the_top(images: NDArray, where: str) -> Figure:
    top = images.max()
    part = float((images == top).mean()) if top > 0 and images.min() < top else 0.0
    cause = "saturation that nobody states, so that these samples count as if they were right: name a sensor with its bits or full well"
    return Figure("at_the_top", "samples at the largest value", part, -np.inf, HIGHEST, cause, where, percent=True)


def _light(view: View, b: int, where: str) -> Figure:
    seen = view.seen[:, b]
    noise = np.sqrt(np.maximum(view.variance[:, b][seen], 1e-12))
    ratio = float(np.median(view.charge[:, b][seen] / noise)) if seen.any() else None
    cause = "too little light, a closed shutter, a black level that is too high, or a white that is far too small"
    return Figure(
        "light", "median signal over noise", ratio, LIGHT, np.inf, cause, where, "" if seen.any() else "no sample counts"
    )


def _below_black(view: View, b: int, where: str) -> Figure:
    readout = view.sensor.readout
    dark = readout.dark_noise(view.buckets)[b] / float(readout.white or 1)
    part = float((view.charge[:, b] < -BELOW * dark).mean())
    cause = "a black level that is too high, or that has drifted since the darks were taken: take darks anew"
    return Figure("below_black", "samples far below black", part, -np.inf, BELOW_PART, cause, where, percent=True)


def _missing_codes(images: NDArray, where: str) -> Figure:
    low, high = np.quantile(images, (0.05, 0.95), method="nearest").astype(int)
    codes = high - low + 1
    cause = "numbers that were scaled or made of fewer bits: an 8-bit stage in the chain, a gain after the converter, compression"
    about = "codes of the converter that never come"
    if images.size < ENOUGH * codes or codes < 8:
        remark = "too few samples for the range of codes" if codes >= 8 else "hardly any range of codes"
        return Figure("missing_codes", about, None, -np.inf, MISSING, cause, where, remark, percent=True)
    used = np.unique(images[(images >= low) & (images <= high)]).size
    return Figure("missing_codes", about, 1 - used / codes, -np.inf, MISSING, cause, where, percent=True)
