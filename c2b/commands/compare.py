"""``c2b compare``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from c2b.options import NO_PAGE, LevelOptions, PageOfFrames, PageOptions, PartOptions, Seeds, Whole
from c2b.source import AS_FILED, WHOLE

if TYPE_CHECKING:
    from c2b.comparison import Comparison


def compare(
    *video: Annotated[str, Parameter(required=True)],
    report: Path | None = None,
    sensor: tuple[str, ...] = (),
    code: tuple[str, ...] = (),
    readout: tuple[str, ...] = (),
    light: tuple[float, ...] = (),
    light_per: Literal["sub-exposure", "exposure"] = "sub-exposure",
    sweep: tuple[str, ...] = (),
    believe: tuple[str, ...] = (),
    believe_code: tuple[str, ...] = (),
    method: tuple[str, ...] = ("pseudo-inverse", "tile", "tile+consistent"),
    seed: Annotated[Seeds, Parameter(name=("--seed", "--seeds"))] = (0,),
    protocol: Literal["codedblurred", "cacti"] | None = None,
    against: str = "",
    scene: tuple[str, ...] = (),
    order: Literal["given", "best", "frame"] = "given",
    blur: bool = False,
    metric: tuple[str, ...] = (),
    processes: Whole = 1,
    parquet: bool = False,
    json: bool = False,
    levels: LevelOptions = AS_FILED,
    part: PartOptions = WHOLE,
    page: PageOptions = NO_PAGE,
) -> None:
    """Compare cameras and methods on videos: simulate, reconstruct and score whatever goes together.

    Every exposure of every video counts. Scores compare values as the source stores them: what --linearize undoes before exposure is
    done again. What does not go together is listed with the reason. Where there are several scenes, the PSNR that is certainly above
    every other one, by paired differences with intervals, is marked as the best, and those that are not told apart as tied.

    Parameters
    ----------
    video
        Files, folders of images or scenes; folders of such, as GOPRO_Large_all/test/, stand for all recordings in them.
    report
        Folder for comparison.csv, one row per video, camera and method, written as it grows, and for the cells that it is made of.
        What is there already is not computed again, so that an interrupted comparison goes on and a longer one adds to it; several
        may use one folder at once.
    sensor
        Sensor, preset or sensor file. This and the next four may each be repeated; all combinations are tried. Default: conventional,
        coded-pixel and two-bucket.
    code
        Code or file; own: the mask in the file of an SCI scene. Default: impulse.
    readout
        ideal, electrons:white=100,... or that of a preset, for all sensors. Default: each sensor's own.
    light
        Electrons at white, for every readout that is not ideal. Default: as the readout says.
    light_per
        What --light and --sweep white count: a sub-exposure, or a whole exposure, so that codes of 8 and of 16 frames see the same
        light.
    sweep
        Take a setting through several values: white=10:1600:6 is six light levels from 10 to 1600 electrons, logarithmically;
        leakage=0,0.01,0.05 and read_noise=1:20:4 settings of every sensor or readout that has them; speed=1,2,4 skips frames, so
        that things move faster. May be repeated.
    believe
        What methods are told of the sensor instead of what it is: a sensor, a preset, a sensor file, or same:leakage=0,black_level=70
        for the camera itself with other settings. May be repeated; every camera is there as it is, too.
    believe_code
        The same of the code: another one, or same:rows=1,columns=0.5 for one that lies so many pixels further down and to the right;
        also turned=mirrored, reversed=true (its frames), exchanged=true (its buckets).
    method
        Method; tile+consistent is tile followed by the noise-weighted data step.
    seed
        Seed of the noise; several such as 0:5 or 1,7 are repetitions of every noisy row.
    protocol
        Score as for c2b score --protocol. With codedblurred frames become 1200x720 before exposure, unless --rows, --columns or
        --resize say otherwise. With cacti an SCI scene is taken by a coded pixel under its own mask, unless others are named.
    against
        Print, too, what each camera and method is better than this one: best, or a sensor and a method such as "two-bucket tile".
        Differences are paired over the videos, with 95 % intervals by a bootstrap over scenes.
    scene
        Videos of one scene, by a pattern of their names such as 'street_*'; may be repeated. Default: each video is one of its own.
    order
        best: the better of forward and reversed order of each exposure, since blur does not tell the direction of time. frame: that of
        each frame.
    blur
        Measures of videos out of one blurred picture too, as c2b score --blur.
    metric
        A further figure of merit, such as flicker, warping-error or ms-ssim; may be repeated. c2b list metrics has all.
    processes
        How many work at once, each on one processor. The rows are the same, in the same order.
    parquet
        Write REPORT/comparison.parquet, too: the rows of this comparison (needs pyarrow).
    json
        Print JSON: means over the videos, rows, what was left out, and with --against the differences.
    levels
        What the stored values mean: see the options below.
    part
        Which part, and as what: see the options below.
    page
        One file to look at and to mail: see the options below.
    """
    from c2b import comparison_dataframe
    from c2b.alignment import protocol_part
    from c2b.camera_grid import CameraGrid
    from c2b.comparison import Comparison
    from c2b.comparison_store import PARQUET, TABLE
    from c2b.comparison_table import as_json, tables
    from c2b.recording_folder import recordings
    from c2b.report import comparison_differences as paired
    from c2b.source import Source
    from c2b.sweep import swept
    from c2b.terminal import counted, progress, table
    from recon import make, measures

    if parquet:
        comparison_dataframe.needs_for_parquet(report)
    videos = [name for given in video for name in recordings(given)]
    part, scenes, per = protocol_part(protocol, part), paired.scenes_of(videos, scene), light_per == "exposure"
    grid = CameraGrid(sensor, code, readout, light, protocol == "cacti", per, believe, believe_code)
    sources, methods = {name: Source(name, levels, part) for name in videos}, {name: make(name) for name in method}
    grid, speeds = swept(grid, sweep)
    comparison = Comparison(sources, grid, methods, seed, speeds, protocol or "", order, blur, measures.make(metric), page.exposures)
    if against:
        rows = (task.row for unit in comparison.units() for task in unit.tasks)
        paired.refuse_unknown(against, rows, per_exposure=per)
    found = comparison.run(report, progress, processes=max(processes, 1))
    made = _page(comparison, page, against=against, scene=scenes, per_exposure=per)
    if parquet and report:
        comparison_dataframe.write_parquet(report / PARQUET, found)
    better = paired.differences(found, against, scenes, per_exposure=per) if against else []
    if json:
        print(as_json(found, comparison.left_out, **({"differences": paired.plain(better)} if against else {})))
        return
    how = {"apart": bool(readout or light or sweep), "per_exposure": per, "masks": protocol == "cacti"}
    marks = paired.best(found, scenes, per_exposure=per)
    for shown in (*tables(found, left_out=comparison.left_out, marks=marks, **how), *paired.tables(better)):
        print(table(*shown))
    if report:
        print(f"{report / TABLE}: {counted(len(found), 'row')}, {comparison.computed} of them new")
    print(made, end="")


def _page(comparison: Comparison, page: PageOfFrames, **asked: Any) -> str:
    """Keep what was asked for, write the page if there is to be one, and say so."""
    from c2b.terminal import WORDS

    comparison.note(WORDS.get(), **asked)
    if page.page is None:
        return ""
    size = comparison.page(page.page, megabytes=page.megabytes).stat().st_size
    return f"{page.page}: the page, {size / 1e6:.1f} MB\n"
