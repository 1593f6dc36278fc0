"""A capture as HDF5: datasets ``meas`` (exposure, bucket, y, x[, colour]), ``code``, maps, and the text ``document`` (JSON).

Datasets are contiguous, so that the images can be mapped into memory. Needs h5py, the extra ``hdf5``.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b.captures import document as documents
from c2b.captures.capture_format import CaptureFormat
from c2b.captures.document import Verify
from sensors.atomic_file import atomic_file
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.sensor import Sensor

DOCUMENT = "document"

#: Bytes of one array that a compressed file may claim, unless the file is as large as that itself.
LARGEST_UNPACKED = 2**28
MOST_COMPRESSED = 40


class Hdf5(CaptureFormat):
    """Read and write ``NAME.h5``."""

    suffix = ".h5"
    exact = True

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """A file with ``meas`` and a document; one with a code alone is a code."""
        if path.suffix.lower() not in (".h5", ".hdf5"):
            return False
        try:
            with h5py(path).File(path) as file:
                return {"meas", DOCUMENT} <= set(file)
        except Exception:  # without h5py, or not HDF5: reading it says so
            return False

    @classmethod
    def write(cls, path: str | Path, sensor: Sensor, exposures: Iterable[NDArray], count: int, record: Mapping[str, Any]) -> None:
        """Write ``count`` exposures (B, H, W[, 3]) one by one as they come."""
        path = Path(path)
        hdf5 = h5py(path)
        sha = hashlib.sha256()
        first, images = documents.in_turn(exposures, count, sha, path)
        with atomic_file(path) as partial:
            with hdf5.File(partial, "w") as file:
                place = _allocated(file, "meas", (count, *first.shape), first.dtype)
            with partial.open("r+b") as stream:  # a disk that is full is no error to libhdf5, which then ends the process
                stream.seek(place)
                for image in images:
                    stream.write(image.data)
                document, arrays = documents.describe(sensor, record, sha.hexdigest(), first)
                text = documents.text_of(document).encode()
                _reserve(stream, len(text) + sum(array.nbytes for array in arrays.values()) + documents.OVERHEAD)
            with hdf5.File(partial, "r+") as file:
                for name, array in arrays.items():
                    file.create_dataset(name, data=array)
                file.create_dataset(DOCUMENT, data=text, dtype=hdf5.string_dtype("utf-8", len(text)))

    @classmethod
    def read(cls, path: Path, *, verify: Verify = True) -> Capture:
        """The capture in a file, its images mapped into memory."""
        hdf5 = h5py(path)
        with documents.reading(path), hdf5.File(path) as file:
            if DOCUMENT not in file:
                raise Refusal(
                    f"{path} holds {', '.join(names(file)) or 'nothing'}, "
                    f"but no {DOCUMENT}: no capture of c2b; a measurement is called meas there, its mask mask"
                )
            document = documents.parsed(_text(file, DOCUMENT, path), path)
            arrays = {name: numbers(file, name, path) for name in document["arrays"] if name != "meas"}
            return documents.capture_of(document, _mapped(file, "meas", path), arrays, path, verify=verify)


def h5py(path: Path) -> Any:
    """The module h5py, or a Refusal that says how to get it."""
    try:
        import h5py as module
    except ImportError:
        raise Refusal(f"{path} is HDF5 and needs h5py; install c2b[hdf5]") from None
    return module


def _allocated(file: Any, name: str, shape: tuple[int, ...], dtype: Any) -> int:
    """Where the numbers of a new dataset lie, which nobody has written yet."""
    from h5py import h5d, h5p, h5s, h5t

    how = h5p.create(h5p.DATASET_CREATE)
    how.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    how.set_fill_time(h5d.FILL_TIME_NEVER)
    how.set_obj_track_times(False)  # so that the same run gives the same bytes
    made = h5d.create(file.id, name.encode(), h5t.py_create(dtype, logical=True), h5s.create_simple(shape), dcpl=how)
    return int(made.get_offset())


def _reserve(stream: Any, more: int) -> None:
    """Take so many bytes of the disk behind what is written; an OSError if it has them not."""
    stream.flush()
    end = stream.seek(0, 2)
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(stream.fileno(), end, more)
        stream.truncate(end + more)


def names(file: Any) -> list[str]:
    """What is in a file by name; names that are no text are left out, since none of ours is."""
    return [name for name in file if isinstance(name, str)]


def numbers(file: Any, name: str, path: Path) -> NDArray:
    """The dataset of that name, as it is stored; a Refusal if it is not plain numbers inside this file, of a credible size."""
    dataset = _dataset(file, name, path)
    size = math.prod(dataset.shape) * dataset.dtype.itemsize
    if size > max(LARGEST_UNPACKED, MOST_COMPRESSED * path.stat().st_size):
        raise Refusal(f"{path}: {name} claims {size / 1e6:.0f} MB in a file of {path.stat().st_size / 1e6:.1f} MB; it is damaged")
    return np.asarray(dataset[()])


def other_than_numbers(file: Any, name: str, path: Path) -> str:
    """What something in a file is that is no array of real numbers, in words; nothing for an array of numbers."""
    hdf5 = h5py(path)
    if not isinstance(file.get(name, getlink=True), hdf5.HardLink):
        return "a link to another place"
    found = file[name]
    if not isinstance(found, hdf5.Dataset):
        return "a group"
    if found.dtype.kind not in "buif":
        return "a table of several columns" if found.dtype.names else f"{found.dtype} values"
    return "empty" if found.shape is None or 0 in found.shape else ""


def _dataset(file: Any, name: str, path: Path) -> Any:
    hdf5 = h5py(path)
    inside = isinstance(file.get(name, getlink=True), hdf5.HardLink)
    found = file[name] if inside else None
    if not isinstance(found, hdf5.Dataset) or found.dtype.kind not in "buif" or found.is_virtual or found.external:
        raise Refusal(f"{path}: {name} is missing, or is not an array of numbers inside this file")
    if found.shape is None or 0 in found.shape:
        raise Refusal(f"{path}: {name} is empty")
    if found.chunks and len(found.chunks) != len(found.shape):  # libhdf5 asks for gigabytes to read it
        raise Refusal(f"{path}: {name} is damaged: of shape {found.shape}, in blocks of {found.chunks}")
    return found


def _text(file: Any, name: str, path: Path) -> bytes:
    """A text of fixed length, so that its size is known before it is read."""
    dataset = file[name]
    if dataset.dtype.kind != "S" or dataset.shape != () or dataset.dtype.itemsize > path.stat().st_size:
        raise Refusal(f"{path} is damaged: {name} is not a text")
    return bytes(dataset[()])


def _mapped(file: Any, name: str, path: Path) -> NDArray:
    """The images as a memory map; read whole only if another program has compressed them."""
    dataset = _dataset(file, name, path)
    offset = dataset.id.get_offset()
    if offset is None:
        return numbers(file, name, path)
    if offset + math.prod(dataset.shape) * dataset.dtype.itemsize > path.stat().st_size:
        raise Refusal(f"{path} is cut short: its images reach beyond its end")
    return np.memmap(path, dataset.dtype, "r", offset, dataset.shape)
