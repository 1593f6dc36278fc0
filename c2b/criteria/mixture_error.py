"""PSNR under a Gaussian mixture of patches of video, such as the shipped prior of `gmm`: a bound, and by sampling.

======  ======================================================================  =================
symbol  meaning                                                                 shape
======  ======================================================================  =================
w, m, C  weights, means and covariances of the components (`recon.gaussian_mixture`)
e_k     mean squared error where the component k is known                       scalar
======  ======================================================================  =================

    bound = sum_k w_k e_k       (of the error from below, so that no estimate has a higher PSNR)

Whoever must find the component, too, does worse; how much is found by sampling videos from the mixture, noise for them, and
estimating them as `recon.gmm` does, by the mean over all components. Means are over the places of the tile at which a patch can
begin.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular

from c2b.criteria import collected
from c2b.criteria.criterion import Criterion
from c2b.criteria.patch_posterior import NO_NOISE, decibels, factor, observed, patches, squared_error
from recon import weight_file
from recon.gaussian_mixture import GaussianMixture
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: Captures that are estimated at once, and most that are drawn.
AT_ONCE, MOST_PATCHES = 500, 10_000


class MixtureBound(Criterion):
    """PSNR that no estimate exceeds on average where the prior is true: each patch with its component known.

    Parameters
    ----------
    weights : str
        The prior: a shipped one, or a file. Codes longer than its patches are not judged.
    """

    unit: ClassVar[str] = "dB"
    better: ClassVar[str] = "higher"
    quick: ClassVar[bool] = False

    def __init__(self, weights: str = "gmm") -> None:
        self.weights = weights

    def __call__(self, sensor: Sensor) -> float | None:
        tile, longest = collected.tile_of(sensor), _prior(self.weights)
        if tile is None or sensor.frames > longest.frames:
            return None
        prior = longest.marginal(sensor.frames)
        _, *sides = prior.patch
        return decibels(float(np.mean([self.error(sensor, patch, prior) for patch in patches(tile, (sides[0], sides[1]))])))

    def error(self, sensor: Sensor, patch: NDArray[np.float64], prior: GaussianMixture) -> float:
        """Mean squared error of patches that collect (B, T, h, w)."""
        shares = prior.weights.astype(np.float64) / prior.weights.sum(dtype=np.float64)
        each = (
            squared_error(
                patch, cross_covariance(patch, prior, k), even_noise(sensor, patch, prior, k), float(prior.spread[k].sum())
            )
            for k in range(len(shares))
        )
        return float(shares @ [*each])


class MixtureError(MixtureBound):
    """PSNR of the mean of all patches that explain a capture, estimated by sampling the prior.

    Parameters
    ----------
    weights : str
        The prior: a shipped one, or a file. Codes longer than its patches are not judged.
    patches : int
        Patches drawn for each place of the tile.
    seed : int
        Seed of videos and noise.
    """

    def __init__(self, weights: str = "gmm", patches: int = 200, seed: int = 0) -> None:
        super().__init__(weights)
        if not 1 <= patches <= MOST_PATCHES or seed < 0:
            raise Refusal(f"patches={patches}, seed={seed}; needed: 1 to {MOST_PATCHES} patches, a seed from 0 on")
        self.patches, self.seed = patches, seed

    def error(self, sensor: Sensor, patch: NDArray[np.float64], prior: GaussianMixture) -> float:
        """Mean squared error of patches that collect (B, T, h, w)."""
        rng = np.random.default_rng(self.seed)
        truth = prior.sample(rng, self.patches)
        charge = observed(patch, truth)
        noise = collected.variance(sensor, np.moveaxis(charge.reshape(self.patches, len(patch), -1), 1, 0))
        spread = np.sqrt(np.maximum(np.moveaxis(noise, 0, 1).reshape(charge.shape), NO_NOISE))
        made = posterior_mean(sensor, patch, prior, charge + spread * rng.standard_normal(charge.shape))
        return float(np.square(made - truth).mean())


def posterior_mean(
    sensor: Sensor, patch: NDArray[np.float64], prior: GaussianMixture, charge: NDArray[np.float64]
) -> NDArray[np.float64]:
    """E[x | y] of each capture (n, M) of a patch, over all components: (n, d)."""
    components = []
    for k, (share, mean) in enumerate(zip(prior.weights, prior.means.astype(np.float64), strict=True)):
        cross = cross_covariance(patch, prior, k)
        components.append((math.log(share), mean, cross, factor(patch, cross, even_noise(sensor, patch, prior, k))))
    parts = np.array_split(charge, -(-len(charge) // AT_ONCE))
    return np.concatenate([_mean_of(patch, part, components) for part in parts])


def _mean_of(patch: NDArray[np.float64], charge: NDArray[np.float64], components: list[Any]) -> NDArray[np.float64]:
    weights, means = [], []
    for log_share, mean, cross, L in components:
        away = (charge - observed(patch, mean[None])).T
        whitened = solve_triangular(L, away, lower=True, check_finite=False)
        weights.append(log_share - 0.5 * np.square(whitened).sum(0) - np.log(L.diagonal()).sum())
        means.append(mean + cho_solve((L, True), away, check_finite=False).T @ cross)
    likely = np.stack(weights)
    likely = np.exp(likely - likely.max(0))
    return np.einsum("kn,knd->nd", likely / likely.sum(0), np.stack(means))


@lru_cache(maxsize=2)
def _prior(weights: str) -> GaussianMixture:
    return GaussianMixture.load(weight_file.locate(weights))


def cross_covariance(patch: NDArray[np.float64], prior: GaussianMixture, k: int) -> NDArray[np.float64]:
    """A C of a component, (M, d)."""
    F = prior.factors[k].astype(np.float64)
    cross = observed(patch, F.T).T @ F.T
    B, _, h, w = patch.shape
    own = cross.reshape(B, h, w, *patch.shape[1:])  # a view: what each sample sees of the floor is its own pixel
    for i, j in np.ndindex(h, w):
        own[:, i, j, :, i, j] += float(prior.floor[k]) * patch[:, :, i, j]
    return cross


def even_noise(sensor: Sensor, patch: NDArray[np.float64], prior: GaussianMixture, k: int) -> NDArray[np.float64]:
    """Sigma where the light is the mean of a component, (M,)."""
    charge = observed(patch, prior.means[k].astype(np.float64)[None]).reshape(len(patch), -1)
    return collected.variance(sensor, charge).reshape(-1)
