"""A measurement without true frames shows the pattern of its code: right codes pass, wrong ones are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from c2b import camera, scenes
from c2b.captures import code_pattern, read_capture, remarks, unit
from recon.mask_registration import PARAMETERS, with_mask
from sensors.coded_pixel import CodedPixel
from sensors.refusal import Refusal
from sensors.sensor import Sensor
from sensors.two_bucket import TwoBucket

H, W, T = 96, 128, 8
WHITE = 200.0


FILM = scenes.make(f"occluding-objects:frames={2 * T},height={H},width={W},seed=2")[0 : 2 * T]


def mask(seed: int = 0, side: tuple[int, int] = (H, W)) -> NDArray[np.uint8]:
    return (np.random.default_rng(seed).random((T, *side)) < 0.5).astype(np.uint8)


def taken(sensor: Sensor) -> NDArray[np.float32]:
    return WHITE * sensor.capture(FILM, seed=0).images


@pytest.mark.parametrize("kind", [CodedPixel, TwoBucket])
@pytest.mark.parametrize("electrons", [0, 20])
def test_the_share_of_the_own_code_is_one_with_and_without_noise(kind, electrons):
    sensor = kind(mask())
    images = taken(sensor)
    if electrons:
        rng = np.random.default_rng(1)
        images = rng.poisson(images / WHITE * electrons) + rng.normal(0, 5, images.shape)
    found = code_pattern.share(images, sensor)
    assert abs(found.value - 1) < 0.1
    assert code_pattern.verdict(images, sensor) == (True, "", False)


def test_an_unrelated_code_has_no_share_and_a_blurred_one_has_its_contrast():
    images = taken(CodedPixel(mask()))
    unrelated = code_pattern.share(images, CodedPixel(mask(seed=5)))
    assert abs(unrelated.value) < 0.1 < 1 - unrelated.value
    half = (0.5 * mask() + 0.25).astype(np.float32)
    assert code_pattern.share(taken(CodedPixel(half)), CodedPixel(mask())).value == pytest.approx(0.5, abs=0.06)


def test_nothing_is_said_of_a_code_that_is_open_equally_long_everywhere():
    sequential = np.eye(9, dtype=np.uint8).reshape(9, 3, 3)
    assert code_pattern.share(np.ones((2, 1, 30, 36)), CodedPixel(sequential)) is None
    blinds = np.where(np.arange(90)[:, None] % 30 < 15, 1.0, 0.02) * np.ones((90, 96))
    assert code_pattern.share(np.stack([blinds] * 2)[:, None], CodedPixel(sequential)) is None


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (lambda m: m[:, ::-1], "all of the same code upside down"),
        (lambda m: m[:, :, ::-1], "all of the same code mirrored"),
        (lambda m: np.roll(m, 1, 1), "all of the same code a row up"),
        (lambda m: np.roll(m, -1, 2), "all of the same code a column to the right"),
        (lambda m: 1 - m, "all of the same code with open and closed exchanged"),
        (lambda m: mask(seed=7), "of the pattern of the code is in it; name the code"),
        (lambda m: np.rot90(m, 2, (1, 2)), "all of the same code turned by 180 degrees"),
        (lambda m: np.roll(m, (-3, 5), (1, 2)), "all of the same code 3 rows down and 5 columns to the left"),
        (lambda m: np.roll(m, (1, -1), (1, 2)), "all of the same code a row up and a column to the right"),
    ],
)
def test_a_measurement_under_a_wrong_code_is_refused_in_words_that_help(tmp_path, how, said):
    np.save(tmp_path / "meas.npy", taken(CodedPixel(mask()))[:, 0])
    np.save(tmp_path / "code.npy", how(mask()))
    with pytest.raises(Refusal, match=said):
        read_capture(tmp_path / "meas.npy", code=tmp_path / "code.npy")


@pytest.mark.parametrize(
    ("times", "said"), [(1, "turned by 90 degrees to the right"), (-1, "turned by 90 degrees to the left")]
)
def test_a_square_mask_that_is_turned_by_90_degrees_is_named(tmp_path, times, said):
    side = (H, H)
    images = WHITE * CodedPixel(mask(side=side)).capture(FILM[:, :, :H], seed=0).images
    np.savez(tmp_path / "meas.npz", meas=images[:, 0], mask=np.rot90(mask(side=side), times, (1, 2)))
    with pytest.raises(Refusal, match=f"all of the same code {said}"):
        read_capture(tmp_path / "meas.npz")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (lambda m: m[:, ::-1], "all of the same code upside down"),
        (lambda m: m[:, ::-1, ::-1], "all of the same code turned by 180 degrees"),
        (lambda m: 1 - m, "all of the same code with open and closed exchanged"),
        (lambda m: np.roll(m, 3, 1), "all of the same code 3 rows up"),
        (lambda m: mask(seed=7), "nor much more of the same code up to 2 px off"),
    ],
)
def test_a_mask_that_no_registration_would_mend_is_refused_before_it(how, said):
    images = taken(CodedPixel(mask()))
    with pytest.raises(Refusal, match=said):
        code_pattern.refuse_beyond_registration(images, CodedPixel(np.ascontiguousarray(how(mask()))))


@pytest.mark.parametrize(
    "lies",
    [
        {},
        {"right": 1},
        {"down": -2, "right": 2},
        {"down": 0.5, "right": 1.5},
        {"down": 0.5, "right": 0.5, "blur": 0.3},
        {"rotation": 1, "right": 1.5},
        {"closed": 0.2},
    ],
    ids=str,
)
def test_a_mask_that_registration_may_find_is_left_to_it(lies):
    nominal = {name: parameter.nominal for name, parameter in PARAMETERS.items()}
    true = with_mask(CodedPixel(mask()), (H, W), nominal | lies)
    code_pattern.refuse_beyond_registration(taken(true), CodedPixel(mask()))


def test_a_tile_a_pixel_off_that_looks_like_itself_mirrored_is_left_to_registration():
    tile = np.zeros((4, 2, 2), np.uint8)
    for pixel, opened in enumerate((1, 2, 3, 4)):
        tile[:opened, pixel // 2, pixel % 2] = 1
    film = FILM[:4]
    images = WHITE * CodedPixel(tile[:, :, ::-1]).capture(film, seed=0).images
    code_pattern.refuse_beyond_registration(images, CodedPixel(tile))


def test_a_measurement_that_was_divided_by_the_open_frames_is_told(tmp_path):
    np.save(tmp_path / "meas.npy", taken(CodedPixel(mask()))[:, 0] / np.maximum(mask().sum(0), 1))
    np.save(tmp_path / "code.npy", mask())
    with pytest.raises(Refusal, match="divided by the number of frames"):
        read_capture(tmp_path / "meas.npy", code=tmp_path / "code.npy")


def test_a_black_level_that_is_left_in_is_a_note(tmp_path):
    np.savez(tmp_path / "meas.npz", meas=taken(CodedPixel(mask()))[:, 0] + 2 * WHITE, mask=mask())
    (note,) = read_capture(tmp_path / "meas.npz").record["notes"]
    assert "of the pattern of the code is in it" in note and "--black" in note
    assert "notes" not in read_capture(tmp_path / "meas.npz", black=2 * WHITE).record


def test_white_is_guessed_alike_under_a_mask_that_is_a_pixel_off(tmp_path: Path):
    images = taken(CodedPixel(mask()))
    right, off = (unit.white_by_brightest(images, CodedPixel(np.roll(mask(), by, 2))) for by in (0, 1))
    assert right == pytest.approx(WHITE, rel=0.25)
    assert right <= off < 2.2 * right


def test_a_sensor_with_a_readout_of_its_own_hides_no_wrong_code(tmp_path):
    sensor = "coded-pixel:white=400,read_noise=3"
    chip = camera.sensor_of(sensor, mask())
    np.save(tmp_path / "meas.npy", chip.capture(FILM, seed=0).images[:, 0])
    np.save(tmp_path / "code.npy", mask())
    np.save(tmp_path / "wrong.npy", 1 - mask())
    right = read_capture(tmp_path / "meas.npy", code=tmp_path / "code.npy", sensor=sensor)
    assert right.record["mask"]["meas"] == "as stored; the pattern of the code is in it"
    with pytest.raises(Refusal, match="open and closed exchanged"):
        read_capture(tmp_path / "meas.npy", code=tmp_path / "wrong.npy", sensor=sensor)


def test_a_code_without_a_pattern_cannot_be_told_from_the_measurement(tmp_path):
    np.save(tmp_path / "meas.npy", taken(CodedPixel(np.eye(8, dtype=np.uint8).reshape(8, 2, 4)))[:, 0])
    assert "cannot be told" in read_capture(tmp_path / "meas.npy", code="impulse:tile=[2,4]").record["mask"]["meas"]


@pytest.mark.parametrize(("factor", "said"), [(4.0, "4"), (0.004, "0.004")])
def test_a_white_that_the_measurement_contradicts_is_a_note(tmp_path, factor, said):
    np.savez(tmp_path / "meas.npz", meas=factor * taken(CodedPixel(mask()))[:, 0], mask=mask())
    (note,) = read_capture(tmp_path / "meas.npz", white=WHITE).record["notes"]
    assert f"under --white {WHITE:g} the brightest sample is" in note
    assert "notes" not in read_capture(tmp_path / "meas.npz", white=factor * WHITE).record


def test_samples_that_pile_up_at_one_value_are_a_note(tmp_path):
    images = taken(CodedPixel(mask()))[:, 0]
    np.savez(tmp_path / "meas.npz", meas=np.minimum(images, np.quantile(images, 0.98)), mask=mask())
    assert any("2.0% of the samples are at the largest value" in note for note in read_capture(tmp_path / "meas.npz").record["notes"])


def test_a_black_level_too_high_is_not_blamed_on_the_mask(tmp_path):
    np.savez(tmp_path / "meas.npz", meas=taken(CodedPixel(mask()))[:, 0], mask=mask())
    (note,) = read_capture(tmp_path / "meas.npz", black=0.6 * WHITE).record["notes"]
    assert "a black level that is too high" in note


def test_frames_that_no_pixel_sees_are_told():
    code = mask(side=(3, 3))
    code[[1, 4]] = 0
    assert [*remarks.unseen(CodedPixel(code))] == [
        "note: under this code no pixel sees frames 1, 4 (counted from 0): what is shown there is a guess"
    ]
    assert not [*remarks.unseen(TwoBucket(code))]


def test_a_mosaic_is_a_word_of_the_sensor(tmp_path):
    np.savez(tmp_path / "meas.npz", meas=taken(CodedPixel(mask()))[:, 0], mask=mask())
    assert read_capture(tmp_path / "meas.npz", sensor="coded-pixel:colour=rggb").sensor.colour == "rggb"


def test_a_dark_exposure_of_stated_white_is_read(tmp_path):
    np.savez(tmp_path / "meas.npz", meas=np.zeros((2, H, W), np.uint16), mask=mask())
    assert not read_capture(tmp_path / "meas.npz", white=WHITE).charge.any()


def test_a_smooth_measurement_behind_a_mask_that_is_partly_closed_is_told_without_a_warning(tmp_path):
    half = mask()
    half[:, :, W // 2 :] = 0
    np.savez(tmp_path / "meas.npz", meas=np.full((1, H, W), WHITE), mask=half)
    with pytest.raises(Refusal, match="as smooth as a picture without a code"):
        read_capture(tmp_path / "meas.npz")
