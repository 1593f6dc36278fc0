"""A stack of frames in one TIFF file, as scientific cameras, Fiji and MATLAB write it; also BigTIFF, ImageJ and OME-TIFF."""

from __future__ import annotations

import logging
import math
import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from c2b.video import orientation, sidecar, tiff_pages
from c2b.video.npy_array import stored_as
from c2b.video.recording import Recording, refuse_too_large
from sensors.refusal import Refusal

if TYPE_CHECKING:
    import tifffile

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BIG = 2 << 30

#: Pages in which a circle is looked for.
CHAIN = 1000

#: Strips that a page may lack, as some writers leave the last ones out.
SPARE = 100
_QUIET = logging.NullHandler()  # what tifffile logs is said in a refusal


class TiffStack(Recording):
    """Frames are pages, or what the axes of the file say: any one axis may be time.

    An uncompressed stack is memory-mapped and its slices are views where the byte order is native; otherwise only the pages asked
    for are decoded. Frames are turned as the orientation tag says. Alpha is dropped. White is the largest number of the file's bits
    per sample.

    One planar page of three or four samples is taken for that many grey frames: writers that guess from the shape label short
    stacks so, and no video is one planar page. Where the fourth is called alpha, ``frames`` in the sidecar has to say which it is.
    """

    title = "TIFF stack (.tif, .tiff)"
    suffixes = (".tif", ".tiff")

    def __init__(self, path: Path) -> None:
        import tifffile

        super().__init__(path)
        self._mapped: NDArray | None = None
        with Complaints() as complaints:
            try:
                self._file = tifffile.TiffFile(path)
                refuse_endless(self._file)
                self._lay_out(complaints)
            except Exception as error:  # whatever a damaged file makes tifffile raise
                self.close()
                if isinstance(error, Refusal):
                    raise
                raise _damaged(path, [*complaints.of_missing_pages, error]) from None

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        return head[:4] in _MAGIC

    @classmethod
    def stores(cls, path: Path, dtype: np.dtype, colour: bool) -> np.dtype:
        return dtype

    @classmethod
    def write(cls, path: Path, frames: Iterator[NDArray], shape: tuple[int, ...], dtype: np.dtype, rate: float) -> None:
        import tifffile

        colour = len(shape) == 4
        with tifffile.TiffWriter(path, bigtiff=math.prod(shape) * dtype.itemsize > _BIG) as writer:
            axes = {"axes": "TYXS" if colour else "TYX"}
            writer.write(frames, shape=shape, dtype=dtype, photometric="rgb" if colour else "minisblack", metadata=axes)

    def close(self) -> None:
        self._mapped = None
        if hasattr(self, "_file"):
            self._file.close()

    def __del__(self) -> None:
        self.close()

    def _lay_out(self, complaints: Complaints) -> None:
        """Find out which pages are frames, and which of their axes are samples."""
        import tifffile

        series = self._file.series
        if not series:
            raise Refusal(f"{self.path} holds no image")
        first = series[0]
        for number, other in enumerate(series):
            if (other.shape, other.dtype) != (first.shape, first.dtype):
                raise Refusal(f"{self.path}: image {number} is {_size(other)}, the first is {_size(first)}; frames must be alike")
        photometric = tifffile.PHOTOMETRIC(first.keyframe.photometric)
        if photometric not in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB):
            raise Refusal(f"{self.path} is stored as {photometric.name.lower()}; save it as minisblack (grey) or rgb")

        axes, shape = _squeezed(first.axes, first.shape)
        if len(series) > 1:
            axes, shape = "T" + axes, (len(series), *shape)
        axes = "TYX" if axes == "SYX" and self._is_stack(first.keyframe, shape[0]) else axes
        frame = next((end for end in ("SYX", "YXS", "YX") if axes.endswith(end)), "")
        times = axes[: len(axes) - len(frame)]
        if not frame or len(times) > 1:
            raise Refusal(f"{self.path} has axes {axes} of {shape}; a video is (time, y, x) or (time, y, x, sample)")
        self._planar = frame == "SYX"
        if 0 in shape:
            raise ValueError(f"a size of {'x'.join(map(str, shape))}")

        size = dict(zip(axes, shape, strict=True))
        channels, self.presentation = 1, {}
        if "S" in size:
            channels, self.presentation = tiff_pages.channels_of(first.keyframe, size["S"], self.path)
        self.colour = "rgb" if channels == 3 else "mono"
        self.orientation = tiff_pages.orientation_of(first.keyframe)
        if turned := orientation.words(self.orientation):
            self.presentation = {**self.presentation, "orientation": f"{turned}, as its tag says"}
        self.dtype, self.white = stored_as(np.dtype(first.dtype), self.path)
        if self.dtype.kind == "u":
            self.white = float((1 << first.keyframe.bitspersample) - 1)
            self.white_stated = first.keyframe.bitspersample not in (8, 16)
            if bits := _significant_bits(self._file, first.keyframe.bitspersample):
                self.bits, self.white, self.white_stated = bits, float((1 << bits) - 1), True
        self._find_frames(size.get(times, 1), shape[len(times) :], broken=bool(complaints.of_missing_pages))
        height, width = orientation.size_upright(size["Y"], size["X"], self.orientation)
        self.shape = (self._stored_shape[0], height, width, *((3,) if self.colour == "rgb" else ()))

    def _is_stack(self, page: Any, samples: int) -> bool:
        """Whether one planar page is a stack of grey frames, and not a picture whose last sample is alpha."""
        alpha = tiff_pages.alpha_samples(page)
        if not alpha or samples - alpha == 1:
            return not alpha
        told = sidecar.read(self.path).get("frames")
        if told not in (1, samples):
            where = sidecar.beside(self.path)
            raise Refusal(
                f"{self.path} is one planar page of {samples} samples, the last called alpha: a picture, or {samples} frames that "
                f'were saved without photometric="minisblack"; write {{"frames": 1}} or {{"frames": {samples}}} into {where}'
            )
        return told == samples

    def _find_frames(self, count: int, frame: tuple[int, ...], *, broken: bool) -> None:
        """Where the frames lie, and how many of them are there; ``broken`` if the chain of pages ends before it says."""
        found = tiff_pages.find_frames(self._file, count, frame, broken=broken)
        if found.missing:
            self.break_off(found.there, found.missing)
        self._stored_shape, self._pages = (found.there, *frame), found.pages
        if found.offset is None:
            refuse_too_large(frame if len(self._pages) > 1 else self._stored_shape, self.path)
            return
        stored = np.dtype(self._file.series[0].dtype).newbyteorder(self._file.byteorder)
        self._mapped = np.memmap(self.path, stored, "r", found.offset, self._stored_shape).view(np.ndarray)

    def _read(self, frames: range) -> NDArray:
        if self._mapped is not None:
            block = self._mapped[frames.start : frames.stop : frames.step]
        elif len(self._pages) > 1 or len(self) == 1:
            block = np.stack([self._page(number, self._stored_shape[1:]) for number in frames])
        else:  # one page holds several frames: a layout that can only be decoded whole
            block = self._page(0, self._stored_shape)[frames.start : frames.stop : frames.step]
        if self._planar:
            block = np.moveaxis(block, 1, -1)
        if block.ndim == 4:
            block = block[..., :3] if len(self.shape) == 4 else block[..., 0]
        return block.view(np.uint8) if block.dtype.kind == "b" else block.astype(self.dtype, copy=False)

    def _page(self, number: int, shape: tuple[int, ...]) -> NDArray:
        try:
            return self._pages[number].asarray().reshape(shape)
        except Exception as error:  # whatever a damaged file makes a decoder raise
            raise Refusal(f"{self.path}: frame {number} cannot be decoded: {_one_line(error)}") from None


