"""Chosen frames side by side: a row for the truth, one for what the camera recorded, one for each method."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from c2b.plots.contact_sheet import Row, contact_sheet
from c2b.plots.figure_style import array_of, evenly
from sensors.refusal import Refusal

COLUMNS = 5  # frames shown unless others are named


def strip_figure(
    videos: Mapping[str, ArrayLike],
    *,
    capture: ArrayLike | None = None,
    frames: Sequence[int] | None = None,
    times: Sequence[int] | None = None,
    psnr: Mapping[str, float] | None = None,
    white: float = 1.0,
    encode: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
    title: str = "",
    subtitle: str = "",
) -> Figure:
    """Rows of frames, the truth first if it is given first.

    Parameters
    ----------
    videos : mapping of str to array_like, (T, H, W) or (T, H, W, 3)
        The name of each row and its video, all of one shape.
    capture : array_like, (B, H, W) or (B, H, W, 3), optional
        Buckets, drawn as a row of their own below the first, each scaled to its own brightest value.
    frames : sequence of int, optional
        The columns; `COLUMNS` frames spread over the video if absent.
    times : sequence of int, optional
        What the frames of the videos are called, where they are a choice from something longer.
    psnr : mapping of str to float, optional
        In dB, written below the names; the best stands out.
    white : float
        The value shown as white; what lies outside [0, white] is clipped.
    encode : callable, optional
        From values with 1 = white to values for display, such as the sRGB curve for linear irradiance; values are shown as
        given if absent.

    Raises
    ------
    Refusal
        If there is nothing to show, shapes differ, values are not finite, or a frame does not exist.
    """
    shown = same_shape(videos)
    count = next(iter(shown.values())).shape[0]
    frames = chosen(frames, count)
    scores = {name: value for name, value in (psnr or {}).items() if name in shown}
    best = max(scores.values(), default=0.0)
    rows = [
        Row(
            name,
            [display(video[t], white, encode) for t in frames],
            note=f"{scores[name]:.2f} dB" if name in scores else "",
            strong=len(scores) > 1 and scores.get(name) == best,
            captions=[f"t = {t if times is None else times[t]}" for t in frames] if k == 0 else (),
        )
        for k, (name, video) in enumerate(shown.items())
    ]
    if capture is not None:
        rows.insert(1, _bucket_row(capture, encode))
        rows[2:3] = [replace(row, captions=rows[0].captions) for row in rows[2:3]]  # the columns mean frames again
    return contact_sheet(rows, title=title, subtitle=subtitle, cmap="gray", vmin=0, vmax=1).sheet.figure


def display(image: NDArray[Any], white: float, encode: Callable[[NDArray[Any]], NDArray[Any]] | None) -> NDArray[Any]:
    """Values in [0, 1] for the screen."""
    shown = np.clip(image.astype(np.float32) / white, 0, 1)
    return shown if encode is None else np.clip(encode(shown), 0, 1)


def same_shape(videos: Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    """The videos as arrays; refused unless there is one and all have one shape."""
    arrays = {name: array_of(f"the video {name!r}", video, "T, H, W", "T, H, W, 3") for name, video in videos.items()}
    if not arrays:
        raise Refusal("there is no video to show")
    first = next(iter(arrays))
    for name, array in arrays.items():
        if array.shape != arrays[first].shape:
            raise Refusal(f"the videos {first!r} {arrays[first].shape} and {name!r} {array.shape} differ in shape")
    return arrays


def chosen(frames: Sequence[int] | None, count: int) -> list[int]:
    """The frames asked for, or a few spread over ``count``."""
    if frames is None:
        return evenly(count, COLUMNS)
    if not len(frames) or min(frames) < 0 or max(frames) >= count:
        raise Refusal(f"frames {list(frames)} of a video of {count}; choose from 0 to {count - 1}")
    return list(frames)


def _bucket_row(capture: ArrayLike, encode: Callable[[NDArray[Any]], NDArray[Any]] | None) -> Row:
    buckets = array_of("the capture", capture, "B, H, W", "B, H, W, 3")
    note = "each bucket scaled to\nits brightest value"
    images = [display(bucket, float(bucket.max()) or 1.0, encode) for bucket in buckets]
    return Row("capture", images, [f"bucket {b}" for b in range(len(buckets))], note)
