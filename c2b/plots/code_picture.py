"""A picture of a code: above, the tile in every sub-exposure; below, the timeline of each pixel, on the same axis of time.

A chip is what one pixel does in one sub-exposure: 1, bucket 0 collects; 0, the other bucket or none; grey, a share.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from c2b.plots.figure_style import BODY, INK, MARGIN, OPEN, QUIET, RULE, SHUT, SMALL, WIDTH, Sheet, array_of, picture
from sensors.refusal import Refusal

MOST_PIXELS = 64  # timelines that can still be told apart
ONE_ROW = 20  # sub-exposures that fit above the timelines, each tile over its own column

_LEFT, _RIGHT = 0.95, 1.45  # room for pixel addresses and for the bars of light
_CHIPS = LinearSegmentedColormap.from_list("chips", [SHUT, OPEN])


def code_figure(code: ArrayLike, title: str = "") -> Figure:
    """Draw a code of any length and tile.

    Parameters
    ----------
    code : array_like, (T, p, q)
        In [0, 1]. A 1x1 tile (flutter shutter, long exposure) is drawn as one chip sequence; of a tile of more than
        `MOST_PIXELS` pixels, timelines of a piece of its middle row are drawn.

    Raises
    ------
    Refusal
        If it is not (T, p, q), is empty, or leaves [0, 1].
    """
    code = array_of("a code", code, "T, p, q").astype(float)
    if code.min() < 0 or code.max() > 1:
        raise Refusal(f"a code lies in [0, 1]; this one reaches from {code.min():g} to {code.max():g}")
    if code[0].size == 1:
        return _chip_sequence(code[:, 0, 0], title, _facts(code))
    return _tiles_and_timelines(code, title, _facts(code))


def _facts(code: NDArray[Any]) -> str:
    frames, rows, columns = code.shape
    counts = code.sum(axis=0)
    low, high = counts.min(), counts.max()
    each = f"{low:.4g}" if np.isclose(low, high) else f"{low:.4g} to {high:.4g}"
    grey = "" if np.isin(code, (0, 1)).all() else ", grey"
    tile = f"tile of {rows} × {columns} pixels" if rows * columns > 1 else "the whole chip at once"
    light = f"bucket 0 collects in {each} of {frames} ({100 * code.mean():.3g} % of the light)"
    return f"{frames} sub-exposure{'s' if frames > 1 else ''}, {tile}{grey};  {light}"


def _tiles_and_timelines(code: NDArray[Any], title: str, facts: str) -> Figure:
    frames, rows, columns = code.shape
    width = WIDTH - _LEFT - _RIGHT
    pixels, names, chosen = _chosen_pixels(code)
    per_row = frames if frames <= ONE_ROW else min(frames, max(ONE_ROW, _balanced(frames)))
    pitch = width / per_row
    side = min(0.88 * pitch, 1.1)
    tile_height = side * min(max(rows / columns, 0.25), 2.5)
    lines = -(-frames // per_row)
    tiles_height = lines * (tile_height + 0.2) + 0.05
    chart_top = tiles_height + 0.4
    chart_height = min(max(0.24 * len(pixels), 1.4), 4.2)
    sheet = Sheet(chart_top + chart_height + 1.25, title, facts)
    for first in range(0, frames, per_row):
        top = (first // per_row) * (tile_height + 0.2)
        row = code[first : first + per_row]
        axes = _inches(sheet, _LEFT, top + 0.17, len(row) * pitch, tile_height)
        axes.axis("off")
        for k, tile in enumerate(row):
            _chips(axes, tile, (k + 0.5) * pitch - side / 2, side, tile_height)
            if pitch > 0.35 or k % 4 == 0:
                sheet.label(_LEFT + (k + 0.5) * pitch, top + 0.13, str(first + k), size=SMALL, colour=QUIET, ha="center")
    sheet.label(_LEFT - 0.12, 0.17 + tile_height / 2, "tile at t", size=SMALL, colour=QUIET, ha="right", va="center")
    sheet.label(_LEFT, chart_top - 0.1, chosen, size=BODY, weight="bold")
    _key(sheet, _LEFT + width, chart_top - 0.1)
    _timelines(sheet, pixels, names, chart_top, width, chart_height)
    _light_per_frame(sheet, code.mean(axis=(1, 2)), chart_top + chart_height + 0.08, width)
    return sheet.figure


def _chosen_pixels(code: NDArray[Any]) -> tuple[NDArray[Any], list[str], str]:
    """Timelines (pixel, T), the address of each pixel, and what they are in words."""
    frames, rows, columns = code.shape
    if rows * columns <= MOST_PIXELS:
        names = [f"{i}, {j}" for i in range(rows) for j in range(columns)]
        return code.reshape(frames, -1).T, names, "Timeline of every pixel of the tile"
    row, first = rows // 2, max(0, (columns - MOST_PIXELS) // 2)
    last = min(columns, first + MOST_PIXELS)
    words = f"Timelines of row {row}, columns {first} to {last - 1}"
    return code[:, row, first:last].T, [f"{row}, {j}" for j in range(first, last)], words


def _balanced(frames: int) -> int:
    """Tiles per row that leave the last of the rows as full as can be."""
    return min(range(16, 41), key=lambda n: (-frames % n) / n + 0.02 * abs(n - 32))


def _inches(sheet: Sheet, left: float, top: float, width: float, height: float) -> Axes:
    """Axes in which chips are placed in inches, so that many tiles share one: axes are what matplotlib is slow at."""
    axes = sheet.axes(left, top, width, height)
    axes.set(xlim=(0, width), ylim=(height, 0), autoscale_on=False)
    return axes


def _chips(axes: Axes, chips: NDArray[Any], left: float, width: float, height: float) -> None:
    rows, columns = chips.shape
    picture(axes, chips, cmap=_CHIPS, vmin=0, vmax=1, extent=(left, left + width, height, 0))
    if (smallest := min(width / columns, height / rows)) > 0.045:  # inches: below, gaps between chips would hide them
        line: dict[str, Any] = {"color": "white", "linewidth": 0.8 if smallest > 0.09 else 0.35}
        axes.vlines(left + width / columns * np.arange(1, columns), 0, height, **line)
        axes.hlines(height / rows * np.arange(1, rows), left, left + width, **line)
    axes.add_patch(Rectangle((left, 0), width, height, fill=False, edgecolor=RULE, linewidth=0.6, clip_on=False))


def _timelines(sheet: Sheet, pixels: NDArray[Any], names: list[str], top: float, width: float, height: float) -> None:
    count, frames = pixels.shape
    axes = _inches(sheet, _LEFT, top, width, height)
    _chips(axes, pixels, 0, width, height)
    shown = range(0, count, math.ceil(count * 0.13 / height))
    axes.set_yticks([(k + 0.5) * height / count for k in shown], [names[k] for k in shown])
    axes.tick_params(labelsize=SMALL - 1, labelcolor=QUIET, length=0)
    middle = {"rotation": 90, "ha": "center", "va": "center"}
    sheet.label(_LEFT - 0.62, top + height / 2, "pixel (row, column)", size=SMALL, colour=QUIET, **middle)
    bars = sheet.axes(_LEFT + width + 0.12, top, 0.85, height)
    _bars(bars)
    totals = pixels.sum(axis=1)
    bars.barh(np.arange(count), totals, height=0.8 if count <= 32 else 1.0, color=OPEN)
    bars.set(xlim=(0, frames), ylim=(count - 0.5, -0.5))
    bars.set_xticks([0, frames])
    bars.xaxis.tick_top()
    bars.tick_params(labelsize=SMALL - 1, labelcolor=QUIET, length=0, pad=1)
    sheet.label(_LEFT + width + 0.12, top + height + 0.2, "sub-exposures\nin bucket 0", size=SMALL, colour=QUIET, va="top")


def _light_per_frame(sheet: Sheet, share: NDArray[Any], top: float, width: float) -> None:
    axes = sheet.axes(_LEFT, top, width, 0.5)
    _bars(axes)
    axes.bar(np.arange(share.size), share, width=0.8 if share.size <= 64 else 1.0, color=OPEN)
    axes.set(xlim=(-0.5, share.size - 0.5), ylim=(0, 1))
    shown = list(range(share.size)) if share.size <= ONE_ROW else _round_steps(share.size)
    axes.set_xticks(shown)
    axes.set_yticks([0, 1], ["0", "100 %"])
    axes.tick_params(labelsize=SMALL - 1, labelcolor=QUIET, length=0, pad=2)
    sheet.label(_LEFT + width / 2, top + 0.77, "sub-exposure t;  bars: share of the pixels that collect in bucket 0",
                size=SMALL, colour=QUIET, ha="center")  # fmt: skip


def _key(sheet: Sheet, right: float, base: float) -> None:
    for left, colour, words in ((right - 2.35, OPEN, "1: bucket 0 collects"), (right - 0.55, SHUT, "0: not")):
        sheet.axes(left, base - 0.12, 0.13, 0.13).set_facecolor(colour)
        sheet.label(left + 0.2, base, words, size=SMALL, colour=QUIET)


def _bars(axes: Axes) -> None:
    axes.set_facecolor(SHUT)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _round_steps(count: int) -> list[int]:
    step = next(s for s in (5, 10, 20, 50, 100, 200, 500, 1000, count) if count / s <= ONE_ROW)
    return list(range(0, count, step))


def _chip_sequence(chips: NDArray[Any], title: str, facts: str) -> Figure:
    """A code for the whole chip: the sequence as bars in time and, where it is short and binary, as digits."""
    frames, width = chips.size, WIDTH - 2 * MARGIN
    digits = "".join(str(int(chip)) for chip in chips) if frames <= 128 and np.isin(chips, (0, 1)).all() else ""
    sheet = Sheet(1.75 if digits else 1.45, title, facts)
    _key(sheet, MARGIN + width, -0.1)
    axes = sheet.axes(MARGIN, 0.05, width, 0.7)
    axes.set_facecolor(SHUT)
    axes.bar(np.arange(frames), chips, width=1.0, color=OPEN, linewidth=0)
    axes.set(xlim=(-0.5, frames - 0.5), ylim=(0, 1))
    if frames <= 200:
        axes.vlines(np.arange(1, frames) - 0.5, 0, 1, color="white", linewidth=0.8)
    for spine in axes.spines.values():
        spine.set(color=RULE)
    axes.set_xticks(list(range(frames)) if frames <= ONE_ROW else _round_steps(frames))
    axes.tick_params(labelsize=SMALL, labelcolor=QUIET, length=0, pad=3)
    sheet.label(MARGIN + width / 2, 1.1, "sub-exposure t", size=SMALL, colour=QUIET, ha="center")
    if digits:
        groups = " ".join(digits[k : k + 4] for k in range(0, frames, 4))
        size = min(BODY + 1, 72 * width / (0.61 * len(groups)))
        sheet.label(MARGIN + width / 2, 1.45, groups, size=size, colour=INK, family="monospace", ha="center")
    return sheet.figure
