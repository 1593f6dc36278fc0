"""Arrays in MATLAB files: version 5 (`mat_v5`) and version 7.3, which is HDF5 with its axes reversed (h5py, the extra ``hdf5``).

Arrays have the axes that MATLAB shows, (row, column, page), in both versions.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b.captures import document as documents
from c2b.captures import hdf5, mat_v5
from c2b.captures.hdf5 import LARGEST_UNPACKED, MOST_COMPRESSED, h5py, numbers
from sensors.refusal import Refusal

#: A version 7.3 file is HDF5 behind a block of so many bytes, which MATLAB knows it by.
USER_BLOCK = 512
_HDF5 = b"\x89HDF\r\n\x1a\n"
_HEADER_TEXT, _VERSION_73 = 116, b"\0" * 8 + b"\x00\x02IM"

#: Bytes of one variable in version 5.
LARGEST_V5 = 2**31 - 1

#: What version 7.3 keeps as groups and tables, and arrays of numbers that mean something else.
_IN_MATLAB = {"a group": "a structure or a sparse matrix", "a table of several columns": "complex"}
_CLASSES = {b"char": "text", b"cell": "a cell array"}

_CLASS_OF = {"bool": "logical", "float32": "single", "float64": "double"}


def contents(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the numeric arrays in a file; nothing else is read.

    Raises
    ------
    Refusal
        If the file is damaged or no MATLAB file.
    """
    with documents.reading(path):
        if is_hdf5(path):
            with h5py(path).File(path) as file:
                return {name: file[name].shape[::-1] for name in hdf5.names(file) if not _other(file, name, path)}
        return {name: variable.shape for name, variable in mat_v5.variables(path).items()}


def others(path: Path) -> dict[str, str]:
    """What is in a file beside arrays of real numbers: name to what it is, in words."""
    with documents.reading(path):
        if is_hdf5(path):
            with h5py(path).File(path) as file:
                return {name: what for name in hdf5.names(file) if (what := _other(file, name, path))}
        return mat_v5.others(path)


def arrays(path: Path, names: tuple[str, ...]) -> dict[str, NDArray]:
    """The named arrays, in the types they are stored in.

    Raises
    ------
    Refusal
        If one is missing, damaged, or claims a size that no file of this length can have.
    """
    with documents.reading(path):
        if is_hdf5(path):
            with h5py(path).File(path) as file:
                return {name: numbers(file, name, path).T for name in names}
        found = mat_v5.variables(path)
        if missing := set(names) - set(found):
            raise Refusal(f"{path} has no {', '.join(sorted(missing))}")
        most = max(LARGEST_UNPACKED, MOST_COMPRESSED * path.stat().st_size)
        return {name: found[name].read(path, most) for name in names}


def write_v5(path: Path, content: Mapping[str, NDArray]) -> None:
    """Write arrays as version 5, compressed; a Refusal where one is too large for it."""
    from scipy.io import savemat

    for name, array in content.items():
        if array.nbytes > LARGEST_V5:
            raise Refusal(f"{name} has {array.nbytes / 1e9:.1f} GB, too much for MATLAB version 5; name the file NAME.v73.mat")
    savemat(str(path), dict(content), appendmat=False, do_compression=True)


def write_v73(path: Path, content: Mapping[str, NDArray]) -> None:
    """Write arrays as version 7.3: HDF5 with reversed axes, ``MATLAB_class`` and the block that MATLAB looks for first."""
    with h5py(path).File(path, "w", userblock_size=USER_BLOCK) as file:
        for name, array in content.items():
            stored = array.view(np.uint8) if array.dtype.kind == "b" else array
            packed: dict[str, Any] = {"compression": "gzip", "compression_opts": 1} if stored.ndim > 1 and stored.size > 1 else {}
            dataset = file.create_dataset(name, data=np.ascontiguousarray(stored.T), **packed)
            dataset.attrs["MATLAB_class"] = np.bytes_(_CLASS_OF.get(array.dtype.name, array.dtype.name))
            if array.dtype.kind == "b":
                dataset.attrs["MATLAB_int_decode"] = np.int32(1)
    text = f"MATLAB 7.3 MAT-file, Platform: c2b, Created on: {time.asctime()} HDF5 schema 1.00 ."
    with path.open("r+b") as file:
        file.write(text.encode().ljust(_HEADER_TEXT) + _VERSION_73)


def is_hdf5(path: Path) -> bool:
    """Whether a file is of version 7.3, or other HDF5."""
    with path.open("rb") as file:
        head = file.read(USER_BLOCK + len(_HDF5))
    return head.startswith(_HDF5) or head[USER_BLOCK:] == _HDF5


def _other(file: Any, name: str, path: Path) -> str:
    """What a variable is that is no array of real numbers, in words; nothing for an array of numbers."""
    if what := hdf5.other_than_numbers(file, name, path):
        return _IN_MATLAB.get(what, what)
    return _CLASSES.get(file[name].attrs.get("MATLAB_class"), "")
