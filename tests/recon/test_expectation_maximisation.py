"""Learning a mixture: each iteration is that of EM, the likelihood never falls, nothing is lost by what is left out."""

from __future__ import annotations

import numpy as np
import pytest

from recon import expectation_maximisation as em
from recon.gaussian_mixture import GaussianMixture
from sensors.refusal import Refusal

PATCH = 3, 2, 4
D = 24
RANKS = [None, 5]


def mixture(components=4, rank=6, seed=0, spread=1.0):
    rng = np.random.default_rng(seed)
    scale = np.geomspace(0.05, 0.5, components)
    return GaussianMixture(
        rng.dirichlet(np.full(components, 5.0)),
        rng.normal(0.5, 0.1 * spread, (components, D)),
        rng.normal(0, 0.3, (components, D, rank)) * scale[:, None, None],
        rng.uniform(0.5e-3, 4e-3, components),
        PATCH,
    )


TRUTH = mixture()
PATCHES = TRUTH.sample(np.random.default_rng(1), 6000).astype(np.float32)


def fit(patches=PATCHES, **settings):
    """The mixture, and the log-likelihood after each iteration."""
    rows = []
    report = lambda done, total, said, row: rows.append(row)  # noqa: E731
    found = em.fit(patches, PATCH, **{"components": 4, "tolerance": 0.0, "floor": 1e-6, "report": report, **settings})
    return found, [row["log_likelihood"] for row in rows]


@pytest.mark.parametrize("rank", RANKS)
def test_the_likelihood_never_falls(rank):
    _, history = fit(rank=rank, iterations=25, tolerance=-np.inf)
    assert len(history) == 25 and np.diff(history).min() > -1e-4 and history[-1] > history[0] + 1


@pytest.mark.parametrize("rank", RANKS)
def test_the_likelihood_told_is_that_of_the_mixture_before(rank):
    before, _ = fit(rank=rank, iterations=3)
    _, history = fit(rank=rank, iterations=4)
    assert before.log_likelihood(PATCHES).mean() == pytest.approx(history[3], abs=1e-3)


def test_an_iteration_is_that_of_scikit_learn():
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture as Reference

    before, _ = fit(iterations=2)
    after, _ = fit(iterations=3)
    precisions = np.linalg.inv([before.covariance(k) for k in range(4)])
    start = {"weights_init": before.weights, "means_init": before.means, "precisions_init": precisions}
    with pytest.warns(ConvergenceWarning):  # after the one iteration it is asked for
        reference = Reference(4, reg_covar=1e-6, max_iter=1, **start).fit(PATCHES.astype(np.float64))
    assert np.allclose(after.weights, reference.weights_, atol=1e-4)
    assert np.allclose(after.means, reference.means_, atol=1e-4)
    for k in range(4):
        assert np.allclose(after.covariance(k), reference.covariances_[k], atol=1e-4 * reference.covariances_[k].max())


@pytest.mark.parametrize("rank", [1, 7, 23])
def test_one_component_of_low_rank_is_probabilistic_principal_component_analysis(rank):
    from sklearn.decomposition import PCA

    found, _ = fit(components=1, rank=rank, iterations=1)
    reference = PCA(rank).fit(PATCHES)
    assert found.factors.shape == (1, D, rank)
    assert found.log_likelihood(PATCHES).mean() == pytest.approx(reference.score(PATCHES), abs=1e-3)
    assert found.floor[0] == pytest.approx(reference.noise_variance_, rel=1e-3)


@pytest.mark.parametrize("spread", [0.2, 4])
def test_what_is_left_out_does_not_matter(spread):
    """The bounds are exact: what they give up lies below the best by more than they say, all else is the density itself."""
    prior = mixture(6, seed=3, spread=spread)
    patches = prior.sample(np.random.default_rng(2), 3000)
    X = em._to_frequencies(patches.reshape(-1, *PATCH))
    into = lambda rows: em._to_frequencies(rows.reshape(-1, *PATCH))  # noqa: E731
    components = [
        em._Gaussian.of(w, into(m[None])[0], into(into(prior.covariance(k)).T).T)
        for k, (w, m) in enumerate(zip(prior.weights, prior.means, strict=True))
    ]
    guess = np.random.default_rng(4).integers(0, 6, len(X))
    ours, dense = em._log_joint(X.astype(np.float32), components, guess), prior.log_joint(patches)
    kept = np.isfinite(ours)
    assert np.allclose(ours[kept], dense[kept], atol=0.02)
    best = np.broadcast_to(dense.max(1, keepdims=True), dense.shape)
    assert (dense[~kept] < best[~kept] + em.OUT_OF_REACH + 0.02).all()
    assert 0.2 < (~kept).mean() < 1 - 1 / 6


@pytest.mark.parametrize("rank", [None, 6])
def test_a_mixture_is_found_again(rank):
    truth = mixture(spread=4)
    seen, fresh = (truth.sample(np.random.default_rng(seed), 6000) for seed in (1, 2))
    found, _ = fit(seen, rank=rank, iterations=60)
    assert found.log_likelihood(fresh).mean() == pytest.approx(truth.log_likelihood(fresh).mean(), abs=0.2)
    assert np.allclose(np.sort(found.weights), np.sort(truth.weights), atol=0.02)


