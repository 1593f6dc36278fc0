"""One raw picture in a DNG file: a recording of one frame, with its mosaic, black and white level."""

from __future__ import annotations

import logging
import math
import struct
import zlib
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b.video.recording import Recording
from c2b.video.tiff_stack import refuse_missing_strips
from sensors.refusal import Refusal

_MAGIC = (b"II*\0", b"MM\0*")
_CFA, _LINEAR_RAW = 32803, 34892
_BLACK_LEVEL, _WHITE_LEVEL, _EXPOSURE_TIME, _CFA_SIZE, _CFA_PATTERN = 50714, 50717, 33434, 33421, 33422
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
    """DN as stored, uncompressed or deflated; the mosaic stays a mosaic."""

    title = "raw picture (.dng)"
    suffixes = ()  # its first bytes are those of any TIFF, its name is told in `recognises`

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
                self._frame: NDArray | None = page.asarray()
                tags = {tag.code: tag.value for tag in page.tags}
        except _DAMAGED as error:
            if isinstance(error, Refusal):
                raise
            raise Refusal(f"{path} is not a readable DNG, it may be truncated: {str(error).partition(chr(10))[0]}") from None
        if self._frame.ndim != 2 or self._frame.dtype not in (np.uint8, np.uint16):
            raise Refusal(
                f"{path} holds {self._frame.dtype} of shape {self._frame.shape}; needed: one sample a pixel, 8 or 16 bit"
            )
        self.shape, self.dtype = (1, *self._frame.shape), self._frame.dtype
        self._understand(tags, path)

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        return path.suffix.lower() == ".dng" and head[:4] in _MAGIC

    def close(self) -> None:
        self._frame = None

    def _read(self, frames: range) -> NDArray:
        assert self._frame is not None, "the recording is closed"
        return self._frame[None]

    def _understand(self, tags: dict[int, Any], path: Path) -> None:
        try:
            self.white = _level(tags.get(_WHITE_LEVEL, np.iinfo(self.dtype).max), rational=False)
            self.black = _level(tags.get(_BLACK_LEVEL, 0), rational=isinstance(tags.get(_BLACK_LEVEL), tuple))
            if _EXPOSURE_TIME in tags:
                self.shutter = _level(tags[_EXPOSURE_TIME], rational=True) or None
            if _CFA_PATTERN in tags:
                if tuple(tags.get(_CFA_SIZE, ())) != (2, 2):
                    raise ValueError(f"a mosaic of {tags.get(_CFA_SIZE)}")
                self.colour = "".join("rgb"[value] for value in tags[_CFA_PATTERN])
        except _DAMAGED as error:
            raise Refusal(f"{path} has levels or a mosaic that c2b does not read: {error}") from None


def _raw_page(tiff: Any, path: Path) -> Any:
    main = tiff.pages.first
    pages = [main, *islice(main.pages or (), _MOST_PAGES)]  # a damaged chain of pages may have no end
    raw = [page for page in pages if page.photometric in (_CFA, _LINEAR_RAW)]
    if not raw:
        raise Refusal(f"{path} holds no raw image (mosaic or linear)")
    return raw[0]


def _level(value: Any, *, rational: bool) -> float:
    """One number from a tag of one, or of many that are equal; of a rational, numerator and denominator."""
    numbers = np.atleast_1d(np.asarray(value, np.float64))
    if rational and numbers.size % 2 == 0:
        if not numbers[1::2].all():
            raise ValueError("a level is divided by 0")
        numbers = numbers[::2] / numbers[1::2]
    if np.ptp(numbers) or not np.isfinite(numbers).all():
        raise ValueError(f"levels that differ between pixels: {numbers.tolist()}")
    return float(numbers[0])
