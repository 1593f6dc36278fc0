"""The outermost parts of a container (boxes of MP4, chunks of RIFF, elements of Matroska), whose sizes tell whether it is all there.

========  ============================================================================================================
MP4       size in 4 bytes and name, the size counting both; 1: the size in the next 8 bytes; 0: up to the end of the file
RIFF      name and size in 4 bytes, little-endian, of what follows; 0 until the file is finished
Matroska  EBML: an identifier, then a size of as many bytes as the first says by its leading zeros; all ones: unknown
========  ============================================================================================================
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_FRAGMENT = b"moof"


class Boxes(NamedTuple):
    """What the outermost parts of a container say.

    Attributes
    ----------
    cut : bool
        Whether the last of them ends beyond the file.
    endless : bool
        Whether it does not say where it ends: written as a stream, or never finished.
    in_pieces : bool
        Whether the index of an MP4 lies in fragments all over it.
    """

    cut: bool
    endless: bool = False
    in_pieces: bool = False


def read(path: Path) -> Boxes:
    """Walk through the outermost parts of a file, reading nothing but their heads."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head == _EBML:
            return _matroska(file, size)
        return _riff(file, size) if head == b"RIFF" else _mp4(file, size)


def _mp4(file: BinaryIO, size: int) -> Boxes:
    start, in_pieces = 0, False
    while start + 8 <= size:
        file.seek(start)
        length, name = struct.unpack(">I4s", file.read(8))
        in_pieces = in_pieces or name == _FRAGMENT
        if length == 1:
            length = int.from_bytes(file.read(8))
        if length == 0:
            return Boxes(False, in_pieces=in_pieces)
        if length < 8:
            break  # what is behind the last box is none
        start += length
    return Boxes(start > size, in_pieces=in_pieces)


def _riff(file: BinaryIO, size: int) -> Boxes:
    start = 0
    while start + 8 <= size:
        file.seek(start)
        name, length = struct.unpack("<4sI", file.read(8))
        if name != b"RIFF":
            break
        if length in (0, 0xFFFFFFFF):
            return Boxes(False, endless=True)
        start += 8 + length
    return Boxes(start > size)


def _matroska(file: BinaryIO, size: int) -> Boxes:
    start = 0
    while start + 8 <= size:
        file.seek(start)
        name, first = file.read(4), file.read(1)[0]
        more = 8 - first.bit_length()
        if name not in (_EBML, _SEGMENT) or more > 7:
            break
        length = int.from_bytes(bytes([first & (0x7F >> more)]) + file.read(more))
        if length == (1 << 7 * (more + 1)) - 1:
            return Boxes(False, endless=True)
        start += 5 + more + length
    return Boxes(start > size)
