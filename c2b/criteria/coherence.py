"""Mutual coherence: how alike two building blocks of a video look in a capture.

======  ======================================================================  =================
symbol  meaning                                                                 shape
======  ======================================================================  =================
A       what each sample of the tile collects of each pixel of each frame       (B p q, T p q)
Psi     cosines in time and over the tile, orthonormal                          (T p q, T p q)
d_i     columns of A Psi                                                        (B p q,)
======  ======================================================================  =================

    coherence = max over i < j of |d_i^T d_j| / (|d_i| |d_j|)

D. Donoho, X. Huo, "Uncertainty principles and ideal atomic decomposition", IEEE Transactions on Information Theory 47, 2001. 1: two
of them cannot be told apart. Columns of which nothing is seen are left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from c2b.criteria import collected
from c2b.criteria.criterion import Criterion
from sensors.sensor import Sensor

#: Larger tiles are not judged: most entries of A Psi, and columns.
MOST_ENTRIES, MOST_COLUMNS = 2**24, 4096

#: A column of less than this part of the largest is not seen.
UNSEEN = 1e-9


class Coherence(Criterion):
    """Mutual coherence of what the tile collects with cosines in time and space; 1 where two cannot be told apart."""

    def __call__(self, sensor: Sensor) -> float | None:
        tile = collected.tile_of(sensor)
        if tile is None or tile.size * tile[0, 0].size > MOST_ENTRIES or tile[0].size > MOST_COLUMNS:
            return None
        D = _seen(tile)
        lengths = np.linalg.norm(D, axis=0)
        D = D[:, seen := lengths > UNSEEN * lengths.max()] / lengths[seen]
        return float(np.triu(np.abs(D.T @ D), 1).max(initial=0.0)) if D.shape[1] > 1 else None


def _seen(tile: NDArray[np.float64]) -> NDArray[np.float64]:
    """A Psi of a tile (B, T, p, q)."""
    buckets, frames, p, q = tile.shape
    each = np.zeros((buckets, p, q, frames, p, q))
    for i, j in np.ndindex(p, q):
        each[:, i, j, :, i, j] = tile[:, :, i, j]
    return dctn(each, axes=(3, 4, 5), norm="ortho").reshape(buckets * p * q, -1)
