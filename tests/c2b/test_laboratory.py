"""What surrounds a session at the bench: the template of a calibration, and a white by the scene."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sensors
from c2b import codes
from c2b.calibration_folder import calibrate_folder
from c2b.calibration_template import write_template
from c2b.captures import read_capture
from c2b.captures.scene_white import scene_white, with_scene_white
from c2b.captures.unit import BRIGHTEST, ROBUST, guessed_white
from c2b.cli import main
from c2b.video.image_folder import write_png
from sensors.calibration.code_registration import gray_planes
from sensors.refusal import Refusal
from tests.handmade_calibration import Laboratory, T, open_for


def test_a_template_names_what_is_to_be_taken_and_holds_the_codes(tmp_path: Path, capsys):
    assert main(["calibrate", "--template", str(tmp_path / "bench"), "--size", "40x56"]) == 0
    with pytest.raises(Refusal, match="dark-0.npy, which is not in the folder"):
        calibrate_folder(tmp_path / "bench")  # everything but the files themselves is in order
    with Image.open(tmp_path / "bench" / "codes" / "column-1.png") as code:
        assert np.array_equal(np.asarray(code), np.tile(255 * gray_planes(56)[1], (40, 1)))
    assert len(list((tmp_path / "bench" / "codes").iterdir())) == 2 * (6 + 6)
    for words in (["--template", str(tmp_path / "bench")], ["--template", str(tmp_path / "b"), "--size", "40"], []):
        assert main(["calibrate", *words]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_a_template_that_was_filled_calibrates(tmp_path: Path):
    lab = Laboratory(tmp_path / "taken")
    for entry in write_template(tmp_path / "bench", 2, 2, T)["files"]:
        if entry["kind"] != "gray-code":
            level = {"dark": 0.0, "flat": 0.4 + 1.2 * int(entry["file"].split("-")[1].partition(".")[0] or 0), "duty": 5.0}[
                entry["kind"]
            ]
            duty = entry.get("duty", 1)
            count = round(T * (float(duty.split("/")[0]) / T if isinstance(duty, str) else duty))
            lab.save(
                entry["file"],
                lab.take(level, open_for(count), 6, entry["exposure"]),
                **{k: v for k, v in entry.items() if k != "file"},
            )
    found = calibrate_folder(lab.finish()).found
    assert found.readout["gain"].value[0] == pytest.approx(0.45, rel=0.05)
    assert found.sensor["mismatch"].value == pytest.approx(0.04, abs=0.02)


@pytest.mark.parametrize("factor", [0.1, 1.0, 10.0])
def test_white_follows_the_scene_and_not_a_hot_pixel(factor: float):
    film = np.tile(np.linspace(0.1, 1, 60, dtype=np.float32), (9, 41, 1))
    capture = sensors.make("two-bucket", codes.make("impulse:tile=3")).capture(film * np.float32(factor), seed=0)
    spoilt = capture.images.copy()
    spoilt[0, :, 7, 8] = 100 * factor
    found = with_scene_white(replace(capture, images=spoilt))
    assert scene_white(capture) == pytest.approx(factor, rel=0.05)
    assert found.record["white"] == pytest.approx(factor, rel=0.05) and found.record["provenance"]["white"].startswith(
        "assumed: "
    )
    noisy = sensors.make("cep-2019:white=400", codes.make("impulse:tile=3")).capture(film, seed=0)
    assert with_scene_white(noisy).sensor.readout.white == pytest.approx(400, rel=0.1)
    with pytest.raises(Refusal, match="dark"):
        scene_white(replace(capture, images=np.zeros_like(capture.images)))


@pytest.mark.parametrize("pairs", [False, True])
def test_white_that_nobody_states_is_not_that_of_hot_pixels(pairs: bool, tmp_path: Path):
    """Where a few samples are far brighter than all others, white is that of the scene."""
    sensor = sensors.make("two-bucket", codes.make("bernoulli:frames=4,tile=2"))
    clean = sensor.expose(np.tile(np.linspace(200, 1000, 60).round(), (2, 4, 48, 1)))
    images = clean.astype(np.uint16)
    images[:, :, 5::20, 7::30] = 60_000
    if pairs:
        for n, exposure in enumerate(images):
            for tap in (0, 1):
                write_png(tmp_path / f"bucket{tap + 1}_{n:04}.png", exposure[tap])
        capture = read_capture(tmp_path, code="bernoulli:frames=4,tile=2")
    else:
        np.save(tmp_path / "m.npy", images)
        capture = read_capture(tmp_path / "m.npy", code="bernoulli:frames=4,tile=2", sensor="two-bucket")
    assert capture.record["provenance"]["white"] == ROBUST
    expected, how = guessed_white(clean, capture.sensor)
    assert how == BRIGHTEST and expected == pytest.approx(1000) and capture.record["white"] == pytest.approx(1000, rel=0.05)
