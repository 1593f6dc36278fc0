"""Neighbouring exposures: copies, steps of light, and whether the last frame of one goes on in the first of the next."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from c2b.check.figure import Figure
from c2b.check.view import BLOCK, View, block_means

#: Step of the light from one exposure to the next, where the frame shares it: it exceeds the spread of the middle half by that factor.
STEP, SHARED = 0.04, 1.0

#: Times by which the step between exposures may exceed that of the same length within them.
SEAM = 3.2

#: A step within exposures has to exceed its noise so many times, squared, to be compared with.
MOVING = 1.5


def figures(view: View, video: NDArray | None) -> Iterator[Figure]:
    """Those of a row of exposures.

    Parameters
    ----------
    view : View
    video : ndarray, (N, T, H, W), optional
        Reconstruction of the exposures that are looked at.
    """
    images = view.images
    cause = "exposures that were written twice, or a grabber that lost frames and repeated the last one"
    about = "exposures that repeat the one before"
    if len(images) < 2:
        yield Figure("copies", about, None, 0, 0, cause, remark="there is one exposure")
        return
    copies = sum(bool((one == next_one).all()) for one, next_one in pairwise(images))
    yield Figure("copies", about, float(copies), 0, 0, cause)
    yield _steps(view, video)
    yield _seam(view, video)


def _steps(view: View, video: NDArray | None) -> Figure:
    """By the frames at both sides of a seam where there is a video, since little moves between them, else by all light."""
    cause = "a lamp that flickers or drifts, an automatic exposure or gain, exposures of another length"
    about = "largest step of light between exposures"
    if video is not None:
        frames = block_means(video[:, [0, -1]].astype(np.float64), (BLOCK, BLOCK))
        pairs = list(zip(frames[:-1, 1], frames[1:, 0], strict=True))
    else:
        light = block_means(view.light, (BLOCK, BLOCK))
        pairs = list(pairwise(light))
    told = [abs(one) for one in (_shared_step(*pair) for pair in pairs) if np.isfinite(one)]
    if not told:
        return Figure("light_steps", about, None, 0, STEP, cause, remark="too dark", percent=True)
    return Figure("light_steps", about, float(max(told)), 0, STEP, cause, percent=True)


def _shared_step(one: NDArray, other: NDArray) -> float:
    good = np.isfinite(one) & np.isfinite(other) & (one > 0.02) & (other > 0.02)
    if good.sum() < 4:
        return np.nan
    low, middle, high = np.quantile(np.log(other[good] / one[good]), (0.25, 0.5, 0.75))
    return float(middle) if abs(middle) > SHARED * (high - low) else 0.0


def _seam(view: View, video: NDArray | None) -> Figure:
    """Root mean square step over a seam against steps of the same length within."""
    about, cause = (
        "step between exposures over that within them",
        (
            "frames in reverse order (c2b score --order best), another orientation or phase of the code (--align-code), exposures "
            "that are missing, or a dead time that the sensor does not state"
        ),
    )
    if video is None or video.shape[1] < 3:
        return Figure("seam", about, None, 0.0, SEAM, cause, remark="no video of several frames and exposures")
    if not np.ptp(view.sensor.code, axis=-3).any():
        return Figure("seam", about, None, 0.0, SEAM, cause, remark="this code does not tell frames apart")
    gap = 1 + view.sensor.timing.dead_frames
    within, seam, floor = seam_steps(video, gap)
    if within < MOVING * floor or not within > 0:
        return Figure("seam", about, None, 0.0, SEAM, cause, remark="hardly anything moves")
    return Figure("seam", about, float(np.sqrt(seam / within)), 0.0, SEAM, cause)


def seam_steps(video: NDArray, gap: int) -> tuple[float, float, float]:
    """Mean squared step over ``gap`` frames within exposures, over the seams, and what noise alone gives."""
    lag = min(gap, video.shape[1] - 1)
    coarse = block_means(video, (4, 4))
    within = np.square(coarse[:, lag:] - coarse[:, :-lag])
    seam = np.square(coarse[1:, 0] - coarse[:-1, -1]) * (lag / gap)
    moving = np.nanmean(within, (0, 1))
    floor = float(np.nanmedian(moving))
    top = moving >= np.nanquantile(moving, 0.8)
    return float(np.nanmean(within[..., top])), float(np.nanmean(seam[..., top])), floor
