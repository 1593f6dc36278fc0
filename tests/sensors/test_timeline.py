"""Exposures in a row: what each one sees, and that what is gathered from them is the adjoint of that."""

from __future__ import annotations

import numpy as np
import pytest

import sensors
from c2b import codes
from sensors.timeline import Timeline

ROWS = [Timeline(3, 4, 4), Timeline(3, 4, 6), Timeline(4, 5, 3), Timeline(1, 4, 7)]
every_row = pytest.mark.parametrize("row", ROWS, ids=["adjacent", "gaps", "overlapping", "single"])


@every_row
def test_a_window_is_what_is_said_to_be_seen(row):
    video = np.arange(len(row)) + 10.0
    assert np.array_equal(row.windows(video), row.seen(10)) and row.seen().max() == len(row) - 1
    assert all(np.array_equal(video[row.window(n)], row.windows(video)[n]) for n in range(row.exposures))


@every_row
def test_windows_and_their_adjoint_are_a_pair(row):
    rng = np.random.default_rng(0)
    video, windows = rng.random((len(row), 3, 2)), rng.random((row.exposures, row.frames, 3, 2))
    assert np.vdot(row.windows(video), windows) == pytest.approx(np.vdot(video, row.windows_adjoint(windows)), rel=1e-12)


@every_row
def test_each_frame_is_shown_once(row):
    assert np.array_equal(row.once(row.windows(np.arange(len(row)))), np.unique(row.seen()))


@pytest.mark.parametrize("overlap", [False, True])
def test_a_sensor_exposes_a_timeline_and_its_adjoint(overlap):
    sensor = sensors.make(f"rolling-shutter:delay=1.5,rows=40,overlap={str(overlap).lower()}", codes.make("long:frames=3"))
    row = sensor.timeline(3)
    assert sensor.exposures_in(len(row)) == 3 and row.period < row.frames if overlap else row.period == row.frames
    rng = np.random.default_rng(0)
    video, charge = rng.random((len(row), 11, 17)), rng.random((3, 1, 11, 17))
    seen = sensor.expose_timeline(video)
    assert all(np.array_equal(seen[n], sensor.expose(video[row.window(n)])) for n in range(3))
    assert np.vdot(seen, charge) == pytest.approx(np.vdot(video, sensor.expose_timeline_adjoint(charge)), rel=1e-12)
