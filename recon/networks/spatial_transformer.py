"""Affine and local transformations of maps, found by small networks in features.

======  ===============================================================================  ==============
symbol  meaning                                                                          shape
======  ===============================================================================  ==============
theta   affine map from places in the result to places in the source, normalised such    (N, 2, 3)
        that a map reaches from -1 to 1 along columns (first row) and rows (second row)
d       displacement, rows and columns in pixels: result(p) = source(p + d(p))           (N, 2, h, w)
======  ===============================================================================  ==============

M. Jaderberg, K. Simonyan, A. Zisserman, K. Kavukcuoglu, "Spatial transformer networks", NeurIPS 2015.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recon.training.initialisation import begin_as_he

#: Channels of the localisation network; slope of the leaky ReLU.
LOCALISATION, SLOPE = 64, 0.1

#: Standard deviation of the weights by which theta begins to differ from the identity; factor on He's of those that give d.
NEAR_IDENTITY, SMALL = 1e-3, 1e-2


class Localisation(nn.Module):
    """theta of a map: two convolutions of stride 2, the mean over all pixels, a linear layer; it begins near the identity."""

    def __init__(self, seen: int, width: int = LOCALISATION) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(seen, width, 3, 2, 1), nn.LeakyReLU(SLOPE), nn.Conv2d(width, width, 3, 2, 1), nn.LeakyReLU(SLOPE)
        )
        self.affine = nn.Linear(width, 6)
        begin_as_he(self)
        nn.init.normal_(self.affine.weight, std=NEAR_IDENTITY)
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to (N, 2, 3), in float32.

        In bfloat16 oneDNN returns noise for the gradient of a convolution of stride 2 on a single pixel (torch 2.13).
        """
        with torch.autocast(x.device.type, enabled=False):
            change = self.affine(self.layers(x.float()).mean((2, 3))).view(-1, 2, 3)
        return change + torch.eye(2, 3, device=x.device)


class LocalWarping(nn.Module):
    """LW: the displacement of each pixel of a map, by two convolutions; it begins small."""

    def __init__(self, seen: int) -> None:
        super().__init__()
        middle, last = nn.Conv2d(seen, seen // 2, 3, padding=1), nn.Conv2d(seen // 2, 2, 3, padding=1)
        self.layers = nn.Sequential(middle, nn.LeakyReLU(SLOPE), last)
        begin_as_he(self)
        with torch.no_grad():
            last.weight.mul_(SMALL)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to (N, 2, h, w)."""
        return self.layers(x).float()


def affine_displacement(theta: Tensor, size: tuple[int, int]) -> Tensor:
    """The displacement of theta on maps of so many rows and columns."""
    N, (h, w) = len(theta), size
    here = F.affine_grid(torch.eye(2, 3, device=theta.device)[None], [1, 1, h, w], align_corners=False)
    away = F.affine_grid(theta, [N, 1, h, w], align_corners=False) - here
    return torch.stack([away[..., 1] * (h / 2), away[..., 0] * (w / 2)], 1)


def inverse(theta: Tensor) -> Tensor:
    """The affine maps that undo those of theta."""
    linear, shift = theta[..., :2], theta[..., 2:]
    (a, b), (c, d) = linear[..., 0, :].unbind(-1), linear[..., 1, :].unbind(-1)
    undone = torch.stack([torch.stack([d, -b], -1), torch.stack([-c, a], -1)], -2) / (a * d - b * c)[..., None, None]
    return torch.cat([undone, -undone @ shift], -1)
