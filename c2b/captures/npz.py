"""A capture as a NumPy archive: ``meas.npy``, ``code.npy``, maps, and ``document.json``.

They are stored and not compressed, so that ``numpy.load`` and ``unzip`` open them and the images can be mapped into memory. No pickle,
neither written nor read.
"""

from __future__ import annotations

import hashlib
import math
import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from c2b.captures import document as documents
from c2b.captures.capture_format import CaptureFormat
from c2b.captures.document import Verify
from sensors.atomic_file import atomic_file
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.sensor import Sensor

DOCUMENT = "document.json"

#: A local header of a ZIP archive: 30 bytes, then name and extra field, whose lengths stand at byte 26.
_LOCAL_HEADER, _LENGTHS = 30, slice(26, 30)
_ZIP64_EXTRA = 20
_ALIGNMENT = 64
_PADDING = 0xD935  # id of an extra field that only aligns


class Npz(CaptureFormat):
    """Read and write ``NAME.npz``."""

    suffix = ".npz"
    exact = True

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """An archive with ``meas`` and a document; one with a code alone is a code."""
        try:
            with zipfile.ZipFile(path) as archive:
                return {"meas.npy", DOCUMENT} <= set(archive.namelist())
        except Exception:  # not an archive at all
            return False

    @classmethod
    def write(cls, path: str | Path, sensor: Sensor, exposures: Iterable[NDArray], count: int, record: Mapping[str, Any]) -> None:
        """Write ``count`` exposures (B, H, W[, 3]) one by one as they come."""
        path = Path(path)
        sha = hashlib.sha256()
        first, images = documents.in_turn(exposures, count, sha, path)
        with atomic_file(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            _write_array(archive, "meas", (count, *first.shape), first.dtype, images)
            document, arrays = documents.describe(sensor, record, sha.hexdigest(), first)
            for name, array in arrays.items():
                _write_array(archive, name, array.shape, array.dtype, [array])
            archive.writestr(zipfile.ZipInfo(DOCUMENT), documents.text_of(document))  # of 1980, so that the bytes are the same

    @classmethod
    def read(cls, path: Path, *, verify: Verify = True) -> Capture:
        """The capture in a file, its images mapped into memory."""
        with documents.reading(path), zipfile.ZipFile(path) as archive:
            if DOCUMENT not in archive.namelist():
                raise Refusal(
                    f"{path} holds {', '.join(archive.namelist()) or 'nothing'}, "
                    f"but no {DOCUMENT}: no capture of c2b; a measurement is called meas there, its mask mask"
                )
            document = documents.parsed(archive.read(_stored(archive, DOCUMENT, path)), path)
            arrays = {name: _mapped(archive, name, path) for name in document["arrays"]}
            return documents.capture_of(document, arrays.pop("meas"), arrays, path, verify=verify)


def _write_array(archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: np.dtype, parts: Iterable[NDArray]) -> None:
    """One member, its values at a multiple of 64 bytes in the file."""
    member = zipfile.ZipInfo(f"{name}.npy")
    start = archive.fp.tell() + _LOCAL_HEADER + len(member.filename) + _ZIP64_EXTRA  # type: ignore[union-attr]
    padding = 4 + (-start - 4) % _ALIGNMENT
    member.extra = struct.pack("<HH", _PADDING, padding - 4) + bytes(padding - 4)
    with archive.open(member, "w", force_zip64=True) as file:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(part).data)


def _stored(archive: zipfile.ZipFile, member: str, path: Path) -> zipfile.ZipInfo:
    info = archive.getinfo(member)
    if info.compress_type != zipfile.ZIP_STORED:
        raise Refusal(f"{path}: {member} is compressed; captures are stored as they are (numpy.savez, not savez_compressed)")
    if not 0 < info.file_size <= path.stat().st_size or info.header_offset < 0:
        raise Refusal(f"{path} is damaged: {member} cannot have {info.file_size} bytes")
    return info


def _mapped(archive: zipfile.ZipFile, name: str, path: Path) -> NDArray:
    info = _stored(archive, f"{name}.npy", path)
    with path.open("rb") as file:
        file.seek(info.header_offset)
        header = file.read(_LOCAL_HEADER)
        begin = info.header_offset + _LOCAL_HEADER + sum(struct.unpack("<HH", header[_LENGTHS]))
        file.seek(begin)
        shape, dtype = _array_header(file)
        offset = file.tell()
    if dtype.kind not in "buif" or offset + math.prod(shape) * dtype.itemsize != begin + info.file_size:
        raise Refusal(f"{path} is damaged: {name} is not {dtype} of shape {shape}")
    return np.memmap(path, dtype, "r", offset, shape)


def _array_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype]:
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, fortran_order, dtype = read[np.lib.format.read_magic(file)](file)
    if fortran_order or min(shape, default=0) < 1:
        raise ValueError(f"an array of shape {shape} in {'Fortran' if fortran_order else 'C'} order")
    return shape, dtype
