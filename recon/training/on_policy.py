"""On-policy training: captures go through the stages of an unfolded network, which learns from the errors its own stages leave.

To unroll all stages of a capture for each step is to learn sixteen times from the same frames. Here many captures are under way at
once: each step takes a few of them, at stages far apart, one stage further, learns from that stage alone and puts them back. One
that has had its last stage makes room for another. Which capture is at which stage follows from the number of the step.

What is wrong after the first stages is faint, and a new network learns little from it. So one without weights begins with white noise,
added to the truth: 500 steps of it and no stage at all are worth more than 500 steps of stages (29.4 dB against 29.2 from 28.2 on three
clips).

S. Ross, G. Gordon, D. Bagnell, A reduction of imitation learning to no-regret online learning, AISTATS 2011.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from recon.learned.network import device
from recon.networks.mask_unfolding import MaskUnfolding, UnderWay
from recon.training.batches import Batch, Batches
from sensors.refusal import Refusal

#: So many captures are taken one stage further by each step.
TAKEN = 4

#: Share of the steps that learn from white noise, and its standard deviation, drawn log-uniformly between these.
WARM_UP, FAINT, STRONG = 0.2, 0.008, 0.2


@dataclass(frozen=True)
class Visit:
    """In one step: a place of the store, what was captured, the stage it is at, and whether it is white noise that is learnt from."""

    step: int
    place: int
    batch: Batch
    stage: int
    white: bool


class OnPolicy:
    """A store of captures under way, where the training loop takes its batches from.

    Parameters
    ----------
    batches : Batches
        Where captures come from.
    network : MaskUnfolding
    new : bool
        The network has no weights yet.
    error : callable, (estimates, truth) -> Tensor
    autocast : callable
        The context in which the network is run.

    Raises
    ------
    Refusal
        If clips are to have several sizes.
    """

    def __init__(
        self,
        batches: Batches,
        network: MaskUnfolding,
        *,
        new: bool,
        error: Callable[[list[Tensor], Tensor], Tensor],
        autocast: Callable[[], Any] = nullcontext,
    ) -> None:
        settings = batches.settings
        if settings.first_crop or settings.last_crop:
            raise Refusal("a network for masks takes its captures from stage to stage in one size; leave first_crop and last_crop out")
        self.batches = batches
        self.stages = network.settings["stages"]
        self.error = error
        self.autocast = autocast
        self.schedule = batches.schedule
        self.white_rounds = round(WARM_UP * settings.steps / self.stages) if new else 0
        self._captured: dict[int, tuple[int, Batch]] = {}
        self._ways: dict[int, UnderWay] = {}

    def batch(self, step: int) -> list[Visit]:
        """What is taken one stage further in that step."""
        this_round, first = divmod(step, self.stages)
        visits = []
        for part in range(TAKEN):
            place = first * TAKEN + part
            offset = (first + part * self.stages // TAKEN) % self.stages  # spreads the stages of a step, and of the places
            generation = (this_round + offset) // self.stages
            begun = max(generation * self.stages - offset, 0)
            batch = self._capture(place, generation * self.stages * TAKEN + place)
            visits.append(Visit(step, place, batch, this_round - begun, begun < self.white_rounds))
        return visits

    def loss(self, network: nn.Module, visit: Visit) -> Tensor:
        """Loss of the estimate of that stage, or of the truth cleaned from white noise."""
        with self.autocast():
            estimate = self.estimate(network, visit)
        return self.error([estimate], visit.batch.truth)

    def estimate(self, network: nn.Module, visit: Visit) -> Tensor:
        """The next estimate of a capture, which then stands one stage further."""
        truth, (start, charge, variance, exposure) = visit.batch
        net = cast(MaskUnfolding, network)
        if visit.stage == 0:
            begun = truth if visit.white else cast(Tensor, start)
            self._ways[visit.place] = UnderWay(begun, begun, begun)
        way = self._ways[visit.place]
        if not visit.white:
            return net.stage(way, charge, exposure, variance)
        rng = np.random.default_rng((self.batches.settings.seed, visit.step, visit.place))
        sigma = np.exp(rng.uniform(np.log(FAINT), np.log(STRONG), len(truth))).astype(np.float32)
        noise = sigma[:, None, None, None] * rng.standard_normal(truth.shape, np.float32)
        return net.clean(truth + torch.from_numpy(noise).to(truth), torch.from_numpy(sigma).to(truth), way)

    def state(self) -> dict[str, Tensor]:
        """What is under way, and how long white noise is learnt from; the captures themselves come again by their number."""
        fields = ("x", "z", "guide")
        state = {f"{place}.{field}": getattr(way, field) for place, way in self._ways.items() for field in fields}
        state |= {f"{place}.stage": torch.tensor(way.stage) for place, way in self._ways.items()}
        return state | {"white_rounds": torch.tensor(self.white_rounds)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put it back."""
        places: dict[int, dict[str, Any]] = {}
        self.white_rounds = int(state["white_rounds"])
        for name, value in state.items():
            place, _, field = name.partition(".")
            if field:
                places.setdefault(int(place), {})[field] = int(value) if field == "stage" else value.to(device())
        self._ways = {place: UnderWay(**fields) for place, fields in places.items()}

    def _capture(self, place: int, number: int) -> Batch:
        if self._captured.get(place, (-1,))[0] != number:
            settings = self.batches.settings
            count = max(1, settings.batch // TAKEN)
            self._captured[place] = number, self.batches.drawn(number, settings.crop, count, number * count)
        return self._captured[place][1]
