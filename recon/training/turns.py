"""Captures on their way through the turns of an unfolded network, so that it learns from the errors that its own turns leave.

To unroll all turns of a capture for each step is to learn sixteen times from the same frames. Here many captures are under way at
once: each step takes a few of them, at turns far apart, one turn further, learns from that turn alone and puts them back. One that has
had its last turn makes room for another. Which capture is at which turn follows from the number of the step.

S. Ross, G. Gordon, D. Bagnell, A reduction of imitation learning to no-regret online learning, AISTATS 2011.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from recon.networks.mask_unfolding import UnderWay
from recon.training.batches import Batch, Batches

#: So many captures are taken one turn further by each step.
TAKEN = 4


@dataclass(frozen=True)
class Visit:
    """A place of the store, the turn that its capture is at, and what was captured."""

    place: int
    turn: int
    batch: Batch


class Turns:
    """A store of captures under way, where the training loop takes its batches from.

    Parameters
    ----------
    batches : Batches
        Where captures come from.
    stages : int
        Turns of the network.
    """

    def __init__(self, batches: Batches, stages: int) -> None:
        self.batches = batches
        self.stages = stages
        self._captured: dict[int, tuple[int, Batch]] = {}
        self._ways: dict[int, UnderWay] = {}

    def batch(self, number: int) -> list[Visit]:
        """What is taken one turn further in that step."""
        round_, first = divmod(number, self.stages)
        visits = []
        for part in range(TAKEN):
            place = first * TAKEN + part
            offset = (first + part * self.stages // TAKEN) % self.stages  # spreads the turns of a step, and of the places
            generation, turn = divmod(round_ + offset, self.stages)
            visits.append(Visit(place, min(turn, round_), self._capture(place, generation * self.stages * TAKEN + place)))
        return visits

    def estimates(self, network: nn.Module, visit: Visit) -> tuple[list[Tensor], Tensor]:
        """The estimate of that turn, and the truth."""
        truth, start, charge, variance, exposure = visit.batch
        if visit.turn == 0:
            self._ways[visit.place] = UnderWay(start, start, start)
        return [network.turn(self._ways[visit.place], charge, exposure, variance)], truth  # type: ignore[operator]

    def validate(self, network: nn.Module) -> dict[str, float]:
        """As `Batches.validate`."""
        return self.batches.validate(network)

    def state(self) -> dict[str, Tensor]:
        """What is under way; the captures themselves come again by their number."""
        fields = ("x", "z", "guide")
        state = {f"{place}.{field}": getattr(way, field) for place, way in self._ways.items() for field in fields}
        return state | {f"{place}.turn": torch.tensor(way.turn) for place, way in self._ways.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put it back."""
        places: dict[int, dict[str, Any]] = {}
        for name, value in state.items():
            place, _, field = name.partition(".")
            places.setdefault(int(place), {})[field] = int(value) if field == "turn" else value.to(self.batches.device)
        self._ways = {place: UnderWay(**fields) for place, fields in places.items()}

    def _capture(self, place: int, number: int) -> Batch:
        if self._captured.get(place, (-1,))[0] != number:
            self._captured[place] = number, self.batches.drawn(number, max(1, self.batches.method.batch // TAKEN))
        return self._captured[place][1]
