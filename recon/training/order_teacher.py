"""A trained method as the teacher of another: its video of a blurred picture, and the order of a sharp clip that is nearer to it.

A blurred picture does not tell the order of its frames: the mean of both, near the picture itself, is wrong by little for either. An
order that follows from the picture leaves another answer.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from recon.learned.blur_to_video import continued
from recon.training.order_losses import better_order, root_mean_square

#: The weights that teach.
TEACHER = "motion"


def taught(picture: Tensor, frames: int) -> Tensor:
    """The teacher's video (N, T, H, W) of blurred pictures (N, 1, H, W), of so many frames; without slope."""
    network, (height, width) = _teacher(), picture.shape[-2:]
    with torch.no_grad():
        return network(continued(picture, network.multiple), frames).frames[..., :height, :width]


def ordered(picture: Tensor, truth: Tensor) -> Tensor:
    """Clips (N, T, H, W) whose blurred pictures are (N, 1, H, W), each in the order of the teacher's video of its picture."""
    backwards = better_order(taught(picture, truth.shape[1]), truth, root_mean_square)[1]
    return torch.where(backwards[:, None, None, None], truth.flip(1), truth)


def lesson(picture: Tensor, truth: Tensor, step: int, taught_steps: int) -> Tensor:
    """What a step learns: for ``taught_steps`` steps the teacher's video of the picture, then the clip in the order nearer to it.

    The clip as it is where ``taught_steps`` is negative.
    """
    if taught_steps < 0:
        return truth
    return taught(picture, truth.shape[1]) if step < taught_steps else ordered(picture, truth)


@cache
def _teacher() -> Any:
    import recon
    from recon import weight_file

    method: Any = recon.make(TEACHER)
    return method.load(weight_file.locate(TEACHER)).trained_.network
