"""Rows of a comparison against one of them: differences paired over the videos, with intervals by a bootstrap over scenes.

::

    scene = scenes_of(videos, ["d0[123]_*"])             d01, d02 and d03 are one street, every other video is a scene of its own
    differences(rows, "two-bucket pair", scene)          each row minus that one, PSNR of all frames and of the middle one
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from itertools import groupby
from math import fsum, isfinite
from pathlib import PurePath
from typing import Any

from c2b.comparison_table import Row
from c2b.report.paired_differences import Difference, paired_difference
from sensors.refusal import Refusal

#: What is compared, by the columns of rows.
COLUMNS = {"psnr": "PSNR, dB", "middle_psnr": "middle frame, dB"}

#: The same where videos out of blurred pictures are compared, whose ends are the hardest to find.
OF_BLUR = {"psnr": "PSNR, dB", "initial_psnr": "first frame, dB", "middle_psnr": "middle frame, dB", "last_psnr": "last frame, dB"}

#: Reference that is the row of the highest PSNR, at each light.
BEST = "best"


@dataclass(frozen=True)
class Series:
    """A camera and a method, and its row for each video."""

    sensor: str
    code: str
    readout: str
    light: float | None
    method: str
    rows: Mapping[str, Row] = field(default_factory=dict, compare=False)

    @property
    def names(self) -> tuple[str, str, str]:
        """What it may be called: sensor and method, with its code between them, with code and readout."""
        return tuple(" ".join(words) for words in (  # type: ignore[return-value]
            (self.sensor, self.method), (self.sensor, self.code, self.method), (self.sensor, self.code, self.readout, self.method)
        ))  # fmt: skip

    def mean(self, column: str) -> float:
        """Over the videos."""
        return fsum(getattr(row, column) for row in self.rows.values()) / len(self.rows)


@dataclass(frozen=True)
class Against:
    """What a series is better than another.

    Attributes
    ----------
    name, reference : str
        The two, as short as tells them from the others at that light.
    light : float or None
    by : mapping of str to Difference
        For each of `COLUMNS`, or of `OF_BLUR`.
    """

    name: str
    reference: str
    light: float | None
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
    found: dict[tuple[str, str, str, float | None, str], dict[str, Row]] = {}
    for row in rows:
        found.setdefault((row.sensor, row.code, row.readout, row.light, row.method), {})[row.video] = row
    return [Series(*key, of) for key, of in found.items()]


def difference(first: Series, second: Series, column: str, scene: Mapping[str, str]) -> Difference:
    """First minus second over the videos that both have, by a column of their rows.

    Raises
    ------
    Refusal
        If there are none, or a video was reconstructed without an error.
    """
    videos = [video for video in first.rows if video in second.rows]
    ours, theirs = ([getattr(series.rows[video], column) for video in videos] for series in (first, second))
    return paired_difference(ours, theirs, [scene[video] for video in videos])


def refuse_unknown(against: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Find what others are to be held against before anything is computed.

    Parameters
    ----------
    against : str
        As for `differences`.
    rows : iterable of mapping
        The columns of rows that are known beforehand.

    Raises
    ------
    Refusal
        If at some light there is none of that name, or several.
    """
    lights: dict[float | None, dict[Series, None]] = {}
    for row in rows:
        series = Series(row["sensor"], row["code"], row["readout"], row["light"], row["method"])
        lights.setdefault(series.light, {})[series] = None
    for group in lights.values():
        _reference([*group], against)


def differences(rows: Sequence[Row], against: str, scene: Mapping[str, str]) -> list[Against]:
    """Every camera and method against one, the best first, at each light.

    Parameters
    ----------
    rows : sequence of Row
    against : str
        `BEST`, or sensor and method such as ``two-bucket pair``; where there are several such, with code or code and readout between.
    scene : mapping of str to str
        `scenes_of` the videos.

    Raises
    ------
    Refusal
        If there is none of that name, or several.
    """
    lights: dict[float | None, list[Series]] = {}
    columns = OF_BLUR if all(row.pair_error is not None for row in rows) else COLUMNS
    for series in series_of(rows):
        if all(isfinite(series.mean(name)) for name in columns):
            lights.setdefault(series.light, []).append(series)
    found: list[Against] = []
    for light, group in lights.items():
        group.sort(key=lambda series: -series.mean("psnr"))
        form = next(k for k in range(3) if k == 2 or len({series.names[k] for series in group}) == len(group))
        reference = _reference(group, against)
        for series in group:
            if series is not reference and any(video in reference.rows for video in series.rows):
                by = {name: difference(series, reference, name, scene) for name in columns}
                found.append(Against(series.names[form], reference.names[form], light, by))
    return found


def tables(found: Sequence[Against]) -> Iterator[tuple[Sequence[str], Sequence[Sequence[str]], str]]:
    """What a person reads of them: (columns, lines, title) for each light."""
    for light, part in groupby(found, lambda one: one.light):
        some = list(part)
        told = some[0].by["psnr"]
        lines = [[one.name, *(f"{told}{' *' * told.certain}" for told in one.by.values())] for one in some]
        title = f"minus {some[0].reference}" + ("" if light is None else f" at {light:g} e-")
        title += f", interval of {told.level:.0%} by a bootstrap over {told.groups} scenes, * without zero"
        yield ("", *(OF_BLUR[name] for name in some[0].by)), lines, title


def plain(found: Iterable[Against]) -> list[dict[str, Any]]:
    """For JSON, which knows neither infinity nor NaN: null."""
    return [
        {
            "first": one.name,
            "second": one.reference,
            "light": one.light,
            "column": name,
            **{key: value if isfinite(value) else None for key, value in asdict(told).items()},
            "certain": told.certain,
        }
        for one in found
        for name, told in one.by.items()
    ]


def _reference(group: Sequence[Series], against: str) -> Series:
    if against == BEST:
        return group[0]
    named = [series for series in group if against in series.names]
    if len(named) != 1:
        others = "; ".join(series.names[2 if named else 0] for series in named or group)
        raise Refusal(f"--against {against}: {'which of' if named else 'it is none of'} {others}")
    return named[0]
