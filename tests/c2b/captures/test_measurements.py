"""Measurements of a laboratory as its programs save them: the same light from every form, or one line that names the doubt."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.io import savemat
from scipy.sparse import csc_matrix

from c2b import codes, masks
from c2b.captures import CodeMissing, read_capture, write_capture
from c2b.captures.true_frames import offset_of
from c2b.cli import main
from c2b.video import sidecar
from c2b.video.recording import open_recording
from c2b.video.writing import write_video
from sensors.coded_pixel import CodedPixel
from sensors.readout import Readout
from sensors.refusal import Refusal
from sensors.two_bucket import TwoBucket

H, W, T, N = 22, 31, 5, 3


def film(count=N * T):
    t, i, j = np.ogrid[:count, :H, :W]
    return np.rint(120 + 60 * np.sin(0.4 * i + 0.25 * j - 0.3 * t) + 50 * np.cos(0.5 * j)).astype(np.uint8)


def mask(seed=0):
    return (np.random.default_rng(seed).random((T, H, W)) < 0.5).astype(np.uint8)


def meas():
    """y = sum of mask[t] x[t], (N, H, W)."""
    return (mask() * film().reshape(N, T, H, W).astype(int)).sum(1)


def light():
    """The charge in white sub-exposures, (N, 1, H, W)."""
    return meas()[:, None] / 255


def last(array):
    return np.moveaxis(np.asarray(array), 0, -1)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("mask.npy", mask())
    return tmp_path


def run(capsys, *words):
    assert main([str(word) for word in words]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def refused(capsys, *words):
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    assert main([str(word) for word in words]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("c2b: ") and told.err.count("\n") == 1
    assert before == {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    return told.err


# meas, mask and orig of one file -------------------------------------------------------------------------------------------------

UNITS = {
    "as it should be": (meas(), mask(), film()),
    "mask of 0 and 255": (meas(), mask() * 255, film()),
    "mask of 0 and 255 as double": (meas(), mask() * 255.0, film()),
    "meas with the 255 of the mask": (meas() * 255.0, mask() * 255.0, film()),
    "meas / 255": (meas() / 255, mask(), film()),
    "meas / T": (meas() / T, mask(), film()),
    "orig as double": (meas(), mask(), film().astype(float)),
    "orig in [0, 1]": (meas(), mask(), film() / 255),
    "orig of 12 bit as double": (meas(), mask(), np.rint(film() / 255 * 4095)),
    "12 bit throughout": (
        (mask() * np.rint(film() / 255 * 4095).reshape(N, T, H, W)).sum(1),
        mask(),
        np.rint(film() / 255 * 4095),
    ),
    "calibrated mask above 1": (meas() * 1.04, mask() * 1.04, film()),
}


@pytest.mark.parametrize("unit", UNITS)
def test_the_light_is_that_of_the_true_frames_in_any_unit(here, unit):
    measured, masked, orig = UNITS[unit]
    savemat("a.mat", {"meas": last(measured), "mask": last(masked), "orig": last(orig)})
    capture = read_capture("a.mat")
    assert np.array_equal(capture.sensor.code, mask())
    assert np.allclose(capture.charge, light(), atol=2e-3) and capture.record["mask"]["meas"].startswith("as stored")


def test_the_unit_is_found_under_noise(here):
    noisy = np.random.default_rng(1).poisson(meas() / 255 * 300) / 300
    savemat("a.mat", {"meas": last(noisy), "mask": last(mask()), "orig": last(film())})
    assert read_capture("a.mat").white == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize(
    ("measured", "masked", "orig", "said"),
    [
        (meas(), mask()[::-1], film(), "this code reversed in time explains it better"),
        (meas(), np.roll(mask(), 1, 2), film(), "a column to the left explains it better"),
        (meas() + 300, mask(), film(), "--black 300"),
        (meas(), mask()[:4], film(), "orig has 5 frames for each exposure and the mask 4"),
        (meas(), mask(9), film(), "of the pattern of the code is in it"),
        (meas(), mask(), film()[:12], "3 measurements of 5 frames need 15 frames and orig has 12"),
        (meas(), mask(), film()[:, :-1], "orig is 21x31 and meas 22x31"),
    ],
)
def test_what_does_not_agree_is_refused_with_the_reason(here, capsys, measured, masked, orig, said):
    savemat("a.mat", {"meas": last(measured), "mask": last(masked), "orig": last(orig)})
    told = refused(capsys, "reconstruct", "a.mat", "r.npy")
    assert "meas, mask and orig do not agree" in told and said in told


def test_the_black_level_that_is_named_is_the_right_one(here):
    savemat("a.mat", {"meas": last(meas() + 300), "mask": last(mask()), "orig": last(film())})
    assert np.allclose(read_capture("a.mat", black=300).charge, light())
    sensor = CodedPixel(mask())
    assert offset_of(meas()[:, None] + 300, film(), sensor) == pytest.approx(300)
    assert offset_of(np.random.default_rng(0).poisson(meas()[:, None]), film(), sensor) == 0


def test_a_white_in_the_file_has_to_be_that_of_the_frames(here, capsys):
    content = {"meas": last(meas()), "mask": last(mask()), "orig": last(film())}
    savemat("a.mat", {**content, "white": 100.0})
    assert "white is 100 there, and 255" in refused(capsys, "reconstruct", "a.mat", "r.npy")
    assert np.allclose(read_capture("a.mat", white=255).charge, light())


def test_a_stated_white_is_that_of_the_truth_too(here, capsys):
    frames = np.rint(film() / 255 * 900)  # of 12 bit, and dark
    savemat("a.mat", {"meas": last((mask() * frames.reshape(N, T, H, W)).sum(1)), "mask": last(mask()), "orig": last(frames)})
    assert "white: 1023, assumed" in run(capsys, "reconstruct", "a.mat", "r.npy", "--method", "pseudo-inverse")
    run(capsys, "reconstruct", "a.mat", "w.npy", "--method", "pseudo-inverse", "--white", 4095)
    assert np.allclose(np.load("w.npy") * 4095, np.load("r.npy") * 1023)
    psnr = [json.loads(run(capsys, "score", name, "a.mat", "--json"))["psnr"] for name in ("r.npy", "w.npy")]
    assert psnr[1] - psnr[0] == pytest.approx(20 * np.log10(4095 / 1023), abs=0.2)  # both are compared in their own white


# Axes ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exposures", [1, N, T])
def test_arrays_saved_with_time_first_or_last_are_told_by_what_fits(here, exposures):
    frames = film(exposures * T)
    measured = (mask() * frames.reshape(exposures, T, H, W).astype(int)).sum(1)
    for turn in (np.asarray, last):
        savemat("a.mat", {"meas": turn(measured), "mask": turn(mask()), "orig": turn(frames)})
        np.savez("a.npz", meas=turn(measured), mask=turn(mask()), orig=turn(frames))
        for name in ("a.mat", "a.npz"):
            assert np.allclose(read_capture(name).charge, measured[:, None] / 255)
        with open_recording("a.mat") as truth:
            assert np.array_equal(truth[:], frames)


def test_two_readings_are_named_with_the_option_that_decides(here, capsys):
    square = np.random.default_rng(0).random((8, 40, 36))
    savemat("a.mat", {"meas": square, "mask": square})
    told = refused(capsys, "reconstruct", "a.mat", "r.npy")
    assert "8 exposures of 8 frames of 40x36 (--axes time-first) or 36 exposures of 36 frames of 8x40 (--axes time-last)" in told
    assert read_capture("a.mat", axes="time-first").images.shape == (8, 1, 40, 36)
    assert read_capture("a.mat", axes="time-last").images.shape == (36, 1, 8, 40)
    savemat("b.mat", {"meas": square[:4], "mask": square})  # 4x40 and 8x40 do not go together
    assert read_capture("b.mat").images.shape == (4, 1, 40, 36)
    savemat("c.mat", {"meas": last(square), "mask": last(square)})  # as the format has it, time far shorter than the picture
    assert read_capture("c.mat").images.shape == (8, 1, 40, 36)


def test_a_cube_is_settled_by_the_true_frames_or_by_the_user(here):
    code, frames = (np.random.default_rng(0).random((6, 6, 6)) < 0.5) * 1.0, np.random.default_rng(1).integers(0, 255, (36, 6, 6))
    measured = (code * frames.reshape(6, 6, 6, 6)).sum(1)
    for turn in (np.asarray, last):
        savemat("a.mat", {"meas": turn(measured), "mask": turn(code), "orig": turn(frames)})
        assert np.array_equal(read_capture("a.mat").sensor.code, code)
    with pytest.raises(Refusal, match="two ways"):
        read_capture(_saved("m.npy", measured), code=code)
    capture = read_capture("m.npy", code=last(code), axes="meas=time-first,mask=time-last")
    assert np.array_equal(capture.sensor.code, code) and np.array_equal(capture.images[:, 0], measured)
    for wrong in ("last", "meas=last", "frames=time-last"):
        with pytest.raises(Refusal, match="known: "):
            read_capture("m.npy", code=code, axes=wrong)


def _saved(name, array):
    np.save(name, array)
    return name


# Masks ---------------------------------------------------------------------------------------------------------------------------


def pictures(folder, stack, mode=lambda picture: picture):
    folder.mkdir()
    for number, picture in enumerate(stack):
        Image.fromarray(mode(picture)).save(folder / f"{number}.png")
    return folder.name


MASKS = {
    "bool": lambda: _saved("m.npy", mask().astype(bool)),
    "0/255 in 8 bit": lambda: _saved("m.npy", mask() * 255),
    "0/255 in double": lambda: _saved("m.npy", mask() * 255.0),
    "0/65535": lambda: _saved("m.npy", mask().astype(np.uint16) * 65535),
    "0/65535 in float": lambda: _saved("m.npy", mask().astype(np.float32) * 65535),
    "time last": lambda: _saved("m.npy", last(mask() * 255)),
    "Fortran order": lambda: _saved("m.npy", np.asfortranarray(last(mask()))),
    "big-endian": lambda: _saved("m.npy", mask().astype(">i4")),
    "own name in .mat": lambda: savemat("m.mat", {"mask_T1": last(mask() * 255.0), "date": 3.0}) or "m.mat",
    "time first in .mat": lambda: savemat("m.mat", {"mask": mask()}) or "m.mat",
    "Phi in .npz": lambda: np.savez("m.npz", Phi=mask(), n=np.zeros(3)) or "m.npz",
    "lone in .npz": lambda: np.savez("m.npz", last(mask())) or "m.npz",
    "stack of pages": lambda: tifffile.imwrite("m.tif", mask() * 255, photometric="minisblack") or "m.tif",
    "folder": lambda: pictures(Path("masks"), mask() * 255),
    "folder in colour": lambda: pictures(Path("masks"), mask() * 255, lambda one: np.repeat(one[..., None], 3, 2)),
}


@pytest.mark.parametrize("form", MASKS)
def test_every_form_of_a_mask_is_the_same_code(here, capsys, form):
    _saved("meas.npy", meas())
    name = MASKS[form]()
    capture = read_capture("meas.npy", code=name, white=255)
    assert np.array_equal(capture.sensor.code, mask()) and np.allclose(capture.charge, light())
    run(capsys, "convert", "meas.npy", "a.npz", "--code", name)
    assert np.array_equal(read_capture("a.npz").sensor.code, mask())


def test_a_mask_larger_than_the_frame_needs_its_origin(here, capsys):
    _saved("meas.npy", meas())
    _saved("large.npy", np.pad(mask(), ((0, 0), (2, 3), (4, 1))))
    told = refused(capsys, "reconstruct", "meas.npy", "r.npy", "--code", "large.npy")
    assert "a mask of 27x36, larger than the frames of 22x31" in told and "--origin ROW,COLUMN, 0,0 to 5,5" in told
    assert "0,0 to 5,5" in refused(capsys, "reconstruct", "meas.npy", "r.npy", "--code", "large.npy", "--origin", "6,0")
    assert "ROW,COLUMN" in refused(capsys, "reconstruct", "meas.npy", "r.npy", "--code", "large.npy", "--origin", "2")
    assert "row 2 and column 4" in run(capsys, "reconstruct", "meas.npy", "r.npy", "--code", "large.npy", "--origin", "2,4")
    savemat("a.mat", {"meas": last(meas()), "mask": last(np.pad(mask(), ((0, 0), (2, 3), (4, 1)))), "orig": last(film())})
    assert "larger than the frames" in refused(capsys, "reconstruct", "a.mat", "r.npy")
    for capture in (read_capture("meas.npy", code="large.npy", origin=(2, 4), white=255), read_capture("a.mat", origin=(2, 4))):
        assert np.allclose(capture.sensor.expose(film()[:T] / np.float32(255)), light()[0], atol=1e-5)
        assert np.allclose(capture.charge, light())


def test_a_small_mask_repeats_and_that_is_said(here, capsys):
    tile = mask()[:, :4, :5]
    _saved("meas.npy", CodedPixel(tile).expose(film().reshape(N, T, H, W))[:, 0])
    _saved("tile.npy", tile)
    assert "repeated over 22x31" in run(capsys, "reconstruct", "meas.npy", "r.npy", "--code", "tile.npy")
    for cut in (mask()[:, :-1], mask()[:, :15], np.pad(mask(), ((0, 0), (0, 2), (0, 0)))[:, :, :-1]):
        _saved("cut.npy", cut)
        assert "of one size" in refused(capsys, "reconstruct", "meas.npy", "r.npy", "--code", "cut.npy")


def test_one_picture_is_no_code_until_it_is_said_how_it_moves(here, capsys):
    moving = np.stack([np.roll(mask()[0], t, 1) for t in range(T)])
    measured = (moving * film().reshape(N, T, H, W).astype(int)).sum(1)
    savemat("a.mat", {"meas": last(measured), "mask": mask()[0], "orig": last(film())})
    told = refused(capsys, "reconstruct", "a.mat", "r.npy")
    assert "mask is one picture 22x31 while orig has 15 frames for 3 exposures" in told
    code = "shifting-mask:mask=a.mat,frames=5,step=0,across=1"
    assert f"--code {code}" in told
    assert np.allclose(read_capture("a.mat", code=code).charge, measured[:, None] / 255)
    _saved("one.npy", mask()[0])
    Image.fromarray(mask()[0] * 255).save("one.png")
    for name in ("one.npy", "one.png"):
        assert f"shifting-mask:mask={name}" in refused(capsys, "reconstruct", "a.mat", "r.npy", "--code", name)
        assert np.array_equal(codes.make(f"shifting-mask:mask={name},frames=5,step=0,across=1"), moving)
    with pytest.raises(Refusal, match="needed: one mask"):
        codes.make("shifting-mask:mask=mask.npy")
    savemat("still.mat", {"meas": last(mask()[0] * film()[:N]), "mask": mask()[0], "orig": last(film()[:N])})
    assert read_capture("still.mat").sensor.frames == 1  # MATLAB drops the last axis of a mask of one frame


def test_values_that_no_mask_has_are_named(here, capsys):
    bad = mask().astype(float)
    bad[2, 5, 7] = np.nan
    savemat("a.mat", {"meas": last(meas()), "mask": last(bad)})
    assert "mask holds 1 value not finite (NaN or infinite), the first at [5, 7, 2]" in refused(capsys, "info", "a.mat")
    for code in (bad, mask() - 2.0, meas() / 7.0):
        with pytest.raises(Refusal):
            read_capture(_saved("m.npy", meas()), code=_saved("bad.npy", code))


def test_a_tile_is_placed_by_its_phase_and_a_named_code_on_any_frame():
    assert masks.placed(np.ones((2, 3, 4)), (9, 9), (1, 2), "a") == ((1, 2), "repeated over 9x9")
    assert masks.placed(np.ones((2, 8, 8)), (9, 9), None, "a", named=True)[0] == (0, 0)


# Measurements of one's own -------------------------------------------------------------------------------------------------------

OWN = {
    "(N, H, W)": lambda: _saved("m.npy", meas()),
    "(H, W, N)": lambda: _saved("m.npy", last(meas())),
    "float": lambda: _saved("m.npy", meas().astype(np.float32)),
    "big-endian": lambda: _saved("m.npy", meas().astype(">u2")),
    "TIFF of 16 bit": lambda: tifffile.imwrite("m.tif", meas().astype(np.uint16), photometric="minisblack") or "m.tif",
    "folder of PNG": lambda: pictures(Path("m"), meas(), lambda one: one.astype(np.uint16)),
    "lone in .npz": lambda: np.savez("m.npz", meas()) or "m.npz",
    "y in .npz": lambda: np.savez_compressed("m.npz", y=meas(), Phi=mask()) or "m.npz",
    "time last in .npz": lambda: np.savez("m.npz", measurement=last(meas()), masks=last(mask() * 255)) or "m.npz",
    ".mat": lambda: savemat("m.mat", {"meas": last(meas())}) or "m.mat",
    ".mat from Python": lambda: savemat("m.mat", {"Y": meas(), "code": mask()}) or "m.mat",
}


@pytest.mark.parametrize("form", OWN)
def test_every_form_of_a_measurement_is_the_same_capture(here, capsys, form):
    name = OWN[form]()
    capture = read_capture(name, code="mask.npy", white=255)
    assert np.allclose(capture.charge, light()) and np.array_equal(capture.sensor.code, mask())
    words = ("--code", "mask.npy", "--white", 255)
    assert "15 frames of 22x31" in run(capsys, "reconstruct", name, "r.npy", "--method", "pseudo-inverse", *words)
    run(capsys, "convert", name, "a.c2b.ome.tif", *words)
    assert np.allclose(read_capture("a.c2b.ome.tif").charge, light())
    run(capsys, "reconstruct", "a.c2b.ome.tif", "s.npy", "--method", "pseudo-inverse")
    assert np.array_equal(np.load("r.npy"), np.load("s.npy"))
    told = json.loads(run(capsys, "info", name, *words, "--json"))
    assert (told["kind"], told["exposures"], told["frames per exposure"], told["white"]) == ("capture", N, T, 255)
    assert run(capsys, "info", name)  # a video, a code or a measurement: told in any case


def test_one_exposure_may_be_a_picture(here):
    Image.fromarray(meas()[0].astype(np.uint16)).save("m.png")
    for name in (_saved("m.npy", meas()[0]), "m.png"):
        assert np.allclose(read_capture(name, code=mask(), white=255).charge, light()[:1])


def test_arrays_with_true_frames_are_taken_anew_too(here, capsys):
    np.savez("m.npz", meas=np.ones((N, H, W)), mask=mask(), orig=film())
    assert "do not agree" in refused(capsys, "reconstruct", "m.npz", "r.npy")
    assert "taken anew from orig" in run(capsys, "reconstruct", "m.npz", "r.npy", "--protocol", "cacti")
    assert "no orig" in refused(
        capsys, "reconstruct", _saved("n.npy", meas()), "r.npy", "--protocol", "cacti", "--code", "mask.npy"
    )


@pytest.mark.parametrize("black", [64, np.full((H, W), 64), "64", "dark.npy", "dark.mat"])
def test_black_is_a_number_or_dark_pictures(here, black):
    np.save("dark.npy", np.full((7, H, W), 64, np.uint16))
    savemat("dark.mat", {"dark": np.full((H, W, 7), 64, np.uint16)})
    name = _saved("m.npy", (meas() + 64).astype(np.uint16))
    assert np.allclose(read_capture(name, code=mask(), white=255, black=black).charge, light())
    for wrong in (np.full((H, W), np.nan), np.zeros((H, W - 1)), "absent.npy"):
        with pytest.raises(Refusal, match="black"):
            read_capture(name, code=mask(), black=wrong)


def test_white_and_black_are_stated_for_every_format(here):
    ideal = TwoBucket(mask()).capture(film().astype(np.float32), seed=0)
    for name in ("a.c2b.ome.tif", "a.npz"):
        write_capture(name, ideal)
        again = read_capture(name, white=255, black=10)
        assert np.allclose(again.charge, (ideal.images - 10) / 255) and again.record["provenance"]["white"] == "stated"
    noisy = TwoBucket(mask(), readout=Readout(white=50, black_level=16, bits=12)).capture(film() / np.float32(255), seed=0)
    dark = np.full((H, W), 9.0)
    dark[1, 2] = 12
    np.save("bare.npy", noisy.images)
    for name in ("b.npz", "pairs/", "bare.npy"):
        if name != "bare.npy":
            write_capture(name, noisy)
        how = {"code": mask(), "sensor": "two-bucket:white=50,black_level=16,bits=12"} if name == "bare.npy" else {}
        again = read_capture(name, white=25, black=9, **how)
        assert (again.sensor.readout.white, again.sensor.readout.black_level) == (25, 9)
        assert np.allclose(again.charge, (noisy.images - 9.0) / 25) and again.record["provenance"]["white"] == "stated"
        assert np.allclose(read_capture(name, white=25, black=dark, **how).charge, (noisy.images - dark) / 25, atol=1e-5)
        assert again.record["white_dn"] == 25
    for wrong in (0, -1, np.nan, True):
        with pytest.raises(Refusal, match="white must be"):
            read_capture("a.npz", white=wrong)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("reconstruct m.npy r.npy", "needs its code: --code FILE"),
        ("convert m.npy a.c2b.ome.tif", "needs its code: --code FILE"),
        ("reconstruct folder r.npy", "needs its code: --code FILE"),
        ("reconstruct odd.npz r.npy --code mask.npy", "holds a, b; needed: meas"),
        ("reconstruct odd.npz r.npy", "a measurement is called meas there, its mask mask"),
        ("reconstruct m.npy r.npy --code mask.npy --white dark", "Invalid value"),
        ("reconstruct m.npy r.npy --code mask.npy --sensor two-bucket", '{"sensor": "coded-pixel"}'),
        ("reconstruct words.npy r.npy --code mask.npy", "numbers"),
        ("reconstruct colour r.npy --code mask.npy", "in colour"),
        ("reconstruct rgb.npy r.npy --code mask.npy", "needed: (N, H, W)"),
        ("reconstruct ours.npz r.npy --code mask.npy", "holds its own sensor and code"),
    ],
)
def test_a_doubt_is_one_line(here, capsys, line, said):
    np.savez("odd.npz", a=meas(), b=mask())
    np.save("m.npy", meas())
    np.save("words.npy", np.array([["a"]]))
    np.save("rgb.npy", np.zeros((N, H, W, 3)))
    pictures(Path("folder"), mask() * 255)
    pictures(Path("colour"), np.random.default_rng(0).integers(0, 255, (2, H, W, 3), np.uint8))
    write_capture("ours.npz", TwoBucket(mask()).capture(film(), seed=0))
    assert said in refused(capsys, *line.split())


# Sidecars ------------------------------------------------------------------------------------------------------------------------


def test_a_sidecar_says_what_the_options_say(here, capsys):
    pair = np.stack([meas(), film().reshape(N, T, H, W).astype(int).sum(1) - meas()], 1)
    np.save("m.npy", pair + 16)
    facts = {"code": "mask.npy", "sensor": "two-bucket", "white": 255, "black": 16}
    Path("m.npy.json").write_text(json.dumps(facts))
    capture = read_capture("m.npy")
    assert np.allclose(capture.charge, TwoBucket(mask()).capture(film() / np.float32(255), seed=0).images, atol=1e-5)
    assert read_capture("m.npy", white=100).white == 100
    assert json.loads(run(capsys, "info", "m.npy", "--json"))["kind"] == "capture"
    for wrong, said in (
        ({"cod": "x"}, "did you mean code"),
        ({"origin": 3}, "origin is"),
        ({"code": 3}, "a text"),
        ({"white": -2}, "above 0"),
    ):
        Path("m.npy.json").write_text(json.dumps({**facts, **wrong}))
        with pytest.raises(Refusal, match=said) as told:
            read_capture("m.npy", code="mask.npy" if "cod" in wrong else None)
        assert "m.npy.json" in str(told.value)


def bucket_pairs(folder, values, facts):
    folder.mkdir()
    for number, image in enumerate(values):
        for bucket in (0, 1):
            Image.fromarray(image[bucket].astype(np.uint16)).save(folder / f"bucket{bucket + 1}_{number}.png")
    (folder / "capture.json").write_text(json.dumps(facts))
    return folder


def test_a_folder_of_pairs_uses_the_sensor_it_names(here):
    noisy = TwoBucket(mask(), readout=Readout(white=50, black_level=16, bits=12, gain=2.0))
    taken = noisy.capture(film() / np.float32(255), seed=0)
    (here / "p").mkdir()
    spec = "two-bucket:white=50,black_level=16,bits=12,gain=2"
    np.save("p/code.npy", last(mask() * 255.0))
    for image, number in zip(taken.images, range(N), strict=True):
        for bucket in (0, 1):
            Image.fromarray(image[bucket]).save(f"p/bucket{bucket + 1}_{number}.png")
    Path("p/capture.json").write_text(json.dumps({"code": "code.npy", "sensor": spec}))
    capture = read_capture("p")
    assert capture.sensor.readout == noisy.readout and np.array_equal(capture.charge, taken.charge)
    for facts, said in (
        ({"sensr": "two-bucket"}, "unknown key 'sensr'; did you mean sensor"),
        ({"sensor": "coded-pixel"}, "has 1"),
        ({"sensor": "two-buckets"}, "did you mean two-bucket"),
        ({"sensor": spec, "white": -3}, "white must be above 0"),
        ({"bucket1_active_when_code": 2}, "is 0 or 1"),
    ):
        Path("p/capture.json").write_text(json.dumps({"code": "code.npy", **facts}))
        with pytest.raises(Refusal, match=said):
            read_capture("p")


def test_black_and_white_of_pairs_can_be_stated(here):
    folder = bucket_pairs(Path("p"), np.full((2, 2, H, W), 104), {"code": "impulse", "black": 64, "white": 80})
    assert np.allclose(read_capture(folder).charge, 0.5)
    assert np.allclose(read_capture(folder, black=4, white=100).charge, 1)
    with pytest.raises(CodeMissing):
        bucket_pairs(Path("q"), np.full((1, 2, H, W), 9), {})
        read_capture("q")


def test_an_unknown_key_of_a_sidecar_is_answered_with_a_guess(here):
    write_video("v.npy", film())
    for key, guess in (("whit", "white"), ("respone", "response"), ("colur", "colour")):
        Path("v.npy.json").write_text(json.dumps({key: 1}))
        with pytest.raises(Refusal, match=f"v.npy.json: unknown key '{key}'; did you mean {guess}"):
            open_recording("v.npy")


def test_a_sidecar_of_another_file_is_ignored_with_a_word(here, capsys):
    write_video("v.npy", film() / np.float32(510), response="none")
    write_video("w.npy", film(9), white=200)
    Path("v.npy.json").write_bytes(Path("w.npy.json").read_bytes())
    recording = open_recording("v.npy")
    assert recording.white == 1 and "v.npy.json is about a file with bytes" in recording.notes[0]
    assert main(["info", "v.npy"]) == 0 and "it is ignored" in capsys.readouterr().err
    assert open_recording("w.npy").white == 200 and not open_recording("w.npy").notes
    Path("w.npy.json").write_text('{"white": 200, "sha256": "0"}')
    assert open_recording("w.npy").white == 255 and "sha256" in open_recording("w.npy").notes[0]


def test_a_sidecar_of_another_measurement_is_ignored_with_a_word(here, capsys):
    np.save("m.npy", meas())
    Path("m.npy.json").write_text(json.dumps({"code": "mask.npy", "white": 1, "bytes": 12}))
    assert "needs its code" in refused(capsys, "reconstruct", "m.npy", "r.npy")
    told = run(capsys, "reconstruct", "m.npy", "r.npy", "--code", "mask.npy", "--white", 255)
    assert "note: m.npy.json is about a file with bytes 12" in told and "it is ignored" in told


def test_a_file_cut_short_is_no_other_file(here):
    write_video("v.npy", film())
    np.save("v.npy", film()[:7])
    with pytest.raises(Refusal, match="cut short"):
        open_recording("v.npy")
    assert set(json.loads(Path("v.npy.json").read_text())) <= set(sidecar.KEYS)


def objects(count):
    cells = np.empty(count, object)
    cells[:] = [np.ones((H, W))] * count
    return cells


def hdf5(path, **content):
    with h5py.File(path, "w") as file:
        for name, value in content.items():
            file[name] = value


NO_NUMBERS = {
    "complex.mat": (lambda path: savemat(path, {"meas": last(meas() + 1j), "mask": last(mask())}), "meas is complex"),
    "cell.mat": (lambda path: savemat(path, {"meas": objects(3), "mask": last(mask())}), "meas is a cell array"),
    "text.mat": (lambda path: savemat(path, {"meas": "none", "mask": last(mask())}), "meas is text"),
    "structure.mat": (lambda path: savemat(path, {"meas": last(meas()), "mask": {"a": 1}}), "mask is a structure"),
    "sparse.mat": (lambda path: savemat(path, {"meas": csc_matrix(meas()[0]), "mask": last(mask())}), "meas is sparse"),
    "empty.mat": (lambda path: savemat(path, {"meas": np.zeros((0, 0)), "mask": last(mask())}), "meas is empty"),
    "complex.npz": (lambda path: np.savez(path, meas=meas() + 1j, mask=mask()), "meas is complex128 values"),
    "objects.npz": (lambda path: np.savez(path, meas=objects(3), mask=mask()), "meas is Python objects"),
    "table.npz": (lambda path: np.savez(path, meas=meas(), mask=np.zeros(3, [("a", "u1")])), "mask is a table of several columns"),
    "complex.h5": (lambda path: hdf5(path, meas=meas() + 1j, mask=mask()), "meas is complex128 values"),
    "link.h5": (lambda path: hdf5(path, meas=h5py.SoftLink("/nowhere"), mask=mask()), "meas is a link to another place"),
    "empty.h5": (lambda path: hdf5(path, meas=h5py.Empty("f4"), mask=mask()), "meas is empty"),
    "group.h5": (lambda path: hdf5(path, **{"meas/run1": meas(), "mask": mask()}), "meas is a group"),
}


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_what_is_called_a_measurement_and_holds_no_numbers_is_said(here, capsys, name):
    write, said = NO_NUMBERS[name]
    write(name)
    assert f"{name}: {said}" in refused(capsys, "reconstruct", name, "x.npy")


@pytest.mark.parametrize("name", ["x.mat", "x.npz", "x.npz, time last"])
def test_masks_that_exposures_cycle_may_have_time_last(here, name):
    masks = np.stack([mask(seed) for seed in range(N)])
    taken = (masks * film().reshape(N, T, H, W).astype(int)).sum(1)
    if name == "x.npz":
        np.savez(name, meas=taken, mask=masks)
    elif name == "x.mat":
        savemat(name, {"meas": last(taken), "mask": masks.transpose(2, 3, 1, 0)})
    else:
        np.savez("x.npz", meas=taken, mask=masks.transpose(2, 3, 1, 0))
    capture = read_capture(name.partition(",")[0])
    assert np.array_equal(capture.sensor.code, masks) and np.array_equal(capture.images[:, 0], taken)


def test_a_white_in_the_file_is_one_number(here, capsys):
    for number, white in enumerate((np.nan, -3.0, [1.0, 2.0])):
        np.savez(f"{number}.npz", meas=meas(), mask=mask(), white=white)
        assert "needed: one number above 0; --white goes before it" in refused(capsys, "info", f"{number}.npz")
        assert read_capture(f"{number}.npz", white=255).white == 255
    hdf5("x.h5", meas=meas(), mask=mask(), white=250.0)
    assert read_capture("x.h5").white == 250


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64, np.uint32, np.float64])
def test_white_of_true_frames_is_that_of_their_numbers_whatever_the_type(here, dtype):
    savemat("x.mat", {"meas": last(meas()), "mask": last(mask()), "orig": last(film()).astype(dtype)})
    assert read_capture("x.mat").white == 255


def test_a_sidecar_may_have_the_mark_of_an_editor_and_no_endless_number(here):
    np.savez("x.npz", meas=meas(), mask=mask())
    Path("x.npz.json").write_text('{"white": 250}', encoding="utf-8-sig")
    assert read_capture("x.npz").white == 250
    Path("x.npz.json").write_text(f'{{"white": {"9" * 400}}}')
    with pytest.raises(Refusal, match="99999... is not a finite number"):
        read_capture("x.npz")


def test_a_dataset_whose_blocks_have_another_rank_is_not_read(here):
    """Of such a one libhdf5 asks for gigabytes."""
    with h5py.File("x.h5", "w") as file:
        file.create_dataset("meas", data=meas().astype(np.float32), chunks=(1, H, W), compression="gzip")
        file["mask"] = mask()
    sizes = struct.pack("<3Q", *meas().shape)
    content = Path("x.h5").read_bytes()
    place = content.index(b"\x01\x03" + content[(at := content.index(sizes)) - 6 : at] + sizes)
    Path("x.h5").write_bytes(content[: place + 1] + b"\x01" + content[place + 2 :])
    with pytest.raises(Refusal, match=r"meas is damaged: of shape \(\d+,\), in blocks of \(1, "):
        read_capture("x.h5")


@pytest.mark.parametrize("name", ["x.h5", "x.v73.mat"])
def test_names_that_are_no_text_are_passed_over(here, name):
    hdf5("x.h5", meas=meas(), mask=mask(), other=np.ones(3))
    content = Path("x.h5").read_bytes()
    assert content.count(b"other") == 1
    Path("x.h5").write_bytes(content.replace(b"other", b"\xff\xfeher"))
    Path("x.h5").rename(name)
    reads = read_capture(name)
    assert reads.images.shape[0] in meas().shape
