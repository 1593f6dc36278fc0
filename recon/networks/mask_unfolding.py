"""Ours for full-resolution masks: a video network in turns with the data step.

    v_k = x_{k-1} + A^T (A A^T + Sigma / sigma_k^2)^-1 (y - A z_{k-1})        z_k = 2 x_k - v_k
    x_k = network(v_k, sigma_k, neighbours of v_k)                            k = 1 .. stages, x_0 = z_0 the classical start

Each frame of v_k is seen beside its neighbours, moved onto it along the optical flow of x_{k-1}: what one frame leaves open under the
mask another shows. The better the estimate, the better its flow, so that it is measured anew. One network serves all stages and sees
neither mask nor sensor: any mask, number of frames and of buckets will do. It learns in each stage from the errors that the stages
before have left (S. Ross, G. Gordon, D. Bagnell, A reduction of imitation learning to no-regret online learning, AISTATS 2011).

sigma_k falls in equal ratios: it tells the network the stage, and by its half that there are two buckets. Each stage sees the video
turned another way (mirrored in rows, columns or time), so that what the network does wrong to one is not done again by the next:
M. Terris, T. Moreau, N. Pustelnik, J. Tachella, Equivariant plug-and-play image reconstruction, CVPR 2024. Plug-and-play with a video
network in snapshot compressive imaging: X. Yuan et al., Plug-and-play algorithms for video snapshot compressive imaging, PAMI 2022.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recon.networks.video_denoiser import REACH, VideoDenoiser
from recon.optical_flow import Neighbours
from sensors.exposure_torch import Exposure

#: sigma of the first and of the last stage, irradiance, for one bucket; of two it is half as much.
FIRST, LAST = 0.03, 0.02

#: The flow is measured before each of so many first stages, and then before every second one.
MEASURED_FIRST = 5

#: Axes along which a video is mirrored, in turn.
AXES = (1, 2, 3)


class MaskUnfolding(nn.Module):
    """The data step and a video network in turns.

    Parameters
    ----------
    width : int
        Of the network.
    stages : int
    """

    serves_any_code = True
    multiple = (1, 1)  # sizes that it serves
    earlier_stages = 1.0  # weight in the loss of each stage against the next

    def __init__(self, width: int = 32, stages: int = 16) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {"width": width, "stages": stages}
        self.denoiser = VideoDenoiser(width)
        self.reach = stages * self.denoiser.reach

    def forward(self, start: Tensor, charge: Tensor, exposure: Exposure, variance: Tensor | None = None) -> list[Tensor]:
        """The estimate of the last stage, after one more data step; in training that of every stage, which no other learns by.

        Parameters
        ----------
        start : Tensor, (N, T, H, W)
        charge : Tensor, (N, B, H, W)
            In white sub-exposures.
        exposure : Exposure
            That took it.
        variance : Tensor, (N, B, H, W), optional
            Of the charge; infinite where saturated.
        """
        x = z = start
        estimates, noise = [], ()  # type: list[Tensor], tuple[Any, ...]
        for k in range(stages := self.settings["stages"]):
            sigma = FIRST / exposure.buckets * (LAST / FIRST) ** (k / max(stages - 1, 1))
            if variance is not None:
                noise = variance, sigma**2
            if k < MEASURED_FIRST or k % 2 == 0:
                neighbours = []  # the flow before is not needed while this one is measured
                neighbours = [Neighbours(one, REACH) for one in x.cpu().numpy()]
            v = x + (exposure.data_step(z, charge, *noise) - z)
            turned = list(compress(AXES, (k >> bit & 1 for bit in range(len(AXES)))))
            beside = _beside(v, neighbours, turned)
            x = self.denoiser(v.flip(turned), v.new_full((len(v),), sigma), beside).flip(turned)
            estimates = [*estimates, x] if self.training else [x]
            x = x.detach()
            z = 2 * x - v
        return [*estimates[:-1], exposure.data_step(estimates[-1], charge, *noise)]


def _beside(video: Tensor, neighbours: list[Neighbours], turned: list[int]) -> Iterator[Tensor]:
    """For each frame of videos (N, T, H, W) the one REACH before, and so on to the one REACH after, moved onto it, and then turned
    with it."""
    frames = video.cpu().numpy()
    steps = [step for step in range(-REACH, REACH + 1) if step]
    for step in reversed(steps) if AXES[0] in turned else steps:  # what came before now comes after
        moved = np.stack([near.beside(one, step) for near, one in zip(neighbours, frames, strict=True)])
        yield torch.from_numpy(moved).to(video.device).flip(turned)
