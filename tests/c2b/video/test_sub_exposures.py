"""Film of any rate as sub-exposures, and film finer than the sensor: the light that was there, and what the record says of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

import sensors
from c2b import captures, codes, rates, scenes, streaming
from c2b.cli import main
from c2b.source import Levels, Part, Source
from c2b.video import sub_exposures
from c2b.video.finer_film import FinerFilm
from c2b.video.recording import open_recording
from sensors.optics import Optics, integrated
from sensors.refusal import Refusal

H, W = 24, 32


@pytest.fixture
def film(tmp_path):
    """Ten uint16 frames, the rate of which nobody knows."""
    path = tmp_path / "film.npy"
    np.save(path, np.random.default_rng(0).integers(0, 60000, (10, H, W), np.uint16))
    return path


def opened(film, **part):
    return Source(str(film), Levels(), Part(**part)).open()


@pytest.mark.parametrize(
    ("length", "weights"),
    [("4ms", [[0, 1, 2, 3], [4, 5, 6, 7]]), ("1ms", [[n] for n in range(10)]), ("10ms", [[*range(10)]])],
)
def test_whole_frames_are_added_up(film, length, weights):
    light = np.load(film) / 65535
    with opened(film, film_rate=1000.0, sub_exposure=length) as video:
        assert video.shape == (len(weights), H, W) and video.rate == pytest.approx(1000 / len(weights[0]))
        assert np.allclose(video[:], [light[each].mean(0) for each in weights], atol=1e-6)


def test_parts_of_frames_count_by_their_part_and_no_light_is_lost(film):
    light = np.load(film) / 65535
    with opened(film, film_rate=1000.0, sub_exposure="2.5ms") as video:
        assert len(video) == 4
        assert np.allclose(video[1], (0.5 * light[2] + light[3] + light[4]) / 2.5, atol=1e-6)
        assert np.allclose(video[:].mean(0), light.mean(0), atol=1e-6)


def test_slower_film_moves_along_the_flow_and_says_what_it_cannot_know(tmp_path):
    """Every fourth frame of a scene, as sub-exposures of its own rate: nearer to the frames left out than a neighbour is."""
    whole = scenes.make("rotating-camera:frames=13,height=48,width=64,speed=0.75,seed=2")[0:13]
    np.save(tmp_path / "slow.npy", whole[::4])
    with opened(tmp_path / "slow.npy", film_rate=250.0, sub_exposure="1ms") as video:
        assert len(video) == 16 and any("aliases" in line for line in video.notes)
        made, held = video[4:8], whole[[4, 4, 4, 8]]
    between = whole[[2, 3, 4, 5]] * 0.5 + whole[[3, 4, 5, 6]] * 0.5  # sub-exposure t is the film at t + 1/2 of these frames, less 2
    assert np.square(made - between).mean() < 0.2 * np.square(held - between).mean()


def test_fast_motion_is_told(tmp_path):
    film = scenes.make("rotating-camera:frames=3,height=96,width=128,speed=12,seed=2")[0:3]
    np.save(tmp_path / "fast.npy", film)
    with opened(tmp_path / "fast.npy", film_rate=240.0, sub_exposure="1ms") as video:
        assert any(f"beyond the {sub_exposures.LARGEST_MOTION:g}" in line for line in video.notes)


def test_the_rate_is_never_guessed(film, tmp_path):
    with pytest.raises(Refusal, match="--film-rate"):
        opened(film, sub_exposure="1ms")
    (tmp_path / "film.npy.json").write_text(json.dumps({"rate": 2000}))
    with opened(film, sub_exposure="1ms") as video:
        assert video.source["film_rate_from"] == "file" and len(video) == 5
    with opened(film, sub_exposure="1ms", film_rate=1000.0) as video:
        assert (video.source["film_rate_from"], video.source["film_rate"], len(video)) == ("given", 1000.0, 10)
    with opened(film, sub_exposure="1ms", film_rate=1000.0, frames="0:10:2") as video:
        assert video.source["film_rate"] == 500.0  # of the frames that are left


@pytest.mark.parametrize("text", ["40", "us", "-1ms", "0s", "1 hour", "nans"])
def test_a_length_of_time_has_a_unit(text):
    with pytest.raises(Refusal, match="length of time"):
        sub_exposures.seconds("--sub-exposure", text)
    assert sub_exposures.seconds("--sub-exposure", "40us") == pytest.approx(4e-5)


def test_a_capture_remembers_the_rates_and_the_sensor_has_the_sub_exposure(film, tmp_path):
    taken = tmp_path / "taken.c2b.ome.tif"
    words = "--code long:frames=2 --film-rate 1000 --sub-exposure 2ms --sensor coded-pixel"
    assert main(["simulate", str(film), str(taken), *words.split()]) == 0
    capture = captures.read_capture(taken)
    told = capture.record["source"]
    assert (told["sub_exposure"], told["film_rate"], told["film_frames_each"]) == (0.002, 1000.0, 2.0)
    assert capture.sensor.timing.sub_exposure == 0.002 and capture.record["rate"] == 500.0 and len(capture) == 2


def test_the_word_sensor_takes_its_own_sub_exposures():
    part, length = rates.agreed(Part(sub_exposure="sensor"), "cep-2019", "impulse", None)
    assert length == 0.00556 and sub_exposures.seconds("", part.sub_exposure) == length
    with pytest.raises(Refusal, match="does not say how long"):
        rates.agreed(Part(sub_exposure="sensor"), "two-bucket", "impulse", None)


def test_frames_taken_for_sub_exposures_of_another_length_are_told(film):
    chip = sensors.make("cep-2019", codes.make("impulse"))
    with opened(film, film_rate=240.0) as video:
        assert rates.remarks(video, chip)
    with opened(film) as video:
        assert not rates.remarks(video, chip)


def test_finer_film_is_spread_and_then_integrated(film, tmp_path):
    light = np.load(film).astype(np.float32) / 65535
    optics = Optics(blur=0.6, aperture=0.5, crosstalk=0.1)
    with open_recording(film) as video:
        seen = FinerFilm(video, 4, optics)[0:2]
    assert seen.shape == (2, H // 4, W // 4)
    whole = sensors.make("conventional", np.ones((1, 1, 1)), psf=Optics(blur=0.6).lens_kernel(4))
    assert np.allclose(seen, integrated(np.stack([whole.expose(frame[None])[0] for frame in light[:2]]), 4, 0.5), atol=1e-5)
    chip = sensors.make("two-bucket:blur=0.6,aperture=0.5,crosstalk=0.1", codes.make("impulse:tile=2"))
    with open_recording(film) as video:
        streaming.simulate(video, tmp_path / "taken.c2b.ome.tif", chip, seed=0, film_pixels=4)
    capture = captures.read_capture(tmp_path / "taken.c2b.ome.tif")
    assert capture.sensor.digest == chip.digest and capture.record["resize"] == [H // 4, W // 4]
