"""How a full-resolution mask lies is told by the capture; another mask is refused, and slots alone before a still scene are unsure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.io import loadmat
from scipy.ndimage import gaussian_filter, shift

import sensors
from c2b import codes
from c2b.cli import main
from recon.code_arrangement import TURNS
from recon.mask_arrangement import align
from sensors.capture import Capture
from sensors.readout import Readout
from sensors.refusal import Refusal
from tests.stored_data import data

H, W, T = 80, 92, 5
MASK = codes.make(f"bernoulli:frames={T},tile=[{H},{W}],seed=4")
#: Every pixel is open once.
SLOTS = (np.random.default_rng(3).integers(0, T, (H, W)) == np.arange(T)[:, None, None]).astype(np.uint8)


def film(frames=2 * T, step=(0.8, -0.5), size=(H, W)):
    """Texture that moves."""
    wide = gaussian_filter(np.random.default_rng(0).random((size[0] + 40, size[1] + 40)), 2)
    wide = (wide - wide.min()) / np.ptp(wide)
    return np.stack([shift(wide, np.multiply(t, step), order=1)[20:-20, 20:-20] for t in range(frames)]).astype(np.float32)


def believed(capture, turn="", by=(0, 0), *, exchanged=False, backward=False):
    code = np.roll(TURNS[turn](capture.sensor.code), by, (-2, -1))
    code = code[..., ::-1, :, :] if backward else code
    return replace(capture, sensor=replace(capture.sensor, code=np.ascontiguousarray(1 - code if exchanged else code)))


@pytest.mark.parametrize(
    ("kind", "turn", "by", "exchanged", "backward"),
    [
        ("coded-pixel", "mirrored", (3, -5), True, False),
        ("two-bucket", "turned by 180 degrees", (-17, 30), True, True),
        ("two-bucket", "", (0, 0), False, False),
    ],
)
def test_a_mask_that_lies_otherwise_is_found(kind, turn, by, exchanged, backward):
    capture = sensors.make(kind, MASK, readout=Readout(white=200, read_noise=5)).capture(film(), seed=1)
    found = align(believed(capture, turn, by, exchanged=exchanged, backward=backward))
    assert found.sure and found.order == "told" and np.array_equal(found.capture.sensor.code, MASK)
    assert bool(found.how) == bool(turn or any(by) or exchanged or backward)
    assert ("buckets exchanged" in found.how) == exchanged and ("reverse order" in found.how) == backward


def test_a_square_mask_may_be_transposed_and_a_larger_one_lies_anywhere():
    square = MASK[:, :, :H]
    capture = sensors.make("two-bucket", np.ascontiguousarray(square)).capture(film(T, size=(H, H)), seed=1)
    found = align(believed(capture, "transposed", (2, 7)))
    assert np.array_equal(found.capture.sensor.code, square) and found.order == "unknown"
    assert any("may be reversed" in line for line in found.lines)
    part = replace(capture.sensor, code=MASK, origin=(10, 10)).capture(film(T, size=(60, 66)), seed=1)
    moved = align(replace(part, sensor=replace(part.sensor, origin=(4, 19))))
    assert moved.how == "moved by 6 rows up and 9 columns right"
    there, here = (one.sensor.exposure.on_pixels(60, 66) for one in (part, moved.capture))
    assert np.array_equal(there, here)


def test_slots_alone_are_told_by_what_moves_and_by_nothing_else():
    sensor = sensors.make("coded-pixel", SLOTS)
    moving, still = (sensor.capture(film(T, step), seed=1) for step in ((1.5, -1.0), (0.0, 0.0)))
    found = align(believed(moving, "mirrored", (4, 2)))
    assert found.sure and np.array_equal(found.capture.sensor.code, SLOTS)
    unsure = align(believed(still, "mirrored", (4, 2)))
    assert not unsure.sure and not unsure.how and "UNSURE" in unsure.lines[0]


def test_codes_that_take_turns_may_begin_with_another():
    both = np.stack([MASK, codes.make(f"bernoulli:frames={T},tile=[{H},{W}],seed=7")])
    capture = sensors.make("coded-pixel", both).capture(film(), seed=1)
    found = align(replace(capture, sensor=replace(capture.sensor, code=both[::-1])))
    assert found.sure and found.how == "with its code 2 first" and np.array_equal(found.capture.sensor.code, both)


def test_another_mask_is_refused():
    other = codes.make(f"bernoulli:frames={T},tile=[{H},{W}],seed=9")
    capture = sensors.make("two-bucket", MASK).capture(film(T), seed=1)
    with pytest.raises(Refusal, match="no arrangement of this mask explains the capture") as why:
        align(Capture(capture.images, replace(capture.sensor, code=other)))
    assert "\n" not in str(why.value)


def test_a_tile_is_left_to_its_own_evidence():
    with pytest.raises(Refusal, match="too small to tell how the code lies"):
        align(sensors.make("two-bucket", codes.make("impulse:tile=2")).capture(np.zeros((4, 6, 6), np.float32), seed=0))


def test_a_real_capture_without_its_mask_is_refused(tmp_path, capsys):
    meas = loadmat(data("real/meas_duomino_cr_10.mat"))["meas"][:144, :144, 0]
    np.save(tmp_path / "meas.npy", meas)
    words = ["reconstruct", str(tmp_path / "meas.npy"), str(tmp_path / "x.npy"), "--code", "bernoulli:frames=10,tile=144"]
    assert main([*words, "--align-code"]) == 2
    assert "no arrangement of this mask explains the capture" in capsys.readouterr().err
