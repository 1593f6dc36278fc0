"""GMM-MMSE patch by patch, for masks that repeat nowhere and for samples that are lost.

======  =====================================================  ==========
symbol  meaning                                                shape
======  =====================================================  ==========
y       samples of the patch, all buckets                      (M,)
A       what each sample collects; zero where it is lost       (M, T)
v       variance of the noise of each sample                   (M,)
m, F, f mean, factors and floor of a component                 (d,), (d, R), scalar
G       A F                                                    (M, R)
C       G G^T + f A A^T + diag v                               (M, M)
r       y - A m                                                (M,)
======  =====================================================  ==========

    log p(y | component) = -1/2 (r^T C^-1 r + log det C) + const
    E[x | y, component] = m + (F G^T + f A^T) C^-1 r
    Var[x | y, component] = diag(F F^T + f I) - diag((F G^T + f A^T) C^-1 (G F^T + f A))

To factor C for every component would take most of the time for those that have no part in the patch. So all are ranked first, by
their leading factors, with what the others add to a sample taken as noise of its own; those that lie far behind are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np
from numpy.typing import NDArray

from recon.gaussian_mixture import GaussianMixture
from sensors.kernel import FLAGS
from sensors.sensor import Sensor

#: Sums may be taken in any order: no bits are promised here.
SUM_FLAGS = {**FLAGS, "fastmath": {"contract", "reassoc", "nsz"}}

#: The ranking takes so many leading factors per bucket, and spares components that lie no further behind (in the log) than this.
LEADING, SPARED = 24, 24.0

#: Patches that are ranked together, component by component, so that its factors stay in the cache.
BLOCK = 64


@dataclass(frozen=True, eq=False)
class RankedMixture:
    """A mixture with orthogonal factors, the strongest first, in single precision."""

    patch: tuple[int, int, int]
    log_weight: NDArray[np.float32]  # (K,)
    mean: NDArray[np.float32]  # (K, d)
    factors: NDArray[np.float32]  # (K, d, R)
    front: NDArray[np.float32]  # (K, d, Q): the leading ones
    floor: NDArray[np.float32]  # (K,)
    spread: NDArray[np.float32]  # (K, d)
    rest: NDArray[np.float32]  # (K, d): variance that the leading factors leave

    @classmethod
    def of(cls, mixture: GaussianMixture, buckets: int) -> RankedMixture:
        """Turn the factors of each component into their principal axes."""
        leading = min(LEADING * buckets, mixture.factors.shape[2])
        axes = [factors @ np.linalg.eigh(factors.T @ factors)[1][:, ::-1] for factors in mixture.factors.astype(np.float64)]
        front = [axis[:, :leading] for axis in axes]
        rest = mixture.spread - np.square(front).sum(2)
        rest = np.maximum(rest, mixture.floor[:, None])
        arrays = (np.log(mixture.weights), mixture.means, axes, front, mixture.floor, mixture.spread, rest)
        log_weight, mean, factors, leaders, floor, spread, rest = (np.ascontiguousarray(array, np.float32) for array in arrays)
        return cls(mixture.patch, log_weight, mean, factors, leaders, floor, spread, rest)


@dataclass(frozen=True, eq=False)
class PatchSolver:
    """Posterior of the patches of one exposure, one by one."""

    mixture: RankedMixture
    charge: NDArray[np.float32]  # (B, H, W)
    seen: NDArray[np.bool_]  # (B, H, W): samples that are not lost
    share: NDArray[np.float32]  # S (C, T, p, q)
    mixing: NDArray[np.float32]  # M (B, C, 1|H, 1|W), of the frame
    origin: tuple[int, int]
    least: np.float32  # log of how much less likely than the best a component may be

    @classmethod
    def of(cls, mixture: GaussianMixture, sensor: Sensor, charge: NDArray, seen: NDArray, prune: float) -> PatchSolver:
        """For the first buckets of a sensor, as many as ``charge`` has; ``prune`` as in `gmm_wiener.PhaseFilter.under`."""
        parts = sensor.shares, sensor.exposure.mixing_on(*charge.shape[1:])[: len(charge)]
        share, mixing = (np.ascontiguousarray(part, np.float32) for part in parts)
        least = np.float32(np.log(prune) if prune else -np.inf)
        return cls(_prepared(mixture, len(charge)), charge, seen, share, mixing, sensor.origin, least)

    def estimate(
        self, tops: NDArray, lefts: NDArray, noise: NDArray[np.float32], with_variance: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray]:
        """Posterior of the patches that begin at these rows and columns.

        Parameters
        ----------
        tops, lefts : ndarray of int, (n,)
        noise : ndarray, (n, B)
            Variance, above 0.

        Returns
        -------
        mean, variance : ndarray, (n, d)
            The variance is (n, 0) if it was not asked for.
        counts : ndarray, (K,)
            In how many patches each component has a part.
        """
        m = self.mixture
        K, d = m.mean.shape
        mean, counts = np.zeros((len(tops), d), np.float32), np.zeros(K, np.int64)
        variance = np.zeros((len(tops), d if with_variance else 0), np.float32)
        light = (self.charge, self.seen, self.share, self.mixing, *self.origin)
        prior = (m.log_weight, m.mean, m.factors, m.front, m.floor, m.spread, m.rest, *m.patch)
        _estimate(*light, tops, lefts, noise, *prior, self.least, mean, variance, counts)
        return mean, variance, counts


@lru_cache(maxsize=4)
def _prepared(mixture: GaussianMixture, buckets: int) -> RankedMixture:
    return RankedMixture.of(mixture, buckets)


@numba.njit(**SUM_FLAGS)
def _estimate(
    charge, seen, S, M, i0, j0, tops, lefts, noise,
    log_weight, mean_k, factors, front, floor, spread, rest, T, h, w, least, mean, variance, counts,
):  # fmt: skip
    K = log_weight.size
    m, Q = charge.shape[0] * h * w, front.shape[2]
    A, y, v = np.empty((BLOCK, m, T), np.float32), np.empty((BLOCK, m), np.float32), np.empty((BLOCK, m), np.float32)
    g, gram, r, rank = (
        np.empty((m, Q), np.float32),
        np.empty((Q, Q), np.float32),
        np.empty(m, np.float32),
        np.empty((BLOCK, K), np.float32),
    )
    prior = (log_weight, mean_k, factors, floor, spread)
    for first in range(0, tops.size, BLOCK):
        count = min(BLOCK, tops.size - first)
        for c in range(count):
            l = first + c
            _look(charge, seen, S, M, i0, j0, tops[l], lefts[l], noise[l], h, w, A[c], y[c], v[c])
        for k in range(K):
            for c in range(count):
                rank[c, k] = log_weight[k] + _ranked(A[c], y[c], v[c], mean_k[k], front[k], rest[k], h * w, r, g, gram)
        for c in range(count):
            _mixed(A[c], y[c], v[c], rank[c], least, h * w, prior, mean[first + c], variance[first + c], counts)


@numba.njit(**SUM_FLAGS)
def _mixed(A, y, v, rank, least, n, prior, mean, variance, counts):
    """Posterior of one patch; the components come by rank, and each is mixed into what is there."""
    log_weight, mean_k, factors, floor, spread = prior
    m, (_, d, R) = y.size, factors.shape
    r, G, C, x = np.empty(m, np.float32), np.empty((m, R), np.float32), np.empty((m, m), np.float32), np.empty(d, np.float32)
    behind = rank.max() + least - np.float32(SPARED)
    best, total, one = np.float32(-np.inf), np.float32(0), np.float32(1)
    for k in np.argsort(-rank):
        if rank[k] < behind:
            break
        log_joint = log_weight[k] + _factored(A, y, v, mean_k[k], factors[k], floor[k], n, r, G, C)
        if log_joint - best < least:
            continue
        if log_joint > best:
            total *= np.exp(best - log_joint)
            best = log_joint
        part = np.exp(log_joint - best)
        total += part
        counts[k] += 1
        _filtered(A, mean_k[k], factors[k], floor[k], n, r, G, C, x)
        s = part / total
        if variance.size:
            known = _known(A, factors[k], floor[k], n, G, C)
            for z in range(d):
                e, left = x[z] - mean[z], max(spread[k, z] - known[z], np.float32(0))
                variance[z] += s * (left - variance[z] + (one - s) * e * e)
        for z in range(d):
            mean[z] += s * (x[z] - mean[z])


@numba.njit(**FLAGS)
def _look(charge, seen, S, M, i0, j0, top, left, noise, h, w, A, y, v):
    """A, y and v of one patch. A lost sample collects nothing and is nothing."""
    for s in range(y.size):
        b, i, j = s // (h * w), top + s // w % h, left + s % w
        here = seen[b, i, j]
        y[s] = charge[b, i, j] if here else np.float32(0)
        v[s] = noise[b]
        for t in range(A.shape[1]):
            a = np.float32(0)
            if here:
                for c in range(M.shape[1]):
                    a += M[b, c, i % M.shape[2], j % M.shape[3]] * S[c, t, (i + i0) % S.shape[2], (j + j0) % S.shape[3]]
            A[s, t] = a


@numba.njit(**SUM_FLAGS)
def _ranked(A, y, v, mean, factors, rest, n, r, g, gram):
    """-1/2 (r^T C^-1 r + log det C) for C = g g^T + diag D, by Woodbury: of g^T D^-1 g + I only a small Cholesky factor is needed."""
    m, T = A.shape
    Q = g.shape[1]
    one = np.float32(1)
    distance, log_det = np.float32(0), np.float32(0)
    for s in range(m):
        e, D, row = y[s], v[s], g[s]
        row[:] = 0
        for t in range(T):
            a = A[s, t]
            if a != 0:
                z = t * n + s % n
                e -= a * mean[z]
                D += a * a * rest[z]
                f = factors[z]
                for q in range(Q):
                    row[q] += a * f[q]
        log_det += np.log(D)
        D = one / np.sqrt(D)
        for q in range(Q):
            row[q] *= D
        r[s] = e * D
        distance += r[s] * r[s]
    np.dot(g.T, g, gram)
    u = np.dot(r, g)
    for q in range(Q):
        row = gram[q]
        pivot = one + row[q]
        log_det += np.log(pivot)
        distance -= u[q] * u[q] / pivot
        for s in range(q + 1, Q):
            a = row[s] / pivot
            u[s] -= a * u[q]
            for z in range(s, Q):
                gram[s, z] -= a * row[z]
    return np.float32(-0.5) * (distance + log_det)


@numba.njit(**SUM_FLAGS)
def _factored(A, y, v, mean, factors, floor, n, r, G, C):
    """-1/2 (r^T C^-1 r + log det C) of a component; leaves G, the Cholesky factor U of C = U^T U, and U^-T r."""
    m, T = A.shape
    for s in range(m):
        e, row = y[s], G[s]
        row[:] = 0
        for t in range(T):
            a = A[s, t]
            if a != 0:
                e -= a * mean[t * n + s % n]
                f = factors[t * n + s % n]
                for q in range(row.size):
                    row[q] += a * f[q]
        r[s] = e
    np.dot(G, G.T, C)
    for s in range(m):
        C[s, s] += v[s]
        for z in range(s % n, m, n):
            for t in range(T):
                C[s, z] += floor * A[s, t] * A[z, t]
    return _cholesky(C, v, r)


@numba.njit(**SUM_FLAGS)
def _cholesky(C, v, r):
    """C becomes U above its diagonal, r becomes U^-T r; four pivots at a time, to read and write what is left a quarter as often."""
    m = r.size
    distance, log_det = np.float32(0), np.float32(0)
    for first in range(0, m, 4):
        last = min(first + 4, m)
        for s in range(first, last):
            row = C[s]
            pivot = max(row[s], v[s])  # the noise alone; below it is rounding
            log_det += np.log(pivot)
            per = np.float32(1) / np.sqrt(pivot)
            r[s] *= per
            distance += r[s] * r[s]
            row[s] = pivot
            for z in range(s, m):
                row[z] *= per
            for i in range(s + 1, last):
                r[i] -= row[i] * r[s]
                for z in range(i, m):
                    C[i, z] -= row[i] * row[z]
        if last < first + 4:
            break
        r0, r1, r2, r3 = C[first], C[first + 1], C[first + 2], C[first + 3]
        for i in range(last, m):
            a, b, c, d, row = r0[i], r1[i], r2[i], r3[i], C[i]
            r[i] -= a * r[first] + b * r[first + 1] + c * r[first + 2] + d * r[first + 3]
            for z in range(i, m):
                row[z] -= a * r0[z] + b * r1[z] + c * r2[z] + d * r3[z]
    return np.float32(-0.5) * (distance + log_det)


@numba.njit(**SUM_FLAGS)
def _filtered(A, mean, factors, floor, n, r, G, U, x):
    """x = m + (F G^T + f A^T) U^-1 (U^-T r)."""
    m, T = A.shape
    for s in range(m - 1, -1, -1):
        a = r[s]
        for z in range(s + 1, m):
            a -= U[s, z] * r[z]
        r[s] = a / U[s, s]
    e = np.dot(r, G)
    x[:] = mean + np.dot(factors, e)
    for s in range(m):
        for t in range(T):
            x[t * n + s % n] += floor * A[s, t] * r[s]


@numba.njit(**SUM_FLAGS)
def _known(A, factors, floor, n, G, U):
    """diag((F G^T + f A^T) C^-1 (G F^T + f A)): the squares of the columns of U^-T (G F^T + f A), added up."""
    m, T = A.shape
    seen = np.dot(G, factors.T)
    known = np.zeros(factors.shape[0], np.float32)
    for s in range(m):
        row = seen[s]
        for t in range(T):
            row[t * n + s % n] += floor * A[s, t]
    for s in range(m):
        row, per = seen[s], np.float32(1) / U[s, s]
        for z in range(row.size):
            row[z] *= per
            known[z] += row[z] * row[z]
        for i in range(s + 1, m):
            a, other = U[s, i], seen[i]
            for z in range(row.size):
                other[z] -= a * row[z]
    return known
