"""A capture without faults has none; each single fault is found by the figure that is about it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import sensors
from c2b import codes
from c2b.captures import write_capture
from c2b.check.bucket_balance import fitted
from c2b.check.checkup import check
from c2b.check.figure import Figure
from c2b.cli import main
from sensors.capture import Capture
from sensors.refusal import Refusal
from tests.soak_check import FAULTS, interval, session

#: Fault, session, and the figure that is about it.
SHORT = {
    "buckets swapped": (0, "roles"),
    "black of bucket 1 drifted up by 10 % of its signal": (3, "offset"),
    "a dead row": (6, "rows"),
    "0.5 % hot pixels": (5, "pixels"),
    "8 bits scaled to 12": (8, "missing_codes"),
    "an exposure twice": (9, "copies"),
    "lamp 15 % darker in one exposure": (10, "light_steps"),
    "row noise of half the pixel noise": (11, "banding"),
    "interpolated by half a pixel": (3, "noise"),
}


def test_a_clean_session_has_no_findings():
    assert [one.name for one in check(session(1, clips=[]).capture(), code=False).findings] == []


@pytest.mark.parametrize("fault", SHORT)
def test_a_fault_is_found(fault):
    number, figure = SHORT[fault]
    report = check(FAULTS[fault](session(number, clips=[])), code=False)
    assert figure in [one.name for one in report.findings]
    assert all("Usually: " in line for line in report.causes())


def test_there_are_a_dozen_faults_and_more():
    assert len(FAULTS) >= 20 and SHORT.keys() <= FAULTS.keys()


def test_balance_is_that_of_gain_and_offset():
    rng = np.random.default_rng(0)
    s = rng.uniform(0.2, 2, 4000)
    found, covariance = fitted(s, 0.05 * s - 0.02 + 0.01 * rng.normal(size=4000), np.arange(4000) // 16)
    assert np.allclose(found, [0.05, -0.02], atol=4 * np.sqrt(np.diag(covariance)).max())
    assert 1e-4 < np.sqrt(covariance[0, 0]) < 2e-3


def test_figures_say_what_is_normal():
    one = Figure("x", "parts", 0.031, -np.inf, 0.02, "a cause", percent=True)
    assert (one.shown, one.limits, one.normal, one.told) == ("3.1 %", "at most 2 %", False, True)
    assert Figure("x", "parts", None, 0, 1, "", remark="why").normal
    assert interval(0, 300)[1] < 0.0123 and interval(300, 300)[0] > 0.98


def test_the_command_tells_and_draws(tmp_path: Path, capsys):
    write_capture(tmp_path / "a.c2b.ome.tif", FAULTS["a dead row"](session(1, clips=[])))
    assert main(["check", str(tmp_path / "a.c2b.ome.tif"), "--no-code", "--plot", str(tmp_path / "a.png")]) == 0
    said = capsys.readouterr().out
    assert "rows that stand out: 1, normal 0" in said and "row 40" in said and (tmp_path / "a.png").stat().st_size > 10_000
    assert main(["check", str(tmp_path / "a.c2b.ome.tif"), "--no-code", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert not told["ok"] and {"rows", "gain", "noise"} <= {one["name"] for one in told["figures"]}


def test_a_video_of_another_capture_is_refused_and_one_that_is_wrong_has_residuals():
    one = session(0, clips=[]).capture()
    with pytest.raises(Refusal, match="needed: the video that was made of this capture"):
        check(one, np.zeros((2, 9, 98, 125), np.float32), code=False)
    found = {
        (figure.name, figure.where): figure for figure in check(one, np.zeros((3, 9, 98, 125), np.float32), code=False).figures
    }
    assert not found["residual", "bucket 0"].normal


def test_ideal_and_single_bucket_captures_are_looked_at_too():
    film = session(2, clips=[]).video
    for spec, code in (
        ("coded-pixel", "bernoulli:frames=8,tile=4"),
        ("conventional", "long:frames=8"),
    ):
        report = check(sensors.make(spec, codes.make(code)).capture(film, seed=0), code=False)
        assert not report.findings, (spec, report.causes())
    with pytest.raises(Refusal, match="no exposure"):
        check(Capture(np.zeros((0, 1, 9, 9), np.float32), sensors.make("coded-pixel", codes.make("bernoulli:frames=8,tile=4"))))
