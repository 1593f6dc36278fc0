"""A check-up on one sheet: where in the frame it looked, and every figure with what is normal."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as Page
from numpy.typing import NDArray

from c2b.check.figure import Figure, Report
from c2b.plots.figure_style import ACCENT, MARGIN, PALETTE, QUIET, SMALL, WIDTH, Sheet, picture

#: Pictures side by side, and the height of a line of the table, in inches.
PICTURES, LINE = 4, 0.2

#: Letters of a remark that the width leaves room for.
LONGEST = 50

_RIGHT, _WRONG = PALETTE[2], PALETTE[1]


def check_figure(report: Report, charge: NDArray, *, title: str = "", subtitle: str = "") -> Page:
    """Draw a report.

    Parameters
    ----------
    report : Report
    charge : ndarray, (B, H, W)
        One exposure, in white sub-exposures.
    """
    maps: list[tuple[str, NDArray]] = [(f"bucket {b}", image) for b, image in enumerate(charge[:2])]
    marked = sorted(
        (one for one in report.figures if one.picture is not None and np.nanstd(one.picture) > 0), key=lambda one: -one.excess
    )
    maps += [(f"{one.about}{f', {one.where}' * bool(one.where)}", one.picture) for one in marked if one.picture is not None]
    maps = maps[:PICTURES]
    side = (WIDTH - 2 * MARGIN - 0.2 * (PICTURES - 1)) / PICTURES
    tall = min(side * charge.shape[1] / charge.shape[2], 2.6)
    sheet = Sheet(tall + 0.75 + LINE * (len(report.figures) + 1), title, subtitle)
    for n, (name, values) in enumerate(maps):
        left = MARGIN + n * (side + 0.2)
        sheet.label(left, 0.12, name if len(name) < 34 else f"{name[:30]} ...", size=SMALL, weight="bold")
        good = values[np.isfinite(values)]
        low, high = np.percentile(good, (0.5, 99.5)) if good.size else (0.0, 1.0)
        scale = {"cmap": "gray" if n < charge[:2].shape[0] else "magma", "vmin": low, "vmax": high if high > low else low + 1}
        picture(sheet.axes(left, 0.2, side, tall), values, **scale)
    for n, one in enumerate(report.figures):
        _line(sheet, one, tall + 0.55 + LINE * (n + 0.5))
    return sheet.figure


def _line(sheet: Sheet, one: Figure, top: float) -> None:
    """About, value and limits, with a mark of the verdict."""
    colour = QUIET if not one.told else _RIGHT if one.normal else _WRONG
    sheet.label(MARGIN, top, "\u25cf", colour=colour)
    about = f"{one.about}{f', {one.where}' * bool(one.where)}"
    sheet.label(MARGIN + 0.2, top, about, weight="normal" if one.normal else "bold")
    sheet.label(4.9, top, one.shown, ha="right", colour=colour, weight="bold")
    sheet.label(5.05, top, f"normal: {one.limits}", size=SMALL, colour=QUIET)
    said = one.remark if one.told else f"not told: {one.remark}"
    sheet.label(
        6.6,
        top,
        said if len(said) <= LONGEST else f"{said[: LONGEST - 4]} ...",
        size=SMALL,
        colour=QUIET if one.normal else ACCENT,
    )
