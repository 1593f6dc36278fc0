"""The optical flow of a sharp clip, from which a network that sees only its blur may learn where things moved."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from recon.optical_flow import flow_between, pyramid

#: The flow is measured on frames so many times as coarse.
COARSE = 2


def half_flow(truth: Tensor) -> tuple[Tensor, Tensor]:
    """Displacement in half an exposure, turned such that most moves down or right, and which clips had to be reversed for that.

    Half the difference of the flows from the last and the first frame to the middle one, scaled from the times of these frames to
    the ends of the exposure: frame_t(x) = middle(x + t v(x)).

    Parameters
    ----------
    truth : Tensor, (N, T, H, W)

    Returns
    -------
    Tensor, (N, 2, H, W)
        v, in pixels: rows down, columns right; its median along the axis in which it is larger is not negative.
    Tensor of bool, (N,)
    """
    frames = truth.shape[1]
    if frames < 2:
        return truth.new_zeros((len(truth), 2, *truth.shape[2:])), torch.zeros(len(truth), dtype=torch.bool, device=truth.device)
    ends = F.avg_pool2d(truth[:, [0, frames // 2, -1]], COARSE).cpu().numpy()
    found = np.stack([_of_clip(clip) for clip in ends])
    medians = np.median(found.reshape(len(found), 2, -1), -1)
    larger = np.take_along_axis(medians, np.abs(medians).argmax(1)[:, None], 1)[:, 0]
    backwards = torch.from_numpy(larger < 0).to(truth.device)
    flow = torch.from_numpy(found * np.where(larger < 0, -1, 1)[:, None, None, None].astype(np.float32)).to(truth.device)
    scale = COARSE * frames / (frames - 1)
    full = F.interpolate(flow, size=truth.shape[2:], mode="bilinear", align_corners=False)
    return scale * full, backwards


def turned(truth: Tensor) -> Tensor:
    """Clips (N, T, H, W) or (N, T, 1, H, W), each in the order in which most moves down or right (`half_flow`)."""
    backwards = half_flow(truth if truth.ndim == 4 else truth[:, :, 0])[1]
    return torch.where(backwards.view(-1, *[1] * (truth.ndim - 1)), truth.flip(1), truth)


def _of_clip(ends: np.ndarray) -> np.ndarray:
    first, middle, last = map(pyramid, ends)
    return (flow_between(last, middle) - flow_between(first, middle)) / 2