class Complaints(logging.Handler):
    """Keeps what tifffile logs instead of raising, while a file is opened: that the chain of pages breaks off.

    A damaged file that has it complain without end is given up.
    """

    MOST = 1000

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.of_missing_pages: list[str] = []

    def __enter__(self) -> Self:
        logging.getLogger("tifffile").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("tifffile").removeHandler(self)
        logging.getLogger("tifffile").addHandler(_QUIET)

    def emit(self, record: logging.LogRecord) -> None:
        """Count it, and end the reading of a file that is nothing but faults."""
        self.count += 1
        if self.count > self.MOST:
            raise ValueError(f"more than {self.MOST} faults in its pages and tags")
        message = record.getMessage()
        if "invalid page offset" in message or "failed to reshape" in message:
            self.of_missing_pages.append(message)


def refuse_endless(file: tifffile.TiffFile) -> None:
    """A ValueError for what would keep tifffile busy without end: pages in a circle, or far more strips than the file has.

    Only the first `CHAIN` pages are walked through, as the pages of a long stack lie far apart.
    """
    form, stream, offset = file.tiff, file.filehandle, file.pages.first.offset
    seen: set[int] = set()
    while offset and len(seen) < CHAIN:
        if offset in seen:
            raise ValueError("its chain of pages goes in a circle")
        seen.add(offset)
        stream.seek(offset)
        head = stream.read(form.tagnosize)
        if len(head) < form.tagnosize:
            break
        (tags,) = struct.unpack(form.tagnoformat, head)
        stream.seek(offset + form.tagnosize + tags * form.tagsize)
        end = stream.read(form.offsetsize)
        offset = struct.unpack(form.offsetformat, end)[0] if len(end) == form.offsetsize else 0
    refuse_missing_strips(file.pages.first)


def refuse_missing_strips(page: Any) -> None:
    """A ValueError if a page has far fewer strips or tiles than its size asks for, which tifffile would fill in one by one."""
    if math.prod(page.chunked) > len(page.dataoffsets) + SPARE:
        raise ValueError(f"it has {len(page.dataoffsets)} strips or tiles of {math.prod(page.chunked)}")


def _significant_bits(file: tifffile.TiffFile, stored: int) -> int:
    """Bits of a sample by the OME metadata, where they are fewer than those stored; else 0."""
    found = re.search(r'\bSignificantBits="([0-9]{1,2})"', file.ome_metadata or "")
    return int(found[1]) if found and 1 <= int(found[1]) < stored else 0


def _squeezed(axes: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """Without the axes of length 1, except those of a frame."""
    kept = [i for i in range(len(shape)) if shape[i] > 1 or axes[i] in "YXS"]
    return "".join(axes[i] for i in kept), tuple(shape[i] for i in kept)


def _size(series: tifffile.TiffPageSeries) -> str:
    return f"{'x'.join(map(str, series.shape))} {series.dtype}"


def _damaged(path: Path, reasons: Sequence[object]) -> Refusal:
    return Refusal(f"{path} is not a readable TIFF file, it may be truncated: {_one_line(reasons[0])}")


def _one_line(reason: object) -> str:
    return " ".join(str(reason).split())[:200] or type(reason).__name__
