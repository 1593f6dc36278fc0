"""Named arrays in a file of any kind that laboratories keep measurements in; a file of one array calls it ``meas``.

==============  ==============================  ==========
file            arrays                          usual axes
==============  ==============================  ==========
.mat            all (`mat_file`)                time last
.npz .h5        all                             time first
.npy            the only one                    time first
.tif            the stack of pages              time first
.png, a folder  the picture, or one each        time first
==============  ==============================  ==========
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from c2b.captures import document as documents
from c2b.captures import mat_file
from c2b.captures.axes import FIRST, LAST
from c2b.captures.hdf5 import LARGEST_UNPACKED, MOST_COMPRESSED, h5py, numbers
from sensors.refusal import Refusal

PICTURES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
SEVERAL = (".mat", ".npz", ".h5", ".hdf5")
SUFFIXES = (*SEVERAL, ".npy", *PICTURES)

Arrays = dict[str, NDArray]
Shapes = dict[str, tuple[int, ...]]


class ArrayFile(NamedTuple):
    """What a file holds, before it is read."""

    path: Path
    shapes: Shapes
    order: str
    load: Callable[[tuple[str, ...]], Arrays]


def open_arrays(path: Path) -> ArrayFile:
    """Names, shapes and usual order of the arrays in a file, and how to read them.

    Raises
    ------
    Refusal
        If it is damaged, of an unknown suffix, or holds no numbers.
    """
    suffix = path.suffix.lower()
    with documents.reading(path):
        if path.is_dir() or suffix in PICTURES:
            return _pictures(path)
        if suffix == ".mat":
            return ArrayFile(path, mat_file.contents(path), LAST, lambda names: mat_file.arrays(path, names))
        if suffix == ".npz":
            return ArrayFile(path, _contents_npz(path), FIRST, lambda names: _load_npz(path, names))
        if suffix in (".h5", ".hdf5"):
            return ArrayFile(path, _contents_hdf5(path), FIRST, lambda names: _load_hdf5(path, names))
        if suffix == ".npy":
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            _refuse_other_than_numbers(path.name, array.dtype)
            return ArrayFile(path, {"meas": array.shape}, FIRST, lambda names: {"meas": array})
    raise Refusal(f"{path} is no file of arrays; known: {', '.join(SUFFIXES)}, or a folder of pictures")


def _pictures(path: Path) -> ArrayFile:
    """Pages of a TIFF or pictures of a folder, as they are stored."""
    from c2b.video.image_folder import ImageFolder
    from c2b.video.tiff_stack import TiffStack

    kind = TiffStack if path.suffix.lower() in (".tif", ".tiff") and path.is_file() else ImageFolder
    frames = kind(path)
    if frames.colour == "rgb":
        raise Refusal(f"{path} is in colour; a measurement is grey, or a mosaic of a sensor of that colour")
    return ArrayFile(path, {"meas": frames.shape}, FIRST, lambda names: {"meas": frames[:]})


def _contents_npz(path: Path) -> Shapes:
    """Shape of each array, by its header alone."""
    found: Shapes = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member.endswith(".npy"):
                with archive.open(member) as file:
                    version = np.lib.format.read_magic(file)
                    header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                    shape, _, dtype = header[version](file)
                if dtype.kind in "buif":
                    found[member.removesuffix(".npy")] = shape
    return found


def _load_npz(path: Path, names: tuple[str, ...]) -> Arrays:
    with documents.reading(path), np.load(path, allow_pickle=False) as arrays:
        for name in names:
            _refuse_bomb(path, name, arrays.zip.getinfo(f"{name}.npy").file_size)
        return {name: arrays[name] for name in names}


def _contents_hdf5(path: Path) -> Shapes:
    with h5py(path).File(path) as file:
        found = {name: file[name] for name in file if isinstance(file.get(name, getlink=True), h5py(path).HardLink)}
        return {name: one.shape for name, one in found.items() if getattr(one, "shape", None) and one.dtype.kind in "buif"}


def _load_hdf5(path: Path, names: tuple[str, ...]) -> Arrays:
    with documents.reading(path), h5py(path).File(path) as file:
        return {name: numbers(file, name, path) for name in names}


def _refuse_bomb(path: Path, name: str, size: int) -> None:
    if size > max(LARGEST_UNPACKED, MOST_COMPRESSED * path.stat().st_size):
        raise Refusal(f"{path}: {name} claims {size / 1e6:.0f} MB in a file of {path.stat().st_size / 1e6:.1f} MB; it is damaged")


def _refuse_other_than_numbers(name: str, dtype: np.dtype) -> None:
    if dtype.kind not in "buif":
        raise Refusal(f"{name} holds {dtype} values; a measurement is numbers")


def is_c2b(path: Path) -> bool:
    """Whether an archive is a capture of this program, which has a document, or what is left of one."""
    try:
        if path.suffix.lower() == ".npz":
            with zipfile.ZipFile(path) as archive:
                return "document.json" in archive.namelist()
        with h5py(path).File(path) as file:
            return "document" in file
    except Exception:  # not an archive at all
        return False


def number(file: ArrayFile, name: str) -> float | None:
    """The one number of that name, if the file has it."""
    if math.prod(file.shapes.get(name, (0,))) != 1:
        return None
    value = float(np.asarray(file.load((name,))[name]).item())
    return value if math.isfinite(value) else None


def held(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """How many arrays are more than a number."""
    return sum(math.prod(shape) > 1 for shape in shapes.values())
