"""The README holds: each command in it runs as printed, and so does its Python, on a small scene in place of the reader's film."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from c2b import scenes
from c2b.cli import main
from c2b.video.writing import write_video
from tests.handmade_calibration import write_folder

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")

SIZE = "height=36,width=48"

#: Settings with which trainings take seconds instead of minutes or hours.
SHORT = {"gmm": "gmm:components=1,rank=4,patches=32", "unfolding:width=24": "unfolding:width=4,stages=1,steps=2,batch=1,crop=32"}

#: Inputs that the reader must have, and where the README says they are to be had.
TO_BE_HAD = {
    r"\$C2B_DATA/gopro": "GOPRO_Large",
    r"kobe32_cacti\.mat|\bkobe\.npy": "PnP-SCI",
    r"mask_\w+\.mat": "cacti",
    r"\bwine\.mat": "10.1364/OE.444864",
}


def commands() -> list[str]:
    """The indented lines that are commands, each on one line however it is printed."""
    blocks = re.findall(r"(?:^    .*\n)+", README, re.M)
    lines = [line.strip() for block in blocks for line in re.sub(r"\\\n\s*", "", block).splitlines()]
    return [line for line in lines if line.startswith("c2b ")]


def runnable() -> Iterator[object]:
    for line in commands():
        marks = [pytest.mark.skip(reason=f"{wanted} is data to be had elsewhere") for wanted in TO_BE_HAD if re.search(wanted, line)]
        yield pytest.param(line, id=line[:60], marks=marks[:1])


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the reader must have: a film and a bench; the commands add to it, in the order of the README."""
    folder = tmp_path_factory.mktemp("readme")
    film = scenes.make(f"occluding-objects:frames=90,{SIZE}")[0:90]
    write_video(folder / "street.mp4", (255 * np.asarray(film)).round().astype(np.uint8))
    write_folder(folder / "bench")
    for name in ("FILM", "OTHER_FILM", "PHOTOGRAPHS"):
        (folder / name).mkdir()
    wide = (255 * np.asarray(scenes.make("occluding-objects:frames=40,height=48,width=64,seed=2")[0:40])).round().astype(np.uint8)
    for name in ("FILM", "OTHER_FILM"):
        write_video(folder / name / "clip.mkv", wide)
    Image.fromarray(wide[0]).save(folder / "PHOTOGRAPHS" / "picture.png")
    write_measurement(folder, wide)
    return folder


def write_measurement(folder: Path, film: NDArray[np.uint8]) -> None:
    """As a laboratory has them: a stack of 12-bit pictures over a pedestal, and the mask they were taken through."""
    mask = np.random.default_rng(0).integers(0, 2, (8, *film.shape[1:]), np.uint8)
    measured = [(mask * film[first : first + 8].astype(np.float64)).sum(0) / 255 * 400 + 64 for first in (0, 8, 16)]
    tifffile.imwrite(folder / "meas.tif", np.rint(measured).astype(np.uint16), photometric="minisblack")
    np.save(folder / "mask.npy", mask)


@pytest.mark.parametrize("command", list(runnable()))
def test_each_command_runs_as_printed(command: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    words = [SHORT.get(word, word) for word in shlex.split(command, comments=True)[1:]]
    assert main([re.sub(r"(?<=^occluding-objects:frames=90)$", f",{SIZE}", word) for word in words]) == 0


def test_the_python_runs_as_printed(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    assert blocks
    for block in blocks:
        found: dict[str, object] = {}
        exec(compile(block, "README.md", "exec"), found)
        assert found["frames"].shape == (10, 9, 36, 48)  # type: ignore[attr-defined]


def test_the_readme_is_read_at_all() -> None:
    """Commands on several lines too; every kind of input that is skipped occurs, and the README says where it is to be had."""
    found = commands()
    assert len(found) > 15 and any("compare street.mp4" in line and "gap-tv" in line for line in found)
    for wanted, where in TO_BE_HAD.items():
        assert any(re.search(wanted, line) for line in found), wanted
        assert where in README


def test_methods_and_options_that_the_readme_names_exist() -> None:
    import recon
    from recon import priors

    table = README.split("## Methods")[1].split("\n\n")[1]
    names = re.findall(r"`([\w-]+)`", "\n".join(row.split("|")[1] for row in table.splitlines()[2:]))
    assert len(names) > 8 and all(name in recon.METHODS for name in names)
    denoisers = re.search(r"any denoiser \(([^)]*)\)", README)
    assert denoisers is not None
    named = {word.rpartition("=")[2] for word in re.findall(r"`([^`]+)`", denoisers[1])}
    assert named == set(priors.PRIORS)
