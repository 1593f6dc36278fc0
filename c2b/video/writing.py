"""Video to file: irradiance is encoded and rounded where the format holds integers, integers go as they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from c2b import captures
from c2b.video import FORMATS, sidecar
from c2b.video.plausibility import refuse_not_finite
from c2b.video.recording import Recording
from sensors import spec
from sensors.atomic_file import atomic_file
from sensors.refusal import Refusal
from sensors.response import Response
from sensors.response import make as make_response

#: Frames taken at a time from an array that may not be in memory.
BLOCK = 16

NOMINAL_RATE = 30.0


def write_video(
    path: str | Path,
    video: ArrayLike | Recording,
    *,
    response: str | None = None,
    rate: float | None = None,
    white: float | None = None,
    record: Mapping[str, Any] | None = None,
    progress: Callable[[Iterable[NDArray], int, str], Iterator[NDArray]] | None = None,
) -> None:
    """Write a video and its sidecar (`c2b.video.sidecar`), so that `read_video` gives back its irradiance.

    =================  ==================  =====================  ====================
    path               float, grey         float, colour          uint8, uint16
    =================  ==================  =====================  ====================
    folder             16 bit PNG          8 bit PNG              as they are
    .tif, .npy         float32             float32                as they are
    .mkv, .avi         8 bit, lossless     8 bit, lossless        as they are
    .mp4, .mov         8 bit, display      8 bit, display         rescaled to 8 bit, display
    =================  ==================  =====================  ====================

    Parameters
    ----------
    path : str or Path
        A path without a suffix or with a slash at its end is a folder of images.
    video : array_like, (T, H, W) or (T, H, W, 3), or Recording
        Float: irradiance, 1 = white. uint8, uint16 (bool counts as 0 and white): stored values. A memory map or recording is read
        in blocks. A recording is converted: response, levels, rate and record are its own unless given here.
    response : str, optional
        With which irradiance is clipped to [0, 1] and encoded into an integer format (a float format keeps it linear), or with
        which integer frames are encoded already; default ``none``.
    rate : float, optional
        Frames per second; default 30, or what a recording knows of itself. A container plays faster and unknown ones at 30; the
        sidecar keeps the true rate.
    white : float, optional
        The value of white in integer frames, such as 4095; default: the largest of the dtype.
    record : mapping, optional
        Anything JSON worth keeping: method, frame_index, crop ...
    progress : callable, optional
        Handed the frames, their number and what is done; passes them on.

    Raises
    ------
    Refusal
        If the path, the shape or the dtype cannot be written, a frame holds NaN or infinite values, or the record is not JSON.
    """
    kind, folder = _kind_of(path)
    path = Path(path)
    _refuse_in_the_way(path, folder)
    frames: Any = video if hasattr(video, "shape") and hasattr(video, "dtype") else np.asarray(video)
    shape, given = tuple(frames.shape), _given_dtype(np.dtype(frames.dtype))
    if len(shape) not in (3, 4) or shape[3:] not in ((), (3,)) or 0 in shape:
        raise Refusal(f"cannot write {path}: a video is (frames, height, width) or (frames, height, width, 3), not {shape}")
    stored = kind.stores(path, given, len(shape) == 4)
    facts = {"colour": "rgb" if len(shape) == 4 else "mono", **_facts(video, given, response, rate, white, record)}
    converted = _converted(frames, path, stored, *_encoded(video, given, stored, facts))
    about = {"frames": shape[0], "height": shape[1], "width": shape[2], "dtype": stored.name, **facts}
    text = sidecar.text(about)
    if progress:
        converted = progress(converted, shape[0], "write")
    played = facts["rate"] or NOMINAL_RATE
    if folder:
        with atomic_file(path) as partial:
            kind.write(partial, converted, shape, stored, played)
            (partial / sidecar.INSIDE).write_text(text, encoding="utf-8")
    else:
        with atomic_file(sidecar.beside(path)) as beside, atomic_file(path) as partial:
            kind.write(partial, converted, shape, stored, played)
            beside.write_text(sidecar.text({**about, "bytes": partial.stat().st_size}), encoding="utf-8")


def loss(path: str | Path, video: NDArray | Recording) -> str:
    """What `write_video` to that path does not keep of these frames, in a few words; empty if it keeps all.

    Raises
    ------
    Refusal
        If the path or the dtype cannot be written.
    """
    kind, _ = _kind_of(path)
    given = _given_dtype(np.dtype(video.dtype))
    stored = kind.stores(Path(path), given, len(video.shape) == 4)
    rounded = f"rounded to {8 * stored.itemsize} bit" if stored != given else ""
    return " and ".join(filter(None, (rounded, kind.loses(Path(path)))))


def _kind_of(path: str | Path) -> tuple[type[Recording], bool]:
    """The format that a path names, and whether it is a folder."""
    folder = os.fspath(path).endswith(("/", os.sep)) or not Path(path).suffix
    return spec.find(FORMATS, "video format", "image-folder" if folder else _format_of(Path(path))), folder


def _refuse_in_the_way(path: Path, folder: bool) -> None:
    """Before the work, not after it: what `atomic_file` would refuse to replace."""
    if path.exists() and path.is_dir() != folder:
        raise Refusal(f"cannot write {path}: a {'folder' if path.is_dir() else 'file'} of that name is in the way")
    if folder and path.is_dir() and any(path.iterdir()) and not (path / sidecar.INSIDE).exists():
        raise Refusal(f"cannot write {path}: the folder holds other files; name a new folder")


def _format_of(path: Path) -> str:
    if captures.format_of(path):
        raise Refusal(f"cannot write {path}: captures are named so; name a video otherwise, such as NAME.tif")
    known: list[str] = []
    for name in FORMATS:
        suffixes = spec.find(FORMATS, "video format", name).suffixes
        if path.suffix.lower() in suffixes:
            return name
        known += suffixes
    raise Refusal(f"cannot write {path}: known suffixes are {', '.join(known)}; for a folder of images end the path in /")


def _encoded(video: Any, given: np.dtype, stored: np.dtype, facts: dict[str, Any]) -> tuple[Response, tuple[float, float]]:
    """The response and the levels with which frames become stored ones; ``facts`` is made to say what these then are."""
    levels, encoding = (facts["black"], facts["white"]), make_response("none")
    if given.kind == "f" and getattr(video, "response", "none") == "none":  # irradiance
        if stored.kind == "f":
            facts["response"] = "none"
        encoding = make_response(facts["response"])
    if stored != given:
        facts["black"], facts["white"] = 0.0, float(np.iinfo(stored).max)
    return encoding, levels


def _given_dtype(dtype: np.dtype) -> np.dtype:
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind == "u" and dtype.itemsize <= 2:
        return dtype.newbyteorder("=")
    if dtype.kind == "f":
        return np.dtype(np.float32)
    raise Refusal(f"a video of {dtype.name} cannot be written; give irradiance as float, or uint8 or uint16 frames")


def _facts(
    video: Any, given: np.dtype, response: str | None, rate: float | None, white: float | None, record: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What the sidecar says of the frames as given."""
    whole = float(np.iinfo(given).max) if given.kind == "u" else 1.0
    facts: dict[str, Any] = {"white": whole, "black": 0.0, "response": "none"}
    facts |= {"rate": NOMINAL_RATE, "shutter": None, "record": {}}
    if isinstance(video, Recording):
        facts |= {key: getattr(video, key) for key in (*facts, "colour")}
        facts["rate"] = None if video.rate_nominal else video.rate
    wanted = None if response is None else str(make_response(response))
    if wanted is not None and facts["response"] not in ("none", wanted):
        raise Refusal(f"the frames of {video.path} have response {facts['response']} and cannot be written as {wanted}")
    for key, value in {"response": wanted, "rate": rate, "white": white, "record": record}.items():
        if value is not None:
            facts[key] = dict(value) if isinstance(value, Mapping) else value
    if facts["rate"] is not None and not 0 < facts["rate"] < float("inf"):
        raise Refusal(f"a rate is frames per second above 0, not {facts['rate']}")
    if facts["white"] == facts["black"]:
        raise Refusal(f"white and black are both {facts['white']}")
    return facts


def _converted(frames: Any, path: Path, stored: np.dtype, encoding: Response, levels: tuple[float, float]) -> Iterator[NDArray]:
    """The frames one by one as they will be stored."""
    black, white = levels
    for start in range(0, frames.shape[0], BLOCK):
        block = np.asarray(frames[start : start + BLOCK])
        if block.dtype.kind == "b":
            block = block.view(np.uint8) * np.uint8(255)
        for number, frame in enumerate(block, start):
            if frame.dtype.kind == "f":
                refuse_not_finite(frame, f"cannot write {path}", number)
            if stored == _given_dtype(block.dtype):
                yield frame.astype(stored, copy=False)
            else:
                values = encoding.encode(((frame - np.float32(black)) / np.float32(white - black)).clip(0, 1))
                yield np.rint(values * np.iinfo(stored).max).astype(stored)
