"""Pictures moved along a displacement field, differentiable in both; and the times of the frames of an exposure."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def warp(image: Tensor, displacement: Tensor) -> Tensor:
    """image(x + d(x)) by bilinear interpolation; beyond the border the outermost pixel continues.

    The spatial transformer of M. Jaderberg et al., NeurIPS 2015, with a displacement for each pixel.

    Parameters
    ----------
    image : Tensor, (N, C, H, W)
    displacement : Tensor, (N, 2, H, W)
        d, in pixels: rows down, columns right.

    Returns
    -------
    Tensor of float32, (N, C, H, W)
    """
    height, width = image.shape[-2:]
    field = displacement.float()
    rows = torch.arange(height, device=field.device, dtype=torch.float32)[:, None] + field[:, 0]
    columns = torch.arange(width, device=field.device, dtype=torch.float32) + field[:, 1]
    grid = torch.stack([columns * (2 / max(width - 1, 1)) - 1, rows * (2 / max(height - 1, 1)) - 1], -1)
    grid = grid.nan_to_num()  # the gradient of NaN is a segmentation fault in torch 2.13, and such a loss is refused anyhow
    return F.grid_sample(image.float(), grid, mode="bilinear", padding_mode="border", align_corners=True)


def enlarge(field: Tensor, factor: int) -> Tensor:
    """A field (N, C, h, w) on a grid so many times as fine, bilinearly; its values stay as they are."""
    if factor == 1:
        return field.float()
    return F.interpolate(field.float(), scale_factor=factor, mode="bilinear", align_corners=False)


def times(frames: int) -> list[float]:
    """When the middles of the frames of an exposure are, in half exposures from its middle: (2 k + 1) / T - 1."""
    return [(2 * k + 1) / frames - 1 for k in range(frames)]
