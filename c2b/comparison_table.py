"""The table of a comparison: one row per video, camera and method, kept as tidy CSV; and its mean over the videos."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import groupby
from math import fsum, isfinite
from pathlib import Path
from statistics import stdev
from types import MappingProxyType
from typing import Any, get_type_hints

from sensors import spec
from sensors.atomic_file import atomic_file
from sensors.refusal import Refusal


@dataclass(frozen=True)
class Row:
    """What one cell gave, and all that one needs to compare it with the numbers of others. The fields are the columns of the CSV.

    Attributes
    ----------
    video, sensor, code, readout, method : str
        As they were named; a readout that was not named is that of the sensor.
    mask : str
        What tells the code from others: kind, frames, size, share of open pixels and the first digits of its sha256.
    light : float or None
        Electrons at white per sub-exposure; None for an ideal readout.
    exposure_light : float or None
        The same of a whole exposure.
    speed : int
        Frames of the recording from one sub-exposure to the next: above 1 some are skipped, and things move faster.
    psnr, ssim : float
        Mean over the exposures: dB, and by ``ssim_window`` with a data range of 1.
    initial_psnr, middle_psnr, last_psnr : float
        PSNR of frames 0, T // 2 and T - 1 of each exposure, dB.
    middle_ssim : float
        SSIM of frame T // 2.
    frame_psnr : str
        PSNR of each frame of an exposure, dB, apart by spaces.
    ssim_range_2, middle_ssim_range_2 : float or None
        SSIM with a data range of 2, where the protocol asks for it.
    pair_error, pair_error_per_pixel, reblurred_psnr, end_point_error : float or None
        Measures of a video out of a blurred picture (`recon.blur_metrics`), where they were asked for.
    cpu_seconds : float
        That the reconstruction of all exposures took, on all threads together; in a fresh process with loading compiled code.
    exposures, frames : int
        How many exposures, of how many frames each.
    part : str
        Which of the video: frames first:last:step, rows and columns.
    height, width, colour
        Size and colour of the frames as they were exposed.
    response : str
        What was undone before exposure, and done again before scoring.
    seed : int
        Seed of the noise.
    protocol, order, psnr_of, ssim_window, clipped
        Conventions of the scores; ``order`` is that of `recon.order`, PSNR of the ``volume`` of an exposure, or mean over ``frames``.
    sensor_digest, digest : str
        Digest of the sensor, and of all that decides this row.
    c2b : str
        Version.
    metrics : mapping of str to float
        Further figures of merit (`recon.measures`) that were measured, by name; each is a column of its own.
    """

    video: str
    sensor: str
    code: str
    mask: str
    readout: str
    light: float | None
    exposure_light: float | None
    speed: int
    method: str
    psnr: float
    ssim: float
    initial_psnr: float
    middle_psnr: float
    middle_ssim: float
    last_psnr: float
    frame_psnr: str
    ssim_range_2: float | None
    middle_ssim_range_2: float | None
    pair_error: float | None
    pair_error_per_pixel: float | None
    reblurred_psnr: float | None
    end_point_error: float | None
    cpu_seconds: float
    exposures: int
    frames: int
    part: str
    height: int
    width: int
    colour: str
    response: str
    seed: int
    protocol: str
    order: str
    psnr_of: str
    ssim_window: str
    clipped: bool
    sensor_digest: str
    digest: str
    c2b: str
    metrics: Mapping[str, float] = field(default_factory=dict, hash=False)

    def value(self, column: str) -> Any:
        """A column or a metric; None where it has none."""
        return self.metrics.get(column) if column not in COLUMNS else getattr(self, column)


#: The columns of every table; those of metrics follow.
COLUMNS = tuple(f.name for f in fields(Row) if f.name != "metrics")


@dataclass(frozen=True)
class Mean:
    """The mean over videos and seeds of one camera and method; ``spread`` is the standard deviation of PSNR over the videos, dB."""

    sensor: str
    code: str
    readout: str
    light: float | None
    exposure_light: float | None
    speed: int
    method: str
    order: str
    psnr: float
    spread: float | None
    ssim: float
    initial_psnr: float
    middle_psnr: float
    last_psnr: float
    pair_error: float | None
    pair_error_per_pixel: float | None
    reblurred_psnr: float | None
    end_point_error: float | None
    cpu_seconds: float
    videos: int
    seeds: int
    exposures: int
    metrics: Mapping[str, float | None] = field(default_factory=dict, hash=False)

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells it from other means."""
        return self.sensor, self.code, self.readout, self.light, self.speed, self.method


