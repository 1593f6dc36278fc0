"""Frames on the tile grid: the pixels of a tile as channels."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def fold(frames: Tensor, tile: tuple[int, int]) -> Tensor:
    """Space to depth: (N, C, H, W) to (N, C p q, H / p, W / q)."""
    N, C, H, W = frames.shape
    p, q = tile
    return frames.reshape(N, C, H // p, p, W // q, q).permute(0, 1, 3, 5, 2, 4).reshape(N, C * p * q, H // p, W // q)


def unfold(folded: Tensor, tile: tuple[int, int]) -> Tensor:
    """Depth to space: the inverse of `fold`."""
    N, C, h, w = folded.shape
    p, q = tile
    if p == q:  # twice as fast
        return F.pixel_shuffle(folded, p)
    return folded.reshape(N, C // (p * q), p, q, h, w).permute(0, 1, 4, 2, 5, 3).reshape(N, C // (p * q), h * p, w * q)
