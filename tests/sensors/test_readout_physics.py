"""Readout beyond EMVA 1288: each effect has its signature, is nothing where it is switched off, and is undone where it can be."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy import stats

import sensors
from sensors import kernel
from sensors.companding import compression_table, expansion_table, step_table
from sensors.fixed_pattern import hot_pixel_map
from sensors.noise_field import normal, stream_key, tukey_deviation, tukey_lambda
from sensors.readout import Readout
from sensors.refusal import Refusal

SHAPE = (240, 331)
N = SHAPE[0] * SHAPE[1]
QUIET = Readout(white=100)
ALL = Readout(
    white=100,
    full_well=8400,
    read_noise=(12, 9),
    gain=0.48,
    black_level=64,
    bits=12,
    prnu=0.01,
    dsnu=2,
    dark_current=20,
    row_noise=(3, 4),
    tukey_lambda=-0.1,
    hot_pixels=0.01,
    hot_current=900,
    nonlinearity=0.1,
    companded_bits=10,
)


def flat(readout: Readout, *levels: float, shape: tuple[int, int] = SHAPE, **where: float) -> np.ndarray:
    """A flat of each bucket at its own level, in electrons, as float64."""
    charge = np.stack([np.full(shape, level / readout.white, np.float32) for level in levels])
    return readout.read_out(charge, seed=int(where.pop("seed", 1)), **where).astype(np.float64)


# Row noise -------------------------------------------------------------------------------------------------------------------


def test_row_noise_is_the_variance_of_row_means() -> None:
    image = flat(replace(QUIET, read_noise=5, row_noise=(4, 0)), 0, 0, shape=(1500, 200))
    means = image.mean(2)
    assert means[0].var() == pytest.approx(16 + 25 / 200, rel=4 * np.sqrt(2 / 1500))
    assert means[1].var() == pytest.approx(25 / 200, rel=4 * np.sqrt(2 / 1500))
    within = image - means[:, :, None]
    assert within.var() * 200 / 199 == pytest.approx(25, rel=4 * np.sqrt(2 / image.size))
    assert image.mean((0, 1)).var() < 2 * 25 / 3000  # columns know nothing of it


def test_row_noise_is_new_in_each_exposure_and_bucket() -> None:
    readout = replace(QUIET, row_noise=4)
    first, second = (flat(readout, 0, 0, number=n)[:, :, 0] for n in (0, 1))
    for other in (first[1], second[0]):
        assert abs(np.corrcoef(first[0], other)[0, 1]) < 4 / np.sqrt(SHAPE[0])


# Tukey's lambda ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [-0.3, -0.1768, -1e-6, 0.0, 1e-3, 0.14, 0.5, 1.0, 2.0])
def test_tukey_quantiles_are_those_of_the_distribution(exponent: float) -> None:
    """The same random bits by the normal and by Tukey's quantile function are the same probabilities."""
    key = stream_key(7)
    probability = stats.norm.cdf(normal((60, 401), key).astype(np.float64))
    expected = stats.tukeylambda.ppf(probability, exponent) / tukey_deviation(exponent)
    inner = (probability > 1e-5) & (probability < 1 - 1e-5)
    assert tukey_lambda((60, 401), exponent, key)[inner] == pytest.approx(expected[inner], rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("exponent", [-0.25, -0.05, 0.0, 0.14, 0.7, 2.0])
def test_the_deviation_is_that_of_the_distribution(exponent: float) -> None:
    assert tukey_deviation(exponent) == pytest.approx(stats.tukeylambda.std(exponent), rel=1e-6)


@pytest.mark.parametrize(
    ("exponent", "least", "most"), [(-0.1, 2.5, 9.0), (0.0, 1.1, 1.3), (0.1349, -0.1, 0.1), (1.0, -1.21, -1.19)]
)
def test_tails_are_the_heavier_the_smaller_lambda_and_read_noise_stays_the_rms(
    exponent: float, least: float, most: float
) -> None:
    """Excess kurtosis: 1.2 of the logistic distribution at 0, none near 0.135, -1.2 of the uniform one at 1."""
    noise = flat(replace(QUIET, read_noise=8, tukey_lambda=exponent), 0, 0, shape=(500, 601))
    assert noise.std() == pytest.approx(8, rel=0.006)
    assert noise.mean() == pytest.approx(0, abs=4 * 8 / np.sqrt(noise.size))
    assert least < stats.kurtosis(noise, None) < most


# Hot pixels --------------------------------------------------------------------------------------------------------------------


def test_hot_pixels_belong_to_the_serial_number() -> None:
    readout = replace(QUIET, hot_pixels=0.02, hot_current=800, serial=5)
    hot = [flat(readout, 0, 0, duration=0.5, number=n, seed=n) > 200 for n in (0, 1)]
    assert np.array_equal(*hot)
    for bucket in (0, 1):
        assert np.array_equal(hot[0][bucket], hot_pixel_map(0.02, 5, bucket, SHAPE))
        assert hot[0][bucket].mean() == pytest.approx(0.02, abs=4 * np.sqrt(0.02 / N))
    other = flat(replace(readout, serial=6), 0, 0, duration=0.5) > 200
    assert (hot[0] & other).mean() < 0.002  # no more than by chance


def test_hot_pixels_gather_their_current_and_the_others_none() -> None:
    readout = replace(QUIET, hot_pixels=0.05, hot_current=800)
    image, hot = flat(readout, 0, duration=0.25)[0], hot_pixel_map(0.05, 0, 0, SHAPE)
    assert image[hot].mean() == pytest.approx(200, abs=4 * np.sqrt(200 / hot.sum()))
    assert image[hot].var() == pytest.approx(200, rel=4 * np.sqrt(2 / hot.sum()))  # it is shot noise of its own
    assert not image[~hot].any()


def test_more_hot_pixels_are_more_of_the_same() -> None:
    few, many = (hot_pixel_map(fraction, 3, 0, SHAPE) for fraction in (0.001, 0.01))
    assert few.any() and (many | ~few).all() and many.sum() > few.sum()


# Response and companding ---------------------------------------------------------------------------------------------------------


def test_a_full_bucket_has_lost_what_nonlinearity_says() -> None:
    readout = Readout(white=100, full_well=10_000, nonlinearity=0.1)
    assert flat(readout, 50_000).mean() == pytest.approx(9000)
    assert flat(readout, 5000).mean() == pytest.approx(5000 - 0.1 * (5000**2 + 5000) / 10_000, abs=4 * np.sqrt(5000 / N))
    assert flat(readout, 20).mean() == pytest.approx(20, abs=4 * np.sqrt(20 / N) + 0.01)


@pytest.mark.parametrize("level", [300, 4000, 7500])
def test_charge_undoes_response_and_companding_and_variance_is_that_of_charge(level: float) -> None:
    readout = replace(ALL, prnu=0, dsnu=0, hot_pixels=0, row_noise=0, nonlinearity=0.2)
    image = readout.read_out(np.full((2, *SHAPE), level / 100, np.float32), seed=2, duration=0.1)
    assert image.dtype == np.uint16 and image.max() < 1024
    charge, variance = (f(image, duration=0.1).astype(np.float64) for f in (readout.charge, readout.variance))
    for bucket in (0, 1):
        spread = np.sqrt(variance[bucket].mean() / N)
        bias = 0.2 / 8400 / (1 - 0.4 * level / 8400) * (level + 144) / 100  # of a curved inverse, second order
        assert charge[bucket].mean() == pytest.approx(level / 100, abs=4 * spread + bias)
        assert charge[bucket].var() == pytest.approx(variance[bucket].mean(), rel=0.03)


@pytest.mark.parametrize(("bits", "stored"), [(12, 10), (12, 8), (14, 10), (16, 12), (8, 5)])
def test_companding_goes_there_and_back(bits: int, stored: int) -> None:
    compress, expand, step = compression_table(bits, stored), expansion_table(bits, stored), step_table(bits, stored)
    assert compress[0] == 0 and compress[-1] == 2**stored - 1 and set(compress) == set(range(2**stored))
    assert (np.abs(expand[compress] - np.arange(2**bits)) <= (step[compress] - 1) / 2).all()
    assert np.array_equal(compress[np.rint(expand - 1e-3).astype(int)], np.arange(2**stored))
    assert step.sum() == 2**bits and step[0] == 1


def test_companding_ten_bits_loses_nothing_in_the_dark_and_stays_below_shot_noise_above() -> None:
    """With a full well of 8,400 e- behind 12 bits, the variance of the steps is a small part of that of the light."""
    expand, step = expansion_table(12, 10), step_table(12, 10)
    assert (step[:10] == 1).all()
    electrons = np.maximum(expand - 64, 0) / 0.48
    assert (step**2 / 12 / 0.48**2 < 0.05 * (electrons + 144)).all()


def test_what_is_companded_is_what_was_converted() -> None:
    plain, stored = (replace(ALL, companded_bits=bits).read_out(light(), seed=4, duration=1) for bits in (None, 10))
    assert plain.max() > 2000 and np.array_equal(compression_table(12, 10)[plain], stored)


def test_a_companded_sample_at_the_end_of_its_codes_carries_no_weight() -> None:
    readout = replace(ALL, full_well=20_000)
    image = np.array([[[1023, 1022, 500]], [[0, 1023, 900]]], np.uint16)
    variance = readout.variance(image, duration=1)
    assert np.array_equal(np.isinf(variance), image == 1023)


def test_a_mean_of_companded_images_is_expanded_between_its_codes() -> None:
    readout = Readout(white=100, bits=12, companded_bits=10)
    stored = np.array([[[900, 901]]], np.uint16)
    low, high = readout.charge(stored)[0, 0]
    assert readout.charge(np.array([[[900.5]]]))[0, 0, 0] == pytest.approx((low + high) / 2)


# All together --------------------------------------------------------------------------------------------------------------------


def light() -> np.ndarray:
    return (60 * np.random.default_rng(0).random((2, 120, 401)) ** 2).astype(np.float32)


@pytest.mark.parametrize("bits", [12, None])
def test_crops_and_threads_do_not_change_a_bit(bits: int | None) -> None:
    readout = ALL if bits else replace(ALL, bits=None, companded_bits=None)
    settings = {"seed": 3, "number": 5, "lane": 1, "duration": 0.5}
    with kernel.threads(1):
        whole = readout.read_out(light(), **settings)
    with kernel.threads(3):
        assert np.array_equal(whole, readout.read_out(light(), **settings))
    crop = np.s_[:, 31:77, 100:391]
    assert np.array_equal(whole[crop], readout.read_out(light()[crop], origin=(31, 100), **settings))


def test_what_is_switched_off_leaves_every_bit_as_it_was() -> None:
    """The numbers of the first version, for settings that it knew."""
    readout = Readout(
        white=100, full_well=3000, read_noise=12, gain=0.48, black_level=64, bits=12, prnu=0.02, dsnu=3, dark_current=4
    )
    image = readout.read_out(light()[:, :4, :5], seed=3, number=2, origin=(3, 5), duration=0.5)
    assert image[:, 1].tolist() == [[1509, 99, 69, 386, 1502], [1509, 114, 89, 1345, 230]]


def test_readouts_compare_hash_and_travel_as_json() -> None:
    assert replace(ALL, row_noise=[3, 4]) == ALL and hash(replace(ALL, tukey_lambda=np.float64(-0.1))) == hash(ALL)
    written = json.loads(json.dumps(asdict(ALL)))
    assert Readout(**{key: tuple(value) if isinstance(value, list) else value for key, value in written.items()}) == ALL


def test_a_description_without_the_newer_settings_is_read() -> None:
    sensor = sensors.make("cep-2019", np.ones((1, 1, 1)))
    document, arrays = sensor.description()
    newer = ("row_noise", "tukey_lambda", "hot_pixels", "hot_current", "nonlinearity", "companded_bits")
    document["readout"] = {key: value for key, value in document["readout"].items() if key not in newer}
    assert sensors.from_description(document, arrays).digest == sensor.digest


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"row_noise": -1}, "row_noise .* from 0 on"),
        ({"row_noise": (1, np.nan)}, "row_noise .* from 0 on"),
        ({"tukey_lambda": -0.4}, "tukey_lambda is a number from -0.3 to 2"),
        ({"tukey_lambda": "heavy"}, "tukey_lambda is a number from -0.3 to 2"),
        ({"hot_pixels": 1}, "0 <= hot_pixels < 1"),
        ({"hot_current": -3}, "hot_current .* from 0 on"),
        ({"nonlinearity": 0.5, "full_well": 100}, "0 <= nonlinearity < 0.5"),
        ({"nonlinearity": 0.1}, "give full_well"),
        ({"companded_bits": 8}, "companded_bits is a whole number below bits=None"),
        ({"companded_bits": 12, "bits": 12}, "companded_bits is a whole number below bits=12"),
        ({"companded_bits": 9.5, "bits": 12}, "companded_bits is a whole number"),
        ({"white": None, "row_noise": 1}, "row_noise needs white"),
        ({"white": None, "tukey_lambda": 0.1}, "tukey_lambda needs white"),
    ],
)
def test_a_number_out_of_range_is_refused(settings: dict, reason: str) -> None:
    with pytest.raises(Refusal, match=reason) as refusal:
        Readout(**{"white": 100, **settings})
    assert "\n" not in str(refusal.value)


def test_hot_pixels_need_time() -> None:
    with pytest.raises(Refusal, match="timing"):
        flat(replace(QUIET, hot_pixels=0.1, hot_current=5), 0)
