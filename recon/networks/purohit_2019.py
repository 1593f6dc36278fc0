"""A video out of one blurred picture by a recurrent flow decoder: RVE, RVD, BIE and DM of the paper.

======  ================================================================  ==========================
symbol  meaning                                                           shape
======  ================================================================  ==========================
x_B     blurred picture                                                   (N, C, H, W)
s       sharp picture of the middle of the exposure, DM(x_B)              (N, C, H, W)
h       state: the motion within the exposure                             (N, 128, H / 8, W / 8)
f_j     flow of one frame at scale j, in pixels of that scale             (N, 2, H / 2^j, W / 2^j)
======  ================================================================  ==========================

    h_0 = RVE(x_1 ... x_T)  or  BIE(x_B, s)        h_t, f_t = RVD(h_(t-1), f_(t-1))        x_t(p) = s(p + f_t(p))

K. Purohit, A. Shah, A. N. Rajagopalan, "Bringing alive blurred moments", CVPR 2019. The recurrent video encoder RVE and the
decoder RVD are first trained as an auto-encoder of sharp clips, in which the true middle frame is warped; then the encoder BIE
learns to find the same state in a blurred picture, through the decoder. The deblurring module DM is
`recon.networks.residual_dense_u_net`.

Published: encoder channels, 3x3 convolutions and 4x4 transposed ones, skips from the flow encoder, batch normalisation in the
BIE. Not published, and chosen here: channels of the decoder (those of the encoder mirrored), of the state (128) and of the BIE
(5x5; ``small`` 1.65 M parameters, or ``paper-size`` 5.54 M, with which all but the RVE has 49 MB, published are 45), leaky ReLU
of slope 0.1. The flow heads begin such that a finer flow is the coarser one, and small: frames that mirror each other must
differ, or the order-invariant loss has no gradient.

Settings that are not of the paper: ``width`` scales the channels, ``fold`` lets everything but DM see the picture folded (space
to depth).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recon.learned.network import Network
from recon.networks.convolutional_lstm import ConvolutionalLSTM
from recon.networks.residual_dense_u_net import ResidualDenseUNet
from recon.networks.space_to_depth import fold as folded
from recon.networks.space_to_depth import unfold
from recon.networks.warping import warp
from recon.training.initialisation import LAST_LAYER, MEAN_LUMINANCE, begin_as_he
from sensors.refusal import Refusal

#: Channels of RVE and flow encoder, fine to coarse; slope of the leaky ReLU.
CHANNELS, SLOPE = (16, 32, 64, 128), 0.1

#: Channels and strides of the BIE, 5x5; the last channels are those of the state.
BLURRED_ENCODERS = {"small": (64, 64, 64, 128, 128, 128, 128), "paper-size": (64, 128, 128, 256, 256, 256, 128)}
STRIDES = (1, 1, 2, 1, 1, 2, 2)

#: What is trained: the DM alone, RVE and RVD on sharp clips, or BIE and RVD on blurred pictures.
STAGES = ("deblurring", "auto-encoder", "blurred")

#: Channels of the first level of the DM at width 1, to those of the others.
DEBLURRING = (48, 64, 96, 128)


class Unrolled(NamedTuple):
    """What comes of a blurred picture."""

    frames: Tensor  # (N, T, C, H, W)
    sharp: Tensor  # (N, C, H, W), what was warped
    images: list[Tensor]  # (N, T, C, h, w) at each scale, coarse to fine, the last one ``frames``
    flows: list[Tensor]  # (N, T, 2, h, w), likewise, rows and columns in pixels of that scale


class Purohit2019(nn.Module, Network):
    """Blurred picture to video.

    Parameters
    ----------
    frames : int
        T, unless `forward` is asked for others.
    planes : int
        C: 1 for luma, 3 for colour.
    width : float
        Factor on all channel numbers; 1 is the published network.
    fold : int
        Side of the tiles by which RVE, RVD and BIE see the picture folded; 1 is the published network.
    stage : str
        A word of `STAGES`: which parts there are. A network of the last stage has no RVE.
    encoder : str
        A word of `BLURRED_ENCODERS`.
    flow : bool
        Otherwise the decoder gives intensities instead of flow.
    recurrent : bool
        Otherwise the flow of all frames is decoded from h_0 at once.
    sharp_input : bool
        The BIE sees s beside x_B.
    own_deblurring : bool
        The network has a DM; otherwise `forward` is given s.
    dense, growth, blocks
        Settings of the DM, see `ResidualDenseUNet`.

    Raises
    ------
    Refusal
        If a word is unknown or no channel would be left.
    """

    def __init__(
        self,
        frames: int = 7,
        planes: int = 1,
        width: float = 1.0,
        fold: int = 1,
        stage: str = "blurred",
        encoder: str = "small",
        flow: bool = True,
        recurrent: bool = True,
        sharp_input: bool = True,
        own_deblurring: bool = True,
        dense: bool = True,
        growth: int = 40,
        blocks: Sequence[int] = (2, 3, 3, 4),
    ) -> None:
        settings = dict(locals())
        super().__init__()
        _refuse(frames, width, fold, stage, encoder)
        self.settings = {name: settings[name] for name in settings if name not in ("self", "__class__")} | {
            "blocks": list(blocks)
        }
        self.frames, self.fold, self.flow, self.sharp_input = frames, fold, flow, sharp_input
        channels, cell = [round(c * width) for c in CHANNELS], planes * fold**2
        multiple = fold * 2 ** (len(CHANNELS) - 1)
        self.deblurring = self.video_encoder = self.blurred_encoder = self.decoder = None
        if own_deblurring:
            self.deblurring = ResidualDenseUNet(planes, [round(c * width) for c in DEBLURRING], growth, blocks, dense=dense)
            multiple = max(multiple, self.deblurring.multiple)
        self.multiple = (multiple, multiple)
        if stage == "auto-encoder":
            self.video_encoder = VideoEncoder(cell, channels)
        if stage == "blurred":
            widths = [round(c * width) for c in BLURRED_ENCODERS[encoder][:-1]] + [channels[-1]]
            self.blurred_encoder = BlurredEncoder(cell * (2 if sharp_input else 1), widths)
        if stage != "deblurring":
            values = 2 if flow else cell
            self.decoder = RecurrentDecoder(values, channels, flow) if recurrent else Decoder(values, channels, flow, frames)

    def forward(self, blurred: Tensor, sharp: Tensor | None = None, frames: int = 0) -> Unrolled:
        """The video of a blurred picture; before the last stage, the sharp picture repeated.

        Parameters
        ----------
        blurred : Tensor, (N, C, H, W)
            x_B, mean form, values in [0, 1]; H and W are multiples of ``multiple``.
        sharp : Tensor, optional, (N, C, H, W)
            s, if it is not to come from the DM.
        frames : int
            T; the decoder is unrolled to any number.

        Raises
        ------
        Refusal
            If there is neither s nor a DM, or a decoder without recurrence is asked for another number of frames.
        """
        sharp = self.deblur(blurred) if sharp is None else sharp
        frames = frames or self.frames
        if self.blurred_encoder is None:
            still = sharp[:, None].expand(-1, frames, -1, -1, -1)
            return Unrolled(still, sharp, [still], [])
        seen = torch.cat([blurred, sharp], 1) if self.sharp_input else blurred
        return self.decoded(self.blurred_encoder(self._folded(seen)), sharp, frames)

    def deblur(self, blurred: Tensor) -> Tensor:
        """s = DM(x_B)."""
        if self.deblurring is None:
            raise Refusal("this network has no deblurring module; give it the sharp picture")
        return self.deblurring(blurred)

    def auto_encoded(self, clip: Tensor, sharp: Tensor) -> Unrolled:
        """A sharp clip (N, T, C, H, W), out of its own state and its middle frame."""
        if self.video_encoder is None:
            raise Refusal("this network has no video encoder; it is of stage=auto-encoder")
        state = self.video_encoder(torch.stack([self._folded(frame) for frame in clip.unbind(1)], 1))
        return self.decoded(state, sharp, clip.shape[1])

    def decoded(self, state: Tensor, sharp: Tensor, frames: int) -> Unrolled:
        """A video out of h_0 and s."""
        values = [torch.stack(each, 1) for each in zip(*cast(nn.Module, self.decoder)(state, frames), strict=True)]
        if self.flow:
            images = [self.moved(sharp, flow) for flow in values]
            return Unrolled(images[-1], sharp, images, values)
        images = [unfold(each.flatten(0, 1), (self.fold, self.fold)).unflatten(0, each.shape[:2]) for each in values]
        return Unrolled(images[-1], sharp, images, [])

    def moved(self, sharp: Tensor, flow: Tensor) -> Tensor:
        """s at the scale of a flow (N, T, 2, h, w), at the finest one in full size, along it: (N, T, C, h, w)."""
        frames, flow = flow.shape[1], flow.flatten(0, 1)
        if sharp.shape[-1] == self.fold * flow.shape[-1] and self.fold > 1:
            flow = self.fold * F.interpolate(flow.float(), scale_factor=self.fold, mode="bilinear", align_corners=False)
        sharp = F.avg_pool2d(sharp, sharp.shape[-1] // flow.shape[-1])
        moved = warp(sharp[:, None].expand(-1, frames, -1, -1, -1).flatten(0, 1), flow)
        return moved.unflatten(0, (-1, frames))

    def _folded(self, picture: Tensor) -> Tensor:
        return folded(picture, (self.fold, self.fold)) if self.fold > 1 else picture


class Encoder(nn.Module):
    """A1 to A4: features at each scale, fine to coarse."""

    def __init__(self, seen: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.first = _convolution(seen, channels[0])
        self.further = nn.ModuleList(nn.Sequential(_convolution(a, b, 2), ResidualBlock(b)) for a, b in pairwise(channels))
        begin_as_he(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, ., H, W) to four maps, each half as large as the one before."""
        found = [F.leaky_relu(self.first(x), SLOPE)]
        for level in self.further:
            found.append(F.leaky_relu(level(found[-1]), SLOPE))
        return found


