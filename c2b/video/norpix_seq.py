"""NorPix StreamPix sequences (``.seq``): a header of 1024 bytes, then frames of equal size, each followed by its time stamp."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2b.video.packed_dump import RawLayout, mapped
from c2b.video.recording import Recording
from sensors.refusal import Refusal

MAGIC = 0xFEED
HEADER = 1024

#: Where frames begin from version 5 (StreamPix 6) on; before, at the end of the header.
FIRST_FRAME = 8192

_MONO = 100
_OTHERS = {101: "raw Bayer", 102: "JPEG", 200: "BGR", 201: "BGR JPEG", 300: "planar", 400: "RGB", 500: "BGRx", 600: "YUV"}


class NorpixSeq(Recording):
    """Uncompressed mono of 8 bit, or of 9 to 16 in two bytes; other kinds are refused.

    `rate` is that of the time stamps from first to last; the header has the rate suggested for playing, which may be any.
    """

    title = "NorPix sequence (.seq)"
    suffixes = (".seq",)
    camera = True

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with path.open("rb") as file:
            header = file.read(HEADER)
        if len(header) < HEADER or not self.recognises(path, header):
            raise Refusal(f"{path} is not a NorPix sequence: it does not begin with a header of {HEADER} bytes of that kind")
        (version,) = struct.unpack_from("<i", header, 28)
        width, height, bits, real_bits, image_bytes, kind = struct.unpack_from("<6I", header, 548)
        allocated, first_frame, period = struct.unpack_from("<3I", header, 572)
        (suggested,) = struct.unpack_from("<d", header, 584)
        (compression,) = struct.unpack_from("<I", header, 620)
        if compression or kind != _MONO or bits not in (8, 16):
            what = _OTHERS.get(kind, f"format {kind}") if kind != _MONO else f"{bits} bit"
            raise Refusal(
                f"{path} holds {'compressed ' * bool(compression)}{what} frames; known: uncompressed mono of 8 or 16 bit"
            )
        pixels = width * height * bits // 8
        if not pixels or image_bytes != pixels or period < pixels:
            raise Refusal(f"{path} is damaged: {width}x{height} pixels of {bits} bit in {image_bytes} of {period} bytes")
        self._stamp = struct.Struct("<IHH" if version >= 5 else "<IH")
        start = FIRST_FRAME if version >= 5 else HEADER
        self._layout = RawLayout(f"Mono{bits}", width, height, None, start, 0, period - pixels)
        there, _ = self._layout.frames_in(path.stat().st_size)
        frames = allocated or there  # a recording that was broken off says 0
        if not 0 < frames <= there:
            self.break_off(there, frames or "its")
        self.shape, self.dtype = (min(frames, there), height, width), self._layout.dtype
        real_bits = real_bits if 1 <= real_bits <= bits else bits
        self.white = float((1 << real_bits) - 1)
        self.bits, self.white_stated = real_bits, real_bits not in (8, 16)
        self.rate = self._measured_rate()
        description = header[36:548].decode("utf-16-le", "replace").partition("\0")[0]
        self.record = {"version": version, "first_frame": first_frame, "container_bits": bits, "effective_bits": real_bits}
        self.record |= {"suggested_rate": suggested} if math.isfinite(suggested) else {}
        self.record |= {"description": description} if description else {}

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        return head[:4] == struct.pack("<I", MAGIC) and head[4:14] == "Norpi".encode("utf-16-le")

    def times(self, frames: range) -> NDArray[np.float64]:
        """When the numbered frames were taken, (n,), in seconds since 1970 of the clock of the camera's computer; NaN if not noted."""
        layout = self._layout
        out = np.full(len(frames), np.nan)
        for k, number in enumerate(frames):
            start = layout.header_bytes + number * layout.frame_period + layout.frame_bytes
            if layout.frame_trailer >= self._stamp.size and start + self._stamp.size <= self.path.stat().st_size:
                seconds, *parts = self._stamp.unpack(mapped(self.path, start, self._stamp.size).tobytes())
                out[k] = seconds + sum(part * scale for part, scale in zip(parts, (1e-3, 1e-6), strict=False))
        return out

    def _measured_rate(self) -> float | None:
        if len(self) < 2:
            return None
        first, last = self.times(range(0, len(self), len(self) - 1))
        return (len(self) - 1) / (last - first) if last > first else None

    def _read(self, frames: range) -> NDArray:
        return self._layout.read(self.path, frames)
