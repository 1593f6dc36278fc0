"""Wiener filters of a Gaussian mixture under a tiled code, and their application to all patches of a frame as large products.

======  ==============================================================  =============
symbol  meaning                                                         shape
======  ==============================================================  =============
y       samples of a patch, all buckets, each divided by its n          (M,), M = B h w
A       what each sample collects of the patch of video, divided by n   (M, d)
n       noise of a bucket relative to that of bucket 0 (deviation)      (B,)
s       noise variance of bucket 0 within the patch                     scalar
m, C    mean and covariance of a component                              (d,), (d, d)
V, e    eigenvectors and eigenvalues of A C A^T                         (M, M), (M,)
======  ==============================================================  =============

    z = V^T (y - A m)            log p(y | component) = -1/2 sum (z^2 / (e + s) + log(e + s)) + const
    E[x | y, component] = m + C A^T V (z / (e + s))
    Var[x | y, component] = diag C - sum (C A^T V)^2 / (e + s)

A tile of p x q pixels gives p q distinct A only, one for each phase at which a patch can begin, so that V and C A^T V are computed
once per phase and component. They hold for any noise s: it enters beside the eigenvalues alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from recon.gaussian_mixture import GaussianMixture
from sensors.kernel import FLAGS

#: Products and sums may be fused: no bits are promised here.
PRODUCT_FLAGS = {**FLAGS, "fastmath": {"contract"}}

#: An eigenvalue below this part of the largest is rounding.
ROUNDING = 1e-9

#: Filters are kept for the next exposure as long as they take up no more bytes.
KEPT = 2**28


class PhaseFilters:
    """The filters of every phase of a tile, each computed when it is first asked for.

    Parameters
    ----------
    mixture : GaussianMixture
        Over patches of T frames.
    collected : ndarray, (B, T, p, q)
        What each pixel of the tile collects of each frame, divided by n.
    """

    def __init__(self, mixture: GaussianMixture, collected: NDArray) -> None:
        self.mixture = mixture
        self.collected = collected
        self._kept: dict[int, PhaseFilter] = {}

    def at(self, phase: int) -> PhaseFilter:
        """The filters of patches whose first pixel is this one of the tile, counted row by row."""
        if phase in self._kept:
            return self._kept[phase]
        _, h, w = self.mixture.patch
        p, q = self.collected.shape[2:]
        row, column = divmod(int(phase), q)
        patch = self.collected[:, :, (row + np.arange(h)[:, None]) % p, (column + np.arange(w)) % q]
        made = PhaseFilter.of(self.mixture, patch)
        if (len(self._kept) + 1) * made.gain.nbytes <= KEPT:
            self._kept[phase] = made
        return made


@dataclass(frozen=True, eq=False)
class PhaseFilter:
    """The filters of one phase, for any noise."""

    patch: tuple[int, int, int]
    basis: NDArray[np.float32]  # (K, M, M): V^T
    offset: NDArray[np.float32]  # (K, M): V^T A m
    energy: NDArray[np.float64]  # (K, M): e
    gain: NDArray[np.float32]  # (K, M, d): (C A^T V)^T
    mean: NDArray[np.float32]  # (K, d)
    spread: NDArray[np.float32]  # (K, d): diag C
    log_weight: NDArray[np.float64]  # (K,)

    @classmethod
    def of(cls, mixture: GaussianMixture, collected: NDArray) -> PhaseFilter:
        """From what each sample of a patch collects, (B, T, h, w)."""
        each = [_eigenfilter(mixture, k, collected.astype(np.float64)) for k in range(len(mixture.weights))]
        basis, offset, energy, gain = (np.stack(part) for part in zip(*each, strict=True))
        single = [np.ascontiguousarray(array, np.float32) for array in (basis, offset, gain, mixture.means, mixture.spread)]
        basis, offset, gain, mean, spread = single
        return cls(mixture.patch, basis, offset, energy, gain, mean, spread, np.log(mixture.weights))

    def under(self, noise: float, prune: float, with_variance: bool) -> WienerFilter:
        """The filters for a noise variance s; components less than ``prune`` times as likely as the best of a patch are left out."""
        inverse = 1 / (self.energy + noise)
        constant = self.log_weight + 0.5 * np.log(inverse).sum(1)
        single = inverse.astype(np.float32)
        left = np.empty((len(inverse), 0), np.float32)
        if with_variance:
            left = np.maximum(self.spread - np.stack([i @ np.square(gain) for i, gain in zip(single, self.gain, strict=True)]), 0)
        least = np.float32(np.log(prune) if prune else -np.inf)
        return WienerFilter(self, single, constant.astype(np.float32), left, least)


@dataclass(frozen=True, eq=False)
class WienerFilter:
    """The filters of one phase for one noise."""

    phase: PhaseFilter
    inverse: NDArray[np.float32]  # (K, M): 1 / (e + s)
    constant: NDArray[np.float32]  # (K,)
    left: NDArray[np.float32]  # (K, d): Var[x | y, component]; (K, 0) if not asked for
    least: np.float32  # log of how much less likely than the best a component may be

    def estimate(
        self, charge: NDArray[np.float32], tops: NDArray, lefts: NDArray
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray]:
        """Posterior of the patches that begin at these rows and columns, all of this phase.

        Parameters
        ----------
        charge : ndarray, (B, H, W)
            Divided by n.
        tops, lefts : ndarray of int, (n,)

        Returns
        -------
        mean, variance : ndarray, (n, d)
            The variance is (n, 0) if it was not asked for.
        counts : ndarray, (K,)
            In how many patches each component has a part.
        """
        phase, n = self.phase, len(tops)
        K, M, d = phase.gain.shape
        y = np.empty((M, n), np.float32)
        _gather(charge, tops, lefts, *phase.patch[1:], y)
        z = np.matmul(phase.basis.reshape(K * M, M), y)
        log_joint = np.empty((K, n), np.float32)
        _log_joint(z, phase.offset, self.inverse, self.constant, log_joint)
        counts, members, weights = np.zeros(K, np.int64), np.empty((K, n), np.int64), np.empty((K, n), np.float32)
        _take_part(log_joint, self.least, counts, members, weights)
        total, mean, variance = (
            np.zeros(n, np.float32),
            np.zeros((n, d), np.float32),
            np.zeros((n, self.left.shape[1]), np.float32),
        )
        for k in np.flatnonzero(counts):
            those = members[k, : counts[k]]
            scaled = np.empty((len(those), M), np.float32)
            _scaled(z[k * M : (k + 1) * M], phase.offset[k], self.inverse[k], those, scaled)
            shift = scaled @ phase.gain[k]
            _mix(shift, phase.mean[k], self.left[k], those, weights[k], total, mean, variance)
        return mean, variance, counts


def _eigenfilter(mixture: GaussianMixture, k: int, collected: NDArray) -> tuple[NDArray, ...]:
    """V^T, V^T A m, e and (C A^T V)^T of a component."""
    factors, floor = mixture.factors[k].astype(np.float64), float(mixture.floor[k])
    seen = _collect(collected, factors)
    energy, vectors = np.linalg.eigh(seen @ seen.T + floor * _between_buckets(collected))
    gain = factors @ (seen.T @ vectors) + floor * _spread_back(collected, vectors)
    offset = _collect(collected, mixture.means[k].astype(np.float64)[:, None])[:, 0] @ vectors
    return vectors.T, offset, np.maximum(energy, ROUNDING * energy[-1]), gain.T


def _collect(collected: NDArray, patches: NDArray) -> NDArray:
    """A X of patches in columns, (d, n) to (M, n). The adjoint is `_spread_back`."""
    B, T, h, w = collected.shape
    return np.einsum("btp,tpn->bpn", collected.reshape(B, T, h * w), patches.reshape(T, h * w, -1)).reshape(B * h * w, -1)


def _spread_back(collected: NDArray, samples: NDArray) -> NDArray:
    """A^T Y, (M, n) to (d, n). The adjoint of `_collect`."""
    B, T, h, w = collected.shape
    return np.einsum("btp,bpn->tpn", collected.reshape(B, T, h * w), samples.reshape(B, h * w, -1)).reshape(T * h * w, -1)


def _between_buckets(collected: NDArray) -> NDArray:
    """A A^T, (M, M): only samples of the same pixel share light."""
    B, T, h, w = collected.shape
    flat = collected.reshape(B, T, h * w)
    return np.einsum("btp,ctp,pr->bpcr", flat, flat, np.eye(h * w), optimize=True).reshape(B * h * w, -1)


@numba.njit(**FLAGS)
def _gather(charge, tops, lefts, h, w, y):
    """Samples of the patches, in columns."""
    for b in range(charge.shape[0]):
        for i in range(h):
            for j in range(w):
                row = y[(b * h + i) * w + j]
                for c in range(tops.size):
                    row[c] = charge[b, tops[c] + i, lefts[c] + j]


@numba.njit(**PRODUCT_FLAGS)
def _log_joint(z, offset, inverse, constant, log_joint):
    """log w_k + log p(y | k), but for what all components share."""
    K, M = offset.shape
    n = z.shape[1]
    half = np.float32(0.5)
    for k in range(K):
        into = log_joint[k]
        into[:] = constant[k]
        for r in range(M):
            row, o, v = z[k * M + r], offset[k, r], half * inverse[k, r]
            for c in range(n):
                e = row[c] - o
                into[c] -= e * e * v


@numba.njit(**FLAGS)
def _take_part(log_joint, least, counts, members, weights):
    """For each component, the patches in which it has a part, and how likely it is there compared with the best."""
    K, n = log_joint.shape
    best = log_joint[0].copy()
    for k in range(1, K):
        for c in range(n):
            best[c] = max(best[c], log_joint[k, c])
    for k in range(K):
        count = 0
        for c in range(n):
            difference = log_joint[k, c] - best[c]
            if difference >= least:
                members[k, count] = c
                weights[k, count] = np.exp(difference)
                count += weights[k, count] > 0
        counts[k] = count


@numba.njit(**FLAGS)
def _scaled(z, offset, inverse, those, scaled):
    """z / (e + s) of some patches, in rows."""
    for j in range(those.size):
        c = those[j]
        for r in range(offset.size):
            scaled[j, r] = (z[r, c] - offset[r]) * inverse[r]


@numba.njit(**PRODUCT_FLAGS)
def _mix(shift, mean_k, left_k, those, weights, total, mean, variance):
    """Mix one more component into mean and variance: the variance between what was there and what comes adds to that within."""
    for j in range(those.size):
        c, w = those[j], weights[j]
        total[c] += w
        s = w / total[c]
        m = mean[c]
        if left_k.size:
            v = variance[c]
            for r in range(left_k.size):
                e = shift[j, r] + mean_k[r] - m[r]
                v[r] += s * (left_k[r] - v[r] + (np.float32(1) - s) * e * e)
        for r in range(mean_k.size):
            m[r] += s * (shift[j, r] + mean_k[r] - m[r])