class ResidualBlock(nn.Module):
    """x + conv(act(conv(x)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(_convolution(width, width), nn.LeakyReLU(SLOPE), _convolution(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return x + self.branch(x)


class VideoEncoder(nn.Module):
    """RVE: h_0 is what remains in a recurrent cell after it has seen all frames."""

    def __init__(self, seen: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.encoder = Encoder(seen, channels)
        self.cell = ConvolutionalLSTM(channels[-1])

    def forward(self, clip: Tensor) -> Tensor:
        """(N, T, ., H, W) to h_0."""
        features = self.encoder(clip.flatten(0, 1))[-1].unflatten(0, clip.shape[:2])
        hidden = cell = torch.zeros_like(features[:, 0])
        for seen in features.unbind(1):
            hidden, cell = self.cell(seen, (hidden, cell))
        return hidden


class BlurredEncoder(nn.Module):
    """BIE: seven convolutions, all but the last followed by batch normalisation and leaky ReLU."""

    def __init__(self, seen: int, channels: Sequence[int]) -> None:
        super().__init__()
        sides = list(zip(pairwise([seen, *channels]), STRIDES, strict=True))
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 5, stride, 2) for (a, b), stride in sides)
        self.norms = nn.ModuleList(BatchNorm(width) for width in channels[:-1])
        begin_as_he(self)

    def forward(self, seen: Tensor) -> Tensor:
        """x_B and s, (N, ., H, W), to h_0."""
        for layer, norm in zip(self.layers, self.norms, strict=False):
            seen = F.leaky_relu(norm(layer(seen)), SLOPE)
        return self.layers[-1](seen)


class BatchNorm(nn.Module):
    """Batch normalisation (S. Ioffe, C. Szegedy, ICML 2015) without torch's counter of batches, which half precision cannot hold."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.mean, self.variance = nn.Buffer(torch.zeros(width)), nn.Buffer(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape; while training by the statistics of the batch, which are remembered."""
        return F.batch_norm(x, self.mean, self.variance, self.weight, self.bias, self.training, 0.1)


