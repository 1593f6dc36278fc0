"""The rolling shutter: rows that follow one code at different times, and exposures that may share frames."""

from __future__ import annotations

import json

import numpy as np
import pytest

import recon
import sensors
from c2b import codes
from sensors.refusal import Refusal
from sensors.rolling_shutter import RollingShutter
from sensors.timing import Timing

H, W, ROWS = 12, 7, 20
CODES = {"long": codes.make("long:frames=5"), "coded": codes.make("bernoulli:frames=5,tile=[2,3],seed=2")}
CAMERAS = [pytest.param(code, delay, overlap, id=f"{code}-{delay}-{overlap}")
           for code in CODES for delay in (3, 2.6) for overlap in (False, True)]  # fmt: skip
every_camera = pytest.mark.parametrize(("code", "delay", "overlap"), CAMERAS)


def camera(code="long", delay=3.0, overlap=False, **settings):
    return RollingShutter(CODES[code], delay=delay, overlap=overlap, **{"timing": Timing(rows=ROWS), "origin": (6, 1)} | settings)


def light(*shape, seed=3):
    return np.random.default_rng(seed).random((*shape, H, W))


def matrix(sensor, count):
    """A of pixel columns as one matrix per pixel over the whole timeline, (H, W, count, frames of the timeline): the formula."""
    frames = (count - 1) * sensor.period + sensor.frames
    unit = np.eye(frames)[:, :, None, None] * np.ones((H, W))
    windows = np.stack([unit[:, n * sensor.period :][:, : sensor.frames] for n in range(count)], 1)
    return np.moveaxis(sensor.expose(windows)[:, :, 0], (2, 3, 1), (0, 1, 2))


@every_camera
def test_each_row_follows_the_code_at_its_own_time(code, delay, overlap):
    sensor, c = camera(code, delay, overlap), CODES[code].astype(float)
    A = matrix(sensor, 1)[:, :, 0]
    for i in range(H):
        for j in range(W):
            times = np.arange(sensor.frames) - delay * (i + 6) / ROWS
            own = np.interp(times, np.arange(-1, 6), [0, *c[:, (i + 6) % c.shape[1], (j + 1) % c.shape[2]], 0])
            assert np.allclose(A[i, j], own, atol=1e-6)


@every_camera
def test_the_adjoint_is_the_adjoint_and_the_gram_matrix_its_product(code, delay, overlap):
    sensor = camera(code, delay, overlap)
    x, y = light(sensor.frames), light(1, seed=4)
    assert np.vdot(sensor.expose(x), y) == pytest.approx(np.vdot(x, sensor.adjoint(y)), rel=1e-9)
    A = matrix(sensor, 1)[:, :, 0]
    assert np.allclose(sensor.gram(np.ones((sensor.frames, H, W), np.float32))[0, 0], (A**2).sum(-1), atol=1e-5)


def test_a_still_scene_looks_as_through_a_global_shutter():
    still = np.broadcast_to(light(1), (8, H, W))
    assert np.allclose(camera(delay=2.3).expose(still), 5 * still[0], rtol=1e-6)


def test_a_flash_is_seen_by_the_rows_that_are_open():
    flash = np.zeros((8, H, W))
    flash[0] = 1
    sensor = camera(origin=(0, 0), delay=3)
    assert np.allclose(sensor.expose(flash)[0, :, 0], np.maximum(1 - 3 * np.arange(H) / ROWS, 0), atol=1e-6)


def test_what_moves_sideways_is_skewed():
    """A bar that moves one pixel a frame, seen for one frame: its place grows with the delay of the row."""
    bars = np.zeros((7, ROWS, 9))
    bars[np.arange(7), :, np.arange(7)] = 1
    sensor = RollingShutter(np.ones((1, 1, 1)), delay=6, timing=Timing(rows=ROWS))
    place = (sensor.expose(bars)[0] * np.arange(9)).sum(1)
    assert np.allclose(place, 6 * np.arange(ROWS) / ROWS, atol=1e-5)


