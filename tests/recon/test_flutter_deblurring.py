"""Flutter-shutter deblurring: exact where the capture tells all, the published noise gain, and motion in any direction."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

import recon
import sensors
from c2b import codes
from c2b.captures import format_of
from c2b.cli import main
from recon.flutter_deblurring import FlutterDeblurring
from recon.metrics import psnr
from sensors.readout import Readout
from sensors.refusal import Refusal

RASKAR = codes.make("flutter:chips=raskar")
SHORT = codes.make("flutter:chips=1101001")
TWO = sensors.make("two-bucket:leakage=0.02", SHORT)


def picture(height, width, seed=0):
    return np.random.default_rng(seed).random((height, width), np.float32)


def moving(pic, frames, width):
    """One pixel to the right per frame."""
    start = pic.shape[1] - width
    return np.stack([pic[:, start - t : start - t + width] for t in range(frames)])


def object_film(frames, height=16, width=60, seed=0, flat=False):
    """An ellipse with texture before a background, flat or with texture, and its mask in the first frame."""
    i, j = np.mgrid[:height, : width + frames]
    shape = ((i - height / 2) / 5) ** 2 + ((j - frames - 15) / 9) ** 2 < 1
    behind = np.full((height, width), np.float32(0.3)) if flat else gaussian_filter(picture(height, width, seed), 2)
    texture = picture(height, width + frames, seed=seed + 1)
    cut = [slice(frames - t, frames - t + width) for t in range(frames)]
    return np.stack([np.where(shape[:, at], texture[:, at], behind) for at in cut]), shape[:, cut[0]]


def test_the_noise_gain_is_the_published_one():
    """PHYSICS.md 1.8, linear convolution, n = 300: Raskar's 52 chips 0.332, with their complement 0.235, the open shutter 1.608."""
    for kind, gain in (("flutter-shutter", 0.332), ("two-bucket", 0.235)):
        capture = sensors.make(kind, RASKAR).capture(np.zeros((104, 4, 70)), seed=0)
        found = FlutterDeblurring().noise_gain(capture)
        assert np.allclose(found, [[gain, 1.608]] * 2, atol=0.001)


def test_the_command_line_says_the_noise_gain(tmp_path, capsys):
    path = tmp_path / "c.c2b.ome.tif"
    capture = sensors.make("flutter-shutter", RASKAR).capture(np.zeros((52, 4, 70), np.float32), seed=0)
    format_of(path).write(path, capture.sensor, capture.images, 1, capture.record)
    assert main(["reconstruct", str(path), str(tmp_path / "v.npy"), "--method", "flutter-deblurring:length=52"]) == 0
    assert "noise gain 0.332; of a shutter open throughout 1.61" in capsys.readouterr().out


