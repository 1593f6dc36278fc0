"""Evidence of a Gaussian mixture for ways in which a code may lie: how likely the measured patches are under each.

======  =====================================================================  =============
symbol  meaning                                                                shape
======  =====================================================================  =============
y       samples of a patch, all buckets                                        (M,), M = B h w
A       what each sample collects of the patch of video                        (M, d)
v       variance of the noise of each sample                                   (M,)
m, F, f mean, factors and floor of a component                                 (d,), (d, R), scalar
C       A (F F^T + f I) A^T + diag v                                           (M, M)
======  =====================================================================  =============

    p(y | A) = sum_k w_k N(y; A m_k, C_k)

Any code that has as many unknowns as samples explains every capture, so that residuals tell nothing. The evidence does: under a
wrong code the video that explains the capture is an unlikely one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from recon.gaussian_mixture import GaussianMixture


def log_evidence(
    mixture: GaussianMixture, collected: NDArray, patches: NDArray, variance: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logarithm of p(y | A) of each patch, and its squared distance from the mean in units of C under the likeliest component.

    Parameters
    ----------
    mixture : GaussianMixture
        Over T frames.
    collected : ndarray, (B, T, h, w)
        What each sample of a patch collects of each frame.
    patches : ndarray, (n, B, h, w)
        Charge, in white sub-exposures.
    variance : ndarray, (B,)
        That of the noise of each bucket, above 0.

    Returns
    -------
    evidence, distance : ndarray, (n,)
        The distance divided by M: about 1 where the model holds.
    """
    B, T, h, w = collected.shape
    A = collected.reshape(B, T, h * w).astype(np.float32)
    y = patches.reshape(len(patches), -1).astype(np.float32)
    floor_part = np.einsum("btp,ctp->bcp", A, A)
    noise = np.repeat(variance, h * w).astype(np.float32)
    joint, distance = np.empty((len(mixture.weights), len(y))), np.empty((len(mixture.weights), len(y)))
    for k, weight in enumerate(mixture.weights):
        G = _collect(A, mixture.factors[k])
        C = G @ G.T
        for b in range(B):
            for c in range(B):
                block = C[b * h * w : (b + 1) * h * w, c * h * w : (c + 1) * h * w]
                block[np.diag_indices(h * w)] += mixture.floor[k] * floor_part[b, c]
        C[np.diag_indices(len(C))] += noise
        L = np.linalg.cholesky(C)
        z = solve_triangular(L, (y - _collect(A, mixture.means[k][:, None])[:, 0]).T, lower=True, check_finite=False)
        distance[k] = np.square(z).sum(0)
        joint[k] = np.log(weight) - 0.5 * distance[k] - np.log(np.diag(L)).sum()
    likeliest = joint.argmax(0)
    return np.logaddexp.reduce(joint, axis=0), distance[likeliest, np.arange(len(y))] / y.shape[1]


def _collect(A: NDArray, patches: NDArray) -> NDArray[np.float32]:
    """A X of patches in columns, (B, T, h w) and (d, n) to (M, n)."""
    B, T, n = A.shape
    return np.einsum("btp,tpn->bpn", A, patches.reshape(T, n, -1), optimize=True).reshape(B * n, -1)
