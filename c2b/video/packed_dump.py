"""Frames of digital numbers dumped to a file one after the other, as a camera sent them, and the layout that says how they lie.

``clip.raw`` has its layout in ``clip.raw.json``, beside the other facts of a sidecar (`c2b.video.sidecar`)::

    {"layout": {"pixel_format": "Mono12p", "width": 96, "height": 64}, "rate": 5000}

Pixel formats are named as in the GenICam Pixel Format Naming Convention (PFNC): a colour (Mono, RGB, BGR, BayerRG, BayerGR, BayerGB,
BayerBG), the bits, and a packing: Mono8, Mono10 to Mono16 (each pixel in two bytes), Mono10p, Mono12p, Mono10Packed, Mono12Packed,
BayerRG12p ...; ``msb`` marks a stream of bits with the highest first, which PFNC has no name for: Mono10msb, Mono12msb.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b.video import sidecar
from c2b.video.pixel_packing import PACKINGS, row_bytes, unpack
from c2b.video.recording import Recording
from sensors.refusal import Refusal

_FORMAT = re.compile(r"(Mono|RGB|BGR|Bayer(?:RG|GR|GB|BG))(8|10|12|14|16)(p|Packed|msb)?")
_MOSAIC = {"BayerRG": "rggb", "BayerGR": "grbg", "BayerGB": "gbrg", "BayerBG": "bggr", "Mono": "mono"}
_EXAMPLE = '{"layout": {"pixel_format": "Mono12p", "width": 640, "height": 480}}'


@dataclass(frozen=True)
class RawLayout:
    """How frames of raw pixels lie in a file.

    Parameters
    ----------
    pixel_format : str
        Such as ``Mono12p``; see the table of the module.
    width, height : int
        In pixels.
    stride : int, optional
        Bytes from row to row; default: as many as the pixels take, a packed frame being one unbroken row.
    header_bytes : int
        Before the first frame.
    frame_header, frame_trailer : int
        Bytes before and after the pixels of each frame.
    endianness : str
        ``little`` or ``big``, of pixels in two bytes.

    Raises
    ------
    Refusal
        If the format is unknown or a number makes no sense.
    """

    pixel_format: str
    width: int
    height: int
    stride: int | None = None
    header_bytes: int = 0
    frame_header: int = 0
    frame_trailer: int = 0
    endianness: str = "little"

    def __post_init__(self) -> None:
        for name in ("width", "height", "stride", "header_bytes", "frame_header", "frame_trailer"):
            value, least = getattr(self, name), int(name in ("width", "height", "stride"))
            if value is None and name == "stride":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise Refusal(f"a layout needs {name} as a whole number from {least} on, not {value!r}")
        if self.endianness not in ("little", "big"):
            raise Refusal(f"endianness is little or big, not {self.endianness!r}")
        found = _FORMAT.fullmatch(str(self.pixel_format))
        if not found or (found[3] and (found[2] not in ("10", "12") or found[1] in ("RGB", "BGR"))):
            known = "Mono8, Mono10, Mono12, Mono14, Mono16, Mono10p, Mono12p, Mono10Packed, Mono12Packed, Mono10msb, Mono12msb"
            raise Refusal(
                f"unknown pixel format {self.pixel_format!r}; known: {known}, the same with BayerRG ..., RGB8, BGR8, RGB16"
            )
        if self.stride is not None and self.stride < self._row_bytes:
            raise Refusal(
                f"stride {self.stride} is too short: {self.width} pixels of {self.pixel_format} take {self._row_bytes} bytes"
            )

    @cached_property
    def _parts(self) -> tuple[str, int, str | None]:
        """Colour, bits, and the packing by its name in `PACKINGS` or None."""
        colour, bits, packed = _FORMAT.fullmatch(self.pixel_format).groups()  # type: ignore[union-attr]
        return colour, int(bits), f"Mono{bits}{packed}" if packed else None

    @cached_property
    def _row_bytes(self) -> int:
        _, bits, packing = self._parts
        if packing:
            return row_bytes(packing, self.width)
        return self.width * (3 if self.colour == "rgb" else 1) * (1 if bits == 8 else 2)

    @property
    def colour(self) -> str:
        """``mono``, ``rgb`` or the Bayer pattern."""
        return _MOSAIC.get(self._parts[0], "rgb")

    @property
    def bits(self) -> int:
        """Bits of a pixel; white is the largest number they hold."""
        return self._parts[1]

    @property
    def dtype(self) -> np.dtype:
        """Type of the frames as handed out."""
        return np.dtype(np.uint8 if self.bits == 8 else np.uint16)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one frame as handed out."""
        return (self.height, self.width) + (3,) * (self.colour == "rgb")

    @cached_property
    def frame_bytes(self) -> int:
        """The pixels of one frame, without its header and trailer."""
        if self.stride is not None:
            return (self.height - 1) * self.stride + self._row_bytes
        packing = self._parts[2]
        return row_bytes(packing, self.width * self.height) if packing else self.height * self._row_bytes

    @cached_property
    def frame_period(self) -> int:
        """Bytes from frame to frame."""
        padding = self.stride - self._row_bytes if self.stride is not None else 0
        return self.frame_header + self.frame_bytes + padding + self.frame_trailer

    def frames_in(self, size: int) -> tuple[int, int]:
        """How many frames a file of so many bytes holds, and how many bytes are left over; the last trailer may be missing."""
        count, rest = divmod(max(0, size - self.header_bytes), self.frame_period)
        return (count + 1, 0) if rest >= self.frame_header + self.frame_bytes else (count, rest)

    def read(self, path: Path, frames: range) -> NDArray:
        """The numbered frames, ascending, (n, *shape): views of a map of just this part where pixels lie there as they are."""
        start = self.header_bytes + frames[0] * self.frame_period + self.frame_header
        content = mapped(path, start, (frames[-1] - frames[0]) * self.frame_period + self.frame_bytes)
        steps = (frames.step * self.frame_period if len(frames) > 1 else 0, 1)  # a trailer may be absurd, not the place of two
        return self.decode(np.lib.stride_tricks.as_strided(content, (len(frames), self.frame_bytes), steps, writeable=False))

    def decode(self, content: NDArray[np.uint8]) -> NDArray:
        """The bytes of whole frames (n, frame_bytes) to pixels (n, *shape)."""
        packing = self._parts[2]
        if packing:
            out = np.empty((len(content), *self.shape), np.uint16)
            in_rows = self.stride is not None or self.width % PACKINGS[packing].pixels == 0
            for target, frame in zip(out, content, strict=True):
                if in_rows:
                    unpack(self._rows(frame[None])[0], packing, self.width, target)
                else:
                    unpack(frame, packing, self.width * self.height, target.reshape(-1))
            return out
        pixels = self._rows(content)
        if self.bits > 8:
            pixels = pixels.view(">u2" if self.endianness == "big" else "<u2")
            if not (pixels.dtype.isnative and pixels.flags.aligned):
                pixels = pixels.astype(np.uint16)
        if self.colour == "rgb":
            pixels = pixels.reshape(len(content), *self.shape)
        return pixels[..., ::-1] if self._parts[0] == "BGR" else pixels

    def _rows(self, content: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(n, frame_bytes) to the bytes of the pixels of each row, (n, height, row bytes), a view."""
        steps = (content.strides[0], self.stride or self._row_bytes, 1)
        shape = (len(content), self.height, self._row_bytes)
        return np.lib.stride_tricks.as_strided(content, shape, steps, writeable=False)


def mapped(path: Path, start: int, length: int) -> NDArray[np.uint8]:
    """So many bytes of a file from a place on, mapped; the map goes with the last view, so that memory follows what is looked at.

    Raises
    ------
    Refusal
        If they reach beyond the end of the file, which cannot be left to the map: it would end the program.
    """
    if start < 0 or length < 1 or start + length > path.stat().st_size:
        raise Refusal(f"{path} is cut short: bytes {start} to {start + length} are beyond its {path.stat().st_size}")
    return np.memmap(path, np.uint8, "r", start, (length,)).view(np.ndarray)


class PackedDump(Recording):
    """``NAME.raw`` or ``NAME.bin`` with its `RawLayout` in the sidecar; digital numbers are handed out as they are."""

    title = "dump of raw frames with a layout (.raw, .bin with .json)"
    suffixes = (".raw", ".bin")
    camera = True

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.layout = _layout(path)
        self.dtype, self.colour, self.white = self.layout.dtype, self.layout.colour, float((1 << self.layout.bits) - 1)
        self.bits, self.white_stated = self.layout.bits, self.layout.bits not in (8, 16)
        count, rest = self.layout.frames_in(path.stat().st_size)
        if rest or not count:
            of = f" (of {self.layout.frame_period} bytes, {rest} left over), or the layout in {sidecar.beside(path)} is not its own"
            self.break_off(count, f"at least {count + 1}", of)
        self.shape = (count, *self.layout.shape)
        self.record = {"pixel_format": self.layout.pixel_format}

    def _read(self, frames: range) -> NDArray:
        return self.layout.read(self.path, frames)


def _layout(path: Path) -> RawLayout:
    where = sidecar.beside(path)
    facts = sidecar.read(path).get("layout")
    if facts is None:
        raise Refusal(f"{path}: raw frames need their layout in {where}, such as {_EXAMPLE}")
    try:
        known = [field.name for field in fields(RawLayout)]
        missing = [] if not isinstance(facts, dict) else [name for name in known[:3] if name not in facts]
        if not isinstance(facts, dict) or missing or set(facts) - set(known):
            wrong: Any = ", ".join(sorted(set(facts) - set(known)) or missing) if isinstance(facts, dict) else facts
            raise Refusal(f"a layout has {', '.join(known)}, of which the first three are needed; look at {wrong}")
        return RawLayout(**facts)
    except Refusal as error:
        raise Refusal(f"{where}: {error}") from None
