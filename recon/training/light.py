"""Stored values and light while training: the sRGB curve (IEC 61966-2-1) on tensors, with slopes everywhere."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

#: Below this irradiance the curve is a straight line.
LINEAR_BELOW = 0.0031308


def decode(stored: NDArray[np.float32], response: str) -> NDArray[np.float32]:
    """Stored values in [0, 1] to irradiance; ``response`` is ``none`` or ``srgb``."""
    if response == "none":
        return stored
    return np.where(stored <= 12.92 * LINEAR_BELOW, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4).astype(np.float32)


def encode(irradiance: Tensor, response: str) -> Tensor:
    """Irradiance to stored values; beyond 0 and 1 the curve goes on straight."""
    irradiance = irradiance.float()
    if response == "none":
        return irradiance
    curve = 1.055 * irradiance.clamp(LINEAR_BELOW, 1) ** (1 / 2.4) - 0.055
    return torch.where(irradiance < LINEAR_BELOW, 12.92 * irradiance, curve + (irradiance - 1).clamp(min=0) * (1.055 / 2.4))
