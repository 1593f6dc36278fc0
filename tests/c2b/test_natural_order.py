"""Names with numbers sort as the numbers do."""

from __future__ import annotations

import random

import numpy as np
import pytest
from PIL import Image

from c2b.natural_order import in_natural_order, missing
from c2b.video.recording import open_recording

SORTED = {
    "one width, all signed": [f"img{k:+06d}" for k in range(-3, 4)],
    "a minus behind another separator": [f"frame_{k}" for k in range(-12, 0)],
    "a minus that only some have": [f"frame{k}" for k in range(-12, 13)],
    "the minus sign of typography": ["x−12", "x−2", "x0", "x3"],
    "a bare number": ["-10", "-9", "0", "3"],
    "in brackets": ["shot (-3)", "shot (-2)", "shot (1)"],
    "a hyphen that joins": [f"img-{k:04d}" for k in range(1, 13)],
    "a hyphen that joins, mixed widths": [f"img-{k}" for k in range(13)],
    "dates": ["2024-01-05_-1", "2024-01-05_0", "2024-01-06_-5", "2024-11-01_-7"],
    "decimal parts": ["t_-0.5", "t_-0.25", "t_0.1", "t_0.25", "t_0.5", "t_1", "t_1.75", "t_10"],
    "two numbers with a point": ["s1.1", "s1.9", "s1.10", "s2.1"],
    "three numbers with points": ["s1.2.3", "s1.2.10", "s1.10.1"],
    "a number behind a point": ["img.0001", "img.0002", "img.0010"],
    "powers of ten": ["t=-1e-04s", "t=-2.5e-05s", "t=0.0e+00s", "t=1.5e-06s", "t=2e-05s"],
    "two numbers": ["cam1-5", "cam1-6", "cam1-10", "cam2-5"],
    "two numbers, the second signed": ["run2_-10", "run2_-9", "run2_0", "run2_1", "run10_-1"],
    "mixed widths": ["frame1", "frame2", "frame010", "frame100"],
    "longer than a float is exact": ["t90071992547409921", "t90071992547409922", "t90071992547409923"],
}


@pytest.mark.parametrize("case", SORTED)
def test_names_are_in_the_order_of_their_numbers(case):
    for seed in range(5):
        names = SORTED[case].copy()
        random.Random(seed).shuffle(names)
        assert in_natural_order(names) == SORTED[case]


MISSING = {
    ("f0001", "f0002", "f0005", "f0006", "f0007"): [3, 4],
    ("f1", "f2", "f4"): [3],
    ("x-3", "x-2", "x0", "x+1"): [-1],
    ("f010", "f020", "f030", "f050"): [40],
    ("f010", "f020", "f030"): [],
    ("cam0_f1", "cam0_f2", "cam1_f1"): [],
    ("10h59m58", "10h59m59", "11h00m00"): [],
    ("t0", "t17", "t40", "t101"): [],
    ("a1", "b2", "c4"): [],
    ("one",): [],
}


@pytest.mark.parametrize(("names", "left_out"), MISSING.items())
def test_numbers_that_a_sequence_leaves_out_are_missing(names, left_out):
    assert missing(names) == left_out


def test_a_gap_in_a_folder_of_images_is_told_when_it_is_opened(tmp_path):
    for k in (0, 1, 2, 5, 6):
        Image.fromarray(np.full((5, 8), k, np.uint8)).save(tmp_path / f"f{k:04d}.png")
    with open_recording(tmp_path) as film:
        assert film.notes == (
            "2 of the numbers in the names are missing (3 to 4); the 5 images are taken as frames that follow each other",
        )


@pytest.mark.parametrize("name", ["img{:+06d}.png", "frame_{}.png", "{}.png"])
def test_frames_before_the_trigger_come_first(tmp_path, name):
    for k in range(-12, 3):
        Image.fromarray(np.full((5, 8), 10 * (k + 12), np.uint8)).save(tmp_path / name.format(k))
    with open_recording(tmp_path) as film:
        assert film[:][:, 0, 0].tolist() == [10 * k for k in range(15)]
