"""The one training loop: batches keyed by their number, a moving average of the weights, checkpoints that resume bit by bit."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from recon import weight_file
from recon.training.losses import Loss
from sensors.refusal import Refusal

#: Batches prepared ahead of the one being learnt from.
AHEAD = 3

#: Share of the steps over which the rate rises to its largest.
WARM_UP = 0.02


@dataclass(frozen=True)
class Recipe:
    """What a training run is, besides its network and its data.

    Parameters
    ----------
    steps : int
        Batches learnt from.
    rate : float
        Largest learning rate of Adam; it rises over the first 2 % of the steps and falls to zero along a cosine.
    decay : float
        Of the moving average of the weights, per step; it is the average that is validated and kept.
    clipping : float
        Largest norm of a gradient.
    every : int
        Steps between validations, each followed by a checkpoint.
    bfloat16 : bool
        Convolve in bfloat16 (autocast).
    """

    steps: int
    rate: float = 1e-3
    decay: float = 0.999
    clipping: float = 1.0
    every: int = 500
    bfloat16: bool = False


class Source(Protocol):
    """Where batches come from: `recon.training.batches.Batches`, or `recon.training.turns.Turns`."""

    def batch(self, number: int) -> Sequence[Any]:
        """What is learnt from in that step, in parts; the same whenever it is asked for. Called from a thread."""

    def estimates(self, network: nn.Module, part: Any) -> tuple[list[Tensor], Tensor]:
        """Videos (N, T, H, W) that the network makes, the last one best, and the true ones. Of several parts called from threads."""

    def validate(self, network: nn.Module) -> Mapping[str, float]:
        """Figures of the averaged network on clips held back, if there are any."""

    def state(self) -> Mapping[str, Tensor]:
        """What is carried from step to step."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put it back."""


def learn(
    network: nn.Module,
    source: Source,
    loss: Loss,
    recipe: Recipe,
    *,
    report: Callable[..., None] | None = None,
    checkpoint: Path | None = None,
    settings: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Train a network; returns its moving average.

    Parameters
    ----------
    network : Module
        Trained in place.
    source : Source
    loss : Loss
    recipe : Recipe
    report : callable, (done, total, said, row)
    checkpoint : path, optional
        Where the run is kept every ``recipe.every`` steps; if there is one already, the run goes on from it, bit by bit.
    settings : mapping, optional
        JSON: what else the result depends on, such as how batches are drawn.

    Raises
    ------
    Refusal
        If the checkpoint is of another run, or the loss is no number any more; the checkpoint holds the last good state.
    """
    device = next(network.parameters()).device
    average = _copy(network)
    optimiser = torch.optim.Adam(network.parameters(), lr=recipe.rate, betas=(0.9, 0.99))
    run = {"recipe": asdict(recipe), "loss": asdict(loss), "network": getattr(network, "settings", {})}
    run["settings"] = dict(settings or {})
    first = _resume(checkpoint, run, network, average, optimiser, source) if checkpoint and checkpoint.is_file() else 0
    if report and not first and (figures := source.validate(average)):
        report(0, recipe.steps, *_row({"step": 0} | dict(figures)))
    running, seen, parameters = 0.0, 0, list(network.parameters())

    def learn_from(part: Any) -> tuple[Tensor, Sequence[Tensor | None]]:
        with torch.autocast(device.type, torch.bfloat16, enabled=recipe.bfloat16):
            estimates, truth = source.estimates(network, part)
        value = loss(estimates, truth)
        return value.detach(), torch.autograd.grad(value, parameters, allow_unused=True)

    for step, parts in _ahead(source.batch, first, recipe.steps):
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * _schedule(step, recipe.steps)
        values, gradients = zip(*_side_by_side(learn_from, parts), strict=True)
        value = sum(values) / len(parts)
        for parameter, *each in zip(parameters, *gradients, strict=True):
            parameter.grad = None if each[0] is None else sum(each[1:], each[0]) / len(parts)
        norm = nn.utils.clip_grad_norm_(network.parameters(), recipe.clipping)
        if not (torch.isfinite(value) and torch.isfinite(norm)):
            kept = f"; {checkpoint} holds the last good state" if checkpoint and checkpoint.is_file() else ""
            raise Refusal(f"the loss is no number any more at step {step + 1}{kept}; try a lower rate than {recipe.rate}")
        optimiser.step()
        _approach(average, network, min(recipe.decay, (1 + step) / (10 + step)))
        running, seen = running + float(value), seen + 1
        done = step + 1
        if done % recipe.every == 0 or done == recipe.steps:
            row = {"step": done, "loss": running / seen, "rate": optimiser.param_groups[0]["lr"]}
            row |= source.validate(average)
            running, seen = 0.0, 0
            if checkpoint:
                _keep(checkpoint, run, done, network, average, optimiser, source)
            if report:
                report(done, recipe.steps, *_row(row))
        elif report:
            report(done, recipe.steps, "", None)
    return average


def _row(row: dict[str, float]) -> tuple[str, dict[str, float]]:
    return ", ".join(f"{key} {value:.5g}" for key, value in row.items() if key not in ("step", "rate")), row


def _schedule(step: int, steps: int) -> float:
    rise = max(1, round(WARM_UP * steps))
    return min(1.0, (step + 1) / rise) * 0.5 * (1 + math.cos(math.pi * step / steps))


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

    Of small clips that is 1.5 times as fast as all threads on one after the other.
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


def _copy(network: nn.Module) -> nn.Module:
    from copy import deepcopy

    return deepcopy(network).requires_grad_(False)


@torch.no_grad()
def _approach(average: nn.Module, network: nn.Module, decay: float) -> None:
    torch._foreach_lerp_(list(average.parameters()), [p.detach() for p in network.parameters()], 1 - decay)


def _keep(
    path: Path,
    run: Mapping[str, Any],
    step: int,
    network: nn.Module,
    average: nn.Module,
    optimiser: torch.optim.Adam,
    source: Source,
) -> None:
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    tensors |= {f"source.{name}": value for name, value in source.state().items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{number}.{key}": torch.as_tensor(value) for key, value in state.items()}
    arrays = {name: value.detach().cpu().numpy() for name, value in tensors.items()}
    weight_file.write(path, arrays, {"method": "checkpoint", "run": run, "step": step})


def _resume(
    path: Path, run: Mapping[str, Any], network: nn.Module, average: nn.Module, optimiser: torch.optim.Adam, source: Source
) -> int:
    """Put a kept run back; returns the number of steps done."""
    arrays, document = weight_file.read(path, "checkpoint")
    if document.get("run") != json.loads(json.dumps(run)):
        raise Refusal(f"{path} is a checkpoint of another run; go on with the settings of that one, or remove it")
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "average": {}, "adam": {}, "source": {}}
    for name, array in arrays.items():
        kind, _, rest = name.partition(".")
        parts[kind][rest] = torch.from_numpy(np.array(array))
    network.load_state_dict(parts["network"])
    average.load_state_dict(parts["average"])
    source.restore(parts["source"])
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["adam"].items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return int(document["step"])