#: The fields of a `Mean` that are means over its rows.
AVERAGED = tuple(
    name
    for name, hint in get_type_hints(Mean).items()
    if hint in (float, float | None) and name not in ("light", "exposure_light", "spread")
)


def read_rows(path: Path) -> dict[str, Row]:
    """The rows of a CSV by their digest; none if there is no file.

    Raises
    ------
    Refusal
        If it is not a table that this version writes.
    """
    if not path.exists():
        return {}
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            header, *lines = csv.reader(file)
            if tuple(header[: len(COLUMNS)]) != COLUMNS:
                raise ValueError("other columns")
            rows = [_row(line, header[len(COLUMNS) :]) for line in lines]
    except (ValueError, csv.Error) as error:
        raise Refusal(f"{path} is not a comparison by this version of c2b ({error}); name another folder") from None
    return {row.digest: row for row in rows}


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write the whole CSV anew; whoever reads it meanwhile sees the old one."""
    with atomic_file(path) as partial, partial.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = [*rows]
        metrics = metrics_of(rows)
        table = csv.writer(file)
        table.writerow((*COLUMNS, *metrics))
        table.writerows([_cell(row.value(name)) for name in (*COLUMNS, *metrics)] for row in rows)


def metrics_of(rows: Iterable[Row]) -> list[str]:
    """Names of the metrics that any row has, in the order in which they appear."""
    return [*dict.fromkeys(name for row in rows for name in row.metrics)]


def means(rows: Iterable[Row]) -> list[Mean]:
    """Over the videos and seeds, for each camera, speed and method, in the order of the rows."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        key = (row.sensor, row.code, row.readout, row.light, row.exposure_light, row.speed, row.method, row.order)
        groups.setdefault(key, []).append(row)
    found = []
    for key, of in groups.items():
        averages: dict[str, Any] = {name: _mean(of, name) for name in AVERAGED}
        averages["metrics"] = {name: _mean(of, name) for name in metrics_of(of)}
        videos: dict[str, list[float]] = {}
        for row in of:
            videos.setdefault(row.video, []).append(row.psnr)
        averages["spread"] = _spread([fsum(values) / len(values) for values in videos.values()])
        averages |= {"videos": len(videos), "seeds": len({row.seed for row in of}), "exposures": sum(row.exposures for row in of)}
        found.append(Mean(*key, **averages))
    return found


def tables(
    rows: Sequence[Row],
    *,
    apart: bool = False,
    per_exposure: bool = False,
    masks: bool = False,
    left_out: Iterable[tuple[str, str]] = (),
    marks: Mapping[tuple[Any, ...], str] = MappingProxyType({}),
) -> Iterator[tuple[Sequence[str], Sequence[Sequence[str]], str]]:
    """What a person reads of a comparison: (columns, lines, title) of each table.

    Parameters
    ----------
    rows : sequence of Row
        Shown as means over the videos, the best first; what all lines of a table share is said once, in its title.
    apart : bool
        A table for each readout, light and speed.
    per_exposure : bool
        Light is told, and tables are apart, by that of an exposure instead of that of a sub-exposure.
    masks : bool
        A last one of the mask of each code.
    left_out : iterable of (what, why)
        A table of these, if there are any.
    marks : mapping
        What is said of the PSNR of a mean by its `key`, such as that it is the best.
    """

    def level(one: Mean) -> tuple[Any, ...]:
        return (one.exposure_light if per_exposure else one.light) or 0, one.speed, one.readout

    mean = sorted(means(rows), key=lambda one: (apart and level(one), -one.psnr))
    for _, part in groupby(mean, lambda one: apart and level(one)):
        lines = [_line(one, metrics_of(rows), per_exposure, marks) for one in part]
        once = [name for name in _MAY_BE_SAID_ONCE if len({line[name] for line in lines}) == 1]
        columns = [name for name in lines[0] if name not in once]
        title = ", ".join(_MAY_BE_SAID_ONCE[name].format(text) for name in once if (text := lines[0][name]))
        yield columns, [[line[name] for name in columns] for line in lines], title
    reasons: dict[str, list[str]] = {}
    for what, why in left_out:
        reasons.setdefault(why, []).append(what)
    if reasons:
        yield ("left out", "why"), [("\n".join(whats), why) for why, whats in reasons.items()], ""
    if masks:
        yield ("code", "mask"), [*dict.fromkeys((row.code, row.mask) for row in rows)], ""


