"""Mask registration: a mask that is off is found from the capture alone, one that is not is left alone."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

import recon
import sensors
from c2b import codes
from c2b.captures import format_of
from c2b.cli import main
from c2b.video.recording import open_recording
from recon.mask_registration import PARAMETERS, _Middle, register, with_mask
from recon.metrics import psnr
from sensors.capture import Capture
from sensors.readout import Readout
from sensors.refusal import Refusal
from tests.stored_data import data

H, W = 72, 80
MASK = codes.make(f"bernoulli:frames=6,tile=[{H},{W}],seed=4")
ON_PAPER = {name: parameter.nominal for name, parameter in PARAMETERS.items()}
OFF = {
    "shift": {"down": 0.5, "right": -0.4},
    "far shift": {"down": -1.7, "right": 1.3},
    "rotation": {"rotation": 0.4},
    "scale": {"scale": 1.006},
    "blur": {"blur": 0.25},
    "contrast": {"closed": 0.05},
    "all": {"down": 0.5, "right": -0.4, "rotation": 0.3, "scale": 0.996, "blur": 0.2, "closed": 0.05},
}
#: How near the truth is found in these small frames, about 5 standard errors.
NEAR = {"down": 0.05, "right": 0.05, "rotation": 0.08, "scale": 0.0015, "blur": 0.08, "closed": 0.06, "open": 0.03}


def film(frames=6, height=H, width=W, seed=0):
    """Texture that moves by half a pixel per frame."""
    wide = gaussian_filter(np.random.default_rng(seed).random((height + 20, width + 20)), 2)
    wide = (wide - wide.min()) / np.ptp(wide)
    moved = [shift(wide, (0.5 * t, -0.3 * t), order=3)[10:-10, 10:-10] for t in range(frames)]
    return np.stack(moved).clip(0, 1).astype(np.float32)


def taken_with(sensor, off, video, **readout):
    """A capture by a mask that is off, said to be by the mask on paper; and the true sensor."""
    true = with_mask(sensor, video.shape[1:3], ON_PAPER | off)
    capture = true.capture(video, seed=1)
    return Capture(capture.images, sensor, capture.record), true


@cache
def registered(kind, name):
    """A capture by a mask that is off in that way, its true sensor, and what is found of it."""
    capture, true = taken_with(sensors.make(kind, MASK), OFF[name], film())
    return capture, true, register(capture)


def quality(images, sensor, video, method="tikhonov"):
    return psnr(recon.make(method).reconstruct(Capture(images, sensor, {}))[0].clip(0, 1), video, data_range=1)


CASES = [*(("coded-pixel", name) for name in OFF), ("two-bucket", "all")]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_what_is_off_is_found_and_its_loss_made_good(name, kind):
    video = film()
    capture, true, found = registered(kind, name)
    sensor = capture.sensor
    for parameter, error in found.standard_error.items():
        if parameter in NEAR and parameter not in found.untold:
            assert found.value[parameter] == pytest.approx((ON_PAPER | OFF[name])[parameter], abs=NEAR[parameter]), parameter
            assert 0 < error < 1
    lost, made_good = (
        quality(capture.images, true, video) - quality(capture.images, s, video) for s in (sensor, found.capture.sensor)
    )
    assert made_good < min(0.7, lost / 3)


def test_a_mask_that_lies_well_is_left_alone():
    sensor = sensors.make("coded-pixel", MASK)
    found = register(sensor.capture(film(), seed=0))
    assert found.value == ON_PAPER
    assert np.array_equal(found.capture.sensor.code, MASK) and found.capture.sensor.digest == sensor.digest


def test_a_tile_that_repeats_and_a_crop_of_the_chip_are_served():
    video = film(height=51, width=58)
    sensor = sensors.make("two-bucket:leakage=0.02", codes.make("bernoulli:frames=6,tile=[7,5],seed=2"), origin=(11, 4))
    capture, _ = taken_with(sensor, {"down": 0.4, "right": -0.3}, video)
    found = register(capture)
    assert found.value["down"] == pytest.approx(0.4, abs=0.03) and found.value["right"] == pytest.approx(-0.3, abs=0.03)
    assert found.capture.sensor.origin == (11, 4)


def test_under_noise_and_in_colour():
    video = np.stack([film(), 0.6 * film(), 0.8 * film()], axis=-1)
    sensor = sensors.make("coded-pixel", MASK, colour="rgb", readout=Readout(white=100, read_noise=12))
    capture, _ = taken_with(sensor, OFF["shift"], video)
    found = register(capture)
    assert abs(found.value["down"] - 0.5) < 0.1 and abs(found.value["right"] + 0.4) < 0.1
    assert found.capture.sensor.colour == "rgb"


def test_the_standard_errors_are_of_the_size_of_the_errors():
    z = []
    for kind, name in CASES:
        _, _, found = registered(kind, name)
        z += [(found.value[one] - OFF[name][one]) / found.standard_error[one] for one in ("down", "right") if one in OFF[name]]
    assert len(z) == 8
    assert 0.1 < np.sqrt(np.mean(np.square(z))) < 6


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        ("coded-pixel", lambda mask: codes.make(f"bernoulli:frames=6,tile=[{H},{W}],seed=9")),
        ("coded-pixel", lambda mask: mask[:, ::-1]),
    ],
    ids=["another", "upside down"],
)
def test_a_mask_that_does_not_explain_the_capture_is_refused(other, kind):
    images = sensors.make(kind, MASK).capture(film(), seed=1).images
    with pytest.raises(Refusal, match="the mask does not explain the capture") as why:
        register(Capture(images, sensors.make(kind, np.ascontiguousarray(other(MASK))), {}))
    assert "\n" not in str(why.value)


def test_under_noise_the_right_mask_is_told_from_a_wrong_one():
    sensor = sensors.make("coded-pixel", MASK, readout=Readout(white=20, read_noise=12))
    capture, _ = taken_with(sensor, OFF["shift"], film())
    assert register(capture).value["down"] == pytest.approx(0.5, abs=0.1)
    wrong = sensors.make("coded-pixel", np.ascontiguousarray(MASK[:, ::-1]), readout=sensor.readout)
    with pytest.raises(Refusal, match="the mask does not explain the capture"):
        register(Capture(capture.images, wrong, {}))


def test_a_mask_that_moves_evenly_is_found_within_its_errors():
    """Moved along its way it shows the same scene a frame later, which is no reason to refuse it."""
    one = codes.make(f"bernoulli:frames=1,tile=[{H},{W + 6}],seed=3")[0]
    mask = np.stack([one[:, t : t + W] for t in range(6)])
    capture, _ = taken_with(sensors.make("coded-pixel", mask), OFF["shift"], film())
    found = register(capture)
    for name in ("down", "right"):
        assert abs(found.value[name] - OFF["shift"][name]) < 2.5 * found.standard_error[name]


def test_a_small_tile_turned_over_is_refused():
    sensor = sensors.make("two-bucket", codes.make("bernoulli:frames=6,tile=[7,5],seed=2"))
    images = sensor.capture(film(height=51, width=58), seed=1).images
    with pytest.raises(Refusal, match="the mask does not explain the capture"):
        register(Capture(images, sensors.make("two-bucket", np.ascontiguousarray(sensor.code[:, ::-1])), {}))


def test_whole_pixels_are_found_as_such():
    wide = codes.make(f"bernoulli:frames=6,tile=[{H + 6},{W + 6}],seed=4")
    images = sensors.make("coded-pixel", wide, origin=(3, 3)).capture(film(), seed=1).images
    found = register(Capture(images, sensors.make("coded-pixel", wide, origin=(4, 1)), {}))
    assert found.value == ON_PAPER | {"down": 1, "right": -2}


def test_a_scene_without_detail_tells_nothing_of_an_impulse_tile():
    sensor = sensors.make("coded-pixel", codes.make("impulse:tile=[2,3]"))
    with pytest.raises(Refusal, match="does not explain the capture|nothing tells"):
        register(sensor.capture(np.full((6, H, W), 0.5), seed=1))


@pytest.mark.parametrize("kind", ["coded-pixel", "two-bucket"])
@pytest.mark.parametrize("name", ["closed", "blur"])
def test_the_score_is_the_slope_of_the_likelihood(name, kind):
    """The first term of the score: -1/2 d (y . C^-1 y) / dp, where it is smooth."""
    capture, _ = taken_with(sensors.make(kind, MASK), OFF["all"], film())
    middle = _Middle(capture, 48)
    middle._tikhonov.tolerance = 1e-6
    step = PARAMETERS[name].step / 5  # smaller ones drown in the rounding of float32, differently on each processor
    p = ON_PAPER | OFF["all"] | {name: OFF["all"][name] + 0.02}
    low, high = (middle.misfit(p | {name: p[name] + s}) for s in (-step, step))
    _, by_data, _ = middle.score(p, [name])
    assert by_data.sum() == pytest.approx(-(high - low) / (4 * step), rel=0.06)


@pytest.mark.parametrize("origin", [(0, 0), (3, 2)])
@pytest.mark.parametrize("code", ["impulse:tile=[2,3]", "bernoulli:frames=4,tile=[12,17]"])
def test_a_mask_moved_by_nothing_or_whole_pixels_is_itself(code, origin):
    sensor, video = sensors.make("two-bucket", codes.make(code), origin=origin), film(6)
    video = np.ascontiguousarray(video[: sensor.frames, :12, :17])
    assert np.array_equal(with_mask(sensor, (12, 17), ON_PAPER).expose(video), sensor.expose(video))
    moved = with_mask(sensor, (12, 17), ON_PAPER | {"down": 2.0, "right": 1.0})
    assert np.allclose(moved.expose(video)[:, 2:, 1:], sensors.make("two-bucket", codes.make(code), origin=origin).expose(
        np.roll(video, (-2, -1), (1, 2)))[:, :-2, :-1], atol=1e-5)  # fmt: skip


def test_blur_has_the_variance_it_says_and_keeps_the_light():
    code = np.zeros((1, 33, 33), np.uint8)
    code[0, 16, 16] = 1
    spread = with_mask(sensors.make("coded-pixel", code), (33, 33), ON_PAPER | {"blur": 0.7}).code[0]
    i, j = np.mgrid[:33, :33] - 16
    assert spread.sum() == pytest.approx(1, abs=1e-5)
    assert (spread * i**2).sum() == pytest.approx(0.7, rel=1e-4) and (spread * j**2).sum() == pytest.approx(0.7, rel=1e-4)


def test_what_was_found_is_said_and_written_down():
    _, _, found = registered("coded-pixel", "shift")
    assert "+0.50" in str(found) and "px down (+- " in str(found) and "\n" not in str(found)
    assert json.loads(json.dumps(found.capture.record))["mask_registration"]["down"][0] == found.value["down"]


def test_the_command_line_says_what_it_found(tmp_path, capsys):
    capture, _ = taken_with(sensors.make("coded-pixel", MASK), OFF["shift"], film())
    path, video = tmp_path / "c.c2b.ome.tif", tmp_path / "v.npy"
    format_of(path).write(path, capture.sensor, capture.images, 1, capture.record)
    assert main(["reconstruct", str(path), str(video), "--method", "tikhonov", "--calibrate-mask"]) == 0
    assert capsys.readouterr().out.startswith("mask: +0.50")
    assert "mask_registration" in open_recording(video).record


def test_the_command_line_refuses_a_mask_that_does_not_belong(tmp_path, capsys):
    """One that is rolled by three pixels."""
    sensor = sensors.make("coded-pixel", MASK)
    capture = sensor.capture(film(), seed=1)
    path, video = tmp_path / "c.c2b.ome.tif", tmp_path / "v.npy"
    format_of(path).write(path, sensors.make("coded-pixel", np.roll(MASK, 3, -1)), capture.images, 1, capture.record)
    assert main(["reconstruct", str(path), str(video), "--method", "tikhonov", "--calibrate-mask"]) == 2
    said = capsys.readouterr()
    assert "does not explain the capture" in said.err and said.err.count("\n") == 1 and not said.out and not video.exists()


def test_one_code_for_all_pixels_cannot_be_off():
    sensor = sensors.make("flutter-shutter", codes.make("flutter:chips=1101"))
    with pytest.raises(Refusal, match="same for all pixels"):
        register(sensor.capture(np.ones((4, 8, 9)), seed=0))


def test_a_dark_capture_tells_nothing():
    with pytest.raises(Refusal, match="nothing tells where its mask lies"):
        register(sensors.make("coded-pixel", MASK).capture(np.zeros((6, H, W)), seed=0))


def test_half_a_pixel_on_a_benchmark_scene_is_made_good_to_half_a_decibel():
    """GAP-TV loses 3.7 dB to a mask that is off by (0.5, -0.4) pixels; here the middle of the frames, and square cells."""
    from scipy.io import loadmat

    file = loadmat(data("sci/kobe32_cacti.mat"))
    mask, orig = (np.ascontiguousarray(np.moveaxis(file[key], 2, 0)[:, 48:208, 48:208]) for key in ("mask", "orig"))
    video = orig[:8].astype(np.float32) / 255
    moved = np.stack([shift(one.astype(float), (0.5, -0.4), order=1, mode="nearest") for one in mask]).clip(0, 1)
    true, paper = sensors.make("coded-pixel", moved), sensors.make("coded-pixel", mask)
    images = true.capture(video, seed=0).images
    found = register(Capture(images, paper, {})).capture.sensor
    best, wrong, corrected = (quality(images, sensor, video, "gap-tv") for sensor in (true, paper, found))
    assert wrong < best - 3 and corrected > best - 0.5
