"""Sweeps: values as they were asked for, put where they belong, and rows that tell them apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from c2b.camera_grid import CameraGrid
from c2b.cli import main
from c2b.source import Part, Source
from c2b.sweep import parse, swept, swept_numbers
from sensors.refusal import Refusal

ONE = ("--sensor", "two-bucket", "--method", "pseudo-inverse")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a film of 40 frames that moves."""
    monkeypatch.chdir(tmp_path)
    t, i, j = np.ogrid[:40, :26, :33]
    np.save("v.npy", np.rint(255 * (0.5 + 0.25 * np.sin(0.4 * i + 0.25 * j - 0.2 * t) + 0.2 * np.cos(0.5 * j))).astype(np.uint8))


def rows(capsys, *words):
    assert main(["compare", "v.npy", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)["rows"]


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("white=20:500:3", "white", (20, 100, 500)),
        ("read-noise=1:8:4", "read_noise", (1, 2, 4, 8)),
        ("leakage=0,0.01,0", "leakage", (0, 0.01)),
        ("speed=1:5:6", "speed", (1, 2, 3, 4, 5)),
    ],
)
def test_values_of_a_sweep(text, key, values):
    found = parse(text)
    assert (found.key, found.values) == (key, values)


def test_a_setting_goes_to_whatever_has_it():
    """Cameras without it are taken once; a readout that is named replaces those of the sensors."""
    grid = CameraGrid(("conventional", "two-bucket", "cep-2019:white=50"), ("impulse",))
    found, speeds = swept(grid, ["leakage=0,0.02", "speed=1,3"])
    assert found.sensors == (
        *("conventional", "two-bucket:leakage=0", "two-bucket:leakage=0.02"),
        *("cep-2019:white=50,leakage=0", "cep-2019:white=50,leakage=0.02"),
    )
    assert speeds == (1, 3) and swept_numbers(found.sensors[-1:]) == {"white": 50, "leakage": 0.02}
    noisy, _ = swept(CameraGrid(("two-bucket",), readouts=("ideal", "cep-2019")), ["read_noise=2,4", "white=10,20"])
    assert noisy.readouts == ("ideal", "cep-2019:read_noise=2", "cep-2019:read_noise=4")
    assert (noisy.sensors, noisy.lights) == (("two-bucket",), (10, 20))
    by_preset, _ = swept(CameraGrid(("two-bucket", "cep-2019")), ["read_noise=2,4"])
    assert by_preset.sensors == ("two-bucket", "cep-2019:read_noise=2", "cep-2019:read_noise=4")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--sweep white", "neither KEY=FIRST:LAST:COUNT"),
        ("--sweep white=0:10:3", "ends above 0"),
        ("--sweep white=1:10", "such as white=10:1600:6"),
        ("--sweep speed=1.5", "a whole number of times as fast"),
        ("--sweep leakge=0,1", "did you mean leakage? known: white, speed, "),
        ("--sweep leakage=0,1 --sensor conventional", "unknown setting to sweep 'leakage'; did you mean lag? known: white,"),
        ("--sweep read_noise=1,2", "add --readout cep-2019"),
        ("--sweep white=1,2 --readout cep-2019 --light 3", "both say how bright white is"),
        ("--sweep white=1,2", "add --readout cep-2019"),
        ("--sweep speed=1 --sweep speed=2", "speed stands twice"),
        ("--sweep leakage=0,0.1 --sensor two-bucket:leakage=0.2", "both set leakage"),
        ("--sweep white=1:10:3000000000", "at most 1000"),
        ("--seeds 0:3000000000", "at most 10000"),
        ("--sweep speed=2 --frames 7", "single frame"),
        ("--sweep speed=2 --frames 0:x", "is not a range"),
    ],
)
def test_what_cannot_be_swept_is_told_in_one_line(here, capsys, words, said):
    assert main(["compare", "v.npy", "--method", "pseudo-inverse", *words.split()]) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1


def test_a_film_is_as_fast_as_asked_for():
    film = Source("x.npy", part=Part(frames="4:90:2"))
    assert [film.faster(n).part.frames for n in (1, 3)] == ["4:90:2", "4:90:6"] and Source("x.npy").faster(2).part.frames == "::2"
    with pytest.raises(Refusal, match="1 or more"):
        film.faster(0)


def test_rows_of_a_sweep_are_those_of_single_runs(here, capsys):
    many = rows(capsys, *ONE, "--readout", "cep-2019", "--sweep", "white=20,300", "--sweep", "speed=1:4:3", "--report", "r")
    assert [(row["speed"], row["light"], row["exposures"]) for row in many] == [
        (speed, light, exposures) for speed, exposures in ((1, 4), (2, 2), (4, 1)) for light in (20, 300)
    ]
    (single,) = rows(capsys, *ONE, "--readout", "cep-2019", "--light", "300", "--frames", "::2")
    assert single["psnr"] == many[3]["psnr"] and single["digest"] == many[3]["digest"] and single["speed"] == 2
    still, fast = many[1]["psnr"], many[5]["psnr"]
    assert still > fast
    assert main(["compare", "v.npy", *ONE, "--readout", "cep-2019", "--sweep", "speed=1,4", "--against", "best"]) == 0
    assert "every 4 frames" in capsys.readouterr().out


def test_light_per_exposure_is_the_same_for_codes_of_any_length(here, capsys):
    words = ("--sensor", "two-bucket", "--method", "pseudo-inverse", "--readout", "cep-2019", "--light", "160")
    codes = ("--code", "bernoulli:frames=8,tile=2", "--code", "bernoulli:frames=4,tile=2")
    each = rows(capsys, *words, *codes)
    whole = rows(capsys, *words, *codes, "--light-per", "exposure")
    assert [(row["light"], row["exposure_light"]) for row in each] == [(160, 1280), (160, 640)]
    assert [(row["light"], row["exposure_light"]) for row in whole] == [(20, 160), (40, 160)]
    assert main(["compare", "v.npy", *words, *codes, "--light-per", "exposure"]) == 0
    told = capsys.readouterr().out
    assert "160 e- per exposure at white" in told and told.count("PSNR") == 1


def test_seeds_repeat_what_is_noisy(here, capsys):
    words = (*ONE, "--readout", "ideal", "--readout", "cep-2019:white=100", "--seeds", "0:3", "--report", "r")
    found = rows(capsys, *words)
    assert [(row["light"], row["seed"]) for row in found] == [(None, 0), (100, 0), (100, 1), (100, 2)]
    assert len({row["psnr"] for row in found}) == 4
    again = rows(capsys, *ONE, "--readout", "cep-2019:white=100", "--seed", "2,1")
    assert [(row["seed"], row["psnr"]) for row in again] == [(2, found[3]["psnr"]), (1, found[2]["psnr"])]
    assert main(["compare", "v.npy", *words]) == 0
    assert "seeds of the noise: 3" in capsys.readouterr().out
    for wrong in ("a", "1:", "3:3", "-1", "1.5"):
        assert main(["compare", "v.npy", *ONE, "--seeds", wrong]) == 2
        assert "seeds" in capsys.readouterr().err
    assert not Path("comparison.csv").exists()
