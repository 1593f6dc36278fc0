"""Blurred pictures are the mean of the frames that they say, and a video out of them is scored against these."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from c2b import scenes
from c2b.captures import read_capture
from c2b.captures.photograph import read_photograph
from c2b.cli import main
from c2b.motion_blur import Blur, BlurredPictures, MiddleFrames
from c2b.video.recording import open_recording
from c2b.video.writing import write_video
from recon.frame_interpolation import between, blurred, steps_of
from recon.metrics import psnr
from recon.optical_flow import optical_flow
from sensors.refusal import Refusal
from sensors.response import make as make_response

FRAMES, H, W = 30, 36, 50


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    film = scenes.make(f"occluding-objects:frames={FRAMES},height={H},width={W},colour=rgb,speed=2")[:]
    np.save("film.npy", np.rint(255 * film).astype(np.uint8))
    return tmp_path


def run(capsys, line):
    assert main(line.split()) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def refused(capsys, line):
    assert main(line.split()) == 2
    return capsys.readouterr().err


def record(folder):
    return json.loads(Path(folder, "video.json").read_text())["record"]


# What is averaged.


def test_a_picture_is_the_mean_of_stored_values(here, capsys):
    told = run(capsys, "blur film.npy out/ --average 7")
    film = np.load("film.npy")
    with open_recording("out") as made:
        assert made.dtype == np.uint8 and len(made) == 4
        for number, picture in enumerate(made[:]):
            assert np.array_equal(picture, np.rint(film[7 * number : 7 * number + 7].mean(0)))
    assert record("out")["frame_index"] == [[*range(7 * n, 7 * n + 7)] for n in range(4)]
    assert told == f"out/: 4 pictures of {H}x{W}, each the mean of 7 frames\n"


@pytest.mark.parametrize("response", ["srgb", "gamma:exponent=2.2"])
def test_or_of_light_encoded_again(here, capsys, response):
    run(capsys, f"blur film.npy out/ --average 5 --linearize {response} --frames 2:12 --channels luma")
    curve = make_response(response)
    with open_recording("film.npy") as film, open_recording("out") as made:
        light = curve.decode(film.luma(range(2, 7)).astype(np.float64) / 255).mean(0)
        assert np.abs(made[0] - 255 * curve.encode(light)).max() <= 0.51
        assert made.response == response and made.record["blur"]["averaged"] == response
        assert np.abs(made[0] - film.luma(range(2, 7)).mean(0)).max() > 1  # another picture than the mean of stored values
    assert record("out")["frame_index"] == [[2, 3, 4, 5, 6], [7, 8, 9, 10, 11]]


def test_a_closed_shutter_leaves_frames_out(here, capsys):
    run(capsys, "blur film.npy out/ --average 5 --shutter 180")
    assert record("out")["frame_index"] == [[*range(start, start + 5)] for start in (0, 10, 20)]
    run(capsys, "blur film.npy out/ --windows 7:10")
    assert record("out")["frame_index"] == [[*range(start, start + 7)] for start in (0, 10, 20)]


def test_drawn_numbers_are_odd_and_fixed_by_the_seed(here, capsys):
    for place, seed in (("a", 1), ("b", 1), ("c", 2)):
        told = run(capsys, f"blur film.npy {place}/ --average 4:9 --seed {seed}")
        assert "each the mean of" in told
    a, b, c = ([len(numbers) for numbers in record(place)["frame_index"]] for place in "abc")
    assert a == b != c and {*a, *c} <= {5, 7, 9} and len({*a, *c}) > 1
    numbers = [number for one in record("a")["frame_index"] for number in one]
    assert numbers == [*range(len(numbers))]


def test_the_largest_shift_decides_how_many_frames(here, capsys):
    lengths = {}
    for speed in (1, 4):
        film = scenes.make(f"rotating-camera:frames=24,height=48,width=64,speed={speed},seed=1")[:]
        write_video(f"film{speed}.npy", film.astype(np.float32))
        run(capsys, f"blur film{speed}.npy out{speed}/ --shift 8")
        lengths[speed] = [len(numbers) for numbers in record(f"out{speed}")["frame_index"]]
    assert np.mean(lengths[4]) < np.mean(lengths[1]) and min(lengths[1]) >= 5 and {*lengths[4]} <= {3, 5}
    run(capsys, "blur film1.npy out/ --shift 100 --average 3:5")
    assert {len(numbers) for numbers in record("out")["frame_index"]} == {5}


# Frames in between.


def test_frames_in_between_begin_and_end_with_the_frames():
    film = scenes.make("rotating-camera:frames=2,height=48,width=64,speed=3")[:]
    ahead, back = optical_flow(film[0], film[1]), optical_flow(film[1], film[0])
    assert steps_of(ahead, back, 1.0) > 2 and steps_of(ahead, back, 1.0) % 2 == 0
    for time, frame in ((0.0, film[0]), (1.0, film[1])):
        np.testing.assert_allclose(between(film[0], film[1], ahead, back, time), frame, atol=1e-6)
    half = scenes.make("rotating-camera:frames=3,height=48,width=64,speed=3,step=0.5")[1]
    found = between(film[0], film[1], ahead, back, 0.5)
    assert psnr(found, half, data_range=1) > psnr((film[0] + film[1]) / 2, half, data_range=1) + 6


@pytest.mark.parametrize("name", ["occluding-objects", "rotating-camera"])
def test_interpolated_blur_has_no_ghosts(name):
    """Against the mean of a film of eight times the rate."""
    fine = scenes.make(f"{name}:frames=57,height=120,width=160,step=0.125,speed=6,seed=3")[:]
    weights = np.ones(57)
    weights[[0, -1]] = 0.5
    truth = np.average(fine, axis=0, weights=weights)
    coarse = fine[4::8]
    assert psnr(blurred(coarse, coarse), truth, data_range=1) > psnr(coarse.mean(0), truth, data_range=1) + 2


def test_interpolated_blur_keeps_the_light_and_what_stands_still():
    still = np.repeat(scenes.make("occluding-objects:frames=1,height=48,width=64")[:], 5, 0)
    np.testing.assert_allclose(blurred(still, still), still[0], atol=1e-6)
    flat = np.full((4, 40, 50), 0.3, np.float32)
    np.testing.assert_allclose(blurred(flat, flat), 0.3, atol=1e-6)
    slow = scenes.make("rotating-camera:frames=5,height=48,width=64,speed=0.2")[:]
    np.testing.assert_allclose(blurred(slow, slow), slow.mean(0), atol=1e-6)
    fast = scenes.make("rotating-camera:frames=5,height=96,width=128,speed=4")[:]
    assert blurred(fast, fast).mean() == pytest.approx(fast.mean(), rel=0.01)
    np.testing.assert_allclose(blurred(fast[::-1], fast[::-1]), blurred(fast, fast), atol=1e-4)
    assert np.array_equal(blurred(fast[:1], fast[:1]), fast[0])
    colour = np.stack([fast, fast, fast], -1)
    np.testing.assert_allclose(blurred(colour, fast)[..., 1], blurred(fast, fast), atol=1e-6)


def test_interpolation_is_chosen_by_a_word(here, capsys):
    for place, flag in (("plain", ""), ("smooth", "--interpolate")):
        run(capsys, f"blur film.npy {place}.npy --average 5 {flag}")
    assert json.loads(Path("smooth.npy.json").read_text())["record"]["blur"]["interpolate"]
    with open_recording("plain.npy") as plain, open_recording("smooth.npy") as smooth:
        assert 0 < np.abs(plain[:].astype(int) - smooth[:]).mean() < 10


# What becomes of it.


def test_pairs_are_laid_out_as_in_the_gopro_data(here, capsys):
    run(capsys, "blur film.npy out/ --average 7 --pairs")
    film = np.load("film.npy")
    with open_recording("out/blur") as blur, open_recording("out/sharp") as sharp:
        assert len(blur) == len(sharp) == 4
        assert np.array_equal(sharp[:], film[3:28:7])
        assert np.array_equal(blur[1], np.rint(film[7:14].mean(0)))
    assert record("out/sharp")["frame_index"] == [[3], [10], [17], [24]]
    run(capsys, "score out/sharp film.npy --json")
    assert "no film" in refused(capsys, "compare out --sensor conventional")


def test_pictures_go_through_a_method_to_the_true_frames(here, capsys):
    run(capsys, "blur film.npy out/ --average 7 --frames 3:30")
    run(capsys, "blur film.npy out.c2b.ome.tif --average 7 --frames 3:30")
    run(capsys, "simulate film.npy sim.c2b.ome.tif --sensor conventional --code long:frames=7 --frames 3:30 --channels rgb")
    found = {}
    for source in ("out", "out.c2b.ome.tif", "sim.c2b.ome.tif"):
        run(capsys, f"reconstruct {source} r.npy --method pseudo-inverse")
        found[source] = json.loads(run(capsys, "score r.npy film.npy --json"))
    values = [one["psnr"] for one in found.values()]
    assert values[1] == pytest.approx(values[2], abs=1e-4) and values[0] == pytest.approx(values[1], abs=0.02)
    assert all(len(one["clips"]) == 3 for one in found.values())
    ours, theirs = read_capture("out.c2b.ome.tif"), read_capture("sim.c2b.ome.tif")
    assert ours.record["frame_index"] == theirs.record["frame_index"] and ours.sensor.digest == theirs.sensor.digest
    np.testing.assert_allclose(ours.charge, theirs.charge, atol=1e-5)


def test_a_capture_of_light_comes_back_encoded(here, capsys):
    run(capsys, "blur film.npy out.c2b.ome.tif --average 5 --linearize srgb")
    run(capsys, "reconstruct out.c2b.ome.tif r.mkv --method pseudo-inverse")
    run(capsys, "blur film.npy blurred.mkv --average 5 --linearize srgb")
    with open_recording("r.mkv") as made, open_recording("blurred.mkv") as blurred_film:
        assert made.response == "srgb" and np.abs(made[2].astype(int) - blurred_film[0]).max() <= 1


def test_pictures_of_different_numbers_of_frames_make_videos_of_one(here, capsys):
    run(capsys, "blur film.npy out/ --average 5:9 --seed 1")
    noted = record("out")["frame_index"]
    capture = read_photograph(Path("out"), frames=3)
    assert capture.record["frame_index"] == [[one[0], one[len(one) // 2], one[-1]] for one in noted]
    assert capture.sensor.frames == 3
    run(capsys, "reconstruct out r.npy --method pseudo-inverse --frames 5")
    assert len(json.loads(run(capsys, "score r.npy film.npy --json"))["clips"]) == len(noted)
    assert "exposures of one number of frames" in refused(capsys, "blur film.npy out.c2b.ome.tif --average 5:9 --seed 1")
    assert read_photograph(Path("out"), frames=11).record.get("frame_index") is None


def test_a_data_set_becomes_a_data_set(here, capsys):
    film = np.load("film.npy")
    Path("GOPRO_Large_all/test").mkdir(parents=True)
    for name in ("GOPR0384_11_00", "GOPR0410_11_00"):
        write_video(f"GOPRO_Large_all/test/{name}/", film[:14])
    told = run(capsys, "blur GOPRO_Large_all pairs/ --average 7 --pairs")
    assert told.splitlines()[1].startswith("pairs/test/GOPR0410_11_00: 2 pictures")
    assert sorted(str(path) for path in Path("pairs").glob("*/*/*")) == sorted(
        f"pairs/test/{name}/{kind}" for name in ("GOPR0384_11_00", "GOPR0410_11_00") for kind in ("blur", "sharp")
    )
    assert "end out.mkv with a slash" in refused(capsys, "blur GOPRO_Large_all out.mkv")


def test_scenes_of_linear_light_are_encoded_when_asked(here, capsys):
    scene = f"rotating-camera:frames=7,height={H},width={W}"
    run(capsys, f"blur {scene} out/ --response srgb")
    light = scenes.make(scene)[:].mean(0)
    with open_recording("out") as made:
        np.testing.assert_allclose(made[0] / 65535, make_response("srgb").encode(light), atol=1e-4)


def test_pictures_are_made_when_they_are_asked_for(here):
    with open_recording("film.npy") as film:
        pictures = BlurredPictures(film, Blur("7", shutter=180))
        assert pictures.shape == (2, H, W, 3) and pictures[1].shape == (H, W, 3)
        assert MiddleFrames(pictures).shape == pictures.shape
        for settings in (
            {"average": "0"},
            {"average": "8:8"},
            {"average": "9:7"},
            {"shutter": 361},
            {"shift": -1},
            {"average": "x"},
        ):
            with pytest.raises(Refusal):
                Blur(**settings)
        with pytest.raises(Refusal, match="has 30 frames and an exposure averages 31"):
            BlurredPictures(film, Blur("31"))


def test_what_cannot_be_is_one_line(here, capsys):
    np.save("mosaic.npy", np.zeros((9, 8, 8), np.uint8))
    Path("mosaic.npy.json").write_text('{"colour": "rggb"}')
    assert "rggb mosaic" in refused(capsys, "blur mosaic.npy out/")
    assert "leave --average" in refused(capsys, "blur film.npy out/ --windows 7 --average 5")
    assert "end out.mkv with a slash" in refused(capsys, "blur film.npy out.mkv --pairs")
    assert "is the input" in refused(capsys, "blur film.npy film.npy")
    assert not Path("out").exists()
