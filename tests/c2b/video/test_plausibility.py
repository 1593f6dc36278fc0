"""Numbers held against what is declared of them: what cannot be is refused, what may be a mistake is told once."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

import tests.handmade_recordings as handmade
from c2b import codes, streaming
from c2b.captures import read_capture
from c2b.cli import main
from c2b.video.recording import open_recording, read_video
from c2b.video.writing import write_video
from sensors import make as make_sensor
from sensors.refusal import Refusal

FRAMES, H, W = 9, 20, 30


def numbers(top, least=0, dtype=np.uint16):
    values = np.random.default_rng(3).integers(least, top + 1, (FRAMES, H, W))
    values[:, 0, 0], values[:, -1, -1] = least, top
    return values.astype(dtype)


def write(path, frames):
    if path.suffix == ".npy":
        np.save(path, frames)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, frames, photometric="minisblack")
    else:
        from PIL import Image

        path.mkdir()
        for k, frame in enumerate(frames):
            Image.fromarray(frame).save(path / f"{k}.png")
    return path


PLACES = ["x.npy", "x.tif", "x"]


# Floats above 1


@pytest.mark.parametrize(("top", "likely"), [(1.5, 255), (180, 255), (1000, 1023), (4095, 4095), (65535, 65535)])
@pytest.mark.parametrize("name", PLACES[:2])
def test_floats_above_one_say_which_white_was_taken(tmp_path, name, top, likely):
    frames = np.linspace(0, top, FRAMES * H * W, dtype=np.float32).reshape(FRAMES, H, W)
    with open_recording(write(tmp_path / name, frames)) as film:
        (note,) = film.notes
        assert f"floats up to {top:g} " in note and "1 is taken" in note and f"--white {likely} " in note
        assert film.white == 1
    with open_recording(tmp_path / name, white=likely) as film:
        assert film.notes == () and film.irradiance().max() == pytest.approx(top / likely)
    (tmp_path / f"{name}.json").write_text(json.dumps({"white": likely}))
    with open_recording(tmp_path / name) as film:
        assert film.notes == () and film.white == likely


def test_floats_up_to_one_are_irradiance(tmp_path):
    frames = np.linspace(0, 1, FRAMES * H * W, dtype=np.float32).reshape(FRAMES, H, W)
    with open_recording(write(tmp_path / "x.tif", frames)) as film:
        film[:]
        assert film.notes == ()


def test_a_frame_that_nobody_looked_at_is_told_of_when_it_is_read(tmp_path):
    frames = np.zeros((FRAMES, H, W), np.float32)
    frames[2, 5, 7] = 200
    with open_recording(write(tmp_path / "x.npy", frames)) as film:
        assert film.notes == ()
        film[0:2]
        assert film.notes == ()
        film[2]
        assert len(film.notes) == 1 and "floats up to 200" in film.notes[0]


def test_what_c2b_wrote_is_not_doubted(tmp_path):
    frames = np.random.default_rng(0).normal(0.5, 2, (FRAMES, H, W)).astype(np.float32)
    write_video(tmp_path / "x.tif", frames)
    with open_recording(tmp_path / "x.tif") as film:
        film[:]
        assert film.notes == ()


# Bits


@pytest.mark.parametrize(("bits", "step"), [(14, 4), (12, 16), (10, 64)])
@pytest.mark.parametrize("name", PLACES)
def test_bits_at_the_upper_end_are_told(tmp_path, name, bits, step):
    with open_recording(write(tmp_path / name, numbers((1 << bits) - 1) * np.uint16(step))) as film:
        assert len(film.notes) == 1
        assert f"multiples of {step}: {bits} bit" in film.notes[0] and f"--white {65536 - step} " in film.notes[0]
    with open_recording(tmp_path / name, white=65536 - step) as film:
        assert film.notes == () and film.irradiance().max() == 1


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("name", PLACES)
def test_fewer_bits_than_sixteen_are_told(tmp_path, name, bits):
    with open_recording(write(tmp_path / name, numbers((1 << bits) - 1))) as film:
        assert len(film.notes) == 1 and f"{bits} bit in 16?" in film.notes[0] and f"--white {(1 << bits) - 1} " in film.notes[0]


def test_full_range_and_few_levels_leave_no_doubt(tmp_path):
    for name, frames in (
        ("a.npy", numbers(65535)),
        ("b.npy", numbers(255, dtype=np.uint8)),
        ("c.npy", numbers(1) * np.uint16(65535)),
    ):
        with open_recording(write(tmp_path / name, frames)) as film:
            assert film.notes == (), name


def raw(path, frames, pixel_format, **layout):
    path.write_bytes(frames.tobytes())
    facts = {"pixel_format": pixel_format, "width": W, "height": H, **layout}
    path.with_name(path.name + ".json").write_text(json.dumps({"layout": facts}))
    return path


DECLARED = {
    "packed dump": lambda path, frames: raw(path / "x.raw", frames, "Mono10"),
    "norpix": lambda path, frames: handmade.write_seq(path / "x.seq", frames, real_bits=10),
    "phantom": lambda path, frames: handmade.write_cine(path / "x.cine", frames, bits=10),
    "photron": lambda path, frames: handmade.write_mraw(path / "x", frames, 16, effective=10),
    "ome": lambda path, frames: ome(path / "x.ome.tif", frames, 10),
}


def ome(path, frames, bits):
    tifffile.imwrite(path, frames, photometric="minisblack", metadata={"axes": "TYX", "SignificantBits": bits})
    return path


@pytest.mark.parametrize("make", DECLARED.values(), ids=DECLARED)
def test_numbers_beyond_the_declared_bits_prove_the_declaration_wrong(tmp_path, make):
    frames = numbers(1023)
    with open_recording(make(tmp_path, frames)) as film:
        assert film.white == 1023 and film[:].max() == 1023 and not any("bit" in line for line in film.notes)
    frames[5, 3, 4] = 1500
    with open_recording(make(tmp_path, frames)) as film:
        assert film[:5].max() == 1023
        with pytest.raises(Refusal, match="frame 5 holds 1500 and the file declares 10 bit, at most 1023.*--white 2047"):
            film[:]
        with pytest.raises(Refusal, match="frame 5"):
            film.window(rows=slice(10, 12)).irradiance()
    with open_recording(make(tmp_path, frames), white=2047) as film:
        assert film[:].max() == 1500


def test_the_other_byte_order_and_the_upper_end_are_named_where_they_would_fit(tmp_path):
    with (
        open_recording(raw(tmp_path / "x.raw", numbers(4095).byteswap(), "Mono12")) as film,
        pytest.raises(Refusal, match="exchanged they would fit: the other endianness"),
    ):
        film[0]
    with open_recording(raw(tmp_path / "x.raw", numbers(4095).byteswap(), "Mono12", endianness="big")) as film:
        assert np.array_equal(film[:], numbers(4095))
    with (
        open_recording(raw(tmp_path / "x.raw", numbers(4095) * np.uint16(16), "Mono12")) as film,
        pytest.raises(Refusal, match="multiples of 16, so the bits are at the upper end: state it: --white 65520"),
    ):
        film[0]


# Black


@pytest.mark.parametrize(
    ("black", "least", "where"), [(0, 512, "above"), (64, 900, "above"), (2048, 100, "below"), (64, 64, None)]
)
def test_darkest_samples_far_from_the_black_level_are_told(tmp_path, black, least, where):
    frames = numbers(4000, least)
    with open_recording(handmade.write_cine(tmp_path / "x.cine", frames, bits=12, black=black, white=4064)) as film:
        if where is None:
            assert film.notes == ()
        else:
            assert len(film.notes) == 1 and f"far {where} the black level {black}" in film.notes[0] and "--black" in film.notes[0]


def test_noise_around_black_and_a_few_dead_pixels_are_no_doubt(tmp_path):
    frames = np.random.default_rng(0).normal(64, 8, (FRAMES, 100, 120)).clip(0).astype(np.uint16)
    frames[:, :50] += numbers(3900)[:, :1, :1]
    frames[:, 3, 3] = 0
    with open_recording(handmade.write_cine(tmp_path / "x.cine", frames, bits=12, black=64, white=4064)) as film:
        assert film.notes == ()


def test_samples_far_above_a_stated_white_are_told(tmp_path):
    with open_recording(write(tmp_path / "x.npy", numbers(4095) * np.uint16(16)), white=4095) as film:
        assert any("of the samples lie above white, 4095, up to 65520" in line for line in film.notes)


def test_floats_centred_on_zero_are_told(tmp_path):
    frames = np.linspace(-1, 1, FRAMES * H * W, dtype=np.float32).reshape(FRAMES, H, W)
    with open_recording(write(tmp_path / "x.npy", frames)) as film:
        assert any("far below the black level 0" in line for line in film.notes)
    with open_recording(tmp_path / "x.npy", black=-1, white=1) as film:
        assert film.notes == () and film.irradiance().min() == 0


# Byte order


@pytest.mark.parametrize("kind", ["u2", "f2", "f4", "f8"])
@pytest.mark.parametrize("order", "<>")
def test_arrays_of_either_byte_order_are_the_same_video(tmp_path, kind, order):
    frames = numbers(2000).astype(kind)
    np.save(tmp_path / "x.npy", frames.astype(order + kind))
    tiff = frames.astype("f4") if kind == "f2" else frames
    tifffile.imwrite(tmp_path / "x.tif", tiff.astype(order + tiff.dtype.str[1:]), byteorder=order, photometric="minisblack")
    for name in ("x.npy", "x.tif"):
        with open_recording(tmp_path / name, white=4095) as film:
            assert film[1:3].dtype.isnative and np.array_equal(film[1:3], frames[1:3])
            assert film.irradiance().max() == np.float32(2000 / 4095)


def test_frames_of_the_other_byte_order_are_written(tmp_path):
    write_video(tmp_path / "x.tif", numbers(2000).astype(">u2"), white=4095)
    with open_recording(tmp_path / "x.tif") as film:
        assert np.array_equal(film[:], numbers(2000)) and film.white == 4095


# How a user is told


def run(capsys, *words):
    assert main([*map(str, words)]) == 0
    return capsys.readouterr()


def test_a_note_is_one_line_on_standard_error_and_stays_in_the_record(tmp_path, capsys):
    film, capture = write(tmp_path / "x.tif", numbers(4095)), tmp_path / "x.c2b.ome.tif"
    told = run(capsys, "simulate", film, capture, "--sensor", "coded-pixel")
    assert told.err.startswith(f"c2b: note: {film}: no value is above 4095") and told.err.count("\n") == 1
    assert "no value is above 4095" in read_capture(capture).record["notes"][0]
    facts = json.loads(run(capsys, "info", film, "--json").out)
    assert "no value is above 4095" in facts["notes"][0]
    assert "--white 4095" in run(capsys, "info", film).out
    told = run(capsys, "simulate", film, capture, "--sensor", "coded-pixel", "--white", 4095)
    assert told.err == "" and "notes" not in read_capture(capture).record


def test_a_refusal_stays_one_line(tmp_path, capsys):
    film = write(tmp_path / "x.tif", numbers(4095))
    assert main(["simulate", str(film), str(tmp_path / "x.c2b.ome.tif"), "--frames", "0:99"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_numbers_that_cannot_be_leave_no_capture(tmp_path, capsys):
    film = raw(tmp_path / "x.raw", numbers(60000), "Mono10")
    for words in (["simulate", film, tmp_path / "x.c2b.ome.tif"], ["info", film], ["convert", film, tmp_path / "y.tif"]):
        assert main([*map(str, words)]) == 2
        told = capsys.readouterr()
        assert told.err.count("\n") == 1 and "declares 10 bit" in told.err and told.out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.raw", "x.raw.json"]
    assert json.loads(run(capsys, "info", film, "--white", 65535, "--json").out)["white"] == 65535


def test_notes_of_a_window_are_those_of_the_whole(tmp_path):
    with open_recording(write(tmp_path / "x.tif", numbers(4095))) as film:
        part = film.window(frames=slice(0, 3), rows=slice(2, 9))
        assert part.notes == film.notes != ()
        part.note("taken twice")
        part.note("taken twice")
        assert film.notes.count("taken twice") == 1


# White and black can be stated for every format


def container(path, frames):
    write_video(path / "x.mkv", (frames >> 4).astype(np.uint8))
    (path / "x.mkv.json").unlink()
    return path / "x.mkv"


def dng(path, frames):
    tags = [(50706, 1, 4, bytes((1, 4, 0, 0)), True), (33421, 3, 2, (2, 2), True), (33422, 1, 4, bytes((0, 1, 1, 2)), True)]
    tifffile.imwrite(path / "x.dng", frames[0], photometric=32803, metadata=None, extratags=tags)
    return path / "x.dng"


def scene(path, frames):
    from scipy.io import savemat

    savemat(path / "x.mat", {"orig": np.moveaxis(frames, 0, -1)})
    return path / "x.mat"


EVERY = {
    "npy": lambda path, frames: write(path / "x.npy", frames),
    "float npy": lambda path, frames: write(path / "x.npy", frames.astype(np.float32)),
    "tiff": lambda path, frames: write(path / "x.tif", frames),
    "float tiff": lambda path, frames: write(path / "x.tif", frames.astype(np.float32)),
    "folder": lambda path, frames: write(path / "x", frames),
    "container": container,
    "dng": dng,
    "sci scene": scene,
    **{name: DECLARED[name] for name in ("norpix", "phantom", "photron")},
    "packed dump": lambda path, frames: raw(path / "x.raw", frames, "Mono16"),
}


@pytest.mark.parametrize("make", EVERY.values(), ids=EVERY)
def test_white_and_black_can_be_stated_for_every_format(tmp_path, make, capsys):
    path = make(tmp_path, numbers(1000, 40))
    with open_recording(path) as film:
        stored = film[:].astype(float)
    expected = (stored - 20) / (900 - 20)
    np.testing.assert_allclose(read_video(path, white=900, black=20), expected, atol=1e-6)
    facts = json.loads(run(capsys, "info", path, "--white", 900, "--black", 20, "--json").out)
    assert (facts["kind"], facts["white"], facts["black"]) == ("video", 900, 20)
    if len(stored) < FRAMES:
        return
    sensor = make_sensor("coded-pixel", codes.make("impulse:tile=3"))
    with open_recording(path, white=900, black=20) as film:
        grey = film if film.colour == "mono" else film.window(channels="luma")
        wanted = streaming.expose(grey, sensor, seed=0).images
        light = grey.irradiance()
    capture = tmp_path / "x.c2b.ome.tif"
    run(capsys, "simulate", path, capture, "--sensor", "coded-pixel", "--white", 900, "--black", 20)
    assert np.array_equal(read_capture(capture, verify=False).images, wanted)
    assert np.abs(wanted).max() == pytest.approx(light.max(), abs=1e-5)


def test_a_video_is_scored_and_compared_in_the_levels_it_was_simulated_in(tmp_path, capsys):
    film = write(tmp_path / "x.tif", (numbers(800, 100).astype(np.float32)))
    capture, made = tmp_path / "x.c2b.ome.tif", tmp_path / "r.npy"
    levels = ("--white", "1000", "--black", "100")
    run(capsys, "simulate", film, capture, "--sensor", "two-bucket", "--code", "long:frames=1", *levels)
    run(capsys, "reconstruct", capture, made, "--method", "pseudo-inverse")
    alone = json.loads(run(capsys, "score", made, film, "--json").out)
    stated = json.loads(run(capsys, "score", made, film, *levels, "--json").out)
    assert alone["psnr"] is stated["psnr"] is None  # infinite
    assert alone["ssim"] == stated["ssim"] == pytest.approx(1)
    words = ("--sensor", "conventional", "--code", "long:frames=1", "--method", "pseudo-inverse", "--json")
    compared = json.loads(run(capsys, "compare", film, *words, *levels).out)
    assert compared["mean"][0]["ssim"] == pytest.approx(1)


def test_a_converted_video_keeps_its_stated_levels(tmp_path, capsys):
    film = write(tmp_path / "x.tif", numbers(200, dtype=np.float32))
    run(capsys, "convert", film, tmp_path / "y.mkv", "--white", 255)
    assert np.array_equal(open_recording(tmp_path / "y.mkv")[:], numbers(200))
