"""Tikhonov: the minimum it claims, one exposure or all together, and what smoothness alone can and cannot do."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import recon
import sensors
from c2b import codes
from c2b.streaming import Reconstruction
from recon.metrics import psnr
from recon.tikhonov import ROUNDING, Tikhonov
from sensors.capture import Capture
from sensors.readout import Readout
from sensors.refusal import Refusal
from sensors.rolling_shutter import RollingShutter
from sensors.timing import Timing
from tests.stored_data import data

H, W = 5, 4
CODE = codes.make("bernoulli:frames=5,tile=[2,3],seed=2")
OVERLAPPING = RollingShutter(CODE, delay=2.6, overlap=True, timing=Timing(rows=8), origin=(1, 1))
CAMERAS = {
    "one bucket": (sensors.make("coded-pixel", CODE), 1),
    "two buckets": (sensors.make("two-bucket:leakage=0.1,drain=0.1", CODE), 1),
    "rolling": (OVERLAPPING, 1),
    "rolling, all together": (OVERLAPPING, 3),
}


def difference(length):
    return np.diff(np.eye(length), axis=0)


def dense_minimum(sensor, charge, variance, spatial, temporal):
    """The equation of the module, by one matrix over the whole timeline."""
    count, frames = len(charge), (len(charge) - 1) * sensor.period + sensor.frames
    shape = (frames, H, W)
    columns = []
    for k in range(np.prod(shape)):
        unit = np.zeros(shape)
        unit.flat[k] = 1
        seen = [sensor.expose(unit[n * sensor.period :][: sensor.frames]) for n in range(count)]
        columns.append(np.ravel(seen))
    A = np.stack(columns, 1)
    eyes = [np.eye(n) for n in shape]
    weight = np.where(np.isinf(variance), 0, 1 / (variance + ROUNDING)).ravel()
    normal = A.T @ (weight[:, None] * A)
    for axis, strength in enumerate((temporal, spatial, spatial)):
        factors = [*eyes]
        factors[axis] = (d := difference(shape[axis])).T @ d
        normal += strength * np.kron(factors[0], np.kron(factors[1], factors[2]))
    return np.linalg.solve(normal, A.T @ (weight * charge.ravel())).reshape(shape)


@pytest.mark.parametrize("name", CAMERAS)
def test_it_is_the_minimum_it_claims_to_be(name):
    sensor, count = CAMERAS[name]
    rng = np.random.default_rng(0)
    charge = rng.random((count, sensor.buckets, H, W), np.float32) * 3
    variance = rng.uniform(0.001, 0.1, charge.shape).astype(np.float32)
    variance.flat[[0, 7]] = np.inf
    found = Tikhonov(7, 2, tolerance=1e-7).smoothest(sensor, charge, variance)
    assert np.abs(found - dense_minimum(sensor, charge, variance, 7, 2)).max() < 1e-4


@pytest.mark.parametrize(("name", "method"), [("one bucket", "tikhonov"), ("two buckets", "tikhonov")])
def test_without_noise_it_explains_the_charge(name, method):
    sensor, _ = CAMERAS[name]
    video = np.random.default_rng(1).random((5, 21, 16), np.float32)
    found = recon.make(method).reconstruct(sensor.capture(video, seed=0))[0]
    assert np.abs(sensor.expose(found) - sensor.expose(video)).max() < 0.01


def test_exposures_that_share_frames_are_solved_together_and_agree_on_them():
    video = np.random.default_rng(1).random((18, H, W), np.float32)
    found = Tikhonov().reconstruct(OVERLAPPING.capture(video, seed=0))
    assert found.shape == (3, 8, H, W)
    assert np.array_equal(found[0, 5:], found[1, :3]) and np.array_equal(found[1, 5:], found[2, :3])
    alone = Tikhonov().reconstruct(OVERLAPPING.capture(video[:8], seed=0))
    assert not np.allclose(found[0], alone[0], atol=1e-3)


@pytest.mark.parametrize("method", ["tikhonov", "pseudo-inverse"])
def test_a_file_shows_what_exposures_share_once(method):
    video = np.random.default_rng(1).random((18, H, W), np.float32)
    capture = OVERLAPPING.capture(video, seed=0)
    shown = Reconstruction(capture, recon.make(method))
    together = recon.make(method).reconstruct(capture)
    assert shown.shape == (18, H, W) and shown.record["frame_index"] == [list(range(18))]
    assert np.array_equal(shown[:], np.concatenate([together[0, :5], together[1, :5], together[2]]))


def test_together_is_closer_to_the_truth_than_apart():
    t, i, j = np.mgrid[:18, :8, :12]
    video = (0.5 + 0.4 * np.sin(0.5 * t + 0.3 * i + 0.4 * j)).astype(np.float32)
    sensor = RollingShutter(codes.make("long:frames=5"), delay=3, overlap=True, timing=Timing(rows=8))
    capture = sensor.capture(video, seed=0)
    truth = video[np.array(capture.record["frame_index"])]
    together = Tikhonov().reconstruct(capture)
    apart = np.concatenate([Tikhonov().reconstruct(one) for one in capture])
    assert ((together - truth) ** 2).mean() < 0.6 * ((apart - truth) ** 2).mean()


def test_colour_is_solved_plane_by_plane_where_exposures_share_frames():
    sensor = RollingShutter(CODE, delay=2, overlap=True, timing=Timing(rows=8), colour="rgb")
    video = np.random.default_rng(3).random((17, 8, 12, 3), np.float32)
    capture = sensor.capture(video, seed=0)
    found = Tikhonov().reconstruct(capture)
    assert found.shape == (3, 7, 8, 12, 3)
    assert np.allclose(found[..., 1], Tikhonov().reconstruct(capture.planes()[1]), atol=1e-6)


def test_a_pixel_that_saw_nothing_becomes_the_mean_of_its_neighbours():
    """L x = 0 where there is no data: the discrete harmonic function."""
    code = np.ones((1, H, W), np.uint8)
    code[0, 2, 1] = 0
    video = np.random.default_rng(2).random((1, H, W), np.float32)
    found = Tikhonov(1e-3, 0, tolerance=1e-7).reconstruct(sensors.make("coded-pixel", code).capture(video, seed=0))[0, 0]
    assert found[2, 1] == pytest.approx(np.mean([video[0, 1, 1], video[0, 3, 1], video[0, 2, 0], video[0, 2, 2]]), abs=1e-4)


@pytest.mark.parametrize("kind", ["coded-pixel", "two-bucket"])
def test_a_saturated_sample_carries_no_weight(kind):
    sensor = sensors.make(f"{kind}", CODE, readout=Readout(white=100, full_well=400, bits=12, gain=4))
    capture = sensor.capture(np.random.default_rng(4).random((5, H, W), np.float32), seed=0)
    high = capture.images.copy()
    high[0, 0, 2, 2] = 4095
    blind = Capture(high, sensor, capture.record)
    assert np.isinf(blind.variance[0, 0, 2, 2]) and np.isinf(blind.variance).sum() == 1
    found, variance = Tikhonov().reconstruct(blind), blind.variance
    assert np.array_equal(found[0], Tikhonov().smoothest(sensor, capture.charge, variance))
    assert 0 < found.max() < 1.5


def test_the_noisier_the_capture_the_smoother_the_video():
    video = np.random.default_rng(5).random((5, 24, 20), np.float32)
    roughness = []
    for white in (10000, 1000, 100, 10):
        sensor = sensors.make("two-bucket", CODE, readout=Readout(white=white, read_noise=5))
        charge = sensor.expose(video)[None]
        variance = sensor.capture(video, seed=0).variance
        roughness.append(np.abs(np.diff(Tikhonov().smoothest(sensor, charge, variance), axis=2)).mean())
    assert all(rougher > 1.05 * smoother for rougher, smoother in pairwise(roughness))


@pytest.mark.parametrize(("settings", "says"), [
    ("spatial=-1", "spatial=-1, temporal=2.5: needed 0 or more"),
    ("spatial=0,temporal=0", "one of them above 0"),
    ("tolerance=0", "0 < tolerance < 1"),
    ("iterations=0", "iterations=0: needed 1 to"), ("iterations=1000000000", "needed 1 to"),
    ("spatial=nan", "spatial=nan"),
])  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(settings, says):
    with pytest.raises(Refusal) as refused:
        recon.make(f"tikhonov:{settings}")
    assert says in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(("code", "kind", "light", "tile", "expected"), [
    ("impulse", "two-bucket", None, 25.04, 26.5),
    ("impulse", "two-bucket", 20, 20.45, 20.9),
    ("impulse", "two-bucket", 100, 21.27, 23.2),
    ("bernoulli:frames=8,tile=256", "coded-pixel", 100, 21.34, 22.7),
])  # fmt: skip
def test_film_is_reconstructed_better_than_by_tiles(code, kind, light, tile, expected):
    """Four clips of the development set, 240x264, stored values as light; by as many dB as was measured before."""
    from c2b.video.recording import open_recording

    code = codes.make(code)
    readout = Readout() if light is None else sensors.make(f"cep-2019:white={light}", codes.make("impulse")).readout
    sensor = sensors.make(kind, code, readout=readout)
    found: dict[str, list[float]] = {"tile": [], "tikhonov": []}
    for name in ("t03_vid4-walk", "t13_davis-tennis", "t15_hevc-basketballpass-a", "d09_udacity-vehicles"):
        film = open_recording(data(f"highspeed/devtest/{name}.mkv")).window(channels="luma")[: len(code)]
        film = film[:, -260:-20, 60:324].astype(np.float32) / 255
        capture = sensor.capture(film, seed=0)
        for method, scores in found.items():
            scores.append(psnr(recon.make(method).reconstruct(capture)[0].clip(0, 1), film, data_range=1))
    assert np.mean(found["tile"]) == pytest.approx(tile, abs=0.05)
    assert np.mean(found["tikhonov"]) > expected
