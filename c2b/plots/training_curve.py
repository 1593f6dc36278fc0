"""How a training went: what each row of its log says, over the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from c2b.plots.figure_style import MARGIN, PALETTE, RULE, WIDTH, Sheet, quiet_axes
from sensors.refusal import Refusal

_ACROSS, _HEIGHT, _LEFT, _BELOW = 3, 2.2, 0.55, 0.55  # panels in a row; inches


#: Columns that are looked up in the log, not drawn: the layer of dead channels, which frame or output is the worst.
_NOT_DRAWN = ("dead ", "worst_frame", "worst_output", "hours")

_LABELS = {
    "loss": "training loss",
    "psnr": "PSNR, dB",
    "middle": "PSNR of the middle frame, dB",
    "worst": "PSNR of the worst frame, dB",
    "training_psnr": "PSNR of training clips, dB",
    "training_middle": "the same, middle frame, dB",
    "training_worst": "the same, worst frame, dB",
    "held_out_error": "error of samples held out",
    "dead": "dead channels",
    "rate": "learning rate",
}


def training_figure(rows: Sequence[Mapping[str, Any]], *, title: str = "", subtitle: str = "") -> Figure:
    """One panel for each quantity of a log.

    Parameters
    ----------
    rows : sequence of mapping
        As `c2b.training_log.TrainingLog` keeps them: the first number of a row counts up; rows may lack others.

    Raises
    ------
    Refusal
        If there is nothing besides the count.
    """
    step, *names = dict.fromkeys(key for row in rows for key in row if not key.startswith(_NOT_DRAWN)) or [""]
    if not names:
        raise Refusal("there is no training to draw: the log holds no numbers")
    across = min(len(names), _ACROSS)
    down = -(-len(names) // across)
    sheet = Sheet(down * (_HEIGHT + _BELOW) + 0.2, title, subtitle)
    width = (WIDTH - 2 * MARGIN) / across
    for number, name in enumerate(names):
        row, column = divmod(number, across)
        axes = sheet.axes(MARGIN + column * width + _LEFT, 0.1 + row * (_HEIGHT + _BELOW), width - _LEFT - 0.15, _HEIGHT)
        quiet_axes(axes, x=step, y=_LABELS.get(name, name.replace("_", " ")))
        axes.ticklabel_format(axis="y", scilimits=(-2, 5))
        axes.yaxis.get_offset_text().set_fontsize(axes.yaxis.get_ticklabels()[0].get_fontsize())
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.grid(axis="y", color=RULE, linewidth=0.5)
        known = [(one[step], one[name]) for one in rows if np.isfinite(one.get(name, np.nan))]
        axes.plot(*zip(*known, strict=True) if known else ([], []), color=PALETTE[0], linewidth=1.6, marker="o", markersize=2.5)
    return sheet.figure
