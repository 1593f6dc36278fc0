"""Rows of a comparison against one of them: differences paired over the videos, with intervals by a bootstrap over scenes.

::

    scene = scenes_of(videos, ["d0[123]_*"])             d01, d02 and d03 are one street, every other video is a scene of its own
    differences(rows, "two-bucket pair", scene)          each row minus that one, PSNR of all frames and of the middle one
    best(rows, scene)                                    which row the intervals say to be the best
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import groupby
from math import fsum, isfinite, nan
from pathlib import PurePath
from typing import Any, NamedTuple

from c2b.comparison_table import Row, metrics_of
from c2b.report.paired_differences import Difference, paired_difference
from sensors.refusal import Refusal

#: What is compared, by the columns of rows.
COLUMNS = {"psnr": "PSNR, dB", "middle_psnr": "middle frame, dB"}

#: The same where videos out of blurred pictures are compared, whose ends are the hardest to find.
OF_BLUR = {"psnr": "PSNR, dB", "initial_psnr": "first frame, dB", "middle_psnr": "middle frame, dB", "last_psnr": "last frame, dB"}

#: Reference that is the row of the highest PSNR, at each level.
BEST = "best"

#: What is said of a row that is certainly better than every other one at its level, and of those that the best is not certainly above.
IS_BEST, TIED = "best", "tied"


class Level(NamedTuple):
    """What only rows that have it in common are compared under: electrons at white, or None, and how many frames are skipped."""

    light: float | None
    speed: int

    def __str__(self) -> str:
        """Nothing where it need not be said."""
        light = "" if self.light is None else f" at {self.light:g} e-"
        return light + ("" if self.speed == 1 else f", every {self.speed} frames")


@dataclass(frozen=True)
class Series:
    """A camera and a method, and its row for each video and seed."""

    sensor: str
    code: str
    readout: str
    light: float | None
    speed: int
    method: str
    belief: str = ""
    exposure_light: float | None = field(default=None, compare=False)
    rows: Mapping[tuple[str, int], Row] = field(default_factory=dict, compare=False)

    @property
    def key(self) -> tuple[Any, ...]:
        """As that of a `c2b.comparison_table.Mean`."""
        return self.sensor, self.code, self.readout, self.belief, self.light, self.speed, self.method

    @property
    def names(self) -> tuple[str, str, str]:
        """What it may be called: sensor and method with its belief, with its code between them, with code and readout."""
        last = f"believed {self.belief}, {self.method}" if self.belief else self.method
        return tuple(" ".join(words) for words in (  # type: ignore[return-value]
            (self.sensor, last), (self.sensor, self.code, last), (self.sensor, self.code, self.readout, last)
        ))  # fmt: skip

    def level(self, per_exposure: bool) -> Level:
        """What it has in common with those that it is compared with, by the light of a sub-exposure or of an exposure."""
        return Level(self.exposure_light if per_exposure else self.light, self.speed)

    def mean(self, column: str) -> float:
        """Over the videos and seeds; NaN where a row has no such number."""
        values = [row.value(column) for row in self.rows.values()]
        return nan if None in values else fsum(values) / len(values)


#: Columns of a row that the fields of its series are, in their order.
_TELLING = ("sensor", "code", "readout", "light", "speed", "method", "belief", "exposure_light")


@dataclass(frozen=True)
class Against:
    """What a series is better than another.

    Attributes
    ----------
    name, reference : str
        The two, as short as tells them from the others at that level.
    level : Level
    by : mapping of str to Difference
        For each of `COLUMNS`, or of `OF_BLUR`, and each metric that all rows have.
    """

    name: str
    reference: str
    level: Level
    by: Mapping[str, Difference]


def scenes_of(videos: Iterable[str], patterns: Sequence[str]) -> dict[str, str]:
    """The scene that each video shows.

    Parameters
    ----------
    videos : iterable of str
        As they were named.
    patterns : sequence of str
        Videos whose file name fits one, such as ``d0[123]_*``, are one scene. Each other video is a scene of its own.

    Raises
    ------
    Refusal
        If a pattern fits no video, or two fit one.
    """
    videos = list(dict.fromkeys(videos))
    found: dict[str, str] = {}
    for pattern in patterns:
        fits = [video for video in videos if fnmatchcase(PurePath(video).name, pattern) or fnmatchcase(video, pattern)]
        if not fits:
            raise Refusal(f"--scene {pattern} fits none of {', '.join(PurePath(video).name for video in videos)}")
        for video in fits:
            if found.setdefault(video, pattern) != pattern:
                raise Refusal(f"--scene {found[video]} and {pattern} both fit {video}; a video is of one scene")
    return {video: found.get(video, video) for video in videos}


def series_of(rows: Iterable[Row]) -> list[Series]:
    """Rows by camera and method, in their order."""
    found: dict[Series, dict[tuple[str, int], Row]] = {}
    for row in rows:
        series = Series(*(getattr(row, name) for name in _TELLING))
        found.setdefault(series, {})[row.video, row.seed] = row
    return [replace(series, rows=of) for series, of in found.items()]


def difference(first: Series, second: Series, column: str, scene: Mapping[str, str]) -> Difference:
    """First minus second over the videos and seeds that both have, by a column of their rows; seeds of a video are of one scene.

    Raises
    ------
    Refusal
        If there are none, or a video was reconstructed without an error.
    """
    pairs = [pair for pair in first.rows if pair in second.rows]
    ours, theirs = ([series.rows[pair].value(column) for pair in pairs] for series in (first, second))
    return paired_difference(ours, theirs, [scene[video] for video, _ in pairs])


def refuse_unknown(against: str, rows: Iterable[Mapping[str, Any]], *, per_exposure: bool = False) -> None:
    """Find what others are to be held against before anything is computed.

    Parameters
    ----------
    against : str
        As for `differences`.
    rows : iterable of mapping
        The columns of rows that are known beforehand.
    per_exposure : bool
        As for `differences`.

    Raises
    ------
    Refusal
        If at some level there is none of that name, or several.
    """
    levels: dict[Level, dict[Series, None]] = {}
    for row in rows:
        series = Series(*(row[name] for name in _TELLING))
        levels.setdefault(series.level(per_exposure), {})[series] = None
    for group in levels.values():
        _reference([*group], against)


def differences(rows: Sequence[Row], against: str, scene: Mapping[str, str], *, per_exposure: bool = False) -> list[Against]:
    """Every camera and method against one, the best first, at each level.

    Parameters
    ----------
    rows : sequence of Row
    against : str
        `BEST`, or sensor and method such as ``two-bucket pair``; where there are several such, with code or code and readout between.
    scene : mapping of str to str
        `scenes_of` the videos.
    per_exposure : bool
        Those of the same light per exposure are compared, instead of per sub-exposure.

    Raises
    ------
    Refusal
        If there is none of that name, or several.
    """
    columns = _titles(rows)
    found: list[Against] = []
    for level, group in _by_level(rows, columns, per_exposure).items():
        form = next(k for k in range(3) if k == 2 or len({series.names[k] for series in group}) == len(group))
        reference = _reference(group, against)
        for series in group:
            if series is not reference and any(pair in reference.rows for pair in series.rows):
                by = {name: difference(series, reference, name, scene) for name in columns}
                found.append(Against(series.names[form], reference.names[form], level, by))
    return found


def best(rows: Sequence[Row], scene: Mapping[str, str], *, per_exposure: bool = False) -> dict[tuple[Any, ...], str]:
    """What the intervals say of the highest PSNR at each level, by the `key` of means.

    Returns
    -------
    dict
        `IS_BEST` of a camera and method whose difference from every other one lies above 0 with its whole interval; else `TIED`, of
        the highest and all that it is not certainly above. Nothing where there is a single one, or a single scene, which has no
        interval. Each interval has its own 5 %, and still, of any number that are equally good, one is called the best in no more
        than 5 % of cases: it would have to be above all others at once.
    """
    found: dict[tuple[Any, ...], str] = {}
    for group in _by_level(rows, ("psnr",), per_exposure).values():
        first, *others = group
        against = [(one, difference(first, one, "psnr", scene)) for one in others if set(first.rows) & set(one.rows)]
        if len(against) < len(others) or not others or any(told.groups == 1 for _, told in against):
            continue
        tied = [one for one, told in against if not told.low > 0]
        found |= {one.key: TIED for one in (first, *tied)} if tied else {first.key: IS_BEST}
    return found


def tables(found: Sequence[Against]) -> Iterator[tuple[Sequence[str], Sequence[Sequence[str]], str]]:
    """What a person reads of them: (columns, lines, title) for each light."""
    for level, part in groupby(found, lambda one: one.level):
        some = list(part)
        told = some[0].by["psnr"]
        lines = [[one.name, *(_text(name, told) for name, told in one.by.items())] for one in some]
        title = f"minus {some[0].reference}{level}"
        if told.groups > 1:
            title += f", interval of {told.level:.0%} by a bootstrap over {told.groups} scenes, * without zero"
        yield ("", *(OF_BLUR.get(name, name) for name in some[0].by)), lines, title


def plain(found: Iterable[Against]) -> list[dict[str, Any]]:
    """For JSON, which knows neither infinity nor NaN: null."""
    return [
        {
            "first": one.name,
            "second": one.reference,
            "light": one.level.light,
            "speed": one.level.speed,
            "column": name,
            **{key: value if isfinite(value) else None for key, value in asdict(told).items()},
            "certain": told.certain,
        }
        for one in found
        for name, told in one.by.items()
    ]


def _titles(rows: Sequence[Row]) -> list[str]:
    """The columns that are compared: those that all rows have."""
    known = OF_BLUR if all(row.pair_error is not None for row in rows) else COLUMNS
    return [*known, *(name for name in metrics_of(rows) if all(name in row.metrics for row in rows))]


def _by_level(rows: Sequence[Row], columns: Iterable[str], per_exposure: bool) -> dict[Level, list[Series]]:
    """Those that are compared, the best first; without those whose video is identical to the truth."""
    found: dict[Level, list[Series]] = {}
    for series in series_of(rows):
        if all(isfinite(series.mean(name)) for name in columns):
            found.setdefault(series.level(per_exposure), []).append(series)
    for group in found.values():
        group.sort(key=lambda series: -series.mean("psnr"))
    return found


def _text(name: str, told: Difference) -> str:
    """Decibels with two digits, metrics with four."""
    return (str(told) if name in OF_BLUR else told.text(4)) + " *" * told.certain


def _reference(group: Sequence[Series], against: str) -> Series:
    if against == BEST:
        return group[0]
    named = [series for series in group if against in series.names]
    if len(named) != 1:
        others = "; ".join(series.names[2 if named else 0] for series in named or group)
        raise Refusal(f"--against {against}: {'which of' if named else 'it is none of'} {others}")
    return named[0]
