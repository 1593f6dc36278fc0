"""The masks of the SCI benchmark: told apart, taken anew from the true frames, named by every score, never mistaken for one another."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from c2b import codes, masks
from c2b.cli import main
from sensors.coded_pixel import CodedPixel

H, W, T, N = 22, 30, 5, 3
ROOT = Path(os.environ.get("C2B_DATA") or Path(__file__).parents[2] / "shared" / "data")
RIGHT, LEFT, INDEPENDENT = (
    f"shifting-mask:frames={T},tile=[{H},{W}],step=0,across=1,seed=1",
    f"shifting-mask:frames={T},tile=[{H},{W}],step=0,across=-1,seed=2",
    f"bernoulli:frames={T},tile=[{H},{W}],seed=3",
)


def data(name):
    if not (ROOT / "sci" / name).exists():
        pytest.skip(f"sci/{name} is not in {ROOT}; set C2B_DATA to the folder of test data")
    return ROOT / "sci" / name


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
        told = masks.describe(codes.make(str(data(name))))
        assert (told["kind"], told["open"], told["size"]) == (kind, share, [256, 256])
    digests = {masks.describe(codes.make(str(data(f"{name}_cacti.mat"))))["sha256"] for name in ("kobe32", "runner40", "crash32")}
    assert len(digests) == 1


def test_info_tells_which_mask_it_is(here, capsys):
    assert json.loads(run(capsys, "info", "left.mat", "--json"))["mask"] == KINDS[LEFT]
