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

#: Codes of more frames are not judged: the cost grows with the cube of their number.
MOST_FRAMES = 2048

#: Eigenvalues of A^T A below this part of the largest count as zero.
RCOND = 1e-12


#: Columns of a table: the name of a code, then the cells of `Criteria.row`.
COLUMNS = ("code", "T", "tile", "light", "open", "rank 1 | 2", "condition 1 | 2", "noise gain 1 | 2")


@dataclass(frozen=True)
class Criteria:
    """Criteria of one code; pairs are (one bucket, two buckets). Condition and noise gain are infinite where the rank is below T."""

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
    open_rows = code.reshape(len(code), -1).astype(np.float64)
    one, two = (_system(A) for A in (open_rows, np.concatenate([open_rows, 1 - open_rows], axis=1)))
    rank, condition, noise_gain = zip(one, two, strict=True)
    light = float(code.mean(dtype=np.float64))
    return Criteria(len(code), code.shape[1:], light, float(opened.min()), float(opened.max()), rank, condition, noise_gain)


def _system(A: NDArray) -> tuple[float, float, float]:
    """Rank, condition and noise gain of a system whose columns, the pixels, are given as (T, K)."""
    if len(A) > MOST_FRAMES:
        return np.nan, np.nan, np.nan
    eigenvalues = np.linalg.eigvalsh(A @ A.T)[::-1]
    rank = int((eigenvalues > RCOND * eigenvalues[0]).sum()) if eigenvalues[0] > 0 else 0
    if rank < len(A):
        return rank, np.inf, np.inf
    return rank, float(np.sqrt(eigenvalues[0] / eigenvalues[-1])), float(np.sqrt((1 / eigenvalues).mean()))
