"""Frames for a page: each video as one picture in which its frames lie side by side, as large and as true as there is room for."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Frames begin at multiples of so many pixels, the blocks of the compression, so that no frame colours its neighbour.
BLOCK = 16

#: Largest side of a picture, in pixels: that of WebP.
LARGEST = 16383

#: Format, scale of the frames and quality, in the order in which they are tried. JPEG keeps colour at full resolution, WebP is smaller.
RUNGS = (
    *(("jpeg", 1.0, 92), ("webp", 1.0, 92), ("webp", 1.0, 84), ("webp", 1.0, 75)),
    *(("webp", 0.75, 80), ("webp", 0.5, 80), ("webp", 0.375, 75), ("webp", 0.25, 70)),
)

#: Sprites by which the size of all is judged before all are made.
JUDGED = 24

#: Share of the room that they may seem to need.
SAFE = 0.95


@dataclass(frozen=True)
class Sprite:
    """Frames in one picture, row by row.

    Parameters
    ----------
    file : str
        The file in base64.
    frames, width, height : int
        How many, and their size as they are shown.
    columns, across, down : int
        Frames in a row, and pixels from one to the next.
    """

    file: str
    frames: int
    width: int
    height: int
    columns: int
    across: int
    down: int


@dataclass(frozen=True)
class Sprites:
    """What fitted.

    Parameters
    ----------
    by : mapping of str to Sprite
        Without those for which there was no room.
    kind, scale, quality : str, float, int
        The rung of `RUNGS`.
    fidelity : float
        PSNR of the frames as they are shown to those that were computed, dB: the lowest of those by which the size was judged; of
        reduced frames, to the reduced ones.
    """

    by: Mapping[str, Sprite]
    kind: str
    scale: float
    quality: int
    fidelity: float


def sprites_of(videos: Mapping[str, NDArray[np.uint8]], room: int, told: Collection[str] = ()) -> Sprites:
    """Videos as sprites.

    Parameters
    ----------
    videos : mapping of str to ndarray, (T, H, W) or (T, H, W, 3)
        The most important ones first.
    room : int
        Bytes that all may take, in base64.
    told : collection of str, optional
        Those whose fidelity counts; all by default.
    """
    pixels = sum(video[..., 0].size if video.ndim == 4 else video.size for video in videos.values())
    names = list(videos)
    judged = [names[k] for k in sorted({round(place) for place in np.linspace(0, len(names) - 1, min(JUDGED, len(names)))})]
    for rung in RUNGS:
        some = {name: _sprite(videos[name], *rung) for name in judged}
        taken = sum(len(sprite.file) for sprite in some.values())
        share = sum(math.prod(videos[name].shape[:3]) for name in judged) / pixels if pixels else 1.0
        if taken <= SAFE * share * room or rung == RUNGS[-1]:
            found, left = {}, room
            for name, video in videos.items():
                sprite = some.get(name) or _sprite(video, *rung)
                if (left := left - len(sprite.file)) < 0:
                    break
                found[name] = sprite
            if len(found) == len(videos) or rung == RUNGS[-1]:
                counting = [name for name in judged if name in told or not told]
                fidelity = min((_fidelity(videos[name], some[name], rung[1]) for name in counting), default=math.inf)
                return Sprites(found, *rung, fidelity)
    raise AssertionError("the last rung is always taken")


def _sprite(video: NDArray[np.uint8], kind: str, scale: float, quality: int) -> Sprite:
    frames = _scaled(video, scale)
    count, height, width = frames.shape[:3]
    across, down = (-(-side // BLOCK) * BLOCK for side in (width, height))
    columns = min(count, max(1, round(math.sqrt(count * down / across))), LARGEST // across)
    lines = -(-count // columns)
    padding = [(0, lines * columns - count), (0, down - height), (0, across - width)] + [(0, 0)] * (frames.ndim - 3)
    grid = np.pad(frames, padding, mode="edge").reshape(lines, columns, down, across, *frames.shape[3:])
    sheet = Image.fromarray(np.ascontiguousarray(grid.swapaxes(1, 2)).reshape(lines * down, columns * across, *frames.shape[3:]))
    file = io.BytesIO()
    sheet.save(file, kind, quality=quality, **({"method": 2} if kind == "webp" else {"subsampling": 0}))
    return Sprite(base64.b64encode(file.getvalue()).decode(), count, width, height, columns, across, down)


def _scaled(video: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Frames reduced so far, and at least so far that a sprite can hold them."""
    count, height, width = video.shape[:3]
    scale = min(scale, (LARGEST - BLOCK) / width, (LARGEST - BLOCK) / height, LARGEST / (1.5 * math.sqrt(count * height * width)))
    if scale >= 1:
        return np.asarray(video)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.stack([np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS)) for frame in np.asarray(video)])


def _fidelity(video: NDArray[np.uint8], sprite: Sprite, scale: float) -> float:
    true = _scaled(video, scale)[:1]
    sheet = Image.open(io.BytesIO(base64.b64decode(sprite.file))).convert("RGB" if video.ndim == 4 else "L")
    shown = np.asarray(sheet)[None, : sprite.height, : sprite.width]
    error = float(np.square(shown.astype(np.float64) - true).mean())
    return 10 * math.log10(255**2 / error) if error > 0 else math.inf


def picture_uri(image: NDArray[np.uint8] | Sequence[Sequence[int]]) -> str:
    """A small picture, (H, W), (H, W, 3) or (H, W, 4), as the address of an ``img``."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(image, np.uint8)).save(file, "png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
