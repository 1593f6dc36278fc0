"""Vision Research Phantom recordings (``.cine``): a header, the settings of the camera, a table of places, and the frames.

========================  =========================================================================================================
place                     content
========================  =========================================================================================================
0                         CINEFILEHEADER: counts, compression, version, and where the other parts are
offset of image header    BITMAPINFOHEADER: size, bits, packing of the pixels
offset of setup           SETUP, as long as its field Length says (fields beyond belong to newer cameras), then tagged blocks: times
offset of image offsets   where each frame is: 4 bytes a frame in version 0, 8 from version 1 on
a frame                   size of the annotation, annotation, size of the pixels, pixels
========================  =========================================================================================================

Pixels in whole bytes are stored from the bottom row up, packed ones from the top down, the highest bits first. Packed 10 bit is
companded: see `sensors.response.PhantomTenBit`.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b.video.packed_dump import RawLayout, mapped
from c2b.video.recording import Recording
from sensors.refusal import Refusal
from sensors.response import PhantomTenBit

_HEADER, _BITMAP = struct.Struct("<2sHHHiIiIIIIQ"), struct.Struct("<IiiHHIIiiII")
_PLAIN, _PACKED_10, _PACKED_12 = 0, 256, 1024
_INTERPOLATED, _JPEG, _MOSAIC = 0, 1, 2
_CFA = {3: "gbrg", 4: "rggb"}
_FORMATS = {(_PLAIN, 8): "Mono8", (_PLAIN, 16): "Mono16", (_PLAIN, 24): "BGR8", (_PLAIN, 48): "BGR16"}
_TIMES, _EXPOSURES = 1002, 1003

#: SETUP: place and type of what we read.
_SETUP = {
    "frame_rate_16": (0, "H"),
    "mark": (140, "2s"),
    "length": (142, "H"),
    "serial": (743, "I"),
    "flip_horizontally": (756, "i"),
    "flip_vertically": (760, "i"),
    "frame_rate": (768, "I"),
    "shutter_us": (772, "I"),
    "camera_version": (792, "I"),
    "colour_filter": (808, "I"),
    "effective_bits": (896, "I"),
    "decimation": (1556, "I"),
    "shutter_ns": (1568, "I"),
    "description": (1596, "4096s"),
    "black_level": (5732, "i"),
    "white_level": (5736, "i"),
}


class PhantomCine(Recording):
    """Mono, Bayer or interpolated colour; digital numbers are handed out as they are, upright.

    `rate` and `shutter` come from the time stamp and exposure of the frames where the file has them, since the rate set in the
    camera is not that of a recording saved with frames left out; what was set is in `record`. White balance, flips, crop and gamma,
    which are for display, are not applied.
    """

    title = "Phantom recording (.cine)"
    suffixes = (".cine",)
    camera = True

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._size = path.stat().st_size
        header = _HEADER.unpack(self._bytes(0, _HEADER.size))
        mark, _, compression, self._version, _, _, first_image, frames, image_header, setup, self._places, self._trigger = header
        if mark != b"CI" or compression not in (_INTERPOLATED, _JPEG, _MOSAIC):
            raise Refusal(f"{path} is not a Phantom recording, or its header is damaged")
        if compression == _JPEG:
            raise Refusal(f"{path} holds JPEG frames; save it uncompressed")
        facts, end_of_setup = self._setup(setup)
        self._layout, self._upside_down, packing = self._pixels(image_header)
        self.shape, self.dtype = (frames, *self._layout.shape), self._layout.dtype
        self._blocks = self._tagged_blocks(end_of_setup)
        if not frames or self._places + frames * self._place_bytes > self._size:
            raise Refusal(f"{path} is cut short or damaged: it tells of {frames} frames and has no table of their places")
        self.colour = self._colour(compression, facts)
        bits = facts.get("effective_bits")
        facts["effective_bits"] = bits if bits and bits <= self._layout.bits else self._layout.bits
        facts = {"first_frame": first_image, "container_bits": self._layout.bits, **facts, "trigger_time": self._trigger / 2**32}
        self._set_levels(facts, companded=packing == _PACKED_10)
        self.rate, self.shutter = self._timing(facts)
        self.record = {key: value for key, value in facts.items() if key not in ("mark", "length", "frame_rate_16", "shutter_us")}
        self._place(0)
        if self._is_beyond(frames - 1):
            there = bisect_left(range(frames), True, key=self._is_beyond)
            self.break_off(there, frames)
            self.shape = (there, *self._layout.shape)

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        return head[:4] == b"CI" + struct.pack("<H", _HEADER.size)

    def times(self, frames: range) -> NDArray[np.float64]:
        """When the numbered frames were taken, (n,), in seconds from the trigger; NaN where the file does not say."""
        if _TIMES not in self._blocks:
            return np.full(len(frames), np.nan)
        stamps = self._block(_TIMES, "<u8")[frames.start : frames.stop : frames.step]
        return (stamps - np.uint64(self._trigger)).astype(np.int64) / 2**32

    @cached_property
    def _place_bytes(self) -> int:
        return 8 if self._version else 4

    def _bytes(self, start: int, length: int) -> bytes:
        return mapped(self.path, start, length).tobytes()

    def _setup(self, start: int) -> tuple[dict[str, Any], int]:
        """The settings that this file has, and where they end."""
        mark, length = struct.unpack("<2sH", self._bytes(start + _SETUP["mark"][0], 4))
        if mark != b"ST":
            raise Refusal(f"{self.path} is damaged: its settings do not begin where the header says")
        content = self._bytes(start, min(length, self._size - start)) if length else b""
        facts = {}
        for name, (place, kind) in _SETUP.items():
            if place + struct.calcsize(kind) <= len(content):
                (facts[name],) = struct.unpack_from("<" + kind, content, place)
        words = facts.pop("description", b"").partition(b"\0")[0].decode("latin-1").strip()
        return facts | ({"description": words} if words.isprintable() and words else {}), start + length

    def _pixels(self, start: int) -> tuple[RawLayout, bool, int]:
        """How the pixels of a frame lie, whether from the bottom up, and their packing."""
        _, width, height, _, bits, packing, image_bytes, *_ = _BITMAP.unpack(self._bytes(start, _BITMAP.size))
        upside_down, height = packing == _PLAIN and height > 0, abs(height)
        pixel_format = {_PACKED_10: "Mono10msb", _PACKED_12: "Mono12msb"}.get(packing) or _FORMATS.get((packing, bits))
        if pixel_format is None:
            raise Refusal(f"{self.path} holds pixels of {bits} bit and packing {packing}, which are not known")
        if width < 1 or height < 1:
            raise Refusal(f"{self.path} is damaged: its frames are {width}x{height}")
        layout = RawLayout(pixel_format, width, height)
        if image_bytes != layout.frame_bytes and packing == _PLAIN:  # rows of a bitmap may be filled to 4 bytes
            layout = RawLayout(pixel_format, width, height, -(-layout.frame_bytes // height // 4) * 4)
            image_bytes -= layout.frame_period - layout.frame_bytes
        if image_bytes != layout.frame_bytes or image_bytes > self._size:
            raise Refusal(
                f"{self.path} is damaged: {width}x{height} pixels of {bits} bit and packing {packing} in {image_bytes} bytes"
            )
        return layout, upside_down, packing

    def _colour(self, compression: int, facts: dict[str, Any]) -> str:
        filters = facts.get("colour_filter", 0) & 0xFF
        if compression != _MOSAIC or not filters or self._layout.colour == "rgb":
            return self._layout.colour
        if filters not in _CFA:
            raise Refusal(f"{self.path} has colour filters of kind {filters}, whose order is not known")
        return _CFA[filters]

    def _set_levels(self, facts: dict[str, Any], *, companded: bool) -> None:
        self.white, self.white_stated = float((1 << facts["effective_bits"]) - 1), True
        self.bits = self._layout.bits if companded else facts["effective_bits"]
        if companded:
            self.black, self.white, self.response = PhantomTenBit.BLACK, PhantomTenBit.WHITE, "phantom-10bit"
        elif 0 <= facts.get("black_level", -1) < facts.get("white_level", -1) < 1 << self._layout.bits:
            self.black, self.white = float(facts["black_level"]), float(facts["white_level"])

    def _timing(self, facts: dict[str, Any]) -> tuple[float | None, float | None]:
        """Frames per second and exposure in seconds."""
        rate = float(facts.get("frame_rate") or facts.get("frame_rate_16") or 0)
        if len(self) > 1:
            first, last = self.times(range(0, len(self), len(self) - 1))
            rate = (len(self) - 1) / (last - first) if last > first else rate
        exposure = facts.get("shutter_ns", 0) * 1e-9 or facts.get("shutter_us", 0) * 1e-6
        if _EXPOSURES in self._blocks:
            exposure = float(self._block(_EXPOSURES, "<u4")[0]) / 2**32 or exposure
        return rate or None, exposure or None

    def _tagged_blocks(self, start: int) -> dict[int, int]:
        """Where the blocks of times and exposures have their content; nothing of them is read."""
        found: dict[int, int] = {}
        while len(found) < 16 and start + 8 <= min(self._places, self._size):
            length, kind, more = struct.unpack("<IHH", self._bytes(start, 8))
            needed = 8 + len(self) * {_TIMES: 8, _EXPOSURES: 4}.get(kind, 0)
            if length < 8 or kind in found:
                break
            if needed <= length <= self._size - start:
                found[kind] = start + 8
            start += length
            if not more:
                break
        return found

    def _block(self, kind: int, dtype: str) -> NDArray:
        return mapped(self.path, self._blocks[kind], len(self) * np.dtype(dtype).itemsize).view(dtype)

    def _place(self, number: int) -> int:
        """Where the pixels of a frame begin, after its annotation, which ends with their size."""
        here = self._places + number * self._place_bytes
        (start,) = struct.unpack("<q" if self._version else "<I", self._bytes(here, self._place_bytes))
        (annotation,) = struct.unpack("<I", self._bytes(start, 4))
        place = start + annotation
        if annotation < 8 or place + self._layout.frame_bytes > self._size:
            raise Refusal(f"{self.path} is cut short or damaged: frame {number} is beyond its end")
        return place

    def _is_beyond(self, number: int) -> bool:
        """Whether the file ends before the end of a frame."""
        try:
            self._place(number)
        except Refusal:
            return True
        return False

    def _read(self, frames: range) -> NDArray:
        out = np.empty((len(frames), *self.shape[1:]), self.dtype)
        for target, number in zip(out, frames, strict=True):
            frame = self._layout.decode(mapped(self.path, self._place(number), self._layout.frame_bytes)[None])[0]
            target[...] = frame[::-1] if self._upside_down else frame
        return out
