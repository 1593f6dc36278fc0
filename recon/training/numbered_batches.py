"""Batches with the number of their step, for losses that change over the training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor, nn

from recon.training.batches import Batch, Batches
from recon.training.schedule import Schedule


class NumberedBatch(NamedTuple):
    """A batch and the number of the step that learns from it, counted from 0."""

    batch: Batch
    step: int


class NumberedBatches:
    """Where the training loop takes its batches from.

    Stages of a training are told by the number of a step, never by its share of the run, so that a run can be made longer.

    Parameters
    ----------
    batches : Batches
    loss : callable, (network, Batch, step) -> Tensor
    """

    def __init__(self, batches: Batches, loss: Callable[[nn.Module, Batch, int], Tensor]) -> None:
        self.batches = batches
        self._loss = loss

    @property
    def schedule(self) -> Schedule:
        """That of the batches."""
        return self.batches.schedule

    @schedule.setter
    def schedule(self, schedule: Schedule) -> None:
        self.batches.schedule = schedule

    def batch(self, step: int) -> list[NumberedBatch]:
        """What is learnt from in a step."""
        return [NumberedBatch(batch, step) for batch in self.batches.batch(step)]

    def loss(self, network: nn.Module, part: NumberedBatch) -> Tensor:
        """Training loss of a part."""
        return self._loss(network, part.batch, part.step)

    def state(self) -> Mapping[str, Tensor]:
        """What the batches carry."""
        return self.batches.state()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put it back."""
        self.batches.restore(state)
