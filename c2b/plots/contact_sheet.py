"""A contact sheet: rows of images of one size, each row with its name at the left and a word above each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from c2b.plots.figure_style import MARGIN, QUIET, RULE, SMALL, WIDTH, Sheet, picture

_NAMES = 1.45  # inches for the names of the rows
_GAP, _CAPTION = 0.08, 0.2
_LARGEST = 3.4  # a single image is not blown up beyond this width

BAR = 0.75  # inches to leave free at the right for a colour bar


@dataclass(frozen=True)
class Row:
    """One row: its name, a note in small print below it, the images (H, W[, 3]), and the words above them."""

    name: str
    images: Sequence[NDArray[Any]]
    captions: Sequence[str] = ()
    note: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Laid:
    """Where the images came to lie on the sheet, in inches, and the last image drawn, for a colour bar."""

    sheet: Sheet
    left: float
    top: float
    right: float
    bottom: float
    mappable: Any


def contact_sheet(rows: Sequence[Row], *, title: str = "", subtitle: str = "", right: float = 0.0, **style: Any) -> Laid:
    """Lay the rows out over the width of a sheet.

    Parameters
    ----------
    rows : sequence of Row
        Shorter rows, such as the two buckets of a capture, start at the left.
    right : float
        Inches left free at the right.
    **style
        For matplotlib's ``imshow``: colour map and limits.
    """
    columns = max(len(row.images) for row in rows)
    height, width = max((image.shape[:2] for row in rows for image in row.images), key=lambda size: size[1])
    room = WIDTH - 2 * MARGIN - _NAMES - right
    side = min((room - (columns - 1) * _GAP) / columns, _LARGEST)
    tall = side * height / width
    pitches = [tall + _GAP + (_CAPTION if row.captions else 0) for row in rows]
    sheet = Sheet(sum(pitches) + MARGIN - _GAP, title, subtitle)
    left, top = MARGIN + _NAMES, 0.0
    mappable = None
    for row, pitch in zip(rows, pitches, strict=True):
        first = top + pitch - tall - _GAP
        name, weight = _wrapped(row.name), "bold" if row.strong else "normal"
        below = 0.06 + 0.17 * (1 + name.count("\n"))
        sheet.label(MARGIN, first + 0.02, name, weight=weight, va="top")
        sheet.label(MARGIN, first + below, row.note, size=SMALL, colour=QUIET, weight=weight, va="top")
        for k, image in enumerate(row.images):
            x = left + k * (side + _GAP)
            if row.captions:
                sheet.label(x + side / 2, first - 0.06, row.captions[k], size=SMALL, colour=QUIET, ha="center")
            axes = sheet.axes(x, first, side, tall)
            axes.axis("off")
            mappable = picture(axes, image, **style)
        top += pitch
    return Laid(sheet, left, pitches[0] - tall - _GAP, left + columns * (side + _GAP) - _GAP, top - _GAP, mappable)


def colour_bar(laid: Laid, name: str, **style: Any) -> None:
    """What the colours of the images mean, at the right of the sheet."""
    axes = laid.sheet.axes(laid.right + 0.15, laid.top, 0.12, min(laid.bottom - laid.top, 2.6))
    bar = laid.sheet.figure.colorbar(laid.mappable, cax=axes, **style)
    bar.outline.set_edgecolor(RULE)
    axes.tick_params(labelsize=SMALL, labelcolor=QUIET, color=RULE, length=2)
    axes.set_title(name, fontsize=SMALL, color=QUIET, loc="left", pad=4)


def _wrapped(name: str, length: int = 19) -> str:
    """A long name, such as ``gap-tv:iterations=60,weight=0.1``, broken after its commas and colons."""
    lines = [""]
    for piece in name.replace(":", ":\0").replace(",", ",\0").replace(" ", " \0").split("\0"):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > length:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)
