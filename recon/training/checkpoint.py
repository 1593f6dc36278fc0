"""Checkpoints: all that a run needs to resume, with bit-identical results on one processor, in one file that is whole or not there.

=====================  =====================================================================================
in the file            what it is
=====================  =====================================================================================
network., average.     weights, and their moving average
adam.N.                moments of Adam for the N-th parameter
source.                what the data carry from step to step
plateau.               the same four at the first step of the decay, once that has begun: a longer run goes on from there
key                    what the weights depend on: method, network, data, seed and recipe; not the number of steps, nor the precision
place, spent           where the run stands; hours of training
=====================  =====================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recon import weight_file
from recon.training.schedule import Place
from recon.training.settings import completed
from sensors.refusal import Refusal

#: Version of what is in the file.
FORMAT = 2

State = dict[str, Tensor]


@dataclass
class Spent:
    """What is told of a run besides its place.

    Parameters
    ----------
    hours : float
        Hours of training.
    loss, batches : float, int
        Sum of the loss since the last validation, and over how many batches.
    history : list of (hours, dB)
        Validations.
    redrawn : dict
        How often each constant output was drawn anew.
    """

    hours: float = 0.0
    loss: float = 0.0
    batches: int = 0
    history: list[tuple[float, float]] = field(default_factory=list)
    redrawn: dict[str, int] = field(default_factory=dict)


def state_of(network: nn.Module, average: nn.Module, optimiser: torch.optim.Adam, source: State) -> State:
    """A copy of all tensors of a run."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    tensors |= {f"source.{name}": value for name, value in source.items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{number}.{key}": torch.as_tensor(value) for key, value in state.items()}
    return {name: value.detach().cpu().clone() for name, value in tensors.items()}


def restore(state: State, network: nn.Module, average: nn.Module, optimiser: torch.optim.Adam) -> State:
    """Put the tensors of a run back; returns those of the data."""
    parts: dict[str, State] = {"network": {}, "average": {}, "adam": {}, "source": {}}
    for name, tensor in state.items():
        kind, _, rest = name.partition(".")
        parts[kind][rest] = tensor
    network.load_state_dict(parts["network"])
    average.load_state_dict(parts["average"])
    moments: dict[int, State] = {}
    for name, tensor in parts["adam"].items():
        number, _, key = name.partition(".")
        moments.setdefault(int(number), {})[key] = tensor
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
    return parts["source"]


def write(path: Path, key: Mapping[str, Any], place: Place, spent: Spent, state: State, plateau: State | None) -> None:
    """Keep a run."""
    tensors = state | {f"plateau.{name}": tensor for name, tensor in (plateau or {}).items()}
    document = {"method": "checkpoint", "format": FORMAT, "key": key, "place": asdict(place), "spent": asdict(spent)}
    weight_file.write(path, {name: value.numpy() for name, value in tensors.items()}, document)


def read(path: Path, key: Mapping[str, Any]) -> tuple[Place, Spent, State, State | None]:
    """A run that was kept: its place, what was spent, its state, and that at the first step of the decay if it has got there.

    Raises
    ------
    Refusal
        If the file is damaged, of another version, or of another run.
    """
    try:
        arrays, document = weight_file.read(path, "checkpoint")
    except Refusal as refused:
        raise Refusal(f"{refused}; remove it to begin anew") from None
    if document.get("format") != FORMAT:
        theirs = document.get("format", 1)
        raise Refusal(
            f"{path} is a checkpoint of format {theirs}, this version of c2b reads format {FORMAT}; finish that run with the version "
            f"that began it, or remove the file to begin anew"
        )
    if differences := _differences(document["key"], json.loads(json.dumps(key))):
        raise Refusal(f"{path} is a checkpoint of another run ({', '.join(differences)}); go on with its settings, or remove it")
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    plateau = {name.removeprefix("plateau."): value for name, value in tensors.items() if name.startswith("plateau.")}
    state = {name: value for name, value in tensors.items() if not name.startswith("plateau.")}
    spent = Spent(**document["spent"])
    spent.history = [(float(hours), float(psnr)) for hours, psnr in spent.history]
    return Place(**document["place"]), spent, state, plateau or None


def _differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """What the other run has otherwise."""
    theirs = {**theirs, "recipe": completed(theirs.get("recipe", {}))}
    flat = [{**run, **run["recipe"], **run.get("network", {})} for run in (theirs, ours)]
    names = [name for name in {**flat[0], **flat[1]} if name not in ("recipe", "network")]
    return [
        "other data or sensors" if name == "data" else f"{name} {_word(flat[0].get(name))}, not {_word(flat[1].get(name))}"
        for name in names
        if flat[0].get(name) != flat[1].get(name)
    ]


def _word(value: Any) -> str:
    return json.dumps(value).strip('"') or "none"
