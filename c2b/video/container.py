"""Video containers (MP4, MOV, MKV, AVI ...), decoded frame by frame through FFmpeg (PyAV)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from c2b.video.recording import Recording
from sensors.refusal import Refusal

#: A jump forward of up to so many frames is decoded through; a longer one looks for a key frame.
PATIENCE = 32

#: The fastest rate that players and the millisecond clock of Matroska keep up with; above it the container says 30.
FASTEST_PLAYED = 240

#: How Matroska writes the duration of a stream.
_CLOCK = re.compile(r"([0-9]{1,4}):([0-9]{2}):([0-9]{2}(?:\.[0-9]{1,9})?)")

_LOSSLESS = (".mkv", ".avi")
_DISPLAY = (".mp4", ".mov", ".m4v")
_LIMITED = 1
_STANDARDS = {1: "709", 2: "601", 4: "601", 5: "601", 6: "601", 9: "2020", 10: "2020"}


class Index(NamedTuple):
    """Time stamps of all frames and of the key frames, ascending, in units of the stream."""

    stamps: list[int]
    keys: list[int]


class Container(Recording):
    """Grey is handed out as stored; everything else as red, green, blue of the same depth: 10 bit in uint16 with white 1023.

    Limited range is stretched to full range. `luma` of YUV video is its Y plane so stretched: for BT.601 that is the ITU-R 601
    luma, before the rounding to RGB, and for BT.709 and BT.2020 the luma by the weights of these. The rate is nominal.

    Reading forwards never seeks; a jump goes to the nearest key frame by time stamp and decodes from there, and from the
    beginning where stamps cannot be relied on. A file that does not say how many frames it has (MKV) is counted at opening,
    without decoding, and refused where it ends before the time it gives. Rotation tags are left alone. Not for use by two threads
    at once.

    Writing: ``.mkv`` and ``.avi`` are lossless (FFV1) in 8 and 16 bit, ``.mp4`` and ``.mov`` 8 bit H.264 for display.
    """

    title = "video container (.mp4, .mov, .mkv, .avi)"
    suffixes = (*_DISPLAY, *_LOSSLESS, ".webm")

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._open()
        try:
            context = self._stream.codec_context
            pixels = None if context is None else context.format
            if pixels is None or not context.width:
                raise Refusal(f"{path} holds no frame that can be decoded")
            self._bits = max(component.bits for component in pixels.components)
            if pixels.name.startswith(("bayer", "xyz")) or "f16" in pixels.name or "f32" in pixels.name or self._bits > 16:
                raise Refusal(f"{path} has pixels of kind {pixels.name}, which c2b does not read; convert it to gray16le")
            self.colour = "mono" if pixels.name.startswith("gray") else "rgb"
            if self.colour == "rgb" and not pixels.name.startswith(("yuv", "gbrp")):
                self._bits = 8 if self._bits <= 8 else 16  # what FFmpeg repacks exactly
            self.dtype = np.dtype(np.uint8 if self._bits <= 8 else np.uint16)
            self.white = float((1 << self._bits) - 1)
            self.rate, self.rate_nominal = float(self._stream.average_rate or 0) or None, True
            count = self._count()
            if not count:
                raise Refusal(f"{path} holds no frames")
            self.shape = (count, context.height, context.width, *((3,) if self.colour == "rgb" else ()))
        except BaseException:
            self.close()
            raise

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        atoms = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
        return head[4:8] in atoms or head[:4] == b"\x1a\x45\xdf\xa3" or (head[:4] == b"RIFF" and head[8:11] == b"AVI")

    @classmethod
    def stores(cls, path: Path, dtype: np.dtype, colour: bool) -> np.dtype:
        if path.suffix.lower() not in (*_LOSSLESS, *_DISPLAY):
            raise Refusal(f"cannot write {path}: video is written as .mkv or .avi (lossless), .mp4 or .mov (for display)")
        deep = dtype == np.uint16 and path.suffix.lower() in _LOSSLESS
        return np.dtype(np.uint16 if deep else np.uint8)

    @classmethod
    def loses(cls, path: Path) -> str:
        return "compressed with loss, for display (.mkv is lossless)" if path.suffix.lower() in _DISPLAY else ""

    @classmethod
    def write(cls, path: Path, frames: Iterator[NDArray], shape: tuple[int, ...], dtype: np.dtype, rate: float) -> None:
        import av

        colour = len(shape) == 4
        given = {1: ("gray", "rgb24"), 2: ("gray16le", "gbrp16le")}[dtype.itemsize][colour]
        played = Fraction(rate if rate <= FASTEST_PLAYED else 30).limit_denominator(1001)
        with _refusals(path, "cannot be written"), av.open(str(path), "w") as container:
            if path.suffix.lower() in _LOSSLESS:
                stream: Any = container.add_stream("ffv1", rate=played)
                stream.pix_fmt = "bgr0" if given == "rgb24" else given
            else:
                stream = container.add_stream("libx264", rate=played, options={"crf": "12", "preset": "medium"})
                stream.pix_fmt = "yuvj420p" if shape[1] % 2 == 0 == shape[2] % 2 else "yuvj444p"
            stream.height, stream.width = shape[1:3]
            for frame in frames:
                image = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format=given)
                container.mux(stream.encode(image))
            container.mux(stream.encode(None))

    def close(self) -> None:
        self._frames: Iterator[Any] = iter(())
        self._held: tuple[int, Any] = (-1, None)
        self._container.close()

    def _looked_at(self) -> range:
        return range(self.colour == "mono" and self._bits == 16)  # all else is made for display; a jump takes long

    def _open(self) -> None:
        """Open, or open again: the next frame is the first."""
        import av

        with _refusals(self.path, "is not a readable video"):
            self._container: Any = av.open(str(self.path), metadata_encoding="latin-1")
        if not self._container.streams.video:
            self._container.close()
            raise Refusal(f"{self.path} holds no video stream")
        self._stream: Any = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self._frames = iter(self._container.decode(self._stream))
        self._held = (-1, None)  # the frame decoded last, and its number

    def _count(self) -> int:
        if self._stream.frames:
            return self._stream.frames - sum(entry.is_discard for entry in self._stream.index_entries)
        self._refuse_cut()
        return len(self._index.stamps)

    def _refuse_cut(self) -> None:
        """A Refusal if the frames end before the file says that they do, by more than the longest gap between them explains."""
        stamps, told = np.array(self._index.stamps, np.float64) * float(self._stream.time_base), self._told_end()
        if told is None or not len(stamps) or stamps[0] < 0:
            return
        gap = max(np.diff(stamps).max(initial=0.0), 1 / self.rate if self.rate else 0.0)
        if told > stamps[-1] + 1.5 * gap:
            raise Refusal(f"{self.path} is cut short: it should last {told:.3f} s and its last frame is at {stamps[-1]:.3f} s")

    def _told_end(self) -> float | None:
        """When the video ends by the file's own word, s; that of the whole file counts where there is nothing beside the video."""
        found = _CLOCK.fullmatch(self._stream.metadata.get("DURATION", ""))
        if found:
            return 3600 * int(found[1]) + 60 * int(found[2]) + float(found[3])
        alone = len(self._container.streams) == 1 and self._container.duration
        return self._container.duration / 1e6 if alone else None

    @cached_property
    def _index(self) -> Index:
        """From the packets, without decoding; a packet without a stamp counts as a frame at -1, which makes the index useless."""
        import av

        with _refusals(self.path, "is damaged"), av.open(str(self.path), metadata_encoding="latin-1") as container:
            packets = [p for p in container.demux(container.streams.video[0]) if p.size and not p.is_discard]
            stamps = sorted(-1 if p.pts is None else p.pts for p in packets)
            return Index(stamps, sorted(p.pts for p in packets if p.is_keyframe and p.pts is not None))

    @property
    def _seekable(self) -> bool:
        stamps = self._index.stamps
        return len(stamps) == len(self) and len(set(stamps)) == len(stamps)

    def _read(self, frames: range) -> NDArray:
        out = np.empty((len(frames), *self.shape[1:]), self.dtype)
        for target, number in zip(out, frames, strict=True):
            frame = self._decoded(number)
            if self.colour == "mono":
                target[...] = self._grey(frame)
            else:
                self._colour_into(frame, target)
        return out

    def _read_luma(self, frames: range) -> NDArray:
        if not self._stream.codec_context.format.name.startswith("yuv"):
            return super()._read_luma(frames)
        out = np.empty((len(frames), *self.shape[1:3]), self.dtype)
        for target, number in zip(out, frames, strict=True):
            target[...] = self._grey(self._decoded(number))
        return out

    def _grey(self, frame: Any) -> NDArray:
        plane = _plane(frame, 0)
        if not _limited(frame):
            return plane
        from c2b.video import yuv

        return yuv.full_range(plane, self._bits)

    def _colour_into(self, frame: Any, target: NDArray) -> None:
        if frame.format.name.startswith("gbrp"):
            for channel, plane in zip((1, 2, 0), range(3), strict=True):
                target[..., channel] = _plane(frame, plane)
        elif frame.format.name.startswith("yuv"):
            if (standard := _STANDARDS.get(int(frame.colorspace))) is None:
                raise Refusal(f"{self.path}: colour matrix {int(frame.colorspace)} is none of BT.601, BT.709 and BT.2020")
            from c2b.video import yuv  # compiled code, loaded when the first colour frame is read

            y, u, v = (_plane(frame, p) for p in range(3))
            yuv.to_rgb(y, u, v, bits=self._bits, limited=_limited(frame), standard=standard, out=target)
        else:
            target[...] = frame.to_ndarray(format="rgb24" if self._bits == 8 else "rgb48le")

    def _decoded(self, number: int) -> Any:
        """The frame of that number, from where the decoder stands if that is before it."""
        if self._held[0] != number:
            self._go_before(number)
        while self._held[0] < number:
            self._step()
        frame = self._held[1]
        if frame.is_corrupt:
            raise Refusal(f"{self.path}: frame {number} is damaged")
        if (frame.height, frame.width) != self.shape[1:3]:
            raise Refusal(f"{self.path}: frame {number} is {frame.height}x{frame.width}, the first {self.height}x{self.width}")
        return frame

    def _step(self) -> None:
        """Decode one more frame; its number is one more than that of the last."""
        expected = self._held[0] + 1
        with _refusals(self.path, f"is damaged at frame {expected}"):
            frame: Any = next(self._frames, None)
        if frame is None:
            raise Refusal(f"{self.path} is truncated: it announces {len(self)} frames and ends after {expected}")
        self._held = (expected, frame)

    def _go_before(self, number: int) -> None:
        """Put the decoder at most at ``number``: on as it is, else at a key frame, else at the beginning."""
        here = self._held[0]
        if here < number <= here + PATIENCE:
            return
        if self._seekable and number > PATIENCE:
            stamps, keys = self._index
            key = bisect_right(keys, stamps[number]) - 1
            if here < number and (key < 0 or bisect_right(stamps, keys[key]) - 1 <= here):
                return
            for candidate in keys[max(0, key - 1) : key + 1][::-1]:
                if self._land(candidate, number):
                    return
        if number <= here:
            self._container.close()
            self._open()

    def _land(self, stamp: int, number: int) -> bool:
        """Seek to a key frame and hold the first frame decoded there; whether it is known and not past ``number``."""
        self._held = (len(self), None)
        with _refusals(self.path, "is damaged"):
            self._container.seek(stamp, stream=self._stream, backward=True)
            self._frames = iter(self._container.decode(self._stream))
            frame: Any = next(self._frames, None)
        place = -1 if frame is None or frame.pts is None else bisect_right(self._index.stamps, frame.pts) - 1
        if place < 0 or self._index.stamps[place] != frame.pts or place > number or frame.is_corrupt:
            return False
        self._held = (place, frame)
        return True


def _plane(frame: Any, number: int) -> NDArray:
    """One plane of a decoded frame without copying it, (rows, columns)."""
    plane = frame.planes[number]
    bits = max(component.bits for component in frame.format.components)
    stored = np.dtype(np.uint8) if bits <= 8 else np.dtype(np.uint16).newbyteorder(">" if frame.format.is_big_endian else "<")
    values = np.frombuffer(plane, stored).reshape(-1, plane.line_size // stored.itemsize)[: plane.height, : plane.width]
    return values.astype(stored.newbyteorder("="), copy=False)


def _limited(frame: Any) -> bool:
    """Unless the file says: YUV is limited, except the formats yuvj; grey is full."""
    name, said = frame.format.name, int(frame.color_range)
    if name.startswith("yuvj") or name.startswith("gbr"):
        return False
    return said == _LIMITED or (said == 0 and name.startswith("yuv"))


@contextmanager
def _refusals(path: Path, what: str) -> Iterator[None]:
    """Turn what FFmpeg reports into a `Refusal`."""
    import av

    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise
    except av.FFmpegError as error:
        raise Refusal(f"{path} {what}: {error.strerror or error}") from None
