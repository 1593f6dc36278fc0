"""A window on a recording: some of its frames, a crop, its luma, another size. Nothing is read before the window is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from c2b.video.recording import Recording
from c2b.video.view import View
from sensors.colour_filter import PATTERNS, shifted
from sensors.refusal import Refusal


class Window(View):
    """The lazy part of ``whole`` that `Recording.window` describes: frames, then crop, then channels, then size."""

    def __init__(
        self,
        whole: Recording,
        *,
        frames: slice | None = None,
        rows: slice | None = None,
        columns: slice | None = None,
        channels: Literal["luma", "rgb"] | None = None,
        resize: tuple[int, int] | None = None,
    ) -> None:
        if channels not in (None, "luma", "rgb"):
            raise Refusal(f"channels must be luma or rgb, not {channels!r}")
        everything = slice(None)
        super().__init__(whole)
        self._frames = _part(whole, "frames", len(whole), frames or everything)
        self._frame_index = whole.frame_index[frames or everything]
        self._rows = _part(whole, "rows", whole.height, rows or everything)
        self._columns = _part(whole, "columns", whole.width, columns or everything)
        self._resize = _size(resize)
        self._to_luma = channels == "luma" and whole.colour != "mono"
        self._to_rgb = channels == "rgb" and whole.colour != "rgb"
        if whole.colour not in ("mono", "rgb") and (channels or resize):
            raise Refusal(f"{whole.path} is a {whole.colour} mosaic, which can only be cropped; demosaic it first")

        if whole.rate is not None:
            self.rate = whole.rate / abs(self._frames.step)
        start = (self._rows.start, self._columns.start)
        self.colour = shifted(whole.colour, start) if whole.colour in PATTERNS else whole.colour
        self.colour = "mono" if self._to_luma else "rgb" if self._to_rgb else self.colour
        height, width = self._resize or (len(self._rows), len(self._columns))
        self.shape = (len(self._frames), height, width, *((3,) if self.colour == "rgb" else ()))

    @property
    def frame_index(self) -> Sequence[int]:
        return self._frame_index

    @property
    def crop(self) -> tuple[float, float, float, float]:
        top, left, height, width = self._whole.crop
        down, across = height / self._whole.height, width / self._whole.width
        corner = top + self._rows.start * down, left + self._columns.start * across
        size = len(self._rows) * down, len(self._columns) * across
        a, b, c, d = (int(x) if x == int(x) else x for x in (*corner, *size))
        return a, b, c, d

    def _read(self, frames: range) -> NDArray:
        block = self._cropped(frames, luma=self._to_luma)
        if self._resize:
            block = _resized(block, self._resize)
        return np.repeat(block[..., None], 3, axis=-1) if self._to_rgb else block

    def _read_luma(self, frames: range) -> NDArray:
        # Cropping and luma commute, so a format that has the luma at hand is still asked for it; resizing rounds, and does not.
        return super()._read_luma(frames) if self._resize or self._to_rgb else self._cropped(frames, luma=True)

    def _cropped(self, frames: range, *, luma: bool) -> NDArray:
        inside = self._frames[frames.start : frames.stop : frames.step]
        block = self._whole.luma(inside) if luma else self._whole.read(inside)
        return block[:, self._rows.start : self._rows.stop, self._columns.start : self._columns.stop]


def _part(whole: Recording, what: str, length: int, wanted: slice) -> range:
    try:
        part = range(length)[wanted]
    except (TypeError, ValueError):
        raise Refusal(f"{what} {_text(wanted)} is not a range; write first:last or first:last:step in whole numbers") from None
    if not part:
        raise Refusal(f"{what} {_text(wanted)} of {whole.path} are none: it has {length} {what}")
    if what != "frames" and part.step != 1:
        raise Refusal(f"{what} {_text(wanted)}: a crop has no step; resize instead")
    return part


def _text(part: slice) -> str:
    edges = (part.start, part.stop) if part.step is None else (part.start, part.stop, part.step)
    return ":".join("" if edge is None else str(edge) for edge in edges)


def _size(resize: tuple[int, int] | None) -> tuple[int, int] | None:
    if resize is None:
        return None
    if len(resize) != 2 or any(n != int(n) or n < 1 for n in resize):
        raise Refusal(f"a size is (height, width) in whole pixels, not {resize}")
    return int(resize[0]), int(resize[1])


def _resized(block: NDArray, size: tuple[int, int]) -> NDArray:
    """Lanczos with antialiasing, as Pillow does it; 16 bit goes through float32 and is rounded and clipped back."""
    from PIL import Image

    def one(plane: NDArray) -> NDArray:
        return np.asarray(Image.fromarray(np.ascontiguousarray(plane)).resize(size[::-1], Image.Resampling.LANCZOS))

    out = np.empty((len(block), *size, *block.shape[3:]), block.dtype)
    for target, frame in zip(out, block, strict=True):
        if block.dtype == np.uint8:
            target[...] = one(frame)
            continue
        for channel in np.ndindex(frame.shape[2:]):
            values = one(frame[..., *channel].astype(np.float32))
            target[..., *channel] = np.rint(values).clip(0, np.iinfo(block.dtype).max) if block.dtype.kind == "u" else values
    return out
