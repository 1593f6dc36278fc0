"""A camera and a source by the words of the command line, from Python: the same capture, in another process too."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from c2b import camera, streaming
from c2b.captures import read_capture
from c2b.cli import main
from c2b.sensor_file import write_sensor
from c2b.source import Levels, Part, Source
from sensors.refusal import Refusal

DOCUMENT = {
    "sensor": "two-bucket",
    "sensor_settings": {"leakage": {"value": [0.01, 0.02], "provenance": "measured"}},
    "readout": {"white": {"value": 90, "provenance": "measured"}, "read_noise": {"value": 4, "provenance": "measured"}},
}

#: Sensor, code and readout.
CAMERAS = (
    ("two-bucket:leakage=0.02", "impulse:tile=[2,3]", None),
    ("cep-2019:white=100", "mask.npy", None),
    ("conventional", "long:frames=4", "cep-2019:white=50"),
    ("bench.json:read_noise=5", "bump:frames=4,tile=2,length=2", None),
    ("two-bucket:colour=rggb", "impulse:tile=2", None),
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a film in colour, a mask and a sensor file."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.save("film.npy", rng.integers(0, 256, (14, 12, 18, 3), np.uint8))
    np.save("mask.npy", rng.integers(0, 2, (5, 12, 18), np.uint8))
    write_sensor("bench.json", DOCUMENT, {})


@pytest.mark.parametrize("words", CAMERAS, ids=[words[0] for words in CAMERAS])
def test_python_takes_the_capture_that_the_command_line_takes(here, capsys, words):
    sensor, code, readout = words
    colour = "rgb" if "colour" in sensor else "luma"
    line = ["simulate", "film.npy", "a.c2b.ome.tif", "--sensor", sensor, "--code", code, "--seed", "3", "--channels", colour]
    assert main([*line, "--frames", "1:13", "--linearize", "srgb", *(["--readout", readout] if readout else [])]) == 0
    capsys.readouterr()
    source = Source("film.npy", Levels(linearize="srgb"), Part(channels=colour, frames="1:13"))
    with source.open() as video:
        made = camera.make(sensor, code, readout, video.colour)
        capture = streaming.expose(video, made.chip, seed=3, record=made.record)
    taken = read_capture("a.c2b.ome.tif")
    assert np.array_equal(taken.images, capture.images) and taken.sensor.digest == made.digest
    assert json.loads(json.dumps(capture.record)) == taken.record


@pytest.mark.parametrize("words", CAMERAS, ids=[words[0] for words in CAMERAS])
def test_a_camera_is_the_same_after_pickling(here, words):
    made = camera.make(*words, "rgb")
    again = pickle.loads(pickle.dumps(made))
    assert again.digest == made.digest and again.record == made.record and again.name == made.name
    assert camera.make(*words, "rgb").digest == made.digest
    assert camera.make(words[0], "impulse:tile=[1,2]", words[2], "rgb").digest != made.digest


def test_light_changes_a_camera_and_its_name():
    made = camera.make("cep-2019", "impulse")
    assert made.lit(20).digest == camera.make("cep-2019:white=20", "impulse").digest != made.lit(30).digest
    assert made.lit(20).name.endswith("20 e-") and made.record["readout_spec"] == "preset"


def test_a_source_is_the_same_after_pickling_and_by_any_of_its_names(here):
    source = Source("film.npy", part=Part(frames="2:9", rows="1:11"))
    again = pickle.loads(pickle.dumps(source))
    with source.open() as one, again.open() as other:
        assert one.shape == (7, 10, 18) and np.array_equal(one[:], other[:])
    assert again.digest == source.digest == Source("./film.npy", part=Part(frames="2:9", rows="1:-1")).digest
    others = [
        replace(source, part=Part(frames="2:9")),
        replace(source, part=replace(source.part, channels="rgb")),
        replace(source, levels=Levels(white=200)),
        replace(source, levels=Levels(linearize="srgb")),
        Source("rotating-camera:frames=3,height=16,width=24"),
        Source("rotating-camera:frames=3,height=16,width=24,seed=1"),
    ]
    assert len({one.digest for one in (source, *others)}) == len(others) + 1


def test_a_changed_file_is_another_source(here):
    before = Source("film.npy").digest
    np.save("film.npy", np.load("film.npy")[::-1])
    assert Source("film.npy").digest != before


@pytest.mark.parametrize("source", [Source("absent.mkv"), Source("film.npy", part=Part(frames="0:99")), Source("no-scene")])
def test_a_source_that_cannot_be_opened_says_why(here, source):
    with pytest.raises(Refusal):
        source.open()
