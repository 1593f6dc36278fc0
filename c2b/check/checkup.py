"""All figures of a capture, and of a video that was made of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from c2b.check import bucket_balance, code_as_stated, defects, explanation, noise_level, samples, succession
from c2b.check.figure import Figure, Report
from c2b.check.view import View
from sensors.capture import Capture
from sensors.refusal import Refusal

#: Rows and columns of the middle of the frame that is reconstructed where no video is given, and exposures.
MIDDLE, EXPOSURES = 120, 3


def check(capture: Capture, video: NDArray | None = None, *, code: bool = True) -> Report:
    """Look whether a capture is right, without truth.

    Parameters
    ----------
    capture : Capture
        Mono or colour; of several colour planes the one farthest from normal counts.
    video : ndarray, (N, T, H, W[, 3]), optional
        Made of it, irradiance, 1 = white. Default: a reconstruction of the middle of the frame.
    code : bool
        Look too how the code lies, which takes longest.

    Returns
    -------
    Report

    Raises
    ------
    Refusal
        If there is no exposure, or the video does not fit the capture.
    """
    if not len(capture):
        raise Refusal("the capture holds no exposure")
    if not capture.sensor.local:
        raise Refusal("exposures or pixels of this sensor share light; a check-up is for sensors whose exposures and pixels stay apart")
    planes = capture.planes()
    videos = _plane_videos(capture, video, len(planes))
    found = _worst([_of_plane(plane, one) for plane, one in zip(planes, videos, strict=True)])
    return Report((*found, *(code_as_stated.figures(capture) if code else ())))


def _of_plane(plane: Capture, video: NDArray | None) -> list[Figure]:
    view = View(plane)
    middle = view if video is not None else View(_middle(plane))
    own = video is None
    made = explanation.reconstruction(middle.capture) if video is None else video[: len(view.capture)]
    return [
        *samples.figures(view),
        *bucket_balance.figures(view),
        *noise_level.figures(view),
        *defects.figures(view),
        *succession.figures(view, made),
        *explanation.figures(middle, made, own),
    ]


def _middle(capture: Capture) -> Capture:
    """The middle of the frame and the first exposures."""
    height, width = capture.images.shape[2:4]
    rows, columns = (
        slice(max((size - MIDDLE) // 2, 0), max((size - MIDDLE) // 2, 0) + min(size, MIDDLE)) for size in (height, width)
    )
    part = capture[: max(EXPOSURES, capture.sensor.codes)]
    return Capture(np.asarray(part.images)[:, :, rows, columns], part.sensor.crop(rows, columns), part.record)


def _plane_videos(capture: Capture, video: NDArray | None, planes: int) -> list[NDArray | None]:
    if video is None or capture.sensor.colour not in ("mono", "rgb"):
        return [None] * planes
    shape = (len(capture), capture.sensor.frames, *capture.images.shape[2:4])
    if video.shape[:4] != shape or (planes == 3) != (video.ndim == 5):
        raise Refusal(
            f"the video is {'x'.join(map(str, video.shape))} (exposures, frames, rows, columns) and the capture gives "
            f"{'x'.join(map(str, shape))}; needed: the video that was made of this capture"
        )
    return [video] if planes == 1 else [video[..., c] for c in range(planes)]


def _worst(planes: list[list[Figure]]) -> tuple[Figure, ...]:
    """Every figure of the plane where it lies farthest out."""
    found: dict[tuple[str, str], Figure] = {}
    for one in (figure for plane in planes for figure in plane):
        key = one.name, one.where
        found[key] = max(found.get(key, one), one, key=lambda each: each.excess)
    return tuple(found.values())
