"""The one training loop: batches keyed by their number, a moving average of the weights, checkpoints that resume with the same bits.

Validation looks for outputs that never change: a last ReLU whose input is negative everywhere has no gradient and stays so. Such a row
of the last layer is drawn anew, and named; where that does not help, or the network has no such layer, the run stops.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from recon.training import checkpoint as checkpoints
from recon.training.checkpoint import Spent, State
from recon.training.initialisation import draw_row_anew
from recon.training.schedule import Place, Schedule
from recon.training.settings import TrainingSettings
from recon.training.validation import Found
from sensors.refusal import Refusal

#: Batches prepared ahead of the one being learnt from.
AHEAD = 3

#: A run has failed where the validation is so many dB below the best one.
COLLAPSE = 10.0

#: A constant output is drawn anew so many times.
MOST_REDRAWN = 3

Report = Callable[..., None]


class Source(Protocol):
    """Where batches come from: `recon.training.batches.Batches`, or `recon.training.on_policy.OnPolicy`."""

    schedule: Schedule

    def batch(self, step: int) -> Sequence[Any]:
        """What is learnt from in that step, in parts; the same whenever it is asked for. Called from a thread."""

    def loss(self, network: nn.Module, part: Any) -> Tensor:
        """Training loss of a part. Of several parts called from threads."""

    def state(self) -> Mapping[str, Tensor]:
        """What is carried from step to step."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put it back."""


class Outcome(NamedTuple):
    """Where a run stands when the loop is left."""

    network: nn.Module  # its moving average
    place: Place
    hours: float

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.place.step >= self.place.steps


def learn(
    network: nn.Module,
    source: Source,
    validate: Callable[[nn.Module], Found],
    settings: TrainingSettings,
    *,
    key: Mapping[str, Any],
    report: Report | None = None,
    checkpoint: Path | None = None,
    stop: Callable[[], bool] | None = None,
    validated: Callable[[nn.Module], None] | None = None,
) -> Outcome:
    """Train a network.

    Parameters
    ----------
    network : Module
        Trained in place; what is validated and returned is its moving average.
    source : Source
    validate : callable, network -> Found
    settings : TrainingSettings
    key : mapping
        JSON: all that the weights depend on.
    report : callable, (done, total, said, row)
    checkpoint : path, optional
        Written every ``settings.every`` steps and when the run stops; where it exists the run resumes from it, with bit-identical
        results on one processor.
    stop : callable, optional
        Called after each step; True ends the run in good order.
    validated : callable, optional
        Given the average after each validation, before the report.

    Raises
    ------
    Refusal
        If the checkpoint is of another run, the loss became NaN or infinite, or an output stays constant; the checkpoint holds the last
        good state.
    """
    run = _Run(network, source, settings, key, checkpoint)

    def validate_and_report(row: dict[str, Any]) -> None:
        row, said = run.judge(validate(run.average), row)
        if validated:
            validated(run.average)
        if report:
            report(row["step"], run.schedule.steps, said or _summary(row), row)

    if not run.step and report:
        validate_and_report({"step": 0})
    while run.step < run.schedule.steps:
        for step, parts in _ahead(source.batch, run.step, run.schedule.steps):
            run.learn_from(step, parts)
            if run.step % settings.every == 0 or run.step == run.schedule.steps:
                validate_and_report({"step": run.step, "loss": run.spent.loss / run.spent.batches, "rate": run.schedule.rate(step)})
                run.spent.loss, run.spent.batches = 0.0, 0
                shorter = run.end_if_out_of_patience()
                run.keep()
                if shorter:
                    break  # batches drawn ahead are those of the plateau
            elif report:
                report(run.step, run.schedule.steps, "", None)
            if stop and run.step < run.schedule.steps and stop():
                run.keep()
                return Outcome(run.average, run.place, run.hours)
    return Outcome(run.average, run.place, run.hours)


