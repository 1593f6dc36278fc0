"""The small U-Net that our networks share: residual blocks on three levels, each half as fine and twice as wide."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

#: Levels below the first: sizes have to be multiples of 2 to this power.
LEVELS = 2


class UNet(nn.Module):
    """Its last layer starts at zero, so that untrained it says nothing.

    Parameters
    ----------
    embed : Conv2d
        What it sees to ``width`` channels; subclasses apply it, then `features`, then ``head``.
    width, out : int
        Channels of the first level, and of the result.
    block : type
        Made with a number of channels; called with features and what else `features` is given.
    """

    def __init__(self, embed: nn.Conv2d, width: int, out: int, block: type[nn.Module]) -> None:
        super().__init__()
        make: Any = block
        self.embed = embed
        self.fine = make(width)
        self.down = nn.Conv2d(width, 2 * width, 2, 2)
        self.middle = make(2 * width)
        self.further = nn.Conv2d(2 * width, 4 * width, 2, 2)
        self.coarse = nn.ModuleList([make(4 * width), make(4 * width)])
        self.back = nn.ConvTranspose2d(4 * width, 2 * width, 2, 2)
        self.middle_again = make(2 * width)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, 2)
        self.fine_again = make(width)
        self.head = nn.Conv2d(width, out, 3, padding=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.head.weight)

    def features(self, embedded: Tensor, *about: Any) -> Tensor:
        """Down and up again: (N, width, h, w), same shape."""
        first = self.fine(embedded, *about)
        second = self.middle(self.down(first), *about)
        third = self.further(second)
        for block in self.coarse:
            third = block(third, *about)
        second = self.middle_again(second + self.back(third), *about)
        return self.fine_again(first + self.up(second), *about)


class Block(nn.Module):
    """x + conv(ReLU(conv(x))), the second convolution small at the start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return self.added(x, x)

    def added(self, x: Tensor, seen: Tensor) -> Tensor:
        """x and what the convolutions make of what is seen."""
        return x + 0.2 * self.second(torch.relu_(self.first(seen)))


def in_autocast_type(field: Tensor) -> Tensor:
    """In the type in which convolutions are computed."""
    if torch.is_autocast_enabled(field.device.type):
        return field.to(torch.get_autocast_dtype(field.device.type))
    return field
