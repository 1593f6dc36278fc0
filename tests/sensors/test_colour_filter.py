"""The colour filter: what a mosaic sees, its four phases as sensors of their own, and colour again."""

from __future__ import annotations

import numpy as np
import pytest

import c2b
import recon
import sensors
from c2b import codes
from c2b.captures import read_capture, write_capture
from recon.demosaicing import demosaic
from sensors.capture import Capture
from sensors.colour_filter import PATTERNS, interleave, mosaic, planes, shifted
from sensors.readout import Readout
from sensors.refusal import Refusal
from sensors.timing import Timing

H, W = 26, 35
TILES = ["[3,3]", "[2,3]", "[4,4]", "[1,1]"]
every_pattern = pytest.mark.parametrize("pattern", PATTERNS)


def smooth(frames, height=H, width=W):
    """Three colours that change slowly over the frame and in time, (T, H, W, 3)."""
    t, i, j = np.meshgrid(np.arange(frames), np.arange(height), np.arange(width), indexing="ij")
    waves = [0.5 + 0.4 * np.sin(0.06 * i + a * 0.035 * j + 0.05 * t + a) for a in (1, 2, 3)]
    return np.stack(waves, -1).astype(np.float32)


def psnr(a, b):
    return -10 * np.log10(np.mean((a - b) ** 2))


@every_pattern
@pytest.mark.parametrize("origin", [(0, 0), (0, 1), (3, 0), (5, 7)])
def test_each_pixel_sees_the_colour_that_its_chip_address_names(pattern, origin):
    video = np.random.default_rng(0).random((2, 5, 7, 3))
    seen = mosaic(video, pattern, origin)
    for i in range(5):
        for j in range(7):
            letter = pattern[2 * ((i + origin[0]) % 2) + (j + origin[1]) % 2]
            assert np.array_equal(seen[:, i, j], video[:, i, j, "rgb".index(letter)])


def test_a_shift_by_two_is_none():
    assert [shifted("rggb", at) for at in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 4))] == ["rggb", "grbg", "gbrg", "bggr", "rggb"]


@pytest.mark.parametrize("shape", [(4, 6), (5, 7), (2, 2), (3, 2)])
def test_phases_interleave_to_the_mosaic(shape):
    image = np.random.default_rng(0).random((3, *shape))
    assert np.array_equal(interleave(planes(image)), image)


@pytest.mark.parametrize("cell", [1, 2])
@pytest.mark.parametrize("origin", [(0, 0), (3, 4)])
@pytest.mark.parametrize("tile", TILES)
def test_a_phase_is_a_mono_sensor_that_took_its_pixels(tile, origin, cell):
    """Also with maps, late rows and parasitic light, which stay those of the chip."""
    leakage = np.random.default_rng(7).uniform(0, 0.2, (2, 41, 42))
    timing = Timing(1e-3, 0, "rolling", 7e-4, 0.02, rows=41)
    code = codes.make(f"bernoulli:frames=4,tile={tile},seed=3")
    sensor = sensors.make(
        "two-bucket", code, colour="rggb", origin=origin, cell=cell, leakage=leakage, timing=timing, parasitic=0.01, lag=0.1
    )
    video = mosaic(smooth(4).astype(np.float64), "rggb", origin)
    charge = sensor.expose(video)
    for seen, whole, phase in zip(planes(video), planes(charge), sensor.phases, strict=True):
        assert phase.colour == "mono" and np.allclose(phase.expose(np.ascontiguousarray(seen)), whole, rtol=1e-12)
        assert np.allclose(phase.expose(phase.pseudo_inverse(whole)), whole, rtol=1e-6)


@pytest.mark.parametrize(("tile", "kept"), [("[3,3]", (3, 3)), ("[4,3]", (2, 3)), ("[2,4]", (1, 2))])
def test_an_odd_tile_stays_whole_in_each_phase(tile, kept):
    code = codes.make(f"bernoulli:frames=7,tile={tile},seed=1")
    for phase in sensors.make("two-bucket", code, colour="bggr").phases:
        assert phase.code.shape == (7, *kept)
        if kept == (3, 3):
            assert sorted(map(bytes, phase.code.reshape(7, -1).T)) == sorted(map(bytes, code.reshape(7, -1).T))


def test_a_code_per_cell_is_the_same_in_each_phase():
    code = codes.make("impulse:tile=[2,3]")
    for phase in sensors.make("two-bucket:cell=2", code, colour="gbrg").phases:
        assert np.array_equal(phase.code, code) and (phase.cell, phase.tile) == (1, (2, 3))


