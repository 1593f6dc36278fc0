"""One raw picture in a DNG file: a recording of one frame, with its mosaic, black and white level."""

from __future__ import annotations

import errno
import logging
import math
import struct
import zlib
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b.video.dng_levels import CFA_PATTERN, Tag, levelled, numbers
from c2b.video.recording import Recording
from c2b.video.tiff_stack import refuse_missing_strips
from sensors.colour_filter import PATTERNS
from sensors.refusal import Refusal

_MAGIC = (b"II*\0", b"MM\0*")
_CFA, _LINEAR_RAW = 32803, 34892
_EXPOSURE_TIME, _CFA_SIZE, _PLANE_COLOUR, _CFA_LAYOUT = 33434, 33421, 50710, 50711

#: Tags by which samples lie elsewhere than in rows, and the value that means rows.
_ELSEWHERE = {50974: "SubTileBlockSize", 50975: "RowInterleaveFactor", 52547: "ColumnInterleaveFactor"}

#: Corrections of the samples, which are left to a raw developer, as LibRaw leaves them.
_CORRECTIONS = {51008: "OpcodeList1", 51009: "OpcodeList2"}
_DAMAGED = (
    ValueError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
)
_LARGEST = 2**28
_MOST_PAGES = 16
_QUIET = logging.NullHandler()  # what tifffile logs is said in a refusal


class Dng(Recording):
    """The active area, linear and with one black and one white (`c2b.video.dng_levels`); the mosaic stays a mosaic.

    DN as stored, unless a table linearises them or black differs between rows, columns or colours. The crop, orientation and colours
    for display are left alone, and so are corrections in opcode lists.
    """

    title = "raw picture (.dng)"
    suffixes = ()  # its first bytes are those of any TIFF, its name is told in `recognises`
    camera = True

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        import tifffile

        logging.getLogger("tifffile").addHandler(_QUIET)
        try:
            with tifffile.TiffFile(path) as tiff:
                page = _raw_page(tiff, path)
                if not 0 < math.prod(page.shape) * 2 <= max(_LARGEST, 40 * path.stat().st_size):
                    raise Refusal(f"{path} claims {page.imagewidth}x{page.imagelength} pixels; it is damaged")
                refuse_missing_strips(page)
                stored, bits = _decoded(page), page.bitspersample
                tags = {tag.code: Tag(int(tag.dtype), tag.value) for tag in page.tags}
        except _DAMAGED as error:
            if isinstance(error, Refusal):
                raise
            raise Refusal(f"{path} is not a readable DNG, it may be truncated: {str(error).partition(chr(10))[0]}") from None
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise Refusal(f"{path} is not a readable DNG: it points to places that no file has") from None
        if stored.dtype.kind == "f":
            stored = stored.astype(np.float32)
        if stored.ndim not in (2, 3) or stored.shape[2:] not in ((), (3,)) or stored.dtype not in (np.uint8, np.uint16, np.float32):
            raise Refusal(
                f"{path} holds {stored.dtype} of shape {stored.shape}; needed: one sample a pixel or three colours, of 8 to 16 bit or "
                "floating-point"
            )
        self._understand(stored, bits, tags)

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        return path.suffix.lower() == ".dng" and head[:4] in _MAGIC

    def close(self) -> None:
        self._frame: NDArray | None = None

    def _read(self, frames: range) -> NDArray:
        assert self._frame is not None, "the recording is closed"
        return self._frame[None]

    def _understand(self, stored: NDArray, bits: int, tags: dict[int, Tag]) -> None:
        try:
            self.colour = "rgb" if stored.ndim == 3 else _mosaic(tags)
            for code, name in _ELSEWHERE.items():
                if (value := numbers(tags, code)) is not None and (value != 1).any():
                    raise ValueError(f"{name} {value.tolist()}")
            frame, self.black, self.white, stated, notes = levelled(stored, tags, bits)
            shutter = numbers(tags, _EXPOSURE_TIME)
        except _DAMAGED as error:
            raise Refusal(f"{self.path} has levels or a mosaic that c2b does not read: {error}") from None
        self._frame, self.white_stated = frame, stated or (stored.dtype.kind != "f" and bits not in (8, 16))
        self.shape, self.dtype = (1, *frame.shape), frame.dtype
        self.shutter = float(shutter[0]) or None if shutter is not None else None
        left = [name for code, name in _CORRECTIONS.items() if code in tags]
        for line in (*notes, *([f"corrections ({', '.join(left)}) are in the file and not applied"] if left else [])):
            self.note(line)


def _raw_page(tiff: Any, path: Path) -> Any:
    """The page of the raw image itself: of several, the largest that is no preview."""
    main = tiff.pages.first
    pages = [main, *islice(main.pages or (), _MOST_PAGES)]  # a damaged chain of pages may have no end
    raw = [page for page in pages if page.photometric in (_CFA, _LINEAR_RAW)]
    if not raw:
        raise Refusal(f"{path} holds no raw image (mosaic or linear)")
    if any(isinstance(side, tuple) for page in raw for side in (page.imagewidth, page.imagelength)):
        raise ValueError("an image of several sizes")
    return max(raw, key=lambda page: (not page.subfiletype, page.imagewidth * page.imagelength))


def _decoded(page: Any) -> NDArray:
    try:
        return page.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        how = f"{page.bitspersample} bit samples, compression {int(page.compression)}"
        raise Refusal(f"{page.parent.filehandle.path} holds {how}, which imagecodecs decodes; install c2b[compressed]") from None


def _mosaic(tags: dict[int, Tag]) -> str:
    """The pattern from the top left of the active area on.

    CFAPattern names colours, 0 red, 1 green, 2 blue; CFAPlaneColor tells which plane of a demosaicked image each becomes, and so only
    which colours there are.
    """
    pattern = numbers(tags, CFA_PATTERN)
    if pattern is None:
        return "mono"
    size, planes, layout = (numbers(tags, code) for code in (_CFA_SIZE, _PLANE_COLOUR, _CFA_LAYOUT))
    if size is None or size.tolist() != [2, 2]:
        raise ValueError(f"a mosaic of {'x'.join(f'{n:g}' for n in (size if size is not None else ()))} pixels; known: 2x2")
    if planes is not None and sorted(planes) != [0, 1, 2]:
        raise ValueError(f"colour planes {planes.tolist()}; known: red 0, green 1, blue 2")
    if layout is not None and layout[0] != 1:
        raise ValueError(f"a mosaic in layout {layout[0]:g}; known: 1, rectangular")
    colour = "".join("rgb"[int(value)] for value in pattern)
    if colour not in PATTERNS:
        raise ValueError(f"a mosaic {colour}; known: {', '.join(PATTERNS)}")
    return colour
