"""What each step of a run does: its learning rate, its clips, and when it ends."""

from __future__ import annotations

import math
from dataclasses import dataclass

from recon.training.settings import TrainingSettings
from sensors.refusal import Refusal


@dataclass(frozen=True)
class Place:
    """Where a run stands.

    Parameters
    ----------
    step : int
        Steps done.
    asked : int
        Steps that it was asked to have.
    steps, decays_from : int
        Those of its schedule; fewer than asked where patience ended it.
    """

    step: int
    asked: int
    steps: int
    decays_from: int


@dataclass(frozen=True)
class Schedule:
    """Warm-up, plateau, decay. Up to ``decays_from`` nothing depends on how long the run is.

    Parameters
    ----------
    settings : TrainingSettings
    steps : int
        Steps of the whole run.
    decays_from : int
        First step of the decay.
    """

    settings: TrainingSettings
    steps: int
    decays_from: int

    @classmethod
    def of(cls, settings: TrainingSettings) -> Schedule:
        """As long as the settings say."""
        return cls(settings, settings.steps, settings.steps - round(settings.decay * settings.steps))

    def ended_early(self, step: int) -> Schedule:
        """The decay begins at that step, and takes its share of the shorter run."""
        share = self.settings.decay
        return Schedule(self.settings, min(self.steps, step + max(1, round(step * share / (1 - share)))), step)

    def continued(self, place: Place) -> tuple[Schedule, int]:
        """The schedule of a run that stands there, now asked to be as long as this one, and the step from which it goes on.

        That is the first step of the decay where the decay has to be done again.

        Raises
        ------
        Refusal
            If the run cannot become as long or as short as this.
        """
        step, decays_from = place.step, place.decays_from
        if self.steps == place.asked:
            return Schedule(self.settings, place.steps, decays_from), step
        if step <= decays_from and step <= self.decays_from:
            return self, step
        begin = min(step, decays_from)
        if not begin and self.steps > step:
            raise Refusal("the run decays from its first step (decay=1), so it cannot be made longer; begin another with decay=0.3")
        if self.steps < step:
            shorter = f"steps={self.steps} would throw some away; give the weights another name for a shorter run"
            raise Refusal(f"the run has done {step:,} steps; {shorter}")
        return Schedule(self.settings, self.steps, max(begin, self.decays_from)), begin

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        rise = min(1.0, (step + 1) / self.settings.warm_up) if self.settings.warm_up else 1.0
        past = step - self.decays_from
        fall = 0.5 * (1 + math.cos(math.pi * past / (self.steps - self.decays_from))) if past > 0 else 1.0
        return self.settings.rate * rise * fall

    def crop(self, step: int) -> int:
        """Side of the clips of a step."""
        if step < self.settings.first_steps:
            return self.settings.first_crop
        return self.settings.last_crop or self.settings.crop if step >= self.decays_from else self.settings.crop
