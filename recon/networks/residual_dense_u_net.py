"""A U-Net of residual dense blocks that deblurs a picture.

The deblurring module of K. Purohit, A. Shah, A. N. Rajagopalan, "Bringing alive blurred moments", CVPR 2019. All work is done on
the picture folded by ``fold`` (space to depth). Encoder: residual dense blocks, then a convolution of stride 2, level by level.
Decoder: a bottleneck layer and a transposed convolution, whose result is merged with the features of the encoder by a 1x1
projection; two convolutions at the end, the result of which is added to the picture. A non-linearity follows every convolution
but the last; nothing is normalised. Residual dense blocks: Y. Zhang, Y. Tian, Y. Kong, B. Zhong, Y. Fu, "Residual dense network",
CVPR 2018.

Widths, growth, number of blocks and the factor of the folding are not published. With channels (48, 64, 96, 128), growth 40 and
blocks (2, 3, 3, 4) it has the size that is, 17.9 MB. Untrained, the module returns nearly its input.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from recon.networks.space_to_depth import fold as folded
from recon.networks.space_to_depth import unfold
from recon.training.initialisation import LAST_LAYER, begin_as_he

#: Slope of the leaky ReLU, factor on what a block adds, and convolutions in a block.
SLOPE, RESIDUAL, LAYERS = 0.1, 0.2, 5

#: Channels between the two convolutions at the end, to those of the first level.
LAST_WIDTH = 4 / 3


class ResidualDenseUNet(nn.Module):
    """A blurred picture (N, C, H, W) to a sharp one of the same shape; H and W are multiples of `multiple`.

    Parameters
    ----------
    planes : int
        C, each in [0, 1].
    channels : sequence of int
        Those of each level, fine to coarse.
    growth : int
        Channels that each convolution of a dense block adds.
    blocks : sequence of int
        Blocks of each level.
    fold : int
        Side of the tiles that the picture is folded by.
    dense : bool
        Otherwise the blocks are residual blocks of two convolutions, without dense connections.
    """

    def __init__(
        self,
        planes: int = 3,
        channels: Sequence[int] = (48, 64, 96, 128),
        growth: int = 40,
        blocks: Sequence[int] = (2, 3, 3, 4),
        fold: int = 2,
        dense: bool = True,
    ) -> None:
        super().__init__()
        self.fold = (fold, fold)
        self.multiple = fold * 2 ** (len(channels) - 1)
        last, upward = round(LAST_WIDTH * channels[0]), list(pairwise(channels[::-1]))
        self.head = nn.Conv2d(planes * fold**2, channels[0], 3, padding=1)
        self.levels = nn.ModuleList(
            nn.Sequential(*(DenseBlock(width, growth) if dense else PlainBlock(width) for _ in range(count)))
            for width, count in zip(channels, blocks, strict=True)
        )
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise(channels))
        self.bottleneck = nn.ModuleList(_bottleneck(a) for a, _ in upward)
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in upward)
        self.merge = nn.ModuleList(nn.Conv2d(2 * b, b, 1) for _, b in upward)
        self.tail = nn.Sequential(_convolution(channels[0], last), nn.LeakyReLU(SLOPE), _convolution(last, planes * fold**2))
        self.act = nn.LeakyReLU(SLOPE)
        begin_as_he(self)
        with torch.no_grad():
            self.tail[-1].weight.mul_(LAST_LAYER)  # type: ignore[operator]

    def forward(self, blurred: Tensor) -> Tensor:
        """The sharp picture."""
        x, kept = self.act(self.head(folded(blurred, self.fold))), []
        for level, down in zip(self.levels, [*self.down, None], strict=True):
            x = level(x)
            if down is not None:
                kept.append(x)
                x = self.act(down(x))
        for bottleneck, up, merge, skip in zip(self.bottleneck, self.up, self.merge, reversed(kept), strict=True):
            x = self.act(merge(torch.cat([self.act(up(bottleneck(x))), skip], 1)))
        return blurred + unfold(self.tail(x), self.fold)


class DenseBlock(nn.Module):
    """Convolutions that each see all before them; a 1x1 projection of all is added to the input."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.grow = nn.ModuleList(_convolution(width + k * growth, growth) for k in range(LAYERS))
        self.act = nn.LeakyReLU(SLOPE)
        self.project = nn.Conv2d(width + LAYERS * growth, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        seen = [x]
        for grow in self.grow:
            seen.append(self.act(grow(torch.cat(seen, 1))))
        return x + RESIDUAL * self.project(torch.cat(seen, 1))


class PlainBlock(nn.Module):
    """Two convolutions, what comes of them added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(_convolution(width, width), nn.LeakyReLU(SLOPE), _convolution(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return x + RESIDUAL * self.branch(x)


def _bottleneck(width: int) -> nn.Sequential:
    narrow = nn.Conv2d(width, width // 2, 1)
    return nn.Sequential(narrow, nn.LeakyReLU(SLOPE), _convolution(width // 2, width), nn.LeakyReLU(SLOPE))


def _convolution(seen: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(seen, out, 3, padding=1)
