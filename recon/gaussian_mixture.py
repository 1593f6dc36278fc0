"""Gaussian mixture over patches of video: a prior that knows what eight frames of an edge in motion look like.

======  =======================================================  =============
symbol  meaning                                                  shape
======  =======================================================  =============
x       patch of T frames of h x w pixels, time first, 1 = white  (d,), d = T h w
w       weights of the components, they add up to 1              (K,)
m       means                                                    (K, d)
F       factors: what varies together in a component             (K, d, R)
f       floor: variance that each sample has on its own          (K,)
======  =======================================================  =============

    p(x) = sum_k w_k N(x; m_k, F_k F_k^T + f_k I)

A full covariance is the case R = d.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recon import weight_file
from sensors.refusal import Refusal


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """K Gaussians of low rank plus a noise floor.

    Parameters
    ----------
    weights : ndarray, (K,)
    means : ndarray, (K, d)
        Irradiance, 1 = white.
    factors : ndarray, (K, d, R)
    floor : ndarray, (K,)
        Variance, above 0.
    patch : (int, int, int)
        Frames, rows and columns; d is their product in C order.

    Raises
    ------
    Refusal
        If the shapes do not agree or a number is out of range.
    """

    weights: NDArray
    means: NDArray
    factors: NDArray
    floor: NDArray
    patch: tuple[int, int, int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "patch", tuple(int(side) for side in self.patch))
        K, d = len(self.weights), int(np.prod(self.patch))
        shapes = (self.means.shape, self.factors.shape[:2], self.floor.shape)
        if len(self.patch) != 3 or self.weights.ndim != 1 or self.factors.ndim != 3 or shapes != ((K, d), (K, d), (K,)):
            raise Refusal(
                f"a mixture of {K} components over patches of {d} samples has means ({K}, {d}), factors ({K}, {d}, R) and "
                f"floor ({K},), not {', '.join(map(str, (self.means.shape, self.factors.shape, self.floor.shape)))}"
            )
        arrays = (self.weights, self.means, self.factors, self.floor)
        if not (all(np.isfinite(array).all() for array in arrays) and (self.weights > 0).all() and (self.floor > 0).all()):
            raise Refusal("a mixture has finite numbers, and weights and floors above 0")

    @property
    def frames(self) -> int:
        """T of a patch."""
        return self.patch[0]

    @property
    def spread(self) -> NDArray:
        """Variance of each sample in each component, the diagonals of `covariance`, (K, d)."""
        return np.square(self.factors).sum(2) + self.floor[:, None]

    def covariance(self, component: int) -> NDArray[np.float64]:
        """F F^T + f I of one component, (d, d)."""
        factors = self.factors[component].astype(np.float64)
        covariance = factors @ factors.T
        covariance[np.diag_indices_from(covariance)] += self.floor[component]
        return covariance

    def marginal(self, frames: int) -> GaussianMixture:
        """The mixture over the first ``frames`` frames of the patches: exact, as a marginal of a Gaussian is a part of it.

        Raises
        ------
        Refusal
            If the patches are shorter.
        """
        if not 1 <= frames <= self.frames:
            raise Refusal(f"a prior over {self.frames} frames has no marginal over {frames}")
        d = int(np.prod(self.patch)) // self.frames * frames
        return GaussianMixture(self.weights, self.means[:, :d], self.factors[:, :d], self.floor, (frames, *self.patch[1:]))

    def log_joint(self, patches: NDArray) -> NDArray[np.float64]:
        """log w_k + log N(x; component k) of each patch (N, d) and component, (N, K)."""
        each = zip(self.weights, self.means, self._whitened(), self.floor, strict=True)
        return np.stack([np.log(w) + _log_density(patches - m, *half, float(f)) for w, m, half, f in each], axis=1)

    def log_likelihood(self, patches: NDArray) -> NDArray[np.float64]:
        """log p(x) of each patch (N, d), (N,)."""
        return np.logaddexp.reduce(self.log_joint(patches), axis=1)

    def sample(self, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
        """Patches drawn from the mixture, (count, d)."""
        chosen = rng.choice(len(self.weights), count, p=self.weights / self.weights.sum(dtype=np.float64))
        patches = rng.standard_normal((count, self.means.shape[1])) * np.sqrt(self.floor)[chosen, None] + self.means[chosen]
        for k in np.unique(chosen):
            mine = chosen == k
            patches[mine] += rng.standard_normal((mine.sum(), self.factors.shape[2])) @ self.factors[k].T
        return patches

    def save(self, path: str | Path, card: Mapping[str, Any]) -> None:
        """Write the mixture (safetensors); factors in half precision, each scaled to its largest value.

        Parameters
        ----------
        card : mapping
            JSON: how it was trained.
        """
        scale = np.maximum(np.abs(self.factors).max(1, keepdims=True), np.finfo(np.float32).tiny).astype(np.float32)
        tensors = {name: getattr(self, name).astype(np.float32) for name in ("weights", "means", "floor")}
        tensors |= {"scale": scale, "factors": (self.factors / scale).astype(np.float16)}
        weight_file.write(path, tensors, {**card, "method": "gmm", "patch": list(self.patch)})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a mixture, float32.

        Raises
        ------
        Refusal
            If the file is missing, damaged or something else.
        """
        tensors, document = weight_file.read(path, "gmm")
        try:
            factors = tensors["factors"].astype(np.float32) * tensors["scale"]
            return cls(tensors["weights"], tensors["means"], factors, tensors["floor"], tuple(document["patch"]))
        except KeyError as error:
            raise Refusal(f"{Path(path).name} holds no mixture: {error.args[0]!r} is missing") from error

    def _whitened(self) -> Iterator[tuple[NDArray, float]]:
        """For each component, U (d, R) and log det(I + F^T F / f), with (F F^T + f I)^-1 = (I - U U^T) / f."""
        for factors, floor in zip(self.factors.astype(np.float64), self.floor.astype(np.float64), strict=True):
            vectors, singular, _ = np.linalg.svd(factors, full_matrices=False)
            energy = singular**2
            yield vectors * np.sqrt(energy / (energy + floor)), float(np.log1p(energy / floor).sum())


def _log_density(centred: NDArray, half: NDArray, log_determinant: float, floor: float) -> NDArray[np.float64]:
    """log N(x - m; 0, F F^T + f I) of each row, ``log_determinant`` that of I + F^T F / f."""
    d = centred.shape[1]
    distance = np.square(centred).sum(1) - np.square(centred @ half).sum(1)
    return -0.5 * (distance / floor + log_determinant + d * np.log(2 * np.pi * floor))
