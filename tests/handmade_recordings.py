"""Recordings of high-speed cameras, byte by byte, after the descriptions of their formats and independently of the readers."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ANNOTATION = 24


def packed_msb(frame: NDArray, bits: int) -> bytes:
    """A stream of bits with the highest first."""
    each = frame.reshape(-1, 1).astype(">u2").view(np.uint8)
    return np.packbits(np.unpackbits(each, axis=1)[:, 16 - bits :].reshape(-1)).tobytes()


def write_cine(path: Path, frames: NDArray, *, packing: int = 0, version: int = 1, compression: int = 0, **setup: float) -> Path:
    """``frames`` (n, H, W) of uint8 or uint16; packing 0, 256 (10 bit) or 1024 (12 bit)."""
    places = {"mark": (140, "2s"), "length": (142, "H"), "serial": (743, "I"), "rate": (768, "I"), "cfa": (808, "I")}
    places |= {"bits": (896, "I"), "shutter_ns": (1568, "I"), "black": (5732, "i"), "white": (5736, "i")}
    values = {"mark": b"ST", "length": 5740, "rate": 1000, "shutter_ns": 50_000, "bits": 8 * frames.itemsize, **setup}
    settings = bytearray(values["length"])
    for name, value in values.items():
        place, kind = places[name]
        if place + struct.calcsize(kind) <= len(settings):
            struct.pack_into("<" + kind, settings, place, value)
    count, height, width = frames.shape
    wide = {0: frames.itemsize * 8, 256: 10, 1024: 12}[packing]
    contents = [frame[::-1].tobytes() if packing == 0 else packed_msb(frame, wide) for frame in frames]
    stamps = [(1000 << 32) + (k << 32) // 500 for k in range(count)]  # 500 frames per second, whatever the setting
    exposures = [1 << 20] * count
    blocks = struct.pack(f"<IHH{count}Q", 8 + 8 * count, 1002, 1, *stamps)
    blocks += struct.pack(f"<IHH{count}I", 8 + 4 * count, 1003, 0, *exposures)
    table = 84 + len(settings) + len(blocks)
    place_kind = "q" if version else "I"
    first = table + count * struct.calcsize(place_kind)
    each = ANNOTATION + len(contents[0])
    header = struct.pack("<2sHHHiIiIIIIQ", b"CI", 44, compression, version, -99, 100, -5, count, 44, 84, table, 1001 << 32)
    depth = 8 if frames.itemsize == 1 else 16
    bitmap = struct.pack("<IiiHHIIiiII", 40, width, height, 1, depth, packing, len(contents[0]), 0, 0, 0, 1 << wide)
    annotation = struct.pack("<I", ANNOTATION) + b"\x11" * (ANNOTATION - 8) + struct.pack("<I", len(contents[0]))
    offsets = struct.pack(f"<{count}{place_kind}", *(first + k * each for k in range(count)))
    path.write_bytes(header + bitmap + bytes(settings) + blocks + offsets + b"".join(annotation + c for c in contents))
    return path


def write_mraw(
    path: Path,
    frames: NDArray,
    bits: int,
    *,
    effective: int = 12,
    side: str = "Lower",
    text: bool = False,
    colour: str = "Mono",
    step: int = 4,
) -> Path:
    """``path`` without suffix; the header is returned."""
    count, height, width = frames.shape[:3]
    content = packed_msb(frames, bits) if bits in (10, 12) else frames.tobytes()
    path.with_suffix(".mraw").write_bytes(content)
    if text:
        lines = f"""#Camera Information Header\r\nDate : 2016/4/21\r\nCamera Type : FASTCAM\r\nRecord Rate(fps) : 60000
Shutter Speed(s) : 1/800000\nTotal Frame : {count}\nStart Frame : -7\nSave Step : {step}\nImage Width : {width}\nImage Height : {height}
Color Type : {colour}\nColor Bit : {bits}
EffectiveBit Depth : {effective}\nEffectiveBit Side : {side}\nShutter Type2(nsec) : 1250\nEND"""
        path.with_suffix(".cih").write_text(lines)
        return path.with_suffix(".cih")
    size = f"<resolution><width>{width}</width><height>{height}</height></resolution>"
    effect = f"<effectiveBit><depth>{effective}</depth><side>{side}</side></effectiveBit>"
    xml = f"""<?xml version="1.0" encoding="utf-8"?><cih><fileInfo><date>2023/1/18</date></fileInfo><imageDataInfo>{size}<colorInfo>
<type>{colour}</type><bit>{bits}</bit></colorInfo>{effect}</imageDataInfo><frameInfo><totalFrame>{count}</totalFrame>
<startFrame>52</startFrame><skipFrame>{step}</skipFrame></frameInfo><recordInfo><recordRate>60000</recordRate>
<shutterSpeed>800000</shutterSpeed><shutterSpeedNsec>1250</shutterSpeedNsec></recordInfo>
<deviceInfo><recordRate>1</recordRate><deviceName>FASTCAM</deviceName></deviceInfo></cih>"""
    preamble = b"!!! This file can not be edited. !!!" + bytes(92) + b"CIHX" + bytes(12)
    path.with_suffix(".cihx").write_bytes(preamble + xml.encode() + bytes(7) + b"\xff\xfe")
    return path.with_suffix(".cihx")


def write_seq(
    path: Path, frames: NDArray, *, version: int = 5, kind: int = 100, compression: int = 0, allocated: int = -1, real_bits: int = 12
) -> Path:
    """``frames`` (n, H, W) of uint8 or uint16 (``real_bits``); 20 ms from frame to frame."""
    count, height, width = frames.shape
    size, bits = frames[0].nbytes, 8 * frames.itemsize
    period = -(-(size + 8) // 64) * 64
    header = bytearray(1024 if version < 5 else 8192)
    struct.pack_into("<I20sIii", header, 0, 0xFEED, "Norpix seq".encode("utf-16-le"), 0, version, 1024)
    header[36:56] = "A flow    ".encode("utf-16-le")
    struct.pack_into("<6I", header, 548, width, height, bits, 8 if bits == 8 else real_bits, size, kind)
    struct.pack_into("<3Id", header, 572, count if allocated < 0 else allocated, 0, period, 25.0)
    struct.pack_into("<I", header, 620, compression)
    content = bytes(header)
    for k, frame in enumerate(frames):
        seconds, milliseconds = divmod(1_000_000_000_000 + 20 * k, 1000)
        stamp = struct.pack("<IHH" if version >= 5 else "<IH", seconds, milliseconds, *((250,) if version >= 5 else ()))
        content += (frame.tobytes() + stamp).ljust(period, b"\0")
    path.write_bytes(content)
    return path


def write_dump(path: Path, content: bytes, **layout: object) -> Path:
    """Raw bytes with a layout in the sidecar."""
    path.write_bytes(content)
    path.with_name(path.name + ".json").write_text(json.dumps({"layout": layout, "rate": 500}))
    return path
