"""The demo: one exposure of a procedural scene by three cameras, ideal and noisy, reconstructed, scored and put on a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import recon
import sensors
from c2b import codes, plots
from c2b.captures import write_capture
from c2b.plots.animation import write_animation
from c2b.plots.capture_picture import capture_figure
from c2b.plots.code_picture import code_figure
from c2b.plots.error_map import error_figure
from c2b.plots.psnr_curve import psnr_figure
from c2b.plots.strip import strip_figure
from c2b.report.page import Section, Table, write_page
from c2b.scenes.as_recording import SceneRecording
from c2b.video.writing import write_video
from recon.metrics import Score, score
from sensors.atomic_file import atomic_file
from sensors.response import make as make_response

SCENE = "occluding-objects:frames=9,height=360,width=480,colour=rgb"
CODE = "impulse:tile=3"
SEED = 0

#: The readout of cep-2019, for the ordinary camera that is compared with it.
NOISE = "full_well=8400,read_noise=12,gain=0.48,black_level=64,bits=12"

#: Camera, method, whether the data step follows; what the picture of it is called.
LINE_UP = (
    ("conventional", "pseudo-inverse", False, "ordinary camera"),
    ("coded-pixel", "tile", False, "coded pixel"),
    ("two-bucket", "tile", True, "two buckets"),
    (f"conventional:white=100,{NOISE}", "pseudo-inverse", False, "ordinary camera, 100 e-"),
    ("cep-2019:white=800", "tile", True, "two buckets, 800 e-"),
    ("cep-2019:white=100", "tile", True, "two buckets, 100 e-"),
    ("cep-2019:white=20", "tile", True, "two buckets, 20 e-"),
)

COLUMNS = ("camera", "readout", "method", "PSNR", "middle frame", "SSIM")


@dataclass(frozen=True)
class Result:
    """One camera and method: its video as shown (sRGB), and how near it comes."""

    camera: str
    method: str
    name: str
    images: NDArray
    video: NDArray
    whole: Score
    middle: Score

    @property
    def readout(self) -> str:
        """In a word or two."""
        _, preset, level = self.camera.partition(":white=")
        return f"{level.partition(',')[0]} e- at white" if preset else "ideal"

    def row(self) -> tuple[Any, ...]:
        """Cells with numbers as numbers."""
        return self.camera.partition(":")[0], self.readout, self.method, self.whole.psnr, self.middle.psnr, self.whole.ssim

    def cells(self) -> tuple[str, ...]:
        """Cells as text."""
        return tuple(f"{v:.3f}" if i == 5 else f"{v:.2f}" if i > 2 else str(v) for i, v in enumerate(self.row()))


def demonstrate(folder: Path, progress: Callable[[Iterable[Any], int, str], Iterator[Any]]) -> list[Result]:
    """Make the whole folder: captures, videos, pictures and ``index.html``."""
    scene = SceneRecording(SCENE)
    light = scene[:]
    display = make_response("srgb").encode
    truth = np.asarray(display(light), np.float32)
    with atomic_file(folder) as partial:
        partial.mkdir()
        results = [_one(entry, light, truth, display, partial) for entry in progress(LINE_UP, len(LINE_UP), "demo")]
        write_video(partial / "truth.mkv", light, response="srgb")
        _pictures(partial, truth, results)
        _page(partial / "index.html", results)
    return results


def _one(entry: tuple[str, str, bool, str], light: NDArray, truth: NDArray, display: Any, folder: Path) -> Result:
    camera, method, consistent, name = entry
    sensor = sensors.make(camera, codes.make(CODE), colour="rgb")
    capture = sensor.capture(light, seed=SEED)
    video = recon.make(method, consistent=consistent).reconstruct(capture)[0]
    shown = np.asarray(display(np.clip(video, 0, 1)), np.float32)
    file = name.replace(", ", "-").replace(" e-", "e").replace(" ", "-")
    write_capture(folder / f"{file}.c2b.ome.tif", capture)
    write_video(folder / f"{file}.mkv", video, response="srgb", record={"method": method, "camera": camera, "response": "srgb"})
    label = method + " --consistent" * consistent
    return Result(camera, label, name, capture.images[0], shown, score(shown, truth), score(shown, truth, middle=True))


def _pictures(folder: Path, truth: NDArray, results: list[Result]) -> None:
    ideal, noisy = results[:3], results[3:]
    blurred, coded, pair = ideal
    plots.save(code_figure(codes.make(CODE), title="sequential impulse, 3x3x9"), folder / "code.png")
    plots.save(
        capture_figure(
            pair.images, tile=(3, 3), unit="charge", title="What the two buckets hold", subtitle="one exposure, nine frames"
        ),
        folder / "capture.png",
    )
    for part, file, title in (
        (ideal, "frames.png", "Nine frames from one exposure"),
        (noisy, "noise.png", "The same with the noise of a sensor"),
    ):
        videos = {"truth": truth, **{r.name: r.video for r in part}}
        figure = strip_figure(videos, frames=[0, 2, 4, 6, 8], psnr={r.name: r.whole.psnr for r in part}, title=title)
        plots.save(figure, folder / file)
    plots.save(error_figure({r.name: r.video for r in ideal}, truth, title="Where they err"), folder / "errors.png")
    curves = {r.name: [frame["psnr"] for frame in r.whole.per_frame] for r in results}
    plots.save(psnr_figure(curves, title="PSNR of every frame"), folder / "psnr.png")
    write_animation(
        folder / "film.gif",
        {"truth": truth, blurred.name: blurred.video, coded.name: coded.video, pair.name: pair.video},
        widest=320,
    )


def _page(path: Path, results: list[Result]) -> None:
    sections = [*_found(results), *_EXPLAINED]
    write_page(path, title="Nine frames from one exposure", lead=_LEAD, sections=sections, footer=_CREDIT)


def _found(results: list[Result]) -> list[Section]:
    """What the cameras of this run give back, in pictures and numbers."""
    pair, blurred = results[2], results[0]
    table = Table(
        COLUMNS,
        [r.row() for r in results],
        caption="Against the true frames, on sRGB values: PSNR of the nine-frame volume and of the middle frame in dB, "
        "SSIM with a Gaussian window and range 1.",
        command="c2b demo",
        best={"PSNR": "max", "middle frame": "max", "SSIM": "max"},
        formats={"PSNR": ".2f", "middle frame": ".2f", "SSIM": ".3f"},
    )
    return [
        Section(
            "The film",
            f"The ordinary camera sums the nine frames; repeating its picture scores {blurred.whole.psnr:.1f} dB. Two buckets give the "
            f"nine frames back at {pair.whole.psnr:.1f} dB, from the same light in the same exposure.",
            figures=[("film.gif", "Truth, and what each camera gives back."), ("frames.png", "Frames 0, 2, 4, 6 and 8.")],
        ),
        Section("In numbers", "", table=table, figures=[("psnr.png", "Frame by frame."), ("errors.png", "Absolute error.")]),
    ]


_LEAD = (
    "A coded-two-bucket camera has two charge buckets in every pixel and one bit of memory that decides, many times within one "
    "exposure, which of them collects the light. One exposure then holds a short high-speed video. Here is one such exposure of "
    "nine frames, what an ordinary camera makes of the same light, and what comes back."
)
_CREDIT = "Textures: china.jpg (danielbuechele) and flower.jpg (vultilion), CC BY 2.0, as shipped by scikit-learn."
_EXPLAINED = (
    Section(
        "How it is recorded",
        "Under the impulse code each pixel of a 3x3 tile hands one frame to bucket 0 and the other eight to bucket 1: "
        "no light is lost. The tile solve reads the nine frames off the tile, each registered to the pixel that saw it; the data "
        "step then makes their sum agree with what both buckets hold.",
        figures=[
            ("capture.png", "Both buckets, and a close-up with the tile."),
            ("code.png", "The code: which pixel collects when."),
        ],
    ),
    Section(
        "With noise",
        "The preset `cep-2019` has the noise that such a pixel is assumed to have: photon shot noise, 12 electrons of read "
        "noise, 12 bits. Brightness is given in electrons that white gives per sub-exposure. The ordinary camera beside it "
        "has the same readout.",
        figures=[("noise.png", "An ordinary camera at 100 electrons, two buckets at 800, 100 and 20.")],
    ),
    Section(
        "Do it by hand",
        "The same on the command line; put your own high-speed video in the place of the scene.",
        facts={
            "capture": f"c2b simulate {SCENE} two.c2b.ome.tif --channels rgb",
            "reconstruct": "c2b reconstruct two.c2b.ome.tif two.mkv --method tile --consistent --response srgb",
            "score": f"c2b score two.mkv {SCENE} --encode srgb",
            "look": "c2b plot two.c2b.ome.tif two.png",
        },
    ),
)
