"""The page of a comparison: all that its report folder knows, in one file that opens anywhere."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from math import isinf
from pathlib import Path
from typing import Any

import c2b
from c2b.comparison_store import Run, Store
from c2b.comparison_table import metrics_of
from c2b.report import comparison_differences as paired
from c2b.report.cameras import pictures_of
from c2b.report.compared import FACTORS, LineUp, line_up
from c2b.report.comparison_curves import curves_of
from c2b.report.comparison_differences import Series
from c2b.report.page import Column, Line, Page, Prose, Table, html, refuse_unless_page, write_page
from c2b.report.viewer import Viewer, opening, short, viewer_of, views_of
from sensors.refusal import Refusal

#: Size of a page unless another is named, in megabytes.
MEGABYTES = 20.0

#: Letters of a video's name in the title.
_TITLE = 60

#: Bytes of the viewer without its frames, and of a button in every row of the table.
_CONTROLS = 20_000


def write_comparison_page(
    path: str | Path,
    store: Store,
    *,
    title: str = "",
    lead: str = "",
    prose: Sequence[Prose] = (),
    footer: str = "",
    megabytes: float = MEGABYTES,
) -> Path:
    """Write the page of a report.

    Parameters
    ----------
    path : str or Path
        Ends in .html.
    store : Store
        Its rows, the frames that it keeps, and the runs that it has noted.
    title, lead, footer : str
        By default what was compared. Text as in `Prose`.
    prose : sequence of Prose
        Further sections.
    megabytes : float
        Frames are reduced and compressed until the page is no larger.

    Raises
    ------
    Refusal
        If the suffix is another one, the folder of the page does not exist, the report has no rows, or the size is not positive.
    """
    refuse_unless_page(Path(path))
    if not megabytes > 0:
        raise Refusal(f"a page of {megabytes:g} megabytes holds nothing; the default is {MEGABYTES:g}")
    store.refresh()
    runs = store.noted()
    compared = line_up(store, runs)
    if not compared.rows:
        raise Refusal(f"{store.folder} has no comparison of this version of c2b; c2b compare VIDEO --report {store.folder} makes one")
    page = _without_frames(compared, runs)
    page = replace(page, title=title or page.title, lead=lead or page.lead, prose=prose, footer=footer)
    room = int(megabytes * 1e6) - len(html(page).encode("utf-8", "replace")) - _CONTROLS
    if room < 0:
        raise Refusal(f"--megabytes {megabytes:g} is too small: the page takes {megabytes - room / 1e6:.1f} MB without any frame")
    if viewer := viewer_of(views_of(compared), room):
        known, packs = viewer.packed(opening(compared))
        page = replace(page, viewer=known, sprites=packs, viewer_note=_of_frames(viewer))
    return write_page(path, page)


def _without_frames(compared: LineUp, runs: Sequence[Run]) -> Page:
    codes, captures = pictures_of(compared)
    against = next((run.against for run in reversed(runs) if run.against), paired.BEST)
    return Page(
        title=f"Comparison on {_title([short(video) for video in compared.videos])}",
        lead=_lead(compared),
        facts=_facts(compared),
        findings=_findings(compared),
        table=_table(compared),
        curves=curves_of(compared),
        differences=[*paired.tables(_differences(compared, against))],
        codes=codes,
        captures=[*captures.items()],
        left_out=_reasons(runs),
        commands=list(dict.fromkeys(shlex.join(["c2b", *run.command]) for run in runs if run.command)),
        conventions=_conventions(compared),
    )


def _lead(compared: LineUp) -> str:
    things = [each for each in _THINGS if each[0] != "belief" or "belief" in compared.varying]
    counts = (_counted(len({getattr(one, name) for one in compared.series}), thing) for name, thing in things)
    return f"{', '.join(counts)}: each combination that goes together, simulated, reconstructed and scored against the true frames."


_THINGS = ("sensor", "sensor"), ("code", "code"), ("light", "light level"), ("method", "method"), ("belief", "belief")


def _facts(compared: LineUp) -> dict[str, Any]:
    rows = compared.rows
    sizes = {f"{row.width} × {row.height}{'' if row.colour == 'mono' else f', {row.colour}'}" for row in rows}
    exposures = {(row.video, row.speed): row.exposures for row in rows}
    seeds = len({row.seed for row in rows})
    facts: dict[str, Any] = {"rows": len(rows)}
    facts["videos"] = _of(len(compared.videos), len(set(compared.scenes.values())), "scene")
    facts["exposures"] = sum(exposures.values())
    facts["frames of each"] = _range([row.frames for row in rows])
    facts["size"] = sizes.pop() if len(sizes) == 1 else f"{len(sizes)} sizes"
    return facts | ({"seeds of the noise": seeds} if seeds > 1 else {})


def _findings(compared: LineUp) -> list[str]:
    """What is best at each light and speed, and whether that is certain."""
    found = []
    for level, ranked in compared.levels.items():
        light = " without noise" if level.light is None else f" at {level.light:g} electrons"
        speed = f", every {level.speed} frames" if level.speed > 1 else ""
        best = ranked[0]
        text = f"Best{light * (len(compared.levels) > 1)}{speed}: `{_place(compared, best)}`, {best.mean('psnr'):.2f} dB"
        if len(ranked) > 1 and not isinf(best.mean("psnr")):
            text += f"; {_ahead(compared, best, ranked[1])}"
        found.append(f"{text}.")
    if not compared.several:
        found.append("This is one scene; whether it holds for others, a comparison on several tells, with intervals.")
    return found


def _place(compared: LineUp, series: Series) -> str:
    return compared.name(series, without=("light", "speed"))


def _ahead(compared: LineUp, best: Series, second: Series) -> str:
    name = _place(compared, second)
    if not set(best.rows) & set(second.rows):
        return f"next is `{name}`, on other videos"
    told = paired.difference(best, second, "psnr", compared.scenes)
    if told.groups < 2:
        return f"{told.mean:+.2f} dB over `{name}`"
    return f"{told} dB over `{name}`, {'certain' if told.certain else 'not certain'}"


def _table(compared: LineUp) -> Table:
    factors = [*dict.fromkeys([name for name in FACTORS if name in compared.varying] + ["method"])]
    several = len(compared.videos) > 1
    metrics = metrics_of(compared.rows)
    columns = [Column("video", filter=True, chosen=_mean(len(compared.videos)))] * several
    columns += [Column(name, filter=True) for name in factors]
    columns += [Column("PSNR, dB", ".2f", "mean over the exposures")]
    columns += [Column("low", ".2f", f"95 % interval over {compared.over}"), Column("high", ".2f")] * bool(compared.over)
    columns += [Column("SSIM", ".3f"), Column("first", ".2f", "PSNR of the first frame, dB")]
    columns += [Column("middle", ".2f", "PSNR of the middle frame, dB"), Column("last", ".2f", "PSNR of the last frame, dB")]
    columns += [Column(name, ".4g") for name in metrics] + [Column("CPU s", ".2f", "of reconstruction")]
    marks = paired.best(compared.rows, compared.scenes, per_exposure=compared.per_exposure)
    lines = []
    for number, series in sorted(enumerate(compared.series), key=lambda item: -item[1].mean("psnr")):
        words = [compared.said(series, name) for name in factors]
        strong = series.key in marks
        whole = _numbers(compared, series, metrics, compared.interval(compared.exposures(series), lambda e: e.psnr)[1:])
        lines.append(Line([_mean(len(_videos(series)))] * several + words + whole, strong, number))
        for video in _videos(series) if several else ():
            alone = replace(series, rows={key: row for key, row in series.rows.items() if row.video == video})
            lines.append(Line([short(video), *words, *_numbers(compared, alone, metrics, (None, None))], False, number, video))
    text = "Click a name to sort by it; View shows a row in the viewer."
    text += " Bold: certainly the best at its light, or not told apart from the best." if marks else ""
    text += f" Intervals are 95 %, by a bootstrap over {compared.over}." if compared.over else ""
    return Table(columns, lines, text)


def _videos(series: Series) -> list[str]:
    return list(dict.fromkeys(row.video for row in series.rows.values()))


def _mean(count: int) -> str:
    return f"mean of {count}"


def _numbers(
    compared: LineUp, series: Series, metrics: Sequence[str], interval: tuple[float | None, float | None]
) -> list[float | None]:
    """The cells of a row that are numbers."""
    names = "ssim", "initial_psnr", "middle_psnr", "last_psnr", *metrics, "cpu_seconds"
    return [series.mean("psnr"), *(interval if compared.over else ()), *(series.mean(name) for name in names)]


def _differences(compared: LineUp, against: str) -> list[paired.Against]:
    rows, scenes, per = compared.rows, compared.scenes, compared.per_exposure
    try:
        found = paired.differences(rows, against, scenes, per_exposure=per)
    except Refusal:  # what was named then is not in every part of what the folder holds now
        found = paired.differences(rows, paired.BEST, scenes, per_exposure=per)
    order = [*compared.levels]
    return sorted(found, key=lambda one: order.index(one.level))


def _of_frames(viewer: Viewer) -> str:
    """What became of the frames on their way into the page."""
    sprites = viewer.sprites
    size = "" if sprites.scale == 1 else f"reduced to {sprites.scale:.1%} of their size and "
    how = f"{sprites.kind.upper()}, quality {sprites.quality}, {sprites.fidelity:.0f} dB or more to those computed"
    text = f"Frames are {size}compressed ({how}); "
    text += "error maps are of the frames as shown, PSNR of those computed."
    return text + (f" {viewer.missing} videos did not fit into the page." if viewer.missing > 0 else "")


def _reasons(runs: Sequence[Run]) -> list[tuple[list[str], str]]:
    reasons: dict[str, dict[str, None]] = {}
    for run in runs:
        for what, why in run.left_out:
            reasons.setdefault(why, {})[what] = None
    return [([*whats], why) for why, whats in reasons.items()]


def _conventions(compared: LineUp) -> dict[str, Any]:
    """What the numbers mean, as far as it is the same for all rows."""
    told = {"videos": _listed(compared.videos, 12)}
    names = {"part": "part", "response": "response undone before exposure", "protocol": "protocol", "order": "order of frames"}
    names |= {"psnr_of": "PSNR of", "ssim_window": "SSIM window", "seed": "seed of the noise"}
    for name, words in names.items():
        values = list(dict.fromkeys(str(getattr(row, name)) for row in compared.rows))
        if values != [""]:
            told[words] = _listed(values, 4)
    for name in ("sensor", "code", "readout", "light", "method") + ("belief",) * any(one.belief for one in compared.series):
        if name not in compared.varying:
            told[name] = _listed(list(dict.fromkeys(compared.said(series, name) for series in compared.series)))
    return told | {"made by": f"c2b {c2b.__version__}"}


def _title(videos: Sequence[str]) -> str:
    if len(videos) > 1:
        return _counted(len(videos), "video")
    return videos[0] if len(videos[0]) <= _TITLE else f"{videos[0][: _TITLE - 1]}…"


def _listed(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _of(count: int, groups: int, thing: str) -> str:
    return str(count) if count == groups else f"{count} of {_counted(groups, thing)}"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'s' * (count != 1)}"


def _range(values: Sequence[int]) -> str:
    return str(min(values)) if min(values) == max(values) else f"{min(values)} to {max(values)}"
