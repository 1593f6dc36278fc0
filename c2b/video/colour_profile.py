"""How a picture says that its numbers are encoded: an ICC profile, the chunks of PNG, or EXIF.

Of a profile (ICC.1:2022) the tone curve of green or grey counts, at half of its input: 0.214 is sRGB, 0.5 ** exponent a power law.
"""

from __future__ import annotations

import math
import struct
import warnings
from contextlib import suppress
from pathlib import Path

#: What is assumed of a picture that says nothing.
ASSUMED = "srgb"

#: A tone curve at half of its input: sRGB's, and how near to it a curve must be.
_HALF, _NEAR = 0.21404, 0.0015

#: Chromatic primaries of sRGB as profiles have them, XYZ under D50 (IEC 61966-2-1, adapted as in ICC.1:2022, annex E), and how near.
_PRIMARIES = {b"rXYZ": (0.4361, 0.2225, 0.0139), b"gXYZ": (0.3851, 0.7169, 0.0971), b"bXYZ": (0.1431, 0.0606, 0.7141)}
_NEAR_PRIMARY = 0.01

_GAMMA_OF_SRGB, _GAMMA_OF_ADOBE = 0.45455, 2.19921875

#: Places in EXIF: its second directory, the colour space there, and the directory that names another space.
_EXIF, _COLOUR_SPACE, _INTEROPERABILITY, _INDEX = 0x8769, 0xA001, 0xA005, 1


def encoding(file: Path) -> tuple[str, str]:
    """The response (`sensors.response`) with which the values of a picture are encoded, and who says so, or ``""`` if nobody does.

    Damaged or unknown profiles say nothing.
    """
    from PIL import Image

    with warnings.catch_warnings(), suppress(OSError, SyntaxError, ValueError, EOFError, struct.error), Image.open(file) as image:
        warnings.simplefilter("ignore")
        profile = image.info.get("icc_profile")
        if isinstance(profile, bytes) and (found := _by_profile(profile)):
            return found, "its ICC profile"
        if "srgb" in image.info:
            return ASSUMED, "its sRGB chunk"
        if gamma := image.info.get("gamma"):
            return _by_gamma(float(gamma)), "its gAMA chunk"
        if found := _by_exif(image.getexif()):
            return found, "EXIF"
    return ASSUMED, ""


def other_primaries(file: Path) -> bool:
    """Whether the ICC profile of a picture has primaries other than those of sRGB, in which videos are shown."""
    from PIL import Image

    with warnings.catch_warnings(), suppress(OSError, SyntaxError, ValueError, EOFError, struct.error), Image.open(file) as image:
        warnings.simplefilter("ignore")
        profile = image.info.get("icc_profile")
        tags = _tags(profile) if isinstance(profile, bytes) else {}
        if tags.keys() >= _PRIMARIES.keys():
            pairs = [pair for tag, xyz in _PRIMARIES.items() for pair in zip(struct.unpack_from(">3i", tags[tag], 8), xyz, strict=True)]
            return any(abs(found / 65536 - own) > _NEAR_PRIMARY for found, own in pairs)
    return False


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    tags = {}
    for number in range(min(count, 100)):
        name, start, length = struct.unpack_from(">4sII", profile, 132 + 12 * number)
        tags[name] = profile[start : start + length]
    return tags


def _by_profile(profile: bytes) -> str:
    """The response of the tone curve; empty where there is none."""
    tags = _tags(profile)
    curve = tags.get(b"gTRC", tags.get(b"kTRC", b""))
    half = _half_of_table(curve) if curve.startswith(b"curv") else _half_of_formula(curve) if curve.startswith(b"para") else 0.0
    if not 0 < half < 1:
        return ""
    return _power(math.log(half) / math.log(0.5)) if abs(half - _HALF) > _NEAR else ASSUMED


def _half_of_table(curve: bytes) -> float:
    (count,) = struct.unpack_from(">I", curve, 8)
    if count < 2:
        return 0.5 ** (struct.unpack_from(">H", curve, 12)[0] / 256 if count else 1)
    values = struct.unpack_from(f">{count}H", curve, 12)
    place = (count - 1) / 2
    low, high = values[math.floor(place)], values[math.ceil(place)]
    return (low + high) / 2 / 65535


def _half_of_formula(curve: bytes) -> float:
    (kind,) = struct.unpack_from(">H", curve, 8)
    g, a, b, c, d, e, f = (*(v / 65536 for v in struct.unpack_from(f">{(1, 3, 4, 5, 7)[min(kind, 4)]}i", curve, 12)), *6 * [0.0])[
        :7
    ]
    if kind == 0:
        return float(0.5**g)
    power, constant = max(a * 0.5 + b, 0.0) ** g, c if kind == 2 else e if kind == 4 else 0.0
    above = (d if kind >= 3 else -b / a) <= 0.5
    return float(power + constant if above else c * 0.5 + f if kind >= 3 else constant)


def _by_gamma(gamma: float) -> str:
    """The gAMA chunk has the exponent of the encoding."""
    return ASSUMED if abs(gamma - _GAMMA_OF_SRGB) < 1e-3 else _power(1 / gamma)


def _by_exif(exif: object) -> str:
    from PIL import Image

    if not isinstance(exif, Image.Exif) or not exif:
        return ""
    further = exif.get_ifd(_EXIF)
    if further.get(_COLOUR_SPACE) == 1:
        return ASSUMED
    adobe = further.get(_COLOUR_SPACE) == 2 or exif.get_ifd(_INTEROPERABILITY).get(_INDEX) == "R03"
    return _power(_GAMMA_OF_ADOBE) if adobe else ""


def _power(exponent: float) -> str:
    rounded = round(exponent, 3)
    return "none" if abs(rounded - 1) < 0.01 else f"gamma:exponent={rounded:g}"
