"""PSNR of a comparison over light, over motion and over the frames of an exposure, in panels.

The factor with most values has the colours; each combination of the others has a panel. Panels share their axis, but for those far
below the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from c2b.plots.figure_style import PALETTE
from c2b.plots.inline_svg import inline_svg
from c2b.plots.psnr_panel import Line, panel_figure
from c2b.report.compared import Exposure, LineUp
from c2b.report.comparison_differences import Series

#: Bins of motion, of as many exposures each.
BINS = 5

#: Decibels that a panel may lie below the best one; farther below it has an axis of its own.
FAR = 8.0

#: Exposures that are not worth binning.
FEW = 8


#: Makes a line of series that differ in light or speed, if there is something to draw.
Drawing = Callable[[Sequence[Series]], Line | None]


@dataclass(frozen=True)
class Panel:
    """One picture of curves: its title and its ``svg``."""

    title: str
    svg: str


@dataclass(frozen=True)
class Curves:
    """Panels of one kind.

    Parameters
    ----------
    title, text : str
    choices : sequence of (str, sequence of Panel)
        What can be chosen, such as a light, with its panels.
    legend : sequence of (str, int, bool)
        Name, number of the colour, and whether it is dashed.
    """

    title: str
    text: str
    choices: Sequence[tuple[str, Sequence[Panel]]]
    legend: Sequence[tuple[str, int, bool]]


def curves_of(compared: LineUp) -> list[Curves]:
    """Those for which there is something to draw."""
    drawn = _Drawn(compared)
    return [curves for curves in (drawn.over_light(), drawn.over_motion(), drawn.over_frames()) if curves]


class _Drawn:
    def __init__(self, compared: LineUp) -> None:
        self.compared = compared
        factors = [name for name in compared.varying if name not in ("light", "speed")]
        count = {name: len({getattr(series, name) for series in compared.series}) for name in factors}
        self.coloured = max(reversed(factors), key=count.__getitem__, default="method")
        self.beside = [name for name in factors if name != self.coloured]
        self.colours: dict[str, int] = {}
        for series in compared.series:
            self.colours.setdefault(compared.said(series, self.coloured), len(self.colours))
        self.legend = [(name, k % len(PALETTE), k >= len(PALETTE)) for name, k in self.colours.items()]
        self.lights = list(dict.fromkeys(level.light for level in compared.levels))
        self.per = "exposure" if compared.per_exposure else "sub-exposure"
        over = compared.over
        self.intervals = f"Intervals are 95 %, by a bootstrap over {over}." if over else "One scene, so no intervals."
        if over.endswith("one scene"):
            self.intervals += " They tell nothing of other scenes."
        self.intervals += " A panel far below the others has an axis of its own."

    def over_light(self) -> Curves | None:
        """PSNR of all exposures over the light."""
        if len([light for light in self.lights if light is not None]) < 2:
            return None
        x = f"electrons at white per {self.per}"
        panels = self._panels(self.compared.series, x, self._lit, self._beside("speed"), logarithmic=True, apart="ideal")
        apart = " Diamonds: without noise." if None in self.lights else ""
        text = f"Mean PSNR over the light that white gives per {self.per}. {self.intervals}{apart}"
        return Curves("PSNR over light", text, [("", panels)], self.legend)

    def over_motion(self) -> Curves | None:
        """PSNR of each exposure, or of groups of them, over the motion."""
        known = {_moment(e): e.motion for series in self.compared.series for e in self.compared.exposures(series)}
        motions = [motion for motion in known.values() if math.isfinite(motion)]
        if len(set(motions)) < 2:
            return None
        edges = np.quantile(motions, np.linspace(0, 1, BINS + 1)[1:-1]) if len(motions) > FEW else None
        text = "PSNR over how fast the scene moves: the mean length of the optical flow between the two middle frames of an exposure. "
        binned = f"Each point is one of {BINS} groups of exposures of like motion. {self.intervals}"
        text += "Each point is an exposure." if edges is None else binned
        choices = self._by_light("motion, pixels per frame", lambda series: self._moving(series, edges), self.beside)
        return Curves("PSNR over motion", text, choices, self.legend)

    def over_frames(self) -> Curves | None:
        """PSNR of each frame of an exposure."""
        if max((row.frames for row in self.compared.rows), default=0) < 2:
            return None
        text = f"Mean PSNR of each frame of an exposure. {self.intervals}"
        choices = self._by_light("frame of the exposure", self._frames, self._beside("speed"), band=True)
        return Curves("PSNR of each frame", text, choices, self.legend)

    def _beside(self, further: str) -> list[str]:
        return [*self.beside, *([further] if further in self.compared.varying else [])]

    def _by_light(self, x: str, line: Drawing, beside: Sequence[str], *, band: bool = False) -> list[tuple[str, list[Panel]]]:
        found = []
        for light in self.lights:
            series = [one for one in self.compared.series if self.compared.light(one) == light]
            if panels := self._panels(series, x, line, beside, band=band):
                found.append((self.compared.said(series[0], "light") if len(self.lights) > 1 else "", panels))
        return found

    def _panels(
        self,
        series: Iterable[Series],
        x: str,
        line: Drawing,
        beside: Sequence[str],
        *,
        logarithmic: bool = False,
        band: bool = False,
        apart: str = "",
    ) -> list[Panel]:
        facets: dict[str, dict[str, list[Series]]] = {}
        for one in series:
            title = " · ".join(self.compared.said(one, name) for name in beside)
            facets.setdefault(title, {}).setdefault(self.compared.said(one, self.coloured), []).append(one)
        drawn = {title: [found for of in by.values() if (found := line(of))] for title, by in facets.items()}
        drawn = {title: lines for title, lines in drawn.items() if lines}
        best = max((_span(lines)[1] for lines in drawn.values()), default=0.0)
        shared = _span([found for lines in drawn.values() if _span(lines)[1] > best - FAR for found in lines])
        panels = []
        for title, lines in drawn.items():
            span = shared if _span(lines)[1] > best - FAR else _span(lines)
            figure = panel_figure(lines, x=x, span=span, logarithmic=logarithmic, band=band, apart=apart)
            panels.append(Panel(title, inline_svg(figure, f"PSNR over {x}{', ' * bool(title)}{title}")))
        return panels

    def _lit(self, several: Sequence[Series]) -> Line | None:
        """A line over light, of series that differ in it."""
        found = {self.compared.light(one): self._mean(one) for one in several}
        lights = sorted(light for light in found if light is not None)
        if not found:
            return None
        y, low, high = zip(*(found[light] for light in lights), strict=True) if lights else ((), (), ())
        return Line(lights, y, low, high, self._colour(several), found.get(None))

    def _moving(self, several: Sequence[Series], edges: np.ndarray | None) -> Line | None:
        exposures = [e for one in several for e in self.compared.exposures(one) if math.isfinite(e.motion)]
        groups: dict[object, list[Exposure]] = {}
        for e in sorted(exposures, key=lambda e: e.motion):
            groups.setdefault(_moment(e) if edges is None else int(np.searchsorted(edges, e.motion)), []).append(e)
        if not groups:
            return None
        x = [sum(e.motion for e in group) / len(group) for group in groups.values()]
        y, low, high = zip(*(self.compared.interval(group, lambda e: e.psnr) for group in groups.values()), strict=True)
        return Line(x, y, low, high, self._colour(several))

    def _frames(self, several: Sequence[Series]) -> Line | None:
        exposures = [e for one in several for e in self.compared.exposures(one)]
        if not exposures:
            return None
        numbers = range(min(len(e.frames) for e in exposures))
        told = [self.compared.interval(exposures, lambda e, k=k: e.frames[k]) for k in numbers]  # type: ignore[misc]
        y, low, high = zip(*told, strict=True)
        return Line([*map(float, numbers)], y, low, high, self._colour(several))

    def _mean(self, series: Series) -> tuple[float, float, float]:
        if exposures := self.compared.exposures(series):
            return self.compared.interval(exposures, lambda e: e.psnr)
        return series.mean("psnr"), math.nan, math.nan

    def _colour(self, several: Sequence[Series]) -> int:
        return self.colours[self.compared.said(several[0], self.coloured)]


def _moment(exposure: Exposure) -> tuple[str, int, int]:
    return exposure.video, exposure.speed, exposure.number


def _span(lines: Sequence[Line]) -> tuple[float, float]:
    """PSNR that all lines lie between, with a little room; intervals may reach out of it."""
    values = [value for line in lines for value in (*line.y, *(line.apart or ())[:1]) if math.isfinite(value)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    room = 0.08 * (high - low) + 0.5
    return low - room, high + room
