"""Designed codes: the gradient is the slope of the bound, what the chip cannot do is never tried, and an interrupted search goes on."""

from __future__ import annotations

import json
from itertools import islice

import numpy as np
import pytest

import sensors
from c2b import codes
from c2b.cli import main
from c2b.criteria.mixture_error import MixtureBound
from c2b.design.code_design import CodeDesign, card_of, log_of
from c2b.design.moves import MOVES, bumps, flips, space, steps, swaps
from c2b.design.objective import Objective
from c2b.design.search import begin, search
from recon.gaussian_mixture import GaussianMixture
from sensors import spec
from sensors.code_link import CONSTRAINTS
from sensors.refusal import Refusal

READOUT = spec.make(sensors.READOUTS, "readout", "electrons:white=60,read_noise=4,prnu=0.05")


@pytest.fixture(scope="module")
def prior():
    """Three components over patches of 5 frames of 4 x 4 pixels."""
    rng = np.random.default_rng(2)
    drift = np.cumsum(rng.standard_normal((3, 5, 4, 4, 6)), axis=1).reshape(3, 80, 6)
    return GaussianMixture(np.array([0.5, 0.3, 0.2]), rng.uniform(0.2, 0.7, (3, 80)), 0.05 * drift, np.full(3, 1e-3), (5, 4, 4))


