"""Ours for full-resolution masks: one video U-Net, applied again and again, each time followed by the exact data step.

    x_0 = classical start
    x_k = data step( x_{k-1} + U-Net(x_{k-1}, charge, code, sigma_k) )      k = 1 .. stages

Plug-and-play with a denoiser that was trained in its place, on the errors that it meets there: all stages have the same weights, and
are told by sigma_k, the error that is left, how far they have come. A random mask poses another problem at each pixel, so nothing is
gained by a grid of tiles; frames are folded two by two, and each goes through the same two-dimensional U-Net, whose blocks take a part
of their channels from the frame before and a part from the frame after. What is known of a frame spreads one frame further with each
block, whatever the number of frames, at no arithmetic at all: J. Lin, C. Gan, S. Han, TSM: Temporal shift module, ICCV 2019; for
denoising C. Qi et al., Real-time streaming video denoising with bidirectional buffers, ACM Multimedia 2022. A plane of sigma: K. Zhang,
W. Zuo, L. Zhang, FFDNet, IEEE TIP 2018. Unrolling with an exact projection: GAP-net (Meng, Jalali, Yuan, 2020).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from recon.networks.space_to_depth import fold, unfold
from sensors.exposure_torch import Exposure

#: Pixels that are folded into channels.
GRID = (2, 2)

#: Levels below the folded one: frames have to be multiples of 2 times 2 to this power.
LEVELS = 2

#: How many pixels a stage sees in each direction.
STAGE_REACH = 64

#: The error that is left (1 = white), as the first and the last stage are told.
FIRST_ERROR, LAST_ERROR = 0.08, 0.01

#: One in so many channels comes from the frame before, and one from the frame after.
SHIFTED = 4

#: Bucket means are taken over at least so many frames: a pixel that is never open says nothing.
LEAST_COUNT = 1e-3


class MaskUnfolding(nn.Module):
    """Unrolled stages of one set of weights, for any code.

    Parameters
    ----------
    buckets : int
        B.
    width : int
        Channels of a folded frame; twice and four times as many one and two levels below.
    stages : int
        How often it is applied.
    """

    multiple = (GRID[0] * 2**LEVELS, GRID[1] * 2**LEVELS)
    coded = True

    def __init__(self, buckets: int, *, width: int = 32, stages: int = 6) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {"buckets": buckets, "width": width, "stages": stages}
        self.reach = stages * STAGE_REACH
        self.step = VideoUNet(buckets + 1, width)

    def forward(self, start: Tensor, charge: Tensor, exposure: Exposure, variance: Tensor | None = None) -> list[Tensor]:
        """The estimates of all stages, the last one best.

        Parameters
        ----------
        start : Tensor, (N, T, H, W)
            H and W multiples of ``multiple``.
        charge : Tensor, (N, B, H, W)
            In white sub-exposures.
        exposure : Exposure
            That took it.
        variance : Tensor, (N, B, H, W), optional
            Of the charge; infinite where saturated.
        """
        means = charge / exposure.counts(*charge.shape[-2:]).clamp(min=LEAST_COUNT)
        shares = exposure.on_pixels(charge)[0].expand(len(charge), -1, -1, -1)
        known = torch.cat([shares[:, :, None], means[:, None].expand(-1, shares.shape[1], -1, -1, -1)], 2)
        x, estimates = start, []
        for k in range(stages := self.settings["stages"]):
            sigma = FIRST_ERROR * (LAST_ERROR / FIRST_ERROR) ** (k / max(stages - 1, 1))
            x = x + self.step(x, known, sigma)
            x = exposure.data_step(x, charge) if variance is None else exposure.data_step(x, charge, variance, sigma**2)
            estimates.append(x)
        return estimates


class VideoUNet(nn.Module):
    """A U-Net of residual blocks over two levels, frame by frame; the last layer starts at zero, so that untrained it says nothing.

    Parameters
    ----------
    known : int
        Planes per frame beside the video.
    width : int
    """

    def __init__(self, known: int, width: int) -> None:
        super().__init__()
        cell = GRID[0] * GRID[1]
        self.embed = nn.Conv2d((3 + known) * cell + 1, width, 3, padding=1)
        self.fine = Block(width)
        self.down = nn.Conv2d(width, 2 * width, 2, 2)
        self.middle = Block(2 * width)
        self.further = nn.Conv2d(2 * width, 4 * width, 2, 2)
        self.coarse = nn.ModuleList([Block(4 * width), Block(4 * width)])
        self.back = nn.ConvTranspose2d(4 * width, 2 * width, 2, 2)
        self.middle_again = Block(2 * width)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, 2)
        self.fine_again = Block(width)
        self.head = nn.Conv2d(width, cell, 3, padding=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.head.weight)

    def forward(self, video: Tensor, known: Tensor, sigma: float) -> Tensor:
        """What to add to the video (N, T, H, W), given more planes (N, T, K, H, W)."""
        N, T, H, W = video.shape
        kind = torch.get_autocast_dtype(video.device.type) if torch.is_autocast_enabled(video.device.type) else video.dtype
        frames = fold(video.to(kind).reshape(N * T, 1, H, W), GRID)
        beside = fold(known.to(kind).flatten(0, 1), GRID)
        noise = frames.new_full((N * T, 1, *frames.shape[2:]), sigma)
        seen = torch.cat([frames, _neighbours(frames, T, -1), _neighbours(frames, T, 1), beside, noise], 1)
        first = self.fine(self.embed(seen.contiguous(memory_format=torch.channels_last)), T)
        second = self.middle(self.down(first), T)
        third = self.further(second)
        for block in self.coarse:
            third = block(third, T)
        second = self.middle_again(second + self.back(third), T)
        first = self.fine_again(first + self.up(second), T)
        return unfold(self.head(first), GRID).float().reshape(N, T, H, W)


class Block(nn.Module):
    """x + conv(ReLU(conv(x, partly of the frames before and after))), the second convolution small at the start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """(N T, C, h, w), the frames of a video one after the other; same shape."""
        part = x.shape[1] // SHIFTED
        before, after = _neighbours(x[:, :part], frames, -1), _neighbours(x[:, part : 2 * part], frames, 1)
        return x + 0.2 * self.second(torch.relu(self.first(torch.cat([before, after, x[:, 2 * part :]], 1))))


def _neighbours(x: Tensor, frames: int, step: int) -> Tensor:
    """The frame so many steps on from each, of (N T, C, h, w); beyond the ends the last one again."""
    place = (torch.arange(frames, device=x.device) + step).clamp(0, frames - 1)
    return x.unflatten(0, (-1, frames))[:, place].flatten(0, 1)
