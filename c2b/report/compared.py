"""What a report folder knows of each camera and method: its exposures with their scores, and how it is told from the others.

A series is one camera and method at one light and speed over all videos and seeds (`c2b.report.comparison_differences.Series`);
all series of a comparison are a line-up.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite, nan
from typing import Any

from c2b.comparison_store import Run, Store
from c2b.comparison_table import Row
from c2b.comparison_unit import FRAME, MOTION
from c2b.report.comparison_differences import Level, Series, series_of
from c2b.report.paired_differences import paired_difference

#: What tells one series from another, in the order in which it is said.
FACTORS = ("sensor", "code", "readout", "belief", "light", "speed", "method")

#: Exposures of one scene from which on an interval over them is drawn; of fewer it would be all width.
FEWEST_EXPOSURES = 3

#: Bootstrap draws of an interval that is drawn; of one that is printed there are more.
DRAWS = 2000


@dataclass(frozen=True)
class Exposure:
    """One exposure of one video through one series.

    Parameters
    ----------
    video : str
    speed, seed, number : int
    psnr : float
        dB.
    motion : float
        Pixels per frame; NaN where it was not measured.
    frames : tuple of float
        PSNR of each frame, dB.
    """

    video: str
    speed: int
    seed: int
    number: int
    psnr: float
    motion: float
    frames: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class LineUp:
    """All series of a comparison.

    Parameters
    ----------
    store : Store
    rows : sequence of Row
        The last one of those that differ in nothing but the version that computed them.
    scene : mapping of str to str
        The scene of each video.
    per_exposure : bool
        Whether light is told by the exposure.
    """

    store: Store
    rows: Sequence[Row]
    scene: Mapping[str, str] = field(default_factory=dict)
    per_exposure: bool = False

    @cached_property
    def series(self) -> list[Series]:
        """In the order of the rows."""
        return series_of(self.rows)

    @cached_property
    def videos(self) -> list[str]:
        """In the order of the rows."""
        return list(dict.fromkeys(row.video for row in self.rows))

    @cached_property
    def varying(self) -> list[str]:
        """Those of `FACTORS` that are not the same for all; the readout only where the others do not tell it."""
        found = [name for name in FACTORS if len({getattr(series, name) for series in self.series}) > 1]
        others = {tuple(getattr(series, name) for name in FACTORS if name != "readout") for series in self.series}
        return [name for name in found if name != "readout" or len(others) < len(self.series)]

    def name(self, series: Series, *, without: Sequence[str] = ()) -> str:
        """As short as tells a series from the others."""
        words = [self.said(series, factor) for factor in self.varying if factor not in without]
        return " · ".join(words) or self.said(series, "method")

    def said(self, series: Series, factor: str) -> str:
        """A factor of a series in words."""
        if factor == "light":
            light = self.light(series)
            return "ideal" if light is None else f"{light:g} e-"
        if factor == "belief":
            return f"believed {series.belief}" if series.belief else "known"
        value = getattr(series, factor)
        return str(value) if factor != "speed" else f"speed {value}"

    def light(self, series: Series) -> float | None:
        """Electrons at white."""
        return series.exposure_light if self.per_exposure else series.light

    @cached_property
    def levels(self) -> dict[Level, list[Series]]:
        """Series of the same light and speed, which are compared with each other: the dimmest first, the best of each first."""
        found: dict[Level, list[Series]] = {}
        for series in self.series:
            found.setdefault(series.level(self.per_exposure), []).append(series)
        for group in found.values():
            group.sort(key=lambda series: -series.mean("psnr"))
        return dict(sorted(found.items(), key=lambda item: (item[0].light is None, item[0].light or 0.0, item[0].speed)))

    def exposures(self, series: Series) -> list[Exposure]:
        """All exposures of a series, as far as the store knows them one by one."""
        return self._exposures[series.key]

    @cached_property
    def _exposures(self) -> dict[Hashable, list[Exposure]]:
        return {one.key: [e for row in one.rows.values() for e in self._of_row(row)] for one in self.series}

    def _of_row(self, row: Row) -> list[Exposure]:
        found = []
        for cell in self.store.known(row.digest, row.digest):
            scores = cell.scores
            for place, number in enumerate(range(*cell.exposures)):
                frames = tuple(scores[f"{FRAME}{k}"][place] for k in range(row.frames))
                motion = scores[MOTION][place] if MOTION in scores else nan
                found.append(Exposure(row.video, row.speed, row.seed, number, scores["psnr"][place], motion, frames))
        return found

    @cached_property
    def scenes(self) -> dict[str, str]:
        """The scene of each video."""
        return {video: self.scene.get(video, video) for video in self.videos}

    @cached_property
    def several(self) -> bool:
        """Whether there are several scenes."""
        return len(set(self.scenes.values())) > 1

    @cached_property
    def over(self) -> str:
        """Over what intervals are taken; nothing if there is nothing to take them over."""
        if self.several:
            return f"{len(set(self.scenes.values()))} scenes"
        most = max((len({one.number for one in self.exposures(series)}) for series in self.series), default=0)
        return f"{most} exposures of one scene" if most >= FEWEST_EXPOSURES else ""

    def interval(self, exposures: Sequence[Exposure], value: Callable[[Exposure], float]) -> tuple[float, float, float]:
        """Mean over exposures, and the ends of its 95 % interval; NaN where there is none.

        Groups of the bootstrap are scenes, or the exposures of a single one: such an interval tells nothing of other scenes.
        """
        values = [value(one) for one in exposures]
        if not values or not all(map(isfinite, values)):
            return nan, nan, nan
        groups: list[Any] = [self.scenes[one.video] if self.several else one.number for one in exposures]
        if len(set(groups)) < (2 if self.several else FEWEST_EXPOSURES):
            return sum(values) / len(values), nan, nan
        told = paired_difference(values, [0.0] * len(values), groups, draws=DRAWS)
        return told.mean, told.low, told.high


def line_up(store: Store, runs: Sequence[Run]) -> LineUp:
    """All rows of a store."""
    scene = {video: scene for run in runs for video, scene in run.scene.items()}
    last: dict[Hashable, Row] = {}
    for row in store.rows().values():
        series = row.sensor, row.code, row.readout, row.belief, row.light, row.speed, row.method
        key = row.video, *series, row.seed, row.part, row.protocol, row.order
        last.pop(key, None)
        last[key] = row
    return LineUp(store, [*last.values()], scene, bool(runs and runs[-1].per_exposure))
