"""A scene: flat layers in order of depth, filmed at any time, with masks, optical flow and occlusion known exactly.

Points are (row, column) in pixels, row down. Time is continuous and counted in frames of a film with ``step = 1``.
"""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from c2b.scenes.layer import Layer
from sensors.memory_budget import refuse_beyond
from sensors.refusal import Refusal

Colour = Literal["mono", "rgb"]

#: Rec. 709 luminance of linear red, green, blue.
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)

_SMALLEST = 8

#: Bytes for each pixel of a frame of 4:3 in which the textures of a scene are made.
BYTES_A_PIXEL = 300


@dataclass(frozen=True, eq=False)
class Scene(ABC):
    """A film that is computed frame by frame when it is sliced; the same settings give the same bits in any order.

    Parameters
    ----------
    frames : int
        Length of the film; may be millions, nothing is computed beforehand.
    height, width : int
        Frame size in pixels, 8 at least.
    seed : int
        Fixes everything random: where things are, which way they move, grain.
    colour : {"mono", "rgb"}
        mono is the luminance of rgb.
    speed : float
        Root mean square motion of the background at the middle of the frame, in px/frame; all other motion is a multiple of it.
    step : float
        Time from frame to frame: frame t is ``at(t * step)``. 0.25 films the same motion at four times the rate, 8 at an eighth.
    shutter : float
        Share of the step during which the shutter is open, 0 to 1, centred on the time of the frame; 0 is an instant.
    samples : int
        Instants averaged while the shutter is open.
    optics : float
        Blur of lens and pixel aperture, as the standard deviation of a Gaussian in pixels; 0.7 is that of a good camera, 0 none.
    flicker : float
        Modulation of lamps on the mains, 0 to 1: their light is 1 - flicker (1 - cos(2 pi time / flicker_period)) / 2.
    flicker_period : float
        Frames of a film with ``step = 1`` from maximum to maximum: the frame rate over twice that of the mains, 10 for film of 1000
        frames/s at 50 Hz.
    """

    frames: int = 90
    height: int = 240
    width: int = 320
    seed: int = 0
    colour: Colour = "mono"
    speed: float = 1.0
    step: float = 1.0
    shutter: float = 0.0
    samples: int = 8
    optics: float = 0.7
    flicker: float = 0.0
    flicker_period: float = 10.0

    dtype: ClassVar[np.dtype] = np.dtype(np.float32)

    def __post_init__(self) -> None:
        for name, (least, most) in _WHOLE.items():
            _check_whole(name, getattr(self, name), least, most)
        side = max(self.height, 0.75 * self.width)  # photographs fill the frame and keep their form
        refuse_beyond(BYTES_A_PIXEL * side**2, f"a scene of {self.height}x{self.width}")
        if self.colour not in get_args(Colour):
            raise Refusal(f"colour={self.colour!r} is unknown; write one of {', '.join(get_args(Colour))}")
        for name in ("speed", "step", "shutter", "optics", "flicker", "flicker_period"):
            _check_finite(name, getattr(self, name))
        if not 0 <= self.optics <= 100:
            raise Refusal(f"optics={self.optics} is not a blur in pixels; give 0 (none) or, for a good camera, 0.7")
        if not 0 <= self.flicker <= 1 or not self.flicker_period > 0:
            raise Refusal(
                f"flicker={self.flicker}, flicker_period={self.flicker_period}; needed: a modulation from 0 to 1, a period above 0"
            )
        if not 0 <= self.shutter <= 1:
            raise Refusal(f"shutter={self.shutter} is not a share of the step; give 0 (an instant) to 1 (always open)")

    @abstractmethod
    def _world(self) -> tuple[Layer, ...]:
        """The layers from back to front, in colour; the first one fills every frame."""

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers from back to front, in the colour of the film."""
        world = self._world()
        return world if self.colour == "rgb" else tuple(_luminance(layer) for layer in world)

    @property
    def names(self) -> tuple[str, ...]:
        """What each layer is, from back to front."""
        return tuple(layer.name for layer in self.layers)

    @property
    def shape(self) -> tuple[int, ...]:
        """(frames, H, W), or (frames, H, W, 3) in colour."""
        return (self.frames, self.height, self.width) + (3,) * (self.colour == "rgb")

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that it is made of."""
        return ()

    def __len__(self) -> int:
        return self.frames

    def __getitem__(self, index: int | slice) -> NDArray[np.float32]:
        """Frames as of an array: a slice gives (n, H, W[, 3]), a number one frame (H, W[, 3]).

        Raises
        ------
        IndexError
            Past the last frame, so that a scene can be iterated over like a list.
        """
        if isinstance(index, slice):
            chosen = range(*index.indices(self.frames))
            video = np.empty((len(chosen), *self.shape[1:]), self.dtype)
            for place, t in enumerate(chosen):
                video[place] = self._exposed(t)
            return video
        return self._exposed(self._frame(index))

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return (self[t] for t in range(self.frames))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        return np.asarray(self[:], dtype)

    def at(self, time: float) -> NDArray[np.float32]:
        """The scene at one instant, linear irradiance, 1 = white.

        Parameters
        ----------
        time : float
            Any, negative too; in frames of a film with ``step = 1``.

        Returns
        -------
        ndarray of float32, (H, W) or (H, W, 3)
            In [0, 1].
        """
        _check_finite("time", time)
        image = np.zeros((self.height, self.width, 3 if self.colour == "rgb" else 1), self.dtype)
        for layer in self.layers:
            layer.over(image, time)
        if self.optics:
            gaussian_filter(image, (self.optics, self.optics, 0), output=image, mode="nearest")
        np.clip(image, 0, 1, out=image)  # a sum of weights may exceed 1 in the last bit
        if self.flicker:
            image *= np.float32(1 - self.flicker * (1 - math.cos(2 * math.pi * time / self.flicker_period)) / 2)
        return image if self.colour == "rgb" else image[..., 0]

    def masks(self, t: int) -> NDArray[np.float32]:
        """How much of each pixel shows each layer, at the middle of the exposure of frame ``t``.

        Returns
        -------
        ndarray of float32, (layers, H, W)
            In [0, 1], in the order of `names`; they sum to 1 in every pixel.
        """
        time = self._frame(t) * self.step
        return self._visible(time)

    def flow(self, t: int) -> NDArray[np.float32]:
        """True motion from frame ``t`` to the next of what is seen most in each pixel of frame ``t``.

        Returns
        -------
        ndarray of float32, (2, H, W)
            Rows down and columns right, in px/frame: what is at ``p`` in frame t is at ``p + flow(t)[:, p]`` in frame t + 1,
            if it is not `occluded` there.
        """
        time = self._frame(t) * self.step
        return self._motion(time, self._visible(time).argmax(0))

    def occluded(self, t: int) -> NDArray[np.bool_]:
        """Where what is seen in frame ``t`` is covered, or outside the frame, one step later: there `flow` has no partner.

        Returns
        -------
        ndarray of bool, (H, W)
        """
        time = self._frame(t) * self.step
        seen = self._visible(time).argmax(0)
        there = np.indices(seen.shape) + self._motion(time, seen)
        later = self._visible(time + self.step)
        still = np.zeros(seen.shape)
        for depth in np.unique(seen):
            mine = seen == depth
            still[mine] = map_coordinates(later[depth], there[:, mine], order=1, mode="constant")
        return still < 0.5

    def __getstate__(self) -> dict[str, Any]:
        """Only the settings travel to another process; textures are made anew there."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def _frame(self, index: Any) -> int:
        t = operator.index(index)
        if not -self.frames <= t < self.frames:
            raise IndexError(f"frame {t} of a scene of {self.frames} frames")
        return t % self.frames

    def _exposed(self, t: int) -> NDArray[np.float32]:
        if self.shutter == 0:
            return self.at(t * self.step)
        instants = self.shutter * ((np.arange(self.samples) + 0.5) / self.samples - 0.5)
        light = np.zeros(self.shape[1:], np.float64)
        for instant in instants:
            light += self.at((t + float(instant)) * self.step)
        return (light / self.samples).astype(self.dtype)

    def _visible(self, time: float) -> NDArray[np.float32]:
        """Share of each pixel that shows each layer, (layers, H, W): its own coverage times the gaps in all nearer ones."""
        shares = np.empty((len(self.layers), self.height, self.width), self.dtype)
        gap = np.ones((self.height, self.width), self.dtype)
        for depth in range(len(self.layers) - 1, -1, -1):
            coverage = self.layers[depth].coverage((self.height, self.width), time)
            shares[depth] = gap * coverage
            gap *= 1 - coverage
        return shares

    def _motion(self, time: float, seen: NDArray[np.intp]) -> NDArray[np.float32]:
        """Motion over one step, (2, H, W), of the layer that ``seen`` names in each pixel."""
        flow = np.empty((2, *seen.shape), self.dtype)
        for depth in np.unique(seen):
            mine = seen == depth
            points = np.stack([*np.nonzero(mine), np.ones(mine.sum())])
            moved = self.layers[depth].carried(seen.shape, time, time + self.step) @ points
            flow[:, mine] = moved[:2] / moved[2] - points[:2]
        return flow


def _luminance(layer: Layer) -> Layer:
    image = layer.image
    return replace(layer, image=np.stack([image[..., :3] @ LUMINANCE, image[..., 3]], -1))


#: Least and most of what is counted: frames of hours, a frame of 8K video twice over, instants that no motion needs.
_WHOLE = {
    "frames": (1, 10_000_000),
    "height": (_SMALLEST, 8192),
    "width": (_SMALLEST, 16384),
    "seed": (0, 2**63),
    "samples": (1, 1000),
}


def _check_whole(name: str, value: Any, least: int, most: int) -> None:
    if not hasattr(value, "__index__") or isinstance(value, bool) or value < least:
        raise Refusal(f"{name}={value} cannot be; give a whole number, {least} or more")
    if value > most:
        raise Refusal(f"{name}={value} is more than a scene has; needed: at most {most}")


def _check_finite(name: str, value: Any) -> None:
    if not isinstance(value, (int, float, np.integer, np.floating)) or not math.isfinite(value):
        raise Refusal(f"{name}={value} is not a finite number")
