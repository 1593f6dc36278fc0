"""The pages of a TIFF file: how many frames its metadata promise, how many are there whole, and which samples are alpha."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from c2b.video import orientation
from sensors.refusal import Refusal

if TYPE_CHECKING:
    import tifffile

_ORIENTATION = 274
_ASSOCIATED, _UNASSOCIATED = 1, 2  # of ExtraSamples
_ALPHA = (_ASSOCIATED, _UNASSOCIATED)


class Frames(NamedTuple):
    """Where the frames of a file lie.

    Attributes
    ----------
    there : int
        How many are whole.
    missing : str
        Empty, or how many there should be: ``"20"``, ``"at least 13"``.
    offset : int or None
        Where the first begins, if they lie one after the other.
    pages : list
        Else the pages that are whole; one may hold all frames.
    """

    there: int
    missing: str
    offset: int | None
    pages: list[Any]


def find_frames(file: tifffile.TiffFile, count: int, frame: tuple[int, ...], *, broken: bool) -> Frames:
    """Find the frames of a file and what is missing of them.

    Parameters
    ----------
    count : int
        How many tifffile makes out.
    frame : tuple of int
        Shape of one as stored.
    broken : bool
        Whether the chain of pages ends before it says.
    """
    series, promised = file.series, promised_frames(file)
    offset = series[0].dataoffset if len(series) == 1 else None
    pages: list[Any] = []
    if offset is not None:
        count = max(count, promised)
        there = min(count, max(0, file.filehandle.size - offset) // (math.prod(frame) * series[0].dtype.itemsize))
    else:
        pages = list(file.pages) if broken else [page for one in series for page in one.pages]
        together = len(pages) == 1 < count and not broken  # one page holds all frames
        count = max(count, promised, 0 if together else len(pages))
        pages = whole_pages(pages)
        there = count if together and pages else len(pages)
    if broken and promised <= 1:
        return Frames(there, f"at least {count + 1}", offset, pages)
    return Frames(there, str(count) if there < count else "", offset, pages)


def refuse_broken_off(file: tifffile.TiffFile, where: object, *, broken: bool) -> None:
    """A Refusal if frames of the first series are missing, for readers that take a file whole; tifffile makes some of them zeros."""
    series = file.series[0]
    page = series.keyframe.shape
    found = find_frames(file, math.prod(series.shape) // max(1, math.prod(page)), page, broken=broken)
    if found.missing:
        raise Refusal(f"{where} is cut short: it holds {found.there} of {found.missing} frames")


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
    multiplied = any(int(sample) == _ASSOCIATED for sample in page.extrasamples)
    dropped = {"alpha": "dropped" + "; the samples stay multiplied by it, as on black" * multiplied} if alpha else {}
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
