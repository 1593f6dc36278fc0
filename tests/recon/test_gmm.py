"""GMM-MMSE: fast equals the formula, the formula is the best estimate there is, and the posterior variance is the error it makes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import recon.gmm
import sensors
from c2b import codes
from recon.gaussian_mixture import GaussianMixture
from recon.gmm import GaussianMixtureMMSE
from recon.metrics import psnr
from sensors.kernel import threads
from sensors.readout import Readout
from sensors.refusal import Refusal
from tests.stored_data import data

T, H, W = 5, 29, 42
PATCH = (T, 8, 6)
TILE = "bernoulli:frames=5,tile=[2,3],seed=4"
KINDS = ("coded-pixel", "two-bucket:leakage=0.03")
NOISY = Readout(white=50, read_noise=3, full_well=400, bits=12)


def mixture(K=4, patch=PATCH, rank=9, seed=0, floor=4e-4, apart=0.15):
    """Components that differ in mean and covariance, smooth enough that a capture tells something of every sample."""
    rng = np.random.default_rng(seed)
    frames, h, w = patch
    waves = [np.cos(np.pi * k * (np.arange(n) + 0.5) / n) for n, top in ((frames, 2), (h, 3), (w, 3)) for k in range(top)]
    time, rows, columns = waves[:2], waves[2:5], waves[5:]
    basis = np.stack([np.einsum("t,i,j->tij", a, b, c).ravel() for a in time for b in rows for c in columns], 1)
    factors = np.stack([basis @ rng.normal(0, 0.01, (basis.shape[1], rank)) for _ in range(K)])
    means = 0.5 + np.stack([basis @ rng.normal(0, apart / 6, basis.shape[1]) for _ in range(K)])
    weights = rng.uniform(0.5, 1.5, K)
    return GaussianMixture(weights / weights.sum(), means, factors, np.full(K, floor) * rng.uniform(0.5, 2, K), patch)


def method(prior, **settings):
    made = GaussianMixtureMMSE(**settings)
    made.mixture_ = prior
    return made


def film(seed=0, shape=(T, H, W)):
    """Waves that pass by."""
    rng = np.random.default_rng(seed)
    t, i, j = np.meshgrid(*map(np.arange, shape), indexing="ij")
    waves = [np.cos(rng.normal(0, 0.25, 3) @ np.stack([t, i, j]).reshape(3, -1) + rng.uniform(0, 6)) for _ in range(6)]
    return (0.5 + 0.05 * np.sum(waves, 0)).reshape(shape).astype(np.float32)


def collected(sensor, shape, buckets):
    """A of every pixel as a matrix (B H W, T H W), laid out by brute force: the sensor's own answer to every unit video."""
    frames = sensor.frames
    unit = np.eye(frames * shape[0] * shape[1]).reshape(-1, frames, *shape)
    return np.stack([sensor.expose(one)[:buckets].ravel() for one in unit], 1)


def by_formula(prior, A, y, v):
    """Posterior mean and variance of one patch in float64; rows of infinite variance are left out."""
    seen = np.isfinite(v)
    A, y, v = A[seen], y[seen], v[seen]
    log_joint, means, variances = [], [], []
    for k, weight in enumerate(prior.weights):
        S, m = prior.covariance(k), prior.means[k]
        C = A @ S @ A.T + np.diag(v)
        log_joint.append(np.log(weight) + multivariate_normal(A @ m, C).logpdf(y))
        gain = np.linalg.solve(C, A @ S).T
        means.append(m + gain @ (y - A @ m))
        variances.append(np.diag(S - gain @ A @ S))
    p = np.exp(np.array(log_joint) - max(log_joint))
    p /= p.sum()
    mean = p @ np.stack(means)
    return mean, p @ (np.stack(variances) + np.square(means)) - mean**2


def one_by_one(monkeypatch):
    monkeypatch.setattr(recon.gmm, "PATCHES_PER_PHASE", np.inf)


def by_filters(monkeypatch):
    monkeypatch.setattr(recon.gmm, "PATCHES_PER_PHASE", 0)


