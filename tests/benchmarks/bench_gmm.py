"""GMM-MMSE of a GoPro clip under the 3x3 impulse code, 20 components, 8x8x9 patches, against the same model as one would write it in
numpy: filters ready for each phase, all components, float64; a loop over patches; batched low-rank algebra for a full-resolution mask.

The reference takes minutes at 720x1280, so that both work on the same strip of full width; patches cost the same wherever they lie.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

import recon
import sensors
from c2b import codes
from c2b.video.recording import open_recording
from recon.gaussian_mixture import GaussianMixture
from recon.gmm import GaussianMixtureMMSE
from recon.gmm_full_mask import PatchSolver
from recon.gmm_wiener import WienerFilter
from recon.overlapping_patches import TAPER
from sensors.capture import Capture
from tests.benchmarks.interleaved import Ratio, compare

CLIP = Path(os.environ.get("C2B_DATA") or Path(__file__).parents[3] / "shared" / "data") / "gopro" / "d01_gopro-s01.mkv"
STRIP = slice(312, 568)
DENSE_ROWS = 56
NOISE = 1e-5
GATES = {"coded-pixel": {1: 10, 2: 6, 4: 4}, "two-bucket": {1: 5, 2: 4, 4: 2.5}}
#: Patches of the loop that are timed, and of the batches.
LOOPED, BATCHED = 24, 256


def ratios() -> Iterator[Ratio]:
    """One bucket, two buckets, a loop over patches, a full-resolution mask."""
    if not CLIP.exists():
        return
    video = open_recording(CLIP).window(rows=STRIP, columns=slice(0, 1280), channels="luma")[:]
    for camera, gates in GATES.items():
        capture = sensors.make(camera, codes.make("impulse:tile=3")).capture(video[:, :DENSE_ROWS], seed=0)
        dense = Dense(prior(), capture)
        for stride, gate in gates.items():
            yield _against_dense(camera, capture, dense, stride, gate)
        yield _against_loop(camera, capture, dense)
    yield _full_mask(video)


def prior(frames: int = 9) -> GaussianMixture:
    return recon.make("gmm")._prior().marginal(frames)


class Dense:
    """Whitening and Wiener matrix of every phase and component, in float64."""

    def __init__(self, mixture: GaussianMixture, capture: Capture) -> None:
        self.charge = capture.charge[0].astype(np.float64)
        exposure = capture.sensor.shares.astype(np.float64)
        self.mixture = mixture
        T, h, w = mixture.patch
        covariances = [mixture.covariance(k) for k in range(len(mixture.weights))]
        pixel = np.arange(h * w)
        self.A, self.tables = {}, {}
        for phase in np.ndindex(exposure.shape[2:]):
            share = np.roll(exposure, (-phase[0], -phase[1]), (2, 3))
            share = np.tile(share, (1, 1, h, w))[:, :, :h, :w].reshape(len(exposure), T, h * w)
            A = np.zeros((len(exposure), h * w, T, h * w))
            A[:, pixel, :, pixel] = share.transpose(2, 0, 1)
            self.A[phase] = A = A.reshape(-1, T * h * w)
            self.tables[phase] = [self._table(A, k, covariance) for k, covariance in enumerate(covariances)]

    def _table(self, A: NDArray, k: int, covariance: NDArray) -> tuple[NDArray, ...]:
        C = A @ covariance @ A.T + NOISE * np.eye(len(A))
        whitening = np.linalg.inv(np.linalg.cholesky(C))
        gain = covariance @ A.T @ whitening.T @ whitening
        mean = self.mixture.means[k].astype(np.float64)
        constant = np.log(self.mixture.weights[k]) + np.log(np.diag(whitening)).sum()
        return whitening, -whitening @ A @ mean, constant, gain, mean - gain @ A @ mean

    def video(self, stride: int) -> NDArray:
        (_, height, width), (T, h, w) = self.charge.shape, self.mixture.patch
        taper = np.outer(*[np.kaiser(side + 2, TAPER)[1:-1] for side in (h, w)])
        video, weight = np.zeros((T, height, width)), np.zeros((height, width))
        tops, lefts = (np.union1d(np.arange(0, n - s + 1, stride), n - s) for n, s in ((height, h), (width, w)))
        windows = sliding_window_view(self.charge, (h, w), axis=(1, 2))
        for (row, column), tables in self.tables.items():
            mine, own = tops[tops % 3 == row], lefts[lefts % 3 == column]
            if not (len(mine) and len(own)):
                continue
            y = windows[:, mine[:, None], own].transpose(1, 2, 0, 3, 4).reshape(len(mine) * len(own), -1)
            x = self._posterior_mean(y, tables).reshape(len(mine), len(own), T, h, w)
            for i, top in enumerate(mine):
                for j, left in enumerate(own):
                    video[:, top : top + h, left : left + w] += taper * x[i, j]
                    weight[top : top + h, left : left + w] += taper
        return video / weight

    def _posterior_mean(self, y: NDArray, tables: list[tuple[NDArray, ...]]) -> NDArray:
        log_joint = np.stack([c - 0.5 * np.square(y @ white.T + offset).sum(1) for white, offset, c, _, _ in tables], 1)
        weights = np.exp(log_joint - log_joint.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        return sum(weights[:, k, None] * (y @ table[3].T + table[4]) for k, table in enumerate(tables))

    def one(self, covariances: list[NDArray], top: int, left: int) -> NDArray:
        """A single patch, everything anew for it, as the textbook has it."""
        _, h, w = self.mixture.patch
        A, y = self.A[top % 3, left % 3], self.charge[:, top : top + h, left : left + w].reshape(-1)
        log_joint, means = [], []
        for weight, mean, covariance in zip(self.mixture.weights, self.mixture.means, covariances, strict=True):
            C = A @ covariance @ A.T + NOISE * np.eye(len(A))
            r = y - A @ mean
            solved = np.linalg.solve(C, r)
            log_joint.append(np.log(weight) - 0.5 * (r @ solved + np.linalg.slogdet(C)[1]))
            means.append(mean + covariance @ (A.T @ solved))
        p = np.exp(np.array(log_joint) - max(log_joint))
        return (p / p.sum()) @ np.stack(means)


def _against_dense(camera: str, capture: Capture, dense: Dense, stride: int, gate: float) -> Ratio:
    method = GaussianMixtureMMSE(stride=stride, noise=NOISE)
    difference = np.abs(method.solve(capture) - dense.video(stride))
    assert np.mean(difference < 1e-3) > 0.999 and difference.mean() < 1e-4, (difference.max(), difference.mean())
    name = f"GMM {camera}, stride {stride}, {_components(method, capture):.2f} parts: dense float64"
    return compare(name, lambda: dense.video(stride), lambda: method.solve(capture), at_least=gate, turns=3)


def _components(method: GaussianMixtureMMSE, capture: Capture) -> float:
    """How many components have a part in a patch."""
    seen, estimate = [], WienerFilter.estimate

    def counted(self, *where):
        found = estimate(self, *where)
        seen.append((found[2].sum(), len(found[0])))
        return found

    WienerFilter.estimate = counted
    try:
        method.solve(capture)
    finally:
        WienerFilter.estimate = estimate
    parts, patches = np.sum(seen, 0)
    return parts / patches


def _against_loop(camera: str, capture: Capture, dense: Dense) -> Ratio:
    method = GaussianMixtureMMSE(stride=1, noise=NOISE)
    (_, h, w), (_, height, width) = dense.mixture.patch, dense.charge.shape
    covariances = [dense.mixture.covariance(k) for k in range(len(dense.mixture.weights))]
    where = np.random.default_rng(0).integers(0, (height - h + 1, width - w + 1), (LOOPED, 2))
    ratio = compare(
        f"GMM {camera}, stride 1: a loop over patches, extrapolated",
        lambda: [dense.one(covariances, *map(int, at)) for at in where],
        lambda: method.solve(capture),
        at_least=1000,
        turns=3,
    )
    return replace(ratio, reference_ms=ratio.reference_ms * (height - h + 1) * (width - w + 1) / LOOPED)


def _full_mask(video: NDArray) -> Ratio:
    code = codes.make("bernoulli:frames=9,tile=[256,256],seed=1")
    capture = sensors.make("coded-pixel", code).capture(video[:, :256, :256], seed=0)
    mixture, method = prior(), GaussianMixtureMMSE(stride=4, noise=NOISE)
    charge, axis = capture.charge[0], np.arange(0, 249, 4)
    tops, lefts = (grid.ravel() for grid in np.meshgrid(axis, axis, indexing="ij"))
    some = np.random.default_rng(0).choice(len(tops), BATCHED, replace=False)
    y = sliding_window_view(charge[0], (8, 8))[tops[some], lefts[some]].reshape(BATCHED, 64)
    share = sliding_window_view(code.astype(np.float32), (8, 8), axis=(1, 2))[:, tops[some], lefts[some]].reshape(9, BATCHED, 64)
    solver = PatchSolver.of(mixture, capture.sensor, charge, np.ones(charge.shape, bool), method.prune)
    ours, _, counts = solver.estimate(tops[some], lefts[some], np.full((BATCHED, 1), NOISE, np.float32), False)
    difference = np.abs(_batched(mixture, y, share) - ours)
    assert difference.mean() < 1e-3, difference.mean()
    name = f"GMM full mask 256x256, {counts.sum() / BATCHED:.2f} parts: batched, extrapolated"
    ratio = compare(name, lambda: _batched(mixture, y, share), lambda: method.solve(capture), at_least=5, turns=3)
    return replace(ratio, reference_ms=ratio.reference_ms * len(tops) / BATCHED)


def _batched(mixture: GaussianMixture, y: NDArray, share: NDArray) -> NDArray:
    """Posterior mean of patches (n, 64) under masks (T, n, 64): for every component one stack of low-rank covariances."""
    T, n, pixels = share.shape
    log_joint, means = [], []
    for weight, mean, factors, floor in zip(mixture.weights, mixture.means, mixture.factors, mixture.floor, strict=True):
        G = np.einsum("tnp,tpr->npr", share, factors.reshape(T, pixels, -1), optimize=True)
        C = G @ G.transpose(0, 2, 1)
        C[:, np.arange(pixels), np.arange(pixels)] += np.float32(NOISE) + floor * np.square(share).sum(0)
        r = y - np.einsum("tnp,tp->np", share, mean.reshape(T, pixels))
        L = np.linalg.cholesky(C)
        z = np.linalg.solve(C, r[..., None])[..., 0]
        log_joint.append(np.log(weight) - 0.5 * (r * z).sum(1) - np.log(np.diagonal(L, axis1=1, axis2=2)).sum(1))
        back = (G.transpose(0, 2, 1) @ z[..., None])[..., 0] @ factors.T
        means.append(mean + back + floor * (share * z).transpose(1, 0, 2).reshape(n, -1))
    p = np.exp(np.array(log_joint) - np.max(log_joint, 0))
    return np.einsum("kn,knd->nd", p / p.sum(0), np.stack(means))
