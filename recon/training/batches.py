"""Batches to learn from: clips, captured by the real sensor with its noise, and the classical start of each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
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

#: Rows and columns of the middle of a held clip that are looked at, at most.
HELD_SIZE = (240, 384)


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
        self.clips = Clips(clips, self.sensor.frames, self.size, photographs=method.photographs)
        self.held = [clip for clip in held if len(clip) >= self.sensor.frames]
        self._kept: dict[int, tuple[Any, ...]] = {}

    def batch(self, number: int) -> tuple[Any, ...]:
        """Truth (N, T, H, W), start, charge (N, B, H, W), variance (None without noise), exposure."""
        if not (distinct := self.method.distinct):
            return self._drawn(number)
        if (number := number % distinct) not in self._kept:
            self._kept[number] = self._drawn(number)
        return self._kept[number]

    def _drawn(self, number: int) -> tuple[Any, ...]:
        rng = np.random.default_rng((self.method.seed, number))
        sensor = self._placed(self.draw_sensor(rng), rng)
        truth = [light.decode(self.clips.draw(rng), self.method.response) for _ in range(self.method.batch)]
        seeds = rng.integers(2**62, size=len(truth)).tolist()
        captures = [Capture(sensor.take(clip, seed=seed)[None], sensor) for clip, seed in zip(truth, seeds, strict=True)]
        return (self._tensor(truth), *self._given(captures))

    def estimates(self, network: nn.Module, given: tuple[Any, ...]) -> list[Tensor]:
        """What a network makes of a batch, stage by stage."""
        return self.method.estimates(network, *given[1:])

    def validate(self, network: nn.Module) -> dict[str, float]:
        """PSNR of the middle of the held clips, mean over clips, in the encoding that the loss looks at."""
        scores = []
        for truth, given in self._cases:
            with torch.inference_mode():
                video = self.estimates(network, (truth, *given))[-1][0]
            shown, true = (light.encode(one, self.method.response) for one in (video.cpu(), torch.from_numpy(truth)))
            scores.append(psnr(shown.numpy(), true.numpy(), data_range=1.0))
        return {"psnr": float(np.mean(scores))}

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
            first = (len(clip) - self.sensor.frames) // 2
            run = np.asarray(clip[first : first + self.sensor.frames, top : top + shape[0], left : left + shape[1]])
            truth = light.decode(run.astype(np.float32) / np.float32(white_of(run)), self.method.response)
            sensor = self._placed(self.draw_sensor(rng), rng)
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
