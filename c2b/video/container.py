"""Video containers (MP4, MOV, MKV, AVI ...), decoded frame by frame through FFmpeg (PyAV)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b.video import orientation, packet_index
from c2b.video.packet_index import refusals
from c2b.video.recording import Recording
from sensors.refusal import Refusal

#: A jump forward of up to so many frames is decoded through; a longer one looks for a key frame.
PATIENCE = 32

#: The fastest rate that players and the millisecond clock of Matroska keep up with; above it the container says 30.
FASTEST_PLAYED = 240

_LOSSLESS = (".mkv", ".avi")
_DISPLAY = (".mp4", ".mov", ".m4v")
_GREY = ("gray", "ya")
_LIMITED = 1

#: What is only read, and the first bytes of the files of these that others may call differently.
_READ = (".webm", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".vob", ".wmv", ".asf", ".flv", ".mxf", ".3gp", ".gif", ".y4m")
_HEADS = (b"\x00\x00\x01\xba", b"\x30\x26\xb2\x75", b"FLV\x01", b"\x06\x0e\x2b\x34", b"GIF8", b"YUV4MPEG2 ", b".RMF")
_STANDARDS = {1: "709", 2: "601", 4: "601", 5: "601", 6: "601", 9: "2020", 10: "2020"}


class Container(Recording):
    """Grey is handed out as stored; everything else as red, green, blue of the same depth: 10 bit in uint16 with white 1023.

    Limited range is stretched to full range. `luma` of YUV video is its Y plane so stretched: for BT.601 that is the ITU-R 601
    luma, before the rounding to RGB, and for BT.709 and BT.2020 the luma by the weights of these. The rate is nominal.

    The frames are those that a player shows, whatever packets the file lists (`c2b.video.packet_index`); they are counted at
    opening, as a rule without decoding. They are turned as the display matrix says. A rate that varies is in `presentation`, and so is
    alpha, which is dropped.

    Reading forwards never seeks; a jump goes to the nearest key frame by time stamp and decodes from there, and from the
    beginning where stamps cannot be relied on. Not for use by two threads at once.

    Writing: ``.mkv`` and ``.avi`` are lossless (FFV1) in 8 and 16 bit, ``.mp4`` and ``.mov`` 8 bit H.264 for display.
    """

    title = "video container (.mp4, .mov, .mkv, .avi, .webm, .ts, .mpg, .wmv, .flv, .mxf, .3gp, .gif, .y4m)"
    suffixes = (*_DISPLAY, *_LOSSLESS, *_READ)

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._index = packet_index.read(path)
        self._open()
        try:
            self._understand_pixels()
            if not self._index.frames:
                raise Refusal(f"{path} holds no frames")
            self.broken_off = self._index.missing
            context = self._stream.codec_context
            self._stored = (context.height, context.width, *((3,) if self.colour == "rgb" else ()))
            turned = self._understand_orientation()
            height, width = orientation.size_upright(context.height, context.width, self.orientation)
            self.shape = (self._index.frames, height, width, *self._stored[2:])
            self.rate, self.rate_nominal = float(self._stream.average_rate or 0) or None, True
            varied = packet_index.timing(self._index, float(self._stream.time_base), self.rate)
            told = {"orientation": turned, "alpha": "dropped" if self._has_alpha() else "", "timing": varied}
            self.presentation = {key: text for key, text in told.items() if text}
        except BaseException:
            self.close()
            raise

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        atoms = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
        matroska, riff = head[:4] == b"\x1a\x45\xdf\xa3", head[:4] == b"RIFF" and head[8:11] == b"AVI"
        return head[4:8] in atoms or matroska or riff or head.startswith(_HEADS)

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
        with refusals(path, "cannot be written"), av.open(str(path), "w") as container:
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

        with refusals(self.path, "is not a readable video"):
            self._container: Any = av.open(str(self.path), metadata_encoding="latin-1")
        self._stream: Any = packet_index.shown(self._container, self.path)
        self._stream.thread_type = "AUTO"
        self._frames = packet_index.decoded(self._container, self._stream)
        self._held = (-1, None)  # the frame decoded last, and its number

    def _understand_pixels(self) -> None:
        """Depth, colour and white."""
        context = self._stream.codec_context
        pixels = None if context is None else context.format
        if pixels is None or not context.width:
            raise Refusal(f"{self.path} holds no frame that can be decoded")
        self._bits = max(component.bits for component in pixels.components)
        if pixels.name.startswith(("bayer", "xyz")) or "f16" in pixels.name or "f32" in pixels.name or self._bits > 16:
            raise Refusal(f"{self.path} has pixels of kind {pixels.name}, which c2b does not read; convert it to gray16le")
        self.colour = "mono" if pixels.name.startswith(_GREY) else "rgb"
        if self.colour == "rgb" and not pixels.name.startswith(("yuv", "gbrp")):
            self._bits = 8 if self._bits <= 8 else 16  # what FFmpeg repacks exactly
        self.dtype = np.dtype(np.uint8 if self._bits <= 8 else np.uint16)
        self.white = float((1 << self._bits) - 1)

    def _understand_orientation(self) -> str:
        """Set it from the display matrix, which comes with the first frame; in words what is done, or that nothing is."""
        with refusals(self.path, "is damaged at frame 0"):
            first: Any = next(self._frames, None)
        if first is None:
            raise Refusal(f"{self.path} holds no frame that can be decoded")
        self._held = (0, first)
        if (matrix := first.side_data.get("DISPLAYMATRIX")) is None:
            return ""
        found = orientation.of_matrix(np.frombuffer(matrix, np.int32).tolist())
        if found is None:
            return "as stored: the display matrix turns by an angle that is no quarter turn"
        self.orientation = found
        return f"{turned}, as the display matrix says" if (turned := orientation.words(found)) else ""

    def _has_alpha(self) -> bool:
        pixels = self._stream.codec_context.format
        beside = {key.lower(): value for key, value in self._stream.metadata.items()}.get("alpha_mode")
        return beside == "1" or any(component.is_alpha for component in pixels.components)

    def _read(self, frames: range) -> NDArray:
        out = np.empty((len(frames), *self._stored), self.dtype)
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
        out = np.empty((len(frames), *self._stored[:2]), self.dtype)
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
        if (frame.height, frame.width) != self._stored[:2]:
            first = "x".join(map(str, self._stored[:2]))
            raise Refusal(f"{self.path}: frame {number} is {frame.height}x{frame.width}, the first {first}")
        return frame

    def _step(self) -> None:
        """Decode one more frame; its number is one more than that of the last."""
        expected = self._held[0] + 1
        with refusals(self.path, f"is damaged at frame {expected}"):
            frame: Any = next(self._frames, None)
        if frame is None:
            raise Refusal(f"{self.path} is truncated: it announces {len(self)} frames and ends after {expected}")
        if self._index.ordered and frame.pts != self._index.stamps[min(expected, len(self) - 1)]:
            raise Refusal(f"{self.path} is damaged: frame {expected} cannot be decoded")
        self._held = (expected, frame)

    def _go_before(self, number: int) -> None:
        """Put the decoder at most at ``number``: on as it is, else at a key frame, else at the beginning."""
        here = self._held[0]
        if here < number <= here + PATIENCE:
            return
        if self._index.ordered and number > PATIENCE:
            stamps, keys = self._index.stamps, self._index.keys
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
        with refusals(self.path, "is damaged"):
            self._container.seek(stamp, stream=self._stream, backward=True)
            self._frames = packet_index.decoded(self._container, self._stream)
            frame: Any = next(self._frames, None)
        place = -1 if frame is None or frame.pts is None else bisect_right(self._index.stamps, frame.pts) - 1
        if place < 0 or self._index.stamps[place] != frame.pts or place > number or frame.is_corrupt:
            return False
        self._held = (place, frame)
        return True


def _plane(frame: Any, number: int) -> NDArray:
    """One plane of a decoded frame without copying it, (rows, columns); of grey with alpha between its pixels the grey."""
    plane = frame.planes[number]
    bits = max(component.bits for component in frame.format.components)
    stored = np.dtype(np.uint8) if bits <= 8 else np.dtype(np.uint16).newbyteorder(">" if frame.format.is_big_endian else "<")
    step = 2 if frame.format.name.startswith("ya") else 1
    values = np.frombuffer(plane, stored).reshape(-1, plane.line_size // stored.itemsize)[: plane.height, : step * plane.width : step]
    return values.astype(stored.newbyteorder("="), copy=False)


def _limited(frame: Any) -> bool:
    """Unless the file says: YUV is limited, except the formats yuvj; grey is full."""
    name, said = frame.format.name, int(frame.color_range)
    if name.startswith("yuvj") or name.startswith("gbr"):
        return False
    return said == _LIMITED or (said == 0 and name.startswith("yuv"))
