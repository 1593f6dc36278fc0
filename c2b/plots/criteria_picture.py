"""Criteria of cameras beside each other: a panel of bars for each criterion, a row for each camera, the best one dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from c2b.criteria.criterion import Criterion
from c2b.criteria.judged import Judged, number
from c2b.plots.figure_style import MARGIN, OPEN, QUIET, SMALL, WIDTH, Sheet
from sensors.refusal import Refusal

#: Panels beside each other, rows that fit on a sheet, inches of a row and of the names, letters of a code.
PER_BAND, MOST_ROWS, ROW, NAMES, LONGEST = 4, 60, 0.19, 3.4, 34

#: Colour of bars that are not the best.
PALE = "#b9cddb"


def criteria_figure(judged: Sequence[Judged], criteria: Mapping[str, Criterion], title: str = "") -> Figure:
    """Draw what `c2b.criteria.judged.judge` found.

    Raises
    ------
    Refusal
        If there is nothing to draw, or more cameras than fit.
    """
    shown = {name: one for name, one in criteria.items() if any(row.values[name] is not None for row in judged)}
    if not judged or not shown:
        raise Refusal("no criterion is defined for these codes and sensors; there is nothing to draw")
    if len(judged) > MOST_ROWS:
        raise Refusal(f"{len(judged)} cameras do not fit on one picture; at most {MOST_ROWS}")
    names, bands = [*shown], -(-len(shown) // PER_BAND)
    height = ROW * len(judged)
    sheet = Sheet(bands * (height + 0.75) + 0.1, title, "dark: the best; no bar where a criterion is not defined")
    width = (WIDTH - NAMES - MARGIN) / PER_BAND
    for place, name in enumerate(names):
        band, column = divmod(place, PER_BAND)
        top = band * (height + 0.75) + 0.45
        if column == 0:
            _names(sheet, judged, top)
        _panel(sheet, [row.values[name] for row in judged], name, shown[name], (NAMES + column * width, top, width - 0.2, height))
    return sheet.figure


def _names(sheet: Sheet, judged: Sequence[Judged], top: float) -> None:
    for place, row in enumerate(judged):
        white = row.camera.chip.readout.white
        code = row.code if len(row.code) <= LONGEST else f"{row.code[: LONGEST - 1]}…"
        words = f"{code}, {row.camera.sensor}" + ("" if white is None else f", {white:g} e-")
        sheet.label(NAMES - 0.12, top + (place + 0.5) * ROW, words, size=SMALL, ha="right", va="center")


def _panel(
    sheet: Sheet, values: Sequence[float | None], name: str, criterion: Criterion, box: tuple[float, float, float, float]
) -> None:
    """Bars from 0 to the largest finite value, each with its number."""
    left, top, width, height = box
    told = {"higher": "higher is better", "lower": "lower is better"}.get(criterion.better, "")
    sheet.label(left, top - 0.22, name, size=SMALL + 1, weight="bold")
    sheet.label(left, top - 0.07, ", ".join(word for word in (criterion.unit, told) if word), size=SMALL - 1, colour=QUIET)
    axes = sheet.axes(left, top, width, height)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    finite = [value for value in values if value is not None and math.isfinite(value)]
    longest = max([*finite, 0.0]) or 1.0
    best = (max if criterion.better == "higher" else min)(finite, default=None) if len({*finite}) > 1 else None
    bars = np.array([max(value, 0.0) / longest if value is not None and math.isfinite(value) else 0.0 for value in values])
    axes.barh(np.arange(len(values)), bars, height=0.7, color=[OPEN if value == best else PALE for value in values])
    for place, (value, bar) in enumerate(zip(values, bars, strict=True)):
        if value is not None:
            axes.text(bar + 0.03, place, number(value).replace("inf", "∞"), fontsize=SMALL - 1, color=QUIET, va="center")
    axes.set(xlim=(0, 1.45), ylim=(len(values) - 0.5, -0.5))
