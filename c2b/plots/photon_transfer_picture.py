"""The photon-transfer curve: variance over mean of the flats of each bucket, the line that is the gain, and how well it fits."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, PercentFormatter
from numpy.typing import NDArray

from c2b.plots.figure_style import BODY, INK, MARGIN, PALETTE, QUIET, RULE, SMALL, WIDTH, Sheet, quiet_axes
from sensors.calibration.estimate import half_width
from sensors.calibration.photon_transfer import LINEAR_PART, PhotonTransfer
from sensors.refusal import Refusal

_HEIGHT, _GAP = 4.4, 1.0  # inches
_MARKERS = "os^D"
_MOST_DEVIATION = 0.2
_BRIGHT = 0.08  # of the brightest fitted signal; below, the deviation is all noise


def photon_transfer_figure(curve: PhotonTransfer, *, title: str = "Photon transfer", subtitle: str = "") -> Figure:
    """Draw the curve: on the left all flats on logarithmic axes, on the right the fitted ones as deviation from the line.

    Raises
    ------
    Refusal
        If there is no flat above the dark.
    """
    signal, variance = curve.signal[0], curve.variance[0] + curve.dark_variance
    if not ((signal > 0) & (variance > 0)).any():
        raise Refusal("there is no flat above the dark to draw")
    sheet = Sheet(_HEIGHT + 0.75, title, subtitle)
    left, body = MARGIN + 0.45, WIDTH - 2 * MARGIN - 0.45 - _GAP
    transfer = sheet.axes(left, 0.1, 0.58 * body, _HEIGHT)
    quiet_axes(transfer, x="signal above the dark (DN)", y="temporal variance (DN²)")
    transfer.set(xscale="log", yscale="log")
    for axis in (transfer.xaxis, transfer.yaxis):
        axis.set_major_locator(LogLocator(10, subs=(1, 3)))
        axis.set_major_formatter(lambda value, _: f"{value:,.10g}".replace(",", " "))
        axis.set_minor_locator(NullLocator())
    deviation = sheet.axes(left + 0.58 * body + _GAP, 0.1, 0.42 * body, _HEIGHT)
    quiet_axes(deviation, x="signal above the dark (DN)", y="shot noise against the line")
    deviation.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    for each in (transfer, deviation):
        each.grid(color=RULE, linewidth=0.4)
        each.set_axisbelow(True)
    deviation.axhline(0, color=INK, linewidth=0.8)
    for b in range(signal.shape[1]):
        _transfer(transfer, curve, b, signal[:, b], variance[:, b])
        if not curve.trouble[b]:
            _deviation(deviation, curve, b)
    _limits(transfer, signal, variance, curve)
    limit = np.abs(deviation.get_ylim()).max() * 1.1
    deviation.set_ylim(-min(limit, _MOST_DEVIATION), min(limit, _MOST_DEVIATION))
    deviation.set_xlim(left=0)
    transfer.legend(loc="upper left", frameon=False, fontsize=BODY, labelcolor=INK, handlelength=1.2, borderaxespad=0.2)
    _legend(sheet, left + 0.12, 0.28 + 0.19 * signal.shape[1])
    return sheet.figure


def _transfer(axes: Axes, curve: PhotonTransfer, b: int, signal: NDArray, variance: NDArray) -> None:
    colour, marker = PALETTE[b % len(PALETTE)], _MARKERS[b % len(_MARKERS)]
    shown, fitted = signal > 0, curve.fitted[:, b] & (signal > 0)
    gain = curve.gain[0, b]
    name = (
        f"bucket {b}   no gain: {curve.trouble[b].partition(':')[0]}" if curve.trouble[b] else f"bucket {b}   {_gain(curve, b)}"
    )
    name = name if len(name) < 58 else name[:56] + "…"
    axes.plot(signal[fitted], variance[fitted], marker, color=colour, markersize=5, label=name, zorder=3)
    rest = shown & ~fitted
    axes.plot(signal[rest], variance[rest], marker, color=colour, markersize=5, markerfacecolor="none", zorder=3)
    axes.axhline(curve.dark_variance[b], color=colour, linewidth=0.8, linestyle=":")
    if np.isfinite(gain):
        line = np.geomspace(0.3 * signal[shown].min(), signal[shown].max() * 1.2, 100)
        axes.plot(line, gain * line + curve.dark_variance[b], color=colour, linewidth=1.2)
    if curve.full[b] >= 0:
        full = signal[curve.full[b]]
        axes.axvline(full, color=colour, linewidth=0.8, linestyle="--")


def _deviation(axes: Axes, curve: PhotonTransfer, b: int) -> None:
    colour, marker = PALETTE[b % len(PALETTE)], _MARKERS[b % len(_MARKERS)]
    line = curve.gain[:, b, None] * curve.signal[..., b]
    # a bucket that is shut holds a few electrons; their shot noise says nothing about the line
    chosen = curve.fitted[:, b] & (line[0] > _BRIGHT * line[0][curve.fitted[:, b]].max())
    relative = curve.variance[:, chosen, b] / line[:, chosen] - 1
    axes.errorbar(
        curve.signal[0, chosen, b],
        relative[0],
        half_width(relative),
        fmt=marker,
        color=colour,
        markersize=5,
        linewidth=1,
        capsize=2,
    )


def _gain(curve: PhotonTransfer, b: int) -> str:
    return f"K = {curve.gain[0, b]:.4f} ± {half_width(curve.gain[:, b]):.4f} DN/e⁻"


def _limits(axes: Axes, signal: NDArray, variance: NDArray, curve: PhotonTransfer) -> None:
    seen = (signal > 0) & (variance > 0)
    low = min(variance[seen].min(), max(curve.dark_variance.min(), 1e-3))
    axes.set_ylim(0.4 * low, 6 * variance[seen].max())
    axes.set_xlim(0.5 * signal[seen].min(), 2 * signal[seen].max())


def _legend(sheet: Sheet, left: float, top: float) -> None:
    told = (
        f"filled: fitted, up to {LINEAR_PART:.0%} of saturation",
        "hollow: not fitted",
        "dotted: variance in the dark",
        "dashed: full well",
    )
    for row, words in enumerate(told):
        sheet.label(left, top + 0.16 * row, words, size=SMALL, colour=QUIET, va="top")
