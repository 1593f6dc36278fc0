"""A folder of TIFF or DNG files, one frame each, in natural order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2b.natural_order import in_natural_order, missing
from c2b.video.recording import Recording, open_recording
from sensors.refusal import Refusal

SUFFIXES = (".tif", ".tiff", ".dng")

#: What all files have in common.
SAME = ("shape", "dtype", "colour", "white", "black", "response", "bits")


class FrameFolder(Recording):
    """Frames as each file holds them, with the levels and the colour of the first, which all others share.

    Opening reads the first file only; every other one is held against it when it is read.
    """

    title = "folder of TIFF or DNG files"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._files = [path / name for name in in_natural_order(file.name for file in _files(path))]
        with open_recording(self._files[0]) as first:
            _refuse_several(first)
            self._first = {name: getattr(first, name) for name in SAME}
            for name in (*SAME, "white_stated", "presentation", "shutter"):
                setattr(self, name, getattr(first, name))
            self.shape = (len(self._files), *first.shape[1:])
            for line in first.notes:
                self.note(line)
        if gaps := missing(file.stem for file in self._files):
            self.note(f"{len(gaps)} of the numbers in the names are missing, such as {gaps[0]}; the files are taken in a row")

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """By what it holds, if no file of it is a PNG, JPEG or BMP."""
        if not path.is_dir():
            return False
        suffixes = {file.suffix.lower() for file in path.iterdir() if not file.name.startswith(".")}
        return bool(suffixes & {*SUFFIXES}) and not suffixes & {".png", ".jpg", ".jpeg", ".bmp"}

    def _read(self, frames: range) -> NDArray:
        out = np.empty((len(frames), *self.shape[1:]), self.dtype)
        for target, number in zip(out, frames, strict=True):
            with open_recording(self._files[number]) as one:
                _refuse_several(one)
                for name, first in self._first.items():
                    if (has := getattr(one, name)) != first:
                        raise Refusal(f"{one.path} has {name} {has}, the first frame {self._files[0].name} {first}")
                target[...] = one[0]
        return out


def _files(path: Path) -> list[Path]:
    found = [file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")]
    if len({file.suffix.lower()[:4] for file in found}) > 1:
        raise Refusal(f"the folder {path} holds both TIFF and DNG files; give each video a folder of its own")
    if not found:
        raise Refusal(f"the folder {path} holds no TIFF or DNG files")
    return found


def _refuse_several(one: Recording) -> None:
    if len(one) != 1:
        raise Refusal(f"{one.path} holds {len(one)} frames; in a folder each file is one frame, else name the file itself")