@pytest.mark.parametrize("angle", [0, 90, 180, 270, -90, 360])
def test_two_buckets_tell_the_whole_frame_exactly(angle):
    """The second bucket makes up for what has moved into the frame; motion in any of four directions."""
    film = np.rot90(moving(picture(18, 50), 7, 43), -angle // 90, (1, 2))
    capture = TWO.capture(np.ascontiguousarray(film), seed=0)
    found = FlutterDeblurring(angle=angle, smoothness=1e-3).reconstruct(capture)[0]
    assert np.abs(found - film).max() < 1e-3


@pytest.mark.parametrize("length", [14, 3.5, 7])
def test_any_length_of_motion(length):
    """A smooth picture that moves by that many pixels, exposed frame by frame where each sub-exposure smears it."""
    fine = gaussian_filter(picture(5, 900, seed=3), (0, 24))[:, :880]
    steps = np.linspace(0, length, 7 * 16, endpoint=False) + length / 224
    at = np.arange(40) * 10 + 300
    film = np.stack([np.mean([fine[:, np.rint(at - 10 * s).astype(int)] for s in part], 0) for part in steps.reshape(7, 16)])
    capture = TWO.capture(film.astype(np.float32), seed=0)
    found, wrong = (FlutterDeblurring(length=px).reconstruct(capture)[0] for px in (length, length + 2))
    assert psnr(found, film, data_range=np.ptp(film)) > max(35, 8 + psnr(wrong, film, data_range=np.ptp(film)))


def test_an_oblique_motion_is_deblurred():
    wide = gaussian_filter(picture(140, 140, seed=5), 1.0)
    wide = (wide - wide.min()) / np.ptp(wide)
    i, j = np.mgrid[40:100, 50:120].astype(float)
    angle, length = 25.0, 20.0
    down, right = length * np.sin(np.deg2rad(angle)), length * np.cos(np.deg2rad(angle))
    film = np.stack([map_coordinates(wide, (i - down * s, j - right * s), order=3) for s in (np.arange(7) + 0.5) / 7])
    film = film.astype(np.float32)
    capture = TWO.capture(film, seed=0)
    found, along = (FlutterDeblurring(length=20, angle=a).reconstruct(capture)[0] for a in (angle, 0))
    inner = np.s_[:, 5:-5, 10:-10]
    blurred = recon.make("pseudo-inverse").reconstruct(capture)[0]
    assert psnr(found[inner], film[inner], data_range=1) > 8 + psnr(blurred[inner], film[inner], data_range=1)
    assert psnr(found[inner], film[inner], data_range=1) > 8 + psnr(along[inner], film[inner], data_range=1)


@pytest.mark.parametrize(
    ("kind", "flat", "most", "whole_frame"), [("two-bucket", False, 1e-3, 0.1), ("flutter-shutter", True, 0.007, 0.01)]
)
def test_an_object_is_cut_out_of_the_background_it_moves_across(kind, flat, most, whole_frame):
    """One bucket tells the object before a flat ground (Raskar's case), two before any ground."""
    sensor = sensors.make(kind, RASKAR)
    film, mask = object_film(52, width=120, flat=flat)
    capture = sensor.capture(film, seed=0)
    found, whole = (FlutterDeblurring(mask=m).reconstruct(capture)[0] for m in (mask, None))
    assert np.abs(found - film).mean() < most and np.abs(whole - film).mean() > whole_frame


def test_a_mask_is_read_from_a_file_and_a_wrong_one_refused(tmp_path):
    film, mask = object_film(7)
    capture = TWO.capture(film, seed=0)
    np.save(tmp_path / "m.npy", mask)
    given = recon.make(f"flutter-deblurring:mask={tmp_path / 'm.npy'}").reconstruct(capture)
    assert np.array_equal(given, FlutterDeblurring(mask=mask).reconstruct(capture))
    np.save(tmp_path / "m.npy", mask[:-1])
    (tmp_path / "text.npy").write_text("no array")
    for name, says in (("m", "needed: (16, 60)"), ("text", "is not a .npy array")):
        with pytest.raises(Refusal) as refused:
            recon.make(f"flutter-deblurring:mask={tmp_path / name}.npy").reconstruct(capture)
        assert says in str(refused.value)


def test_a_saturated_sample_carries_no_weight():
    sensor = sensors.make("two-bucket", SHORT, readout=Readout(white=1000, full_well=6000, bits=12, gain=0.6))
    capture = sensor.capture(moving(picture(6, 47), 7, 40), seed=0)
    high = capture.images.copy()
    high[0, 0, 2, 20] = 4095
    found, calm = (
        FlutterDeblurring().reconstruct(type(capture)(images, sensor, capture.record)) for images in (high, capture.images)
    )
    assert np.abs(found - calm).max() < 0.2 and np.array_equal(found[..., :2, :], calm[..., :2, :])


def test_codes_that_differ_between_pixels_are_deblurred_along_rows_and_refused_obliquely():
    sensor = sensors.make("coded-pixel", codes.make("bernoulli:frames=7,tile=[3,5],seed=1"))
    smooth = gaussian_filter(picture(18, 60), (0, 3))
    film = moving(smooth, 7, 50)
    found = FlutterDeblurring().reconstruct(sensor.capture(film, seed=0))[0]
    assert psnr(found, film, data_range=np.ptp(film)) > 40
    with pytest.raises(Refusal, match="angle=30 needs one code for all pixels"):
        FlutterDeblurring(angle=30).reconstruct(sensor.capture(film, seed=0))


def test_the_fluttered_shutter_beats_the_open_one_under_noise():
    """Raskar's claim: with half the light a sharper picture, since the box loses whole frequencies."""
    pic = gaussian_filter(picture(24, 260, seed=7), 1)
    pic = (pic - pic.min()) / np.ptp(pic)
    film = moving(pic, 52, 208)
    scores = []
    for code in (RASKAR, np.ones_like(RASKAR)):
        sensor = sensors.make("flutter-shutter", code, readout=Readout(white=200, read_noise=12))
        found = FlutterDeblurring().reconstruct(sensor.capture(film, seed=0))[0]
        scores.append(psnr(found, film, data_range=1))
    assert scores[0] > scores[1] + 2


@pytest.mark.parametrize(("settings", "says"), [
    ("length=-1", "length=-1.0 is not a length"),
    ("smoothness=0", "a weight above 0"),
    ("angle=nan", "angle=nan is no number that can be meant"),
])  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(settings, says):
    with pytest.raises(Refusal) as refused:
        recon.make(f"flutter-deblurring:{settings}")
    assert says in str(refused.value) and "\n" not in str(refused.value)
