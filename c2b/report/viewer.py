"""What the viewer of a page shows: truth, captures and reconstructions of the exposures whose frames were kept."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import PurePath
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from c2b.comparison_table import Row
from c2b.report.compared import Exposure, LineUp
from c2b.report.comparison_differences import Series
from c2b.report.sprites import Sprites, sprites_of
from sensors.refusal import Refusal
from sensors.response import make as make_response

#: Errors at the end of the colour scale that can be chosen; white is 1.
LIMITS = 0.05, 0.1, 0.2, 0.5

#: Reconstructions beside the truth when the page opens.
COLUMNS = 3

_TOLD, _TOLD_OF_FRAME = 400, 24  # bytes in which the script is told of a video, and of each of its frames, at most
_SHOWN = 0.1, 99.9  # percentiles at the ends of the grey scale of a capture


@dataclass(frozen=True)
class Shown:
    """One thing that the viewer shows.

    Parameters
    ----------
    name : str
    kind : str
        ``truth``, ``capture`` or ``video``.
    frames : ndarray of uint8, (T, H, W) or (T, H, W, 3)
        A capture has one.
    series : int
        Number of the series, of a video; else -1.
    psnr : sequence of float or None
        PSNR of each frame, dB; None where a frame is the truth itself.
    whole : float or None
        PSNR of all frames, dB.
    """

    name: str
    kind: str
    frames: NDArray[np.uint8]
    series: int = -1
    psnr: Sequence[float | None] = ()
    whole: float | None = None


@dataclass(frozen=True)
class View:
    """An exposure of a video that can be looked at, at some speed: what there is to show of it, the truth first."""

    video: str
    speed: int
    exposure: int
    shown: list[Shown] = field(default_factory=list)


@dataclass(frozen=True)
class Viewer:
    """What goes into the page.

    Parameters
    ----------
    views : sequence of View
    sprites : Sprites
    """

    views: Sequence[View]
    sprites: Sprites

    @property
    def missing(self) -> int:
        """Things for which there was no room."""
        return sum(len(view.shown) for view in self.views) - len(self.sprites.by)

    def packed(self, opening: Sequence[int]) -> tuple[dict[str, Any], list[str]]:
        """What the script of the page needs to know, and the sprites in two strings: those that are shown first, and the others.

        Parameters
        ----------
        opening : sequence of int
            Series that are shown when the page opens.
        """
        packs: list[list[str]] = [[], []]
        lengths = [0, 0]
        views = []
        ambiguous = len({view.video for view in self.views}) > len({short(view.video) for view in self.views})
        for n, view in enumerate(self.views):
            things = []
            for k, one in enumerate(view.shown):
                if sprite := self.sprites.by.get(key(n, k)):
                    pack = int(n > 0 or not (one.kind == "truth" or one.series in opening))
                    packs[pack].append(sprite.file)
                    start, lengths[pack] = lengths[pack], lengths[pack] + len(sprite.file)
                    place = {name: value for name, value in asdict(sprite).items() if name != "file"}
                    told = {"name": one.name, "kind": one.kind, "series": one.series, "psnr": one.psnr, "whole": one.whole}
                    things.append({"pack": pack, "start": start, "end": lengths[pack], **told, **place})
            if things:
                fast = f", every {view.speed} frames" if view.speed > 1 else ""
                video = view.video if ambiguous else short(view.video)
                views.append({"name": f"{video}{fast}, exposure {view.exposure}", "video": view.video, "shown": things})
        colours = np.rint(255 * matplotlib.colormaps["inferno"](np.arange(256))[:, :3]).astype(int)
        known = {"views": views, "opening": [*opening], "limits": LIMITS, "colours": colours.tolist(), "kind": self.sprites.kind}
        return known, ["".join(pack) for pack in packs]


def key(view: int, shown: int) -> str:
    """The name of a sprite."""
    return f"{view}-{shown}"


def views_of(compared: LineUp) -> list[View]:
    """Every exposure whose frames are in the store."""
    views: dict[tuple[str, int, int], View] = {}
    captures: dict[tuple[str, int, int], dict[str, Shown]] = {}
    for number, series in enumerate(compared.series):
        scores = {(one.video, one.seed, one.number): one for one in compared.exposures(series)}
        for (video, seed), row in _first_seeds(series).items():
            for exposure, (cell, place) in compared.store.frames_of(compared.store.known(row.digest, row.digest)).items():
                frames = compared.store.load(cell)
                where = video, row.speed, exposure
                view = views.setdefault(where, View(*where, []))
                if not view.shown:
                    view.shown.append(Shown("truth", "truth", frames.truth[place]))
                if frames.video[place].shape == view.shown[0].frames.shape:
                    view.shown.append(_video(compared, series, number, frames.video[place], scores[video, seed, exposure]))
                of = captures.setdefault(where, {})
                name = compared.name(series, without=("method", "speed"))
                if not any(one.startswith(f"{name}, ") for one in of):
                    of |= _captures(name, frames.capture[place], row.response)
    for where, view in views.items():
        view.shown.extend(captures[where].values())
    return [*views.values()]


def _first_seeds(series: Series) -> dict[tuple[str, int], Row]:
    """The row of the first seed of each video."""
    found: dict[str, tuple[tuple[str, int], Row]] = {}
    for key, row in series.rows.items():
        found.setdefault(row.video, (key, row))
    return dict(found.values())


def viewer_of(views: Sequence[View], room: int) -> Viewer | None:
    """The viewer; None if there is nothing to see.

    Parameters
    ----------
    views : sequence of View
    room : int
        Bytes for all frames, and what is told of them.
    """
    room -= sum(_TOLD + _TOLD_OF_FRAME * len(one.psnr) for view in views for one in view.shown)
    everything = {key(n, k): (k, one.frames) for n, view in enumerate(views) for k, one in enumerate(view.shown)}
    if not everything:
        return None
    first = dict(sorted(everything.items(), key=lambda item: item[1][0] > 0))  # the truth of every view before anything else
    judged = [key(n, k) for n, view in enumerate(views) for k, one in enumerate(view.shown) if one.kind != "capture"]
    return Viewer(views, sprites_of({name: frames for name, (_, frames) in first.items()}, room, judged))


def opening(compared: LineUp) -> list[int]:
    """Series worth seeing first, by number: the best of each sensor, or method, or code, at the most light, worst first."""
    lit = compared.levels[[*compared.levels][-1]]
    factor = next((name for name in ("sensor", "method", "code") if len({getattr(one, name) for one in lit}) > 1), "")
    best: dict[object, int] = {}
    for one in lit:
        best.setdefault(getattr(one, factor, one), compared.series.index(one))
    chosen = [*best.values()]
    return [*reversed(chosen if len(chosen) <= COLUMNS else [*chosen[: COLUMNS - 1], chosen[-1]])]


def _video(compared: LineUp, series: Series, number: int, frames: NDArray[np.uint8], told: Exposure) -> Shown:
    psnr = [value if isfinite(value) else None for value in told.frames]
    return Shown(compared.name(series), "video", frames, number, psnr, told.psnr if isfinite(told.psnr) else None)


def _captures(name: str, images: NDArray[Any], response: str) -> dict[str, Shown]:
    """The buckets (B, H, W[, 3]) of an exposure as pictures, each on a grey scale of its own, light encoded as the video has it."""
    found = {}
    for bucket, image in enumerate(np.asarray(images, np.float32)):
        words = f"{name}, bucket {bucket}" if len(images) > 1 else f"{name}, capture"
        found[words] = Shown(words, "capture", scaled(image, response)[None])
    return found


def scaled(image: NDArray[Any], response: str) -> NDArray[np.uint8]:
    """A bucket (H, W[, 3]) between its darkest and its brightest pixels, as a picture."""
    low, high = np.percentile(image, _SHOWN)
    shown = np.clip((image - low) / (high - low if high > low else 1.0), 0, 1)
    with contextlib.suppress(Refusal):  # a response of the user's own, whose words are not at hand
        shown = np.asarray(make_response(response).encode(shown))
    return np.rint(255 * np.clip(shown, 0, 1)).astype(np.uint8)


def short(video: str) -> str:
    """The name of a video without its folders; of a scene, all of it."""
    return PurePath(video).name or video