@pytest.mark.parametrize("engine", [one_by_one, by_filters])
@pytest.mark.parametrize("buckets", ["both", "coded"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_single_patch_is_estimated_by_the_formula(kind, buckets, engine, monkeypatch):
    engine(monkeypatch)
    prior, shape = mixture(), PATCH[1:]
    sensor = sensors.make(kind, codes.make(TILE), origin=(1, 2))
    capture = sensor.capture(prior.sample(np.random.default_rng(1), 1).reshape(PATCH), seed=0)
    used = sensor.buckets if buckets == "both" else 1
    y = capture.charge[0, :used].ravel().astype(float)
    mean, variance = by_formula(prior, collected(sensor, shape, used), y, np.full(y.shape, 1e-3))
    made = method(prior, buckets=buckets, prune=0, noise=1e-3)
    assert np.allclose(made.reconstruct(capture)[0], mean.reshape(PATCH), atol=1e-5)
    assert np.allclose(made.variance(capture)[0], variance.reshape(PATCH), atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("engine", [one_by_one, by_filters])
@pytest.mark.parametrize("kind", KINDS)
def test_one_component_is_the_wiener_filter(kind, engine, monkeypatch):
    """x = m + S A^T (A S A^T + s)^-1 (y - A m)."""
    engine(monkeypatch)
    prior, shape = mixture(1), PATCH[1:]
    sensor = sensors.make(kind, codes.make(TILE))
    capture = sensor.capture(film(3, PATCH), seed=0)
    A, S, m = collected(sensor, shape, sensor.buckets), prior.covariance(0), prior.means[0]
    wiener = m + S @ A.T @ np.linalg.solve(A @ S @ A.T + 0.01 * np.eye(len(A)), capture.charge[0].ravel() - A @ m)
    assert np.allclose(method(prior, noise=0.01).reconstruct(capture)[0].ravel(), wiener, atol=1e-5)


@pytest.mark.parametrize("readout", [Readout(), NOISY], ids=["ideal", "noisy"])
@pytest.mark.parametrize("kind", KINDS)
def test_filters_equal_the_solution_patch_by_patch(kind, readout, monkeypatch):
    """Exactly without noise. With it the filters take it in steps, and of both buckets in one ratio: far below the noise itself."""
    sensor = sensors.make(kind, codes.make(TILE), origin=(3, 1), readout=readout)
    capture = sensor.capture(film(), seed=0)

    def both(**settings):
        made = method(mixture(), stride=3, noise=1e-3, **settings)
        with monkeypatch.context() as patched:
            one_by_one(patched)
            slow = made.reconstruct(capture)[0], made.variance(capture)[0]
        with monkeypatch.context() as patched:
            by_filters(patched)
            return slow, (made.reconstruct(capture)[0], made.variance(capture)[0])

    for slow, fast in zip(*both(prune=0), strict=True):
        assert np.abs(slow - fast).max() < (1e-5 if readout.ideal else 2e-2)
        assert np.sqrt(np.square(slow - fast).mean()) < (1e-5 if readout.ideal else 2e-3)
    if readout.ideal:
        slow = both(prune=0)[0][0]
        assert all(np.abs(pruned[0] - slow).mean() < 1e-3 for pruned in both(prune=0.01))


def test_the_mean_over_overlapping_patches_is_weighted_by_a_window():
    prior, sensor = mixture(), sensors.make("coded-pixel", codes.make(TILE))
    capture = sensor.capture(film(shape=(T, 8, 8)), seed=0)
    made = method(prior, stride=2, prune=0)
    parts = [
        replace(capture, images=capture.images[..., j : j + 6], sensor=sensor.crop(slice(0, 8), slice(j, 8))) for j in (0, 2)
    ]
    left, right = (made.solve(part) for part in parts)
    window = np.kaiser(8, recon.overlapping_patches.TAPER)[1:-1]
    both = np.zeros((T, 8, 8)), np.zeros(8)
    for j, one in ((0, left), (2, right)):
        both[0][..., j : j + 6] += one * window
        both[1][j : j + 6] += window
    assert np.allclose(made.solve(capture), both[0] / both[1], atol=1e-5)


def drawn(prior, count, readout=NOISY, kind="two-bucket", seed=2):
    """Patches of the prior, each a frame of its own, and their captures."""
    truth = prior.sample(np.random.default_rng(seed), count).reshape(-1, *PATCH[1:]).astype(np.float32)
    return truth.reshape(count, *PATCH), sensors.make(kind, codes.make(TILE), readout=readout).capture(truth, seed=seed)


def test_the_posterior_mean_beats_the_best_component_and_the_prior_mean():
    prior = mixture(apart=0.05)
    truth, capture = drawn(prior, 300, Readout(white=8, read_noise=3), "coded-pixel")
    error = {
        "mmse": np.square(method(prior, prune=0).reconstruct(capture) - truth).mean(),
        "best component": np.square(method(prior, prune=0.999999).reconstruct(capture) - truth).mean(),
        "prior": np.square((prior.weights @ prior.means).reshape(PATCH) - truth).mean(),
    }
    assert error["mmse"] < 0.95 * error["best component"] and error["mmse"] < 0.9 * error["prior"], error


@pytest.mark.parametrize(
    ("kind", "readout"),
    [("coded-pixel", Readout()), ("two-bucket", Readout(white=20_000, read_noise=2000))],
    ids=["one bucket, ideal", "two buckets, noisy"],
)
def test_the_posterior_variance_is_the_error_made(kind, readout):
    """On data of the prior: over all samples, and apart for those said to be certain and those said not to be."""
    prior = mixture()
    truth, capture = drawn(prior, 300, readout, kind)
    made = method(prior, prune=0, noise=1e-7)
    error, said = np.square(made.reconstruct(capture) - truth), made.variance(capture)
    assert said.mean() == pytest.approx(error.mean(), rel=0.1)
    certain = said < np.median(said)
    for part in (certain, ~certain):
        assert said[part].mean() == pytest.approx(error[part].mean(), rel=0.15)


@pytest.mark.parametrize("mask", [TILE, f"bernoulli:frames={T},tile=[{H},{W}],seed=2"], ids=["tile", "mask"])
def test_saturated_samples_carry_no_weight(mask):
    sensor = sensors.make("two-bucket", codes.make(mask), readout=replace(NOISY, full_well=None, bits=8, gain=0.7))
    capture = sensor.capture(film(), seed=0)
    lost, brighter = capture.images.copy(), capture.images.copy()
    lost[0, 1, 9:14, 9:20], brighter[0, 1, 9:14, 9:20] = 255, 254
    made = method(mixture())
    whole, holed, trusted = (made.reconstruct(replace(capture, images=images))[0] for images in (capture.images, lost, brighter))
    hole = (slice(None), slice(9, 14), slice(9, 20))
    assert np.isfinite(capture.variance).all() and np.isinf(replace(capture, images=lost).variance).sum() == 55
    assert np.abs(holed - whole)[hole].mean() < 0.2 * np.abs(trusted - whole)[hole].mean()
    assert np.array_equal(holed[:, :, 30:], whole[:, :, 30:])
    said = made.variance(replace(capture, images=lost))[0]
    assert said[hole].mean() > made.variance(capture)[0][hole].mean()


def test_a_lost_patch_is_the_mean_of_the_prior():
    prior = mixture()
    sensor = sensors.make("coded-pixel", codes.make(TILE), readout=replace(NOISY, bits=8))
    capture = sensor.capture(film(shape=PATCH), seed=0)
    blind = replace(capture, images=np.full_like(capture.images, 255))
    assert np.allclose(method(prior, prune=0).reconstruct(blind)[0].ravel(), prior.weights @ prior.means, atol=1e-5)


def test_more_light_brings_the_estimate_closer():
    prior, errors = mixture(), []
    for white in (2, 20, 200, 2000):
        truth, capture = drawn(prior, 50, Readout(white=white, read_noise=3))
        errors.append(np.square(method(prior).reconstruct(capture) - truth).mean())
    assert all(more < 0.9 * less for less, more in pairwise(errors)), errors


def test_leakage_maps_are_solved_like_the_uniform_leakage_they_show():
    code = codes.make(TILE)
    video = film()
    uniform = sensors.make("two-bucket:leakage=0.03", code)
    mapped = sensors.make("two-bucket", code, leakage=np.full((H, W), 0.03))
    one, other = (
        method(mixture(), prune=0, noise=1e-3).reconstruct(sensor.capture(video, seed=0)) for sensor in (uniform, mapped)
    )
    assert np.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("mask", [TILE, f"bernoulli:frames={T},tile=[{H},{W}],seed=2"], ids=["tile", "mask"])
def test_threads_change_no_bit(mask):
    capture = sensors.make("two-bucket", codes.make(mask)).capture(film(shape=(T, 150, W)), seed=0) if mask == TILE else (
        sensors.make("two-bucket", codes.make(mask)).capture(film(), seed=0))  # fmt: skip
    made, results = method(mixture()), []
    for count in (1, 3):
        with threads(count):
            results.append(made.reconstruct(capture))
    assert np.array_equal(*results)


def test_shorter_exposures_take_the_exact_marginal():
    prior = mixture()
    short = prior.marginal(3)
    assert np.allclose(short.covariance(1), prior.covariance(1)[: 3 * 48, : 3 * 48])
    capture = sensors.make("coded-pixel", codes.make("bernoulli:frames=3,tile=2")).capture(film(shape=(3, H, W)), seed=0)
    assert np.array_equal(method(prior).reconstruct(capture), method(short).reconstruct(capture))


def test_what_cannot_be_served_is_refused_in_one_line(tmp_path):
    longer = sensors.make("coded-pixel", codes.make("bernoulli:frames=6,tile=2"))
    assert "c2b train gmm" in (line := method(mixture()).refusal(longer)) and "\n" not in line
    served = sensors.make("coded-pixel", codes.make(TILE))
    assert "no weights at" in GaussianMixtureMMSE(weights=str(tmp_path / "none.safetensors")).refusal(served)
    assert "stride=7" in method(mixture(), stride=7).refusal(served)
    with pytest.raises(Refusal, match="smaller than the patches"):
        method(mixture()).reconstruct(served.capture(film(shape=(T, 7, 30)), seed=0))
    for settings in ({"buckets": "none"}, {"stride": 0}, {"prune": 1}, {"noise": 0}):
        with pytest.raises(Refusal, match=next(iter(settings))):
            GaussianMixtureMMSE(**settings)


def test_densities_are_those_of_scipy():
    prior = mixture(patch=(2, 3, 4), rank=5)
    patches = prior.sample(np.random.default_rng(0), 6)
    expected = [np.log(w) + multivariate_normal(m, prior.covariance(k)).logpdf(patches)
                for k, (w, m) in enumerate(zip(prior.weights, prior.means, strict=True))]  # fmt: skip
    assert np.allclose(prior.log_joint(patches), np.stack(expected, 1))
    assert np.allclose(prior.log_likelihood(patches), np.logaddexp.reduce(expected, 0))


def test_samples_have_the_moments_of_the_mixture():
    prior = mixture(3, (2, 3, 4), rank=4)
    drawn = prior.sample(np.random.default_rng(0), 40_000)
    mean = prior.weights @ prior.means
    second = sum(
        w * (prior.covariance(k) + np.outer(m, m)) for k, (w, m) in enumerate(zip(prior.weights, prior.means, strict=True))
    )
    assert np.allclose(drawn.mean(0), mean, atol=5e-3) and np.allclose(drawn.T @ drawn / len(drawn), second, atol=1e-2)


def test_a_prior_is_written_and_read(tmp_path):
    prior, path = mixture(), tmp_path / "prior.safetensors"
    method(prior).save(path, {"seed": 3})
    read = GaussianMixtureMMSE(weights=str(path))
    capture = sensors.make("two-bucket", codes.make(TILE)).capture(film(), seed=0)
    expected = method(prior).reconstruct(capture)
    assert np.abs(read.reconstruct(capture) - expected).max() < 1e-3  # half precision of the factors
    assert np.array_equal(read.reconstruct(capture), GaussianMixtureMMSE().load(path).reconstruct(capture))
    path.write_bytes(path.read_bytes()[:-7])
    assert "damaged" in GaussianMixtureMMSE(weights=str(path)).refusal(capture.sensor)


def test_a_mixture_whose_parts_do_not_agree_is_refused():
    prior = mixture()
    for change in ({"means": prior.means[:2]}, {"patch": (T, 8, 7)}, {"floor": 0 * prior.floor}):
        with pytest.raises(Refusal):
            replace(prior, **change)


@pytest.mark.parametrize(("scene", "at_least"), [("runner40", 31.5), ("crash32", 26.6)])
def test_the_shipped_prior_solves_the_snapshot_benchmark(scene, at_least):
    """First measurement of eight frames under a full random mask; total variation gives 26.6, 30.1 and 24.6 dB."""
    from scipy.io import loadmat

    file = loadmat(data(f"sci/{scene}_cacti.mat"))
    mask, truth = (np.ascontiguousarray(np.moveaxis(file[key], 2, 0)) for key in ("mask", "orig"))
    capture = sensors.make("coded-pixel", mask).capture(truth[:8], seed=0)
    frames = GaussianMixtureMMSE(stride=4).reconstruct(capture)[0]
    assert psnr(frames.clip(0, 1), truth[:8].astype(np.float32) / 255, data_range=1) > at_least
