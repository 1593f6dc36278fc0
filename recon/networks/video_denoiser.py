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

#: Pixels that are folded into channels.
GRID = (2, 2)

#: Levels below the folded one: frames have to be multiples of 2 times 2 to this power.
LEVELS = 2

#: One in so many channels comes from the frame before, and one from the frame after.
SHIFTED = 4


class VideoDenoiser(nn.Module):
    """Takes white noise of known strength from a video; untrained it changes nothing.

    Parameters
    ----------
    width : int
        Channels of a folded frame; twice and four times as many one and two levels below.
    """

    multiple = (GRID[0] * 2**LEVELS, GRID[1] * 2**LEVELS)
    reach = 64  # pixels that it sees in each direction, rounded up

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        cell = GRID[0] * GRID[1]
        self.embed = nn.Conv2d(3 * cell + 1, width, 3, padding=1)
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

    def forward(self, video: Tensor, sigma: Tensor) -> Tensor:
        """The video (N, T, H, W) without its noise of standard deviation sigma (N,); H and W multiples of ``multiple``."""
        N, T, H, W = video.shape
        kind = torch.get_autocast_dtype(video.device.type) if torch.is_autocast_enabled(video.device.type) else video.dtype
        frames = fold(video.to(kind).reshape(N * T, 1, H, W), GRID)
        noise = sigma.to(kind).repeat_interleave(T)[:, None, None, None].expand(-1, 1, *frames.shape[2:])
        seen = torch.cat([frames, _neighbours(frames, T, -1), _neighbours(frames, T, 1), noise], 1)
        first = self.fine(self.embed(seen.contiguous(memory_format=torch.channels_last)), T)
        second = self.middle(self.down(first), T)
        third = self.further(second)
        for block in self.coarse:
            third = block(third, T)
        second = self.middle_again(second + self.back(third), T)
        first = self.fine_again(first + self.up(second), T)
        return video - unfold(self.head(first), GRID).float().reshape(N, T, H, W)


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
