"""A capture as read out: its buckets, a close-up in which single pixels and tiles show, and the histogram."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from c2b.plots.figure_style import ACCENT, BODY, MARGIN, PALETTE, QUIET, RULE, SMALL, WIDTH, Sheet, array_of, picture, quiet_axes
from sensors.refusal import Refusal

CLOSE_UP = 30  # pixels across the close-up

_BAR, _TALLEST = 0.72, 3.6  # inches: the colour bar at the right of each bucket, and how high a bucket may be drawn
_SHOWN = 0.1, 99.9  # percentiles at the ends of the grey scale, so that one hot pixel does not darken the rest


def capture_figure(
    images: ArrayLike,
    *,
    tile: tuple[int, int] | None = None,
    origin: tuple[int, int] = (0, 0),
    at: tuple[int, int] | None = None,
    saturation: float | None = None,
    unit: str = "DN",
    title: str = "",
    subtitle: str = "",
) -> Figure:
    """Draw one exposure of a capture.

    Parameters
    ----------
    images : array_like, (B, H, W) or (B, H, W, 3)
        The buckets of one exposure.
    tile : (int, int), optional
        Rows and columns of the code's tile, whose edges are drawn into the close-up.
    origin : (int, int)
        Chip address of pixel [0, 0], by which the tile is placed.
    at : (int, int), optional
        Row and column at the centre of the close-up; where the buckets have most contrast if absent.
    saturation : float, optional
        The value at which a pixel is full, marked in the histogram.
    unit : str
        Unit of the values: "DN" as read out, "white sub-exposures" for charge.

    Raises
    ------
    Refusal
        If it is not one exposure, is empty, holds NaN, or ``at`` lies outside.
    """
    buckets = array_of("one exposure of a capture", images, "B, H, W", "B, H, W, 3")
    count, rows, columns = buckets.shape[:3]
    if at is not None and not (0 <= at[0] < rows and 0 <= at[1] < columns):
        raise Refusal(f"the close-up at {tuple(at)} lies outside the {rows}x{columns} pixels")
    columns_of_panels = max(count, 2)
    side = (WIDTH - 2 * MARGIN - columns_of_panels * _BAR) / columns_of_panels
    tall = min(side * rows / columns, _TALLEST)
    side = min(side, tall * columns / rows)
    # a single bucket has its close-up beside it, several have theirs below
    beside, below = (side + _BAR, 0.0) if count == 1 else (0.0, tall + 0.15)
    window = _window(buckets, at)
    sheet = Sheet(tall + below + 2.35, title, subtitle)
    for b, bucket in enumerate(buckets):
        left, top = MARGIN + b * (side + _BAR), 0.2
        shown, scale = _scaled(bucket)
        sheet.label(left, 0.12, f"bucket {b}", weight="bold")
        axes = sheet.axes(left, top, side, tall)
        mappable = picture(axes, shown, **scale)
        _frame(axes, window)
        _colour_bar(sheet, mappable, left + side + 0.1, tall, unit)
        _close_up(sheet.axes(left + beside, top + below, side, tall), shown, window, tile, origin, scale)
    _histogram(sheet, buckets, tall + below + 0.7, saturation, unit)
    return sheet.figure


def _window(buckets: NDArray[Any], at: tuple[int, int] | None) -> tuple[int, int, int, int]:
    """First row, first column, rows and columns of the close-up, of the same proportions as the image."""
    rows, columns = buckets.shape[1:3]
    wide = min(CLOSE_UP, columns)
    high = min(max(1, round(wide * rows / columns)), rows)
    if at is not None:
        return min(max(0, at[0] - high // 2), rows - high), min(max(0, at[1] - wide // 2), columns - wide), high, wide
    grey = buckets.reshape(*buckets.shape[:3], -1).mean(axis=(0, 3))
    down, across = rows // high, columns // wide
    blocks = grey[: down * high, : across * wide].reshape(down, high, across, wide)
    i, j = np.unravel_index(np.argmax(blocks.std(axis=(1, 3))), (down, across))
    return int(i) * high, int(j) * wide, high, wide


def _frame(axes: Any, window: tuple[int, int, int, int]) -> None:
    row, column, high, wide = window
    axes.add_patch(Rectangle((column - 0.5, row - 0.5), wide, high, fill=False, edgecolor=ACCENT, linewidth=1.2))


def _close_up(
    axes: Any,
    bucket: NDArray[Any],
    window: tuple[int, int, int, int],
    tile: tuple[int, int] | None,
    origin: tuple[int, int],
    scale: dict[str, Any],
) -> None:
    row, column, high, wide = window
    piece = bucket[row : row + high, column : column + wide]
    edges = (column - 0.5, column + wide - 0.5, row + high - 0.5, row - 0.5)
    axes.imshow(piece, aspect="auto", interpolation="nearest", extent=edges, **scale)
    for spine in axes.spines.values():
        spine.set(color=ACCENT, linewidth=1.2)
    if tile is not None:
        line = {"color": ACCENT, "linewidth": 0.7, "alpha": 0.75}
        downs = [y - 0.5 for y in range(row + 1, row + high) if (y + origin[0]) % tile[0] == 0]
        acrosses = [x - 0.5 for x in range(column + 1, column + wide) if (x + origin[1]) % tile[1] == 0]
        axes.hlines(downs, column - 0.5, column + wide - 0.5, **line)
        axes.vlines(acrosses, row - 0.5, row + high - 0.5, **line)


def _scaled(bucket: NDArray[Any]) -> tuple[NDArray[Any], dict[str, Any]]:
    """The bucket and the limits of its grey scale; each has its own, since one may hold many times the light of another."""
    low, high = np.percentile(bucket, _SHOWN)
    high = high if high > low else low + 1
    scale = {"cmap": "gray", "vmin": low, "vmax": high}
    # of colour, imshow ignores the limits
    return bucket if bucket.ndim == 2 else np.clip((bucket.astype(np.float32) - low) / (high - low), 0, 1), scale


def _colour_bar(sheet: Sheet, mappable: Any, left: float, height: float, unit: str) -> None:
    axes = sheet.axes(left, 0.2, 0.1, height)
    bar = sheet.figure.colorbar(mappable, cax=axes)
    bar.outline.set_edgecolor(RULE)
    axes.tick_params(labelsize=SMALL, labelcolor=QUIET, color=RULE, length=2)
    axes.set_title(unit, fontsize=SMALL, color=QUIET, loc="left", pad=4)


def _histogram(sheet: Sheet, buckets: NDArray[Any], top: float, saturation: float | None, unit: str) -> None:
    """Pixels per value, logarithmic, so that a few full pixels are seen beside a million others."""
    axes = sheet.axes(MARGIN + 0.5, top, WIDTH - 2 * MARGIN - 0.5, 1.1)
    quiet_axes(axes, x=unit, y="pixels")
    low, high = float(buckets.min()), max(float(buckets.max()), saturation or -np.inf)
    step = max(1, round((high - low) / 250)) if buckets.dtype.kind in "bui" else (high - low) / 250 or 1.0
    edges = np.arange(low - step / 2, high + step, step)  # whole numbers per bin, or the comb of an ADC would beat with the bins
    for b, bucket in enumerate(buckets):
        counts, _ = np.histogram(bucket, edges)
        axes.stairs(counts, edges, color=PALETTE[b % len(PALETTE)], linewidth=1.1)
        sheet.label(MARGIN + 0.62 + 0.95 * b, top - 0.08, f"bucket {b}", size=BODY, colour=PALETTE[b % len(PALETTE)])
    axes.set_yscale("log")
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0.7)
    axes.minorticks_off()
    if saturation is not None:
        words = f"full at {saturation:g}: {100 * float((buckets >= saturation).mean()):.2g} % of the pixels"
        axes.axvline(saturation, color=QUIET, linewidth=0.8, linestyle=":")
        sheet.label(WIDTH - MARGIN, top - 0.08, words, size=SMALL, colour=QUIET, ha="right")
