"""A discriminator that judges each patch of a frame, and the layer by which one optimiser trains it and its opponent.

P. Isola, J.-Y. Zhu, T. Zhou, A. Efros, "Image-to-image translation with conditional adversarial networks", CVPR 2017: five
convolutions, each output seeing 70x70 pixels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: Slope of the leaky ReLU.
LEAK = 0.2


class PatchDiscriminator(nn.Module):
    """Frames (N, C, H, W) to logits (N, 1, h, w): positive for frames held to be true.

    Parameters
    ----------
    planes : int
        C.
    widths : tuple of int
        Channels of the layers before the last; the last but one keeps the size, those before halve it.
    """

    def __init__(self, planes: int = 1, widths: tuple[int, ...] = (64, 128, 256, 512)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, (before, width) in enumerate(zip((planes, *widths), widths, strict=False)):
            layers.append(nn.Conv2d(before, width, 4, stride=1 if number == len(widths) - 1 else 2, padding=1, bias=number == 0))
            if number:
                layers.append(nn.InstanceNorm2d(width, affine=True))
            layers.append(nn.LeakyReLU(LEAK))
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, padding=1))
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.02)

    def forward(self, frames: Tensor) -> Tensor:
        """The logits."""
        return self.layers(frames)


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        return -ctx.weight * slope, None


def adversarial_loss(critic: nn.Module, made: Tensor, true: Tensor, weight: float) -> Tensor:
    """The discriminator's loss of frames that were made and true ones, both (N, C, H, W).

    One optimiser trains both: the discriminator follows this loss, whereas whatever made the frames gets its slope times ``-weight``,
    by the reversal of Y. Ganin, V. Lempitsky, "Unsupervised domain adaptation by backpropagation", ICML 2015. So the frames are made to
    minimise ``weight * log(1 - D)``, the minimax loss.
    """
    said = critic(_Reversal.apply(made, weight)), critic(true)
    return sum(
        (
            F.binary_cross_entropy_with_logits(one, torch.full_like(one, label))
            for one, label in zip(said, (0.0, 1.0), strict=True)
        ),
        start=made.new_zeros(()),
    )
