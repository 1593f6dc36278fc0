"""Warping error: how much a video changes along the motion of the truth.

    E = sqrt( mean over t of ( sum_x M_t(x) (z_t(x) - z_t+1(x + u_t(x)))^2 / sum_x M_t(x) ) )

W.-S. Lai et al., "Learning blind video temporal consistency", ECCV 2018. z are frames of the video, u_t the optical flow from frame t
to the next of the truth, and M_t is 1 where that flow and the one back agree within the bounds of N. Sundaram, T. Brox, K. Keutzer
(ECCV 2010): elsewhere something is covered or leaves. The flow is that of `recon.optical_flow`, Lucas-Kanade, coarse to fine, and the
truth has an error of its own, since no flow is exact. Where ours differs: the root, in units of white.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recon.measures.measure import Metric, Outcome, grey, planes
from recon.optical_flow import optical_flow, warp
from sensors.refusal import Refusal

#: Flow and its way back may differ by this part of their squares, and by so many squared pixels.
RELATIVE, ABSOLUTE = 0.01, 0.5


class WarpingError(Metric):
    """Root mean square change of the video along the optical flow of the truth, 1 = white; what is covered does not count."""

    better: ClassVar[str] = "lower"

    def __call__(self, outcome: Outcome) -> float:
        video, truth = outcome.shown
        if len(truth) < 2:
            raise Refusal("the warping error is that from frame to frame, and an exposure here has a single one")
        guide, frames = grey(truth), planes(video)
        changes = [_between(*guide[t : t + 2], *frames[t : t + 2]) for t in range(len(guide) - 1)]
        if not (seen := [change for change in changes if change is not None]):
            raise Refusal("the warping error needs something that two frames show, and the flow of the truth finds nothing")
        return float(np.sqrt(np.mean(seen)))


def _between(first: NDArray, second: NDArray, one: NDArray, other: NDArray) -> float | None:
    """Mean square of the change between two frames (H, W, colours), guided by two of the truth (H, W); None if nothing stays."""
    flow = optical_flow(first, second)
    seen = _visible(flow, optical_flow(second, first))
    if not seen.any():
        return None
    moved = np.stack([warp(plane, flow) for plane in np.moveaxis(other, -1, 0)], -1)
    return float(np.square(one - moved)[seen].mean(dtype=np.float64))


def _visible(flow: NDArray, back: NDArray) -> NDArray[np.bool_]:
    """Where a pixel is seen in both frames, (H, W)."""
    returned = np.stack([warp(part, flow) for part in back])
    size = np.square(flow).sum(0) + np.square(returned).sum(0)
    place = np.indices(flow.shape[1:]) + flow
    inside: Any = np.logical_and.reduce([(at >= 0) & (at <= side - 1) for at, side in zip(place, flow.shape[1:], strict=True)])
    return inside & (np.square(flow + returned).sum(0) <= RELATIVE * size + ABSOLUTE)
