"""A reconstruction beside its truth: the same frames, the same crop and size, the same encoding."""

from __future__ import annotations

from dataclasses import replace
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b import codes
from c2b.source import Part
from c2b.video.recording import Recording
from recon.demosaicing import demosaic
from recon.lazy_frames import LazyFrames
from sensors import spec
from sensors.colour_filter import PATTERNS
from sensors.refusal import Refusal
from sensors.response import Response
from sensors.response import make as make_response

#: Size of the frames of a protocol, (height, width), to which they are resized by Lanczos.
PROTOCOL_SIZES = {"codedblurred": (720, 1200)}


def protocol_part(protocol: str | None, part: Part) -> Part:
    """The part of a video that a protocol takes: at its size, unless another size or a crop is asked for."""
    size = PROTOCOL_SIZES.get(protocol or "")
    return part if size is None or part.rows or part.columns or part.resize else replace(part, resize=f"{size[1]}x{size[0]}")


def matched(
    video: Recording, truth: Recording, *, size: tuple[int, int] | None = None, encode: str | None = None
) -> tuple[LazyFrames, LazyFrames]:
    """Both as the source stores them, 1 = white, (N, K, H, W[, 3]); read when a frame is asked for, while both are open.

    Parameters
    ----------
    video : Recording
        Its record says which frames (N, T) of the source it shows, which crop, and which response was undone before exposure.
        Without one it is a single clip that starts at the first frame.
    truth : Recording
        The source. A mosaic is demosaicked, in linear light, where the video has three colours.
    size : (height, width), optional
        Resize both (Lanczos) if they are of another size.
    encode : str, optional
        Response by which light is encoded before it is compared; that of the source if absent.

    Raises
    ------
    Refusal
        If the truth lacks these frames, or the sizes differ.
    """
    record = video.record
    index = _numbers(video, "frame_index", [[*range(len(video))]], (-1, -1))
    if index.size != len(video):
        raise Refusal(
            f"{video.path} has {len(video)} frames but says it was made from {index.size}; its sidecar does not belong to it"
        )
    if index.max() >= len(truth):
        raise Refusal(f"{truth.path} has {len(truth)} frames; {video.path} shows frames up to {index.max()}")
    encoding = make_response(encode or str(record.get("response", video.response)))
    linear = str(record.get("response", video.response)) == "none"
    truth = _part(truth, video)
    if (video.height, video.width) != (truth.height, truth.width):
        raise Refusal(f"{video.path} is {video.height}x{video.width} and the truth {truth.height}x{truth.width}: sizes differ")
    if size:
        video, truth = (one if (one.height, one.width) == size else one.window(resize=size) for one in (video, truth))
    colours = truth.colour if truth.colour in PATTERNS and video.colour == "rgb" else ""
    rgb = video.colour == "rgb"
    shape = (*index.shape, video.height, video.width, *(3,) * rgb)

    def ours(n: int, t: int) -> NDArray:
        frame = n * index.shape[1] + t
        return encoding.encode(video.irradiance(frame, frame + 1))[0]

    def theirs(n: int, t: int) -> NDArray:
        return _stored(truth, encoding, linear, colours, int(index[n, t]))[0]

    return LazyFrames(shape, ours, colour=rgb), LazyFrames(shape, theirs, colour=rgb)


def seen_levels(video: Recording, white: float | None, black: float | None) -> dict[str, Any]:
    """White and black of the source: as given, else those with which it was exposed, where the video's record says that they were."""
    noted = {key: video.record.get(f"source_{key}") for key in ("white", "black")}
    known = {key: float(level) for key, level in noted.items() if isinstance(level, (int, float))}
    return {key: known.get(key) if level is None else level for key, level in (("white", white), ("black", black))}


def tile_of(video: Recording, truth: Recording) -> tuple[int, int] | None:
    """Rows and columns after which what pixels saw repeats, by the record of a video; None where it does not say its code."""
    try:
        tile = codes.make(str(video.record["code_spec"])).shape[-2:]
        colour = spec.parse(str(video.record.get("sensor_spec", "?")))[1].get("colour", truth.colour)
    except (KeyError, Refusal, OSError):
        return None
    colours = 2 if colour in PATTERNS else 1
    return lcm(tile[0], colours), lcm(tile[1], colours)


def _numbers(video: Recording, key: str, default: Any, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """What the record of a video says under ``key``: whole numbers from 0 on; -1 in ``shape`` is any length."""
    value = video.record.get(key)
    try:
        numbers = np.asarray(default if value is None else value, np.float64)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    fits = numbers.ndim == len(shape) and all(want in (-1, has) for want, has in zip(shape, numbers.shape, strict=True))
    if not fits or not numbers.size or not (numbers >= 0).all():
        raise Refusal(f"the record of {video.path} is damaged: its {key} is not made of numbers from 0 on")
    return np.rint(numbers).astype(np.int64)


def _part(truth: Recording, video: Recording) -> Recording:
    top, left, height, width = _numbers(video, "crop", truth.crop, (4,)).tolist()
    if top + height > truth.height or left + width > truth.width:
        part = f"rows {top}:{top + height}, columns {left}:{left + width}"
        raise Refusal(f"{truth.path} is {truth.height}x{truth.width}; the video was made from {part}")
    resize = None if video.record.get("resize") is None else _numbers(video, "resize", (), (2,)).tolist()
    return truth.window(
        rows=slice(top, top + height),
        columns=slice(left, left + width),
        channels=None if truth.colour in PATTERNS else "rgb" if video.colour == "rgb" else "luma",
        resize=resize,
    )


def _stored(truth: Recording, encoding: Response, linear: bool, mosaic: str, frame: int) -> NDArray:
    """One frame as it is compared, 1 = white: stored values whose response nobody states are what the simulation took them for."""
    light = truth.irradiance(frame, frame + 1)
    encoded = truth.response == "none" and not linear
    if mosaic:
        light = demosaic(encoding.decode(light) if encoded else light, mosaic)
        encoded = False
    return light if encoded else encoding.encode(light)
