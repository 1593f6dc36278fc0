"""Criteria of sensors: published numbers, closed forms, and the error of what is estimated from noise that is really drawn."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

import sensors
from c2b import codes
from c2b.criteria import CRITERIA, collected, make, mixture_error, moving_texture
from c2b.criteria.judged import cameras, judge, number, tables
from c2b.criteria.patch_posterior import observed, patches
from c2b.criteria.temporal_transfer import FREQUENCIES, transfer
from c2b.plots.criteria_picture import criteria_figure
from recon.gaussian_mixture import GaussianMixture
from sensors import spec
from sensors.refusal import Refusal


def camera(kind, code, readout=""):
    settings = {"readout": spec.make(sensors.READOUTS, "readout", f"electrons:{readout}")} if readout else {}
    return sensors.make(kind, codes.make(code) if isinstance(code, str) else code, **settings)


def value(name, *words):
    return make([name])[name](camera(*words))


# Published numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("electrons", "one", "two"), [(1, 6.0, 9.0), (10, 4.2, 7.2), (100, -0.2, 2.8), (1000, -2.4, 0.6)], ids="J={}".format
)
def test_multiplexing_gains_until_shot_noise_takes_over(electrons, one, two):
    """Ratner and Schechner: S-matrix of 15 with one bucket, Hadamard of 16 with two, 10 e- of read noise."""
    noise = f"white={electrons},read_noise=10"
    assert value("snr-gain:level=1", "coded-pixel", "s-matrix:order=15", noise) == pytest.approx(one, abs=0.06)
    assert value("snr-gain:level=1", "two-bucket", "hadamard:order=16", noise) == pytest.approx(two, abs=0.16)


@pytest.mark.parametrize(
    ("code", "minimum", "gain", "joint_minimum", "joint_gain"),
    [("flutter", 1.32, 0.332, 1.77, 0.235), ("long:frames=52", 0.0, 1.608, 0.0, 1.608)],
)
def test_the_raskar_code_is_flat_and_a_second_bucket_makes_it_flatter(code, minimum, gain, joint_minimum, joint_gain):
    assert value("flutter-minimum", "coded-pixel", code) == pytest.approx(minimum, abs=0.005)
    assert value("flutter-gain", "coded-pixel", code) == pytest.approx(gain, abs=6e-4)
    assert value("flutter-minimum", "two-bucket", code) == pytest.approx(joint_minimum, abs=0.005)
    assert value("flutter-gain", "two-bucket", code) == pytest.approx(joint_gain, abs=6e-4)


def test_under_moving_texture_one_bump_beats_random_pixels_and_these_the_impulse():
    names = ["bump:frames=16,tile=8,length=4", "bernoulli:frames=16,tile=8,probability=0.2", "impulse:tile=4", "long:frames=16"]
    found = [
        [value("moving-texture", kind, name, "white=255,read_noise=12") for kind in ("coded-pixel", "two-bucket")]
        for name in names
    ]
    assert all(better[0] > worse[0] for better, worse in pairwise(found))
    assert all(0.8 < two - one < 2.4 for one, two in found[:3]) and found[3][0] == pytest.approx(found[3][1])


# Closed forms ---------------------------------------------------------------------------------------------------------------


def test_the_bound_of_one_frame_at_a_time_is_the_noise_of_a_sample():
    found = value("cramer-rao:level=0.3", "coded-pixel", "impulse:tile=[2,3]", "white=50,read_noise=4,prnu=0.1")
    assert found**2 == pytest.approx((50 * 0.3 + 16) / 50**2 + (0.1 * 0.3) ** 2, rel=1e-6)
    assert value("snr-gain", "coded-pixel", "impulse:tile=[2,3]", "white=50,read_noise=4") == pytest.approx(0, abs=1e-9)


def test_weighted_least_squares_reaches_the_bound():
    sensor = camera("two-bucket:leakage=0.03", "hadamard:order=8", "white=80,read_noise=6")
    tile = collected.tile_of(sensor)
    A, level = collected.rows_of(tile), 0.5
    images = np.stack([sensor.take(np.full((8, *tile.shape[2:]), level), seed=seed) for seed in range(3000)])
    charge = np.stack([sensor.readout.charge(image) for image in images]).reshape(3000, -1)
    weights = 1 / collected.even_variance(sensor, tile, level)
    solved = charge @ np.linalg.solve((A.T * weights) @ A, A.T * weights).T
    assert np.sqrt(np.square(solved - level).mean()) == pytest.approx(make(["cramer-rao"])["cramer-rao"](sensor), rel=0.02)


@pytest.mark.parametrize("frames", [5, 12])
def test_without_noise_a_long_exposure_passes_the_mean_and_an_impulse_everything(frames):
    sensor = camera("conventional", f"long:frames={frames}")
    found = transfer(sensor, collected.tile_of(sensor), 0.5, 0.2)
    mean = np.abs(np.exp(2j * np.pi * FREQUENCIES[:, None] * np.arange(frames)).mean(1)) ** 2
    assert found == pytest.approx(mean, abs=1e-6)
    assert value("shortest-period", "two-bucket", "impulse:tile=[2,3]") == 2
    assert value("fastest-motion", "two-bucket", "impulse:tile=[2,3]") == 3  # half a period of six pixels in a sub-exposure
    assert value("shortest-period", "coded-pixel", "impulse:tile=[2,3]", "white=1,read_noise=100") == math.inf


def test_a_still_frame_is_incoherent_with_cosines_and_an_impulse_cannot_tell_aliases():
    assert value("coherence", "coded-pixel", np.ones((1, 3, 4))) == pytest.approx(0, abs=1e-12)
    assert value("coherence", "coded-pixel", "impulse:tile=[2,3]") == pytest.approx(1)


def test_the_complement_of_an_impulse_is_full_first():
    """It gets 8 of 9 sub-exposures."""
    noise = "white=100,full_well=4000,read_noise=5"
    assert value("saturation", "coded-pixel", "impulse:tile=3", noise) == pytest.approx(40)
    assert value("saturation", "two-bucket", "impulse:tile=3", noise) == pytest.approx(40 / 8)
    assert value("saturation", "two-bucket", "impulse:tile=3", noise + ",bits=10,black_level=23") == pytest.approx(1000 / 800)
    assert value("dynamic-range", "coded-pixel", "impulse:tile=3", noise) == pytest.approx(20 * math.log10(40 * 100 / 5))
    assert value("dynamic-range", "conventional", "long:frames=4", noise) == pytest.approx(20 * math.log10(10 * 400 / 5))


def test_light_is_what_all_buckets_collect():
    assert value("light", "coded-pixel", "bump:frames=8,tile=[3,4],length=2") == pytest.approx(1 / 4)
    assert value("light", "two-bucket", "bump:frames=8,tile=[3,4],length=2") == pytest.approx(1)


def test_the_rate_of_a_code_is_a_bit_for_each_pixel_and_sub_exposure():
    sensor = sensors.make("coded-pixel", codes.make("impulse"), timing=sensors.timing.Timing(sub_exposure=40e-6))
    assert make(["code-rate"])["code-rate"](sensor) == pytest.approx(25)  # 25,000 codes a second of a million bits


# Priors ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("frames", "length", "speed"), [(3, 2.0, 0.0), (4, 3.0, 1.5)])
def test_moving_texture_is_a_covariance(frames, length, speed):
    C = moving_texture.covariance(frames, length, speed)
    assert np.allclose(C, C.T) and np.allclose(C.diagonal(), 1) and np.linalg.eigvalsh(C)[0] > -1e-9
    apart = C.reshape(frames, 64, frames, 64)[0, 0, :, 0]
    assert apart == pytest.approx(np.ones(frames)) if speed == 0 else (np.diff(apart) < 0).all()


def test_the_error_of_moving_texture_is_that_of_estimates_of_it():
    sensor = camera("two-bucket", "bernoulli:frames=3,tile=[2,3],seed=1", "white=200,read_noise=8")
    criterion, rng = make(["moving-texture:speed=2"])["moving-texture:speed=2"], np.random.default_rng(1)
    C = criterion.contrast**2 * moving_texture.covariance(3, 4.0, 2.0)
    errors = []
    for patch in patches(collected.tile_of(sensor), (8, 8)):
        A = observed(patch, np.eye(len(C))).T
        noise = collected.even_variance(sensor, patch, 0.5)
        truth = rng.multivariate_normal(
            np.zeros(len(C)), C, 300, method="cholesky" if np.linalg.eigvalsh(C)[0] > 1e-9 else "eigh"
        )
        y = truth @ A.T + np.sqrt(noise) * rng.standard_normal((300, len(A)))
        errors.append(np.square(truth - y @ np.linalg.solve(A @ C @ A.T + np.diag(noise), A @ C)).mean())
    assert criterion(sensor) == pytest.approx(-10 * math.log10(np.mean(errors)), abs=0.1)


@pytest.fixture
def prior(tmp_path):
    """Three components over patches of 4 x 4 x 5."""
    rng = np.random.default_rng(2)
    means, factors = rng.uniform(0.2, 0.7, (3, 80)), 0.1 * rng.standard_normal((3, 80, 6))
    GaussianMixture(np.array([0.5, 0.3, 0.2]), means, factors, np.full(3, 1e-3), (4, 4, 5)).save(
        path := tmp_path / "p.safetensors", {}
    )
    return path


def test_no_estimate_exceeds_the_bound_of_a_mixture_and_components_that_are_far_apart_come_close(prior):
    sensor = camera("two-bucket", "bernoulli:frames=3,tile=[2,3],seed=1", "white=400,read_noise=3")
    bound, reached = (
        make([f"{name}:weights={prior}"])[f"{name}:weights={prior}"](sensor) for name in ("mixture-bound", "mixture-error")
    )
    assert -0.15 < bound - reached < 0.6


def test_a_mixture_is_judged_as_dense_algebra_does(prior):
    sensor, mixture = (
        camera("coded-pixel", "bernoulli:frames=4,tile=[2,3],seed=1", "white=400,read_noise=3"),
        GaussianMixture.load(prior),
    )
    patch = next(patches(collected.tile_of(sensor), (4, 5)))
    A = observed(patch, np.eye(80)).T
    errors = []
    for k in range(3):
        C = mixture.covariance(k)
        noise = collected.variance(sensor, (A @ mixture.means[k]).reshape(1, -1)).reshape(-1)
        errors.append(np.trace(C - C @ A.T @ np.linalg.solve(A @ C @ A.T + np.diag(noise), A @ C)) / 80)
    found = mixture_error.MixtureBound().error(sensor, patch, mixture)
    assert found == pytest.approx(float(mixture.weights @ errors), rel=1e-4)


# All of them ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CRITERIA)
@pytest.mark.parametrize("kind", sensors.SENSORS)
def test_every_criterion_gives_a_number_of_every_sensor_or_none(kind, name, tmp_path):
    made = make([name])[name]
    for code, readout in (("bernoulli:frames=4,tile=[2,3]", "white=50,full_well=9000,read_noise=5"), ("flutter:chips=10110", "")):
        try:
            sensor = camera(kind, code, readout)
        except Refusal:
            continue
        found = made(sensor)
        assert found is None or (isinstance(found, float) and not math.isnan(found))
    assert made(camera("coded-pixel", np.ones((2, 40, 41)))) is None or name == "code-rate"  # a mask over the chip


def test_a_table_has_a_line_for_each_code_of_a_cycle_and_leaves_out_what_is_nowhere_defined(tmp_path):
    np.save(tmp_path / "cycle.npy", np.stack([codes.make("impulse:tile=[2,3]"), codes.make("bump:frames=6,tile=[2,3],length=2")]))
    chosen = make(["light", "cramer-rao", "flutter-gain"])
    found = [*cameras(["coded-pixel", "cep-2019"], [str(tmp_path / "cycle.npy")], None, [20, 200])]
    judged = [row for one in found for row in judge(one, chosen)]
    assert [row.camera.chip.readout.white for row in judged] == [None, None, 20, 20, 200, 200]
    parts = [*tables(judged, chosen)]
    assert [title for *_, title in parts] == ["coded-pixel", "cep-2019, 20 e- at white", "cep-2019, 200 e- at white"]
    columns, lines, _ = parts[0]
    assert (
        columns == ("code", "T", "tile", "light", "cramer-rao\nwhite")
        and lines[1][1:4] == ("6", "2x3", "0.333")
        and len(lines) == 2
    )
    assert judged[3].plain()["cramer-rao"] is None and judged[2].plain()["cramer-rao"] > 0
    assert len(criteria_figure(judged, chosen).axes) == 2


def test_numbers_are_short():
    assert [number(v) for v in (None, math.inf, -math.inf, 1e-16, 0.12345, 12345.6)] == ["", "inf", "-inf", "0", "0.123", "12346"]


@pytest.mark.parametrize(
    "words", ["nothing", "cramer-rao:level=0", "moving-texture:length=0", "mixture-error:patches=0", "flutter-gain:length=1e9"]
)
def test_what_no_criterion_can_be_is_refused(words):
    with pytest.raises(Refusal):
        make([words])
    with pytest.raises(Refusal, match="--light 0"):
        list(cameras(["coded-pixel"], ["impulse"], None, [0]))
