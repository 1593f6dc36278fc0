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

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from c2b.captures import document as documents
from c2b.captures import hdf5, mat_file
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
    return {name: shape for name, (shape, dtype) in _headers_npz(path).items() if dtype.kind in "buif"}


def _headers_npz(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    found = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member.endswith(".npy"):
                with archive.open(member) as file:
                    version = np.lib.format.read_magic(file)
                    header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                    shape, _, dtype = header[version](file)
                found[member.removesuffix(".npy")] = shape, dtype
    return found


def _load_npz(path: Path, names: tuple[str, ...]) -> Arrays:
    with documents.reading(path), np.load(path, allow_pickle=False) as arrays:
        for name in names:
            _refuse_bomb(path, name, arrays.zip.getinfo(f"{name}.npy").file_size)
        return {name: arrays[name] for name in names}


def _contents_hdf5(path: Path) -> Shapes:
    with h5py(path).File(path) as file:
        return {name: file[name].shape for name in hdf5.names(file) if not hdf5.other_than_numbers(file, name, path)}


def _load_hdf5(path: Path, names: tuple[str, ...]) -> Arrays:
    with documents.reading(path), h5py(path).File(path) as file:
        return {name: numbers(file, name, path) for name in names}


def _refuse_bomb(path: Path, name: str, size: int) -> None:
    if size > max(LARGEST_UNPACKED, MOST_COMPRESSED * path.stat().st_size):
        raise Refusal(f"{path}: {name} claims {size / 1e6:.0f} MB in a file of {path.stat().st_size / 1e6:.1f} MB; it is damaged")


def _in_words(dtype: np.dtype) -> str:
    return "Python objects" if dtype.hasobject else f"{dtype} values" if dtype.names is None else "a table of several columns"


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
    """The one number of that name above 0, if the file has it.

    Raises
    ------
    Refusal
        If it is none, or there are several.
    """
    if name not in file.shapes:
        return None
    values = np.ravel(file.load((name,))[name])
    if values.size != 1 or not (np.isfinite(values).all() and values[0] > 0):
        told = f"{values[0]:g}" if values.size == 1 else f"{values.size} numbers"
        raise Refusal(f"{file.path}: {name} is {told} there; needed: one number above 0; --{name} goes before it")
    return float(values[0])


def others(path: Path) -> dict[str, str]:
    """What is in an archive beside arrays of real numbers: name to what it is, in words."""
    suffix = path.suffix.lower()
    with documents.reading(path):
        if suffix == ".mat":
            return mat_file.others(path)
        if suffix == ".npz":
            kinds = _headers_npz(path)
            return {name: _in_words(dtype) for name, (_, dtype) in kinds.items() if dtype.kind not in "buif"}
        if suffix in (".h5", ".hdf5"):
            with h5py(path).File(path) as file:
                return {name: what for name in hdf5.names(file) if (what := hdf5.other_than_numbers(file, name, path))}
    return {}


def names(path: Path) -> list[str]:
    """What an archive calls its members, whatever they hold."""
    with documents.reading(path):
        if path.suffix.lower() == ".npz":
            with zipfile.ZipFile(path) as archive:
                return [member.removesuffix(".npy") for member in archive.namelist()]
        with h5py(path).File(path) as file:
            return hdf5.names(file)


def held(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """How many arrays are more than a number."""
    return sum(int(np.prod(shape)) > 1 for shape in shapes.values())
