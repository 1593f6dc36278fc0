"""Batches: clips, captured by the real sensor with its noise, and the classical start of each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from math import lcm
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from recon.learned.network import Given, given, tensor
from recon.reconstructor import needs_local
from recon.training.clips import Clips, KeptClips
from recon.training.schedule import Schedule
from recon.training.settings import TrainingSettings
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.response import make as make_response
from sensors.sensor import Sensor

#: A sensor, or one drawn for each batch.
Sensors = Sensor | Callable[[np.random.Generator], Sensor]

#: So many draws tell sensors that are drawn at random from others.
SENSORS_COMPARED = 32


class Batch(NamedTuple):
    """Clips and what a network is given of them."""

    truth: Tensor  # (N, T, H, W)
    given: Given


class Batches:
    """Batches keyed by their number: the same number gives the same batch, in any order and from any thread.

    All batches of a run cost about the same, whatever their crop and their number of frames: the fewer pixels, the more clips.

    Parameters
    ----------
    settings : TrainingSettings
    clips : list of ndarray, (F, H, W) or (F, H, W, 3)
    sensors : Sensor, or callable, rng -> Sensor
        One, or another one for each batch, such as under other light.
    start : str
        The classical method that the network starts from, or empty.
    multiple : (int, int)
        Sides of the clips are multiples of these, and of the tile.
    loss : callable, (network, Batch) -> Tensor

    Raises
    ------
    Refusal
        If the exposures of the sensor share frames, or there is nothing to draw from.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        clips: Sequence[NDArray],
        sensors: Sensors,
        *,
        start: str = "",
        multiple: tuple[int, int] = (1, 1),
        loss: Callable[[nn.Module, Batch], Tensor],
    ) -> None:
        self.settings = settings
        self.schedule = Schedule.of(settings)
        self.sensors = sensors
        self.sensor = first_of(sensors, settings.seed)
        if reason := needs_local(self.sensor, "training"):
            raise Refusal(reason)
        self.start = start
        self.loss = loss
        tile = self.sensor.grid
        self.cell = lcm(multiple[0], tile[0]), lcm(multiple[1], tile[1])
        self.clips = clips
        self._clips = cache(self._clips_of)
        self._kept = cache(lambda clips: KeptClips(clips, settings.kept, settings.seed))
        self._clips(self.sensor.frames, self.size(settings.largest_crop))
        self._again: dict[tuple[int, int], Batch] = {}

    def batch(self, step: int) -> list[Batch]:
        """What is learnt from in a step: one batch."""
        return [self.drawn(step, self.schedule.crop(step), self.settings.batch, self._place(step))]

    def drawn(self, number: int, crop: int, count: int, place: int = 0) -> Batch:
        """Clips captured by one sensor: ``count`` of the usual crop and length, or as many as cost the same.

        ``place`` is that of the first one in the row of kept clips.
        """
        if not (distinct := self.settings.distinct):
            return self._drawn(number, crop, count, place)
        if (key := (number % distinct, count)) not in self._again:  # the validation may ask for fewer clips
            self._again[key] = self._drawn(key[0], crop, count, place)
        return self._again[key]

    def size(self, crop: int) -> tuple[int, int]:
        """Rows and columns of clips of a crop: whole cells."""
        rows, columns = (-(-crop // side) * side for side in self.cell)
        return rows, columns

    def count(self, crop: int, frames: int, count: int) -> int:
        """How many clips of a crop and a length cost as much as ``count`` of the usual ones."""
        usual, this = (np.prod(self.size(side)) * T for side, T in ((self.settings.crop, self.sensor.frames), (crop, frames)))
        return max(1, round(count * float(usual / this)))

    def placed(self, rng: np.random.Generator, size: tuple[int, int]) -> Sensor:
        """The sensor of a batch, under one of its codes; behind a mask larger than the clips any part of it."""
        sensor = self.sensors(rng) if callable(self.sensors) else self.sensors
        sensor = sensor.at(int(rng.integers(sensor.codes)))
        if not sensor.masked:
            return sensor
        spare = [max(whole - part, 0) for whole, part in zip(sensor.tile, size, strict=True)]
        return sensor.crop(*(slice(first, None) for first in rng.integers(np.add(spare, 1)).tolist()))

    def digest(self) -> str:
        """Digest of what is learnt from: clips, and the sensors that would be drawn first."""
        found = hashlib.blake2b(digest_size=16)
        for clip in self.clips:
            found.update(repr((clip.shape, clip.dtype.str)).encode())
            found.update(np.ascontiguousarray(clip).data)
        for number in range(SENSORS_COMPARED if callable(self.sensors) else 1):
            found.update(first_of(self.sensors, number, single=False).digest.encode())
        return found.hexdigest()

    def state(self) -> dict[str, Tensor]:
        """Nothing is carried from step to step."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Nothing to put back."""

    def _drawn(self, number: int, crop: int, count: int, place: int) -> Batch:
        rng, size = np.random.default_rng((self.settings.seed, number)), self.size(crop)
        sensor = self.placed(rng, size)
        count = self.count(crop, sensor.frames, count)
        stored = [self._clip(sensor.frames, size, place + k, rng) for k in range(count)]
        decode = make_response(self.settings.response).decode
        truth = [decode(clip) for clip in stored]
        seeds = rng.integers(2**62, size=count).tolist()
        captures = [Capture(sensor.take(clip, seed=seed)[None], sensor) for clip, seed in zip(truth, seeds, strict=True)]
        return Batch(tensor(truth), given(captures, self.start))

    def _clip(self, frames: int, size: tuple[int, int], place: int, rng: np.random.Generator) -> NDArray[np.float32]:
        if not self.settings.kept:
            return self._clips(frames, size).draw(rng)
        largest = self.size(self.settings.largest_crop)
        return self._kept(self._clips(frames, largest)).draw(place, size, rng)

    def _clips_of(self, frames: int, size: tuple[int, int]) -> Clips:
        names = ("photographs", "fastest", "skip", "shutter", "defocus", "reversal")
        return Clips(self.clips, frames, size, **{name: getattr(self.settings, name) for name in names})

    def _place(self, step: int) -> int:
        """How many clips the steps before have taken, of one length."""
        decays_from = max(self.settings.first_steps, self.schedule.decays_from)
        taken = 0
        for first, last in pairwise((0, self.settings.first_steps, decays_from, max(step, decays_from))):
            inside = min(last, step) - first
            if inside > 0:
                taken += inside * self.count(self.schedule.crop(first), self.sensor.frames, self.settings.batch)
        return taken


def first_of(sensors: Sensors, seed: int, *, single: bool = True) -> Sensor:
    """The sensor, or one that is drawn; under the first of its codes, or all of them."""
    sensor = sensors(np.random.default_rng(seed)) if callable(sensors) else sensors
    return sensor.at(0) if single else sensor
