"""A A^T between the buckets of one pixel, and its exact inverse: what every closed-form inversion of a local sensor rests on.

======  =====================================================  ==================
symbol  meaning                                                shape
======  =====================================================  ==================
S       what falls on each collector, periodic over the chip   (C, T, p, q)
M       what each bucket receives of each collector            (B, C, 1|H, 1|W)
P       weights of the sub-exposures, such as variances        (T, h, w)
G       M S diag(P) S^T M^T                                    (B, B, ...)
======  =====================================================  ==================
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sensors.exposure import BucketShare

#: An eigenvalue of A A^T below this part of the trace is taken as zero: the code cannot tell these buckets apart.
RANK_TOLERANCE = 1e-9


def gram(shares: BucketShare, mixing: NDArray) -> NDArray:
    """G with P = 1, (B, B, p, q): periodic from the chip's pixel (0, 0), or of chip height or width where M is a map."""
    return _mixed(shares.gram(), mixing)


def weighted_gram(share: NDArray, mixing: NDArray, weights: NDArray, origin: tuple[int, int]) -> NDArray:
    """G on the pixels of a frame at ``origin``, (B, B, h, w)."""
    collectors = len(share)
    pairs = np.stack([share[b] * share[c] for b in range(collectors) for c in range(collectors)])
    flat = BucketShare(pairs).forward(np.asarray(weights), origin)
    return _mixed(flat.reshape(collectors, collectors, *flat.shape[1:]), window(mixing, origin, flat.shape[1:]))


def window(field: NDArray, origin: tuple[int, int], shape: tuple[int, ...]) -> NDArray:
    """The part of a chip map (..., H, W) that a frame of ``shape`` at ``origin`` sees; an axis of length 1 stays."""
    rows = slice(origin[0], origin[0] + shape[0]) if field.shape[-2] > 1 else slice(None)
    columns = slice(origin[1], origin[1] + shape[1]) if field.shape[-1] > 1 else slice(None)
    return field[..., rows, columns]


def symmetric_inverse(gram: NDArray, floor: NDArray | float = 0.0) -> NDArray:
    """(G + diag(floor))^+ of a field (B, B, ...) of symmetric matrices, exact for rank-deficient ones too."""
    gram = np.asarray(gram, np.float64)
    matrices = np.moveaxis(gram, (0, 1), (-2, -1)) + np.asarray(floor)
    if gram.shape[0] == 1:
        return np.moveaxis(np.divide(1.0, matrices, out=np.zeros_like(matrices), where=matrices > 0), (-2, -1), (0, 1))
    if gram.shape[0] == 2:
        return np.moveaxis(_two_by_two(matrices), (-2, -1), (0, 1))
    return np.moveaxis(np.linalg.pinv(matrices, rcond=RANK_TOLERANCE, hermitian=True), (-2, -1), (0, 1))


def _mixed(gram: NDArray, mixing: NDArray) -> NDArray:
    """M G M^T where both are periodic fields."""
    height, width = (m if m > 1 else g for g, m in zip(gram.shape[2:], mixing.shape[2:], strict=True))
    gram = gram[:, :, np.arange(height) % gram.shape[2]][..., np.arange(width) % gram.shape[3]]
    mixing = np.broadcast_to(mixing, (*mixing.shape[:2], height, width))
    return np.einsum("abij,bcij,dcij->adij", mixing, gram, mixing)


def _two_by_two(g: NDArray) -> NDArray:
    """Closed form: adj(G) / det(G), and G / trace^2 where G has rank one."""
    trace = g[..., 0, 0] + g[..., 1, 1]
    determinant = g[..., 0, 0] * g[..., 1, 1] - g[..., 0, 1] * g[..., 1, 0]
    regular = determinant > RANK_TOLERANCE * trace**2
    safe = np.where(regular, determinant, 1.0)
    adjugate = np.stack([np.stack([g[..., 1, 1], -g[..., 0, 1]], -1), np.stack([-g[..., 1, 0], g[..., 0, 0]], -1)], -2)
    rank_one = g / np.where(trace > 0, trace, 1.0)[..., None, None] ** 2
    return np.where(regular[..., None, None], adjugate / safe[..., None, None], rank_one)
