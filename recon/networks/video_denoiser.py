"""A small network that cleans a video of any length: one U-Net for every frame, which also sees the frames before and after.

It sees them three ways. Those around a frame come as they are; moved onto it along the optical flow, as differences; and in each block
a part of the features comes from the frame before and a part from the frame after, so that what is known of a frame spreads one frame
further with each block, at no arithmetic at all (J. Lin, C. Gan, S. Han, TSM: Temporal shift module, ICCV 2019; for denoising C. Qi et
al., Real-time streaming video denoising with bidirectional buffers, ACM Multimedia 2022). Frames are folded two by two, so that a level
costs a quarter. The strength of the noise is one more plane (K. Zhang, W. Zuo, L. Zhang, FFDNet, IEEE TIP 2018).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from recon.networks.space_to_depth import fold, unfold
from recon.networks.u_net import LEVELS, Block, UNet, in_autocast_type

#: Pixels that are folded into channels.
GRID = (2, 2)

#: So many frames before and after are moved onto each.
REACH = 2

#: One in so many channels comes from the frame before, and one from the frame after.
SHIFTED = 4


class VideoDenoiser(UNet):
    """Takes noise of known strength from a video; untrained it changes nothing.

    Parameters
    ----------
    width : int
        Channels of a folded frame; twice and four times as many one and two levels below.
    """

    multiple = (GRID[0] * 2**LEVELS, GRID[1] * 2**LEVELS)
    reach = 64  # pixels that it sees in each direction, rounded up to a multiple of the above

    def __init__(self, width: int = 32) -> None:
        cell = GRID[0] * GRID[1]
        super().__init__(nn.Conv2d((3 + 2 * REACH) * cell + 1, width, 3, padding=1), width, cell, ShiftedBlock)

    def forward(self, video: Tensor, sigma: Tensor, beside: Iterable[Tensor]) -> Tensor:
        """The video without its noise.

        Parameters
        ----------
        video : Tensor, (N, T, H, W)
            Video of any size; filled up with its last pixels to multiples of ``multiple``.
        sigma : Tensor, (N,)
            Standard deviation of the noise.
        beside : iterable of 2 REACH Tensors, (N, T, H, W)
            For each frame the one REACH before, and so on to the one REACH after, moved onto it; asked for one by one.
        """
        T, H, W = video.shape[1:]
        features = self.features(self.embed(self._planes(video, sigma, beside)), T)
        return video - unfold(self.head(features), GRID).float().unflatten(0, (-1, T))[:, :, 0, :H, :W]

    def _planes(self, video: Tensor, sigma: Tensor, beside: Iterable[Tensor]) -> Tensor:
        """What the network sees, (N T, C, h, w)."""
        T, H, W = video.shape[1:]
        margin = 0, -W % self.multiple[1], 0, -H % self.multiple[0]

        def folded(frames: Tensor) -> Tensor:
            return fold(pad(in_autocast_type(frames), margin, mode="replicate").flatten(0, 1)[:, None], GRID)

        frames = folded(video)
        noise = sigma.to(frames).repeat_interleave(T)[:, None, None, None].expand(-1, 1, *frames.shape[2:])
        seen = [frames, _neighbours(frames, T, -1), _neighbours(frames, T, 1), noise]
        seen += [folded(one - video) for one in beside]
        return torch.cat(seen, 1).contiguous(memory_format=torch.channels_last)


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
