"""Photron high-speed cameras: raw frames in a ``.mraw`` file, described by a ``.cihx`` (XML) or ``.cih`` (text) file beside it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from numpy.typing import NDArray

from c2b.video.packed_dump import RawLayout
from c2b.video.recording import Recording
from sensors.refusal import Refusal

#: No header is longer; a file that only has the suffix of one is not read to its end.
LONGEST_HEADER = 1 << 22

_XML, _TEXT = ".cihx", ".cih"

#: Where a fact is in the XML, and what the text calls it.
_FACTS = {
    "width": ("imageDataInfo/resolution/width", "Image Width"),
    "height": ("imageDataInfo/resolution/height", "Image Height"),
    "colour_type": ("imageDataInfo/colorInfo/type", "Color Type"),
    "container_bits": ("imageDataInfo/colorInfo/bit", "Color Bit"),
    "effective_bits": ("imageDataInfo/effectiveBit/depth", "EffectiveBit Depth"),
    "effective_bit_side": ("imageDataInfo/effectiveBit/side", "EffectiveBit Side"),
    "frames": ("frameInfo/totalFrame", "Total Frame"),
    "first_frame": ("frameInfo/startFrame", "Start Frame"),
    "decimation": ("frameInfo/skipFrame", "Save Step"),
    "record_rate": ("recordInfo/recordRate", "Record Rate(fps)"),
    "shutter_ns": ("recordInfo/shutterSpeedNsec", "Shutter Type2(nsec)"),
    "one_over_shutter": ("recordInfo/shutterSpeed", "Shutter Speed(s)"),
    "camera": ("deviceInfo/deviceName", "Camera Type"),
    "date": ("fileInfo/date", "Date"),
    "time": ("fileInfo/time", "Time"),
}

_FORMATS = {8: "Mono8", 10: "Mono10msb", 12: "Mono12msb", 16: "Mono16", 24: "RGB8", 48: "RGB16"}


class PhotronMraw(Recording):
    """Open it by any of its files. Digital numbers are handed out as they are.

    White is the largest number of the effective bits, where the file has them: at the lower side of a 16 bit container 4095, at the
    higher side 65520. `rate` is that of the frames in the file, the recording rate divided by the save step (``decimation``).
    Colour type Raw does not say which pixel of the mosaic is red, and monochrome cameras write it too: such frames are mono unless the
    sidecar gives ``"colour": "rggb"`` or another pattern.
    """

    title = "Photron recording (.mraw with .cihx or .cih)"
    suffixes = (".mraw", _XML, _TEXT)
    camera = True

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        header, self._frames_file = _files(path)
        facts = _facts(header)
        bits = _count(facts, "container_bits", header)
        if bits not in _FORMATS:
            raise Refusal(f"{header}: {bits} bit in a pixel are not known; known: {', '.join(map(str, _FORMATS))}")
        colour = str(facts.get("colour_type", "Mono")).lower()
        if (colour == "color") != (bits >= 24):
            raise Refusal(f"{header}: colour type {facts['colour_type']} with {bits} bit in a pixel is not known")
        self._layout = RawLayout(_FORMATS[bits], _count(facts, "width", header), _count(facts, "height", header))
        frames = _count(facts, "frames", header)
        there, _ = self._layout.frames_in(self._frames_file.stat().st_size)
        if there < frames:
            self.break_off(there, frames, f" that {header.name} tells of")
        self.shape = (min(frames, there), *self._layout.shape)
        self.dtype, self.colour = self._layout.dtype, self._layout.colour
        self.white = _white(facts, self._layout.bits)
        self.bits, self.white_stated = int(self.white).bit_length(), "effective_bits" in facts or bits not in (8, 16)
        self.rate, self.shutter = _rate(facts), _shutter(facts)
        self.record = {key: value for key, value in facts.items() if key not in ("width", "height", "frames")}

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        header = head.startswith((b"!!! This file can not be edited. !!!", b"#Camera Information Header"))
        return header or path.suffix.lower() == ".mraw"  # which begins with pixels

    def _read(self, frames: range) -> NDArray:
        return self._layout.read(self._frames_file, frames)


def _files(path: Path) -> tuple[Path, Path]:
    """The header and the frames of a recording, whichever of them was named."""
    raw = path.suffix.lower() == ".mraw"
    names = {file.name.lower(): file for file in path.parent.iterdir() if file.is_file()} if path.parent.is_dir() else {}
    wanted = (_XML, _TEXT) if raw else (".mraw",)
    other = next((names[key] for suffix in wanted if (key := (path.stem + suffix).lower()) in names), None)
    if other is None:
        raise Refusal(f"{path} needs its other half {path.with_suffix(wanted[0]).name} beside it")
    return (other, path) if raw else (path, other)


def _facts(header: Path) -> dict[str, Any]:
    """The known facts of a header: numbers as numbers, words as words."""
    with header.open("rb") as file:
        content = file.read(LONGEST_HEADER)
    texts = _from_xml(content, header) if b"<cih" in content else _from_text(content)
    found = {key: texts[key] for key in _FACTS if texts.get(key)}
    if not found.keys() & {"width", "container_bits", "frames"}:
        raise Refusal(f"{header} is not a Photron header: it says neither size nor bits of the frames")
    return {key: _number(text) for key, text in found.items()}


def _from_xml(content: bytes, header: Path) -> dict[str, str]:
    """The XML begins after a preamble of bytes; without its prologue it can declare no entities either."""
    start, end = content.find(b"<cih"), content.rfind(b"</cih>")
    try:
        root = ElementTree.fromstring(content[start : end + 6].decode("utf-8", "replace"))
    except (ElementTree.ParseError, ValueError) as error:
        raise Refusal(f"{header} is damaged: {error}") from None
    return {key: (root.findtext(where) or "").strip() for key, (where, _) in _FACTS.items()}


def _from_text(content: bytes) -> dict[str, str]:
    """Lines ``key : value``; the first of a key counts, as later sections are of other programs."""
    found: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            found.setdefault(key.strip(), value.strip())
    return {key: found.get(name, "") for key, (_, name) in _FACTS.items()}


def _number(text: str) -> int | float | str:
    """``1/800000``, as the text form writes a shutter, becomes 800000: what the XML form has."""
    found = re.fullmatch(r"(?:1/)?([0-9]{1,15})(\.[0-9]{1,15})?", text)
    return text[:200] if not found else float(found[1] + found[2]) if found[2] else int(found[1])


def _count(facts: Mapping[str, Any], key: str, header: Path) -> int:
    value = facts.get(key)
    if not isinstance(value, int) or value < 1:
        raise Refusal(
            f"{header} is damaged: {key.replace('_', ' ')} is {value if key in facts else 'missing'}, not a number above 0"
        )
    return value


def _white(facts: Mapping[str, Any], bits: int) -> float:
    effective = facts.get("effective_bits", bits)
    if not isinstance(effective, int) or not 1 <= effective <= bits:
        effective = bits
    higher = str(facts.get("effective_bit_side", "Lower")).lower() == "higher"
    return float(((1 << effective) - 1) << (bits - effective if higher else 0))


def _rate(facts: Mapping[str, Any]) -> float | None:
    rate, step = (_positive(facts.get(key)) for key in ("record_rate", "decimation"))
    return rate and rate / (step or 1)


def _shutter(facts: Mapping[str, Any]) -> float | None:
    """From nanoseconds; the other entry is its reciprocal and rounded."""
    nanoseconds, reciprocal = (_positive(facts.get(key)) for key in ("shutter_ns", "one_over_shutter"))
    return nanoseconds * 1e-9 if nanoseconds else reciprocal and 1 / reciprocal


def _positive(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) and value > 0 else None
