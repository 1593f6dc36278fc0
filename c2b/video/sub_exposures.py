"""Sub-exposures out of film of any rate: frames added up where it is faster, made along the optical flow where it is slower.

======  ==================================================================================  ==============
symbol  meaning                                                                             unit
======  ==================================================================================  ==============
r       rate of the film, as its camera took it                                             frames per second
k       frames of the film in one sub-exposure, r times its length                          frames
======  ==================================================================================  ==============

Frame n of the film stands for the time from n to n + 1. Sub-exposure t is the light from k t to k (t + 1): where k >= 1, the mean of
the frames in it, those at the ends by their part; where k < 1, the instant in its middle, between the two frames about it along the
flow (`recon.frame_interpolation`). What moved while the shutter of the film was open stays blurred, what happened while it was closed
is not known, and what moves further than half of its own period from frame to frame moves anywhere (aliasing).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b.video.recording import Recording, luma
from c2b.video.view import View
from sensors.refusal import Refusal

#: Motion from frame to frame, in pixels, from which on a user is told that frames between them are doubtful; chosen, not measured.
LARGEST_MOTION = 8.0

#: Sub-exposures that one frame is cut into, and frames that one sub-exposure adds up, at most.
MOST = 10_000

_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def seconds(option: str, text: str) -> float:
    """``40us``, ``1.5ms`` or ``0.01s`` in seconds.

    Raises
    ------
    Refusal
        If it is no length of time.
    """
    found = re.fullmatch(r"([\d.eE+-]+)\s*(s|ms|us|ns)", text.strip())
    try:
        value = float(f"{float(found[1]) * _UNITS[found[2]]:.12g}") if found else 0.0
    except ValueError:
        value = 0.0
    if not (0 < value < math.inf):
        raise Refusal(f"{option} {text} is not a length of time such as 40us, 1.5ms or 0.01s")
    return value


class SubExposures(View):
    """Linear light of one sub-exposure after another, out of ``whole``.

    Parameters
    ----------
    whole : Recording
    length : float
        Length of a sub-exposure, seconds.
    given : bool
        Whether the rate of the film is what the user says, rather than its file.

    Raises
    ------
    Refusal
        If the rate of the film is not known, or the film is shorter than one sub-exposure.
    """

    def __init__(self, whole: Recording, length: float, given: bool = False) -> None:
        super().__init__(whole)
        if whole.runs:
            raise Refusal("--windows takes frames of the film as they are; leave --sub-exposure out")
        film, self._from = _rate_of(whole), "given" if given else "file"
        self._each = length * film
        if not 1 / MOST <= self._each <= MOST:
            raise Refusal(f"{length:g} s are {self._each:g} frames of film at {film:g}/s; a sub-exposure is 1/{MOST} to {MOST} of them")
        count = math.floor(len(whole) / self._each * (1 + 1e-6))  # a length is typed with a few digits
        if not count:
            raise Refusal(f"{whole.path} has {len(whole)} frames, {len(whole) / film:g} s; one sub-exposure lasts {length:g} s")
        if self._each < 1 and whole.colour not in ("mono", "rgb"):
            raise Refusal(f"{whole.path} is a {whole.colour} mosaic, between whose frames nothing can be made; demosaic it first")
        self.dtype, self.white, self.black, self.response, self.bits = np.dtype(np.float32), 1.0, 0.0, "none", None
        self.shape, self.rate, self.rate_nominal = (count, *whole.shape[1:]), 1 / length, False
        self._film, self._length = film, length
        self._flows: tuple[int, NDArray, NDArray] | None = None
        self._tell()

    @property
    def frame_index(self) -> Sequence[int]:
        """Numbers of the sub-exposures."""
        return range(len(self))

    @property
    def crop(self) -> tuple[float, float, float, float]:
        return self._whole.crop

    @property
    def source(self) -> dict[str, Any]:
        """That of the film, and how sub-exposures were made of it."""
        shutter = {} if self._whole.shutter is None else {"film_shutter": self._whole.shutter}
        made = {"sub_exposure": self._length, "film_rate": self._film, "film_rate_from": self._from, "film_frames_each": self._each}
        return {**self._whole.source, **made, **shutter}

    def _read(self, frames: range) -> NDArray:
        return np.stack([self._mean(t) if self._each >= 1 else self._instant(t) for t in frames])

    def _mean(self, number: int) -> NDArray[np.float32]:
        """The mean of the film over one sub-exposure."""
        start, stop = number * self._each, (number + 1) * self._each
        first, last = math.floor(start + 1e-9), min(math.ceil(stop - 1e-9), len(self._whole))
        total = np.zeros(self.shape[1:], np.float64)
        for n in range(first, last):
            total += (min(n + 1, stop) - max(n, start)) * self._whole.irradiance(n, n + 1)[0]
        return (total / self._each).astype(np.float32)

    def _instant(self, number: int) -> NDArray[np.float32]:
        """The film at the middle of one sub-exposure."""
        from recon.frame_interpolation import between

        place = min(max((number + 0.5) * self._each - 0.5, 0.0), len(self._whole) - 1.0)
        n = min(int(place), len(self._whole) - 2)
        if n < 0 or place == n:
            return self._whole.irradiance(max(n, 0), max(n, 0) + 1)[0]
        ahead, back = self._flow(n)
        first, second = self._whole.irradiance(n, n + 2)
        return between(first, second, ahead, back, place - n)

    def _flow(self, n: int) -> tuple[NDArray, NDArray]:
        """Flows from frame n to the next and back; of the last pair, kept."""
        from recon.optical_flow import optical_flow

        if self._flows is None or self._flows[0] != n:
            one, other = (_grey(frame) / np.float32(self._whole.white) for frame in self._whole[n : n + 2])
            self._flows = n, optical_flow(one, other), optical_flow(other, one)
        return self._flows[1:]

    def _tell(self) -> None:
        """Notes on what the film cannot tell."""
        from recon.frame_interpolation import largest_motion

        if self._each >= 1:
            return
        pairs = sorted({0, (len(self._whole) - 1) // 2, max(len(self._whole) - 2, 0)}) if len(self._whole) > 1 else []
        motion = max((largest_motion(self._flow(n)[0]) for n in pairs), default=0.0)
        beyond = f", beyond the {LARGEST_MOTION:g} up to which frames between can be made well" if motion > LARGEST_MOTION else ""
        self.note(
            f"film of {self._film:g} frames/s is slower than sub-exposures of {self._length:g} s: {1 / self._each:.4g} are made of "
            f"each frame along the optical flow; it moves by up to {motion:.1f} pixels a frame{beyond}. What moves further than half "
            f"of its own period in a frame aliases, and the film's own blur ({_shutter(self._whole)}) stays in each sub-exposure"
        )


def _rate_of(whole: Recording) -> float:
    """Frames per second at which the film was taken."""
    if whole.rate and not whole.rate_nominal:
        return whole.rate
    played = f" ({whole.rate:g}/s is what its container says of playing it)" if whole.rate else ""
    raise Refusal(f"{whole.path} does not know the rate at which it was taken{played}; give it, such as --film-rate 240")


def _shutter(whole: Recording) -> str:
    return "shutter not known" if whole.shutter is None else f"shutter {whole.shutter:g} s"


def _grey(frame: NDArray) -> NDArray[np.float32]:
    return (luma(frame[None])[0] if frame.ndim == 3 else frame).astype(np.float32)
