"""Batches to learn from: clips, captured by the real sensor with its noise, and the classical start of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recon.learned import device, exposure_of, started
from recon.metrics import psnr
from recon.reconstructor import needs_local
from recon.tile_solve import LARGEST_TILE
from recon.training import light
from recon.training.clips import Clips
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.sensor import Sensor, white_of

if TYPE_CHECKING:
    from recon.learned import Learned
    from sensors.exposure_torch import Exposure

#: Truth (N, T, H, W), start (None if there is none), charge (N, B, H, W), variance (None without noise), exposure.
Batch = tuple[Any, ...]

#: Rows and columns of the middle of a held clip that are looked at, at most.
HELD_SIZE = (192, 256)


class Batches:
    """Batches keyed by their number: the same number gives the same batch, in any order and from any thread.

    Parameters
    ----------
    method : Learned
        Its settings say how large, how many, from what and in which light.
    clips, held : list of ndarray, (F, H, W)
        To learn from, and to be looked at only.
    sensors : Sensor, or callable, rng -> Sensor
        One, or another one for each batch, such as under other light.

    Raises
    ------
    Refusal
        If the exposures of the sensor share frames, or there is nothing to draw from.
    """

    def __init__(
        self,
        method: Learned,
        clips: list[NDArray],
        sensors: Sensor | Callable[[np.random.Generator], Sensor],
        held: list[NDArray],
    ) -> None:
        self.method = method
        self.draw_sensor = sensors if callable(sensors) else lambda rng: sensors
        self.sensor = _first(sensors, method.seed)
        if reason := needs_local(self.sensor, method.name):
            raise Refusal(reason)
        self.device = device()
        self.network = method.build(self.sensor)
        self.start = method.begins_with(self.sensor)
        self.multiple = getattr(self.network, "multiple", self.sensor.tile)
        rows, columns = (-(-method.crop // step) * step for step in self.multiple)
        self.size = (rows, columns)
        self._clips = cache(lambda frames: Clips(clips, frames, self.size, photographs=method.photographs))
        self._clips(self.sensor.frames)
        self.held = [clip for clip in held if len(clip) >= self.sensor.frames]
        self._kept: dict[int, Batch] = {}

    def batch(self, number: int) -> list[Batch]:
        """What is learnt from in that step: one batch."""
        return [self.drawn(number, self.method.batch)]

    def drawn(self, number: int, count: int) -> Batch:
        """So many clips, captured by one sensor."""
        if not (distinct := self.method.distinct):
            return self._drawn(number, count)
        if (number := number % distinct) not in self._kept:
            self._kept[number] = self._drawn(number, count)
        return self._kept[number]

    def _drawn(self, number: int, count: int) -> Batch:
        rng = np.random.default_rng((self.method.seed, number))
        sensor = self._placed(self.draw_sensor(rng), rng)
        clips = self._clips(sensor.frames)
        truth = [light.decode(clips.draw(rng), self.method.response) for _ in range(count)]
        seeds = rng.integers(2**62, size=len(truth)).tolist()
        captures = [Capture(sensor.take(clip, seed=seed)[None], sensor) for clip, seed in zip(truth, seeds, strict=True)]
        return (self._tensor(truth), *self._given(captures))

    def estimates(self, network: nn.Module, batch: Batch) -> tuple[list[Tensor], Tensor]:
        """What a network makes of a batch, stage by stage, and the truth."""
        return self.method.estimates(network, *batch[1:]), batch[0]

    def state(self) -> dict[str, Tensor]:
        """Nothing is under way between two steps."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Nothing to put back."""

    def validate(self, network: nn.Module) -> dict[str, float]:
        """PSNR of the middle of the held clips if there are any, mean over clips, in the encoding that the loss looks at."""
        scores = []
        for truth, given in self._cases:
            with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.method.bfloat16):
                video = self.method.estimates(network, *given)[-1][0]
            shown, true = (light.encode(one, self.method.response) for one in (video.cpu(), torch.from_numpy(truth)))
            scores.append(psnr(shown.numpy(), true.numpy(), data_range=1.0))
        return {"psnr": float(np.mean(scores))} if scores else {}

    @cached_property
    def _cases(self) -> list[tuple[NDArray, tuple[Any, ...]]]:
        """The truth of the middle frames of each held clip, and what a network is given."""
        cases = []
        for number, clip in enumerate(self.held):
            rng = np.random.default_rng((self.method.seed, 2**40 + number))
            shape = [
                min(most, whole) // step * step
                for most, whole, step in zip(HELD_SIZE, clip.shape[1:], self.multiple, strict=True)
            ]
            top, left = ((whole - part) // 2 for whole, part in zip(clip.shape[1:], shape, strict=True))
            sensor = self._placed(self.draw_sensor(rng), rng)
            sensor = sensor if len(clip) >= sensor.frames else self._placed(self.sensor, rng)
            first = (len(clip) - sensor.frames) // 2
            run = np.asarray(clip[first : first + sensor.frames, top : top + shape[0], left : left + shape[1]])
            truth = light.decode(run.astype(np.float32) / np.float32(white_of(run)), self.method.response)
            cases.append((truth, self._given([Capture(sensor.take(truth, seed=number)[None], sensor)])))
        return cases

    def _placed(self, sensor: Sensor, rng: np.random.Generator) -> Sensor:
        """The sensor under one of its codes; behind a mask larger than a clip any part of it."""
        sensor = sensor.at(int(rng.integers(sensor.codes)))
        if max(sensor.tile) <= LARGEST_TILE:
            return sensor
        spare = [max(tile - size, 0) for tile, size in zip(sensor.tile, self.size, strict=True)]
        return sensor.crop(*(slice(first, None) for first in rng.integers(np.add(spare, 1)).tolist()))

    def _given(self, captures: list[Capture]) -> tuple[Tensor | None, Tensor, Tensor | None, Exposure]:
        """Start, charge, variance and exposure."""
        ideal = captures[0].sensor.readout.ideal
        starts = [video for one in captures if (video := started(one, self.start)) is not None]
        return (
            self._tensor(starts) if starts else None,
            self._tensor([one.charge[0] for one in captures]),
            None if ideal else self._tensor([one.variance[0] for one in captures]),
            exposure_of(captures[0].sensor).to(self.device),
        )

    def _tensor(self, fields: list[NDArray]) -> Tensor:
        return torch.from_numpy(np.stack(fields)).to(self.device)


def _first(sensors: Sensor | Callable[[np.random.Generator], Sensor], seed: int) -> Sensor:
    """The sensor, or the first that is drawn, under the first of its codes."""
    return (sensors(np.random.default_rng(seed)) if callable(sensors) else sensors).at(0)
