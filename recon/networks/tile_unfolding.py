"""Ours: a residual on a classical start, refined in unrolled stages that each obey the measurement and work on the tile grid.

    x_0 = classical start (the registered tile video, for a periodic code)
    x_k = data step( x_{k-1} + U-Net_k(x_{k-1}, charge, noise, code, features_{k-1}) )      k = 1 .. stages

Everything a U-Net sees is folded to the tile grid (space to depth), where a frame is p q times smaller: only fewer operations are
faster, and under a tiled code every tile poses the same problem. The data step weighs the noise of the capture against an error that
the network itself predicts; without noise it is the exact projection. Features go on from stage to stage. Unrolling with an exact
projection: GAP-net (Meng, Jalali, Yuan, 2020); start, grid, two buckets and noise are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recon.learned.network import Network
from recon.networks.space_to_depth import fold, unfold
from recon.networks.u_net import LEVELS, Block, UNet, in_autocast_type
from sensors.exposure_torch import Exposure, symmetric_inverse

#: How many pixels of the tile grid a stage sees in each direction, rounded up to the coarsest level.
STAGE_REACH = 32

#: The error of an estimate starts at this standard deviation (1 = white) before anything is learnt.
ERROR_AT_START = 0.05

#: Bucket means are taken over at least so many frames: a pixel that is never open says nothing.
LEAST_COUNT = 1e-3


class TileUnfolding(nn.Module, Network):
    """Unrolled stages on the tile grid.

    Parameters
    ----------
    frames : int
        T.
    tile : (int, int)
        p, q of the grid.
    buckets : int
        B.
    width : int
        Channels on the tile grid; twice and four times as many one and two levels below.
    stages : int
    noisy : bool
        The noise of each sample is an input, and the error of the estimate is predicted.
    coded : bool
        The shares of bucket 0 are an input: one set of weights for a family of codes.
    """

    def __init__(
        self,
        frames: int,
        tile: tuple[int, int],
        buckets: int,
        *,
        width: int = 32,
        stages: int = 3,
        noisy: bool = False,
        coded: bool = False,
    ) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {
            "frames": frames,
            "tile": list(tile),
            "buckets": buckets,
            "width": width,
            "stages": stages,
            "noisy": noisy,
            "coded": coded,
        }
        self.tile = (int(tile[0]), int(tile[1]))
        self.multiple = (self.tile[0] * 2**LEVELS, self.tile[1] * 2**LEVELS)
        self.reach = stages * STAGE_REACH * max(self.tile)
        self.noisy, self.coded = noisy, coded
        self.any_code = coded
        cell = self.tile[0] * self.tile[1]
        seen = cell * (frames + buckets * (1 + noisy) + frames * coded)
        self.stages = nn.ModuleList(Stage(seen + (width if k else 0), width, frames * cell + noisy) for k in range(stages))

    def forward(self, start: Tensor, charge: Tensor, exposure: Exposure, variance: Tensor | None = None) -> list[Tensor]:
        """The estimates of all stages, the last one best.

        Parameters
        ----------
        start : Tensor, (N, T, H, W)
            H and W multiples of ``multiple``; pixel [0, 0] at the beginning of a tile.
        charge : Tensor, (N, B, H, W)
            In white sub-exposures.
        exposure : Exposure
            That took it.
        variance : Tensor, (N, B, H, W), optional
            Variance of the charge; infinite where saturated.
        """
        count = exposure.counts(*charge.shape[-2:]).clamp(min=LEAST_COUNT)
        given = [charge / count]
        if self.noisy:
            noise = charge.new_zeros(charge.shape) if variance is None else variance
            given.append((noise / count.square()).clamp(max=1).sqrt())
        if self.coded:
            given.append(exposure.on_pixels(*charge.shape[-2:])[0].expand(len(charge), -1, -1, -1))
        known = [_on_grid(field, self.tile) for field in given]
        step = self._noisy_step(charge, variance, exposure) if self.noisy else self._exact_step(charge, exposure)
        x, estimates = _folded(start.float(), self.tile), []
        features: list[Tensor] = []
        for number, stage in enumerate(self.stages):
            change, feature = stage([in_autocast_type(x), *known, *features])
            features = [feature]
            x = step(x, change.float())
            if torch.is_grad_enabled() or number + 1 == len(self.stages):
                estimates.append(unfold(x, self.tile))
        return estimates

    def _exact_step(self, charge: Tensor, exposure: Exposure) -> Callable[[Tensor, Tensor], Tensor]:
        """The projection, on the grid; under a code that repeats with the tile one matrix for all tiles."""
        tile = self.tile
        if exposure.mixing is not None or tuple(exposure.shares.shape[-2:]) != tile:
            return lambda x, change: _folded(exposure.data_step(unfold(x + change, tile), charge), tile)
        shares = exposure.on_pixels(*charge.shape[-2:])[:, :, : tile[0], : tile[1]].flatten(2)
        inverse = symmetric_inverse((shares[:, None] * shares).sum(2)[:, :, None])[:, :, 0]
        see = _tile_matrix(shares.transpose(0, 1))
        explain = _tile_matrix((inverse[:, :, None] * shares).sum(1))
        told = _folded(charge, tile).permute(0, 2, 3, 1).flatten(0, 2)

        def step(x: Tensor, change: Tensor) -> Tensor:
            moved = x + change
            flat = moved.permute(0, 2, 3, 1).flatten(0, 2)
            with torch.autocast(x.device.type, enabled=False):
                residual = torch.addmm(told, flat, see, alpha=-1)
                flat = flat.addmm(residual, explain) if torch.is_grad_enabled() else flat.addmm_(residual, explain)
            return flat.reshape(moved.permute(0, 2, 3, 1).shape).permute(0, 3, 1, 2)

        return step

    def _noisy_step(self, charge: Tensor, variance: Tensor | None, exposure: Exposure) -> Callable[[Tensor, Tensor], Tensor]:
        """The data step that weighs the noise against the error that the last channel of a stage tells."""

        def step(x: Tensor, change: Tensor) -> Tensor:
            spread = (ERROR_AT_START * torch.exp(change[:, -1:].clamp(-6, 4))).square()
            spread = spread.repeat_interleave(self.tile[0], 2).repeat_interleave(self.tile[1], 3)
            moved = exposure.data_step(unfold(x + change[:, :-1], self.tile), charge, variance, spread)
            return _folded(moved, self.tile)

        return step


def _tile_matrix(blocks: Tensor) -> Tensor:
    """Matrices (C, D, p q), one for each pixel of a tile, as one (C p q, D p q) between the channels of the grid."""
    return torch.diag_embed(blocks).transpose(1, 2).flatten(2).flatten(0, 1)


def _on_grid(field: Tensor, tile: tuple[int, int]) -> Tensor:
    """Folded, in the type and order in which convolutions are fastest; whole frames are faster plane by plane."""
    return _folded(in_autocast_type(field), tile)


def _folded(field: Tensor, tile: tuple[int, int]) -> Tensor:
    return fold(field, tile).contiguous(memory_format=torch.channels_last)


class Stage(UNet):
    """A step of the estimate, and features for the next stage."""

    def __init__(self, seen: int, width: int, out: int) -> None:
        super().__init__(nn.Conv2d(seen, width, 1), width, out, Block)

    def forward(self, seen: list[Tensor]) -> tuple[Tensor, Tensor]:
        """The step and the features for the next stage, from all channels that it sees, in parts that need no joining."""
        parts = self.embed.weight.split([part.shape[1] for part in seen], 1)
        embedded = F.conv2d(seen[0], parts[0], self.embed.bias)
        for part, weight in zip(seen[1:], parts[1:], strict=True):
            embedded = embedded + F.conv2d(part, weight)
        features = self.features(embedded)
        return self.head(features), features
