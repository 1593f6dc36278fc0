"""Light and time in a sensor: parasitic light, loading of codes, lag; each leaves its own signature and stays one linear model."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import recon
import sensors
from c2b import codes
from sensors.refusal import Refusal
from sensors.temporal_response import lag_matrix
from sensors.timing import Timing
from sensors.two_bucket import TwoBucket

H, W, ROWS = 11, 17, 40
ORIGIN = (4, 5)
ROLLING = Timing(1e-3, loading="rolling", load_time=8e-4, rows=ROWS)
READOUT = Timing(1e-3, readout_time=0.03, rows=ROWS)
LOSSY = np.array(
    [
        [0.8, 0.1, 0.0, 0.0, 0.0, 0.0],
        [0.2, 0.7, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.1, 0.9, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.3, 0.5, 0.1, 0.0],
        [0.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        [0.1, 0.0, 0.0, 0.0, 0.0, 0.9],
    ]
)
LEAK = np.random.default_rng(5).uniform(0, 0.2, (2, ROWS, 30))

SETTINGS = {
    "parasitic": {"parasitic": 0.05},
    "parasitic-pair": {"parasitic": (0.02, 0.07), "leakage": 0.1},
    "parasitic-rows": {"parasitic": 0.01, "timing": READOUT},
    "parasitic-rows-leak-maps": {"parasitic": (0.01, 0.0), "timing": READOUT, "leakage": LEAK},
    "rolling": {"timing": ROLLING},
    "rolling-leak": {"timing": ROLLING, "leakage": (0.1, 0.05)},
    "blanked": {"timing": Timing(1e-3, loading="blanked", load_time=3e-4)},
    "lag": {"lag": 0.1},
    "lag-matrix": {"lag": LOSSY, "leakage": 0.03},
    "cell": {"cell": 2},
    "all": {"lag": 0.05, "parasitic": 0.02, "leakage": LEAK, "cell": 2, "drain": 0.1, "mismatch": 0.05,
            "timing": Timing(1e-3, 2, "rolling", 5e-4, 0.01, ROWS)},
}  # fmt: skip
CODE = codes.make("bernoulli:frames=6,tile=[3,2],seed=1")
every_setting = pytest.mark.parametrize("name", SETTINGS)


def sensor_of(name, code=CODE, **settings):
    return TwoBucket(code, **(SETTINGS[name] | settings))


def responses(sensor, shape=(H, W)):
    """A of every pixel, column by column from unit videos, (B, T, H, W)."""
    unit = np.eye(sensor.frames)[:, :, None, None] * np.ones(shape)
    return np.stack([sensor.expose(x) for x in unit], axis=1)


def light(frames, seed=3):
    return np.random.default_rng(seed).random((frames, H, W))


# One linear model ------------------------------------------------------------------------------------------------------------


@every_setting
def test_it_keeps_the_contract(name):
    assert sensors.check(sensor_of(name, origin=ORIGIN))


@every_setting
def test_the_pseudo_inverse_is_that_of_penrose(name):
    sensor, x = sensor_of(name, origin=ORIGIN), light(6)
    y = sensor.expose(x)
    shortest = sensor.pseudo_inverse(y)
    assert np.allclose(sensor.expose(shortest), y, rtol=1e-8)
    assert np.vdot(shortest, x - shortest) == pytest.approx(0, abs=1e-8 * np.vdot(x, x))


@every_setting
def test_the_gram_matrix_is_that_of_the_model(name):
    sensor = sensor_of(name, origin=ORIGIN)
    A, P = responses(sensor), light(6).astype(np.float32)
    assert np.allclose(sensor.gram(P), np.einsum("btij,tij,ctij->bcij", A, P, A), atol=1e-5)
    gram = sensor.gram()
    rows, columns = (np.arange(H) + ORIGIN[0]) % gram.shape[2], (np.arange(W) + ORIGIN[1]) % gram.shape[3]
    assert np.allclose(gram[:, :, rows[:, None], columns], np.einsum("btij,ctij->bcij", A, A), atol=1e-9)


@every_setting
def test_a_crop_sees_the_same_chip(name):
    sensor, x = sensor_of(name, origin=ORIGIN), light(6)
    part = sensor.crop(slice(3, 10), slice(2, 15))
    assert np.array_equal(part.expose(np.ascontiguousarray(x[:, 3:10, 2:15])), sensor.expose(x)[:, 3:10, 2:15])


@every_setting
def test_it_is_made_again_from_its_description(name):
    sensor = sensor_of(name)
    document, arrays = sensor.description()
    again = sensors.from_description(json.loads(json.dumps(document)), arrays)
    assert again.digest == sensor.digest == pickle.loads(pickle.dumps(sensor)).digest != TwoBucket(CODE).digest
    assert np.array_equal(again.expose(light(6)), sensor.expose(light(6)))


def test_descriptions_from_before_these_settings_are_read():
    document, arrays = TwoBucket(CODE, leakage=0.1).description()
    for key in ("lag", "parasitic", "cell", "lattice"):
        del document["settings"][key]
    document["timing"] = {"sub_exposure": 0.0, "dead_frames": 0}
    assert sensors.from_description(document, arrays).digest == TwoBucket(CODE, leakage=0.1).digest


def test_what_is_switched_off_leaves_whole_numbers_whole():
    whole = (light(6) * 255).astype(np.uint8)
    for timing in (Timing(), Timing(1e-3, loading="pipelined", load_time=1e-3)):
        sensor = TwoBucket(CODE, timing=timing)
        assert sensor.shares.dtype == np.uint8 and sensor.expose(whole).dtype == np.uint16
        assert sensor.shares.shape == (2, 6, 3, 2) and sensor.mixing.shape == (2, 2, 1, 1)


@every_setting
@pytest.mark.parametrize("consistent", [False, True])
def test_the_tile_solve_knows_it(name, consistent):
    """A scene of one value everywhere and at all times comes back, whatever the sensor does with its light."""
    sensor = sensor_of(name, codes.make("impulse:tile=[3,2]"), origin=(4, 5))
    x = np.full((6, 20, 19), 0.4, np.float32)
    video = recon.make("tile:ridge=0.01", consistent=consistent).reconstruct(sensor.capture(x, seed=0))
    assert np.abs(video - 0.4).max() < 1e-3


# Parasitic light -------------------------------------------------------------------------------------------------------------


def test_parasitic_light_grows_down_the_rows_as_in_the_worked_equation():
    """PHYSICS.md 1.2: Q_b(r) = pi_b Phi (t_exp + t_read r / H), whatever the code."""
    pi, x = (0.001, 0.004), np.random.default_rng(1).random((6, ROWS, W))
    with_light, without = (TwoBucket(CODE, timing=READOUT, parasitic=p).expose(x) for p in (pi, 0.0))
    times = 6 + 30 * np.arange(ROWS) / ROWS
    for b in range(2):
        assert np.allclose(with_light[b] - without[b], pi[b] * x.mean(0) * times[:, None], rtol=1e-6, atol=1e-12)


def test_a_closed_pixel_sees_parasitic_light_only():
    sensor = sensors.make("coded-pixel:parasitic=0.03", np.zeros((4, 2, 2)))
    assert np.allclose(sensor.expose(np.full((4, H, W), 0.5)), 4 * 0.03 * 0.5)


def test_a_row_gradient_of_four_fifths():
    """The published case: shutter efficiency 0.99997, 40 us exposure, 242 ms readout lifts the bottom rows by about 78 %."""
    timing = Timing(40e-6, readout_time=0.242 * 4.27, rows=1000)
    charge = sensors.make("conventional:parasitic=3e-5", np.ones((1, 1, 1)), timing=timing).expose(np.ones((1, 1000, 2)))
    assert charge[0, -1, 0] / charge[0, 0, 0] - 1 == pytest.approx(3e-5 * 0.242 * 4.27 / 40e-6, rel=2e-3)


# Loading of codes ------------------------------------------------------------------------------------------------------------


def test_rolling_codes_leave_a_still_scene_alone():
    still = np.broadcast_to(light(1), (6, H, W))
    assert np.allclose(sensor_of("rolling").expose(still), TwoBucket(CODE).expose(still), rtol=1e-6)


def test_a_flash_shows_how_late_each_row_is():
    """Of a flash in sub-exposure 2 under an impulse code, row r gives load_time r / rows to the code of sub-exposure 1."""
    flash = np.zeros((3, ROWS, 4))
    flash[1] = 1
    late = np.arange(ROWS) / ROWS * 0.8
    seen = [TwoBucket(np.eye(3)[s, :, None, None], timing=ROLLING).expose(flash)[0, :, 0] for s in range(3)]
    assert np.allclose(seen[0], late, atol=1e-6) and np.allclose(seen[1], 1 - late, atol=1e-6) and not seen[2].any()


def test_the_first_sub_exposure_of_a_late_row_is_steered_by_the_last_code():
    flash = np.zeros((3, ROWS, 4))
    flash[0] = 1
    last = TwoBucket(np.eye(3)[2, :, None, None], timing=ROLLING).expose(flash)[0, :, 0]
    assert np.allclose(last, np.arange(ROWS) / ROWS * 0.8, atol=1e-6)


@pytest.mark.parametrize("name", ["rolling", "lag", "cell"])
def test_the_sum_of_two_buckets_is_still_the_long_exposure(name):
    x = light(6)
    assert np.allclose(sensor_of(name, origin=ORIGIN).expose(x).sum(0), x.sum(0), rtol=1e-6)


def test_blanked_loading_loses_its_part_of_the_light():
    x = light(6)
    assert np.allclose(sensor_of("blanked").expose(x), 0.7 * TwoBucket(CODE).expose(x), rtol=1e-12)


def test_pipelined_loading_loses_and_mixes_nothing():
    x, timing = light(6), Timing(1e-3, loading="pipelined", load_time=1e-3)
    assert np.array_equal(TwoBucket(CODE, timing=timing).expose(x), TwoBucket(CODE).expose(x))


def test_a_frame_below_the_last_row_is_refused():
    with pytest.raises(Refusal, match="does not fit a chip of rows=40"):
        sensor_of("rolling", origin=(30, 0)).expose(light(6))
    with pytest.raises(Refusal, match="does not fit"):
        sensor_of("parasitic-rows", origin=(30, 0)).expose(light(6))


# Lag -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [0.1, LOSSY])
def test_lag_smears_an_impulse_by_its_matrix(lag):
    L = lag_matrix(lag, 6)
    for s in range(6):
        code = np.eye(6)[s, :, None, None]
        assert np.allclose(responses(TwoBucket(code, lag=lag), (2, 3))[0, :, 0, 0], L[:, s], atol=1e-7)


def test_one_number_of_lag_is_three_diagonals_that_lose_no_light():
    L = lag_matrix(0.1, 5)
    assert np.allclose(np.diag(L), [0.9, 0.8, 0.8, 0.8, 0.9]) and np.allclose(np.diag(L, 1), 0.1)
    assert np.array_equal(L, L.T) and np.count_nonzero(L) == 13 and np.allclose(L.sum(1), 1)


def test_a_lossy_matrix_loses_what_its_rows_lack():
    x = light(6)
    total = TwoBucket(CODE, lag=LOSSY).expose(x).sum(0)
    assert np.allclose(total, np.einsum("t,tij->ij", LOSSY.sum(1), x), rtol=1e-6)


# Cells -----------------------------------------------------------------------------------------------------------------------


def test_a_cell_repeats_each_value_of_the_code():
    x = light(6)
    dilated = CODE.repeat(2, 1).repeat(2, 2)
    assert np.array_equal(sensor_of("cell", origin=(3, 1)).expose(x), TwoBucket(dilated, origin=(3, 1)).expose(x))


# Refusals and names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"lag": -0.1}, "lag=-0.1 is out of range"),
        ({"lag": 0.6}, "lag=0.6 is out of range"),
        ({"lag": float("nan")}, "lag=nan"),
        ({"lag": np.eye(5)}, r"not one number nor a matrix \(6, 6\)"),
        ({"lag": np.eye(6) * 1.1}, "lag makes light"),
        ({"lag": np.eye(6) - 0.1}, "lag makes light"),
        ({"parasitic": 1.0}, "parasitic=1.0 is out of range"),
        ({"parasitic": (-0.1, 0)}, "out of range"),
        ({"parasitic": (float("nan"), 0)}, "out of range"),
        ({"cell": 0}, "cell=0"),
        ({"lattice": (0, 0, 0)}, "lattice="),
        ({"lattice": (2, 2, 0)}, "lattice="),
    ],
)
def test_an_impossible_setting_is_refused_in_one_line(settings, says):
    with pytest.raises(Refusal, match=says) as refused:
        TwoBucket(CODE, **settings)
    assert "\n" not in str(refused.value)


def test_parasitic_light_of_more_buckets_than_there_are_is_refused():
    with pytest.raises(Refusal, match="not one number or 2"):
        TwoBucket(CODE, parasitic=(0.1, 0.1, 0.1)).expose(light(6))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"loading": "sideways"}, "unknown loading 'sideways'; known: pipelined, rolling, blanked"),
        ({"load_time": 1e-3}, "needs sub_exposure"),
        ({"readout_time": 1e-3}, "needs sub_exposure"),
        ({"load_time": -1.0}, "not a time"),
        ({"readout_time": float("inf")}, "not a time"),
        ({"sub_exposure": 1e-3, "load_time": 2e-3}, "longer than the sub-exposure of 0.001 s"),
        ({"sub_exposure": 1e-3, "load_time": 1e-3, "loading": "blanked"}, "sub_exposure above load_time"),
        ({"sub_exposure": 1e-3, "load_time": 5e-4, "loading": "rolling"}, "loading=rolling acts row by row and needs rows"),
        ({"sub_exposure": 1e-3, "readout_time": 5e-2}, "readout_time=0.05 acts row by row and needs rows"),
        ({"rows": -1}, "rows=-1"),
    ],
)
def test_an_impossible_clock_is_refused_in_one_line(settings, says):
    with pytest.raises(Refusal, match=says) as refused:
        Timing(**settings)
    assert "\n" not in str(refused.value)


def test_every_setting_has_a_name_on_the_command_line():
    spec = "two-bucket:lag=0.1,parasitic=[0.01,0.02],cell=2,loading=rolling,load_time=1e-4,sub_exposure=1e-3,rows=90,readout_time=0.01"
    sensor = sensors.make(spec, CODE)
    assert (sensor.lag, sensor.parasitic, sensor.cell) == (0.1, (0.01, 0.02), 2)
    assert sensor.timing == Timing(1e-3, 0, "rolling", 1e-4, 0.01, 90)
