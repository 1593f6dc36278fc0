"""The command line: what succeeds says so, a mistake is one line and leaves nothing, an interruption leaves nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sensors
from c2b.cli import COMMANDS, main
from c2b.video.recording import open_recording, read_video
from c2b.video.writing import write_video
from recon import weight_file
from sensors import preset
from sensors.refusal import Refusal
from tests.stored_data import data

FRAMES, HEIGHT, WIDTH = 20, 14, 23  # two exposures of nine frames, two frames over; no multiples of the tile
CAPTURE = "v.c2b.ome.tif"


def cut(path: str, part: float) -> bytes:
    content = Path(path).read_bytes()
    return content[: int(len(content) * part)]


def tree() -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in Path().rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One folder with good and bad files of every kind, for tests that write nothing."""
    folder, rng, before = tmp_path_factory.mktemp("cli"), np.random.default_rng(0), Path.cwd()
    os.chdir(folder)
    video = rng.integers(0, 256, (FRAMES, HEIGHT, WIDTH), np.uint8)
    arrays = {
        "v": video,
        "short": video[:5],
        "flat": np.full((9, 7, 8), 0.5, np.float32),
        "nan": np.where(np.arange(18)[:, None, None] == 13, np.nan, rng.random((18, 6, 6))).astype(np.float32),
        "page": np.zeros((5, 6)),
        "whole": np.zeros((9, 5, 6), np.int64),
        "zero-white": video,
        "torn-sidecar": video,
        "odd-record": video[:9],
        "fewer": video[:9],
        "cycle": rng.integers(0, 2, (2, 9, 3, 3), np.uint8),
    }
    for name, array in arrays.items():
        np.save(f"{name}.npy", array)
    for name, text in {
        "zero-white": '{"white": 0}',
        "torn-sidecar": "{",
        "odd-record": '{"record": {"crop": "x"}}',
        "fewer": '{"frames": 20}',
    }.items():
        Path(f"{name}.npy.json").write_text(text)
    for name in ("empty.mkv", "empty.npy", "empty.c2b.ome.tif"):
        Path(name).touch()
    for name in ("text.mp4", "text.txt", "text.c2b.ome.tif"):
        Path(name).write_text("no video " * 40)
    for name in ("nothing", "uneven", "folder.npy"):
        Path(name).mkdir()
    for number in range(9):
        Image.fromarray(np.zeros((6, 9 if number == 4 else 8), np.uint8)).save(f"uneven/{number}.png")
    Image.fromarray(rng.integers(0, 2, (27, 3), np.uint8) * 255).save("mask.png")
    assert main(["simulate", "v.npy", CAPTURE]) == 0
    assert main(["simulate", "v.npy", "small.c2b.ome.tif", "--rows", "0:2"]) == 0
    assert main(["reconstruct", CAPTURE, "r.npy"]) == 0
    write_video("v.mp4", video)
    Path("cut.npy").write_bytes(cut("v.npy", 0.5))
    Path("cut.mp4").write_bytes(cut("v.mp4", 0.5))
    weights = weight_file.SHIPPED / "coded.safetensors"
    Path("cut.safetensors").write_bytes(cut(str(weights), 0.5))
    Path("half.c2b.ome.tif").write_bytes(cut(CAPTURE, 0.5))
    Path("tail.c2b.ome.tif").write_bytes(Path(CAPTURE).read_bytes()[:-300])
    tampered = bytearray(Path(CAPTURE).read_bytes())
    tampered[len(tampered) // 4] ^= 255
    Path("tampered.c2b.ome.tif").write_bytes(tampered)
    os.chdir(before)
    return folder


@pytest.fixture
def here(made, monkeypatch):
    monkeypatch.chdir(made)


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty folder with one video, for tests that write."""
    monkeypatch.chdir(tmp_path)
    np.save("v.npy", np.random.default_rng(1).integers(0, 256, (FRAMES, HEIGHT, WIDTH), np.uint8))


def run(capsys, *words: str) -> str:
    assert main(words) == 0
    told = capsys.readouterr()
    assert told.err == ""
    return told.out


def refused(capsys, *words: str) -> str:
    before = tree()
    assert main(words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("c2b: ") and told.err.count("\n") == 1 and "Traceback" not in told.err
    assert tree() == before, "something was left behind or changed"
    return told.err


# The words themselves.

WORDS = {
    "nonsense": "known: demo, simulate, blur, reconstruct",
    "simulat": "did you mean simulate?",
    "--jsn": "unknown command",
    "simulate": "needs VIDEO",
    "simulate v.npy": "needs CAPTURE",
    "score r.npy": "needs TRUTH",
    "simulate v.npy x.c2b.ome.tif more": "no use for 'more'",
    "simulate v.npy x.c2b.ome.tif --sed 3": "did you mean --seed? known: --sensor, --code",
    "simulate v.npy x.c2b.ome.tif --seed": "a value after --seed",
    "simulate v.npy x.c2b.ome.tif --seed abc": "whole number from 0 on",
    "simulate v.npy x.c2b.ome.tif --seed 1.5": "whole number from 0 on",
    "simulate v.npy x.c2b.ome.tif --seed -1": "whole number from 0 on",
    "simulate v.npy x.c2b.ome.tif --channels cmyk": '"luma", "rgb"',
    "simulate v.npy x.c2b.ome.tif --frames x": "a range such as",
    "simulate v.npy x.c2b.ome.tif --frames 1:2:3:4": "a range such as",
    "simulate v.npy x.c2b.ome.tif --frames 30:40": "beyond the 20",
    "simulate v.npy x.c2b.ome.tif --frames 0:21": "beyond the 20",
    "simulate v.npy x.c2b.ome.tif --frames 5:5": "it has 20 frames",
    "simulate v.npy x.c2b.ome.tif --frames ::0": "not a range",
    "simulate v.npy x.c2b.ome.tif --frames 0:8": "one exposure of this sensor needs 9",
    "simulate v.npy x.c2b.ome.tif --rows 0:15": "beyond the 14",
    "simulate v.npy x.c2b.ome.tif --rows 0:10:2": "resize instead",
    "simulate v.npy x.c2b.ome.tif --columns 9:3": "it has 23 columns",
    "simulate v.npy x.c2b.ome.tif --resize 3": "WIDTHxHEIGHT",
    "simulate v.npy x.c2b.ome.tif --resize 0x4": "WIDTHxHEIGHT",
    "simulate v.npy x.c2b.ome.tif --resize 99999999999x1": "WIDTHxHEIGHT",
    "simulate v.npy x.c2b.ome.tif --linearize rgb": "did you mean srgb?",
    "simulate v.npy x.c2b.ome.tif --white 0": "white and black are both",
    "simulate v.npy x.c2b.ome.tif --white -3": "below black",
    "reconstruct v.c2b.ome.tif x.npy --consistent yes": "no use for 'yes'",
    "reconstruct v.c2b.ome.tif x.npy --exposures 0:3": "beyond the 2",
    "reconstruct v.c2b.ome.tif x.npy --also variance=y.npy": "what tile gives beside the video: low_resolution",
    "list unfolding-fast": "c2b info unfolding-fast tells",
    "info away.safetensors": "no weights at away.safetensors; shipped: blurred,",
    "info cut.safetensors": "damaged or no safetensors file",
    "reconstruct v.c2b.ome.tif x.npy --also low_resolution": "needed is low_resolution=FILE.npy",
    "reconstruct v.c2b.ome.tif x.npy --also low_resolution=y.gif": "needed is low_resolution=FILE.npy",
    "reconstruct v.c2b.ome.tif x.npy --also low_resolution=x.npy": "is written already; name another file",
    "reconstruct v.c2b.ome.tif x.npy --also low_resolution=away/y.npy": "the folder away does not exist",
    "reconstruct v.c2b.ome.tif x.npy --exposures ::2": "in a row",
    "reconstruct v.c2b.ome.tif x.npy --exposures 1:1": "none of the exposures",
    "score r.npy v.npy --order worst": '"given", "best"',
    "score r.npy v.npy --protocol mine": '"codedblurred", "cacti"',
    "score r.npy v.npy --data-range 0": "must be positive",
    "list things": "known: codes, sensors, presets, readouts, responses, methods, priors, metrics, criteria, weights, scenes, formats",
    "plot v.c2b.ome.tif x.png --exposure 2": "exposures 0 .. 1",
    "convert impulse x.npy --frames 0:2": "impulse is a code",
}

NAMES = {
    "--sensor two-buckets": "did you mean two-bucket? known: two-bucket, coded-pixel",
    "--sensor two-bucket:leak=0.1": "did you mean leakage?",
    "--sensor two-bucket:leakage=much": "leakage=much is not a number",
    "--sensor two-bucket:leakage=2": "0 <= leakage < 0.5",
    "--sensor cep-2019:white=0": "white (electrons) is a positive number",
    "--sensor cep-2019:whit=5": "did you mean white?",
    "--sensor flutter-shutter": "--code flutter or long",
    "--readout electron:white=20": "did you mean electrons? known: ideal, electrons",
    "--code impuls": "did you mean impulse?",
    "--code impulse:tile=0": "at least 1x1",
    "--code impulse:tile=100000": "take a smaller tile",
    "--code impulse:tile=3,tile=3": "given twice",
    "--code impulse:tile=[3": "open bracket",
    "--code missing.npy": "does not exist",
    "--code page.npy": "a code is numbers (T, p, q)",
    "--code nan.npy": "a code lies in [0, 1]",
    "--code text.txt": "rows of 0 and 1",
}

FILES = {
    "simulate missing.mkv x.c2b.ome.tif": "there is no file or folder missing.mkv",
    "simulate occluding x.c2b.ome.tif": "did you mean occluding-objects? known: occluding-objects, panorama, rotating-camera",
    "simulate rotating-camera:frame=9 x.c2b.ome.tif": "did you mean frames?",
    "simulate rotating-camera x.c2b.ome.tif --linearize srgb": "is a scene: linear light",
    "simulate short.npy x.c2b.ome.tif": "the video has 5 frames; one exposure of this sensor needs 9",
    "simulate nan.npy x.c2b.ome.tif": "frame 13 holds NaN",
    "simulate page.npy x.c2b.ome.tif": "a video is (frames, height, width)",
    "simulate whole.npy x.c2b.ome.tif": "save the video as uint8, uint16 or float32",
    "simulate empty.mkv x.c2b.ome.tif": "is empty",
    "simulate text.mp4 x.c2b.ome.tif": "not a readable video",
    "simulate text.txt x.c2b.ome.tif": "known formats",
    "simulate nothing x.c2b.ome.tif": "holds no PNG, JPEG or BMP images",
    "simulate uneven x.c2b.ome.tif": "4.png is 6x9 (height x width), the first frame 0.png is 6x8",
    "simulate cut.npy x.c2b.ome.tif": "cut.npy is cut short: it holds 9 of 20 frames",
    "simulate cut.mp4 x.c2b.ome.tif": "cut.mp4 is not a readable video",
    "simulate zero-white.npy x.c2b.ome.tif": "zero-white.npy.json: white and black are both",
    "simulate torn-sidecar.npy x.c2b.ome.tif": "mend it or remove it",
    "simulate fewer.npy x.c2b.ome.tif": "frames is 20 and the video has 9: it is cut short",
    f"simulate {CAPTURE} x.c2b.ome.tif": "is a capture, not a video; c2b reconstruct",
    "reconstruct missing.c2b.ome.tif x.npy": "does not exist",
    "reconstruct v.npy x.npy": "known: NAME.c2b.ome.tif",
    "reconstruct nothing x.npy": "is a folder",
    "reconstruct empty.c2b.ome.tif x.npy": "damaged or cut short",
    "reconstruct text.c2b.ome.tif x.npy": "damaged or cut short",
    "reconstruct half.c2b.ome.tif x.npy": "cut short",
    "reconstruct tail.c2b.ome.tif x.npy": "cut short",
    "reconstruct tampered.c2b.ome.tif x.npy": "sha256 differs",
    f"reconstruct {CAPTURE} x.npy --method tiles": "did you mean tile? known: pseudo-inverse, tile",
    f"reconstruct {CAPTURE} x.npy --method tile:ridge=-1": "0 or more",
    "reconstruct small.c2b.ome.tif x.npy": "smaller than the tile",
    "score missing.npy v.npy": "there is no file or folder missing.npy",
    "score r.npy missing.npy": "there is no file or folder missing.npy",
    "score r.npy short.npy": "short.npy has 5 frames; r.npy shows frames up to 17",
    "score flat.npy v.npy": "7x8 and the truth 14x23",
    "score odd-record.npy v.npy": "its crop is not made of numbers",
    "score r.npy rotating-camera:height=10": "the video was made from rows 0:14",
    "plot nan.npy x.png": "holds NaN",
    "plot half.c2b.ome.tif x.png": "cut short",
    "plot nowhere x.png": "there is no file or folder nowhere; unknown scene",
    "info page.npy": "a video is (frames, height, width)",
    "info text.txt": "rows of 0 and 1",
    "info tampered.c2b.ome.tif": "sha256 differs",
    "codes page.npy": "a code is numbers",
    "convert text.txt x.npy": "rows of 0 and 1",
}

TARGETS = {
    "simulate v.npy x.tif": "known: NAME.c2b.ome.tif",
    "simulate v.npy away/x.c2b.ome.tif": "the folder away does not exist",
    f"reconstruct {CAPTURE} {CAPTURE}": "is the input",
    f"reconstruct {CAPTURE} x.c2b.ome.tif": "captures are named so",
    f"reconstruct {CAPTURE} x.mp3": "known suffixes are .tif",
    f"reconstruct {CAPTURE} x.webm": "video is written as .mkv",
    f"reconstruct {CAPTURE} away/x.npy": "the folder away does not exist",
    f"reconstruct {CAPTURE} uneven": "name a new folder",
    f"reconstruct {CAPTURE} v.npy/": "a file of that name is in the way",
    f"reconstruct {CAPTURE} folder.npy": "a folder of that name is in the way",
    "convert v.npy v.npy": "is the input",
    "convert v.npy ./v.npy": "is the input",
    "convert impulse x.mkv": "known: .npy, .npz, .txt",
    "convert v.npy x.png": "for a folder of images end the path in /",
    "plot v.npy x.bmp": ".png or .svg or .pdf",
    "plot v.npy away/x.png": "the folder away does not exist",
    "plot mask.png mask.png": "is the input",
    "codes impulse --png x.bmp": ".png or .svg or .pdf",
    "codes impulse long --png x.png": "--png draws one code",
    "codes impulse --criterion size": "unknown criterion 'size'",
    "codes impulse --sensor cep-2019 --light -1": "no number of electrons at white",
    "codes impulse --criterion cramer-rao --sensor two-bucket --png x.png": "there is nothing to draw",
}


@pytest.mark.parametrize(("line", "said"), [*WORDS.items(), *FILES.items(), *TARGETS.items()])
def test_a_mistake_is_one_line_that_says_what_would_be_right(here, capsys, line, said):
    assert said in refused(capsys, *line.split())


@pytest.mark.parametrize(("words", "said"), NAMES.items())
def test_an_unknown_name_or_setting_is_answered_with_the_known_ones(here, capsys, words, said):
    assert said in refused(capsys, "simulate", "v.npy", "x.c2b.ome.tif", *words.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_explains_each_of_its_words(capsys, command):
    told = run(capsys, command, "--help")
    assert f"Usage: c2b {command}" in told
    told = told.replace("│ *  ", "│ ")
    words = re.findall(r"^│ (?:--)?[A-Za-z].*$", told, re.MULTILINE)
    assert words and all(re.match(r"│ (?:--seed )?\S+(?: \S+)? {2,}[\w.]", word) for word in words), "a word without help"
    assert "[default: ]" not in told and "[default: None]" not in told


def test_alone_it_lists_all_commands_with_their_help(capsys):
    told = run(capsys)
    assert all(f"│ {name} " in told for name in COMMANDS)
    assert "Expose a video on a sensor" in told


# The straight line.


@pytest.mark.parametrize("target", ["r.npy", "r.tif", "r.mkv", "r.avi", "folder", "folder.v1/"])
def test_a_still_scene_comes_back_through_every_lossless_format(empty, capsys, target):
    still = np.repeat(np.full((1, HEIGHT, WIDTH), 77, np.uint8), FRAMES, axis=0)
    np.save("still.npy", still)
    told = run(capsys, "simulate", "still.npy", CAPTURE)
    assert told == f"{CAPTURE}: 2 exposures of 9 frames, 2 buckets, 14x23; 2 frames at the end unused\n"
    assert run(capsys, "reconstruct", CAPTURE, target, "--consistent").startswith(f"{target}: 18 frames of 14x23")
    np.testing.assert_allclose(read_video(target), still[:18] / 255, atol=1e-3 if target != "r.npy" else 1e-6)
    assert json.loads(run(capsys, "score", target, "still.npy", "--json"))["psnr"] in (None, pytest.approx(120, abs=70))


def test_the_score_finds_frames_crop_and_response_by_itself(empty, capsys):
    smooth = np.linspace(20, 230, WIDTH * 2)[None, None, :] + np.arange(12)[:, None, None] + np.zeros((12, HEIGHT * 2, 1))
    np.save("s.npy", smooth.astype(np.uint8))
    words = ("--frames", "1:11", "--rows", "3:25", "--columns", "5:40", "--linearize", "srgb")
    run(capsys, "simulate", "s.npy", CAPTURE, *words)
    run(capsys, "reconstruct", CAPTURE, "r.npy", "--consistent")
    result = json.loads(run(capsys, "score", "r.npy", "s.npy", "--json"))
    assert result["psnr"] > 40 and len(result["per_frame"]) == 9 and result["conventions"]["size"] == [22, 35]
    with open_recording("r.npy") as found:
        assert found.record["frame_index"] == [list(range(1, 10))] and found.record["crop"] == [3, 5, 22, 35]
        assert found.record["response"] == "srgb"


def test_what_else_a_method_gives_is_written_as_numbers_or_as_a_picture(empty, capsys):
    run(capsys, "simulate", "v.npy", CAPTURE)
    told = run(capsys, "reconstruct", CAPTURE, "r.npy", "--also", "low_resolution=l.npy", "--also", "low_resolution=l.png")
    assert np.load("l.npy").shape == (2, 9, 5, 8) and told.endswith(
        "l.npy: low_resolution 2x9x5x8\nl.png: low_resolution 2x9x5x8\n"
    )
    with Image.open("l.png") as drawn:
        assert drawn.width == 1440


def test_the_list_tells_inherited_settings_and_each_entry_of_a_file_by_its_own_words(capsys):
    rows = {row["name"]: row for row in json.loads(run(capsys, "list", "methods", "--json"))["methods"]}
    assert len({row["what it is"] for row in rows.values()}) == len(rows)
    assert "residual=False" in rows["blurred"]["settings"]
    (settings,) = json.loads(run(capsys, "list", "blurred", "--json")).values()
    told = {row["setting"]: (row["value"], row["type"]) for row in settings}
    assert told["rate"] == ("0.001", "float") and told["crop"] == ("96", "int") and told["weights"] == ("none", "str")


def test_colour_goes_all_the_way(empty, capsys):
    ramp = np.linspace(10, 200, WIDTH).astype(np.uint8)
    colour = np.broadcast_to(np.stack([ramp, ramp[::-1], ramp // 2], -1), (9, HEIGHT, WIDTH, 3))
    np.save("c.npy", colour)
    run(capsys, "simulate", "c.npy", CAPTURE, "--channels", "rgb")
    run(capsys, "reconstruct", CAPTURE, "r.npy", "--consistent")
    assert read_video("r.npy").shape == (9, HEIGHT, WIDTH, 3)
    assert json.loads(run(capsys, "score", "r.npy", "c.npy", "--json"))["psnr"] > 35
    assert json.loads(run(capsys, "info", CAPTURE, "--json"))["colour"] == "rgb"
    run(capsys, "plot", CAPTURE, "c.png")
    run(capsys, "reconstruct", CAPTURE, "frames/")
    with Image.open("frames/frame0008.png") as frame:
        assert frame.mode == "RGB"


def test_dead_frames_are_skipped_and_noted(empty, capsys):
    run(capsys, "simulate", "v.npy", CAPTURE, "--sensor", "cep-2019:dead_frames=2", "--seed", "5")
    facts = json.loads(run(capsys, "info", CAPTURE, "--json"))
    assert facts["frame_index"] == [list(range(9)), list(range(11, 20))]
    assert (facts["exposures"], facts["seed"], facts["sensor_spec"]) == (2, 5, "cep-2019:dead_frames=2")
    run(capsys, "reconstruct", CAPTURE, "last.npy", "--exposures", "1")
    with open_recording("last.npy") as found:
        assert found.record["frame_index"] == [list(range(11, 20))]


def test_the_same_seed_gives_the_same_bits_and_another_does_not(empty, capsys):
    for name, seed in (("a", "7"), ("b", "7"), ("c", "8")):
        run(capsys, "simulate", "v.npy", f"{name}.c2b.ome.tif", "--sensor", "cep-2019:white=20", "--seed", seed)
        run(capsys, "reconstruct", f"{name}.c2b.ome.tif", f"{name}.npy", "--method", "pseudo-inverse")
    a, b, c = (np.load(f"{name}.npy") for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_white_is_the_value_that_stands_for_one(empty, capsys):
    np.save("dim.npy", np.full((9, 12, 15), 4095, np.uint16))
    run(capsys, "simulate", "dim.npy", CAPTURE, "--white", "4095")
    run(capsys, "reconstruct", CAPTURE, "r.npy", "--consistent")
    np.testing.assert_allclose(np.load("r.npy"), 1, atol=1e-5)
    assert json.loads(run(capsys, "score", "r.npy", "dim.npy", "--white", "4095", "--json"))["ssim"] == pytest.approx(1)


def test_a_method_that_cannot_serve_the_sensor_says_why(empty, capsys):
    run(capsys, "simulate", "v.npy", CAPTURE, "--sensor", "conventional")
    assert "determines 1 of 9 frames" in refused(capsys, "reconstruct", CAPTURE, "r.npy")
    run(capsys, "reconstruct", CAPTURE, "r.npy", "--method", "pseudo-inverse")
    np.testing.assert_allclose(np.load("r.npy")[:9].std(axis=0), 0, atol=1e-6)


@pytest.mark.parametrize("code", ["cycle.npy", "mask.png", "v.npy", "bernoulli:tile=300"])
def test_any_mask_makes_a_capture_and_a_video(here, capsys, tmp_path, code):
    run(capsys, "simulate", "v.npy", str(tmp_path / CAPTURE), "--code", code)
    run(capsys, "reconstruct", str(tmp_path / CAPTURE), str(tmp_path / "r.npy"), "--method", "pseudo-inverse")
    assert np.isfinite(np.load(tmp_path / "r.npy")).all()


def test_a_video_without_a_sidecar_is_compared_frame_by_frame(here, capsys):
    assert run(capsys, "score", "short.npy", "v.npy").startswith("PSNR inf dB  SSIM 1.0000")
    assert json.loads(run(capsys, "score", "short.npy", "v.npy", "--json"))["psnr"] is None


# Looking at files, and converting them.


def test_info_tells_what_each_kind_of_file_is(here, capsys):
    for name, kind in {
        CAPTURE: "capture",
        "v.npy": "video",
        "./v.npy": "video",
        "uneven": "video",
        "rotating-camera": "video",
        "impulse:tile=2": "code",
        "pair-residual": "weights",
        str(weight_file.SHIPPED / "gmm.safetensors"): "weights",
        "mask.png": "code",
    }.items():
        facts = json.loads(run(capsys, "info", name, "--json"))
        assert facts["kind"] == kind
        assert f"kind {kind}" in " ".join(run(capsys, "info", name).split())
    assert facts["shape"] == [9, 3, 3]


def test_info_tells_what_weights_were_trained_for(capsys):
    facts = json.loads(run(capsys, "info", "unfolding-fast", "--json"))
    assert (facts["method"], facts["code"], facts["buckets"], facts["start"]) == ("unfolding", [9, 3, 3], 2, "tile")
    assert facts["parameters"] == 2_653_619


def test_info_says_how_a_small_array_is_read_as_a_code(here, capsys):
    facts = json.loads(run(capsys, "info", "v.npy", "--json"))
    assert facts["kind"] == "video" and facts["as a code"] == "c2b codes v.npy"
    assert json.loads(run(capsys, *facts["as a code"].split()[1:], "--json"))["v.npy"]
    assert "as a code" not in json.loads(run(capsys, "info", "v.mp4", "--json"))


def test_codes_lists_criteria_for_people_and_programs(here, capsys):
    result = json.loads(run(capsys, "codes", "impulse", "long", "mask.png", "cycle.npy", "--json"))
    assert list(result) == ["impulse", "long", "mask.png", "cycle.npy [0]", "cycle.npy [1]"]
    assert result["impulse"]["rank"] == [9, 9] and result["long"]["condition"] == [None, None]
    assert "impulse 9 3x3 0.111" in " ".join(run(capsys, "codes", "impulse").split())
    words = ["codes", "impulse", "cycle.npy", "--sensor", "cep-2019", "--light", "20", "--light", "200"]
    words += ["--criterion", "saturation", "--criterion", "light"]
    found = json.loads(run(capsys, *words, "--json"))
    assert [row["code"] for row in found] == 2 * ["impulse", "cycle.npy [0]", "cycle.npy [1]"]
    assert found[0]["saturation"] == pytest.approx(10 * found[3]["saturation"]) and found[0]["light"] > 0.9
    assert "cep-2019, 200 e- at white" in run(capsys, *words, "--png", "worth.png") and Path("worth.png").stat().st_size > 10_000


def test_list_knows_every_table_by_name(capsys):
    tables = json.loads(run(capsys, "list", "--json"))
    known = ["codes", "sensors", "presets", "readouts", "responses", "methods", "priors", "metrics", "criteria", "weights", "scenes"]
    assert list(tables) == [*known, "formats"]
    assert [row["name"] for row in tables["weights"]] == sorted(path.stem for path in weight_file.SHIPPED.glob("*.safetensors"))
    assert all(row["what it is"] for rows in tables.values() for row in rows)
    told = run(capsys, "list", "sensors")
    assert "two-bucket" in told and "impulse" not in told


@pytest.mark.parametrize("name", [*sensors.SENSORS, *sensors.PRESETS, "electrons"])
def test_list_tells_unit_and_value_of_every_setting_of_a_sensor(capsys, name):
    ((title, rows),) = json.loads(run(capsys, "list", name, "--json")).items()
    assert name in title and all(row["type"] and row["meaning"] for row in rows)
    settings = {row["setting"]: row for row in rows}
    assert "Electrons" in settings["read_noise"]["meaning"]
    if name in sensors.PRESETS:
        groups = [entry for entry in preset.load(name).values() if isinstance(entry, dict)]
        for key, entry in (pair for group in groups for pair in group.items()):
            assert settings[key]["value"].endswith(f"({entry['provenance']})")
    if name != "electrons":  # what is listed is what may be said
        code = np.ones((2, 1, 1))
        for key in settings.keys() - {"colour"}:
            with pytest.raises(Refusal, match="is not"):
                sensors.make(f"{name}:{key}=!", code)


def test_list_of_one_name_tells_what_it_is(capsys):
    told = run(capsys, "list", "tile")
    assert told.startswith("method tile: Tile-wise linear solve") and "ridge" in told and "Side of the tile" in told


def test_lossless_formats_convert_into_each_other_bit_for_bit(empty, capsys):
    chain = ["v.npy", "a.tif", "b.mkv", "c/", "d.avi", "e.npy"]
    for source, target in pairwise(chain):
        assert run(capsys, "convert", source, target) == f"{target}: 20 frames of 14x23\n"
    np.testing.assert_array_equal(np.load("e.npy"), np.load("v.npy"))


def test_convert_says_of_an_absent_file_that_it_is_absent(empty, capsys):
    assert main(["convert", "absent.npy", "x.c2b.ome.tif", "--code", "impulse"]) == 2
    assert capsys.readouterr().err == "c2b: there is no file or folder absent.npy\n"


def test_info_says_why_an_array_is_no_video(empty, capsys):
    Path("v.npy.json").write_text('{"wite": 200}')
    assert "refused: v.npy.json: unknown key 'wite'; did you mean white?" in run(capsys, "info", "v.npy")


def test_convert_tells_frames_that_no_pixel_sees(empty, capsys, tmp_path):
    code = np.ones((9, 3, 3), np.uint8)
    code[4] = 0
    np.save(tmp_path / "code.npy", code)
    taken = str(tmp_path / "taken.c2b.ome.tif")
    told = "note: under this code no pixel sees frame 4 (counted from 0)"
    assert told in run(capsys, "simulate", "v.npy", taken, "--sensor", "coded-pixel", "--code", str(tmp_path / "code.npy"))
    assert told in run(capsys, "convert", taken, str(tmp_path / "taken.npz"))


def test_convert_takes_parts_sizes_channels_and_scenes(empty, capsys):
    run(capsys, "convert", "v.npy", "a.tif", "--frames", "19:2:-1", "--rows", "1:9", "--resize", "31x17", "--channels", "rgb")
    with open_recording("a.tif") as found:
        assert found.shape == (17, 17, 31, 3)
    told = run(capsys, "convert", "rotating-camera:frames=3,height=16,width=24", "s.mp4")
    assert told == "s.mp4: 3 frames of 16x24; rounded to 8 bit and compressed with loss, for display (.mkv is lossless)\n"
    with open_recording("s.mp4") as found:
        assert found.shape[:3] == (3, 16, 24)


def test_an_unknown_or_nominal_rate_does_not_become_a_fact(empty, capsys):
    for source, target in (("v.npy", "a.mkv"), ("a.mkv", "b.npy")):
        run(capsys, "convert", source, target)
        assert json.loads(Path(f"{target}.json").read_text())["rate"] is None


def test_codes_convert_between_their_formats(empty, capsys):
    chain = ["bernoulli:seed=3", "a.npy", "b.npz", "c.txt", "d.npz", "e.txt"]
    for source, target in pairwise(chain):
        assert run(capsys, "convert", source, target) == f"{target}: code of shape 9x3x3\n"
    assert Path("c.txt").read_text() == Path("e.txt").read_text()


@pytest.mark.parametrize("line", [f"{CAPTURE} {{}}.png", "v.npy {}.png", "v.npy {}.gif", "impulse {}.svg", "mask.png {}.pdf"])
def test_a_picture_is_drawn_of_everything(here, capsys, tmp_path, line):
    name, target = line.format(tmp_path / "x").split()
    run(capsys, "plot", name, target)
    assert Path(target).stat().st_size > 500


# What may go wrong around it.


def test_a_full_disk_is_one_line_with_the_name_of_the_file(here, capsys, monkeypatch):
    def full(*_args, **_settings):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("c2b.video.npy_array.NpyArray.write", full)
    assert refused(capsys, "convert", "v.npy", "x.npy") == "c2b: x.npy: No space left on device\n"
    monkeypatch.setattr("tifffile.TiffWriter.write", full)
    assert refused(capsys, "simulate", "v.npy", "x.c2b.ome.tif") == "c2b: x.c2b.ome.tif: No space left on device\n"
    assert refused(capsys, "convert", "v.npy", "x.tif") == "c2b: x.tif: No space left on device\n"


def test_a_capture_that_does_not_fit_on_the_disk_is_not_begun(here, capsys, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("usage", (), {"free": 1000})())
    assert "the disk has 0 MB left" in refused(capsys, "simulate", "v.npy", "x.c2b.ome.tif")


def test_a_read_only_place_is_named_without_the_name_of_the_temporary_file(here, capsys, monkeypatch):
    def read_only(self, *_args, **_settings):
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "open", read_only)
    assert refused(capsys, "convert", "impulse", "x.npy") == "c2b: x.npy: Read-only file system\n"


def test_partial_files_of_processes_that_are_gone_are_swept(empty, capsys):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    np.save("v.npy", np.zeros((9, 8, 9), np.uint8))
    left = [f".x.{gone.pid}.partial.npy", f".x.{gone.pid}.partial"]
    kept = [f".x.{os.getppid()}.partial.npy", f".y.{gone.pid}.partial.npy"]
    for name in (*left, *kept):
        Path(name).write_text("half")
    run(capsys, "convert", "v.npy", "x.npy")
    run(capsys, "convert", "v.npy", "x/")
    assert sorted(path.name for path in Path().iterdir() if path.name.startswith(".")) == sorted(kept)
    run(capsys, "convert", "v.npy", "x/", "--rows", "0:6")  # a folder takes the place of another
    with open_recording("x") as found:
        assert found.shape == (9, 6, 9)
    assert {path.name for path in Path().iterdir()} == {*kept, "v.npy", "x", "x.npy", "x.npy.json"}


def test_the_same_run_gives_the_same_bytes(empty, capsys):
    scene = "occluding-objects:frames=18,height=24,width=30"
    for name in ("a.c2b.ome.tif", "b.c2b.ome.tif", "c.c2b.ome.tif"):
        run(capsys, "simulate", scene, name, "--sensor", "cep-2019", "--seed", str(name.startswith("c") + 0))
    assert Path("a.c2b.ome.tif").read_bytes() == Path("b.c2b.ome.tif").read_bytes() != Path("c.c2b.ome.tif").read_bytes()
    for suffix in (".npz", ".h5"):
        for name in ("a", "b"):
            run(capsys, "convert", f"{name}.c2b.ome.tif", name + suffix)
        assert Path("a" + suffix).read_bytes() == Path("b" + suffix).read_bytes()


def test_a_part_of_a_capture_and_its_facts_need_not_hash_all_of_it(empty, capsys, monkeypatch):
    from c2b.captures import document

    run(capsys, "simulate", "occluding-objects:frames=18,height=24,width=30", "a.c2b.ome.tif")
    sha_of, seen = document.sha_of, []
    monkeypatch.setattr(document, "HASHED_ANYWAY", 1000)
    monkeypatch.setattr(document, "sha_of", lambda array: seen.append(array.shape) or sha_of(array))
    run(capsys, "info", "a.c2b.ome.tif")
    run(capsys, "reconstruct", "a.c2b.ome.tif", "a.npy", "--exposures", "0:1")
    assert set(seen) == {(9, 3, 3)}
    run(capsys, "reconstruct", "a.c2b.ome.tif", "a.npy")
    assert (2, 2, 24, 30) in seen


def test_a_capture_is_read_by_the_sensor_that_is_named(empty, capsys):
    run(capsys, "simulate", "occluding-objects:frames=9,height=24,width=30", "a.c2b.ome.tif", "--sensor", "cep-2019")
    for gain in ("0.4", "0.8"):
        run(capsys, "reconstruct", "a.c2b.ome.tif", f"{gain}.npy", "--sensor", f"cep-2019:gain={gain}")
    assert np.load("0.4.npy").mean() == pytest.approx(2 * np.load("0.8.npy").mean(), rel=0.1)
    run(capsys, "convert", "a.c2b.ome.tif", "b.c2b.ome.tif", "--sensor", "cep-2019:gain=0.8")
    assert run(capsys, "info", "b.c2b.ome.tif").count("cep-2019:gain=0.8") == 1
    run(capsys, "plot", "a.c2b.ome.tif", "a.png", "--sensor", "cep-2019:gain=0.8")
    assert "gives charge" in refused(capsys, "reconstruct", "a.c2b.ome.tif", "x.npy", "--sensor", "two-bucket")
    assert "1 buckets" in refused(capsys, "reconstruct", "a.c2b.ome.tif", "x.npy", "--sensor", "coded-pixel:white=100,bits=12")


def test_videos_are_drawn_side_by_side(empty, capsys):
    np.save("a.npy", np.arange(4 * 20 * 30).reshape(4, 20, 30).astype(np.uint8))
    np.save("b.npy", np.arange(5 * 20 * 30).reshape(5, 20, 30).astype(np.uint8))
    np.save("c.npy", np.zeros((4, 21, 30), np.uint8))
    assert run(capsys, "plot", "a.npy", "b.npy", "both.gif") == "both.gif: picture of a.npy, b.npy\n"
    with Image.open("both.gif") as film:
        assert film.n_frames == 4 and film.size[0] > 60
    run(capsys, "plot", "a.npy", "b.npy", "both.png")
    assert "one size" in refused(capsys, "plot", "a.npy", "c.npy", "both.gif")


def test_a_failure_midway_leaves_the_file_of_before(empty, capsys):
    half = np.load("v.npy")[:18].astype(np.float32) / 255
    for target, command in (("x.c2b.ome.tif", "simulate"), ("x.npy", "convert"), ("x.mkv", "convert"), ("x/", "convert")):
        np.save("half.npy", half)
        run(capsys, command, "half.npy", target)
        half[12] = np.nan
        np.save("half.npy", half)
        half[12] = 0
        assert "frame 12 holds NaN" in refused(capsys, command, "half.npy", target)


PROGRAM = [sys.executable, "-c", "import sys; from c2b.cli import main; sys.exit(main())"]


def python(code: str, *words: str) -> str:
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    folder = tmp_path_factory.mktemp("long")
    np.lib.format.open_memmap(folder / "long.npy", "w+", np.uint8, (6300, 64, 96))
    assert main(["simulate", str(folder / "long.npy"), str(folder / CAPTURE)]) == 0
    return folder


@pytest.mark.parametrize(
    ("words", "number"),
    [("simulate long.npy x.c2b.ome.tif --sensor cep-2019", signal.SIGINT), (f"reconstruct {CAPTURE} x/", signal.SIGTERM)],
)
def test_an_interruption_leaves_nothing(long, words, number):
    before = set(long.iterdir())
    listen = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # what runs in the background of a shell is deaf to it
    process = subprocess.Popen([*PROGRAM, *words.split()], cwd=long, stdout=-1, stderr=-1, text=True, preexec_fn=listen)
    deadline = time.monotonic() + 60
    while set(long.iterdir()) == before and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    assert any("partial" in path.name for path in set(long.iterdir()) - before), "it was over before it could be interrupted"
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "c2b: interrupted; nothing half-written is left\n")
    assert set(long.iterdir()) == before


def test_a_reader_that_stops_listening_is_no_error():
    program = " ".join([PROGRAM[0], "-c", f"'{PROGRAM[2]}'", "list"])
    done = subprocess.run(["sh", "-c", f"({program}; echo $? >&2) | true"], capture_output=True, text=True)
    assert done.stderr == "0\n"


def test_help_and_list_load_nothing_heavy():
    code = "import sys; from c2b.cli import main; main(sys.argv[1:]); print(*sys.modules)"
    heavy = {"numpy", "numba", "scipy", "torch", "sklearn", "matplotlib", "av", "PIL", "tifffile", "dask"}
    for words in ("--help", "list", "simulate --help"):
        assert not heavy & set(python(code, *words.split()).split("\n")[-2].split())


def test_memory_does_not_grow_with_the_length(tmp_path):
    code = "import sys; from resource import *; from c2b.cli import main; main(sys.argv[1:]); print(getrusage(RUSAGE_SELF).ru_maxrss)"
    peak = {}
    for count in (180, 1800):
        write_video(tmp_path / f"{count}.mkv", np.zeros((count, 72, 96), np.uint8))
        name, capture = str(tmp_path / f"{count}.mkv"), str(tmp_path / f"{count}.c2b.ome.tif")
        peak[count] = int(python(code, "simulate", name, capture).split()[-1])
    longer = (1800 - 180) * 72 * 96 * 4  # bytes, as float32
    assert (peak[1800] - peak[180]) * 1024 < longer / 2


def test_long_work_shows_a_bar_on_a_terminal_and_is_silent_elsewhere(capsys, monkeypatch):
    from c2b.terminal import progress

    assert list(progress(range(3), 3, "work")) == [0, 1, 2]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("c2b.terminal.PATIENCE", 0.05)
    for number in progress(range(3), 3, "work", faster="take fewer"):
        time.sleep(0.1 * (number == 1))
    assert re.fullmatch(r"c2b: note: work: 1 of 3 after 0 s, about 0 s to go; take fewer\n", capsys.readouterr().err)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert list(progress(range(3), 3, "work")) == [0, 1, 2]
    assert "work" in capsys.readouterr().err


# Real recordings.


def test_the_real_line_scores_what_it_should(empty, capsys):
    clip = str(data("gopro/d01_gopro-s01.mkv"))
    run(capsys, "simulate", clip, CAPTURE, "--columns", "0:1278")
    run(capsys, "reconstruct", CAPTURE, "r.npy", "--consistent")
    assert json.loads(run(capsys, "score", "r.npy", clip, "--json"))["psnr"] == pytest.approx(34.01, abs=0.02)


def test_real_colour_frames_go_all_the_way(empty, capsys):
    frames = str(data("gopro/frames_s01"))
    run(capsys, "simulate", frames, CAPTURE, "--channels", "rgb", "--rows", "90:270", "--columns", "300:600")
    run(capsys, "reconstruct", CAPTURE, "r/", "--consistent")
    assert json.loads(run(capsys, "score", "r", frames, "--json"))["psnr"] > 25


def test_a_real_twelve_bit_stack_is_taken_in_its_own_white(empty, capsys):
    ball = str(data("highspeed/devtest/d08_ball-30kfps_linear12.tif"))
    run(capsys, "simulate", ball, CAPTURE, "--white", "4095", "--frames", "0:9", "--sensor", "cep-2019:white=800")
    run(capsys, "reconstruct", CAPTURE, "r.tif", "--consistent")
    assert json.loads(run(capsys, "score", "r.tif", ball, "--white", "4095", "--json"))["psnr"] > 27


def test_a_real_film_in_a_container_goes_in(empty, capsys):
    film = str(data("formats/video/bulk-water.mov"))
    run(capsys, "simulate", film, CAPTURE, "--frames", "30:48", "--rows", "0:120", "--columns", "0:240")
    run(capsys, "reconstruct", CAPTURE, "r.mp4")
    assert json.loads(run(capsys, "score", "r.mp4", film, "--json"))["psnr"] > 30
