"""The generator of Zhang and others, seven frames of one blurred picture at once, and what its three stages compare.

K. Zhang, W. Luo, B. Stenger, W. Ren, L. Ma, H. Li, "Every moment matters: detail-aware networks to bring a blurry image alive", ACM
Multimedia 2020.

The paper says of it: an encoder-decoder of 30 convolutions, whose weights BaseGAN, GramGAN and HeptaGAN share. Ours that count 30:
7x7; two 3x3 of stride 2; 12 residual blocks of two; two transposed 4x4 of stride 2; 7x7. The blurred picture is added to every output.
At the published size, 64 channels, there are 15.2 million parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recon.learned.network import Network
from recon.networks.patch_discriminator import PatchDiscriminator
from recon.networks.space_to_depth import unfold

#: Residual blocks, and slope of the leaky ReLU. The paper speaks of it inside the blocks; with ReLU elsewhere 1,724 channels died.
BLOCKS, LEAK = 12, 0.1

#: The second convolution of a block begins so much smaller than by He's rule, and so does the last layer of the network.
SECOND, LAST_LAYER = 0.2, 0.02

#: Standard deviation of the weights as the paper begins them.
PUBLISHED_DEVIATION = 0.01

#: Frames of a video of seven whose Gram matrices are compared: all triples of equal spacing.
TRIPLES = ((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (4, 5, 6), (0, 2, 4), (1, 3, 5), (2, 4, 6), (0, 3, 6))


class Frames(NamedTuple):
    """What the network makes of blurred pictures."""

    frames: Tensor  # (N, T, H, W), or (N, T, C, H, W) of several planes


class Zhang2020(nn.Module, Network):
    """Blurred pictures (N, C, H, W), the mean of T frames, to these frames.

    Parameters
    ----------
    planes : int
        C; 1 is published: luminance.
    frames : int
        T; 7 is published.
    width : int
        Channels at the finest scale; 64 is published.
    fold : int
        Space to depth before the first convolution; 1 is published.
    critic : bool
        With a discriminator for adversarial training, as `critic`.
    """

    def __init__(self, planes: int = 1, frames: int = 7, width: int = 64, fold: int = 1, critic: bool = False) -> None:
        super().__init__()
        self.settings = {"planes": planes, "frames": frames, "width": width, "fold": fold, "critic": critic}
        self.fold = fold
        self.frames = frames
        self.multiple = (4 * fold, 4 * fold)
        self.encoder = nn.Sequential(
            *(nn.Conv2d(planes * fold**2, width, 7, padding=3), nn.LeakyReLU(LEAK, inplace=True)),
            *(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.LeakyReLU(LEAK, inplace=True)),
            *(nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1), nn.LeakyReLU(LEAK, inplace=True)),
        )
        self.blocks = nn.Sequential(*[ResidualBlock(4 * width) for _ in range(BLOCKS)])
        self.decoder = nn.Sequential(
            *(nn.ConvTranspose2d(4 * width, 2 * width, 4, stride=2, padding=1), nn.LeakyReLU(LEAK, inplace=True)),
            *(nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1), nn.LeakyReLU(LEAK, inplace=True)),
        )
        self.last = nn.Conv2d(width, planes * frames * fold**2, 7, padding=3)
        self.critic = PatchDiscriminator(planes) if critic else None
        self.reach = fold * _reach()
        self._begin()

    def begin_as_published(self) -> str:
        """Normally distributed with standard deviation 0.01."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(layer.weight, std=PUBLISHED_DEVIATION)
        return ""

    def forward(self, blurred: Tensor) -> Frames:
        """All frames at once."""
        N, C, H, W = blurred.shape
        coarse = self.encoder(F.pixel_unshuffle(blurred, self.fold))
        change = self.last(self.decoder(self.blocks(coarse)))
        frames = unfold(change, (self.fold, self.fold)).view(N, self.frames, C, H, W) + blurred[:, None]
        return Frames(frames.flatten(1, 2) if C == 1 else frames)

    def _begin(self) -> None:
        """He's rule for what is followed by a ReLU, residuals small: the first frames are nearly the blurred picture."""
        for layer in [*self.encoder, *self.decoder, *self.blocks.modules(), self.last]:
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_in" if isinstance(layer, nn.Conv2d) else "fan_out")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            for layer in self.decoder:
                if isinstance(layer, nn.ConvTranspose2d):
                    layer.weight.mul_(layer.stride[0])  # each output sees every other tap along an axis
            for block in self.blocks:
                block.second.weight.mul_(SECOND)  # type: ignore[union-attr,operator]
            self.last.weight.mul_(LAST_LAYER)


class ResidualBlock(nn.Module):
    """x + conv(leaky ReLU(conv(x))), which keeps what the paper's deep encoder-decoder is called after: 24 of its convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return x + self.second(F.leaky_relu_(self.first(x), LEAK))


def gram_matrix(features: Tensor) -> Tensor:
    """Correlations of the features of the frames of one triple, (N, 3, C, H, W) to (N, 3 C, 3 C): F F^T / (C H W).

    Its diagonal blocks are the Gram matrices of the frames; the others say how the frames go together.
    """
    stacked = features.flatten(1, 2).flatten(2)
    return stacked @ stacked.transpose(1, 2) / features[0, 0].numel()


def gram_loss(features: list[Tensor], true: list[Tensor]) -> Tensor:
    """Sum over `TRIPLES` of the mean absolute difference of their Gram matrices, (N,); features (N, 7, C, h, w) of several scales."""
    every = zip(features, true, strict=True)
    each = [(gram_matrix(a[:, triple]) - gram_matrix(b[:, triple])).abs().mean((1, 2)) for a, b in every for triple in TRIPLES]
    return torch.stack(each).sum(0)


def cycle_loss(frames: Tensor, again: Tensor) -> Tensor:
    """L_C of frames (N, T, ...) and what the generator makes of their mean; zero where it makes these frames again."""
    blur = (frames.mean(1) - again.mean(1)).abs().mean()
    return blur + (frames - again).abs().mean()


def slow_motion(generate: Callable[[Tensor], Tensor], frames: Tensor, passes: int = 1) -> Tensor:
    """A video slowed down: each pair of neighbouring frames, averaged, is a blurred picture of which there are seven again.

    Parameters
    ----------
    generate : callable, (N, H, W) -> (N, 7, H, W)
    frames : Tensor, (T, H, W)
    passes : int
        How often; seven frames become 42, these 287, and so on. 0 leaves them.
    """
    for _ in range(passes):
        frames = torch.cat([generate((one + other)[None] / 2)[0] for one, other in pairwise(frames)])
    return frames


def reblurred(video: Tensor, blurred: Tensor) -> float:
    """PSNR of the mean of a video (T, H, W) against the blurred picture (H, W) that it was made of: whether it still is the blur."""
    return float(-10 * torch.log10((video.mean(0) - blurred).square().mean()))


def _reach() -> int:
    """Pixels of the folded picture on which an output depends, in each direction."""
    return 3 + 1 + 2 + 4 * 2 * BLOCKS + 4 + 2 + 4
