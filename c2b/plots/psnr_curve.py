"""PSNR of every frame: whether a method is equally good over the exposure, or only in its middle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from c2b.plots.figure_style import BODY, MARGIN, PALETTE, RULE, WIDTH, Sheet, quiet_axes
from sensors.refusal import Refusal

_MARKERS = "osD^vPX"
_NAMES = 2.3  # inches for the names at the ends of the lines


def psnr_figure(curves: Mapping[str, Sequence[float]], *, title: str = "", subtitle: str = "") -> Figure:
    """One line for each method, named where it ends.

    Parameters
    ----------
    curves : mapping of str to sequence of float
        PSNR of each frame, in dB; infinite values (identical frames) leave a gap.

    Raises
    ------
    Refusal
        If there is no curve, a curve is empty, or a value is NaN.
    """
    lines = {name: np.asarray(values, float) for name, values in curves.items()}
    if not lines:
        raise Refusal("there is no PSNR to draw")
    for name, values in lines.items():
        if values.ndim != 1 or not values.size or np.isnan(values).any():
            raise Refusal(f"the PSNR of {name!r} should be one number for each frame")
    height, left, width = 3.6, MARGIN + 0.45, WIDTH - 2 * MARGIN - 0.45 - _NAMES
    sheet = Sheet(height + 0.7, title, subtitle)
    axes = sheet.axes(left, 0.1, width, height)
    quiet_axes(axes, x="frame", y="PSNR (dB)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.grid(axis="y", color=RULE, linewidth=0.5)
    for k, values in enumerate(lines.values()):
        axes.plot(
            np.where(np.isfinite(values), values, np.nan),
            color=PALETTE[k % len(PALETTE)],
            linestyle="-" if k < len(PALETTE) else "--",
            linewidth=1.6,
            marker=_MARKERS[k % len(_MARKERS)],
            markersize=4.5 if values.size <= 40 else 0,
        )
    axes.margins(x=0.02, y=0.08)
    _name_ends(sheet, axes, lines, left + width + 0.12, 0.1, height)
    return sheet.figure


def _name_ends(sheet: Sheet, axes: Axes, lines: Mapping[str, NDArray[Any]], left: float, top: float, height: float) -> None:
    """Names beside the last points, pushed apart where they would touch."""
    low, high = axes.get_ylim()
    ends = {}
    for name, values in lines.items():
        finite = values[np.isfinite(values)]
        ends[name] = top + height * (1 - ((finite[-1] if finite.size else high) - low) / (high - low))
    order = sorted(ends, key=ends.__getitem__)
    pitch = min(0.19, height / len(order))
    places, floor = [], top
    for name in order:
        floor = max(ends[name], floor)
        places.append(floor)
        floor += pitch
    for k in reversed(range(len(places))):
        places[k] = min(places[k], top + height - pitch * (len(places) - 1 - k))
    for name, place in zip(order, places, strict=True):
        colour = PALETTE[list(lines).index(name) % len(PALETTE)]
        sheet.label(left, place, name if len(name) < 34 else name[:32] + "…", colour=colour, size=BODY, va="center")