class FlowDecoder(nn.Module):
    """FD: features at the coarsest scale to values at each scale, coarse to fine.

    Parameters
    ----------
    values : int
        Channels of what is decoded: 2 for flow.
    channels : sequence of int
        Fine to coarse.
    skips : bool
        It is given features of an encoder at each scale.
    flow : bool
        Values double from scale to scale, and begin at zero.
    """

    def __init__(self, values: int, channels: Sequence[int], skips: bool, flow: bool) -> None:
        super().__init__()
        downward = channels[::-1]
        hybrid = [downward[0]] + [width * (2 if skips else 1) + values for width in downward[1:]]
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in zip(hybrid, downward[1:], strict=False))
        self.finer = nn.ModuleList(nn.ConvTranspose2d(values, values, 4, 2, 1) for _ in self.up)
        self.heads = nn.ModuleList(_convolution(width, values) for width in hybrid)
        begin_as_he(self)
        self._begin_with_the_coarser(values, downward[1:], flow)

    def forward(self, features: Tensor, skips: Sequence[Tensor | None]) -> list[Tensor]:
        """Values at each scale; ``skips`` are fine to coarse, without the coarsest."""
        found = [self.heads[0](features)]
        for up, finer, head, skip in zip(self.up, self.finer, self.heads[1:], reversed(skips), strict=True):
            parts = [finer(found[-1]), F.leaky_relu(up(features), SLOPE)]
            features = torch.cat(parts if skip is None else [*parts, skip], 1)
            found.append(head(features))
        return found

    @torch.no_grad()
    def _begin_with_the_coarser(self, values: int, widths: Sequence[int], flow: bool) -> None:
        """Heads let the coarser values pass, interpolated, and add little."""
        for head in self.heads:
            head.weight.mul_(LAST_LAYER)  # type: ignore[operator]
        if not flow:
            nn.init.constant_(self.heads[0].bias, MEAN_LUMINANCE)  # type: ignore[arg-type]
        for finer, head in zip(self.finer, self.heads[1:], strict=True):
            begin_bilinear(cast(nn.ConvTranspose2d, finer), 2.0 if flow else 1.0)
            weight = cast(Tensor, head.weight)
            weight[:, :values] = 0
            weight[range(values), range(values), 1, 1] = 1


