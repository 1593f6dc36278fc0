"""The sidecar: a JSON file beside a video with the facts that the video file itself cannot hold.

``clip.mkv`` has ``clip.mkv.json``, a folder of images has ``video.json`` inside. `c2b.video.writing` writes it; by hand it may be
as short as ``{"white": 4095, "rate": 30000}``. Facts: ``white``, ``black``, ``response``, ``rate`` (frames per second),
``shutter`` (s), ``colour``, ``layout`` (of a dump, `c2b.video.packed_dump`) and ``record`` (any object); ``frames``, ``height`` and
``width`` have to be true; a recording that was broken off is read where ``frames`` says how many it has. A measurement takes ``code``,
``sensor``, ``axes`` and ``origin`` beside white and black (`c2b.captures.given`). ``bytes``, which this program writes, and ``sha256``
are those of the file that the facts are about: beside another one a sidecar is ignored, and `Recording.notes` says so. Other keys are
refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from c2b import json_file
from sensors import spec
from sensors.colour_filter import PATTERNS
from sensors.refusal import Refusal
from sensors.response import make as make_response

if TYPE_CHECKING:
    from c2b.video.recording import Recording

SCHEMA = "c2b-video/1"

#: Facts of the file that a sidecar is about.
OF_THE_FILE = ("bytes", "sha256")

#: What a sidecar may hold.
KEYS = ("white", "black", "response", "rate", "shutter", "colour", "layout", "record", "frames", "height", "width", "dtype", "code",
        "sensor", "axes", "origin", "schema", *OF_THE_FILE)  # fmt: skip

#: Name of the sidecar inside a folder of images.
INSIDE = "video.json"

#: Largest number that is a fact; more could not be calculated with.
LARGEST = 1e30


def beside(path: Path) -> Path:
    """Where the sidecar of a file or folder lies."""
    return path / INSIDE if path.is_dir() else path.with_name(path.name + ".json")


def apply(recording: Recording, given: Mapping[str, Any]) -> Recording:
    """Give a recording what its sidecar says, and over that what the user says.

    A sidecar that calls colour frames ``mono``, as video codecs need them, makes them their luma.

    Raises
    ------
    Refusal
        If the sidecar is damaged, or a fact cannot be true of this recording; it names the sidecar. If the recording is broken off
        and the sidecar does not say so.
    """
    path = beside(recording.path)
    found = read(recording.path)
    if (other := of_another_file(found, recording.path)) and not _cut_short(recording, found):
        recording.note(other)
        found = {}
    facts = {**found, **given}
    if recording.broken_off and facts.get("frames") != len(recording):
        wanted = f'; to use what is there, write {{"frames": {len(recording)}}} into {path}'
        raise Refusal(f"{recording.path} is cut short: {recording.broken_off}{wanted}")
    try:
        for key in ("white", "black"):
            if key in facts:
                setattr(recording, key, _number(key, facts[key]))
        recording.white_stated = recording.white_stated or "white" in facts
        if facts.get("schema") == SCHEMA and given.keys().isdisjoint(("white", "black")):
            recording.doubted = False  # written by c2b, which knew
        if recording.white == recording.black:
            raise ValueError(f"white and black are both {recording.white}")
        if recording.white < recording.black:
            raise ValueError(f"white is {recording.white}, below black, which is {recording.black}")
        for key, size in (("frames", len(recording)), ("height", recording.height), ("width", recording.width)):
            if facts.get(key, size) != size:
                raise ValueError(f"{key} is {facts[key]} and the video has {size}: it is cut short, or of another video")
        for key in ("rate", "shutter"):
            if facts.get(key) is not None:
                setattr(recording, key, _positive(key, facts[key]))
        recording.rate_nominal = recording.rate_nominal and facts.get("rate") is None
        recording.response = str(make_response(str(facts.get("response", recording.response))))
        recording.record = {**recording.presentation, **_record(facts.get("record", dict(recording.record)))}
        colour = _colour(facts.get("colour", recording.colour), len(recording.shape) == 4)
    except ValueError as error:
        raise Refusal(f"{path if path.is_file() else recording.path}: {error}") from None
    if colour == "mono" and recording.colour == "rgb":
        return recording.window(channels="luma")
    recording.colour = colour
    return recording


def text(facts: Mapping[str, Any]) -> str:
    """The content of a sidecar.

    Raises
    ------
    Refusal
        If a fact is not JSON: text, finite numbers, lists and objects (arrays are written as lists).
    """
    try:
        return json.dumps({"schema": SCHEMA, **facts}, indent=1, default=_plain, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise Refusal(f"the record of a video must be JSON: {error}") from None


def read(of: Path) -> dict[str, Any]:
    """The facts in the sidecar of a file or folder, none if it has none; a Refusal if it is damaged."""
    path = beside(of)
    if not path.is_file():
        return {}
    try:
        facts = json_file.read(path)
    except ValueError as error:
        raise Refusal(f"{path} is damaged ({error}); mend it or remove it") from None
    if not isinstance(facts, dict):
        raise Refusal(f'{path} is damaged: a sidecar is one JSON object such as {{"white": 4095}}; mend it or remove it')
    for key in facts:
        if key not in KEYS:
            raise Refusal(f"{path}: {spec.unknown('key', key, KEYS)}")
    return facts


def of_another_file(facts: Mapping[str, Any], of: Path) -> str:
    """Why the facts of a sidecar are those of another file than the one it lies beside, or nothing."""
    if not of.is_file():
        return ""
    has: dict[str, int | str] = {"bytes": of.stat().st_size} if "bytes" in facts else {}
    if "sha256" in facts:
        with of.open("rb") as file:
            has["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    for key in OF_THE_FILE:
        if key in has and facts[key] != has[key]:
            return f"{beside(of)} is about a file with {key} {facts[key]} and {of} has {has[key]}; it is ignored"
    return ""


def _cut_short(recording: Recording, facts: Mapping[str, Any]) -> bool:
    """Whether the file is what is left of the one that the facts are about."""
    size = all(facts.get(key) == getattr(recording, key) for key in ("height", "width"))
    frames, length = facts.get("frames"), facts.get("bytes")
    less = isinstance(length, int) and recording.path.stat().st_size < length
    return size and less and isinstance(frames, int) and len(recording) <= frames


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < LARGEST:
        raise ValueError(f"{key} must be a number, not {value!r}")
    return float(value)


def _positive(key: str, value: Any) -> float:
    if _number(key, value) <= 0:
        raise ValueError(f"{key} must be above 0, not {value!r}")
    return float(value)


def _colour(value: Any, three_channels: bool) -> str:
    allowed = ("rgb", "mono") if three_channels else ("mono", *PATTERNS)
    if value not in allowed:
        raise ValueError(f"colour {value!r} does not fit these frames; it can be {' or '.join(allowed)}")
    return value


def _record(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"record must be a JSON object, not {value!r}")
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, range):
        return list(value)
    raise TypeError(f"{type(value).__name__} {value!r}")