@pytest.mark.parametrize("overlap", [False, True])
def test_exposures_begin_when_the_last_row_has_ended_or_the_first(overlap):
    sensor = camera(delay=2.2, overlap=overlap, timing=Timing(rows=ROWS, dead_frames=1))
    assert (sensor.frames, sensor.period, sensor.local) == (8, 6 if overlap else 9, not overlap)
    x = light(30)
    capture = sensor.capture(x, seed=0)
    for n, index in enumerate(capture.record["frame_index"]):
        assert index == list(range(n * sensor.period, n * sensor.period + 8))
        assert np.array_equal(capture.images[n], sensor.expose(x[index]).astype(np.float32))


@every_camera
def test_the_pseudo_inverse_is_that_of_all_exposures_together(code, delay, overlap):
    sensor, count = camera(code, delay, overlap), 4
    A = matrix(sensor, count)
    x = light(A.shape[-1])
    windows = np.stack([x[n * sensor.period :][: sensor.frames] for n in range(count)])
    charge = sensor.expose(windows)
    expected = np.einsum("ijtn,nij->tij", np.linalg.pinv(A, rcond=1e-7), charge[:, 0])
    found = sensor.pseudo_inverse(charge)
    assert found.shape == windows.shape
    for n in range(count):
        assert np.allclose(found[n], expected[n * sensor.period :][: sensor.frames], atol=1e-7)
    assert np.allclose(sensor.expose(found), charge, atol=1e-8)


def test_exposures_that_share_frames_agree_on_them():
    sensor = camera("coded", 3, True)
    video = recon.make("pseudo-inverse").reconstruct(sensor.capture(light(5 * 3 + 3), seed=0))
    assert video.shape == (3, 8, H, W) and np.allclose(video[0, 5:], video[1, :3], atol=1e-6)


def test_methods_that_take_exposures_apart_refuse_those_that_share_frames():
    sensor = camera("coded", 3, True)
    capture = sensor.capture(light(20), seed=0)
    for method in (recon.make("tile"), recon.make("tile", consistent=True), recon.make("pseudo-inverse", consistent=True)):
        with pytest.raises(Refusal, match="takes exposures apart, and those of this sensor share frames"):
            method.reconstruct(capture)


@pytest.mark.parametrize("consistent", [False, True])
def test_the_tile_solve_gives_a_still_scene_back(consistent):
    """No row is open in all T + delay frames, but the pull towards the mean keeps a still scene still."""
    video = recon.make("tile:ridge=0.01", consistent=consistent).reconstruct(camera().capture(np.full((8, H, W), 0.4), seed=0))
    assert video.shape == (1, 8, H, W) and np.abs(video - 0.4).max() < 2e-3


def test_without_delay_it_is_a_global_shutter():
    sensor, x = sensors.make("rolling-shutter", CODES["coded"]), (light(5) * 255).astype(np.uint8)
    assert sensor.local and np.array_equal(sensor.expose(x), sensors.make("coded-pixel", CODES["coded"]).expose(x))


def test_a_crop_keeps_its_rows_and_a_description_its_delay():
    sensor, x = sensors.make("rolling-shutter:delay=2.5,overlap=true,rows=20", CODES["coded"]), light(8)
    part = sensor.crop(slice(4, 9), slice(1, 6))
    assert np.array_equal(part.expose(np.ascontiguousarray(x[:, 4:9, 1:6])), sensor.expose(x)[:, 4:9, 1:6])
    document, arrays = sensor.description()
    again = sensors.from_description(json.loads(json.dumps(document)), arrays)
    assert again.digest == sensor.digest and (again.delay, again.overlap) == (2.5, True)


def test_dark_current_lasts_as_long_as_a_row_is_open():
    assert camera(timing=Timing(0.01, rows=ROWS)).duration == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"delay": -1}, "delay=-1.0 is not a number of frames"),
        ({"delay": float("nan")}, "delay=nan"),
        ({"delay": 2, "timing": Timing()}, "delay=2 acts row by row and needs rows"),
        ({"parasitic": 0.1}, "no parasitic light"),
    ],
)
def test_an_impossible_shutter_is_refused_in_one_line(settings, says):
    with pytest.raises(Refusal, match=says) as refused:
        camera(**settings)
    assert "\n" not in str(refused.value)


def test_what_does_not_fit_is_refused():
    with pytest.raises(Refusal, match="does not fit a chip of rows=20"):
        camera(origin=(10, 0)).expose(light(8))
    with pytest.raises(Refusal, match="inverted in a row"):
        camera(overlap=True).pseudo_inverse(np.ones((2, 2, 1, H, W)))
