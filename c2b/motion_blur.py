"""Blurred pictures out of a film: the frames of each exposure, averaged as light or as they are stored.

::

    film       | 0 1 2 3 4 5 6 | 7 8 9 | 10 11 12 13 14 15 16 | ...      average=7, shutter=252: 7 frames of 10 are averaged
    pictures         0           closed          1

The pictures are a recording whose record says which frames each one averages, so that a video out of it is scored against them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b.captures.photograph import BLUR
from c2b.video.recording import Recording
from sensors.refusal import Refusal
from sensors.response import make as make_response

#: Frames averaged where nothing is said; and the bounds where the largest shift decides.
AVERAGE, BOUNDS = "7", "3:33"

#: A shutter that is open all the time, in degrees.
OPEN = 360.0


@dataclass(frozen=True)
class Blur:
    """How a film is blurred.

    Parameters
    ----------
    average : str
        Frames of an exposure: ``7``; ``7:13``, drawn anew for each exposure among the odd numbers, so that it has a middle; or ``all``.
    shift : float
        As many frames, within ``average``, as the motion of the fastest pixels adds up to so many pixels; 0: not by motion.
    shutter : float
        Shutter angle in degrees, 360 or less: the part of the time in which it is open.
    interpolate : bool
        Frames in between are made along the optical flow where anything moves by more than a pixel a frame
        (`recon.frame_interpolation`).
    seed : int
        Seed of the numbers drawn.

    Raises
    ------
    Refusal
        If a setting is out of its range.
    """

    average: str = ""
    shift: float = 0.0
    shutter: float = OPEN
    interpolate: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.shutter <= OPEN:
            raise Refusal(f"--shutter {self.shutter:g} is no shutter angle; it is 360 degrees (always open) or less, above 0")
        if not 0 <= self.shift < math.inf:
            raise Refusal(f"--shift {self.shift:g} is not a number of pixels above 0")
        _ = self.bounds(1)

    def bounds(self, length: int) -> tuple[int, int]:
        """Fewest and most frames of an exposure, of a film of so many."""
        text = self.average or (BOUNDS if self.shift else AVERAGE)
        if text == "all":
            return length, length
        low, colon, high = text.partition(":")
        if not all(part.isascii() and part.isdigit() and int(part) for part in (low, high if colon else low)):
            raise Refusal(f"--average {text} is not a number of frames such as 7, a range such as 7:13, or all")
        bounds = int(low), int(high if colon else low)
        if bounds[0] > bounds[1] or ((colon or self.shift) and not _odd(*bounds)):
            raise Refusal(f"--average {text} holds no odd number of frames")
        return bounds

    def exposures(self, film: Recording) -> list[range]:
        """The frames of each exposure; what is left at the end is not used.

        Raises
        ------
        Refusal
            If the film is shorter than one exposure.
        """
        if film.runs:
            return self._of_runs(film)
        rng, motions = np.random.default_rng(self.seed), _motions(film) if self.shift else iter(())
        found: list[range] = []
        start, (low, high) = 0, self.bounds(len(film))
        known: list[float] = []
        while start + low <= len(film):
            count = low
            if self.shift:
                known += [motion for _, motion in zip(range(start + high - len(known)), motions, strict=False)]
                count = _until(known[start:], self.shift, low, high)
            elif low < high:
                count = int(rng.choice(_odd(low, high)))
            if start + count > len(film):
                break
            found.append(range(start, start + count))
            start += max(count, round(count * OPEN / self.shutter))
        if not found:
            raise Refusal(f"{film.path} has {len(film)} frames and an exposure averages {low}; --average all takes all there are")
        return found

    def _of_runs(self, film: Recording) -> list[range]:
        length, _ = film.runs or (0, 0)
        if self.shift or self.shutter != OPEN or self.average not in ("", str(length)):
            raise Refusal("--windows says which frames an exposure averages; leave --average, --shift and --shutter out")
        return [range(start, start + length) for start in range(0, len(film), length)]


class BlurredPictures(Recording):
    """A picture for each exposure of a film, made when it is asked for, stored and encoded as the frames of the film are.

    Parameters
    ----------
    film : Recording
        Grey or colour. What its `response` says is undone before, and done again after, frames are averaged.
    blur : Blur
    """

    title = "blurred pictures"
    format = "blurred pictures"

    def __init__(self, film: Recording, blur: Blur) -> None:
        _take_over(self, film)
        self.film, self._blur = film, blur
        self.exposures = blur.exposures(film)
        self.shape = (len(self.exposures), *film.shape[1:])
        starts = [one.start for one in self.exposures]
        gaps = {later - earlier for earlier, later in pairwise(starts)}
        self.rate = film.rate / gaps.pop() if film.rate and len(gaps) == 1 and not film.runs else None
        self.record = record_of(film, self.exposures, blur)

    def light(self, number: int) -> NDArray[np.float32]:
        """The mean light of an exposure, (H, W[, 3]), 1 = white."""
        frames = self.exposures[number]
        light = self.film.irradiance(frames.start, frames.stop)
        if not self._blur.interpolate:
            return light.mean(0, dtype=np.float64).astype(np.float32)
        from recon.frame_interpolation import blurred

        return blurred(light, _guide(self.film, frames))

    def _read(self, frames: range) -> NDArray:
        encode = make_response(self.response).encode
        values = np.stack([encode(self.light(number)) for number in frames]) * (self.white - self.black) + self.black
        if self.dtype.kind == "f":
            return values.astype(self.dtype)
        return np.rint(values).clip(0, np.iinfo(self.dtype).max).astype(self.dtype)


class MiddleFrames(Recording):
    """The middle frame of each exposure of blurred pictures, as it is stored: the sharp picture of a pair."""

    title = "middle frames"
    format = "middle frames"

    def __init__(self, pictures: BlurredPictures) -> None:
        film = pictures.film
        _take_over(self, film)
        self._film = film
        self._numbers = [one[len(one) // 2] for one in pictures.exposures]
        self.shape, self.rate = pictures.shape, pictures.rate
        self.record = record_of(film, [range(number, number + 1) for number in self._numbers])

    def _read(self, frames: range) -> NDArray:
        return np.stack([self._film[self._numbers[number]] for number in frames])


def record_of(film: Recording, exposures: Sequence[range], blur: Blur | None = None) -> dict[str, Any]:
    """Which frames each picture averages, numbered as in the file, and where it comes from; JSON-able."""
    index, crop = film.frame_index, list(film.crop)
    record: dict[str, Any] = {"frame_index": [[index[t] for t in one] for one in exposures], "crop": crop, "source": film.source}
    if [film.height, film.width] != [round(crop[2]), round(crop[3])]:
        record["resize"] = [film.height, film.width]
    return record if blur is None else {BLUR: {**asdict(blur), "averaged": film.response}, **record}


def charges(pictures: BlurredPictures) -> Iterator[NDArray[np.float32]]:
    """The exposures of a conventional sensor, (1, H, W[, 3]), in white sub-exposures: the sum of the frames.

    Raises
    ------
    Refusal
        If the exposures differ in length, as those of one capture cannot.
    """
    lengths = {len(one) for one in pictures.exposures}
    if len(lengths) > 1:
        raise Refusal(
            f"a capture has exposures of one number of frames, and these have {min(lengths)} to {max(lengths)}; write pictures, OUT/"
        )
    return (pictures.light(number)[None] * np.float32(len(one)) for number, one in enumerate(pictures.exposures))


def _take_over(made: Recording, film: Recording) -> None:
    if film.colour not in ("mono", "rgb"):
        raise Refusal(f"{film.path} is a {film.colour} mosaic; --channels stored cannot be blurred, demosaic it first")
    for name in ("path", "dtype", "white", "black", "response", "colour", "rate_nominal"):
        setattr(made, name, getattr(film, name))
    made.white_stated, made.bits = film.white_stated, film.bits


def _motions(film: Recording) -> Iterator[float]:
    """The largest motion from each frame to the next, in pixels."""
    from recon.frame_interpolation import largest_motion
    from recon.optical_flow import flow_between, pyramid

    earlier = None
    for number in range(len(film)):
        scales = pyramid(_guide(film, range(number, number + 1))[0])
        if earlier is not None:
            yield largest_motion(flow_between(earlier, scales))
        earlier = scales


def _guide(film: Recording, frames: range) -> NDArray[np.float32]:
    """Frames in grey as they are stored, (n, H, W), 1 = white."""
    return (film.luma(frames).astype(np.float32) - film.black) / np.float32(film.white - film.black)


def _until(motions: Sequence[float], shift: float, low: int, high: int) -> int:
    """How many frames add up to a shift: an odd number within the bounds."""
    reached = np.cumsum(motions)
    count = int(np.searchsorted(reached, shift)) + 2  # frames: one more than the steps between them
    return min(max(count | 1, _odd(low, high)[0]), _odd(low, high)[-1])


def _odd(low: int, high: int) -> list[int]:
    return [*range(low | 1, high + 1, 2)]
