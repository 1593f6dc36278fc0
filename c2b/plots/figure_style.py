"""Type, colour and the sheet of every figure: white paper, one typeface, few lines, positions in inches from the top left."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator
from numpy.typing import ArrayLike, NDArray

from sensors.refusal import Refusal

WIDTH = 10.0  # inches; with DPI, 1440 pixels
DPI = 144
MARGIN = 0.3
BODY, SMALL, HEADING = 9.0, 7.5, 13.0  # points

INK, QUIET, RULE, PAPER = "#1b2430", "#66707d", "#d3d9e0", "#ffffff"
OPEN, SHUT = "#0b4f7d", "#e9edf1"  # a code's 1 and 0: ink on paper, so that few open chips are seen at once
ACCENT = "#e69f00"

#: Okabe and Ito's colours, told apart with any colour vision; yellow, too pale on paper, left out.
PALETTE = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK


class Sheet:
    """A page of fixed width on which axes and words are placed in inches from the top left corner.

    Parameters
    ----------
    height : float
        In inches, without the heading.
    title, subtitle : str
        The heading; ``below`` is where the body may begin.
    """

    def __init__(self, height: float, title: str = "", subtitle: str = "") -> None:
        self.below = MARGIN + (0.3 if title else 0) + (0.22 if subtitle else 0) + (0.1 if title or subtitle else 0)
        self.height = height + self.below
        self.figure = Figure(figsize=(WIDTH, self.height), dpi=DPI, facecolor=PAPER)
        if title:
            self.words(MARGIN, MARGIN, title, size=HEADING, weight="bold", va="top")
        if subtitle:
            self.words(MARGIN, MARGIN + (0.3 if title else 0), subtitle, colour=QUIET, va="top")

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes without ticks, ``top`` inches below the heading."""
        bottom = self.height - self.below - top - height
        axes = self.figure.add_axes((left / WIDTH, bottom / self.height, width / WIDTH, height / self.height))
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set(color=RULE, linewidth=0.6)
        return axes

    def label(self, left: float, top: float, words: str, **style: Any) -> None:
        """Words, ``top`` inches below the heading."""
        self.words(left, top + self.below, words, **style)

    def words(self, left: float, top: float, words: str, *, size: float = BODY, colour: str = INK, **style: Any) -> None:
        """Write words, in inches from the top left; a dollar would otherwise start a formula."""
        self.figure.text(left / WIDTH, 1 - top / self.height, words.replace("$", r"\$"), fontsize=size, color=colour, **style)


def quiet_axes(axes: Axes, *, x: str = "", y: str = "") -> None:
    """Only the left and bottom line, small grey ticks, and the names of both quantities."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(AutoLocator())
    axes.yaxis.set_major_locator(AutoLocator())
    axes.tick_params(labelsize=SMALL, labelcolor=QUIET, color=RULE, length=3)
    axes.set_xlabel(x, fontsize=SMALL, color=QUIET)
    axes.set_ylabel(y, fontsize=SMALL, color=QUIET)


def picture(axes: Axes, image: NDArray[Any], **style: Any) -> Any:
    """An image that fills its axes: pixels stay square blocks when enlarged, and are averaged when reduced."""
    return axes.imshow(image, aspect="auto", interpolation="auto", **style)


def array_of(name: str, values: ArrayLike, *shapes: str) -> NDArray[Any]:
    """``values`` as a real array of one of the shapes, such as "T, H, W"; the refusal says which ones would be right.

    Raises
    ------
    Refusal
        If it has another number of axes, is empty, or holds NaN, infinity or anything but real numbers.
    """
    array = np.asarray(values)
    fits = any(array.ndim == shape.count(",") + 1 and (not shape.endswith("3") or array.shape[-1] == 3) for shape in shapes)
    if not fits:
        raise Refusal(f"{name} should be {' or '.join(f'({shape})' for shape in shapes)}, not {array.shape}")
    if array.size == 0:
        raise Refusal(f"{name} is empty: {array.shape}")
    if array.dtype.kind not in "buif" or not np.isfinite(array).all():
        raise Refusal(f"{name} holds values that are not finite real numbers")
    return array


def evenly(count: int, most: int) -> list[int]:
    """At most ``most`` indices below ``count``, first and last among them."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, most)).round()})
