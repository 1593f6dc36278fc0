"""PSNR of a few methods over one quantity, with intervals, small enough that many panels stand side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from c2b.plots.figure_style import DPI, PALETTE, RULE, quiet_axes
from sensors.refusal import Refusal

SIZE = 3.7, 2.5  # inches
_INK = 9.0  # points; panels are shown near their own size
_ASIDE = 2.4  # where values apart from the others stand on a logarithmic axis: so many times to the right of the largest


@dataclass(frozen=True)
class Line:
    """Values of one method.

    Parameters
    ----------
    x : sequence of float
        Ascending.
    y : sequence of float
        PSNR, dB; infinite ones leave a gap.
    low, high : sequence of float
        Ends of the intervals; NaN where there is none.
    colour : int
        Which of the palette; numbers beyond it are dashed.
    apart : (float, float, float), optional
        A last value with its interval that does not belong on the axis, such as without any noise.
    """

    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    colour: int = 0
    apart: tuple[float, float, float] | None = None


def panel_figure(
    lines: Sequence[Line],
    *,
    x: str,
    span: tuple[float, float],
    logarithmic: bool = False,
    band: bool = False,
    apart: str = "",
) -> Figure:
    """Draw lines with their intervals.

    Parameters
    ----------
    lines : sequence of Line
    x : str
        Name of the quantity.
    span : (float, float)
        PSNR at the bottom and the top, dB, so that panels side by side compare.
    logarithmic : bool
        Ticks are then at the values of the lines.
    band : bool
        Intervals as a band instead of bars.
    apart : str
        What is said below the values apart.

    Raises
    ------
    Refusal
        If there is no line.
    """
    if not lines:
        raise Refusal("there is no PSNR to draw")
    figure = Figure(figsize=SIZE, dpi=DPI)
    axes = figure.add_axes((0.135, 0.18, 0.845, 0.78))
    quiet_axes(axes, x=x, y="PSNR (dB)")
    axes.tick_params(labelsize=_INK)
    axes.xaxis.label.set_fontsize(_INK)
    axes.yaxis.label.set_fontsize(_INK)
    axes.grid(axis="y", color=RULE, linewidth=0.5)
    places = sorted({float(value) for line in lines for value in line.x})
    ticks = {value: f"{value:g}" for value in places}
    if any(line.apart for line in lines):
        ticks[_ASIDE * places[-1] if places else 1.0] = apart
    if logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator([*ticks]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels([*ticks.values()])
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=all(value == int(value) for value in places)))
    for place, line in enumerate(lines):
        _draw(axes, line, _dodged(line.x, place, len(lines), logarithmic), ticks, band=band)
    axes.set_ylim(*span)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.margins(x=0.05)
    return figure


def _dodged(x: Sequence[float], place: int, count: int, logarithmic: bool) -> np.ndarray:
    """Places a little beside each other, so that bars of intervals do not hide each other."""
    values = np.asarray(x, float)
    return values * 1.03 ** (place - (count - 1) / 2) if logarithmic else values


def _draw(axes: Axes, line: Line, x: np.ndarray, ticks: Mapping[float, str], *, band: bool) -> None:
    y, low, high = (np.where(np.isfinite(values), values, np.nan) for values in (line.y, line.low, line.high))
    style: dict[str, Any] = {"color": PALETTE[line.colour % len(PALETTE)], "linewidth": 1.5}
    dash = "-" if line.colour < len(PALETTE) else "--"
    axes.plot(x, y, linestyle=dash, marker="o", markersize=3.2 if len(x) <= 24 else 0, **style)
    if band:
        axes.fill_between(x, low, high, color=style["color"], alpha=0.12, linewidth=0)
    else:
        axes.vlines(x, low, high, color=style["color"], linewidth=1.0)
    if line.apart is not None and np.isfinite(line.apart[0]):
        place = max(ticks) * (x[0] / line.x[0] if len(line.x) else 1.0)
        axes.plot([place], line.apart[:1], linestyle="", marker="D", markersize=3.6, **style)
        axes.vlines([place], [line.apart[1]], [line.apart[2]], color=style["color"], linewidth=1.0)
