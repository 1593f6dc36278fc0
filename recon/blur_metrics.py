"""How well a video explains the one blurred picture that it was made of, whichever way it runs.

======  =============================================================================  =====================
symbol  meaning                                                                        shape
======  =============================================================================  =====================
x, z    true frames, frames of the video, 1 = white                                    (T, H, W[, 3])
t, t'   a frame t < T // 2 and its partner T - 1 - t; a middle frame has none
======  =============================================================================  =====================

Pair error: sum over t of ``||z_t + z_t'| - |x_t + x_t'||_1 + ||z_t - z_t'| - |x_t - x_t'||_1``, the same for a video and its
reverse, pair by pair (M. Jin, G. Meishvili, P. Favaro, Learning to extract a video sequence from a single motion-blurred image,
CVPR 2018, Eq. 5; K. Purohit, A. Shah, A. N. Rajagopalan, Bringing alive blurred moments, CVPR 2019, Eq. 6).
The sum grows with the picture; per pixel it is divided by the number of values of a frame. It says nothing of the middle frame.

Re-blurred PSNR: of the mean of the frames against that of the true ones. A video that repeats the blurred picture has an infinite one,
so tables that mix it with the PSNR of the video mean nothing.

End-point error: mean distance, in pixels, between the optical flow from the first frame to the last of the video and that of the truth.
Its size depends on the flow method, which is named beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recon import metrics, optical_flow
from recon.order import Order, directions
from sensors.refusal import Refusal

#: The flow method of `end_point_error`.
FLOW = "Lucas-Kanade, coarse to fine, 11x11 window (recon.optical_flow)"

Flow = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class BlurScore:
    """The measures of a video, or the mean over several.

    Attributes
    ----------
    pair_error, pair_error_per_pixel : float
        Order-invariant error of the pairs, summed over the frame, and divided by the values of one.
    reblurred_psnr : float
        In dB; infinite where the means are equal.
    end_point_error : float
        In pixels, from the first frame to the last; of the better direction where the order is not given.
    flow : str
        The flow method.
    """

    pair_error: float
    pair_error_per_pixel: float
    reblurred_psnr: float
    end_point_error: float
    flow: str = FLOW

    def line(self) -> str:
        """The measures for a person to read."""
        return (
            f"order-invariant pair error {self.pair_error:.1f} ({self.pair_error_per_pixel:.4f} per pixel), "
            f"re-blurred {self.reblurred_psnr:.2f} dB, "
            f"first to last frame off by {self.end_point_error:.2f} px [{self.flow}]"
        )

    def values(self) -> dict[str, float]:
        """The numbers by their names."""
        return {name: value for name, value in asdict(self).items() if name != "flow"}


def blur_score(
    video: ArrayLike,
    truth: ArrayLike,
    *,
    data_range: float = 1.0,
    order: Order = "given",
    light: Callable[[NDArray], NDArray] = np.asarray,
    stored: Callable[[NDArray], NDArray] = np.asarray,
) -> BlurScore:
    """The measures of one clip.

    Parameters
    ----------
    video, truth : array_like, (T, H, W) or (T, H, W, 3)
        Clipped to [0, data_range] first.
    data_range : float
        White, in the unit of the values.
    order : {"given", "best", "frame"}
        See `recon.order`; only the end-point error depends on it.
    light, stored : callable
        To light and back: what is averaged is light, what is compared is stored. By default values are averaged as they are.

    Raises
    ------
    Refusal
        If the shapes differ or are no video of two frames or more.
    """
    ours, theirs = (np.asarray(clip) for clip in (video, truth))
    if ours.shape != theirs.shape or ours.ndim not in (3, 4) or len(ours) < 2:
        raise Refusal(f"video {ours.shape} and truth {theirs.shape} are not two videos of the same shape, of 2 frames at least")
    ours, theirs = ((clip.astype(np.float32) / np.float32(data_range)).clip(0, 1) for clip in (ours, theirs))
    total = pair_error(ours, theirs)
    blurred = (stored(light(clip).mean(0, dtype=np.float64)) for clip in (ours, theirs))
    return BlurScore(
        pair_error=total,
        pair_error_per_pixel=total / math.prod(ours.shape[1:]),
        reblurred_psnr=metrics.psnr(*blurred, data_range=1.0),
        end_point_error=min(end_point_error(played, theirs) for played in directions(ours, order).values()),
    )


def mean(scores: Sequence[BlurScore]) -> BlurScore:
    """The mean over clips of one flow method."""
    values = [score.values() for score in scores]
    return BlurScore(**{name: float(np.mean([one[name] for one in values])) for name in values[0]}, flow=scores[0].flow)


def pair_error(video: NDArray[Any], truth: NDArray[Any]) -> float:
    """The sum over pairs of frames (T, ...); 0 for the truth and for its reverse."""
    last, total = len(video) - 1, 0.0
    for t in range(len(video) // 2):
        for combined in (np.add, np.subtract):
            ours, theirs = (np.abs(combined(clip[t], clip[last - t])) for clip in (video, truth))
            total += float(np.abs(ours - theirs).sum(dtype=np.float64))
    return total


def end_point_error(video: NDArray[Any], truth: NDArray[Any], flow: Flow = optical_flow.optical_flow) -> float:
    """Mean distance between the flows from the first frame to the last, in pixels.

    Parameters
    ----------
    video, truth : ndarray, (T, H, W) or (T, H, W, 3)
        1 = white; colours are averaged.
    flow : callable
        How far each pixel of the first of two frames (H, W) has moved in the second, (2, H, W).
    """
    ours, theirs = (flow(_grey(clip[0]), _grey(clip[-1])) for clip in (video, truth))
    return float(np.hypot(*(ours - theirs)).mean())


def _grey(frame: NDArray[Any]) -> NDArray[np.float32]:
    return frame.astype(np.float32) if frame.ndim == 2 else frame.mean(-1, dtype=np.float32)
