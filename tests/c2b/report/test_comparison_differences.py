"""What the rows of a comparison tell: differences that are there are found, others are not, and the best is named where it is sure."""

from __future__ import annotations

import numpy as np
import pytest

from c2b.comparison_table import Row, means, tables
from c2b.report.comparison_differences import IS_BEST, TIED, best, differences, scenes_of
from tests.c2b.test_comparison_dataframe import row

VIDEOS = {"street_1": "street", "street_2": "street", "park": "park", "shore": "shore", "tram": "tram", "yard": "yard"}


def rows_of(rng: np.random.Generator, gains: dict[str, float], seeds: int = 1, **facts) -> list[Row]:
    """A method for each gain over videos of their own difficulty; a scene, a clip and the noise of a seed do something to each."""
    scenes, found = {name: rng.normal(0, 0.4, len(gains)) for name in VIDEOS.values()}, []
    for video, scene in VIDEOS.items():
        level, clip = rng.normal(30, 4), rng.normal(0, 0.1, len(gains))
        for k, (method, gain) in enumerate(gains.items()):
            for seed in range(seeds):
                psnr = level + gain + scenes[scene][k] + clip[k] + rng.normal(0, 0.05)
                found.append(row(video=video, method=method, psnr=psnr, middle_psnr=psnr + 1, seed=seed, **facts))
    return found


def mark(rows, **words):
    return {key[-1]: said for key, said in best(rows, VIDEOS, **words).items()}


def test_intervals_of_rows_hold_the_truth_and_the_best_is_rarely_a_mistake():
    """A method that is 0.3 dB better, and two that are equal. The long form, on simulated captures, is tests/soak_comparison.py."""
    rng, held, repeats = np.random.default_rng(5), [], 300
    for _ in range(repeats):
        rows = rows_of(rng, {"new": 0.3, "old": 0.0, "same": 0.0}, seeds=2)
        told = {one.name.split()[-1]: one.by["psnr"] for one in differences(rows, "two-bucket old", VIDEOS)}
        held.append([told["new"].low <= 0.3 <= told["new"].high, not told["same"].certain])
        assert told["new"].pairs == 12 and told["new"].groups == 5
    assert (np.abs(np.mean(held, 0) - 0.95) <= 0.02 + 1e-9).all()
    equal = [IS_BEST in mark(rows_of(rng, dict.fromkeys("abcd", 0.0))).values() for _ in range(100)]
    better = [mark(rows_of(rng, {"a": 3.0, "b": 0.0, "c": 0.0})) == {"a": IS_BEST} for _ in range(100)]
    assert np.mean(equal) <= 0.05 and np.mean(better) >= 0.95


def test_the_best_and_what_is_not_told_apart_from_it_are_marked_at_each_level():
    rng = np.random.default_rng(0)
    bright = rows_of(rng, {"a": 5.0, "b": 0.0}, light=100.0, exposure_light=900.0)
    dark = rows_of(rng, {"a": 0.0, "b": 0.0, "c": -9.0}, light=20.0, exposure_light=180.0)
    fast = rows_of(rng, {"a": 9.0, "b": 0.0}, light=100.0, exposure_light=900.0, speed=2)
    found = best([*bright, *dark, *fast], VIDEOS)
    assert {(key[4:], said) for key, said in found.items()} == {
        *(((100.0, 1, "a"), IS_BEST), ((20.0, 1, "a"), TIED), ((20.0, 1, "b"), TIED), ((100.0, 2, "a"), IS_BEST))
    }
    lines = [dict(zip(columns, line, strict=True)) for columns, every, _ in tables(dark, marks=found) for line in every]
    assert [(line["method"], line["best"]) for line in lines][2] == ("c", "") and lines[0]["best"] == lines[1]["best"] == TIED
    assert all(one.key in found for one in means(bright) if one.method == "a")


def test_of_one_scene_or_of_videos_that_lack_nothing_is_marked():
    rng = np.random.default_rng(1)
    rows = rows_of(rng, {"a": 5.0, "b": 0.0})
    assert best([one for one in rows if VIDEOS[one.video] == "street"], VIDEOS) == {}
    assert best([one for one in rows if one.method == "a"], VIDEOS) == {}
    assert best([one for one in rows if (one.method == "a") == (one.video == "park")], VIDEOS) == {}
    assert scenes_of(VIDEOS, ["street_*"]) == {**{name: name for name in VIDEOS}, "street_1": "street_*", "street_2": "street_*"}


def test_codes_of_different_length_meet_at_the_light_of_an_exposure():
    rng = np.random.default_rng(2)
    short = rows_of(rng, {"a": 0.0}, code="bump:frames=8", light=20.0, exposure_light=160.0)
    long = rows_of(rng, {"a": 0.0}, code="bump:frames=16", light=10.0, exposure_light=160.0)
    assert differences([*short, *long], "best", VIDEOS) == []
    (one,) = differences([*short, *long], "two-bucket bump:frames=8 a", VIDEOS, per_exposure=True)
    assert (one.name, str(one.level)) == ("two-bucket bump:frames=16 a", " at 160 e-")


def test_a_metric_that_all_rows_have_is_compared_too():
    rng = np.random.default_rng(3)
    first = rows_of(rng, {"a": 0.0}, metrics={"flicker": 0.02, "vif": 0.5})
    second = rows_of(rng, {"b": 9.0}, metrics={"flicker": 0.01})
    (one,) = differences([*first, *second], "two-bucket a", VIDEOS)
    assert [*one.by] == ["psnr", "middle_psnr", "flicker"] and one.by["flicker"].mean == pytest.approx(-0.01)
    assert one.by["flicker"].text(4) == "-0.0100 [-0.0100, -0.0100]"
