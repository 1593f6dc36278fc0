"""The recordings in a folder of recordings, such as that of a data set: each video file, each folder of frames.

::

    GOPRO_Large_all/test/GOPR0384_11_00/000001.png ...      the layout of the GoPro film (Nah, Kim, Lee, CVPR 2017):
    GOPRO_Large_all/test/GOPR0384_11_05/000001.png ...      its folder, or that above, stands for all its recordings
    GOPRO_Large/test/GOPR0384_11_00/{blur,sharp}/...        its pairs are of separate exposures, and no film
"""

from __future__ import annotations

from pathlib import Path

from c2b.natural_order import in_natural_order
from c2b.video import FORMATS
from sensors import spec
from sensors.refusal import Refusal

IMAGES = (".png", ".jpg", ".jpeg")

#: Folders beside each other that hold the blurred and the sharp pictures of a benchmark.
PAIR = {"blur", "sharp"}

#: How many folders deep recordings are looked for.
DEPTH = 4


def recordings(text: str) -> list[str]:
    """The recordings that a word means: itself, unless it is a folder that holds no pictures but recordings.

    Raises
    ------
    Refusal
        If the folder holds pairs of blurred and sharp pictures.
    """
    path = Path(text)
    if not path.is_dir() or _is_recording(path):
        return [text]
    return [str(found) for found in _inside(path, DEPTH)] or [text]


def _inside(path: Path, depth: int) -> list[Path]:
    found: list[Path] = []
    entries = [path / name for name in in_natural_order(one.name for one in path.iterdir() if not one.name.startswith("."))]
    folders = [one for one in entries if one.is_dir()]
    if {one.name for one in folders} >= PAIR:
        raise Refusal(
            f"{path} holds blurred and sharp pictures of a benchmark, which are no film; name the folder with the film "
            f"(GOPRO_Large_all), or {path / 'blur'} for c2b reconstruct"
        )
    for one in entries:
        if one in folders:
            found += [one] if _is_recording(one) else _inside(one, depth - 1) if depth else []
        elif one.suffix.lower() in _suffixes():
            found.append(one)
    return found


def _is_recording(folder: Path) -> bool:
    return any(one.suffix.lower() in IMAGES and not one.name.startswith(".") for one in folder.iterdir())


def _suffixes() -> set[str]:
    return {suffix for name in FORMATS for suffix in spec.find(FORMATS, "video format", name).suffixes}
