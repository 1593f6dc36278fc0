"""Numeric arrays of a MATLAB version 5 file (the format of MATLAB 5 to 7), read here because a damaged file crashes scipy's reader.

A file is 128 bytes of header, then elements: a tag (type, size) and content, compressed or not. A matrix is four elements or five:
flags with its class, dimensions, name, and real (and imaginary) part in column order, in any numeric type that holds its values. See
"MAT-File Format", The MathWorks.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sensors.refusal import Refusal

_HEADER, _ENDIAN = 128, {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
_MATRIX, _COMPRESSED = 14, 15
_COMPLEX = 0x0800
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_OTHER_CLASSES = {1: "a cell array", 2: "a structure", 3: "an object", 4: "text", 5: "sparse", 16: "a function"}

#: So much of a compressed variable has its name and shape.
_BEGINNING = 4096


class Variable(NamedTuple):
    """A numeric array in a file, not yet read."""

    shape: tuple[int, ...]
    dtype: np.dtype  # in MATLAB, which may store the values in a smaller one
    content: memoryview
    order: str
    compressed: bool

    def read(self, path: Path, most: int) -> NDArray:
        """The array in the type it is stored in; a Refusal if it claims more than ``most`` bytes, or is not as long as it claims."""
        size = math.prod(self.shape) * self.dtype.itemsize
        if not 0 < size <= most:
            claim = f"{'x'.join(map(str, self.shape))} {self.dtype}"
            raise Refusal(f"{path} claims an array of {claim} in a file of {path.stat().st_size / 1e6:.1f} MB; it is damaged")
        matrix = self.content
        if self.compressed:
            unpacked = zlib.decompressobj().decompress(matrix, 8 * size + _BEGINNING)
            matrix = _matrix(memoryview(unpacked), self.order)
        kind, begin, end, _ = _element(matrix, _head(matrix, self.order)[3], self.order)
        values = np.frombuffer(matrix[begin:end], self.order + _STORED[kind])
        return values.astype(values.dtype.newbyteorder("=")).reshape(self.shape, order="F")


def variables(path: Path) -> dict[str, Variable]:
    """The real numeric arrays of a file by name; structures, texts, sparse and complex ones are passed over."""
    found = {}
    for content, matrix, order, compressed in _matrices(path):
        name, shape, dtype, _ = _head(matrix, order)
        if dtype is not None:
            found[name] = Variable(shape, dtype, content, order, compressed)
    return found


def others(path: Path) -> dict[str, str]:
    """What is in a file beside arrays of real numbers: name to what it is, in words."""
    found = {}
    for _, matrix, order, _ in _matrices(path):
        name, shape, dtype, _ = _head(matrix, order)
        if dtype is None:
            (flags,) = struct.unpack_from(order + "I", matrix, _element(matrix, 0, order)[1])
            kind = _OTHER_CLASSES.get(flags & 0xFF, "of another class")
            found[name] = "empty" if not min(shape, default=0) else "complex" if flags & _COMPLEX else kind
    return found


def _matrices(path: Path) -> Iterator[tuple[memoryview, memoryview, str, bool]]:
    """Content of each variable, its beginning unpacked, the order of bytes, and whether it is compressed."""
    data = memoryview(path.read_bytes())
    order = _ENDIAN.get(bytes(data[_HEADER - 4 : _HEADER]))
    if order is None:
        raise Refusal(f"{path} is not a MATLAB file of version 5 or 7.3")
    for kind, content in _elements(data, order):
        if kind == _COMPRESSED:
            beginning = zlib.decompressobj().decompress(content, _BEGINNING)
            yield content, _matrix(memoryview(beginning), order), order, True
        elif kind == _MATRIX:
            yield content, content, order, False


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    at = _HEADER
    while at < len(data):
        kind, begin, end, following = _element(data, at, order)
        if end > len(data):
            raise ValueError("the file ends within a variable")
        yield kind, data[begin:end]
        at = end if kind == _COMPRESSED else following


def _element(data: memoryview, at: int, order: str) -> tuple[int, int, int, int]:
    """Type of the element at a place, begin and end of its content, and where the next one begins."""
    (word,) = struct.unpack_from(order + "I", data, at)
    if word >> 16:  # four bytes or fewer stand in the tag itself
        return word & 0xFFFF, at + 4, at + 4 + min(word >> 16, 4), at + 8
    (size,) = struct.unpack_from(order + "I", data, at + 4)
    return word, at + 8, at + 8 + size, at + 8 + size + -size % 8


def _matrix(unpacked: memoryview, order: str) -> memoryview:
    """What is inside a compressed element, which has to be a matrix."""
    kind, begin, end, _ = _element(unpacked, 0, order)
    if kind != _MATRIX:
        raise ValueError(f"a compressed element of type {kind}")
    return unpacked[begin:end]


def _head(matrix: memoryview, order: str) -> tuple[str, tuple[int, ...], np.dtype | None, int]:
    """Name, shape, dtype (None if it is no array of real numbers), and where its values begin."""
    _, begin, _, at = _element(matrix, 0, order)
    (flags,) = struct.unpack_from(order + "I", matrix, begin)
    _, begin, end, at = _element(matrix, at, order)
    shape = tuple(np.frombuffer(matrix[begin:end], order + "i4").tolist())
    _, begin, end, at = _element(matrix, at, order)
    name = bytes(matrix[begin:end]).decode("latin1")
    kind = _CLASSES.get(flags & 0xFF)
    numeric = kind is not None and not flags & _COMPLEX and min(shape, default=0) > 0
    return name, shape, np.dtype(kind) if numeric else None, at
