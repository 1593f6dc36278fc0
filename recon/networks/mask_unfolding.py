"""Ours for full-resolution masks: a video network alternating with the data step.

    v_k = x_{k-1} + A^T (A A^T + Sigma / sigma_k^2)^-1 (y - A z_{k-1})        z_k = 2 x_k - v_k
    x_k = network(v_k, sigma_k, neighbours of v_k)                            k = 1 .. stages, x_0 = z_0 the classical start

Each frame of v_k is seen beside its neighbours, moved onto it along the optical flow of x_{k-1}: what one frame leaves open under the
mask another shows. The better the estimate, the better its flow, so that it is measured anew. One network serves all stages and sees
neither mask nor sensor: any mask, number of frames and of buckets will do. It learns in each stage from the errors that the stages
before have left (S. Ross, G. Gordon, D. Bagnell, A reduction of imitation learning to no-regret online learning, AISTATS 2011).

sigma_k falls in equal ratios: it tells the network the stage, and by its half that there are two buckets. Each stage sees the video
mirrored another way (in rows, columns or time), so that what the network does wrong to one is not done again by the next:
M. Terris, T. Moreau, N. Pustelnik, J. Tachella, Equivariant plug-and-play image reconstruction, CVPR 2024. Plug-and-play with a video
network in snapshot compressive imaging: X. Yuan et al., Plug-and-play algorithms for video snapshot compressive imaging, PAMI 2022.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recon.learned.network import Network
from recon.networks.video_denoiser import REACH, VideoDenoiser
from recon.optical_flow import Neighbours
from sensors.exposure_torch import Exposure

#: sigma of the first and of the last stage, irradiance, for one bucket; of two it is half as much.
FIRST, LAST = 0.03, 0.02

#: The flow is measured before each of so many first stages, and then before every second one.
MEASURED_FIRST = 5

#: Steps of the flow at each scale: what it is measured from changes with each stage, and four are worth 0.02 dB.
FLOW_STEPS = 2

#: For larger frames, the network cleans one band of rows after another.
MOST_PIXELS = 1_200_000

#: Axes along which a video is mirrored, in turn.
AXES = (1, 2, 3)


class MaskUnfolding(nn.Module, Network):
    """The data step and a video network in alternation.

    Parameters
    ----------
    width : int
        Channels of the first level of the network.
    stages : int
    """

    any_code = True

    def __init__(self, width: int = 32, stages: int = 16) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {"width": width, "stages": stages}
        self.denoiser = VideoDenoiser(width)

    def forward(self, start: Tensor, charge: Tensor, exposure: Exposure, variance: Tensor | None = None) -> list[Tensor]:
        """The estimate of the last stage, after one more data step.

        Parameters
        ----------
        start : Tensor, (N, T, H, W)
        charge : Tensor, (N, B, H, W)
            In white sub-exposures.
        exposure : Exposure
            That took it.
        variance : Tensor, (N, B, H, W), optional
            Variance of the charge; infinite where saturated.
        """
        way = UnderWay(start, start, start)
        for _ in range(self.settings["stages"]):
            estimate = self.stage(way, charge, exposure, variance)
        return [exposure.data_step(estimate, charge, *self._noise(way.stage - 1, exposure, variance))]

    def stage(self, way: UnderWay, charge: Tensor, exposure: Exposure, variance: Tensor | None = None) -> Tensor:
        """The next estimate x_k, by which the network may learn; what is under way goes on from it without that."""
        if way.stage < MEASURED_FIRST or way.stage % 2 == 0:
            way.guide, way.neighbours = way.x, None
        v = way.x + (exposure.data_step(way.z, charge, *self._noise(way.stage, exposure, variance)) - way.z)
        turned = list(compress(AXES, (way.stage >> bit & 1 for bit in range(len(AXES)))))
        sigma = v.new_full((len(v),), self._sigma(way.stage, exposure))
        estimate = self.clean(v, sigma, way, turned)
        way.x = estimate.detach()
        way.z, way.stage = 2 * way.x - v, way.stage + 1
        return estimate

    def clean(self, video: Tensor, sigma: Tensor, way: UnderWay, turned: list[int] | None = None) -> Tensor:
        """Videos (N, T, H, W) without noise of strength (N,), seen mirrored along some axes, beside neighbours of what is under way."""
        if way.neighbours is None:
            way.neighbours = [Neighbours(one, REACH, FLOW_STEPS) for one in way.guide.cpu().numpy()]
        turned = turned or []
        return self._denoised(video.flip(turned), sigma, _beside(video, way.neighbours, turned)).flip(turned)

    def _denoised(self, video: Tensor, sigma: Tensor, beside: Iterable[Tensor]) -> Tensor:
        """What the denoiser makes of a video, in bands of rows where that saves memory; they overlap by its reach."""
        rows, columns = video.shape[2:]
        step, reach = VideoDenoiser.multiple[0], VideoDenoiser.reach
        count = -(-rows * columns // MOST_PIXELS)
        if count == 1 or torch.is_grad_enabled():
            return self.denoiser(video, sigma, beside)
        band = -(-rows // (count * step)) * step
        beside, denoised = list(beside), torch.empty_like(video)
        for first in range(0, rows, band):
            low, high = max(first - reach, 0), first + band + reach
            part = self.denoiser(video[:, :, low:high], sigma, (one[:, :, low:high] for one in beside))
            denoised[:, :, first : first + band] = part[:, :, first - low : first - low + band]
        return denoised

    def _sigma(self, stage: int, exposure: Exposure) -> float:
        return FIRST / exposure.buckets * (LAST / FIRST) ** (stage / max(self.settings["stages"] - 1, 1))

    def _noise(self, stage: int, exposure: Exposure, variance: Tensor | None) -> tuple[Any, ...]:
        return () if variance is None else (variance, self._sigma(stage, exposure) ** 2)


@dataclass
class UnderWay:
    """Videos between two stages.

    Parameters
    ----------
    x, z : Tensor, (N, T, H, W)
    guide : Tensor, (N, T, H, W)
        Along whose flow the neighbours are moved.
    stage : int
        The next one.
    neighbours : list of Neighbours, optional
        Neighbours of the frames of each guide; measured when they are asked for.
    """

    x: Tensor
    z: Tensor
    guide: Tensor
    stage: int = 0
    neighbours: list[Neighbours] | None = None


def _beside(video: Tensor, neighbours: list[Neighbours], turned: list[int]) -> Iterator[Tensor]:
    """For each frame of videos (N, T, H, W) the one REACH before, and so on to the one REACH after.

    Each is moved onto the frame, and then turned with it.
    """
    frames = video.cpu().numpy()
    steps = [step for step in range(-REACH, REACH + 1) if step]
    for step in reversed(steps) if AXES[0] in turned else steps:  # what came before now comes after
        moved = np.stack([near.beside(one, step) for near, one in zip(neighbours, frames, strict=True)])
        yield torch.from_numpy(moved).to(video.device).flip(turned)
