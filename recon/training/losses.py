"""Training losses, and the encoding in which they are measured."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sensors.response import StandardRGB

#: Mean square below which the root is not taken: its slope would have no bound.
LEAST_SQUARE = 1e-6


@dataclass(frozen=True)
class Loss:
    """Error of the estimates, and total variation of the last one.

    Parameters
    ----------
    variation : float
        Weight of the total variation. The pair paper has 0.1, with differences of neighbours (Anupama, Shedligeri, Pal, Mitra, ICPR
        2020).
    variation_step : int
        Pixels between the differences: 2 are the central differences of a follow-up to the paper, about twice as large.
    stages : float
        Deep supervision: the k-th estimate from the end is weighted by ``stages**k``.
    error : str
        ``absolute``: mean absolute error. ``rms``: root mean square of each video, mean over videos.
    response : str
        ``none``, or ``srgb``: errors are measured after that encoding, as noisy tables are scored.
    """

    variation: float = 0.0
    variation_step: int = 2
    stages: float = 0.3
    error: str = "absolute"
    response: str = "none"

    def __call__(self, estimates: list[Tensor], truth: Tensor) -> Tensor:
        """The loss of estimates (N, T, H, W), the last one best."""
        truth = encode(truth, self.response)
        total = truth.new_zeros(())
        for age, estimate in enumerate(reversed(estimates)):
            if weight := self.stages**age:
                total = total + weight * self._error(encode(estimate, self.response) - truth)
        if self.variation:
            total = total + self.variation * total_variation(estimates[-1].float(), self.variation_step)
        return total

    def _error(self, difference: Tensor) -> Tensor:
        if self.error == "absolute":
            return difference.abs().mean()
        return (difference.square().mean((1, 2, 3)) + LEAST_SQUARE).sqrt().mean()


def encode(irradiance: Tensor, response: str) -> Tensor:
    """Irradiance to stored values, as `sensors.response` does between 0 and 1; beyond, the curve continues straight.

    So the slope is positive and bounded everywhere, which the power law's is not.
    """
    irradiance = irradiance.float()
    if response == "none":
        return irradiance
    line = StandardRGB.LINEAR_BELOW
    curve = 1.055 * irradiance.clamp(line, 1) ** (1 / 2.4) - 0.055
    return torch.where(irradiance < line, 12.92 * irradiance, curve + (irradiance - 1).clamp(min=0) * (1.055 / 2.4))


def total_variation(video: Tensor, step: int = 2) -> Tensor:
    """Mean absolute difference of pixels ``step`` apart along rows, plus the same along columns, of (..., H, W)."""
    down, across = video[..., step:, :] - video[..., :-step, :], video[..., step:] - video[..., :-step]
    return down.abs().mean() + across.abs().mean()
