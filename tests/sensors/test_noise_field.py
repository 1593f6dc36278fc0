"""Shot noise is Poisson to the last count, normal noise normal to its tails, and both are functions of key and chip address."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from sensors import kernel, noise_field
from sensors.fixed_pattern import dsnu_map, prnu_map
from sensors.noise_field import normal, poisson, stream_key
from sensors.refusal import Refusal

SHAPE = (300, 517)
FALSE_ALARM = 1e-5  # of each test of significance; seeds are fixed, so that a pass stays a pass


def flat(mean: float, *words: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    return poisson(np.full(shape, mean, np.float32), stream_key(*words)).astype(np.float64)


def chi_square_of_counts(counts: np.ndarray, mean: float) -> float:
    """p-value of counts against the Poisson law, in bins of at least 20 expected."""
    edges = np.unique(stats.poisson.ppf(np.linspace(0, 1, 200)[1:-1], mean))
    if mean < 50:
        edges = np.concatenate([np.arange(0, max(edges[0], 1)), edges, np.arange(edges[-1] + 1, edges[-1] + 40)])
    expected = np.diff(stats.poisson.cdf(edges, mean), prepend=0, append=1) * counts.size
    found = np.bincount(np.searchsorted(edges, counts.ravel(), side="left"), minlength=len(expected))
    enough = expected >= 20
    found, expected = np.append(found[enough], found[~enough].sum()), np.append(expected[enough], expected[~enough].sum())
    if expected[-1] < 20:
        found, expected = np.append(found[:-2], found[-2:].sum()), np.append(expected[:-2], expected[-2:].sum())
    return stats.chi2.sf(((found - expected) ** 2 / expected).sum(), len(expected) - 1)


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), 0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((2**32 - 1,) * 4, 2**64 - 1, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), 0x299F31D0A4093822, "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_gives_the_known_answers_of_its_authors(counter: tuple[int, ...], key: int, words: str) -> None:
    found = noise_field._philox(*map(np.uint64, counter), np.uint64(key))
    assert " ".join(f"{int(word):08x}" for word in found) == words


@pytest.mark.parametrize("seed", [0, 1, 2**40 + 7])
@pytest.mark.parametrize("mean", [0.05, 0.3, 1, 3, 9.9, 11.999, 12, 12.5, 17, 30, 100, 1000, 3000, 2e4, 1e5])
def test_counts_follow_the_poisson_law(mean: float, seed: int) -> None:
    mean = float(np.float32(mean))
    counts = flat(mean, seed, int(1000 * mean))
    assert (counts == np.rint(counts)).all() and counts.min() >= 0
    z_mean = (counts.mean() - mean) / np.sqrt(mean / counts.size)
    z_variance = (counts.var() - mean) / np.sqrt((mean + 2 * mean**2) / counts.size)
    assert 2 * stats.norm.sf(abs(z_mean)) > FALSE_ALARM
    assert 2 * stats.norm.sf(abs(z_variance)) > FALSE_ALARM
    assert chi_square_of_counts(counts, mean) > FALSE_ALARM
    grid = np.unique(stats.poisson.ppf(np.linspace(0.001, 0.999, 400), mean))
    below = np.searchsorted(np.sort(counts.ravel()), grid, side="right") / counts.size
    distance = np.abs(below - stats.poisson.cdf(grid, mean)).max()
    assert stats.kstwobign.sf(distance * np.sqrt(counts.size)) > FALSE_ALARM


def test_the_test_of_the_law_has_power() -> None:
    """A normal approximation with the right mean and variance, the usual short cut, is found out at a mean of 30."""
    wrong = np.rint(30 + np.sqrt(30) * normal(SHAPE, stream_key(4)))
    assert chi_square_of_counts(np.maximum(wrong, 0), 30) < FALSE_ALARM


@pytest.mark.parametrize("mean", [1e6 + 0.5, 1e7])
def test_very_large_means_keep_mean_variance_and_symmetry(mean: float) -> None:
    z = (flat(mean, 5) - mean) / np.sqrt(mean)
    n = z.size
    assert abs(z.mean()) < 5 / np.sqrt(n) and abs(z.var() - 1) < 5 * np.sqrt(2 / n)
    assert abs(stats.skew(z.ravel())) < 5 * np.sqrt(6 / n) and abs(stats.kurtosis(z.ravel())) < 5 * np.sqrt(24 / n)


@pytest.mark.parametrize("mean", [0.01, 0.7, 5, 11.9])
def test_small_means_keep_their_tail(mean: float) -> None:
    """Far beyond what 24 bits of a uniform could tell apart: the quantile at survivals from 1e-3 to 1e-12."""
    mean = np.float32(mean)
    for survival in np.geomspace(1e-12, 9e-4, 60):
        high, low = divmod(2**64 - round(survival * 2**64), 2**32)
        words = np.array([high, low], np.uint32).view(np.int32)
        assert noise_field._invert_tail(mean, *words) == stats.poisson.isf(survival, np.float64(mean))


def test_lock_step_inversion_reaches_the_tail() -> None:
    """Every mean below 12: the terms summed in single precision go on to where the double precision takes over."""
    means = np.linspace(0, 12, 500)
    terms = np.array([noise_field._terms(np.float32(mean)) for mean in means])
    assert (stats.poisson.cdf(terms - 1, means) > noise_field._TAIL).all()


def test_no_light_gives_no_electrons_and_nonsense_counts_as_no_light() -> None:
    mean = np.array([[0, -0.0, -3, np.nan, -np.inf], [5, 20, 0, 1e30, np.inf]], np.float32)
    counts = poisson(mean, stream_key(0))
    assert (counts[0] == 0).all() and counts[1, 2] == 0
    assert np.isfinite(counts).all() and (np.abs(counts[1, 3:] / 2.0**30 - 1) < 1e-3).all()


@pytest.mark.parametrize("origin", [(0, 0), (3, 5), (7, 255), (64, 256), (100, 400)])
def test_a_crop_sees_the_noise_of_the_chip(origin: tuple[int, int]) -> None:
    mean = (300 * np.random.default_rng(0).random((120, 700)) ** 4).astype(np.float32)
    row, column = origin
    crop = np.s_[row : row + 17, column : column + 91]
    assert np.array_equal(poisson(mean[crop], stream_key(1), origin), poisson(mean, stream_key(1))[crop])
    assert np.array_equal(normal((17, 91), stream_key(1), origin), normal(mean.shape, stream_key(1))[crop])
    assert np.array_equal(prnu_map(0.1, 3, 1, (17, 91), origin), prnu_map(0.1, 3, 1, mean.shape)[crop])


@pytest.mark.parametrize("count", [2, 3, 7])
def test_the_number_of_threads_does_not_change_a_bit(count: int) -> None:
    mean = (300 * np.random.default_rng(0).random(SHAPE) ** 4).astype(np.float32)
    with kernel.threads(1):
        alone = poisson(mean, stream_key(1)), normal((700, 517), stream_key(1))
    with kernel.threads(count):
        together = poisson(mean, stream_key(1)), normal((700, 517), stream_key(1))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_electrons_may_overwrite_their_mean() -> None:
    mean = (30 * np.random.default_rng(0).random((9, 40))).astype(np.float32)
    expected = poisson(mean, stream_key(1))
    assert poisson(mean, stream_key(1), out=mean) is mean and np.array_equal(mean, expected)


@pytest.mark.parametrize("field", [lambda key: normal(SHAPE, key), lambda key: poisson(np.full(SHAPE, 40, np.float32), key)])
def test_neighbours_and_neighbouring_keys_are_independent(field: Callable[[np.uint64], np.ndarray]) -> None:
    noise, others = field(stream_key(1, 0)), [field(stream_key(1, 1)), field(stream_key(0, 1)), field(stream_key(2, 0))]
    shifted = [(noise[:, step:], noise[:, :-step]) for step in (1, 64, 256)] + [(noise[1:], noise[:-1])]
    for a, b in shifted + [(noise, other) for other in others]:
        for f in (lambda x: x, np.abs, np.square):
            correlation = np.corrcoef(f(a - a.mean()).ravel(), f(b - b.mean()).ravel())[0, 1]
            assert abs(correlation) < 5 / np.sqrt(a.size)


def test_shot_and_normal_noise_of_one_key_are_independent() -> None:
    shot, other = flat(40, 1) - 40, normal(SHAPE, stream_key(1))
    assert abs(np.corrcoef(shot.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(shot.size)
    assert abs(np.corrcoef(shot.ravel() ** 2, other.ravel() ** 2)[0, 1]) < 5 / np.sqrt(shot.size)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_normal_field_is_normal(seed: int) -> None:
    z = normal((1000, 1013), stream_key(seed)).astype(np.float64).ravel()
    n = z.size
    assert stats.kstest(z, "norm").pvalue > FALSE_ALARM
    for power, moment, spread in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170)):
        assert abs((z**power).mean() - moment) < 5 * np.sqrt(spread / n)
    for sigmas in (3, 4, 4.5):
        expected = n * 2 * stats.norm.sf(sigmas)
        assert abs((np.abs(z) > sigmas).sum() - expected) < 5 * np.sqrt(expected)


def test_the_normal_quantile_is_right_far_into_the_tail() -> None:
    tail = np.geomspace(2.0**-33, 0.4999, 400).astype(np.float32)
    x = 1 - 2 * tail
    log = [noise_field._log(each) for each in np.float32(4) * tail * (1 - tail)]
    z = np.array([np.sqrt(2) * noise_field._erfinv_ratio(-each) for each in log]) * x
    exact = stats.norm.isf(tail.astype(np.float64))
    assert np.abs(z - exact)[exact < 5.4].max() < 1e-5
    assert np.abs(z - exact).max() < 3e-3


def test_keys_differ_and_are_well_mixed() -> None:
    keys = {int(stream_key(seed, exposure, lane)) for seed in range(30) for exposure in range(30) for lane in range(4)}
    keys |= {int(stream_key(2**64 * k)) for k in range(1, 50)} | {int(stream_key(*(0,) * n)) for n in range(4, 50)}
    assert len(keys) == 30 * 30 * 4 + 49 + 46
    bits = np.array([[int(stream_key(7, n)) >> b & 1 for b in range(64)] for n in range(2000)])
    assert np.abs(bits.mean(0) - 0.5).max() < 5 * 0.5 / np.sqrt(2000)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(Refusal, match="from 0 on, not -1"):
        stream_key(3, -1)


def test_fixed_pattern_has_its_mean_and_spread_and_belongs_to_the_specimen() -> None:
    gain, offset = prnu_map(0.02, 5, 0, SHAPE), dsnu_map(3.0, 5, 0, SHAPE)
    n = gain.size
    assert abs(gain.mean() - 1) < 5 * 0.02 / np.sqrt(n) and abs(gain.std() / 0.02 - 1) < 5 / np.sqrt(2 * n)
    assert abs(offset.mean()) < 5 * 3 / np.sqrt(n) and abs(offset.std() / 3 - 1) < 5 / np.sqrt(2 * n)
    others = [prnu_map(0.02, 6, 0, SHAPE), prnu_map(0.02, 5, 1, SHAPE), prnu_map(0.02, 5, 0, SHAPE, lane=1), offset]
    assert all(abs(np.corrcoef(gain.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(n) for other in others)
    assert prnu_map(2.0, 5, 0, SHAPE).min() == 0
    assert not gain.flags.writeable and not offset.flags.writeable
