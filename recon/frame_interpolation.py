"""Motion blur without ghosts: a film averaged as if it had more frames, made along the optical flow.

======  ===========================================================================  ==============
symbol  meaning                                                                      shape
======  ===========================================================================  ==============
I, J    two frames in a row, at times 0 and 1                                        (H, W[, 3])
u, v    flow from I to J, and from J to I                                            (2, H, W)
m       motion at time s: (1 - s) u - s v                                            (2, H, W)
======  ===========================================================================  ==============

A frame between the two is (1 - s) I(x - s m) + s J(x + (1 - s) m), which is I at s = 0 and J at s = 1. Frame t of a film stands for the
times t - 1/2 to t + 1/2, so n frames for n frame periods, and the first and the last are continued by half a period along their flow.
Where nothing moves, and where all motion is below the largest step, the mean is that of the frames as they are.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from recon.optical_flow import optical_flow, warp

#: Part of the pixels whose motion is not above what counts as the largest.
QUANTILE = 0.999

#: Frames that stand for one at most, whatever the motion.
MOST = 64


def largest_motion(flow: NDArray) -> float:
    """The motion of a flow (2, H, W) that all but a few pixels stay below (`QUANTILE`), in pixels."""
    return float(np.quantile(np.hypot(*flow), QUANTILE))


def blurred(light: NDArray, guide: NDArray, largest_step: float = 1.0) -> NDArray[np.float32]:
    """The mean of a film over its time, in steps in which nothing moves far.

    Parameters
    ----------
    light : ndarray, (n, H, W) or (n, H, W, 3)
        What is averaged.
    guide : ndarray, (n, H, W)
        The same film in grey, 1 = white, for the optical flow; encoded values show more in the dark.
    largest_step : float
        Pixels that anything may move from one averaged frame to the next.

    Returns
    -------
    ndarray of float32, (H, W) or (H, W, 3)
    """
    total = np.zeros(light.shape[1:], np.float64)
    last = len(light) - 1
    for t in range(last):
        ahead, back = optical_flow(guide[t], guide[t + 1]), optical_flow(guide[t + 1], guide[t])
        steps = steps_of(ahead, back, largest_step)
        total += _gap(light[t], light[t + 1], ahead, back, steps)
        if t == 0:
            total += _end(light[0], ahead, steps)
        if t == last - 1:
            total += _end(light[last], back, steps)
    if not last:
        total += light[0]
    return (total / len(light)).astype(np.float32)


def steps_of(ahead: NDArray, back: NDArray, largest_step: float) -> int:
    """Into how many steps a frame period is cut: an even number, or 1 where nothing moves further than one."""
    motion = max(largest_motion(ahead), largest_motion(back))
    return 1 if motion <= largest_step else min(2 * math.ceil(motion / largest_step / 2), MOST)


def between(first: NDArray, second: NDArray, ahead: NDArray, back: NDArray, time: float) -> NDArray[np.float32]:
    """The frame at a time from 0 (``first``) to 1 (``second``), (H, W) or (H, W, 3), along the flows between them (2, H, W)."""
    motion = (1 - time) * ahead - time * back
    return (1 - time) * _moved(first, -time * motion) + time * _moved(second, (1 - time) * motion)


def _gap(first: NDArray, second: NDArray, ahead: NDArray, back: NDArray, steps: int) -> NDArray:
    """The mean from one frame to the next."""
    if steps == 1:
        return (np.asarray(first, np.float64) + second) / 2
    times = (np.arange(steps) + 0.5) / steps
    return np.stack([between(first, second, ahead, back, float(time)) for time in times]).sum(0, dtype=np.float64) / steps


def _end(frame: NDArray, inwards: NDArray, steps: int) -> NDArray:
    """Half of the mean over the half period beyond the first or last frame, whose flow to its neighbour is ``inwards``."""
    if steps == 1:
        return np.asarray(frame, np.float64) / 2
    times = (np.arange(steps // 2) + 0.5) / steps
    return np.stack([_moved(frame, float(time) * inwards) for time in times]).sum(0, dtype=np.float64) / steps


def _moved(frame: NDArray, flow: NDArray) -> NDArray[np.float32]:
    if frame.ndim == 2:
        return warp(frame, flow)
    return np.stack([warp(frame[..., c], flow) for c in range(frame.shape[-1])], -1)
