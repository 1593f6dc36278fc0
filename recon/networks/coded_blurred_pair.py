"""The published network for a two-bucket camera, its two baselines, and a residual twin of each.

======  ==========================================================  ====================
symbol  meaning                                                     shape
======  ==========================================================  ====================
Xc      low-resolution video, solved tile by tile from the code     (N, T, h, w)
Xf      blurred image, its pixels sorted by position in the tile    (N, p q, h, w)
E       shared encoder
A       attention, high where nothing moves                         (N, 1, h, w)
======  ==========================================================  ====================

    A = (1 + cos(E Xc, E Xf)) / 2        video = unfold(U-Net([(1 - A) E Xc, A E Xf]))

Anupama, Shedligeri, Pal, Mitra, "Video reconstruction by spatio-temporal fusion of blurred-coded image pair", ICPR 2020. All work is
done on the tile grid. The variants ``coded`` and ``blurred`` are the U-Net alone on Xc or Xf. The published networks have no skip
from input to output and end in a ReLU; initial weights are not published. With those of torch a third of the outputs begin negative
everywhere and some never recover; `begin_as_classical` sets a few channels such that the network begins as the tile solve. The
*residual twin* adds the classical start (registered tile video; for ``blurred`` the blurred image repeated), begins with a last
layer of zeros and He weights, and so separates what the input buys from what the recipe buys. No variant is told the noise.

Where we differ: where T is not p q the first layer of the encoder is one per input; where the U-Net needs multiples of
eight tiles the grid is continued, where the authors resized the frames; the norms of the cosine are kept above 1e-8.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from recon.learned.network import Network
from recon.networks import tile_video
from recon.networks.space_to_depth import fold, unfold
from recon.training.initialisation import begin_as_he
from sensors.exposure_torch import Exposure
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: Which buckets each variant solves its tiles from: of the pair both, of the coded image alone the first, of the blurred image none.
VARIANTS = {"pair": 2, "coded": 1, "blurred": 0}

#: Channels of the encoder, and of the U-Net from the tile grid down to the bottleneck, at width 1.
ENCODER = (64, 64, 128)
LEVELS = (64, 128, 256, 512)


#: Gain of the encoder's last layer when it begins as the classical answer, on its input and on the deviation from its mean over
#: the channels: from the second the cosine tells texture that moves. Other channels of that layer and the next begin so much smaller.
GAIN, CONTRAST, OTHERS, OTHERS_OF_FIRST = 0.3, 10.0, 0.1, 0.3

#: Exponent of the variogram by which the head begins to interpolate.
VARIOGRAM = 1.9


class CodedBlurredPair(nn.Module, Network):
    """Capture to video through the tile grid.

    Parameters
    ----------
    frames : int
        T.
    tile : (int, int)
        p, q of the code; for ``blurred`` any.
    variant : str
        ``pair``, ``coded`` or ``blurred``.
    width : float
        Factor on all channel numbers; 1 is the published network.
    residual : bool
        The residual twin.

    Raises
    ------
    Refusal
        If there is no such variant, or no channel would be left.
    """

    def __init__(
        self, frames: int = 9, tile: tuple[int, int] = (3, 3), variant: str = "pair", width: float = 1.0, residual: bool = False
    ) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise Refusal(f"unknown variant {variant!r}; known: {', '.join(VARIANTS)}")
        if round(min(LEVELS) * width) < 1:
            raise Refusal(f"width={width} leaves no channel; needed: 1 for the published network, {1 / min(LEVELS)} or more")
        self.frames, self.variant, self.width, self.residual = int(frames), variant, float(width), bool(residual)
        self.tile = (int(tile[0]), int(tile[1]))
        self.settings = {
            "frames": self.frames,
            "tile": list(self.tile),
            "variant": self.variant,
            "width": self.width,
            "residual": self.residual,
        }
        cell = self.tile[0] * self.tile[1]
        if variant == "pair":
            self.encoder = Encoder(self.frames, cell, [round(c * width) for c in ENCODER])
        seen = {"pair": 2 * round(ENCODER[-1] * width), "coded": self.frames, "blurred": cell}[variant]
        self.unet = UNet(seen, [round(c * width) for c in LEVELS], self.frames * cell)
        if residual:
            self._start_at_the_skip()

    @property
    def output_layer(self) -> nn.Conv2d | None:
        """The head, where nothing is added to it."""
        return None if self.residual else self.unet.head

    def refusal(self, sensor: Sensor) -> str:
        """Why the network cannot serve the sensor; empty if it can."""
        if sensor.frames != self.frames:
            return f"the network makes {self.frames} frames; an exposure of this sensor has {sensor.frames}"
        if reason := tile_video.refusal(sensor):
            return reason
        if self.variant != "coded" and (reason := tile_video.blurred_refusal(sensor)):
            return reason
        if sensor.buckets < VARIANTS[self.variant]:
            return "the pair network needs a coded and a blurred image; this sensor has one bucket"
        if self.variant != "blurred" and sensor.tile != self.tile:
            mine, its = ("x".join(map(str, tile)) for tile in (self.tile, sensor.tile))
            return f"the network is for tiles of {mine} pixels; those of this sensor are {its}"
        return ""

    def forward(self, charge: Tensor, exposure: Exposure, noise: Tensor | None = None) -> Tensor:
        """The video of each capture.

        Parameters
        ----------
        charge : Tensor, (N, B, H, W)
            In white sub-exposures; of any size from one tile on, at any origin.
        exposure : Exposure
            That took it.
        noise : Tensor, optional
            Not looked at.

        Returns
        -------
        Tensor, (N, T, H, W)
            Irradiance, 1 = white.

        Raises
        ------
        Refusal
            If the network cannot serve the sensor.
        """
        inputs = self._inputs(charge, exposure)
        seen = inputs[0]
        if self.variant == "pair":
            (coded, blurred), attention = self._encoded(*inputs)
            seen = torch.cat([(1 - attention) * coded, attention * blurred], 1)
        step = self.unet(seen)
        video = unfold(step if self.residual else F.relu(step), self.tile)
        top, left = (start % side for start, side in zip(exposure.sensor.origin, self.tile, strict=True))
        height, width = charge.shape[-2:]
        video = video[..., top : top + height, left : left + width]
        return video + self._start(charge, exposure) if self.residual else video

    def attention(self, charge: Tensor, exposure: Exposure) -> Tensor:
        """A, one value per tile of the chip that the frame touches: (N, 1, h, w).

        Raises
        ------
        Refusal
            If this is not the pair, or it cannot serve the sensor.
        """
        if self.variant != "pair":
            raise Refusal(f"the {self.variant} network has one input and no attention; take variant=pair")
        return self._encoded(*self._inputs(charge, exposure))[1]

    def _inputs(self, charge: Tensor, exposure: Exposure) -> list[Tensor]:
        """Xc, Xf or both on the tiles of the chip, whatever the origin: which pixel samples a frame is part of what is learnt."""
        if reason := self.refusal(exposure.sensor):
            raise Refusal(reason)
        inputs = []
        if buckets := VARIANTS[self.variant]:
            inputs.append(tile_video.low_resolution(charge, exposure, buckets, aligned=True))
        if self.variant != "coded":
            image = tile_video.whole_tiles(tile_video.blurred(charge, exposure), self.tile, exposure.sensor.origin)
            inputs.append(fold(image, self.tile))
        return inputs

    def _encoded(self, coded: Tensor, blurred: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        features = self.encoder(coded, blurred)
        cosine = F.cosine_similarity(features[0].float(), features[1].float(), dim=1, eps=1e-8)
        return features, (1 + cosine[:, None]) / 2

    def _start(self, charge: Tensor, exposure: Exposure) -> Tensor:
        """The classical video that the residual twin adds to, (N, T, H, W)."""
        if buckets := VARIANTS[self.variant]:
            return tile_video.registered(charge, exposure, buckets)
        return tile_video.blurred(charge, exposure)

    def _start_at_the_skip(self) -> None:
        begin_as_he(self)
        nn.init.zeros_(self.unet.head.weight)

    @torch.no_grad()
    def begin_as_classical(self, sensor: Sensor) -> str:
        """Initial weights of the published form that give the classical answer, each frame interpolated between its samples.

        Inputs are not negative, so that a channel which is 1 in the middle of its kernel passes them through every ReLU. One channel
        for each frame of Xc, and for each pixel of a tile of Xf, goes through the first and the last block; the head interpolates
        Xc from the centroids of its samples in 3x3 tiles, by ordinary kriging. All other weights are He's. The pair adds (1 - A) of one
        and A of the other.
        """
        if self.residual:
            return "the residual twin adds to it already"
        coded, blurred = self.frames * (self.variant != "blurred"), self.tile[0] * self.tile[1] * (self.variant != "coded")
        unet: Any = self.unet
        channels = unet.head.in_channels
        if coded + blurred > channels:
            least = -(-(coded + blurred) * 64 // LEVELS[0]) / 64
            return f"{coded + blurred} channels have to pass, and at width={self.width} there are {channels}; needed: width={least}"
        begin_as_he(self)
        first = unet.down[0][0]
        if self.variant == "pair":
            self._pass_through_encoder(first, coded, blurred)
        else:
            _pass(first, 0, 0, coded + blurred)
        _pass(unet.down[0][2], 0, 0, coded + blurred)
        _pass(unet.up[-1][0], channels, 0, coded + blurred)  # what the first block has kept comes second
        _pass(unet.up[-1][2], 0, 0, coded + blurred)
        self._interpolate(sensor, coded, blurred)
        return ""

    def _pass_through_encoder(self, first: nn.Conv2d, coded: int, blurred: int) -> None:
        entries, (_, middle, _, last) = [self.encoder.coded, self.encoder.blurred], cast(Any, self.encoder.shared)
        for entry, count in zip(entries, (coded, blurred), strict=True):
            if entry is not None:
                _pass(entry, 0, 0, count)
        most = max(coded, blurred)
        _pass(middle, 0, 0, most)
        last.weight.mul_(OTHERS)
        last.weight[: 2 * most] = 0
        last.weight[:most, :most, 1, 1] = GAIN * torch.eye(most)
        last.weight[most : 2 * most, :most, 1, 1] = CONTRAST * (torch.eye(most) - 1 / most)
        first.weight.mul_(OTHERS_OF_FIRST)
        _pass(first, 0, 0, coded, 1 / GAIN)
        _pass(first, last.out_channels, coded, blurred, 1 / GAIN)

    def _interpolate(self, sensor: Sensor, coded: int, blurred: int) -> None:
        """The weights of kriging in the head."""
        head, (p, q) = self.unet.head, self.tile
        head.weight.zero_()
        rows = head.weight.view(self.frames, p, q, -1, 3, 3)
        if coded:
            for t, centroid in enumerate(tile_video.centroids(sensor, VARIANTS[self.variant])):
                for i, j in np.ndindex(p, q):
                    rows[t, i, j, t] = torch.from_numpy(kriging((i - centroid[0], j - centroid[1]), self.tile)).to(rows)
        for i, j in np.ndindex(p, q) if blurred else ():
            rows[:, i, j, coded + i * q + j, 1, 1] = 1.0


def _pass(layer: nn.Conv2d, source: int, target: int, count: int, gain: float = 1.0) -> None:
    """Let channels of the input through unchanged, but for the gain."""
    layer.weight[target : target + count] = 0
    for k in range(count):
        layer.weight[target + k, source + k, 1, 1] = gain


def kriging(place: tuple[float, float], tile: tuple[int, int]) -> NDArray[np.float64]:
    """Weights (3, 3) of samples one tile apart for the value at a place, in pixels from the middle one: ordinary kriging.

    The variogram is the power law d^1.9 (Matheron 1963); of those tried, 0.5 to 1.9, it interpolates film best.
    """
    p, q = tile
    samples = np.array([(row, column) for row in (-p, 0, p) for column in (-q, 0, q)], np.float64)
    system = np.ones((10, 10))
    system[9, 9] = 0
    system[:9, :9] = -(np.linalg.norm(samples[:, None] - samples, axis=-1) ** VARIOGRAM)
    wanted = np.append(-(np.linalg.norm(samples - place, axis=1) ** VARIOGRAM), 1)
    return np.linalg.solve(system, wanted)[:9].reshape(3, 3)


class Encoder(nn.Module):
    """Three convolutions, the same for both inputs; two first ones where the inputs have different channels."""

    def __init__(self, frames: int, cell: int, channels: list[int]) -> None:
        super().__init__()
        self.coded = _convolution(frames, channels[0])
        self.blurred = None if frames == cell else _convolution(cell, channels[0])
        self.shared = nn.Sequential(nn.ReLU(), _convolution(*channels[:2]), nn.ReLU(), _convolution(*channels[1:]))

    def forward(self, coded: Tensor, blurred: Tensor) -> tuple[Tensor, Tensor]:
        """Both inputs (N, ., h, w) to features (N, C, h, w)."""
        return self.shared(self.coded(coded)), self.shared((self.blurred or self.coded)(blurred))


class UNet(nn.Module):
    """Pairs of convolutions, max pooling down and nearest neighbours up, no normalisation; the head is linear."""

    def __init__(self, seen: int, channels: list[int], out: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(_block(a, b) for a, b in pairwise([seen, *channels]))
        upward = list(pairwise(channels[::-1]))
        self.narrow = nn.ModuleList(_convolution(a, b) for a, b in upward)
        self.up = nn.ModuleList(_block(2 * b, b) for _, b in upward)
        self.head = _convolution(channels[0], out)

    def forward(self, x: Tensor) -> Tensor:
        """(N, seen, h, w) to (N, out, h, w); to be halved at each level the grid is continued by its last row and column."""
        (h, w), multiple, kept = x.shape[2:], 2 ** len(self.up), []
        x = F.pad(x, (0, -w % multiple, 0, -h % multiple), mode="replicate")
        for block in self.down[:-1]:
            kept.append(block(x))
            x = F.max_pool2d(kept[-1], 2)
        x = self.down[-1](x)
        for narrow, block, skip in zip(self.narrow, self.up, reversed(kept), strict=True):
            x = narrow(F.interpolate(x, scale_factor=2, mode="nearest"))
            x = block(torch.cat([x, skip], 1))
        return self.head(x)[..., :h, :w]


def _block(seen: int, out: int) -> nn.Sequential:
    return nn.Sequential(_convolution(seen, out), nn.ReLU(), _convolution(out, out), nn.ReLU())


def _convolution(seen: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(seen, out, 3, padding=1)
