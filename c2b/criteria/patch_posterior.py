"""The error that a Gaussian prior leaves of a patch of video, in closed form.

======  ======================================================================  =================
symbol  meaning                                                                 shape
======  ======================================================================  =================
x       patch of video, d = T h w samples                                       (d,)
A       what each sample of the patch collects; pixels do not mix               (M, d), M = B h w
C       covariance of x under the prior                                         (d, d)
Sigma   variance of the samples                                                 (M,)
======  ======================================================================  =================

    mean squared error = trace( C - C A^T (A C A^T + Sigma)^-1 A C ) / d

K. Mitra, O. Cossairt, A. Veeraraghavan, "A framework for analysis of computational imaging systems: role of signal prior, sensor
noise and multiplexing", PAMI 36, 2014.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from sensors.exposure import periodic

#: Most places along each side of a tile at which a patch begins, evenly apart.
PLACES = 4

#: Variance that stands for no noise, in squared white sub-exposures.
NO_NOISE = 1e-8


def patches(tile: NDArray[np.float64], sides: tuple[int, int]) -> Iterator[NDArray[np.float64]]:
    """What patches of these sides collect, (B, T, h, w), that begin at the pixels of a tile (B, T, p, q)."""
    for origin in origins(tile):
        yield periodic(tile, origin, sides)


def origins(tile: NDArray[np.float64]) -> Iterator[tuple[int, int]]:
    """Pixels of a tile (B, T, p, q) at which patches begin."""
    rows, columns = (np.arange(min(n, PLACES)) * n // min(n, PLACES) for n in tile.shape[2:])
    for i in rows:
        for j in columns:
            yield int(i), int(j)


def observed(patch: NDArray[np.float64], signals: NDArray[np.float64]) -> NDArray[np.float64]:
    """A x of each row of ``signals`` (n, d): (n, M)."""
    return np.einsum("btij,ntij->nbij", patch, signals.reshape(-1, *patch.shape[1:]), optimize=True).reshape(len(signals), -1)


def factor(patch: NDArray[np.float64], cross: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower Cholesky factor of A C A^T + Sigma, (M, M), of ``cross`` = A C (M, d) and the variance of the samples (M,)."""
    seen = observed(patch, cross)
    seen[np.diag_indices_from(seen)] += np.maximum(variance, NO_NOISE)
    return cholesky(seen, lower=True, check_finite=False)


def squared_error(patch: NDArray[np.float64], cross: NDArray[np.float64], variance: NDArray[np.float64], total: float) -> float:
    """Mean squared error; ``total`` is the trace of C."""
    explained = solve_triangular(factor(patch, cross, variance), cross, lower=True, check_finite=False)
    return (total - float(np.square(explained).sum())) / cross.shape[1]


def decibels(squared: float) -> float:
    """PSNR of a mean squared error, white as the peak."""
    return -10 * math.log10(squared) if squared > 0 else math.inf
