"""Comparing cameras: the numbers of the single commands, every combination once, and nothing computed twice."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import recon
import sensors
from c2b import codes, streaming
from c2b.camera import make as make_camera
from c2b.cli import main
from c2b.comparison_table import COLUMNS, Row, means, read_rows, write_rows
from c2b.report.paired_differences import paired_difference
from c2b.terminal import table as shown_table
from c2b.video.recording import Recording
from recon.demosaicing import demosaic
from recon.pseudo_inverse import PseudoInverse
from sensors import colour_filter
from sensors.response import make as make_response
from tests.stored_data import data

FRAMES, HEIGHT, WIDTH = 20, 26, 33  # two exposures of nine frames, two frames over
ONE = ("--sensor", "two-bucket", "--method", "pseudo-inverse")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with smooth moving video: of luma, of colour, and as a mosaic."""
    monkeypatch.chdir(tmp_path)
    t, i, j = np.ogrid[:FRAMES, :HEIGHT, :WIDTH]
    wave = 0.5 + 0.2 * np.sin(0.4 * i + 0.25 * j - 0.3 * t) + 0.2 * np.cos(0.5 * j)
    np.save("v.npy", np.rint(255 * wave).astype(np.uint8))
    colour = np.rint(255 * np.stack([wave, wave[:, ::-1], 1 - wave], -1)).astype(np.uint8)
    np.save("c.npy", colour)
    np.save("m.npy", colour_filter.mosaic(colour, "grbg"))
    Path("m.npy.json").write_text('{"colour": "grbg"}')
    return tmp_path


