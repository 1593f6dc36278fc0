"""``c2b compare``"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from c2b.commands import Whole

if TYPE_CHECKING:
    from c2b.comparison import Camera, Comparison
    from c2b.comparison_table import Mean, Row
    from c2b.video.recording import Recording
    from sensors.sensor import Sensor

#: The CSV in the folder of a report.
TABLE = "comparison.csv"

#: The code that is the mask of the scene file itself.
OWN = "own"

#: Sensors that are compared unless others are named.
SENSORS = ("conventional", "coded-pixel", "two-bucket")


def compare(
    *video: Annotated[str, Parameter(required=True)],
    report: Path | None = None,
    sensor: tuple[str, ...] = (),
    code: tuple[str, ...] = (),
    readout: tuple[str, ...] = (),
    light: tuple[float, ...] = (),
    method: tuple[str, ...] = ("pseudo-inverse", "tile", "tile+consistent"),
    seed: Whole = 0,
    protocol: Literal["codedblurred", "cacti"] | None = None,
    json: bool = False,
    linearize: str | None = None,
    white: float | None = None,
    black: float | None = None,
    channels: Literal["luma", "rgb", "stored"] = "luma",
    frames: str = "",
    rows: str = "",
    columns: str = "",
    resize: str = "",
) -> None:
    """Compare cameras and methods on videos: simulate, reconstruct and score whatever goes together.

    Every exposure of every video counts. Scores compare values as the source stores them: what --linearize undoes before exposure is
    done again. What does not go together is listed with the reason.

    Parameters
    ----------
    video
        Files, folders of images or scenes.
    report
        Folder for comparison.csv, one row per video, camera and method, written as it grows. Rows that are there already are not
        computed again, so that an interrupted comparison goes on and a longer one adds to it.
    sensor
        Sensor, preset or sensor file. This and the next four may each be repeated; all combinations are tried. Default: conventional,
        coded-pixel and two-bucket.
    code
        Code or file; own: the mask in the file of an SCI scene. Default: impulse.
    readout
        ideal, electrons:white=100,... or that of a preset, for all sensors. Default: each sensor's own.
    light
        Electrons at white per sub-exposure, for every readout that is not ideal. Default: as the readout says.
    method
        Method; tile+consistent is tile followed by the noise-weighted data step.
    seed
        Of the noise.
    protocol
        Score as for c2b score --protocol; to codedblurred belongs --resize 1200x720. With cacti an SCI scene is taken by a coded pixel
        under its own mask, unless others are named.
    json
        Print JSON: means over the videos, rows, what was left out.
    linearize
        How the stored values come from light: none, srgb, gamma:exponent=2.2. Default: what the file says of itself, else none.
    white
        The stored value of white. Default: what the file says, else its largest number.
    black
        The stored value of no light. Default: what the file says, else 0.
    channels
        Expose luma, three colour channels, or what is stored (a Bayer mosaic).
    frames
        A part such as 0:90, or with a step 0:90:2.
    rows
        A part such as 0:720.
    columns
        A part such as 0:1278.
    resize
        WIDTHxHEIGHT, Lanczos, after the crop.
    """
    from functools import cache, partial

    import recon
    from c2b.commands import counted, open_video, part_of, progress
    from c2b.comparison import Comparison

    @contextmanager
    def opened(name: str) -> Iterator[Any]:
        with open_video(name, linearize=linearize, white=white, black=black) as whole:
            yield part_of(whole, frames, rows, columns, None if channels == "stored" else channels, resize)

    @cache
    def of_colour(colour: str, scene: str) -> list[Camera]:
        own = protocol == "cacti" and scene
        chips, words = sensor or (("coded-pixel",) if own else SENSORS), code or ((OWN,) if own else ("impulse",))
        return _cameras(comparison, chips, words, readout, light, colour, scene)

    def cameras(seen: Recording) -> list[Camera]:
        found = of_colour(seen.colour, _scene(seen))
        return [*_covering(comparison, found, seen)] if protocol == "cacti" else found

    comparison = Comparison(
        {name: partial(opened, name) for name in video},
        cameras,
        {name: recon.make(name) for name in method},
        seed=seed,
        protocol=protocol or "",
    )
    file = _file_in(report)
    found = comparison.run(file, progress)
    _show(found, comparison.left_out, json, apart=bool(readout or light))
    if protocol == "cacti" and not json:
        _show_masks(found)
    if file and not json:
        print(f"{file}: {counted(len(found), 'row')}, {comparison.computed} of them new")


def _file_in(report: Path | None) -> Path | None:
    """The CSV of a report, whose folder is made when there is something to write."""
    from sensors.refusal import Refusal

    if report is None:
        return None
    if report.exists() and not report.is_dir():
        raise Refusal(f"{report} is a file; --report needs a folder, such as {report}.report")
    if not report.absolute().parent.is_dir():
        raise Refusal(f"cannot write {report}: the folder {report.parent} does not exist")
    return report / TABLE


def _cameras(
    comparison: Comparison,
    sensor: Sequence[str],
    code: Sequence[str],
    readout: Sequence[str],
    light: Sequence[float],
    colour: str,
    scene: str,
) -> list[Camera]:
    """Each code under each readout and light on each sensor, as far as the sensor can do the code; ``scene``: whose mask is own."""
    from c2b.commands import make_sensor
    from c2b.comparison import Camera
    from sensors.refusal import Refusal

    files = _files(comparison, code, scene)
    found = []
    for one in sensor:
        for how in readout or (None,):
            possible = False
            for name, file in files.items():
                try:
                    chip, record = make_sensor(one, file, how, colour)
                except Refusal as reason:
                    comparison.leave_out(f"{one}, {name}", reason)
                    continue
                possible = True
                found += [Camera(one, name, record["readout_spec"], lit) for lit in _lit(chip, light)]
            if not possible:
                make_sensor(one, "long:frames=1", how, colour)  # likewise
    if light and found and all(camera.chip.readout.ideal for camera in found):
        raise Refusal("--light is electrons at white, which an ideal readout does not count; add --readout cep-2019")
    return found


def _files(comparison: Comparison, code: Iterable[str], scene: str) -> dict[str, str]:
    """What to make each code of; a word that names no code at all is not left out but a mistake."""
    from c2b import codes

    files = {name: scene if name == OWN else name for name in code}
    if not files.get(OWN, OWN):
        comparison.leave_out(f"--code {OWN}", "it is the mask of an SCI scene (.mat with mask and orig), which this video is not")
        del files[OWN]
    for file in files.values():
        codes.make(file)
    return files


def _scene(seen: Recording) -> str:
    """The file of a recording, if it holds a mask beside the frames."""
    from c2b.commands import a_code
    from sensors.refusal import Refusal

    try:
        return str(seen.path) if seen.path.suffix.lower() == ".mat" and a_code(str(seen.path)) is not None else ""
    except Refusal:
        return ""


def _covering(comparison: Comparison, cameras: Iterable[Camera], seen: Recording) -> Iterator[Camera]:
    """Cameras but for those whose mask file is smaller than the frames, which no table of a benchmark has."""
    from c2b import masks

    for camera in cameras:
        if reason := masks.too_small(camera.code, camera.chip.code, (seen.height, seen.width)):
            comparison.leave_out(f"{seen.path}, {camera.name}", reason)
        else:
            yield camera


def _lit(chip: Sensor, light: Sequence[float]) -> list[Sensor]:
    """The chip at each light level; an ideal one knows none."""
    from dataclasses import replace

    if chip.readout.ideal or not light:
        return [chip]
    return [replace(chip, readout=replace(chip.readout, white=white)) for white in light]


def _show(rows: Sequence[Row], left_out: Iterable[tuple[str, str]], as_json: bool, *, apart: bool) -> None:
    """Means over the videos, the best first; ``apart``: a table for each readout and light."""
    from itertools import groupby
    from json import dumps

    from c2b.commands import table
    from c2b.comparison_table import means, plain

    mean = means(rows)
    reasons = [{"what": what, "why": why} for what, why in left_out]
    if as_json:
        print(dumps({"mean": [*map(plain, mean)], "rows": [*map(plain, rows)], "left_out": reasons}))
        return
    mean.sort(key=lambda one: (apart and (one.light or 0, one.readout), -one.psnr))
    for _, part in groupby(mean, lambda one: apart and (one.light, one.readout)):
        lines = [_line(one) for one in part]
        once = [name for name in _MAY_BE_SAID_ONCE if len({line[name] for line in lines}) == 1]
        columns = [name for name in lines[0] if name not in once]
        title = ", ".join(_MAY_BE_SAID_ONCE[name].format(text) for name in once if (text := lines[0][name]))
        table(columns, [[line[name] for name in columns] for line in lines], title)
    whys = dict.fromkeys(reason["why"] for reason in reasons)
    if whys:
        table(("left out", "why"), [("\n".join(one["what"] for one in reasons if one["why"] == why), why) for why in whys])


def _show_masks(rows: Iterable[Row]) -> None:
    """Which mask each code is."""
    from c2b.commands import table

    table(("code", "mask"), [*dict.fromkeys((row.code, row.mask) for row in rows)])


#: Columns that go into the title where all lines agree, and how they are said there.
_MAY_BE_SAID_ONCE = {
    "videos": "mean over videos: {}",
    "code": "code: {}",
    "readout": "readout: {}",
    "light": "{} at white",
}


def _line(mean: Mean) -> dict[str, str]:
    return {
        "code": mean.code,
        "readout": mean.readout,
        "light": "" if mean.light is None else f"{mean.light:g} e-",
        "sensor": mean.sensor,
        "method": mean.method,
        "PSNR": f"{mean.psnr:.2f}",
        "SSIM": f"{mean.ssim:.3f}",
        "middle": f"{mean.middle_psnr:.2f}",
        "CPU s": f"{mean.cpu_seconds:.3f}",
        "videos": str(mean.videos),
    }
