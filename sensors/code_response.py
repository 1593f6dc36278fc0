"""How the shares of a sensor follow its code: an affine map at each pixel, measured with codes that are open once.

======  =====================================================  ==================
symbol  meaning                                                shape
======  =====================================================  ==================
c       code                                                   (T, p, q)
S       shares of the sensor under that code                   (C, F, P, Q)
O       S under a code that is never open                      (C, F, p', q')
G       what being open in sub-exposure s adds to S            (C, F, T, p', q')
======  =====================================================  ==================

    S[c, t, i, j] = O[c, t, i mod p', j mod q'] + sum_s G[c, t, s, i mod p', j mod q'] c[s, i div cell mod p, j div cell mod q]

Complement, lag, cells, late rows and parasitic light are all of this form, and so is any `Sensor.share` that is affine in the code and
takes each pixel for itself. Nothing of a sensor is stated a second time: O and G come from `Sensor.shares_under`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import lcm

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class CodeResponse:
    """O and G of a sensor; `Sensor.code_response` measures them."""

    offset: NDArray[np.float64]
    gain: NDArray[np.float64]
    cell: int
    rows: int  # of the chip, where S is no tile but covers all of them; else 0

    @classmethod
    def measured(cls, shares_under: Callable[[NDArray], NDArray], frames: int, cell: int, rows: int) -> CodeResponse:
        """From the shares under any code of so many frames."""
        closed = shares_under(np.zeros((frames, 1, 1), np.uint8)).astype(np.float64)
        opened = [shares_under(once[:, None, None]) - closed for once in np.eye(frames, dtype=np.uint8)]
        return cls(closed, np.stack(opened, 2), cell, rows)

    def pixels(self, p: int, q: int) -> tuple[tuple[NDArray, NDArray], tuple[NDArray, NDArray]]:
        """Rows and columns of O and G, and those of a code of p x q, that make one tile of S."""
        own = self.offset.shape[2:]
        height, width = (lcm(side, size * self.cell) for side, size in zip(own, (p, q), strict=True))
        i, j = np.arange(self.rows or height), np.arange(width)
        return (i % own[0], j % own[1]), (i // self.cell % p, j // self.cell % q)
