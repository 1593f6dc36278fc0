"""Initial weights of a network that has none."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: The last layer begins so much smaller than by He's rule, and with this luminance in its bias.
LAST_LAYER, MEAN_LUMINANCE = 0.1, 0.4


def initialise(network: Any, kind: str, sensor: Sensor) -> None:
    """Choose the initial weights of a network.

    Parameters
    ----------
    network : Module and Network
    kind : str
        ``torch``, ``he``, ``classical`` or ``published`` (`recon.training.settings.TrainingSettings`); empty for those it was built
        with.
    sensor : Sensor
        Whose captures it is for.

    Raises
    ------
    Refusal
        If the network cannot begin so.
    """
    if kind == "torch":
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                layer.reset_parameters()
    elif kind == "he":
        begin_as_he(network, network.output_layer)
    elif kind == "classical" and (reason := network.begin_as_classical(sensor)):
        raise Refusal(f"the network cannot begin as the classical answer: {reason}")
    elif kind == "published" and (reason := network.begin_as_published()):
        raise Refusal(f"initial=published: {reason}")


def begin_as_he(network: nn.Module, last: nn.Conv2d | None = None) -> None:
    """Weights by K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", ICCV 2015, and no bias.

    A last layer that is followed by a ReLU begins small, with the mean luminance in its bias: no output is negative everywhere.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    if last is not None:
        with torch.no_grad():
            last.weight.mul_(LAST_LAYER)
            last.bias.fill_(MEAN_LUMINANCE)  # type: ignore[union-attr]


@torch.no_grad()
def draw_row_anew(layer: nn.Conv2d, row: int, seed: int) -> None:
    """Begin one output channel of a last layer again as `begin_as_he` does."""
    generator = torch.Generator(device="cpu").manual_seed(seed)
    scale = LAST_LAYER * (2 / layer.weight[row].numel()) ** 0.5
    layer.weight[row] = scale * torch.randn(layer.weight[row].shape, generator=generator).to(layer.weight)
    layer.bias[row] = MEAN_LUMINANCE  # type: ignore[index]