@every_pattern
def test_colour_is_filtered_before_the_code(pattern):
    """A mosaic capture is the mono capture of what passes the filter, noise and all."""
    readout = Readout(white=200, read_noise=3, gain=0.5, black_level=64, bits=12)
    settings = {"readout": readout, "origin": (1, 2)}
    code, video = codes.make("impulse"), smooth(18)
    capture = sensors.make("two-bucket", code, colour=pattern, **settings).capture(video, seed=2)
    mono = sensors.make("two-bucket", code, **settings).capture(mosaic(video, pattern, (1, 2)), seed=2)
    assert np.array_equal(capture.images, mono.images) and np.array_equal(capture.charge, mono.charge)
    assert np.array_equal(interleave([plane.charge for plane in capture.planes()]), capture.charge)
    assert np.array_equal(interleave([plane.variance for plane in capture.planes()]), capture.variance)


def test_what_has_passed_the_filter_is_taken_as_it_is():
    sensor, video = sensors.make("two-bucket", codes.make("impulse"), colour="grbg"), smooth(9)
    assert np.array_equal(sensor.capture(mosaic(video, "grbg"), seed=0).images, sensor.capture(video, seed=0).images)


@every_pattern
@pytest.mark.parametrize("shape", [(26, 35), (2, 3)])
def test_a_picture_of_one_colour_survives_the_mosaic(pattern, shape):
    video = np.broadcast_to(np.array([0.2, 0.7, 0.4], np.float32), (2, *shape, 3))
    assert np.allclose(demosaic(mosaic(video, pattern, (1, 0)), pattern, (1, 0)), video, atol=1e-6)


@every_pattern
def test_demosaicing_keeps_what_was_measured(pattern):
    video = smooth(2)
    again = demosaic(mosaic(video, pattern), pattern)
    assert np.array_equal(mosaic(again, pattern), mosaic(video, pattern)) and psnr(again, video) > 35


@pytest.mark.parametrize("cell", [1, 2])
@pytest.mark.parametrize("origin", [(0, 0), (1, 3)])
@pytest.mark.parametrize("method", ["tile", "tile --consistent"])
def test_smooth_colour_comes_back_through_code_and_mosaic(method, origin, cell):
    video = smooth(9, 72, 90)
    sensor = sensors.make("two-bucket", codes.make("impulse"), colour="rggb", origin=origin, cell=cell)
    name, _, step = method.partition(" ")
    found = recon.make(name, consistent=bool(step)).reconstruct(sensor.capture(video, seed=0))
    assert found.shape == (1, 9, 72, 90, 3) and found.dtype == np.float32
    assert psnr(found[0], video) > 35


@pytest.mark.parametrize("suffix", [".c2b.ome.tif"])
@pytest.mark.parametrize("settings", [{}, {"cell": 2}, {"lag": np.eye(9) * 0.9}, {"parasitic": (0.1, 0.2)}])
def test_a_file_gives_the_mosaic_back(tmp_path, suffix, settings):
    sensor = sensors.make("two-bucket", codes.make("impulse"), colour="bggr", **settings)
    capture = sensor.capture(smooth(18), seed=0)
    write_capture(tmp_path / f"x{suffix}", capture)
    again = read_capture(tmp_path / f"x{suffix}")
    assert again.sensor.digest == sensor.digest and np.array_equal(again.images, capture.images)
    assert np.array_equal(recon.make("pseudo-inverse").reconstruct(again), recon.make("pseudo-inverse").reconstruct(capture))


@pytest.mark.parametrize("name", [name for name in c2b.CODES if name != "flutter"])
def test_every_code_has_phases(name):
    sensor = sensors.make("coded-pixel", codes.make(name), colour="rggb")
    capture = sensor.capture(smooth(sensor.frames), seed=0)
    assert recon.make("pseudo-inverse").reconstruct(capture).shape == (1, sensor.frames, H, W, 3)


def test_what_has_no_colours_to_filter_is_refused():
    sensor = sensors.make("two-bucket", codes.make("impulse"), colour="rggb")
    for wrong in (np.ones((9, H, W, 4)), np.ones((9, H))):
        with pytest.raises(Refusal):
            sensor.capture(wrong, seed=0)
    with pytest.raises(Refusal, match="unknown mosaic 'rgbg'"):
        mosaic(np.ones((1, 2, 2, 3)), "rgbg")
    with pytest.raises(Refusal, match="known: mono, rgb, rggb, bggr"):
        sensors.make("two-bucket", codes.make("impulse"), colour="rgbw")
    with pytest.raises(Refusal, match="has no four colours"):
        Capture(np.ones((1, 2, 1, 5), np.float32), sensor).planes()
