"""The ordinary camera: one bucket, open throughout, whatever the code; what moves is blurred."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensors.sensor import Sensor


@dataclass(frozen=True, eq=False)
class Conventional(Sensor):
    """Every pixel collects every sub-exposure. The code only tells how many there are."""

    def share(self, code: NDArray) -> NDArray:
        """Ones, (1, T, 1, 1)."""
        return np.ones((1, len(code), 1, 1), np.uint8)
