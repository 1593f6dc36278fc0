"""Ours for full-resolution masks: plug-and-play with a video denoiser, in turns with the data step.

    v_k = x_{k-1} + A^T (A A^T + Sigma / sigma_k^2)^-1 (y - A z_{k-1})        z_k = 2 x_k - v_k
    x_k = denoise(v_k, sigma_k)                                               k = 1 .. stages, x_0 = z_0 the classical start

A random mask spreads what is unknown like noise, which a denoiser takes away whatever the mask, the number of frames and of buckets:
it learns from clips with white noise, not from captures. sigma_k falls in equal ratios. Each stage sees the video turned another way
(mirrored in rows, columns or time), so that what the network does wrong to one is not done again by the next: M. Terris, T. Moreau,
N. Pustelnik, J. Tachella, Equivariant plug-and-play image reconstruction, CVPR 2024. Plug-and-play with a video network in snapshot
compressive imaging: X. Yuan et al., Plug-and-play algorithms for video snapshot compressive imaging, PAMI 2022.
"""

from __future__ import annotations

from itertools import compress
from typing import Any

from torch import Tensor, nn

from recon.networks.video_denoiser import VideoDenoiser
from sensors.exposure_torch import Exposure

#: sigma of the first and of the last stage, irradiance.
FIRST, LAST = 0.03, 0.02

#: Axes along which a video is mirrored, in turn.
AXES = (1, 2, 3)


class MaskUnfolding(nn.Module):
    """The data step and a video denoiser in turns.

    Parameters
    ----------
    width : int
        Of the denoiser.
    stages : int
    """

    serves_any_code = True

    def __init__(self, width: int = 32, stages: int = 12) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {"width": width, "stages": stages}
        self.denoiser = VideoDenoiser(width)
        self.multiple = self.denoiser.multiple
        self.reach = stages * self.denoiser.reach

    def forward(self, start: Tensor, charge: Tensor, exposure: Exposure, variance: Tensor | None = None) -> list[Tensor]:
        """The estimate of the last stage, after one more data step.

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
        x = z = start
        noise: tuple[Any, ...] = ()
        for k in range(stages := self.settings["stages"]):
            sigma = FIRST * (LAST / FIRST) ** (k / max(stages - 1, 1))
            if variance is not None:
                noise = variance, sigma**2
            v = x + (exposure.data_step(z, charge, *noise) - z)
            turned = list(compress(AXES, (k >> bit & 1 for bit in range(len(AXES)))))
            x = self.denoiser(v.flip(turned), v.new_full((len(v),), sigma)).flip(turned)
            z = 2 * x - v
        return [exposure.data_step(x, charge, *noise)]
