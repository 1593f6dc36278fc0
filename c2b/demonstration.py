"""The demo: one exposure of a procedural scene by three cameras, without noise and with it, compared and put on a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

import recon
from c2b import plots
from c2b.camera_grid import CameraGrid
from c2b.captures import write_capture
from c2b.comparison import Comparison
from c2b.comparison_store import Run, Store
from c2b.comparison_table import Row
from c2b.plots.animation import write_animation
from c2b.plots.strip import strip_figure
from c2b.report.comparison_page import write_comparison_page
from c2b.report.page import Prose
from c2b.scenes.as_recording import SceneRecording
from c2b.source import Part, Source
from c2b.streaming import Progress, exposures
from c2b.video.writing import write_video
from sensors.atomic_file import atomic_file

SCENE = "occluding-objects:frames=9,height=240,width=320,colour=rgb"
CODE = "impulse:tile=3"

#: The scene as a film, the report of what was compared on it, and the page, in the folder of the demo.
FILM, REPORT, PAGE = "truth.mkv", "report", "index.html"

#: Sensors, methods, readout and lights that are compared: the best that needs no torch beside the plain solve.
LINE_UP = (
    (("conventional",), ("pseudo-inverse",), (), ()),
    (("coded-pixel", "two-bucket"), ("tile+consistent", "gmm", "gap"), (), ()),
    (("conventional",), ("pseudo-inverse",), ("cep-2019",), (20.0, 100.0, 800.0)),
    (("coded-pixel", "two-bucket"), ("tile+consistent", "gmm"), ("cep-2019",), (20.0, 100.0, 800.0)),
)

#: What the pictures show: a name, a sensor and a method.
SHOWN = (
    ("ordinary camera", "conventional", "pseudo-inverse"),
    ("coded pixel", "coded-pixel", "gap"),
    ("two buckets", "two-bucket", "gap"),
)

COLUMNS = ("sensor", "light", "method", "PSNR", "middle frame", "SSIM")


def cells(row: Row) -> tuple[str, ...]:
    """A row of the comparison as text, by `COLUMNS`."""
    light = "ideal" if row.light is None else f"{row.light:g} e-"
    return row.sensor, light, row.method, f"{row.psnr:.2f}", f"{row.middle_psnr:.2f}", f"{row.ssim:.3f}"


def demonstrate(folder: Path, progress: Progress) -> list[Row]:
    """Make the whole folder: film, captures, reconstructions, pictures, report and page."""
    with atomic_file(folder) as partial:
        partial.mkdir()
        write_video(partial / FILM, SceneRecording(SCENE)[:], response="srgb")
        source = Source(str(partial / FILM), part=Part(channels="rgb"))
        rows: list[Row] = []
        for sensors, methods, readouts, lights in LINE_UP:
            grid, made = CameraGrid(sensors, (CODE,), readouts, lights), {name: recon.make(name) for name in methods}
            compared = Comparison({FILM: source}, grid, made, viewed=(0,))
            rows += compared.run(partial / REPORT, progress)
            if not readouts:
                _files(partial, source, compared)
        store = Store(partial / REPORT)
        store.refresh()
        for words in COMMANDS:
            store.note(Run(words))
        _pictures(partial, store, rows)
        write_comparison_page(partial / PAGE, store, title="Nine frames from one exposure", lead=_LEAD, prose=_PROSE, footer=_CREDIT)
    return rows


def _files(folder: Path, source: Source, compared: Comparison) -> None:
    """The captures and reconstructions of the cameras that the pictures show, as files."""
    for name, sensor, method in SHOWN:
        with source.open() as video:
            for camera in compared.grid.cameras(video, compared.leave_out):
                if camera.sensor == sensor and method in compared.methods:
                    capture, _ = next(exposures(video, camera.chip, seed=0))
                    write_capture(folder / f"{name.replace(' ', '-')}.c2b.ome.tif", capture)


def _pictures(folder: Path, store: Store, rows: Sequence[Row]) -> None:
    """A strip of frames and a film, of values as they are displayed."""
    shown: dict[str, tuple[np.ndarray, float]] = {}
    for name, sensor, method in SHOWN:
        row = next(row for row in rows if (row.sensor, row.method, row.light) == (sensor, method, None))
        cell, place = store.frames_of(store.known(row.digest, row.digest))[0]
        frames = store.load(cell)
        shown.setdefault("truth", (frames.truth[place] / np.float32(255), np.inf))
        shown[name] = frames.video[place] / np.float32(255), row.psnr
        video = frames.video[place]
        write_video(folder / f"{name.replace(' ', '-')}.mkv", video, response="srgb", record={"method": method, "camera": sensor})
    videos = {name: video for name, (video, _) in shown.items()}
    psnr = {name: value for name, (_, value) in shown.items() if name != "truth"}
    plots.save(strip_figure(videos, frames=[0, 2, 4, 6, 8], psnr=psnr, title="Nine frames from one exposure"), folder / "frames.png")
    write_animation(folder / "film.gif", videos)


#: What does the same by hand, in the folder of the demo.
COMMANDS = tuple(
    tuple(word for words in (("compare", FILM, "--channels", "rgb", "--code", CODE), *options) for word in words)
    for sensors, methods, readouts, lights in LINE_UP
    for options in [
        (
            *(("--sensor", name) for name in sensors),
            *(("--method", name) for name in methods),
            *(("--readout", name) for name in readouts),
            *(("--light", f"{light:g}") for light in lights),
            ("--report", REPORT, "--page", PAGE),
        )
    ]
)

_LEAD = (
    "A coded-two-bucket camera has two charge buckets in every pixel and one bit of memory that decides, many times within one "
    "exposure, which of them collects the light. One exposure then holds a short high-speed video. Here is one such exposure of "
    "nine frames, what an ordinary camera makes of the same light, and what comes back."
)
_CREDIT = "Textures: china.jpg (danielbuechele) and flower.jpg (vultilion), CC BY 2.0, as shipped by scikit-learn."
_PROSE = (
    Prose(
        "How it is recorded",
        "Under the impulse code each pixel of a 3x3 tile hands one frame to bucket 0 and the other eight to bucket 1, so that no light "
        "is lost; a coded pixel has bucket 0 alone. The tile solve reads the nine frames off the tile, each registered to the pixel "
        "that saw it. `gap` takes turns between the measurement and averaging along the optical flow; `gmm` knows patches of natural "
        "video, and how noisy the capture is.\n\n"
        "Light is in electrons that white gives per sub-exposure. The readout is that of the preset `cep-2019`: photon shot noise, 12 "
        "electrons of read noise, 12 bits.",
    ),
    Prose(
        "Do it by hand",
        "One step after the other, on the command line; put your own high-speed video in the place of the film.",
        (
            f"c2b simulate {FILM} two.c2b.ome.tif --channels rgb --code {CODE}",
            "c2b reconstruct two.c2b.ome.tif two.mkv --method gap --response srgb",
            f"c2b score two.mkv {FILM}",
            "c2b plot two.c2b.ome.tif two.png",
        ),
    ),
)
