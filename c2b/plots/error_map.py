"""Where and by how much each method errs: absolute errors of chosen frames on one scale, with its colour bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from c2b.plots.contact_sheet import BAR, Row, colour_bar, contact_sheet
from c2b.plots.figure_style import array_of
from c2b.plots.strip import chosen, same_shape
from sensors.refusal import Refusal

_SHOWN = 99.5  # percentile of all errors at which the scale ends, so that a few wild pixels do not darken the rest


def error_figure(
    videos: Mapping[str, ArrayLike],
    truth: ArrayLike,
    *,
    frames: Sequence[int] | None = None,
    limit: float | None = None,
    title: str = "",
    subtitle: str = "",
) -> Figure:
    """Absolute errors, a row for each method; of a colour video, the mean over its channels.

    Parameters
    ----------
    videos : mapping of str to array_like, (T, H, W) or (T, H, W, 3)
    truth : array_like, of the same shape
    frames : sequence of int, optional
        The columns; a few spread over the video if absent.
    limit : float, optional
        Error at the end of the scale, in the unit of the values.

    Raises
    ------
    Refusal
        If there is nothing to show, shapes differ, values are not finite, a frame does not exist, or limit is not positive.
    """
    if limit is not None and not limit > 0:
        raise Refusal(f"the scale of an error map must end above 0, not at {limit}")
    arrays = same_shape(videos)
    true = array_of("the truth", truth, "T, H, W", "T, H, W, 3")
    if true.shape != (shape := next(iter(arrays.values())).shape):
        raise Refusal(f"the videos {shape} and the truth {true.shape} differ in shape")
    frames = chosen(frames, true.shape[0])
    errors = {name: [_error(video[t], true[t]) for t in frames] for name, video in arrays.items()}
    limit = limit or float(np.percentile(np.stack([e for row in errors.values() for e in row]), _SHOWN)) or 1.0
    rows = [
        Row(name, images, [f"t = {t}" for t in frames] if k == 0 else (), f"mean {np.mean(images):.4g}")
        for k, (name, images) in enumerate(errors.items())
    ]
    laid = contact_sheet(rows, title=title, subtitle=subtitle, right=BAR, cmap="inferno", vmin=0, vmax=limit)
    colour_bar(laid, "error", extend="max")
    return laid.sheet.figure


def _error(frame: NDArray[Any], truth: NDArray[Any]) -> NDArray[Any]:
    error = np.abs(frame.astype(np.float64) - truth.astype(np.float64))
    return error.mean(axis=-1) if error.ndim == 3 else error
