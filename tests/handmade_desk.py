"""A folder with what a reader of the documentation must have: a film, a bench, folders of recordings and a measurement."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from c2b import scenes
from c2b.video.writing import write_video
from tests.handmade_calibration import write_folder

SIZE = "height=36,width=48"

#: Settings with which trainings take seconds instead of minutes or hours.
SHORT = {"gmm": "gmm:components=1,rank=4,patches=32", "unfolding:width=24": "unfolding:width=4,stages=1,steps=2,batch=1,crop=32"}


def words_of(command: str) -> list[str]:
    """A command line without its program, with short trainings and designs, small scenes, and comparisons of the first exposures."""
    words = [SHORT.get(word, word) for word in shlex.split(command, comments=True)[1:]]
    if words[:2] == ["compare", "street.mp4"] and "--frames" not in words:
        words += ["--frames", "0:18"]
    if words[0] == "design":
        words += ["--frames", "2", "--tile", "2x3", "--steps", "1"]
    return [f"{word},{SIZE}" if word == "occluding-objects:frames=90" else word for word in words]


def lay(folder: Path) -> Path:
    """Put it all there."""
    film = scenes.make(f"occluding-objects:frames=90,{SIZE}")[0:90]
    write_video(folder / "street.mp4", (255 * np.asarray(film)).round().astype(np.uint8))
    write_folder(folder / "bench")
    for name in ("FILM", "OTHER_FILM", "PHOTOGRAPHS"):
        (folder / name).mkdir()
    wide = (255 * np.asarray(scenes.make("occluding-objects:frames=40,height=48,width=64,seed=2")[0:40])).round().astype(np.uint8)
    for name in ("FILM", "OTHER_FILM"):
        write_video(folder / name / "clip.mkv", wide)
    Image.fromarray(wide[0]).save(folder / "PHOTOGRAPHS" / "picture.png")
    Image.fromarray(wide[:7].mean(0).astype(np.uint8)).convert("RGB").save(folder / "blurry.jpg")
    write_measurement(folder, wide)
    return folder


def write_measurement(folder: Path, film: NDArray[np.uint8]) -> None:
    """As a laboratory has them: a stack of 12-bit pictures over a pedestal, and the mask they were taken through."""
    mask = np.random.default_rng(0).integers(0, 2, (8, *film.shape[1:]), np.uint8)
    measured = [(mask * film[first : first + 8].astype(np.float64)).sum(0) / 255 * 400 + 64 for first in (0, 8, 16)]
    tifffile.imwrite(folder / "meas.tif", np.rint(measured).astype(np.uint16), photometric="minisblack")
    np.save(folder / "mask.npy", mask)
