"""The contract of every method, classical or learned: a capture goes in, a video comes out."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sensors.capture import Capture
from sensors.colour_filter import interleave
from sensors.refusal import Refusal
from sensors.sensor import Sensor


class Reconstructor(ABC):
    """Settings go into ``__init__`` and are stored unchanged; what `fit` learns ends in ``_``.

    Attributes
    ----------
    halo : int or None
        Reach in pixels: how far a pixel of the result depends on the capture. None: whole frames are needed.
    also : tuple of str
        Further methods of the form (capture) -> ndarray, such as ``low_resolution``.
    continues : bool
        Whether a finished training can be made longer from its checkpoint.
    neighbours : int
        Exposures before and after an exposure that help to reconstruct it; 0: each is reconstructed by itself.
    """

    halo: ClassVar[int | None] = None
    also: ClassVar[tuple[str, ...]] = ()
    continues: ClassVar[bool] = False
    neighbours: int = 0

    def refusal(self, sensor: Sensor) -> str:
        """Why this method cannot serve the sensor; empty if it can."""
        return ""

    def frames_of(self, sensor: Sensor) -> int:
        """K, how many frames it makes of one exposure; those that the sensor saw unless the method says otherwise."""
        return sensor.frames

    def learns_any_length(self, sensor: Sensor) -> bool:
        """Whether what it learns from exposures of that sensor serves those of another number of frames."""
        return False

    def fit(
        self,
        clips: Iterable[NDArray],
        sensors: Sensor | Callable[[np.random.Generator], Sensor],
        *,
        report: Callable[..., None] | None = None,
        checkpoint: Path | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Self:
        """Learn from clips (T, H, W). A method that learns nothing returns itself."""
        return self

    @abstractmethod
    def solve(self, capture: Capture) -> NDArray[np.float32]:
        """The frames (K, H, W) of a single mono exposure under one code."""

    def solve_planes(self, planes: list[Capture]) -> list[NDArray[np.float32]]:
        """The frames (K, H, W) of each colour plane of a single exposure; each by itself unless the method says otherwise."""
        return [self.solve(plane) for plane in planes]

    def solve_among(self, capture: Capture, number: int) -> NDArray[np.float32]:
        """The frames (K, H, W) of one of several mono exposures in a row; the others help a method that has `neighbours`."""
        return self.solve(at(capture, number))

    def reconstruct(self, capture: Capture) -> NDArray[np.float32]:
        """The video of every exposure.

        Parameters
        ----------
        capture : Capture
            N exposures, mono or colour, under one code or several in turn.

        Returns
        -------
        ndarray of float32, (N, K, H, W[, 3])
            Irradiance, 1 = white; K = T unless the method makes others.

        Raises
        ------
        Refusal
            If the method cannot serve the sensor; the line says why.
        """
        if not len(capture):
            raise Refusal("the capture holds no exposure")
        return np.stack([self.reconstruct_one(capture, number) for number in range(len(capture))])

    def reconstruct_one(self, capture: Capture, number: int) -> NDArray[np.float32]:
        """The video (K, H, W[, 3]) of one exposure of a row, of which a method with `neighbours` looks at those beside it.

        Raises
        ------
        Refusal
            If the method cannot serve the sensor.
        """
        if not self.neighbours:
            return self._exposure(capture[number : number + 1])
        first = max(number - self.neighbours, 0)
        row = capture[first : number + self.neighbours + 1]
        sensor = row.sensor.at(number - first)
        if reason := self.refusal(sensor):
            raise Refusal(reason)
        return in_colour([self.solve_among(plane, number - first) for plane in row.planes()], sensor)

    def remarks(self, capture: Capture) -> tuple[str, ...]:
        """What a user should hear of the video of a capture, a line each."""
        return ()

    def parts(self, sensor: Sensor) -> tuple[Any, ...]:
        """The methods and priors of which this one is made for captures of that sensor (`recon.method_digest`)."""
        return ()

    def learnt(self, sensor: Sensor) -> tuple[Path | NDArray, ...]:
        """The files, or arrays in memory, with what was learnt and serves captures of that sensor (`recon.method_digest`)."""
        return ()

    def settings(self) -> dict[str, Any]:
        """All settings by their words, as JSON has them."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def save(self, path: str | Path, card: Mapping[str, Any] | None = None) -> None:
        """Write what was learnt, as safetensors, with what there is to say about it (JSON)."""
        raise Refusal(f"{type(self).__name__} learns nothing, so there is nothing to save")

    def load(self, path: str | Path) -> Self:
        """Read what was learnt."""
        raise Refusal(f"{type(self).__name__} learns nothing, so there is nothing to load")

    def _exposure(self, one: Capture) -> NDArray[np.float32]:
        sensor = one.sensor.at(0)
        if reason := self.refusal(sensor):
            raise Refusal(reason)
        return in_colour(self.solve_planes(Capture(one.images, sensor, one.record).planes()), sensor)


def at(capture: Capture, number: int) -> Capture:
    """One exposure of a row, under its own code."""
    if len(capture) == 1 and capture.sensor.code.ndim == 3:
        return capture
    one = capture[number : number + 1]
    return Capture(one.images, one.sensor.at(0), one.record)


def in_colour(planes: list[NDArray[np.float32]], sensor: Sensor) -> NDArray[np.float32]:
    """The frames (K, H, W[, 3]) of what was solved plane by plane (see `Capture.planes`); a mosaic is demosaicked."""
    if sensor.colour == "mono":
        return planes[0]
    if sensor.colour == "rgb":
        return np.stack(planes, axis=-1)
    from recon.demosaicing import demosaic

    return demosaic(interleave(planes), sensor.colour, sensor.origin)


def needs_local(sensor: Sensor, method: str) -> str:
    """Why a method that takes pixels and exposures apart cannot serve the sensor; empty if it can."""
    if sensor.local:
        return ""
    if sensor.exposures_apart and not sensor.pixels_apart:
        return (
            f"{method} takes pixels apart, and those of this sensor share light or charge (optics, cross-talk); use tikhonov or "
            f"gap-tv, which are told of it, or add +untold to the method, which then takes the lens for sharp"
        )
    return needs_exposures_apart(sensor, method)


def needs_exposures_apart(sensor: Sensor, method: str) -> str:
    """Why a method that takes exposures apart cannot serve the sensor; empty if it can."""
    if sensor.exposures_apart:
        return ""
    return (
        f"{method} takes exposures apart, and those of this sensor share frames; use tikhonov or pseudo-inverse, not --consistent"
    )


def apply_to_exposures(method: Callable[[Capture], Any], capture: Capture) -> NDArray:
    """Stack what ``method`` gives for each exposure, in colour the mean over its planes: how methods of ``also`` serve N exposures."""
    found = []
    for one in capture:
        planes = Capture(one.images, one.sensor.at(0), one.record).planes()
        found.append(method(planes[0]) if len(planes) == 1 else np.mean([method(plane) for plane in planes], 0))
    return np.stack(found)
