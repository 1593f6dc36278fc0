"""One iteration of EM, E and M step, over 20,000 patches of 8x8x9 samples: 20 full covariances, float32, against scikit-learn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture

from c2b import scenes
from recon import expectation_maximisation as em
from recon.training.clips import Clips
from tests.benchmarks.interleaved import Ratio, compare

PATCH, COUNT, COMPONENTS, FLOOR = (9, 8, 8), 20_000, 20, 1e-4


def ratios() -> Iterator[Ratio]:
    """The fifth iteration, from the same mixture, on patches of the procedural scenes; both give the same next mixture."""
    X = _coefficients()
    moments, r = _warm(X, 4)
    weights, means, covariances = (np.array(part, np.float32) for part in zip(*moments, strict=True))
    precisions = np.linalg.inv(covariances.astype(np.float64))
    start = {"weights_init": weights, "means_init": means, "precisions_init": precisions.astype(np.float32)}
    reference = GaussianMixture(COMPONENTS, reg_covar=FLOOR, **start)
    reference._initialize(X, None)
    before = vars(reference).copy()

    def plain() -> None:
        vars(reference).update(before)
        reference._m_step(X, reference._e_step(X)[1])

    def ours() -> list[tuple[float, NDArray, NDArray]]:
        return _iteration(X, moments, r)[0]

    plain()
    for k, (weight, mean, covariance) in enumerate(ours()):
        assert abs(weight - reference.weights_[k]) < 1e-4
        assert np.abs(mean - reference.means_[k]).max() < 1e-2
        assert np.abs(covariance - reference.covariances_[k]).max() < 1e-2 * np.abs(covariance).max()
    yield compare("EM iteration, 20,000 x 576, 20 components: scikit-learn", plain, ours, at_least=5, turns=4)


def _coefficients() -> NDArray[np.float32]:
    films = [scenes.make(f"{name}:frames=18,height=160,width=200,seed={n}")[0:18] for n in range(2) for name in scenes.SCENES]
    clips, rng = Clips(films, PATCH[0], (40, 40)), np.random.default_rng(0)
    draws = COUNT // em.PATCHES_PER_CLIP
    patches = np.concatenate([em._cut(clips.draw(rng), PATCH, rng) for _ in range(draws)])
    return np.ascontiguousarray(em._to_frequencies(patches + rng.normal(0, 0.01, patches.shape).astype(np.float32)))


def _warm(X: NDArray[np.float32], iterations: int) -> tuple[list[tuple[float, NDArray, NDArray]], NDArray[np.float32]]:
    r = em._start(X, COMPONENTS, 0)
    moments = list(em._maximise(X, r, None, FLOOR))
    for _ in range(iterations):
        moments, r = _iteration(X, moments, r)
    return moments, r


def _iteration(
    X: NDArray[np.float32], moments: list[tuple[float, NDArray, NDArray]], r: NDArray[np.float32]
) -> tuple[list[tuple[float, NDArray, NDArray]], NDArray[np.float32]]:
    joint = em._log_joint(X, [em._Gaussian.of(*one) for one in moments], r.argmax(1))
    r, _ = em._responsibilities(joint)
    return list(em._maximise(X, r, None, FLOOR)), r
