"""``c2b compare``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from c2b.options import LevelOptions, PartOptions, Whole
from c2b.source import AS_FILED, WHOLE


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
    order: Literal["given", "best", "frame"] = "given",
    blur: bool = False,
    json: bool = False,
    levels: LevelOptions = AS_FILED,
    part: PartOptions = WHOLE,
) -> None:
    """Compare cameras and methods on videos: simulate, reconstruct and score whatever goes together.

    Every exposure of every video counts. Scores compare values as the source stores them: what --linearize undoes before exposure is
    done again. What does not go together is listed with the reason.

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
        Electrons at white per sub-exposure, for every readout that is not ideal. Default: as the readout says.
    method
        Method; tile+consistent is tile followed by the noise-weighted data step.
    seed
        Seed of the noise.
    protocol
        Score as for c2b score --protocol; to codedblurred belongs --resize 1200x720. With cacti an SCI scene is taken by a coded pixel
        under its own mask, unless others are named.
    order
        best: the better of forward and reversed order of each exposure, since blur does not tell the direction of time. frame: that of
        each frame.
    blur
        Measures of videos out of one blurred picture too, as c2b score --blur.
    json
        Print JSON: means over the videos, rows, what was left out.
    levels
        What the stored values mean: see the options below.
    part
        Which part, and as what: see the options below.
    """
    import recon
    from c2b.camera_grid import CameraGrid
    from c2b.comparison import Comparison
    from c2b.comparison_store import TABLE
    from c2b.comparison_table import as_json, tables
    from c2b.recording_folder import recordings
    from c2b.source import Source
    from c2b.terminal import counted, progress, table

    comparison = Comparison(
        {name: Source(name, levels, part) for given in video for name in recordings(given)},
        CameraGrid(sensor, code, readout, light, benchmark=protocol == "cacti"),
        {name: recon.make(name) for name in method},
        seed=seed,
        protocol=protocol or "",
        order=order,
        blur=blur,
    )
    found = comparison.run(report, progress)
    if json:
        print(as_json(found, comparison.left_out))
        return
    for shown in tables(found, apart=bool(readout or light), masks=protocol == "cacti", left_out=comparison.left_out):
        print(table(*shown))
    if report:
        print(f"{report / TABLE}: {counted(len(found), 'row')}, {comparison.computed} of them new")
