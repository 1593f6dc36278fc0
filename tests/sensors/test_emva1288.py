"""Calibration against the public implementation of EMVA 1288 (the package emva1288, GPL, needs lxml), on the same frames.

``pip install emva1288 lxml``; it is not among the requirements, and without it these tests are skipped. Its version 1.0.2 calls
`numpy.asfarray`, which NumPy 2 no longer has; it is lent one here.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from sensors.calibration.characterisation import Characterisation, Stack, characterise
from sensors.calibration.stack_moments import stack_moments
from tests.handmade_calibration import READOUT

SHAPE, FRAMES, LEVELS = (96, 120), 16, np.linspace(0.6, 12.0, 14)
SENSOR = replace(READOUT, gain=0.45, dark_current=0.0, prnu=0.01, dsnu=6.0)


@pytest.fixture(scope="module")
def frames() -> dict[float, NDArray]:
    """Level to frames (L, 1, H, W) in DN."""
    found = {}
    for n, level in enumerate([0.0, *LEVELS]):
        charge = np.full((1, *SHAPE), 9 * level, np.float32)
        found[float(level)] = np.stack([SENSOR.read_out(charge, seed=2, number=FRAMES * n + k) for k in range(FRAMES)])
    return found


@pytest.fixture(scope="module")
def ours(frames: dict[float, NDArray]) -> Characterisation:
    stacks = {level: Stack(stack_moments(stack, top=2**13 - 1), level=level) for level, stack in frames.items()}
    return characterise([stacks.pop(0.0)], [*stacks.values()], bits=13, sub_exposures=9)


@pytest.fixture(autouse=True)
def _older_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "asfarray", lambda values: np.asarray(values, np.float64), raising=False)


@pytest.fixture(scope="module")
def theirs(frames: dict[float, NDArray]):
    """Their results: the temporal ones of two frames at each level, the spatial ones of all at half of saturation."""
    pytest.importorskip("lxml", reason="the package emva1288 needs lxml: pip install emva1288 lxml")
    pytest.importorskip("emva1288", reason="pip install emva1288 lxml")
    from emva1288.process.data import Data1288
    from emva1288.process.results import Results1288

    def sums(stack: NDArray) -> dict[str, NDArray]:
        y = stack[:, 0].astype(np.int64)
        return {"sum": y.sum(0), "pvar": np.square(len(y) * y - y.sum(0)).sum(0)}

    def temporal(stack: NDArray) -> dict[str, float]:
        one, other = stack[:2, 0].astype(np.float64)
        found = sums(stack[:2])
        return {"sum": float(found["sum"].sum()), "pvar": float(found["pvar"].sum()), "dmean": float(one.mean() - other.mean())}

    half = float(LEVELS[np.argmin(np.abs(LEVELS * 900 - SENSOR.full_well / 2))])
    spatial = {level: {**sums(frames[level]), "L": FRAMES} for level in (0.0, half)}
    data = {
        "width": SHAPE[1],
        "height": SHAPE[0],
        "temporal": {1.0: {level: temporal(stack) for level, stack in frames.items()}},
        "spatial": {1.0: spatial},
    }
    return Results1288(Data1288(data, loglevel=logging.ERROR).data, loglevel=logging.ERROR)


def test_gain_and_noise_agree_within_the_intervals(ours: Characterisation, theirs) -> None:
    """Theirs uses two frames of each level, and so scatters by 1 / sqrt(2 * pixels) a level; ours all of them."""
    gain, noise = ours.readout["gain"], ours.readout["read_noise"]
    for estimate, value, scatter in ((gain, theirs.K, 0.005), (noise, theirs.sigma_d, 0.01)):
        room = scatter * np.max(estimate.value)
        assert np.all(estimate.low - room < value) and np.all(value < estimate.high + room)
    assert gain.covers(SENSOR.gain).all() and noise.covers(SENSOR.read_noise).all()


def test_non_uniformities_agree_within_the_intervals(ours: Characterisation, theirs) -> None:
    for name, value in (("prnu", theirs.PRNU1288 / 100), ("dsnu", theirs.DSNU1288)):
        estimate = ours.readout[name]
        half = np.max(estimate.high - estimate.low) / 2
        assert np.all(np.abs(value - estimate.value) < 2 * half), name
