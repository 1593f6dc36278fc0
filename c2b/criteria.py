"""What a code is worth before any picture is taken with it: light, rank, condition and noise gain of its tile.

======  ================================================================================
symbol  meaning
======  ================================================================================
A       what each pixel of the tile collects of each frame, one bucket or two, (K, T)
======  ================================================================================

    condition = s_max / s_min of A        noise gain = sqrt( trace (A^T A)^-1 / T )

The noise gain is that of multiplexing for additive noise (Schechner, Nayar, Belhumeur, "Multiplexing for optimal lighting", PAMI
2007): below 1 a code beats seeing one frame at a time, where the noise does not grow with the light.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensors.refusal import Refusal

#: Tiles of more than the square of this many pixels are judged by their first rows and columns.
LARGEST_SIDE = 24

#: Singular values below this part of the largest count as zero.
RCOND = 1e-9


@dataclass(frozen=True)
class Criteria:
    """Of one code; pairs are (one bucket, two buckets). Condition and noise gain are infinite where the rank is below T."""

    frames: int
    tile: tuple[int, int]
    light: float
    fewest_open: float
    most_open: float
    rank: tuple[float, float]
    condition: tuple[float, float]
    noise_gain: tuple[float, float]

    def row(self) -> tuple[str, ...]:
        """The cells of a table."""
        pairs = [" | ".join(f"{v:.3g}" for v in pair) for pair in (self.rank, self.condition, self.noise_gain)]
        opened = f"{self.fewest_open:g}" if self.fewest_open == self.most_open else f"{self.fewest_open:g} .. {self.most_open:g}"
        return (str(self.frames), "x".join(map(str, self.tile)), f"{self.light:.3f}", opened, *pairs)


def criteria(code: NDArray) -> Criteria:
    """The criteria of a code (T, p, q).

    Raises
    ------
    Refusal
        If it is a cycle of several codes; judge each on its own.
    """
    if code.ndim != 3:
        raise Refusal(f"criteria are of one code (T, p, q), not of a cycle {code.shape}; judge each on its own")
    opened = code.sum(0, dtype=np.float64)
    rows = max(LARGEST_SIDE, LARGEST_SIDE**2 // code.shape[2])
    columns = LARGEST_SIDE**2 // min(rows, code.shape[1])
    judged = code[:, :rows, :columns].reshape(len(code), -1).T.astype(np.float64)
    one, two = _system(judged), _system(np.concatenate([judged, 1 - judged]))
    rank, condition, noise_gain = zip(one, two, strict=True)
    light = float(code.mean(dtype=np.float64))
    return Criteria(len(code), code.shape[1:], light, float(opened.min()), float(opened.max()), rank, condition, noise_gain)


def _system(A: NDArray) -> tuple[int, float, float]:
    singular = np.linalg.svd(A, compute_uv=False)
    rank = int((singular > RCOND * singular[0]).sum()) if singular[0] > 0 else 0
    if rank < A.shape[1]:
        return rank, np.inf, np.inf
    return rank, float(singular[0] / singular[-1]), float(np.sqrt((1 / singular**2).sum() / A.shape[1]))
