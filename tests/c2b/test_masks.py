"""The masks of the SCI benchmark: told apart, taken anew from the true frames, named by every score, never mistaken for one another."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from c2b import codes, masks
from c2b.captures import read_capture, write_capture
from c2b.cli import main
from sensors.coded_pixel import CodedPixel
from sensors.refusal import Refusal
from tests.stored_data import data

H, W, T, N = 22, 30, 5, 3
RIGHT, LEFT, INDEPENDENT = (
    f"shifting-mask:frames={T},tile=[{H},{W}],step=0,across=1,seed=1",
    f"shifting-mask:frames={T},tile=[{H},{W}],step=0,across=-1,seed=2",
    f"bernoulli:frames={T},tile=[{H},{W}],seed=3",
)


def film(frames=N * T):
    """Smooth motion, which neighbouring frames share as those of a scene do."""
    t, i, j = np.ogrid[:frames, :H, :W]
    return np.rint(120 + 60 * np.sin(0.4 * i + 0.25 * j - 0.3 * t) + 50 * np.cos(0.5 * j)).astype(np.uint8)


def last(array):
    """Time last, as MATLAB has it."""
    return np.moveaxis(np.asarray(array), 0, -1)


def meas(code, frames=None):
    return last(CodedPixel(codes.make(code)).capture(film() if frames is None else frames, seed=0).images[:, 0])


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A scene under the mask that moves right, and two other masks in files."""
    monkeypatch.chdir(tmp_path)
    savemat("scene.mat", {"meas": meas(RIGHT), "mask": last(codes.make(RIGHT)), "orig": last(film())})
    for name, code in {"left": LEFT, "independent": INDEPENDENT}.items():
        savemat(f"{name}.mat", {"mask": last(codes.make(code))})


def run(capsys, *words):
    assert main([*words]) == 0, capsys.readouterr().err
    told = capsys.readouterr()
    assert told.err == ""
    return told.out