def as_json(rows: Sequence[Row], left_out: Iterable[tuple[str, str]], **further: Any) -> str:
    """Means over the videos, rows, what was left out, and further things by name."""
    reasons = [{"what": what, "why": why} for what, why in left_out]
    return json.dumps({"mean": [*map(_plain, means(rows))], "rows": [*map(_plain, rows)], "left_out": reasons, **further})


#: Columns that go into the title where all lines agree, and how they are said there.
_MAY_BE_SAID_ONCE = {
    "videos": "mean over videos: {}",
    "spread": "standard deviation over them: {} dB",
    "code": "code: {}",
    "readout": "readout: {}",
    "light": "{} at white",
    "speed": "every {} frames",
    "best": "PSNR: all {}",
    "seeds": "seeds of the noise: {}",
    "order": "{} order",
}


def _line(mean: Mean, metrics: Iterable[str], per_exposure: bool, marks: Mapping[tuple[Any, ...], str]) -> dict[str, str]:
    light = mean.exposure_light if per_exposure else mean.light
    return {
        "code": mean.code,
        "readout": mean.readout,
        "light": "" if light is None else f"{light:g} e-{' per exposure' * per_exposure}",
        "speed": "" if mean.speed == 1 else str(mean.speed),
        "sensor": mean.sensor,
        "method": mean.method,
        "order": "" if mean.order == "given" else mean.order,
        "PSNR": f"{mean.psnr:.2f}",
        "best": marks.get(mean.key, ""),
        "spread": "" if mean.spread is None else f"{mean.spread:.2f}",
        "SSIM": f"{mean.ssim:.3f}",
        **_ends(mean),
        **{name: "" if (value := mean.metrics.get(name)) is None else f"{value:.4f}" for name in metrics},
        "CPU s": f"{mean.cpu_seconds:.3f}",
        "videos": str(mean.videos),
        "seeds": "" if mean.seeds == 1 else str(mean.seeds),
    }


def _ends(mean: Mean) -> dict[str, str]:
    """The middle frame; and where blur was measured the ends of the exposure and how the blur is explained."""
    middle = {"middle": f"{mean.middle_psnr:.2f}"}
    if mean.pair_error_per_pixel is None:
        return middle
    return {
        "first": f"{mean.initial_psnr:.2f}",
        **middle,
        "last": f"{mean.last_psnr:.2f}",
        "pairs": f"{mean.pair_error_per_pixel:.4f}",
        "re-blurred": f"{mean.reblurred_psnr:.2f}",
        "flow px": f"{mean.end_point_error:.2f}",
    }


def _plain(row: Row | Mean) -> dict[str, Any]:
    """For JSON, which knows no infinity: null where video and truth are identical."""
    facts = asdict(row)
    facts |= facts.pop("metrics")
    plain: dict[str, Any] = {name: None if value == float("inf") else value for name, value in facts.items()}
    if "frame_psnr" in plain:
        plain["frame_psnr"] = [None if text == "inf" else float(text) for text in plain["frame_psnr"].split()]
    return plain


def _mean(rows: list[Row], name: str) -> Any:
    """None where a row has none."""
    values = [row.value(name) for row in rows]
    return None if None in values else fsum(values) / len(rows)


def _spread(values: Sequence[float]) -> float | None:
    """Standard deviation; None of one value, or where one is infinite."""
    return stdev(values) if len(values) > 1 and all(map(isfinite, values)) else None


def _row(line: list[str], metrics: Sequence[str]) -> Row:
    values = {name: _value(text, _TYPES[name]) for name, text in zip(COLUMNS, line[: len(COLUMNS)], strict=True)}
    further = zip(metrics, line[len(COLUMNS) :], strict=True)
    return Row(**values, metrics={name: float(text) for name, text in further if text})


#: First letters by which a spreadsheet takes a cell for a formula; text of numbers, such as -3.2 4.1, is none.
_FORMULA, _NUMBERS = tuple("=+-@\t\r'"), re.compile(r"[-+]?[\d.einf]+(?: [-+]?[\d.einf]+)*")


def _cell(value: Any) -> Any:
    """Text as it is, behind an apostrophe where it would be a formula; `_value` takes it off."""
    guarded = isinstance(value, str) and value.startswith(_FORMULA) and not _NUMBERS.fullmatch(value)
    return f"'{value}" if guarded else value


def _value(text: str, hint: Any) -> Any:
    text = text.removeprefix("'")
    return None if text == "" and hint == (float | None) else text if hint is str else spec.from_text(text, hint)


_TYPES: Mapping[str, Any] = get_type_hints(Row)