def run(capsys, *words):
    assert main(["compare", *words]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    return told.out


def answer(capsys, *words):
    return json.loads(run(capsys, *words, "--json"))


def table(folder):
    with Path(folder, "comparison.csv").open(newline="") as file:
        return list(csv.DictReader(file))


# The numbers.


@pytest.mark.parametrize("sensor", ["coded-pixel", "cep-2019:white=300"])
@pytest.mark.parametrize("response", ["none", "srgb"])
@pytest.mark.parametrize(("video", "channels", "colour"), [("v", "luma", "mono"), ("c", "rgb", "rgb"), ("m", "stored", "gbrg")])
def test_a_row_is_what_the_single_commands_give(here, capsys, sensor, response, video, channels, colour):
    video, part = f"{video}.npy", ("--sensor", sensor, "--seed", "5", "--linearize", response, "--channels", channels)
    part = (*part, "--rows", "1:26", "--columns", "3:33", "--frames", "1:20")
    (row,) = answer(capsys, video, *part, "--method", "tile+consistent")["rows"]
    assert main(["simulate", video, "v.c2b.ome.tif", *part]) == 0
    assert main(["reconstruct", "v.c2b.ome.tif", "r.npy", "--method", "tile", "--consistent"]) == 0
    capsys.readouterr()
    for flags, names in (([], ("psnr", "ssim")), (["--middle"], ("middle_psnr",))):
        assert main(["score", "r.npy", video, "--json", *flags]) == 0
        single = json.loads(capsys.readouterr().out)
        for name in names:
            assert row[name] == pytest.approx(single[name.removeprefix("middle_")], abs=2e-4)
    assert (row["exposures"], row["frames"], row["height"], row["width"], row["colour"]) == (2, 9, 25, 30, colour)
    assert (row["response"], row["seed"], row["part"]) == (response, 5, "frames 1:20:1 rows 1:26 columns 3:33")


def test_a_protocol_fixes_the_conventions_of_the_row(here, capsys):
    (row,) = answer(capsys, "v.npy", *ONE, "--protocol", "cacti")["rows"]
    assert (row["psnr_of"], row["clipped"], row["ssim_range_2"]) == ("frames", False, None)
    assert row["middle_ssim_range_2"] is None
    (other,) = answer(capsys, "v.npy", *ONE, "--protocol", "codedblurred", "--columns", "0:33")["rows"]
    assert other["psnr"] < row["psnr"] and other["ssim_range_2"] > other["ssim"] and other["middle_ssim_range_2"] > other["middle_ssim"]
    assert (other["height"], other["width"], other["ssim"]) == (HEIGHT, WIDTH, pytest.approx(row["ssim"], abs=0.01))


def test_the_pair_paper_resizes_before_exposure(here, capsys):
    """Unless a crop or another size is asked for; the row is what the single commands give."""
    (row,) = answer(capsys, "v.npy", *ONE, "--protocol", "codedblurred", "--frames", "0:9")["rows"]
    part = ("--frames", "0:9", "--resize", "1200x720", "--sensor", "two-bucket")
    assert main(["simulate", "v.npy", "v.c2b.ome.tif", *part]) == 0
    assert main(["reconstruct", "v.c2b.ome.tif", "r.npy", "--method", "pseudo-inverse"]) == 0
    capsys.readouterr()
    assert (row["height"], row["width"]) == (720, 1200)
    for flags, prefix in (([], ""), (["--middle"], "middle_")):
        assert main(["score", "r.npy", "v.npy", "--json", "--protocol", "codedblurred", *flags]) == 0
        single = json.loads(capsys.readouterr().out)
        for name in ("psnr", "ssim"):
            assert row[prefix + name] == pytest.approx(single[name], abs=2e-4)
        assert row[f"{prefix}ssim_range_2"] == pytest.approx(single["ssim_range_2"], abs=2e-4)
    (small,) = answer(capsys, "v.npy", *ONE, "--protocol", "codedblurred", "--resize", "30x24")["rows"]
    assert (small["height"], small["width"]) == (24, 30)


def test_the_readout_of_a_preset_is_shared_by_all_cameras():
    preset = sensors.make("cep-2019:white=50", codes.make("impulse"))
    for name, sensor in (("conventional", "conventional"), ("two-bucket", "two-bucket:leakage=0.01")):
        made = make_camera(sensor, "impulse", "cep-2019:white=50")
        chip = made.chip
        assert sensors.SENSORS[name].endswith(type(chip).__name__) and made.record["readout_spec"] == "cep-2019:white=50"
        assert chip.readout == preset.readout and chip.timing == preset.timing
    own = make_camera("machine-vision", "long", "cep-2019").chip
    alone = make_camera("machine-vision", "long").chip
    assert own.timing == replace(alone.timing, sub_exposure=alone.timing.sub_exposure or preset.timing.sub_exposure)


def test_light_is_the_white_of_every_readout_but_the_ideal(here, capsys):
    words = ("--readout", "ideal", "--readout", "cep-2019", "--light", "20", "--light", "800")
    rows = answer(capsys, "v.npy", *ONE, *words)["rows"]
    assert [(row["readout"], row["light"]) for row in rows] == [("ideal", None), ("cep-2019", 20), ("cep-2019", 800)]
    assert rows[1]["psnr"] < rows[2]["psnr"] < rows[0]["psnr"]
    (typed,) = answer(capsys, "v.npy", *ONE, "--readout", "cep-2019:white=20")["rows"]
    assert typed["sensor_digest"] == rows[1]["sensor_digest"] and typed["psnr"] == rows[1]["psnr"]


def test_a_list_among_the_settings_of_a_colour_sensor_is_kept():
    chip = make_camera("two-bucket:colour=rggb,leakage=[0.01,0.02]", "impulse", colour="rgb").chip
    assert (chip.colour, chip.leakage) == ("rggb", (0.01, 0.02))


BLURRED = ("--sensor", "conventional", "--code", "long:frames=7", "--method", "pseudo-inverse")


@pytest.mark.parametrize("response", ["none", "srgb"])
def test_the_measures_of_blur_are_those_of_score(here, capsys, response):
    words = ("--linearize", response, "--frames", "2:16")
    (row,) = answer(capsys, "v.npy", *BLURRED, *words, "--order", "best", "--blur")["rows"]
    assert main(["simulate", "v.npy", "v.c2b.ome.tif", "--sensor", "conventional", "--code", "long:frames=7", *words]) == 0
    assert main(["reconstruct", "v.c2b.ome.tif", "r.npy", "--method", "pseudo-inverse"]) == 0
    capsys.readouterr()
    assert main(["score", "r.npy", "v.npy", "--order", "best", "--blur", "--json"]) == 0
    single = json.loads(capsys.readouterr().out)
    for name in ("pair_error", "pair_error_per_pixel", "reblurred_psnr", "end_point_error"):
        assert min(row[name], 120) == pytest.approx(min(single["blur"][name], 120), rel=2e-3), name
    assert row["frame_psnr"] == pytest.approx([frame["psnr"] for frame in single["per_frame"]], abs=2e-3)
    assert [row["initial_psnr"], row["middle_psnr"], row["last_psnr"]] == pytest.approx(
        [row["frame_psnr"][k] for k in (0, 3, 6)], abs=1e-3
    )
    assert row["order"] == single["conventions"]["order"] == "best" and row["exposures"] == 2
    assert row["reblurred_psnr"] > 100 > row["psnr"]
    assert main(["score", "r.npy", "v.npy", "--blur"]) == 0
    told = capsys.readouterr().out
    assert "first " in told and "per pixel" in told and "Lucas-Kanade" in told


def test_further_figures_of_merit_are_those_of_score(here, capsys):
    words = [word for name in ("flicker", "gmsd", "warping-error") for word in ("--metric", name)]
    assert main(["simulate", "v.npy", "v.c2b.ome.tif", "--sensor", "two-bucket"]) == 0
    assert main(["reconstruct", "v.c2b.ome.tif", "r.npy", "--method", "pseudo-inverse"]) == 0
    capsys.readouterr()
    assert main(["score", "r.npy", "v.npy", "--json", *words]) == 0
    single = json.loads(capsys.readouterr().out)["metrics"]
    (row,) = answer(capsys, "v.npy", *ONE, *words)["rows"]
    assert {*single} == {"flicker", "gmsd", "warping-error"}
    assert {name: row[name] for name in single} == pytest.approx(single, rel=1e-3)
    assert main(["score", "r.npy", "v.npy", *words]) == 0 and f"\ngmsd {single['gmsd']:.4f}\n" in capsys.readouterr().out
    for wrong, said in (("coverage", "needs a method that tells its variance"), ("flickr", "did you mean flicker?")):
        assert main(["score", "r.npy", "v.npy", "--metric", wrong]) == 2
        assert said in capsys.readouterr().err


def test_the_order_is_a_convention_of_the_row(here, capsys):
    np.save("v.npy", np.load("v.npy")[:9])
    rows = {}
    for order in ("given", "best", "frame"):
        (rows[order],) = answer(capsys, "v.npy", *ONE[:2], "--method", "tile", "--order", order, "--report", "r")["rows"]
    assert len(table("r")) == 3 and [row["order"] for row in table("r")] == [*rows]
    assert rows["given"]["psnr"] <= rows["best"]["psnr"] <= rows["frame"]["psnr"]
    assert rows["given"]["end_point_error"] is None
    told = run(capsys, "v.npy", *ONE, "--order", "best", "--blur")
    assert "best order" in told and "re-blurred" in told and "flow px" in told


def test_differences_of_blurred_pictures_have_the_ends(here, capsys):
    np.save("w.npy", np.load("v.npy")[:, ::-1])
    words = ("v.npy", "w.npy", *BLURRED, "--method", "tikhonov", "--frames", "0:14", "--against", "conventional pseudo-inverse")
    told = answer(capsys, *words, "--blur")
    assert [one["column"] for one in told["differences"]] == ["psnr", "initial_psnr", "middle_psnr", "last_psnr"]
    mean = {row["method"]: row["initial_psnr"] for row in told["mean"]}
    assert told["differences"][1]["mean"] == pytest.approx(mean["tikhonov"] - mean["pseudo-inverse"])
    assert [one["column"] for one in answer(capsys, *words)["differences"]] == ["psnr", "middle_psnr"]
    assert "first frame, dB" in " ".join(run(capsys, *words, "--blur").split())


def test_every_window_is_an_exposure(here, capsys):
    np.save("v.npy", np.load("v.npy")[:9])
    (row,) = answer(capsys, "v.npy", *BLURRED, "--windows", "7")["rows"]
    singly = [answer(capsys, "v.npy", *BLURRED, "--frames", f"{k}:{k + 7}")["rows"][0] for k in range(3)]
    for name in ("psnr", "ssim", "middle_psnr"):
        assert row[name] == pytest.approx(np.mean([one[name] for one in singly]), rel=1e-12)
    assert (row["exposures"], row["part"]) == (3, "frames 0:9 windows 7:1 rows 0:26 columns 0:33")
    (stepped,) = answer(capsys, "v.npy", *BLURRED, "--windows", "7:2")["rows"]
    assert stepped["exposures"] == 2 and stepped["psnr"] == pytest.approx((singly[0]["psnr"] + singly[2]["psnr"]) / 2)
    assert main(["compare", "v.npy", *BLURRED, "--windows", "5"]) == 2
    assert "needed: a code of 5 frames, such as --code long:frames=5" in capsys.readouterr().err
    for wrong in ("10", "0", "7:0", "x"):
        assert main(["compare", "v.npy", *BLURRED, "--windows", wrong]) == 2
        assert "run" in capsys.readouterr().err


def test_windows_of_a_capture_are_found_again_by_score(here, capsys):
    words = ("--sensor", "conventional", "--code", "long:frames=7", "--windows", "7:4", "--frames", "1:16")
    assert main(["simulate", "v.npy", "v.c2b.ome.tif", *words]) == 0
    assert main(["reconstruct", "v.c2b.ome.tif", "r.npy", "--method", "pseudo-inverse"]) == 0
    index = json.loads(Path("r.npy.json").read_text())["record"]["frame_index"]
    assert index == [[*range(start, start + 7)] for start in (1, 5, 9)]
    capsys.readouterr()
    assert main(["score", "r.npy", "v.npy", "--json"]) == 0
    single = json.loads(capsys.readouterr().out)
    (row,) = answer(capsys, "v.npy", *BLURRED, "--windows", "7:4", "--frames", "1:16")["rows"]
    assert row["psnr"] == pytest.approx(single["psnr"], abs=2e-4)


def test_a_share_of_the_size_is_a_size(here, capsys):
    (row,) = answer(capsys, "v.npy", *ONE, "--resize", "50%", "--rows", "0:24")["rows"]
    assert (row["height"], row["width"]) == (12, round(WIDTH / 2))
    for wrong in ("0%", "x%", "nan%", "inf%", "9999999%"):
        assert main(["compare", "v.npy", *ONE, "--resize", wrong]) == 2
        assert "such as 45%" in capsys.readouterr().err


def test_a_data_set_stands_for_its_recordings(here, capsys):
    film = np.load("v.npy")
    for name in ("GOPR0384_11_05", "GOPR0384_11_00", "GOPR0410_11_00"):
        folder = Path("GOPRO_Large_all", "test", name)
        folder.mkdir(parents=True)
        for number, frame in enumerate(film[:9]):
            Image.fromarray(np.repeat(frame[..., None], 3, -1)).save(folder / f"{number + 1:06}.png")
    rows = answer(capsys, "GOPRO_Large_all", "v.npy", *ONE, "--frames", "0:9")["rows"]
    found = [f"GOPRO_Large_all/test/{name}" for name in ("GOPR0384_11_00", "GOPR0384_11_05", "GOPR0410_11_00")]
    assert [row["video"] for row in rows] == [*found, "v.npy"]
    assert rows[0]["psnr"] == pytest.approx(rows[-1]["psnr"], abs=0.1)
    for name in ("blur", "sharp"):
        Path("GOPRO_Large", "test", "GOPR0384_11_00", name).mkdir(parents=True)
    assert main(["compare", "GOPRO_Large", *ONE]) == 2
    assert "no film" in capsys.readouterr().err


# The combinations.


@pytest.mark.parametrize("name", [*recon.METHODS, "tile+consistent"])
def test_every_method_gives_rows_or_says_why_not(here, capsys, name):
    methods = dict.fromkeys((name, "pseudo-inverse"))
    cameras = ("conventional", "coded-pixel", "cep-2019")
    words = [word for method in methods for word in ("--method", method)]
    words += [word for camera in cameras for word in ("--sensor", camera)]
    told = answer(capsys, "v.npy", "--frames", "0:9", *words)
    for camera in cameras:
        for method in methods:
            rows = [row for row in told["rows"] if (row["sensor"], row["method"]) == (camera, method)]
            why = [one for one in told["left_out"] if one["what"].endswith(method) and camera in one["what"]]
            assert len(rows) + len(why) == 1


def test_what_does_not_go_together_is_said_once_and_is_no_failure(here, capsys):
    np.save("short.npy", np.load("v.npy")[:5])
    words = ("--sensor", "two-bucket", "--sensor", "flutter-shutter", "--sensor", "conventional", "--method", "tile")
    told = answer(capsys, "v.npy", "short.npy", *words, "--light", "50", "--readout", "cep-2019", "--readout", "ideal")
    assert [(row["video"], row["sensor"]) for row in told["rows"]] == [("v.npy", "two-bucket")] * 2
    why = {one["what"]: one["why"] for one in told["left_out"]}
    assert len(why) == len(told["left_out"]) == 2 + 4
    assert "--code flutter" in why["flutter-shutter, impulse"] and "1 of 9 frames" in why["conventional, impulse, tile"]
    assert "has 5 frames" in why["short.npy, two-bucket, impulse, 50 e-"]


def test_a_video_that_turns_out_damaged_does_not_spoil_the_others(here, capsys):
    nan = np.load("v.npy").astype(np.float32) / 255
    nan[13] = np.nan
    np.save("nan.npy", nan)
    told = answer(capsys, "nan.npy", "v.npy", *ONE)
    assert [row["video"] for row in told["rows"]] == ["v.npy"] and "frame 13 holds NaN" in told["left_out"][0]["why"]


# What is known is not computed again.


def test_a_second_run_computes_nothing_and_prints_the_same(here, capsys, monkeypatch):
    words = ("v.npy", "rotating-camera:frames=9,height=20,width=24", "--sensor", "two-bucket", "--report", "d")
    first, content = run(capsys, *words), Path("d/comparison.csv").read_bytes()
    assert first.endswith("d/comparison.csv: 6 rows, 6 of them new\n")
    monkeypatch.setattr(streaming, "exposures", None)
    assert run(capsys, *words) == first.replace("6 of them", "0 of them")
    assert Path("d/comparison.csv").read_bytes() == content


def test_only_what_is_new_is_computed(here, capsys):
    run(capsys, "v.npy", *ONE, "--report", "d")
    told = run(capsys, "v.npy", *ONE, "--method", "tile", "--report", "d")
    assert told.endswith("2 rows, 1 of them new\n")
    for words in (
        ("--seed", "1"),
        ("--frames", "0:9"),
        ("--linearize", "srgb"),
        ("--protocol", "cacti"),
        ("--readout", "cep-2019"),
    ):
        assert run(capsys, "v.npy", *ONE, *words, "--report", "d").endswith("1 of them new\n")
    np.save("v.npy", np.load("v.npy")[::-1])
    assert run(capsys, "v.npy", *ONE, "--report", "d").endswith("1 row, 1 of them new\n") and len(table("d")) == 8


def test_a_repeated_word_counts_once(here, capsys):
    assert len(answer(capsys, "v.npy", "v.npy", *ONE, *ONE)["rows"]) == 1


def test_an_interrupted_comparison_goes_on_where_it_stopped(here, capsys, monkeypatch):
    words = ("v.npy", "--sensor", "coded-pixel", "--sensor", "cep-2019", "--method", "pseudo-inverse", "--seed", "3")
    whole = answer(capsys, *words)["rows"]
    solve, calls = PseudoInverse.solve, []

    def interrupted(self, capture):
        calls.append(capture)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return solve(self, capture)

    monkeypatch.setattr(PseudoInverse, "solve", interrupted)
    assert main(["compare", *words, "--report", "d"]) == 130
    assert [row["sensor"] for row in table("d")] == ["coded-pixel"]
    assert {path.name for path in Path("d").iterdir()} == {"cells", "comparison.csv"}
    capsys.readouterr()
    again = answer(capsys, *words, "--report", "d")["rows"]
    assert len(calls) == 4 + 2
    for one, other in zip(whole, again, strict=True):
        assert one | {"cpu_seconds": 0} == other | {"cpu_seconds": 0}


def test_the_methods_of_a_camera_share_its_captures(here, capsys, monkeypatch):
    take, calls = sensors.sensor.Sensor.take, []
    monkeypatch.setattr(sensors.sensor.Sensor, "take", lambda *given, **named: calls.append(named) or take(*given, **named))
    run(capsys, "v.npy", "--sensor", "two-bucket", "--sensor", "coded-pixel")
    assert [named["number"] for named in calls] == [0, 1, 0, 1]


def test_one_exposure_at_a_time_is_in_memory(here, capsys, monkeypatch):
    read, lengths = Recording.read, []
    monkeypatch.setattr(Recording, "read", lambda self, frames: lengths.append(len(frames)) or read(self, frames))
    np.save("long.npy", np.repeat(np.load("v.npy"), 5, axis=0))
    (row,) = answer(capsys, "long.npy", *ONE)["rows"]
    assert row["exposures"] == 11 and max(lengths) == 9


# The table.


def test_the_csv_is_tidy_and_reads_back_as_it_was(tmp_path):
    texts = dict.fromkeys(COLUMNS, 'a, "b"\nc') | {"readout": "", "protocol": ""}
    numbers = {
        "psnr": float("inf"),
        "ssim": 0.1 + 0.2,
        **dict.fromkeys(("initial_psnr", "middle_psnr", "last_psnr"), 1e-17),
        **dict.fromkeys(("pair_error", "pair_error_per_pixel", "reblurred_psnr", "end_point_error"), None),
        "middle_ssim": 0.7,
        "cpu_seconds": 2.5,
        "light": None,
        "exposure_light": None,
        "ssim_range_2": 0.5,
        "middle_ssim_range_2": None,
    }
    whole = {"exposures": 3, "frames": 9, "speed": 1, "height": 4, "width": 5, "seed": 2**63, "clipped": False}
    row = Row(**{**texts, **numbers, **whole, "digest": "1"})
    further = {"ms-ssim": 0.1 + 0.7, "lpips:net=\"a,b\"": 0.0}
    rows = [row, replace(row, digest="2", light=20.0, exposure_light=180.0, ssim_range_2=None, clipped=True, metrics=further)]
    write_rows(tmp_path / "t.csv", rows)
    assert (tmp_path / "t.csv").read_text().partition("\n")[0].startswith(",".join(COLUMNS) + ",ms-ssim,")
    assert read_rows(tmp_path / "t.csv") == {"1": rows[0], "2": rows[1]}
    assert read_rows(tmp_path / "absent.csv") == {}
    (mean,) = means([replace(row, psnr=30.0, video="x"), replace(row, psnr=40.0, video="y")])
    assert (mean.psnr, mean.videos, mean.exposures) == (35, 2, 6) and mean.spread == pytest.approx(50**0.5)
    assert [mean.spread for mean in means(rows[:1])] == [None]


# Differences.


@pytest.fixture
def clips(here):
    """Six clips of five scenes."""
    for k in range(6):
        np.save(f"street_{k}.npy" if k < 2 else f"other_{k}.npy", np.roll(np.load("v.npy"), (3 * k, k * k), (0, 1)))
    return sorted(path.name for path in here.glob("*_*.npy"))


def test_differences_are_paired_over_the_videos_and_drawn_by_scenes(clips, capsys):
    words = (*clips, "--sensor", "two-bucket", "--method", "pseudo-inverse", "--method", "tile", "--against", "best")
    told = answer(capsys, *words, "--scene", "street_*")
    by = {(row["video"], row["method"]): row for row in told["rows"]}
    groups = ["street" if clip.startswith("street") else clip for clip in clips]
    for one, column in zip(told["differences"], ("psnr", "middle_psnr"), strict=True):
        values = [[by[clip, name.split()[1]][column] for clip in clips] for name in (one["first"], one["second"])]
        expected = paired_difference(*values, groups)
        assert (one["column"], one["pairs"], one["groups"], one["certain"]) == (column, 6, 5, expected.certain)
        assert (one["mean"], one["low"], one["high"]) == pytest.approx((expected.mean, expected.low, expected.high))
    best = max(told["mean"], key=lambda mean: mean["psnr"])
    assert told["differences"][0]["second"] == f"two-bucket impulse {best['method']}".replace("impulse ", "")
    alone = answer(capsys, *words)["differences"][0]
    assert alone["groups"] == 6 and alone["mean"] == told["differences"][0]["mean"]
    shown = run(capsys, *words, "--scene", "street_*")
    assert f"{told['differences'][0]['mean']:+.2f} [" in shown and "bootstrap over 5 scenes" in " ".join(shown.split())


def test_differences_are_from_the_row_that_is_named_and_within_one_light(here, capsys):
    words = ("v.npy", *ONE[:2], "--readout", "cep-2019", "--light", "20", "--light", "100")
    told = answer(capsys, *words, "--against", "two-bucket tile")["differences"]
    assert {one["second"] for one in told} == {"two-bucket tile"} and {one["light"] for one in told} == {20, 100}
    assert len(told) == 2 * 2 * 2 and all(one["low"] is None and not one["certain"] for one in told)


def test_names_of_codes_tell_rows_apart_where_they_have_to(here, capsys):
    words = ("v.npy", *ONE, "--code", "impulse", "--code", "hadamard:order=4")
    found = answer(capsys, *words, "--against", "best")["differences"]
    assert {found[0]["first"], found[0]["second"]} == {f"two-bucket {code} pseudo-inverse" for code in ("impulse", "hadamard:order=4")}


def test_the_best_comes_first_and_what_all_share_is_said_once(here, capsys):
    told = run(capsys, "v.npy", "--light", "20", "--light", "100", "--readout", "cep-2019").split("mean over videos: ")
    titles = [" ".join(part.split("\n\n")[0].split()) for part in told[1:]]
    assert titles == [f"1, code: impulse, readout: cep-2019, {light} e- at white" for light in (20, 100)]
    for part in told[1:]:
        lines = [line.split() for line in part.split("\n\n")[1].split("\n")]
        assert lines[0] == ["sensor", "method", "PSNR", "SSIM", "middle", "CPU", "s"]
        psnr = [float(line[2]) for line in lines[2:]]
        assert len(psnr) == 7 and psnr == sorted(psnr, reverse=True)
    assert "left out" in told[-1] and "1 of 9 frames" in told[-1]


def test_a_truth_in_one_colour_per_pixel_is_scored_in_three(here, capsys):
    """Both are demosaicked alike, so that what is exact stays exact; and cropping by an odd number shifts the pattern of both."""
    crop = ("--rows", "1:26", "--columns", "3:33", "--channels", "stored")
    still = np.repeat(np.load("m.npy")[:1], 9, axis=0)
    np.save("still.npy", still)
    Path("still.npy.json").write_text('{"colour": "grbg"}')
    for response in ("none", "srgb"):
        assert main(["simulate", "still.npy", "m.c2b.ome.tif", *crop, "--linearize", response, "--sensor", "conventional"]) == 0
        assert main(["reconstruct", "m.c2b.ome.tif", "r.npy", "--method", "pseudo-inverse"]) == 0
        capsys.readouterr()
        assert main(["score", "r.npy", "still.npy", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["psnr"] > 100 and told["conventions"]["truth"] == "demosaicked grbg"
    shown = demosaic(still[:, 1:, 3:] / 255, "gbrg")  # grbg seen from an odd row and an odd column
    assert np.allclose(make_response("srgb").encode(np.load("r.npy")), shown, atol=0.05)


def test_in_a_narrow_terminal_no_short_word_is_broken_and_nothing_is_lost(monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "50")
    method, sensor = "pseudo-inverse", "two-bucket:leakage=[0.01,0.02],mismatch=0.03"
    lines = [line.split() for line in shown_table(("sensor", "method", "PSNR"), [(sensor, method, "31.62")]).split("\n")[3:]]
    assert lines[0][1:] == [method, "31.62"] and "".join(line[0] for line in lines if line) == sensor


# Mistakes.

MISTAKES = {
    "": "needs VIDEO",
    "missing.mkv": "there is no file or folder missing.mkv",
    "v.npy missing.mkv": "there is no file or folder missing.mkv",
    "v.npy --sensor two-buckets": "did you mean two-bucket?",
    "v.npy --sensor conventional --sensor two-bucket:leak=0.1": "did you mean leakage?",
    "v.npy --code impuls": "did you mean impulse?",
    "v.npy --code impulse --code bump:tile=0": "tile",
    "v.npy --method tiles": "did you mean tile?",
    "v.npy --method tile+consistant": "unknown method 'tile+consistant'",
    "v.npy --readout cep-2018": "did you mean cep-2019?",
    "v.npy --readout cep-2019:leakage=0.1": "unknown setting of the readout of cep-2019 'leakage'",
    "v.npy --light 20": "add --readout cep-2019",
    "v.npy --readout cep-2019 --light 0": "positive number",
    "v.npy --protocol mine": '"codedblurred", "cacti"',
    "v.npy --against gmm": "--against gmm: it is none of conventional pseudo-inverse; coded-pixel pseudo-inverse",
    "v.npy --code impulse --code hadamard:order=4 --sensor two-bucket --against two-bucket/tile": "which of two-bucket impulse",
    "v.npy --scene street_*": "--scene street_* fits none of v.npy",
    "v.npy --scene v.* --scene *.npy": "both fit v.npy",
    "v.npy --frames 0:5": "nothing here goes together; v.npy, conventional, impulse: the video has 5 frames",
    "v.npy --sensor flutter-shutter": "nothing here goes together; flutter-shutter, impulse: ",
    "v.npy --report v.npy": "v.npy is a file; --report needs a folder",
    "v.npy --report away/d": "the folder away does not exist",
    "v.npy --report other": "not a comparison by this version of c2b",
    "v.npy --report torn": "not a comparison by this version of c2b",
    "v.npy --report empty": "not a comparison by this version of c2b",
}


@pytest.mark.parametrize(("line", "said"), MISTAKES.items())
def test_a_mistake_is_one_line_and_leaves_everything_as_it_was(here, capsys, line, said):
    for folder, content in {"other": "a,b\n1,2\n", "torn": ",".join(COLUMNS) + "\nv.npy,two-bucket\n", "empty": ""}.items():
        Path(folder).mkdir()
        Path(folder, "comparison.csv").write_text(content)
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    assert main(["compare", *(word.replace("two-bucket/tile", "two-bucket tile") for word in line.split())]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("c2b: ") and told.err.count("\n") == 1 and said in told.err
    assert before == {path: path.stat().st_mtime_ns for path in Path().rglob("*")}


def test_a_place_that_cannot_be_written_is_named(here, capsys, monkeypatch):
    def read_only(self, *_args, **_settings):
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "mkdir", read_only)
    assert main(["compare", "v.npy", *ONE, "--report", "d"]) == 2
    assert capsys.readouterr().err == "c2b: d: Read-only file system\n"


# A real film.


def test_real_film_gives_what_the_single_commands_gave(here, capsys):
    clip = data("gopro/d01_gopro-s01.mkv")
    rows = answer(capsys, str(clip), "--columns", "0:1278", "--sensor", "two-bucket", "--method", "tile+consistent")["rows"]
    assert rows[0]["psnr"] == pytest.approx(34.01, abs=0.02)
