"""A small denoiser for video of any length: one U-Net for every frame, whose blocks also see features of the frames before and after.

Frames are folded two by two, so that a level costs a quarter. Each block takes a part of its channels from the frame before and a part
from the frame after: what is known of a frame spreads one frame further with each block, at no arithmetic at all (J. Lin, C. Gan,
S. Han, TSM: Temporal shift module, ICCV 2019; for denoising C. Qi et al., Real-time streaming video denoising with bidirectional
buffers, ACM Multimedia 2022). The strength of the noise is one more plane (K. Zhang, W. Zuo, L. Zhang, FFDNet, IEEE TIP 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recon.networks.space_to_depth import fold, unfold
from recon.networks.u_net import LEVELS, Block, UNet, in_autocast_type

#: Pixels that are folded into channels.
GRID = (2, 2)

#: One in so many channels comes from the frame before, and one from the frame after.
SHIFTED = 4


class VideoDenoiser(UNet):
    """Takes white noise of known strength from a video; untrained it changes nothing.

    Parameters
    ----------
    width : int
        Channels of a folded frame; twice and four times as many one and two levels below.
    """

    multiple = (GRID[0] * 2**LEVELS, GRID[1] * 2**LEVELS)
    reach = 64  # pixels that it sees in each direction, rounded up

    def __init__(self, width: int = 32) -> None:
        cell = GRID[0] * GRID[1]
        super().__init__(nn.Conv2d(3 * cell + 1, width, 3, padding=1), width, cell, ShiftedBlock)

    def forward(self, video: Tensor, sigma: Tensor) -> Tensor:
        """The video (N, T, H, W) without its noise of standard deviation sigma (N,); H and W multiples of ``multiple``."""
        N, T, H, W = video.shape
        frames = fold(in_autocast_type(video).reshape(N * T, 1, H, W), GRID)
        noise = sigma.to(frames).repeat_interleave(T)[:, None, None, None].expand(-1, 1, *frames.shape[2:])
        seen = torch.cat([frames, _neighbours(frames, T, -1), _neighbours(frames, T, 1), noise], 1)
        features = self.features(self.embed(seen.contiguous(memory_format=torch.channels_last)), T)
        return video - unfold(self.head(features), GRID).float().reshape(N, T, H, W)


class ShiftedBlock(Block):
    """x + conv(ReLU(conv(x, partly of the frames before and after)))."""

    def forward(self, x: Tensor, frames: int) -> Tensor:  # type: ignore[override]
        """(N T, C, h, w), the frames of a video one after the other; same shape."""
        part = x.shape[1] // SHIFTED
        before, after = _neighbours(x[:, :part], frames, -1), _neighbours(x[:, part : 2 * part], frames, 1)
        return self.added(x, torch.cat([before, after, x[:, 2 * part :]], 1))


def _neighbours(x: Tensor, frames: int, step: int) -> Tensor:
    """The frame so many steps on from each, of (N T, C, h, w); beyond the ends the last one again."""
    place = (torch.arange(frames, device=x.device) + step).clamp(0, frames - 1)
    return x.unflatten(0, (-1, frames))[:, place].flatten(0, 1)
