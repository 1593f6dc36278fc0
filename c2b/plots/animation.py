"""Videos side by side, each under its name, looping: what a still cannot show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import get_data_path
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from c2b.plots.figure_style import INK, PAPER, array_of
from c2b.plots.strip import display
from sensors.atomic_file import atomic_file
from sensors.refusal import Refusal

SUFFIXES = ".gif", ".png"
WIDEST = 640  # pixels per video

_SMALLEST = 240  # below, pixels are enlarged as blocks
_GAP, _NAME = 8, 26  # pixels between videos, and for the names above them


def write_animation(
    path: str | Path,
    videos: Mapping[str, ArrayLike],
    *,
    rate: float = 6.0,
    white: float = 1.0,
    encode: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
    widest: int = WIDEST,
) -> Path:
    """Write a looping GIF, or an animated PNG (true colour, several times larger), by the suffix.

    Parameters
    ----------
    videos : mapping of str to array_like, (T, H, W) or (T, H, W, 3)
        Names and videos of one frame size. A video of one frame, such as a blurred image, stands still beside the others.
    rate : float
        Frames per second.
    white, encode
        As for `c2b.plots.strip.strip_figure`.
    widest : int
        Pixels that a video may be wide; wider ones are reduced, small ones enlarged by a whole factor.

    Raises
    ------
    Refusal
        If there is nothing to show, sizes or lengths differ, values are not finite, the rate is not positive, or the suffix is
        neither.
    OSError
        As the system reports it.

    Notes
    -----
    Grey videos keep all 256 levels. Colour in a GIF shares one palette over all frames, so that nothing flickers. Pillow joins
    frames that are exactly alike into one of twice the duration.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise Refusal(f"cannot write an animation as {path.name}; name it {path.stem}{' or '.join(SUFFIXES)}")
    if not rate > 0:
        raise Refusal(f"an animation needs a positive rate in frames per second, not {rate}")
    shown = _aligned(videos)
    pictures = list(_pictures(shown, white, encode, widest))
    if path.suffix.lower() == ".gif" and pictures[0].mode == "RGB":
        pictures = _one_palette(pictures)
    with atomic_file(path) as partial:
        pictures[0].save(partial, save_all=True, append_images=pictures[1:], duration=round(1000 / rate), loop=0)
    return path


def _aligned(videos: Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    arrays = {name: array_of(f"the video {name!r}", video, "T, H, W", "T, H, W, 3") for name, video in videos.items()}
    if not arrays:
        raise Refusal("there is no video to show")
    sizes = {array.shape[1:3] for array in arrays.values()}
    lengths = {len(array) for array in arrays.values()} - {1}
    if len(sizes) > 1 or len(lengths) > 1:
        raise Refusal(f"the videos differ in size {sorted(sizes)} or length {sorted(lengths)}; show the same frames of each")
    return arrays


def _pictures(videos: dict[str, NDArray[Any]], white: float, encode: Any, widest: int) -> Iterator[Image.Image]:
    """Every frame of the animation: grey if all videos are, else RGB."""
    mode = "RGB" if any(video.ndim == 4 for video in videos.values()) else "L"
    height, width = next(iter(videos.values())).shape[1:3]
    factor = max(1, _SMALLEST // width) if width <= widest else widest / width
    size = max(1, round(width * factor)), max(1, round(height * factor))
    how = Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.LANCZOS
    font = _font(15)
    page = Image.new(mode, (len(videos) * (size[0] + _GAP) + _GAP, size[1] + _NAME + _GAP), PAPER)
    draw = ImageDraw.Draw(page)
    for k, name in enumerate(videos):
        draw.text((_GAP + k * (size[0] + _GAP), _NAME / 2 + 1), _fitted(name, font, size[0]), fill=INK, font=font, anchor="lm")
    for t in range(max(map(len, videos.values()))):
        frame = page.copy()
        for k, video in enumerate(videos.values()):
            values = np.round(255 * display(video[min(t, len(video) - 1)], white, encode)).astype(np.uint8)
            frame.paste(Image.fromarray(values).resize(size, how), (_GAP + k * (size[0] + _GAP), _NAME))
        yield frame


def _one_palette(pictures: list[Image.Image]) -> list[Image.Image]:
    """The 256 colours that serve all frames best, judged on a montage of up to eight of them, reduced: k-means is slow."""
    some = [picture.reduce(4) for picture in pictures[:: -(-len(pictures) // 8)]]
    montage = Image.new("RGB", (some[0].width, some[0].height * len(some)))
    for k, picture in enumerate(some):
        montage.paste(picture, (0, k * picture.height))
    palette = montage.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=1)
    colours = np.array(palette.getpalette()).reshape(-1, 3)
    colours[colours.min(axis=1) > 248] = 255  # the paper stays white, not a neighbour of it
    palette.putpalette(colours.ravel().tolist())
    return [picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for picture in pictures]


def _font(size: int) -> Any:
    """The typeface of the figures, which matplotlib brings along."""
    return ImageFont.truetype(str(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)


def _fitted(name: str, font: Any, width: int) -> str:
    if font.getlength(name) <= width:
        return name
    while name and font.getlength(name + "…") > width:
        name = name[:-1]
    return name + "…"
