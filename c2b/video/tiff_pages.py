"""The pages of a TIFF file: how many frames its metadata promise, how many are there whole, and which samples are alpha."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from c2b.video import orientation
from sensors.refusal import Refusal

if TYPE_CHECKING:
    import tifffile

_ORIENTATION = 274
_ALPHA = (1, 2)  # of ExtraSamples: associated, unassociated


def promised_frames(file: tifffile.TiffFile) -> int:
    """Frames by the word of the file, in the first page's description (tifffile, ImageJ, OME); 0 if it says nothing of them."""
    series, page = file.series[0], file.pages.first
    if series.kind == "ome":
        return math.prod(series.shape) // math.prod(series.keyframe.shape)
    if file.is_imagej:
        return int((file.imagej_metadata or {}).get("images", 0))
    if file.is_shaped and page.description.startswith("{"):
        shape = json.loads(page.description).get("shape", ())
        return math.prod(shape) // math.prod(page.shape)
    return 0


def whole_pages(pages: Iterable[Any]) -> list[Any]:
    """Those before the first that is missing or whose pixels end beyond the file; an OME-TIFF may have pages in several files."""
    return list(takewhile(_is_whole, pages))


def orientation_of(page: Any) -> int:
    """1 to 8, as `c2b.video.orientation` has them."""
    tag = page.tags.get(_ORIENTATION)
    return orientation.known(tag and int(tag.value))


def channels_of(page: Any, samples: int, where: object) -> tuple[int, dict[str, str]]:
    """1 for grey or 3 for colour, and in words what of the samples of a pixel is dropped.

    Raises
    ------
    Refusal
        If what the samples are is not said.
    """
    alpha = alpha_samples(page)
    others = samples - alpha
    dropped = {"alpha": "dropped"} if alpha else {}
    if page.photometric == 2 and others >= 3:  # red, green, blue
        return 3, dropped | ({"samples": f"{others - 3} beside red, green and blue dropped"} if others > 3 else {})
    if others not in (1, 3):
        raise Refusal(f"{where} has {samples} samples a pixel and does not say what they are; save frames of one sample, or as rgb")
    return others, dropped


def alpha_samples(page: Any) -> int:
    """How many samples of a pixel are opacity."""
    return sum(int(sample) in _ALPHA for sample in page.extrasamples)


def _is_whole(page: Any) -> bool:
    if page is None:
        return False
    ends = (offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True))
    return max(ends, default=0) <= page.parent.filehandle.size