class RecurrentDecoder(nn.Module):
    """RVD: a flow encoder of the frame before, a recurrent cell, and FD."""

    def __init__(self, values: int, channels: Sequence[int], flow: bool) -> None:
        super().__init__()
        self.values = values
        self.encoder = Encoder(values, channels)
        self.cell = ConvolutionalLSTM(channels[-1])
        self.flow_decoder = FlowDecoder(values, channels, True, flow)

    def forward(self, state: Tensor, frames: int) -> list[list[Tensor]]:
        """h_0 to the values of each frame at each scale, coarse to fine."""
        scale = 2 ** len(self.flow_decoder.up)
        before = state.new_zeros(len(state), self.values, scale * state.shape[2], scale * state.shape[3])
        hidden, cell, found = state, torch.zeros_like(state), []
        for _ in range(frames):
            *skips, coarsest = self.encoder(before)
            hidden, cell = self.cell(coarsest, (hidden, cell))
            found.append(self.flow_decoder(hidden, skips))
            before = found[-1][-1]
        return found


class Decoder(nn.Module):
    """FD alone, for a given number of frames at once: the ablation without recurrence."""

    def __init__(self, values: int, channels: Sequence[int], flow: bool, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.flow_decoder = FlowDecoder(values * frames, channels, False, flow)

    def forward(self, state: Tensor, frames: int) -> list[list[Tensor]]:
        """As `RecurrentDecoder`."""
        if frames != self.frames:
            raise Refusal(f"without recurrence the network makes {self.frames} frames, not {frames}")
        found = self.flow_decoder(state, [None] * len(self.flow_decoder.up))
        return [list(each) for each in zip(*(scale.chunk(frames, 1) for scale in found), strict=True)]


@torch.no_grad()
def begin_bilinear(layer: nn.ConvTranspose2d, gain: float = 1.0) -> None:
    """Weights of a 4x4 transposed convolution of stride 2 by which each channel is interpolated, times a gain."""
    line = torch.tensor([0.25, 0.75, 0.75, 0.25])
    layer.weight.zero_()
    for channel in range(layer.in_channels):
        layer.weight[channel, channel] = gain * line[:, None] * line
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


def _refuse(frames: int, width: float, fold: int, stage: str, encoder: str) -> None:
    """A Refusal if a word is unknown, or no channel or frame would be left."""
    if stage not in STAGES or encoder not in BLURRED_ENCODERS:
        known = f"stages {', '.join(STAGES)}; encoders {', '.join(BLURRED_ENCODERS)}"
        raise Refusal(f"unknown stage={stage!r} or encoder={encoder!r}; known: {known}")
    if round(CHANNELS[0] * width) < 1 or fold < 1 or frames < 1:
        numbers = f"width={width}, fold={fold} and frames={frames}"
        raise Refusal(f"{numbers} leave no channel or no frame; needed: above 0, 1 or more")


def _convolution(seen: int, out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(seen, out, 3, stride, 1)