def refused(capsys, *words):
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    assert main([*words]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("c2b: ") and told.err.count("\n") == 1
    assert before == {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    return told.err


# What a mask is --------------------------------------------------------------------------------------------------------------

KINDS = {
    RIGHT: "one mask, a column right per frame",
    LEFT: "one mask, a column left per frame",
    INDEPENDENT: "5 independent masks",
    "shifting-mask:tile=[20,33],step=-2,across=3": "one mask, 2 rows up and 3 columns right per frame",
    "shifting-mask:tile=[33,20],step=0": "one mask, the same in every frame",
    "bernoulli:frames=8,tile=[40,30],probability=0.1": "8 independent masks",
    "bernoulli:frames=1,tile=16": "one mask",
    "bump:frames=8,tile=[30,40],length=4": "masks that depend on each other",
    "hadamard:order=64": "frames without a pattern",
    "impulse": "tile",
    "flutter": "tile",
}


@pytest.mark.parametrize(("code", "kind"), KINDS.items())
def test_a_mask_is_told_by_how_it_moves(code, kind):
    assert masks.describe(codes.make(code))["kind"] == kind


def test_a_mask_may_be_grey_and_change_where_it_enters():
    grey = np.random.default_rng(0).random((40, 50))
    moving = np.stack([np.roll(grey, t, axis=1) for t in range(4)])
    moving[:, :, 0] = np.random.default_rng(1).random((4, 40))
    assert masks.describe(moving)["kind"] == "one mask, a column right per frame"
    uneven = np.stack([np.roll(grey, by, axis=0) for by in (0, 1, 4, 2)])
    assert masks.describe(uneven)["kind"] == "one mask, moved by a step that varies"
    assert masks.describe(np.stack([moving, uneven]))["kind"] == "2 codes in turn"


def test_the_digest_is_that_of_the_values_whatever_their_type():
    code = codes.make(RIGHT)
    assert len({masks.describe(code.astype(kind))["sha256"] for kind in (np.uint8, bool, np.float32, np.float64)}) == 1
    assert masks.describe(code)["sha256"] != masks.describe(1 - code)["sha256"]
    assert masks.describe(code)["sha256"] != masks.describe(code.swapaxes(1, 2).reshape(code.shape))["sha256"]


def test_the_masks_of_the_tables_are_told_apart():
    for name, kind, share in (
        ("kobe32_cacti.mat", "one mask, a column right per frame", 0.498),
        ("mask_cacti_readme.mat", "one mask, a column left per frame", 0.5046),
        ("mask_independent.mat", "8 independent masks", 0.501),
    ):
        told = masks.describe(codes.make(str(data(f"sci/{name}"))))
        assert (told["kind"], told["open"], told["size"]) == (kind, share, [256, 256])
    digests = {masks.describe(codes.make(str(data(f"sci/{name}_cacti.mat"))))["sha256"] for name in ("kobe32", "runner40", "crash32")}
    assert len(digests) == 1


def test_info_tells_which_mask_it_is(here, capsys):
    assert json.loads(run(capsys, "info", "left.mat", "--json"))["mask"] == KINDS[LEFT]
    told = json.loads(run(capsys, "info", "scene.mat", "--json"))["mask"]
    assert (told["file"], told["kind"], told["meas"]) == ("scene.mat", KINDS[RIGHT], "as stored")


# Measurements taken anew -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["scene.mat", "left.mat", "independent.mat"])
def test_a_scene_is_taken_anew_under_any_mask_and_the_score_says_which(here, capsys, file):
    words = ("--method", "gap-tv:iterations=5")
    told = run(capsys, "reconstruct", "scene.mat", "r.npy", *words, "--protocol", "cacti", "--code", file)
    kind = masks.describe(codes.make(file))["kind"]
    assert f"mask: {file} ({kind}, 5 frames of 22x30" in told and "meas taken anew from orig)" in told
    run(capsys, "simulate", "scene.mat", "s.c2b.ome.tif", "--sensor", "coded-pixel", "--code", file)
    run(capsys, "reconstruct", "s.c2b.ome.tif", "s.npy", *words)
    assert np.array_equal(np.load("r.npy"), np.load("s.npy"))
    assert f"mask: {file} ({kind}" in run(capsys, "score", "r.npy", "scene.mat", "--protocol", "cacti")
    said = json.loads(run(capsys, "score", "r.npy", "scene.mat", "--protocol", "cacti", "--json"))
    assert said["conventions"]["mask"] == json.loads(Path("r.npy.json").read_text())["record"]["mask"]
    assert said["conventions"]["mask"]["sha256"] == masks.describe(codes.make(file))["sha256"]
    assert f"mask: {file}" in run(capsys, "score", "s.npy", "scene.mat", "--protocol", "cacti")


def test_the_mask_of_the_file_is_named_too(here, capsys):
    for words, meas_is in (((), "as stored"), (("--protocol", "cacti"), "taken anew from orig")):
        run(capsys, "reconstruct", "scene.mat", "r.npy", "--method", "pseudo-inverse", *words)
        said = json.loads(run(capsys, "score", "r.npy", "scene.mat", "--json"))["conventions"]["mask"]
        assert (said["file"], said["kind"], said["meas"]) == ("scene.mat", KINDS[RIGHT], meas_is)


def test_a_video_that_does_not_say_its_mask_is_scored_as_of_an_unknown_one(here, capsys):
    np.save("r.npy", film().astype(np.float32) / 255)
    assert "mask: unknown" in run(capsys, "score", "r.npy", "scene.mat", "--protocol", "cacti")
    assert json.loads(run(capsys, "score", "r.npy", "scene.mat", "--protocol", "cacti", "--json"))["conventions"]["mask"] is None
    assert "mask" not in run(capsys, "score", "r.npy", "scene.mat")
    for record in ('{"mask": "torn"}', '{"mask": {"size": 3, "open": "x"}}', '{"mask": {}}'):
        Path("r.npy.json").write_text(f'{{"record": {record}}}')
        run(capsys, "score", "r.npy", "scene.mat", "--protocol", "cacti")


def test_what_is_stored_does_not_matter_when_meas_is_taken_anew(here):
    for orig in (film(), film().astype(float), film() / 255.0, film().astype(np.uint16)):
        stored = {"meas": np.zeros((H, W, N)), "mask": last(codes.make(RIGHT)) * 3.0, "orig": last(orig)}
        savemat("x.mat", stored)
        for code in (None, codes.make(LEFT)):
            capture = read_capture("x.mat", code=code, from_orig=True)
            taken = capture.sensor.capture(orig.astype(np.float32), seed=0)
            assert np.allclose(capture.images, taken.images) and capture.sensor.code.max() == 1
            light = film().astype(np.float32) / (65535 if orig.dtype == np.uint16 else 255)
            assert np.allclose(capture.charge, taken.sensor.capture(light, seed=0).images, atol=1e-5)
            assert capture.record["frame_index"] == np.arange(N * T).reshape(N, T).tolist()


def test_a_mosaic_and_colour_frames_are_taken_anew_as_well(here):
    rgb = np.stack([film(), film()[:, ::-1], 255 - film()], -1)
    for name, video in (("orig_bayer", film()), ("orig", rgb)):
        savemat("b.mat", {"meas_bayer": meas(RIGHT), "mask_bayer": last(codes.make(RIGHT)), name: last(video)})
        capture = read_capture("b.mat", code=codes.make(LEFT), from_orig=True)
        assert capture.sensor.colour == "rggb"
        assert np.array_equal(capture.images, capture.sensor.capture(video, seed=0).images)


def test_another_number_of_frames_per_measurement_is_possible_and_said(here, capsys):
    words = ("reconstruct", "scene.mat", "r.npy", "--method", "pseudo-inverse", "--protocol", "cacti")
    told = run(capsys, *words, "--code", f"bernoulli:frames=7,tile=[{H},{W}]")
    assert "14 frames" in told and "from 2 exposures" in told and "frames 14:15 unused" in told
    assert json.loads(run(capsys, "score", "r.npy", "scene.mat", "--protocol", "cacti", "--json"))["psnr"] > 0
    assert "tile of" not in run(capsys, *words, "--code", "impulse:tile=[1,5]")  # a named tile repeats


# A measurement and a code that do not belong together -------------------------------------------------------------------------


@pytest.fixture
def wrong(here):
    """Codes that the scene was not taken with: other masks, and its own with a fault."""
    own = codes.make(RIGHT)
    faults = {
        "reversed": own[::-1],
        "later": np.roll(own, 1, axis=0),
        "moved": np.roll(own, 1, axis=2),
        "flipped": own[:, ::-1],
        "complement": 1 - own,
        "frame": np.where(np.arange(T)[:, None, None] == 2, codes.make(INDEPENDENT), own),
        "dimmed": own * np.float32(0.5),
        "short": own[:4],
        "quarter": own[:, : H // 2, : W // 2],
    }
    for name, code in faults.items():
        np.save(f"{name}.npy", np.ascontiguousarray(code))
    return ["left.mat", "independent.mat", "impulse", *(f"{name}.npy" for name in faults)]


def test_a_code_that_does_not_explain_meas_is_refused_in_one_line(wrong, capsys):
    for code in wrong:
        for command in (("reconstruct", "scene.mat", "r.npy"), ("convert", "scene.mat", "r.npz")):
            said = refused(capsys, *command, "--code", code)
            assert "its meas was not taken with this code" in said and "--protocol cacti" in said and "leave --code out" in said


def test_it_is_refused_where_the_file_has_no_mask_either(wrong, capsys):
    savemat("bare.mat", {"meas": meas(RIGHT), "orig": last(film())})
    for code in wrong:
        said = refused(capsys, "reconstruct", "bare.mat", "r.npy", "--code", code)
        assert "its meas was not taken with this code" in said and "leave --code out" not in said
    np.save("own.npy", codes.make(RIGHT))
    assert "mask: own.npy" in run(capsys, "reconstruct", "bare.mat", "r.npy", "--method", "pseudo-inverse", "--code", "own.npy")


def test_a_usual_mistake_is_named(wrong, capsys):
    for code, said in {
        "reversed": "reversed in time",
        "later": "a frame earlier",
        "moved": "a column to the left",
        "flipped": "upside down",
        "complement": "with open and closed exchanged",
        "frame": "the mask in the file",
    }.items():
        assert f"{said} explains it better" in refused(capsys, "reconstruct", "scene.mat", "r.npy", "--code", f"{code}.npy")
    side = np.ascontiguousarray(codes.make(RIGHT)[:, :, :H])
    savemat("square.mat", {"meas": meas(RIGHT)[:, :H], "mask": last(side), "orig": last(film())[:, :H]})
    with pytest.raises(Refusal, match="transposed explains it better"):
        read_capture("square.mat", code=side.swapaxes(1, 2))


@pytest.mark.parametrize("electrons", [20, 1000])
@pytest.mark.parametrize("unit", [1.0, 37.5])
def test_noise_and_unit_do_not_hide_the_right_code_nor_the_wrong_one(here, electrons, unit):
    rng = np.random.default_rng(5)
    light = meas(RIGHT) / 255.0
    noisy = (rng.poisson(light * electrons) + rng.normal(0, 5, light.shape)) / electrons * unit
    savemat("x.mat", {"meas": noisy, "white": unit, "orig": last(film())})
    assert "% off what this code makes of orig" in read_capture("x.mat", code=codes.make(RIGHT)).record["mask"]["meas"]
    for code in (codes.make(LEFT), codes.make(INDEPENDENT), codes.make(RIGHT)[::-1], codes.make(RIGHT)[:, ::-1]):
        with pytest.raises(Refusal, match="not taken with this code"):
            read_capture("x.mat", code=code)


def test_a_mask_to_be_registered_may_be_off(here):
    moved = np.roll(codes.make(RIGHT), 1, axis=2)
    assert np.array_equal(read_capture("scene.mat", code=moved, check=False).sensor.code, moved)


def test_a_code_of_a_file_without_true_frames_is_taken_and_that_is_said(here, capsys):
    savemat("bare.mat", {"meas": meas(RIGHT), "mask": last(codes.make(RIGHT))})
    words = ("reconstruct", "bare.mat", "r.npy", "--method", "pseudo-inverse", "--code")
    assert "meas as stored; the pattern of the code is in it" in run(capsys, *words, RIGHT)
    assert "was not taken with this code" in refused(capsys, *words, "left.mat")


def test_a_file_of_our_own_holds_together(tmp_path):
    capture = CodedPixel(codes.make(INDEPENDENT)).capture(film(), seed=0)
    write_capture(tmp_path / "a.mat", capture, orig=film())
    assert np.array_equal(read_capture(tmp_path / "a.mat", code=codes.make(INDEPENDENT)).images, capture.images)


MISTAKES = {
    "scene.mat --code quarter.npy": "quarter.npy is a mask of 11x15 and the frames are 22x30",
    "scene.mat --code flat.npy": "holds uint8 of shape (22, 30)",
    "scene.mat --code flat.mat": "holds mask 22x30; needed: mask (H, W, T)",
    "scene.mat --code nan.npy": "a code lies in [0, 1]",
    "scene.mat --code absent.mat": "does not exist",
    "scene.mat --code scene.npy": "does not exist",
    "no-orig.mat": "holds meas, mask, but no orig (H, W, NT)",
    "no-orig.mat --code left.mat": "holds meas, mask, but no orig (H, W, NT)",
    "no-mask.mat": "and no mask; name the code",
    "nan-orig.mat": "not finite",
    "odd-orig.mat": "orig is 11x30 and meas 22x30",
    "few.mat": "the video has 4 frames",
    "film.c2b.ome.tif": "is no SCI scene",
    "absent.mat": "does not exist",
}


@pytest.mark.parametrize(("line", "said"), MISTAKES.items())
def test_a_mistake_under_the_protocol_is_one_line(wrong, capsys, line, said):
    mask, orig = last(codes.make(RIGHT)), last(film())
    nan = np.where(orig == orig.max(), np.nan, orig)
    for name, content in {
        "no-orig": {"mask": mask},
        "no-mask": {"orig": orig},
        "nan-orig": {"mask": mask, "orig": nan},
        "odd-orig": {"mask": mask, "orig": orig[: H // 2]},
        "few": {"mask": mask, "orig": orig[..., :4]},
    }.items():
        savemat(f"{name}.mat", {"meas": meas(RIGHT), **content})
    savemat("flat.mat", {"mask": mask[..., 0]})
    np.save("flat.npy", mask[..., 0])
    np.save("nan.npy", np.where(codes.make(LEFT) == 1, np.nan, 0.0))
    run(capsys, "simulate", "scene.mat", "film.c2b.ome.tif")
    file, *words = line.split()
    assert said in refused(capsys, "reconstruct", file, "r.npy", "--protocol", "cacti", *words)


# Compared --------------------------------------------------------------------------------------------------------------------


def test_masks_are_compared_in_one_table_as_by_the_single_commands(here, capsys):
    named = ("own", "left.mat", "independent.mat")
    words = [word for name in named for word in ("--code", name)]
    told = json.loads(run(capsys, "compare", "scene.mat", "--protocol", "cacti", "--method", "gap-tv", *words, "--json"))
    assert [(row["sensor"], row["code"], row["exposures"]) for row in told["rows"]] == [
        ("coded-pixel", name, N) for name in named
    ]
    for row in told["rows"]:
        code = () if row["code"] == "own" else ("--code", row["code"])
        run(capsys, "reconstruct", "scene.mat", "r.npy", "--method", "gap-tv", "--protocol", "cacti", *code)
        single = json.loads(run(capsys, "score", "r.npy", "scene.mat", "--protocol", "cacti", "--json"))
        assert (row["psnr"], row["ssim"]) == pytest.approx((single["psnr"], single["ssim"]), abs=1e-6)
        assert row["mask"].startswith(f"{single['conventions']['mask']['kind']}, 5 frames of 22x30")


def test_a_scene_is_compared_under_its_own_mask_unless_another_is_named(here, capsys):
    told = run(capsys, "compare", "scene.mat", "--protocol", "cacti", "--method", "pseudo-inverse", "--report", "d")
    assert "code: own" in told and "coded-pixel" in told and "two-bucket" not in told and KINDS[RIGHT] in told
    assert KINDS[RIGHT] in Path("d/comparison.csv").read_text()
    (row,) = json.loads(run(capsys, "compare", "scene.mat", "--sensor", "coded-pixel", "--method", "tile", "--json"))["rows"]
    assert (row["code"], row["frames"]) == ("impulse", 9)  # without the protocol a scene is a film like any other


def test_each_scene_has_a_mask_of_its_own(here, capsys):
    savemat("other.mat", {"meas": meas(LEFT), "mask": last(codes.make(LEFT)), "orig": last(film())})
    words = ("--method", "pseudo-inverse", "--sensor", "coded-pixel", "--code", "own", "--json")
    rows = json.loads(run(capsys, "compare", "scene.mat", "other.mat", *words))["rows"]
    assert [row["mask"].split(", 5 frames")[0] for row in rows] == [KINDS[RIGHT], KINDS[LEFT]]


def test_masks_that_do_not_fit_are_left_out_with_the_reason(wrong, capsys):
    np.save("film.npy", film())
    words = ("--method", "pseudo-inverse", "--sensor", "coded-pixel", "--protocol", "cacti", "--json")
    told = json.loads(run(capsys, "compare", "scene.mat", *words, "--code", "own", "--code", "quarter.npy"))
    assert [row["code"] for row in told["rows"]] == ["own"] and "the frames are 22x30" in told["left_out"][0]["why"]
    told = json.loads(run(capsys, "compare", "film.npy", *words, "--code", "left.mat", "--code", "own"))
    assert [row["code"] for row in told["rows"]] == ["left.mat"] and "mask of an SCI scene" in told["left_out"][0]["why"]
    assert "nothing here goes together; --code own" in refused(capsys, "compare", "film.npy", *words, "--code", "own")


# The benchmark ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", ["kobe32", "runner40", "crash32"])
def test_benchmark_scenes_refuse_the_masks_they_were_not_taken_with(tmp_path, scene):
    path, own = data(f"sci/{scene}_cacti.mat"), codes.make(str(data("sci/kobe32_cacti.mat")))
    assert np.array_equal(read_capture(path, code=own).images, read_capture(path).images)
    assert np.array_equal(read_capture(path, from_orig=True).images, read_capture(path).images)
    file = loadmat(path)
    for name in ("mask_cacti_readme.mat", "mask_independent.mat"):
        code = codes.make(str(data(f"sci/{name}")))
        with pytest.raises(Refusal, match="this code: the mask in the file explains it better"):
            read_capture(path, code=code)
        savemat(tmp_path / "bare.mat", {"meas": file["meas"], "orig": file["orig"]})
        with pytest.raises(Refusal, match="this code: [0-9]% of the pattern of the code is in it"):
            read_capture(tmp_path / "bare.mat", code=code)
        first = (np.moveaxis(code, 0, 2) * file["orig"][..., :8].astype(int)).sum(2)
        assert np.array_equal(read_capture(path, code=code, from_orig=True).images[0, 0], first)


@pytest.mark.parametrize(
    ("scene", "frames", "left", "independent"),
    [
        ("kobe32", "", (26.87, 0.834), (26.97, 0.838)),
        ("runner40", "0:8", (29.99, 0.914), (29.77, 0.914)),
        ("crash32", "", (24.32, 0.809), (24.38, 0.812)),
    ],
)
def test_benchmark_scenes_score_as_measured_under_the_other_masks(capsys, scene, frames, left, independent):
    """GAP-TV; under the masks of the scene files themselves see test_gap."""
    names = [str(data(f"sci/mask_{name}.mat")) for name in ("cacti_readme", "independent")]
    words = ["--method", "gap-tv", "--frames", frames, "--code", names[0], "--code", names[1], "--json"]
    told = json.loads(run(capsys, "compare", str(data(f"sci/{scene}_cacti.mat")), "--protocol", "cacti", *words))
    for row, (decibels, similarity) in zip(told["rows"], (left, independent), strict=True):
        assert row["psnr"] == pytest.approx(decibels, abs=0.03) and row["ssim"] == pytest.approx(similarity, abs=0.002)