def test_every_sample_keeps_its_floor():
    flat = np.repeat(np.random.default_rng(0).random((500, 1), np.float32), D, axis=1)
    found, _ = fit(flat, components=2, rank=3, floor=1e-4, iterations=3)
    assert np.allclose(found.floor, 1e-4, rtol=1e-3)


def test_a_component_that_died_is_given_the_least_likely_patches():
    joint = np.full((1000, 3), -np.inf, np.float32)
    joint[:, 0] = np.random.default_rng(0).permutation(1000)
    r, likelihood = em._responsibilities(joint)
    worst = likelihood < 20
    assert np.array_equal(r[:, 0] == 0, worst)
    assert (r[worst, 1:].sum(1) == 1).all() and r[:, 1].sum() == r[:, 2].sum() == 10


def test_more_components_than_clusters_are_all_made_use_of():
    two = np.repeat(np.array([[0.2], [0.7]], np.float32), 200, axis=0).repeat(D, axis=1)
    found, history = fit(two, components=4, iterations=4)
    assert (found.weights > 0).all() and np.isfinite(history).all()


class Interrupted(Exception):
    pass


def interrupted(when):
    def report(done, total, said, row=None):
        if row and done == when:
            raise Interrupted

    return report


@pytest.mark.parametrize("rank", RANKS)
def test_an_interrupted_training_goes_on_to_the_same_bits(tmp_path, rank):
    whole, history = fit(rank=rank, iterations=6)
    for when in (1, 4):
        checkpoint = tmp_path / f"{when}.safetensors"
        settings = {"rank": rank, "iterations": 6, "checkpoint": checkpoint}
        with pytest.raises(Interrupted):
            fit(**settings, report=interrupted(when))
        again, rest = fit(**settings)
        assert rest == history[when - 1 :]
        for name in ("weights", "means", "factors", "floor"):
            assert np.array_equal(getattr(again, name), getattr(whole, name))


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    checkpoint = tmp_path / "x.safetensors"
    fit(iterations=1, checkpoint=checkpoint)
    fit(iterations=2, checkpoint=checkpoint)
    for other in ({"components": 3}, {"rank": 2}, {"seed": 1}, {"patches": PATCHES[:-1]}):
        with pytest.raises(Refusal, match="another training"):
            fit(**{"iterations": 2, "checkpoint": checkpoint, **other})


def film(seed=0):
    """A texture that moves to the right by a pixel a frame."""
    wide = np.cumsum(np.random.default_rng(seed).normal(0, 0.05, (40, 80)), axis=1)
    return np.stack([0.5 + 0.2 * np.sin(wide[:, 30 - t : 70 - t]) for t in range(8)]).astype(np.float32)


def learn(videos, **settings):
    return em.learn(videos, (4, 4, 5), **{"patches": 1200, "components": 3, "rank": 20, "iterations": 6, **settings})


def test_a_prior_knows_motion_from_flicker():
    prior = learn([film()], linear=0.0)
    patches = np.lib.stride_tricks.sliding_window_view(film(1), (4, 4, 5))[::3, ::5, ::5].reshape(-1, 4, 4, 5)
    shuffled = patches[:, [2, 0, 3, 1]]
    moving, flickering = (prior.log_likelihood(some.reshape(-1, 80)).mean() for some in (patches, shuffled))
    assert moving > flickering + 5


def test_the_seed_decides_and_so_do_the_clips(tmp_path):
    one, same, other = learn([film()]), learn([film()]), learn([film()], seed=1)
    assert np.array_equal(one.factors, same.factors) and not np.array_equal(one.factors, other.factors)
    checkpoint = tmp_path / "x.safetensors"
    learn([film()], checkpoint=checkpoint)
    with pytest.raises(Refusal, match="other clips"):
        learn([film(1)], checkpoint=checkpoint)


def test_a_prior_for_light_as_well_knows_darker_patches():
    stored, light = (learn([film()], linear=share).means.mean() for share in (0.0, 1.0))
    assert light < stored - 0.1


def test_patches_beyond_memory_are_kept_in_a_file(monkeypatch):
    in_memory = learn([film()])
    monkeypatch.setattr(em, "IN_MEMORY", 0)
    assert np.array_equal(learn([film()]).factors, in_memory.factors)


def test_too_little_to_learn_from_is_refused():
    with pytest.raises(Refusal, match="needed: 40 or more"):
        fit(PATCHES[:39])
    with pytest.raises(Refusal, match="4 frames"):
        learn([film()[:3]])
    for wrong in ({"components": 0}, {"rank": 0}):
        with pytest.raises(Refusal, match="at least 1"):
            fit(**wrong)
    with pytest.raises(Refusal, match="patches=-1"):
        learn([film()], patches=-1)
