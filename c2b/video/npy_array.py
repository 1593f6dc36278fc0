"""A NumPy array of frames in a ``.npy`` file, memory-mapped."""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.typing import NDArray

from c2b.video.recording import Recording
from sensors.refusal import Refusal

#: Bytes of a file that are kept in memory after they were read.
MOST_RESIDENT = 1 << 25


class NpyArray(Recording):
    """(frames, height, width) or (frames, height, width, 3) of bool, uint8, uint16 or float.

    Slices are views of the mapped file, except that float64 and float16 become float32, other byte orders native, and bool uint8
    with white 1.
    """

    title = "NumPy array (.npy)"
    suffixes = (".npy",)

    def __init__(self, path: Path) -> None:
        try:
            shape, column_major, dtype, offset = _header(path)
        except (ValueError, TypeError, OverflowError, EOFError, SyntaxError, TokenError) as error:
            raise Refusal(f"{path} is not a readable .npy file of numbers: {_one_line(error)}") from None
        if len(shape) not in (3, 4) or shape[3:] not in ((), (3,)):
            raise Refusal(f"{path} has shape {shape}; a video is (frames, height, width) or (frames, height, width, 3)")
        if 0 in shape:
            raise Refusal(f"{path} has shape {shape}: it holds no frames")
        super().__init__(path)
        self.dtype, self.white = stored_as(dtype, path)
        there = max(0, path.stat().st_size - offset) // (math.prod(shape[1:]) * dtype.itemsize)
        if there < shape[0]:
            if column_major:  # which has the first pixel of all frames, then the second
                raise Refusal(f"{path} is cut short: it holds {there}/{shape[0]} of its numbers, in Fortran order, and no whole frame")
            self.break_off(there, shape[0])
            shape = (there, *shape[1:])
        with path.open("rb") as file:
            self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._array: NDArray | None = np.ndarray(shape, dtype, self._mapped, offset, order="F" if column_major else "C")
        self._resident = 0
        self.shape = shape
        self.colour = "rgb" if len(shape) == 4 else "mono"

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        return head.startswith(b"\x93NUMPY")

    @classmethod
    def stores(cls, path: Path, dtype: np.dtype, colour: bool) -> np.dtype:
        return dtype

    @classmethod
    def write(cls, path: Path, frames: Iterator[NDArray], shape: tuple[int, ...], dtype: np.dtype, rate: float) -> None:
        # Plain writes: a full disk is an error here, and a crash (SIGBUS) through a memory map.
        with path.open("wb") as file:
            header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for frame in frames:
                file.write(np.ascontiguousarray(frame).data)

    def _read(self, frames: range) -> NDArray:
        assert self._array is not None, "the recording is closed"
        block = self._array[frames.start : frames.stop : frames.step]
        self._resident += block.nbytes
        if self._resident > MOST_RESIDENT and hasattr(mmap, "MADV_DONTNEED"):
            self._mapped.madvise(mmap.MADV_DONTNEED)  # what was read is in the memory of this process else, until that is short
            self._resident = 0
        return block.view(np.uint8) if block.dtype.kind == "b" else block.astype(self.dtype, copy=False)

    def close(self) -> None:
        self._array = None


def stored_as(dtype: np.dtype, path: Path) -> tuple[np.dtype, float]:
    """The dtype in which an array of ``dtype`` is handed out, and its white; a Refusal where there is none."""
    if dtype.kind == "b":
        return np.dtype(np.uint8), 1.0
    if dtype.kind == "u" and dtype.itemsize <= 2:
        return dtype.newbyteorder("="), float(np.iinfo(dtype).max)
    if dtype.kind == "f" and dtype.itemsize <= 8:
        return np.dtype(np.float32), 1.0
    raise Refusal(f"{path} holds {dtype.name} values; save the video as uint8, uint16 or float32")


def _header(path: Path) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Shape, whether in Fortran order, dtype, and where the numbers begin; a ValueError for objects, which would be unpickled."""
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0), (3, 0)):
            raise ValueError(f"version {version} is not known")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, column_major, dtype = read(file)
        if dtype.hasobject:
            raise ValueError("it holds Python objects")
        return shape, column_major, dtype, file.tell()


def _one_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
