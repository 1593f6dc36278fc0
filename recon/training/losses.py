"""What a training run makes small."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from recon.training.light import encode

#: A mean square of this much is as good as none.
LEAST_SQUARE = 1e-6


@dataclass(frozen=True)
class Loss:
    """The error, and what may be added to it.

    Parameters
    ----------
    variation : float
        Weight of the total variation of the result, mean |x[i + 2] - x[i]| along rows and columns; the published pair network has
        0.1 (Anupama, Prasan, Mitra, ICPR 2020).
    stages : float
        Weight of the estimate before the last, of the one before that its square, and so on.
    error : str
        ``absolute``: its mean. ``rms``: the root of the mean square of each video, mean over videos.
    response : str
        ``none``, or ``srgb``: errors are measured after that encoding, as noisy tables are scored.
    """

    variation: float = 0.0
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
        return total + self.variation * total_variation(estimates[-1].float()) if self.variation else total

    def _error(self, difference: Tensor) -> Tensor:
        if self.error == "absolute":
            return difference.abs().mean()
        return (difference.square().mean((1, 2, 3)) + LEAST_SQUARE).sqrt().mean()


def total_variation(video: Tensor) -> Tensor:
    """Mean absolute central difference (step 2) along rows, plus the same along columns, of (..., H, W)."""
    return (video[..., 2:, :] - video[..., :-2, :]).abs().mean() + (video[..., 2:] - video[..., :-2]).abs().mean()