@pytest.fixture
def prior_file(prior, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prior.save("./prior.safetensors", {})
    return "./prior.safetensors"


def objective(prior, kind="two-bucket", **settings):
    return Objective(sensors.make(kind, np.ones((5, 1, 1)), readout=READOUT, **settings), prior)


@pytest.mark.parametrize("kind", ["coded-pixel", "two-bucket:leakage=0.05", "two-bucket:lag=0.1,parasitic=0.02"])
def test_the_gradient_is_the_slope_of_the_bound(prior, kind):
    one, rng = objective(prior, kind), np.random.default_rng(1)
    code, way = rng.uniform(0.2, 0.8, (5, 2, 3)), rng.standard_normal((5, 2, 3))
    psnr, gradient = one.gradient(code)
    assert psnr == pytest.approx(one.psnr(code))
    assert (one.psnr(code + 1e-4 * way) - one.psnr(code - 1e-4 * way)) / 2e-4 == pytest.approx(np.vdot(gradient, way), rel=1e-3)


def test_the_bound_is_that_of_the_criterion(prior, prior_file):
    code = codes.make("bernoulli:frames=5,tile=[2,3],seed=3")
    one = objective(GaussianMixture.load(prior_file))
    assert one.psnr(code) == pytest.approx(MixtureBound(prior_file)(one.under(code)))


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("same_light", [False, True])
def test_a_search_only_tries_what_the_chip_can_do_and_finds_better(prior, constraint, same_light):
    if same_light and constraint in (*MOVES, "separable"):
        with pytest.raises(Refusal, match="not supported"):
            space((constraint,), same_light=True)
        return
    allowed, one, tile = (
        space((constraint,), same_light=same_light),
        objective(prior),
        (1, 1) if constraint == "shared" else (2, 3),
    )
    first = begin(one, allowed.beginning(5, tile, 2, np.random.default_rng(0)))
    fulfils = CONSTRAINTS[constraint][0]
    states = [*search(one, allowed, first, 12, seed=0)]
    assert all(fulfils(state.code) and fulfils(state.best) for state in (first, *states))
    assert all(state.best_psnr == pytest.approx(one.psnr(state.best)) for state in states[::6])
    assert states[-1].best_psnr >= first.psnr + 0.01 * (constraint in ("one-bit", "single-bump", "separable"))
    if same_light:
        assert (states[-1].best.sum(0) == 2).all()


def test_moves_are_all_that_there_are():
    line = np.array([1, 0, 1, 0], np.uint8)
    assert len(flips(line)) == 4 and (np.abs(flips(line).astype(int) - line).sum(1) == 1).all()
    assert len(swaps(line)) == 4 and (swaps(line).sum(1) == 2).all() and len({tuple(one) for one in swaps(line)}) == 4
    assert len({tuple(one) for one in bumps(line)}) == 10
    assert len({tuple(one) for one in steps(line)}) == 8


def test_an_interrupted_design_goes_on_to_the_same_code(prior_file, tmp_path):
    told = CodeDesign("two-bucket", "electrons:white=60,read_noise=4", None, 4, (2, 3), prior_file, seed=5)
    whole = told.run(tmp_path / "whole.npy", 8)

    class Stopped(Exception):
        pass

    def three(states, total, what):
        assert (total, what) == (8, "design")
        yield from islice(states, 3)
        raise Stopped

    with pytest.raises(Stopped):
        told.run(tmp_path / "parts.npy", 8, three)
    assert json.loads(card_of(tmp_path / "parts.npy").read_text())["search"]["step"] == 3
    parts = told.run(tmp_path / "parts.npy", 8)
    assert (parts.code == whole.code).all() and parts.best_psnr == whole.best_psnr
    assert log_of(tmp_path / "parts.npy").read_text() == log_of(tmp_path / "whole.npy").read_text()
    assert (codes.make(str(tmp_path / "parts.npy")) == whole.best).all()
    assert told.run(tmp_path / "parts.npy", 8).step == 8  # nothing is left to do
    with pytest.raises(Refusal, match="other settings \\(seed\\)"):
        CodeDesign("two-bucket", "electrons:white=60,read_noise=4", None, 4, (2, 3), prior_file, seed=6).run(
            tmp_path / "parts.npy", 8
        )
    card_of(tmp_path / "parts.npy").write_text("{}")
    with pytest.raises(Refusal, match="no card of a design"):
        told.run(tmp_path / "parts.npy", 8)


def test_the_command_designs_from_a_code_and_draws_its_curve(prior_file, tmp_path, capsys):
    np.save("start.npy", codes.make("bernoulli:frames=4,tile=[2,3],seed=1").astype(np.uint8))
    words = [
        "design",
        "mine.npy",
        "--prior",
        prior_file,
        "--frames",
        "4",
        "--tile",
        "2x3",
        "--start",
        "start.npy",
        "--steps",
        "4",
    ]
    assert main([*words, "--readout", "electrons:white=60,read_noise=4", "--light", "30", "--png", "curve.png"]) == 0
    assert "mine.npy: 4 sub-exposures, tile 2x3, 4 steps; bound" in capsys.readouterr().out
    assert (tmp_path / "curve.png").stat().st_size > 5000 and codes.make("mine.npy").shape == (4, 2, 3)
    assert main(["codes", "mine.npy"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--tile 2y3", "is not ROWSxCOLUMNS"),
        ("--tile 40", "sides of 1 to 32 pixels"),
        ("--frames 6", "no marginal over 6"),
        ("--constraint round", "unknown constraint 'round'"),
        ("--constraint single-bump --constraint separable", "choose one"),
        ("--constraint shared", "asks for --tile 1"),
        ("--opened 5", "is open in 0 to 4"),
        ("--light 0", "no number of electrons"),
        ("--start impulse", "needed: 4x2x3"),
        ("--start bernoulli:frames=4,tile=[2,3] --constraint single-bump", "open only once"),
        ("--sensor two-bucket:cell=2", "no cells, late rows or maps"),
        ("--prior away.safetensors", "away.safetensors"),
    ],
)
def test_what_cannot_be_designed_is_said_in_one_line_and_leaves_nothing(prior_file, tmp_path, capsys, words, said):
    short = {"--prior": prior_file, "--frames": "4", "--tile": "2x3", "--steps": "1"}
    given = words.split()
    rest = [word for pair in short.items() if pair[0] not in given for word in pair]
    assert main(["design", "mine.npy", *given, *rest]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and said in told
    assert [path.name for path in tmp_path.iterdir()] == ["prior.safetensors"]
