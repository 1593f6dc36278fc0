"""Pictures of codes and captures for a page: what each pixel of a tile does in each sub-exposure, and pixels of a capture close up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from c2b.report.compared import LineUp
from c2b.report.sprites import picture_uri
from c2b.report.viewer import scaled

#: Pixels of a code that are shown, at most, and across which a tile is drawn.
MOST, TILE = 16, 40

#: Tiles in a row of the picture of a code.
ROW = 16

#: Pixels of a capture close up: rows, columns.
CLOSE_UP = 30, 40

_ONE, _ZERO = np.array([11, 79, 125]), np.array([222, 228, 234])  # as in c2b.plots.code_picture
_GAP = 4


@dataclass(frozen=True)
class CodePicture:
    """A code: its name, its mask in words, and a picture of it."""

    name: str
    mask: str
    picture: str
    width: int
    height: int
    cut: bool


@dataclass(frozen=True)
class CapturePicture:
    """A camera, and its buckets close up."""

    name: str
    buckets: Sequence[str]


def pictures_of(compared: LineUp) -> tuple[list[CodePicture], dict[str, list[CapturePicture]]]:
    """Every code, and by light every camera whose capture is in the store, each once."""
    codes: dict[str, CodePicture] = {}
    captures: dict[tuple[float, str, str], CapturePicture] = {}
    for series in compared.series:
        name = compared.name(series, without=("belief", "method", "light", "speed"))
        light = compared.light(series)
        key = inf if light is None else light, compared.said(series, "light"), name
        if key in captures:
            continue
        row = next(iter(series.rows.values()))
        for cell, place in [*compared.store.frames_of(compared.store.known(row.digest, row.digest)).values()][:1]:
            frames = compared.store.load(cell)
            codes.setdefault(series.code, _code(series.code, row.mask, frames.code[place]))
            closer = [picture_uri(scaled(_middle(bucket), row.response)) for bucket in frames.capture[place]]
            captures[key] = CapturePicture(name, closer)
    lit: dict[str, list[CapturePicture]] = {}
    for (_, words, _), capture in sorted(captures.items(), key=lambda item: item[0][0]):
        lit.setdefault(words, []).append(capture)
    return [*codes.values()], lit


def _code(name: str, mask: str, code: NDArray) -> CodePicture:
    image = code_image(code)
    return CodePicture(name, mask, picture_uri(image), image.shape[1], image.shape[0], max(code.shape[1:]) > MOST)


def code_image(code: NDArray) -> NDArray[np.uint8]:
    """Tiles of a code (T, p, q) one after another, or their first pixels: RGBA (H, W, 4), transparent between them."""
    tiles = np.asarray(code, np.float32)[:, :MOST, :MOST]
    each = max(2, TILE // max(tiles.shape[1:]))
    drawn = [np.kron(tile, np.ones((each, each), np.float32)) for tile in tiles]
    lines = [_beside(drawn[first : first + ROW], min(len(drawn), ROW)) for first in range(0, len(drawn), ROW)]
    share = np.concatenate(lines)[..., None]
    colour = np.rint(_ZERO + np.nan_to_num(share) * (_ONE - _ZERO))
    return np.concatenate([colour, np.where(np.isnan(share), 0, 255)], -1).astype(np.uint8)


def _beside(tiles: Sequence[NDArray[np.float32]], columns: int) -> NDArray[np.float32]:
    """A row of tiles with gaps of NaN."""
    height, width = tiles[0].shape
    line = np.full((height + _GAP, columns * (width + _GAP)), np.nan, np.float32)
    for k, tile in enumerate(tiles):
        line[:height, k * (width + _GAP) : k * (width + _GAP) + width] = tile
    return line


def _middle(bucket: NDArray) -> NDArray:
    """The pixels in the middle of a bucket (H, W[, 3])."""
    starts = [max(0, (side - part) // 2) for side, part in zip(bucket.shape, CLOSE_UP, strict=False)]
    return np.asarray(bucket[starts[0] : starts[0] + CLOSE_UP[0], starts[1] : starts[1] + CLOSE_UP[1]])
