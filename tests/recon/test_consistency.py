"""The data step: exact projection without noise, never to the harm of an estimate under noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import recon
import sensors
from c2b import codes, scenes
from recon.consistency import Consistent, data_step
from recon.reconstructor import Reconstructor
from sensors.readout import Readout

H, W = 60, 81
SCENES = {name: scenes.make(f"{name}:frames=9,height={H},width={W},seed=1")[0:9] for name in scenes.SCENES}
CODES = {"impulse": "impulse", "tile": "bernoulli:tile=4,seed=2", "mask": f"bernoulli:tile=[{H},{W}]"}
ONE_CODE = ("flutter-shutter", "conventional")  # for all pixels, whatever the tile
LEVELS = (20, 100, 800)
METHODS = [name + ":stride=8" * (name == "gmm") for name in recon.METHODS]  # fewer patches, for the sake of time


def build(kind, code, **settings):
    if kind == "flutter-shutter":
        code = "flutter:chips=110100101"
    return sensors.make(kind, codes.make(code), **settings)


def noisy(kind, code, white):
    camera = sensors.make(f"cep-2019:white={white}", codes.make(code))
    return camera if kind in sensors.PRESETS else build(kind, code, readout=camera.readout, timing=camera.timing)


def psnr(estimate, truth):
    return -10 * np.log10(np.square(estimate - truth).mean())


def guess(seed=0, size=0.1):
    return np.random.default_rng(seed).normal(0.4, size, (9, H, W)).astype(np.float32)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("kind", sensors.SENSORS)
def test_without_noise_the_estimate_explains_the_capture_and_moves_no_further(kind, code):
    sensor = build(kind, CODES[code], origin=(1, 2))
    truth = SCENES["occluding-objects"]
    capture = sensor.capture(truth, seed=0)
    moved = data_step(guess(), capture)
    assert np.allclose(sensor.expose(moved), capture.charge[0], atol=2e-5)
    assert np.allclose(data_step(moved, capture), moved, atol=1e-5)  # a projection
    assert np.square(moved - truth).mean() < np.square(guess() - truth).mean()
    assert abs(np.vdot(moved - guess(), moved - truth)) < 1e-4 * np.vdot(moved - guess(), moved - guess())  # orthogonal


@pytest.mark.parametrize("white", LEVELS)
@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (kind, code)
        for kind in (*sensors.SENSORS, *sensors.PRESETS)
        for code in CODES
        if kind not in ONE_CODE or code == "impulse"
    ],
)
def test_no_method_is_made_worse_at_any_light(kind, code, white):
    sensor = noisy(kind, CODES[code], white)
    for truth in SCENES.values():
        capture = sensor.capture(truth, seed=3)
        for spec in ("pseudo-inverse", "tile", "tile:ridge=0.1,weighted=false"):
            not_made_worse(spec, capture, truth)


@pytest.mark.parametrize("white", LEVELS)
@pytest.mark.parametrize("kind", ["two-bucket", "coded-pixel"])
@pytest.mark.parametrize("spec", METHODS)
def test_nor_is_any_other_method(spec, kind, white):
    truth = SCENES["occluding-objects"]
    not_made_worse(spec, noisy(kind, CODES["impulse"], white).capture(truth, seed=3), truth)


def not_made_worse(spec, capture, truth):
    if recon.make(spec).refusal(capture.sensor):
        return
    estimate = recon.make(spec).reconstruct(capture)[0]
    assert psnr(data_step(estimate, capture), truth) >= psnr(estimate, truth) - 0.05, spec


@pytest.mark.parametrize("white", LEVELS)
@pytest.mark.parametrize("error", [0.01, 0.03, 0.1])
@pytest.mark.parametrize("kind", ["two-bucket", "coded-pixel", "conventional"])
def test_estimates_closer_to_the_truth_are_not_made_worse(kind, error, white):
    """The better the estimate, the less there is to gain and the more to lose: exact projection turns 33 dB into 16."""
    truth = SCENES["rotating-camera"]
    capture = noisy(kind, "impulse", white).capture(truth, seed=3)
    estimate = truth + np.random.default_rng(5).normal(0, error, truth.shape).astype(np.float32)
    assert psnr(data_step(estimate, capture), truth) >= psnr(estimate, truth) - 0.05


@pytest.mark.parametrize("kind", ["two-bucket", "coded-pixel", "conventional"])
def test_a_known_error_variance_gives_the_best_linear_estimate(kind):
    """As scalar, per pixel or per pixel and frame; and better than one ten times off either way."""
    truth = SCENES["rotating-camera"]
    rng = np.random.default_rng(5)
    capture = noisy(kind, CODES["tile"], 100).capture(truth, seed=3)
    estimate = truth + rng.normal(0, 0.1, truth.shape).astype(np.float32)
    steps = [data_step(estimate, capture, P) for P in (0.01, np.full((H, W), 0.01), np.full((9, H, W), 0.01))]
    assert np.allclose(steps[0], steps[1], atol=1e-6) and np.allclose(steps[0], steps[2], atol=1e-5)
    best = psnr(steps[0], truth)
    assert best > psnr(estimate, truth)
    assert all(best > psnr(data_step(estimate, capture, P), truth) for P in (0.001, 0.1))


def test_frames_known_for_certain_are_not_moved():
    truth = SCENES["rotating-camera"]
    capture = noisy("two-bucket", "impulse", 100).capture(truth, seed=3)
    variance = np.full((9, H, W), 0.01)
    variance[4] = 0
    estimate = guess()
    moved = data_step(estimate, capture, variance)
    assert np.array_equal(moved[4], estimate[4]) and not np.array_equal(moved[3], estimate[3])


def test_the_step_is_that_of_the_formula():
    """x + P A^T (A P A^T + Sigma)^-1 (y - A x), pixel by pixel in float64."""
    readout = Readout(white=50, read_noise=3)
    sensor = sensors.make("two-bucket:leakage=[0.02,0.1]", codes.make("impulse"), origin=(1, 2), readout=readout)
    truth = SCENES["rotating-camera"]
    capture = sensor.capture(truth, seed=0)
    P = np.random.default_rng(0).uniform(0.001, 0.05, truth.shape)
    moved = data_step(guess(), capture, P)
    share = sensor.shares.astype(float)
    for i, j in ((0, 0), (7, 13), (59, 80)):
        A = sensor.mixing[:, :, 0, 0] @ share[:, :, (i + 1) % 3, (j + 2) % 3]
        x, p = guess()[:, i, j].astype(float), P[:, i, j]
        gain = (p[:, None] * A.T) @ np.linalg.inv((A * p) @ A.T + np.diag(capture.variance[0, :, i, j]))
        assert np.allclose(moved[:, i, j], x + gain @ (capture.charge[0, :, i, j] - A @ x), atol=1e-5)


@pytest.mark.parametrize("error_variance", [None, 0.01])
def test_saturated_samples_carry_no_weight_and_leave_the_other_bucket_its_own(error_variance):
    truth = SCENES["rotating-camera"]
    capture = noisy("two-bucket", "impulse", 100).capture(truth, seed=3)
    top = 2**capture.sensor.readout.bits - 1

    def stepped(images):
        return data_step(guess(), replace(capture, images=images), error_variance)

    lost, other = capture.images.copy(), capture.images.copy()
    lost[0, 0, 20:30, 20:30] = top
    moved = stepped(lost)
    other[0, 0, 20:30, 20:30] = 2 * top if top < 2**15 else top  # above: whatever a saturated sample says, the step is the same
    assert np.array_equal(stepped(other), moved)
    centre = slice(24, 26)
    tile = capture.sensor.code[:, np.arange(24, 26) % 3][:, :, np.arange(24, 26) % 3].astype(bool)
    change = (moved - guess())[:, centre, centre]
    assert np.allclose(change[tile], 0, atol=1e-7)  # frames that only the full bucket saw
    assert np.abs(change[~tile]).min() > 0  # frames of the other bucket
    lost[0, :, 20:30, 20:30] = top
    assert np.array_equal(stepped(lost)[:, 24:26, 24:26], guess()[:, 24:26, 24:26])


def test_colour_is_stepped_plane_by_plane():
    truth = np.stack([SCENES["rotating-camera"] * g for g in (1, 0.7, 0.4)], -1)
    sensor = sensors.make("two-bucket", codes.make("impulse"), colour="rgb")
    video = recon.make("tile", consistent=True).reconstruct(sensor.capture(truth, seed=0))
    assert video.shape == (1, *truth.shape)
    assert np.allclose(sensor.take(video[0], seed=0), sensor.take(truth, seed=0), atol=2e-5)


def test_a_method_keeps_its_verbs_behind_the_step(tmp_path):
    class Learner(Reconstructor):
        """Notes what it is asked for."""

        asked = ()

        def fit(self, clips, sensors, **settings):
            self.asked += ("fit",)
            return self

        def save(self, path, card=None):
            self.asked += ("save",)

        def load(self, path):
            self.asked += ("load",)
            return self

        def solve(self, capture):
            return np.zeros((9, H, W), np.float32)

        also = ("variance",)

        def variance(self, capture):
            return "the method's own"

    learner = Learner()
    consistent = Consistent(learner)
    assert consistent.fit([], None) is consistent and consistent.load(tmp_path) is consistent
    consistent.save(tmp_path)
    assert learner.asked == ("fit", "load", "save")
    assert consistent.also == ("variance",) and consistent.variance(None) == "the method's own"
    with pytest.raises(AttributeError):
        _ = consistent.attention


@pytest.mark.parametrize("text", ["tile:ridge=0.1+consistent", "gap:denoiser=tv,iterations=2+consistent"])
def test_the_name_of_a_method_may_ask_for_the_data_step(text):
    method = recon.make(text)
    assert isinstance(method, Consistent) and vars(method.method) == vars(recon.make(text.removesuffix("+consistent")))
