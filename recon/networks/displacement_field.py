"""Ours for one blurred picture: where each pixel moved comes first, then what the sharp middle frame is.

======  ==================================================================  =================
symbol  meaning                                                             shape
======  ==================================================================  =================
B       blurred picture, the mean of the frames                             (N, 1, H, W)
v, a    displacement in half an exposure, and how it changes                (N, 2, H, W)
M       sharp middle frame                                                  (N, 1, H, W)
t       time of a frame in half exposures from the middle                   -1 < t < 1
======  ==================================================================  =================

    frame_t(x) = M(x + t v(x) + t^2 a(x))        M = B + residual(B(x + s v(x)) for s from -1 to 1, v)

A blurred picture moved along the true flow is worth 3.9 dB at the ends of an exposure, sharpening without motion costs 2.3 dB there. So
the field is found first, by a U-Net on a grid four times as coarse, whose bottleneck sees paths of a hundred pixels. Along its path a
picture has less contrast than across: that network is given the contrast in four directions besides. What sharpens sees
the picture at several places along the path of each pixel: in these coordinates blur of any direction is blur along one axis.
A third output is how far the displacement may be wrong: the scale of a Laplace distribution of its error, in pixels.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recon.learned.network import Network
from recon.networks.space_to_depth import fold, unfold
from recon.networks.u_net import Block, UNet, in_autocast_type
from recon.networks.warping import enlarge, times, warp

#: The field lies on a grid so many times as coarse as the picture; what sharpens works on one of this factor.
COARSE, FINE = 4, 2

#: Distances in pixels, and directions (rows, columns), in which contrast is measured; the least that is told apart.
DISTANCES, DIRECTIONS, LEAST_CONTRAST = (1, 2, 4), ((0, 1), (1, 0), (1, 1), (1, -1)), 0.004

#: Pixels that an output of one means: of displacement, of its change, of its error; and the least error that is told.
PIXELS, CHANGE, ERROR, LEAST_ERROR = 4.0, 2.0, 1.0, 0.05

#: Places along the path of a pixel, between the first and the last moment, at which what sharpens sees the picture.
ALONG = 7

#: Mean luminance, taken off before the first layer; residual that an output of one means.
MEAN_LUMINANCE, RESIDUAL = 0.4, 0.2


class Moved(NamedTuple):
    """What is made of a blurred picture."""

    frames: Tensor  # (N, T, H, W)
    middle: Tensor  # (N, 1, H, W)
    displacement: Tensor  # (N, 2, H, W), pixels in half an exposure: rows down, columns right
    change: Tensor  # (N, 2, H, W)
    error: Tensor  # (N, 1, H, W), scale of the error of the displacement, in pixels


class DisplacementField(nn.Module, Network):
    """Blurred picture to video.

    Parameters
    ----------
    channels : tuple of int
        Channels of the four levels of the network that finds the field.
    sharpening : int
        Channels of the first level of the network that sharpens; 0: the blurred picture is moved as it is.
    """

    multiple = (32, 32)
    any_code = True

    def __init__(self, channels: tuple[int, ...] = (48, 72, 96, 120), sharpening: int = 20) -> None:
        super().__init__()
        self.channels, self.sharpening = tuple(map(int, channels)), int(sharpening)
        self.settings = {"channels": list(self.channels), "sharpening": self.sharpening}
        self.field = FieldNetwork(self.channels)
        self.sharpen: UNet | None = None
        if self.sharpening:
            self.sharpen = UNet(nn.Conv2d((ALONG + 2) * FINE**2, sharpening, 3, padding=1), sharpening, FINE**2, Block)

    def forward(self, picture: Tensor, frames: int) -> Moved:
        """The video of each blurred picture.

        Parameters
        ----------
        picture : Tensor, (N, 1, H, W)
            B, in [0, 1]; sides are multiples of 32.
        frames : int
            T, any number.
        """
        displacement, change, error = self.fields(picture)
        middle = self.middle(picture, displacement)
        return Moved(moved(middle, displacement, change, frames), middle, displacement, change, error)

    def fields(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """v, a, and the scale of the error of v, of pictures (N, 1, H, W)."""
        found = self.field(torch.cat([fold(picture - MEAN_LUMINANCE, (COARSE, COARSE)), contrasts(picture)], 1))
        v, a, error = enlarge(found, COARSE).split((2, 2, 1), 1)
        return PIXELS * v, CHANGE * a, LEAST_ERROR + ERROR * F.softplus(error)

    def middle(self, picture: Tensor, displacement: Tensor) -> Tensor:
        """M of pictures (N, 1, H, W) and v."""
        if self.sharpen is None:
            return picture
        along = [warp(picture, s * displacement) for s in torch.linspace(-1, 1, ALONG).tolist()]
        seen = torch.cat([*(one - picture for one in along[: ALONG // 2]), picture - MEAN_LUMINANCE], 1)
        seen = torch.cat([seen, *(one - picture for one in along[ALONG // 2 + 1 :]), displacement / 10], 1)
        net = self.sharpen
        residual = net.head(net.features(net.embed(in_autocast_type(fold(seen, (FINE, FINE))))))
        return picture + RESIDUAL * unfold(residual.float(), (FINE, FINE))


def moved(middle: Tensor, displacement: Tensor, change: Tensor, frames: int) -> Tensor:
    """The middle frame (N, 1, H, W) moved to the times of T frames, (N, T, H, W)."""
    at = times(frames)
    return torch.cat([middle.float() if t == 0 else warp(middle, t * displacement + t * t * change) for t in at], 1)


def contrasts(picture: Tensor) -> Tensor:
    """Logarithm of the mean absolute difference of pixels of a cell of the coarse grid, by distance and direction: (N, 12, h, w)."""
    height, width = picture.shape[-2:]
    found = []
    for distance in DISTANCES:
        wide = F.pad(picture, (distance,) * 4, mode="replicate")
        for down, right in DIRECTIONS:
            top, left = distance * (1 + down), distance * (1 + right)
            difference = wide[..., top : top + height, left : left + width] - picture
            found.append((F.avg_pool2d(difference.abs(), COARSE) + LEAST_CONTRAST).log() + 3)
    return torch.cat(found, 1)


class FieldNetwork(nn.Module):
    """U-Net with pairs of convolutions, leaky ReLU, max pooling down and bilinear enlargement up."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        levels = [COARSE**2 + len(DISTANCES) * len(DIRECTIONS), *channels]
        self.down = nn.ModuleList(_pair(seen, out) for seen, out in pairwise(levels))
        upward = list(pairwise(channels[::-1]))
        self.narrow = nn.ModuleList(_convolution(wide, narrow) for wide, narrow in upward)
        self.up = nn.ModuleList(_pair(2 * narrow, narrow) for _, narrow in upward)
        self.displacement = _convolution(channels[0], 2)
        self.change = _convolution(channels[0], 2)
        self.error = _convolution(channels[0], 1)
        with torch.no_grad():
            self.displacement.weight.mul_(0.1)  # small and random: at zero the two orders have no gradient between them
        for head in (self.change, self.error):
            nn.init.zeros_(head.weight)

    def forward(self, seen: Tensor) -> Tensor:
        """Folded pictures and their contrasts (N, 28, h, w) to displacement, its change and its error, (N, 5, h, w)."""
        x = seen
        kept: list[Tensor] = []
        for block in self.down:
            x = block(F.max_pool2d(x, 2) if kept else x)
            kept.append(x)
        for narrow, block, skip in zip(self.narrow, self.up, reversed(kept[:-1]), strict=True):
            x = narrow(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))
            x = block(torch.cat([x, skip], 1))
        return torch.cat([self.displacement(x), self.change(x), self.error(x)], 1)


def _pair(seen: int, out: int) -> nn.Sequential:
    return nn.Sequential(_convolution(seen, out), nn.LeakyReLU(0.1), _convolution(out, out), nn.LeakyReLU(0.1))


def _convolution(seen: int, out: int) -> nn.Conv2d:
    layer = nn.Conv2d(seen, out, 3, padding=1)
    nn.init.kaiming_normal_(layer.weight, a=0.1)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
