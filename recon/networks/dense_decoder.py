"""The decoder of Argaw et al. (`recon.networks.argaw_2020`): a picture at each scale, coarse to fine, refined at the end.

At each scale: features and picture of the scale before, up-sampled by transposed convolutions (4x4, stride 2), and the features
of the encoder go through five convolutions, each of which sees all before it; the last one gives the features of this scale, and
one more convolution the picture. Refinement: seven convolutions of growing dilation on the finest features and picture, added to
the picture, as in the context network of D. Sun, X. Yang, M.-Y. Liu, J. Kautz, "PWC-Net", CVPR 2018; the dilations are not
published.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recon.networks.purohit_2019 import begin_bilinear
from recon.training.initialisation import LAST_LAYER, MEAN_LUMINANCE, begin_as_he

#: Slope of the leaky ReLU, convolutions of a dense block, dilations and width of the refinement.
SLOPE, LAYERS, DILATIONS, REFINEMENT = 0.1, 5, (1, 2, 4, 8, 16, 1, 1), 64


class DenseDecoder(nn.Module):
    """Features of an encoder, fine to coarse, to pictures, coarse to fine, the first one twice as large as the coarsest features.

    Parameters
    ----------
    planes : int
        C of the pictures.
    channels : sequence of int
        Those of each scale of the encoder, fine to coarse; features have ``multiple`` times as many.
    growth : int
        Channels that each convolution of a dense block adds.
    multiple : int
        How many maps of the encoder's channels the features consist of.
    shown : int
        Channels of what is shown to each scale besides.
    refinement : int
        Channels of the refinement.
    residual : bool
        A picture is added to that of each scale, so that the decoder begins near zero; otherwise it begins near the mean
        luminance.
    """

    def __init__(
        self,
        planes: int,
        channels: Sequence[int],
        growth: int,
        *,
        multiple: int = 1,
        shown: int = 0,
        refinement: int = REFINEMENT,
        residual: bool = False,
    ) -> None:
        super().__init__()
        finer = [*channels[-2::-1], channels[0]]  # of each scale, coarse to fine
        kept = [*channels[-2::-1], 0]  # of the encoder there; none at full size
        coarser = [multiple * channels[-1], *finer[:-1]]
        seen = [
            out + multiple * skip + shown + (planes if k else 0) for k, (out, skip) in enumerate(zip(finer, kept, strict=True))
        ]
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in zip(coarser, finer, strict=True))
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(planes, planes, 4, 2, 1) for _ in finer[1:])
        self.blocks = nn.ModuleList(DenseBlock(a, growth, b) for a, b in zip(seen, finer, strict=True))
        self.pictures = nn.ModuleList(nn.Conv2d(width, planes, 3, padding=1) for width in finer)
        self.refinement = _refinement(channels[0] + planes, refinement, planes)
        self._begin(residual)

    def forward(self, features: Sequence[Tensor], shown: Sequence[Tensor] | None, added: Sequence[Tensor] | None) -> list[Tensor]:
        """Pictures (N, C, h, w).

        Parameters
        ----------
        features : sequence of Tensor
            Fine to coarse.
        shown : sequence of Tensor, optional
            What each scale is shown besides, coarse to fine.
        added : sequence of Tensor, optional
            The picture that is added at each scale, coarse to fine.
        """
        x = features[-1]
        found: list[Tensor] = []
        for k, (up, block, picture) in enumerate(zip(self.up, self.blocks, self.pictures, strict=True)):
            parts = [F.leaky_relu(up(x), SLOPE)]
            if k < len(features) - 1:
                parts.append(features[-2 - k])
            if found:
                parts.append(self.enlarge[k - 1](found[-1]))
            if shown is not None:
                parts.append(shown[k])
            x = block(torch.cat(parts, 1))
            found.append(picture(x) if added is None else picture(x) + added[k])
        found[-1] = found[-1] + self.refinement(torch.cat([x, found[-1]], 1))
        return found

    @torch.no_grad()
    def _begin(self, residual: bool) -> None:
        begin_as_he(self)
        for layer in self.enlarge:
            begin_bilinear(layer)  # type: ignore[arg-type]
        small = LAST_LAYER**2 if residual else LAST_LAYER
        for picture in self.pictures:
            picture.weight.mul_(small)  # type: ignore[operator]
            nn.init.constant_(picture.bias, 0.0 if residual else MEAN_LUMINANCE)  # type: ignore[arg-type]
        self.refinement[-1].weight.mul_(small)  # type: ignore[operator]


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees all before it; the last one gives the result."""

    def __init__(self, seen: int, growth: int, out: int) -> None:
        super().__init__()
        widths = [growth] * (LAYERS - 1) + [out]
        self.layers = nn.ModuleList(nn.Conv2d(seen + k * growth, width, 3, padding=1) for k, width in enumerate(widths))

    def forward(self, x: Tensor) -> Tensor:
        """(N, seen, h, w) to (N, out, h, w)."""
        seen = [x]
        for layer in self.layers:
            seen.append(F.leaky_relu(layer(torch.cat(seen, 1)), SLOPE))
        return seen[-1]


def _refinement(seen: int, width: int, out: int) -> nn.Sequential:
    widths = [seen] + [width] * (len(DILATIONS) - 1) + [out]
    layers: list[nn.Module] = []
    for k, dilation in enumerate(DILATIONS):
        layers += [nn.Conv2d(widths[k], widths[k + 1], 3, padding=dilation, dilation=dilation), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers[:-1])
