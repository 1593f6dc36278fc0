"""What a method tells of each pixel besides the video, such as its uncertainty or where it took nothing to move."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from c2b.plots.contact_sheet import BAR, Row, colour_bar, contact_sheet
from c2b.plots.figure_style import array_of, evenly

_ROWS, _COLUMNS = 4, 4  # exposures and frames shown at most

_SHOWN = 0.5, 99.5  # percentiles of all values between which the scale lies


def map_figure(maps: ArrayLike, name: str, *, title: str = "", subtitle: str = "") -> Figure:
    """A row for each exposure, on one scale.

    Parameters
    ----------
    maps : array_like, (N, h, w) or (N, T, h, w)
        One map for each exposure, or one for each of its frames.
    name : str
        Name of the quantity.

    Raises
    ------
    Refusal
        If the maps are not of that shape, or not finite.
    """
    array = array_of(f"the {name}", maps, "N, h, w", "N, T, h, w")
    frames = evenly(array.shape[1], _COLUMNS) if array.ndim == 4 else []
    rows = [
        Row(f"exposure {n}", [array[n, t] for t in frames] or [array[n]], [f"t = {t}" for t in frames])
        for n in evenly(len(array), _ROWS)
    ]
    low, high = np.percentile(np.stack([image for row in rows for image in row.images]), _SHOWN)
    laid = contact_sheet(rows, title=title, subtitle=subtitle, right=BAR, cmap="viridis", vmin=low, vmax=high)
    colour_bar(laid, name, extend="both")
    return laid.sheet.figure