class _Run:
    """The state of a run, begun or gone on with."""

    def __init__(
        self, network: nn.Module, source: Source, settings: TrainingSettings, key: Mapping[str, Any], path: Path | None
    ) -> None:
        self.network, self.source, self.settings, self.key, self.path = network, source, settings, key, path
        self.average = deepcopy(network).requires_grad_(False).eval()
        self.optimiser = torch.optim.Adam(_by_pace(network), lr=settings.rate, betas=settings.betas)
        self.parameters = list(network.parameters())
        self.schedule, self.step, self.spent = Schedule.of(settings), 0, Spent()
        self.plateau: State | None = None
        if path and path.is_file():
            self._go_on(path)
        source.schedule = self.schedule
        self._began = time.monotonic() - 3600 * self.spent.hours

    @property
    def hours(self) -> float:
        """Hours of training, all sessions together."""
        return (time.monotonic() - self._began) / 3600

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.step, self.settings.steps, self.schedule.steps, self.schedule.decays_from)

    def learn_from(self, step: int, parts: Sequence[Any]) -> None:
        """One step of the optimiser."""
        if step == self.schedule.decays_from:
            self.plateau = self._state()
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.rate(step) * group["pace"]
        values, gradients = zip(*_side_by_side(self._gradient, parts), strict=True)
        value = sum(values) / len(parts)
        for parameter, *each in zip(self.parameters, *gradients, strict=True):
            parameter.grad = None if each[0] is None else sum(each[1:], each[0]) / len(parts)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.settings.clipping)
        self.refuse_unless_finite(norm)
        self.optimiser.step()
        _approach(self.average, self.network, min(self.settings.average, (1 + step) / (10 + step)))
        self.step = step + 1
        self.spent.loss, self.spent.batches = self.spent.loss + float(value), self.spent.batches + 1

    def refuse_unless_finite(self, value: Tensor) -> None:
        """Refusal if a loss or the norm of its gradient is not finite."""
        if not torch.isfinite(value):
            step, rate = self.step + 1, self.settings.rate
            raise Refusal(f"the loss became NaN or infinite at step {step}{self._kept}; try a lower rate than {rate}")

    def judge(self, found: Found, row: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """The row of a validation, and what was done about constant outputs.

        Raises
        ------
        Refusal
            If the training has collapsed, or an output stays constant.
        """
        if "psnr" in found.figures:
            self.refuse_collapse(found.figures["psnr"])
            self.spent.history.append((self.hours, found.figures["psnr"]))
        row = {**row, **found.figures, "hours": round(self.hours, 4), **dead_channels(self.network)}
        return row, self.mend(found) if row["step"] else ""

    def mend(self, found: Found) -> str:
        """Draw rows of the last layer anew whose outputs are constant and that had no gradient in the last step; returns what was done.

        Raises
        ------
        Refusal
            If an output stays constant.
        """
        layers: list[Any] = [net.output_layer for net in (self.network, self.average)]
        known = layers[0] is not None and found.outputs == layers[0].out_channels
        dead = [output for output in found.constant if not (known and layers[0].weight.grad[output.row].any())]
        for output in dead:
            name = str(output)
            self.spent.redrawn[name] = times = self.spent.redrawn.get(name, 0) + 1
            if not known or times > MOST_REDRAWN:
                raise Refusal(
                    f"an output of the network is constant ({name}) at step {self.step}{self._kept}; begin it anew with other initial "
                    "weights (initial=he or classical), another seed, or a lower rate"
                )
            for layer in layers:
                draw_row_anew(layer, output.row, self.settings.seed + self.step)
            for parameter in layers[0].parameters():
                for name_of, moment in self.optimiser.state[parameter].items():
                    if name_of != "step":
                        moment[output.row] = 0
        return f"constant outputs drawn anew: {'; '.join(map(str, dead))}" if dead else ""

    def refuse_collapse(self, psnr: float) -> None:
        """A Refusal if the validation is far below the best one."""
        best = max((one for _, one in self.spent.history), default=psnr)
        if psnr < best - COLLAPSE:
            fell = f"the validation fell from {best:.1f} to {psnr:.1f} dB at step {self.step}"
            raise Refusal(f"{fell}{self._kept}; try a lower rate than {self.settings.rate}")

    def end_if_out_of_patience(self) -> bool:
        """Begin the decay if the last hour has gained too little; whether it does."""
        if not self.settings.patience or self.step >= self.schedule.decays_from or not self.spent.history:
            return False
        before = [psnr for hours, psnr in self.spent.history if hours <= self.hours - 1]
        if not before or max(psnr for _, psnr in self.spent.history) - max(before) >= self.settings.patience:
            return False
        self.schedule = self.source.schedule = self.schedule.ended_early(self.step)
        return True

    def keep(self) -> None:
        """Write the checkpoint."""
        if self.path:
            self.spent.hours = self.hours
            plateau = self.plateau if self.step > self.schedule.decays_from else None
            checkpoints.write(self.path, self.key, self.place, self.spent, self._state(), plateau)

    def _go_on(self, path: Path) -> None:
        place, self.spent, state, self.plateau = checkpoints.read(path, self.key)
        self.schedule, self.step = self.schedule.continued(place)
        if self.step < place.step and self.plateau is not None:
            state, self.plateau = self.plateau, None
            self.spent.loss, self.spent.batches = 0.0, 0
        self.source.restore(checkpoints.restore(state, self.network, self.average, self.optimiser))

    def _gradient(self, part: Any) -> tuple[Tensor, Sequence[Tensor | None]]:
        value = self.source.loss(self.network, part)
        self.refuse_unless_finite(value)
        return value.detach(), torch.autograd.grad(value, self.parameters, allow_unused=True)

    def _state(self) -> State:
        return checkpoints.state_of(self.network, self.average, self.optimiser, dict(self.source.state()))

    @property
    def _kept(self) -> str:
        return f"; {self.path} holds the last good state" if self.path and self.path.is_file() else ""


def dead_channels(network: nn.Module) -> dict[str, int]:
    """How many output channels of each convolution had no gradient at all in the last step, of those that have such; and their sum."""
    found = {}
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer.weight.grad is not None:
            rows = layer.weight.grad.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else layer.weight.grad
            if dead := int((rows.flatten(1).abs().amax(1) == 0).sum()):
                found[f"dead {name}"] = dead
    return {"dead": sum(found.values()), **found}


def _by_pace(network: nn.Module) -> list[dict[str, Any]]:
    """Parameters by their learning rate, to that of the others."""
    groups: dict[float, list[nn.Parameter]] = {}
    paces: Mapping[str, float] = getattr(network, "paces", {})
    for name, parameter in network.named_parameters():
        groups.setdefault(paces.get(name.partition(".")[0], 1.0), []).append(parameter)
    return [{"params": parameters, "pace": pace} for pace, parameters in groups.items()]


def _summary(row: Mapping[str, Any]) -> str:
    said = ("loss", "psnr", "training_psnr", "held_out_error", "middle", "worst", "dead")
    return ", ".join(f"{key} {row[key]:.5g}" for key in said if key in row)


def _ahead(batch: Callable[[int], Any], first: int, last: int) -> Iterator[tuple[int, Any]]:
    """Batches in their order, prepared by a thread beside the one that learns."""
    with ThreadPoolExecutor(1) as pool:
        coming = {n: pool.submit(batch, n) for n in range(first, min(first + AHEAD, last))}
        try:
            for n in count(first):
                if n >= last:
                    return
                yield n, coming.pop(n).result()
                if n + AHEAD < last:
                    coming[n + AHEAD] = pool.submit(batch, n + AHEAD)
        finally:
            for future in coming.values():
                future.cancel()


def _side_by_side(learn_from: Callable[[Any], Any], parts: Sequence[Any]) -> list[Any]:
    """What is learnt from each part, of several each on a thread of its own.

    For small clips, this is 1.5 times as fast as all threads on one after the other.
    """
    if len(parts) == 1:
        return [learn_from(parts[0])]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # new threads take this over
    try:
        return list(_pool(threads).map(learn_from, parts))
    finally:
        torch.set_num_threads(threads)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="c2b-learn")


@torch.no_grad()
def _approach(average: nn.Module, network: nn.Module, decay: float) -> None:
    torch._foreach_lerp_(list(average.parameters()), [p.detach() for p in network.parameters()], 1 - decay)
    for mine, theirs in zip(average.buffers(), network.buffers(), strict=True):
        mine.copy_(theirs)  # statistics of batches are means already
