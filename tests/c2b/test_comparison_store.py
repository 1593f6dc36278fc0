"""The store of a comparison: cells that several runs and processes share, from which the table is made, and what decides them."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest

import recon
from c2b import camera, streaming
from c2b.camera_grid import CameraGrid
from c2b.cli import main
from c2b.comparison import Comparison
from c2b.comparison_processes import spawned
from c2b.comparison_store import CELLS, TABLE, Store
from c2b.comparison_table import read_rows, write_rows
from c2b.comparison_unit import Cell, LeftOut
from c2b.comparison_work import Busy, work
from c2b.source import Part, Source
from recon import measures, method_digest, source_digest, weight_file
from recon.measures.measure import Metric
from recon.priors.denoiser import Denoiser
from recon.pseudo_inverse import PseudoInverse
from recon.reconstructor import Reconstructor
from sensors.refusal import Refusal

METHODS = ("pseudo-inverse", "tile")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a film of three exposures of the impulse code."""
    monkeypatch.chdir(tmp_path)
    t, i, j = np.ogrid[:27, :14, :17]
    np.save("v.npy", np.rint(128 + 60 * np.sin(0.4 * i + 0.25 * j - 0.3 * t) + 50 * np.cos(0.5 * j)).astype(np.uint8))


def comparison(*methods, **settings):
    sensors = settings.pop("sensors", ("coded-pixel", "cep-2019:white=200"))
    grid = CameraGrid(sensors, ("impulse",))
    return Comparison({"v.npy": Source("v.npy")}, grid, {name: recon.make(name) for name in methods or METHODS}, **settings)


def same(rows, others):
    return [replace(row, cpu_seconds=0) for row in rows] == [replace(row, cpu_seconds=0) for row in others]


def run(*words):
    code = "import sys; from c2b.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen([sys.executable, "-c", code, "compare", *words], stdout=subprocess.PIPE, text=True, cwd=Path.cwd(),
                            env={**os.environ, "PYTHONPATH": str(Path(recon.__file__).parents[1])})  # fmt: skip


# Units.


def test_processes_give_the_same_rows_and_leave_out_the_same(here):
    """In the same order; exposures are told as they are done, and frames come back without a folder."""
    np.save("nan.npy", np.where(np.arange(27)[:, None, None] == 13, np.nan, np.load("v.npy") / 255).astype(np.float32))
    alone, apart, steps = comparison(viewed=(2,)), comparison(viewed=(2,)), []

    def progress(items, total, what):
        for item in items:
            steps.append(type(item))
            yield item
        assert steps.count(type(None)) == 6 + 4 and total == 36 and what == "compare"

    for each in (alone, apart):
        each.videos = {name: Source(name) for name in ("nan.npy", "v.npy")}
    rows = alone.run()
    assert same(rows, apart.run(progress=progress, processes=2)) and apart.computed == len(rows) == 4
    assert [unit.exposures for unit in apart._units][:3] == [range(1), range(1, 2), range(2, 3)]
    assert [*alone.left_out] == [*apart.left_out] and len(alone.left_out) == 2
    assert all("frame 13 holds NaN" in why for _, why in alone.left_out)
    for row in rows:
        assert all(np.array_equal(*pair) for pair in zip(alone.frames(row, [2]), apart.frames(row, [2]), strict=True))


def test_units_of_some_exposures_make_the_same_rows(here):
    whole, parts = comparison().run(Path("d")), comparison(at_once=2)
    assert [unit.exposures for unit in parts.units()] == [range(2), range(2, 3)] * 2
    assert parts.run(Path("d")) == whole and parts.computed == 0
    assert same(whole, comparison(at_once=2).run(Path("e"))) and len([*Path("e", CELLS).glob("*.json")]) == 8
    assert same(whole, comparison(at_once=1).run())


def test_a_row_waits_for_all_its_exposures(here):
    first, *_ = comparison("tile", sensors=("coded-pixel",), at_once=1).units()
    store = Store(Path("d"))
    assert [type(step) for step, _ in work(pickle.loads(pickle.dumps(first)), store, wait=False)] == [type(None), Cell]
    assert store.rows() == {}
    store.write_table()
    assert not Path("d", TABLE).exists()
    rows = comparison("tile", sensors=("coded-pixel",), at_once=1).run(Path("d"))
    assert same(rows, comparison("tile", sensors=("coded-pixel",)).run())


class Faulty(Reconstructor):
    """Fails in its own way."""

    def __init__(self, how="bug"):
        self.how = how

    def solve(self, capture):
        if self.how == "refusal":
            raise Refusal("not today")
        if self.how == "death":
            os._exit(7)
        if self.how == "slow":
            sleep(60)
        return [][1]


def test_a_cell_that_fails_is_told_and_the_rest_goes_on(here):
    one = comparison("pseudo-inverse", sensors=("coded-pixel",))
    one.methods = {"bug": Faulty(), "pseudo-inverse": one.methods["pseudo-inverse"], "refusal": Faulty("refusal")}
    (row,) = one.run(Path("d"))
    assert row.method == "pseudo-inverse" and one.computed == 1
    reasons = {what.rpartition(", ")[2]: why for what, why in one.left_out}
    assert reasons["refusal"] == "not today" and {*reasons} == {"refusal", "bug"}
    assert "tried again next time: IndexError: list index out of range (test_comparison_store.py, line " in reasons["bug"]


def test_what_was_refused_is_remembered_and_what_failed_is_tried_again(here, monkeypatch):
    def again():
        one = comparison("tile", sensors=("coded-pixel",))
        one.methods |= {"bug": Faulty(), "refusal": Faulty("refusal")}
        return one

    first, asked = again(), []
    rows = first.run(Path("d"))
    monkeypatch.setattr(Faulty, "reconstruct_one", lambda self, capture, number: asked.append(self.how) or self.solve(capture))
    second = again()
    assert second.run(Path("d")) == rows and asked == ["bug"]
    assert second.left_out.keys() == first.left_out.keys() and len(first.left_out) == 2
    assert len(read_rows(Path("d", TABLE))) == 1


def test_a_process_that_dies_takes_only_its_unit_with_it(here):
    first, second = comparison("pseudo-inverse", "tile", sensors=("coded-pixel", "two-bucket"), at_once=3).units()
    deadly = replace(first, methods={task.method: Faulty("death") for task in first.tasks})
    faulty = replace(second, methods=second.methods | {"tile": Faulty()})
    steps = [*spawned([deadly, faulty], Store(Path("d")), 2, wait=False)]
    dead, failed = sorted(step for step in steps if isinstance(step, LeftOut))
    assert dead.what == "v.npy, coded-pixel, impulse" and "ended with status 7, as where memory is short" in dead.why
    assert failed.what == "v.npy, two-bucket, impulse, tile" and "IndexError" in failed.why
    assert [step.row["sensor"] for step in steps if isinstance(step, Cell)] == ["two-bucket"]


@pytest.fixture
def interruptible():
    """As in a terminal; what runs in the background of a shell ignores the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_processes_end_when_the_run_is_interrupted(here, interruptible):
    """At once, and without a lock or half a file."""
    one = comparison("pseudo-inverse", sensors=("coded-pixel",))
    unit = replace(one.units()[0], methods={"pseudo-inverse": Faulty("slow")})
    begun = []

    def interrupt():
        while not [*Path("d").rglob(".*.lock")]:
            sleep(0.05)
        begun.append(monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        list(spawned([unit], Store(Path("d")), 2, wait=False))
    assert monotonic() - begun[0] < 30 and not multiprocessing.active_children()
    assert [path.name for path in Path("d", CELLS).iterdir()] == []


def test_runs_that_took_different_parts_make_one_row(here):
    """Whatever was computed in which pieces, each exposure counts once."""
    rows = comparison("tile").run()
    for pieces in (1, 2):
        one, store = comparison("tile", at_once=pieces), Store(Path("d"))
        for unit in one.units()[: 3 if pieces == 1 else 1]:
            list(work(unit, store, wait=False))
        found = comparison("tile", at_once=2)
        assert same(found.run(Path("d")), rows)
    assert same(comparison("tile").run(Path("d"), processes=2), rows)
    assert len(read_rows(Path("d", TABLE))) == 2


# Several runs.


def test_runs_at_once_on_one_folder_lose_nothing_and_do_nothing_twice(here):
    words = ("v.npy", "--sensor", "coded-pixel", "--sensor", "cep-2019", "--sensor", "two-bucket", "--report", "d")
    runs = [run(*words, "--method", one, "--method", "pseudo-inverse") for one in ("tile", "tile", "tikhonov")]
    told = [one.communicate()[0] for one in runs]
    assert [one.returncode for one in runs] == [0, 0, 0]
    rows = read_rows(Path("d", TABLE))
    assert len(rows) == len([*Path("d", CELLS).glob("*.json")]) == 9
    assert {(row.sensor, row.method) for row in rows.values()} == {
        (sensor, method) for sensor in ("coded-pixel", "cep-2019", "two-bucket") for method in ("tile", "pseudo-inverse", "tikhonov")
    }
    assert sum(int(one.split("rows, ")[1].split()[0]) for one in told) == 9
    assert not [*Path("d", CELLS).glob(".*")]


def test_a_run_leaves_to_another_what_that_is_at(here, monkeypatch):
    one = comparison(sensors=("coded-pixel",))
    (unit,) = one.units()
    other, (task, rest) = Store(Path("d")), unit.tasks
    with other.claimed([task.digest]) as ours:
        assert ours == {task.digest}
        steps = [step for step, _ in work(unit, Store(Path("d")), wait=False)]
        assert [step.unit.tasks for step in steps if isinstance(step, Busy)] == [(task,)]
        assert [step.digest for step in steps if isinstance(step, Cell)] == [rest.digest]
        other.write(*next(found for found in unit.of([task]).run() if isinstance(found, tuple) and isinstance(found[0], Cell)))
    monkeypatch.setattr(streaming, "exposures", None)
    assert [*work(unit, Store(Path("d")), wait=True)] == []
    assert len(one.run(Path("d"))) == 2 and one.computed == 0


def test_the_table_is_made_of_the_cells(here, monkeypatch):
    rows = comparison().run(Path("d"))
    content = Path("d", TABLE).read_bytes()
    Path("d", TABLE).unlink()
    monkeypatch.setattr(streaming, "exposures", None)
    assert comparison().run(Path("d")) == rows and Path("d", TABLE).read_bytes() == content


def test_a_damaged_cell_is_computed_again(here):
    rows = comparison().run(Path("d"))
    Path("d", TABLE).unlink()
    for path, content in zip(sorted(Path("d", CELLS).glob("*.json")), ("", "{}", "[1]", '{"version": 0}'), strict=True):
        path.write_text(content)
    again = comparison()
    assert same(again.run(Path("d")), rows) and again.computed == 4


def test_rows_of_an_earlier_table_stay_in_it(here):
    old = [replace(row, digest=f"old{n}") for n, row in enumerate(comparison().run())]
    Path("d").mkdir()
    write_rows(Path("d", TABLE), old)
    new = comparison("tile")
    rows = new.run(Path("d"))
    assert new.computed == 2 and [*read_rows(Path("d", TABLE)).values()] == [*old, *rows]
    content = Path("d", TABLE).read_bytes()
    assert comparison("tile").run(Path("d")) == rows and Path("d", TABLE).read_bytes() == content


def test_rows_are_in_the_order_of_the_runs(here):
    comparison("tile").run(Path("d"))
    comparison("pseudo-inverse", "tile").run(Path("d"))
    comparison("tikhonov").run(Path("d"))
    told = [(row.method, row.sensor.partition(":")[0]) for row in read_rows(Path("d", TABLE)).values()]
    assert told == [(method, sensor) for method in ("tile", "pseudo-inverse", "tikhonov") for sensor in ("coded-pixel", "cep-2019")]


# Frames for a viewer.


def test_a_cell_without_the_frames_that_are_wanted_is_computed_again(here):
    rows = comparison().run(Path("d"))
    viewed = comparison(viewed=(0, 2))
    assert same(viewed.run(Path("d")), rows) and viewed.computed == 4
    cells = [json.loads(path.read_text()) for path in Path("d", CELLS).glob("*.json")]
    truths = {cell["frames"]["truth"] for cell in cells}
    assert len(cells) == 4 and len(truths) == 1 and all(cell["frames"]["exposures"] == [0, 2] for cell in cells)
    assert np.array_equal(np.load(Path("d", CELLS, truths.pop())), np.load("v.npy").reshape(3, 9, 14, 17)[[0, 2]])
    for cell in cells:
        video = np.load(Path("d", CELLS, cell["frames"]["video"]))
        assert video.shape == (2, 9, 14, 17) and video.dtype == np.uint8
    for wanted in ((0, 2), (2,), ()):
        again = comparison(viewed=wanted)
        again.run(Path("d"))
        assert again.computed == 0
    Path("d", CELLS, cells[0]["frames"]["video"]).unlink()
    again = comparison(viewed=(0,))
    again.run(Path("d"))
    assert again.computed == 1 and len(read_rows(Path("d", TABLE))) == 4


def test_frames_are_those_that_were_kept_or_made_anew(here):
    kept, none = comparison("tile", viewed=(1,)), comparison("tile")
    rows = kept.run(Path("d"))
    assert same(none.run(), rows)
    for one in (kept, none):
        frames = one.frames(rows[0], [1, 2])
        assert frames.video.shape == (2, 9, 14, 17) and np.array_equal(frames.truth, np.load("v.npy").reshape(3, 9, 14, 17)[1:])
    assert np.array_equal(kept.frames(rows[1], [1]).video, none.frames(rows[1], [1]).video)
    with pytest.raises(Refusal, match="there are 3, counted from 0"):
        none.frames(rows[0], [3])
    with pytest.raises(Refusal, match="no row of this comparison"):
        none.frames(replace(rows[0], digest="x"))


# Further figures of merit.


class Sure(PseudoInverse):
    """Claims a variance."""

    also = ("variance",)

    def variance(self, capture):
        return np.full((1, 9, 14, 17), 4.0)


def test_metrics_are_added_to_what_is_known(here, monkeypatch):
    """Those of a cell stay when others are asked for, and frames that it kept."""
    def asked(*names, viewed=()):
        one = comparison("pseudo-inverse", sensors=("coded-pixel",), metrics=measures.make(names), viewed=viewed)
        one.methods |= {"sure": Sure()}
        return one

    plain = asked(viewed=(0,)).run(Path("d"))
    first = asked("gmsd")
    assert [[*row.metrics] for row in first.run(Path("d"))] == [["gmsd"]] * 2 and first.computed == 2
    second = asked("coverage", "flicker")
    rows = second.run(Path("d"))
    assert [{*row.metrics} for row in rows] == [{"gmsd", "flicker"}, {"gmsd", "flicker", "coverage"}] and second.computed == 2
    assert rows[1].metrics["coverage"] == 1 and not second.left_out and same([replace(row, metrics={}) for row in rows], plain)
    monkeypatch.setattr(streaming, "exposures", None)
    known = asked("gmsd", "coverage", viewed=(0,))
    assert known.run(Path("d")) == rows and known.computed == 0 and [*read_rows(Path("d", TABLE)).values()] == rows


class Picky(Metric):
    """Takes the first exposure only."""

    def __call__(self, outcome):
        if not np.array_equal(np.rint(255 * outcome.truth), np.load("v.npy")[:9]):
            raise Refusal("not these")
        return 1.0


def test_a_metric_that_refuses_leaves_the_rest_as_it_is(here):
    one = comparison("tile", sensors=("coded-pixel",), metrics={"picky": Picky(), **measures.make(["gmsd"])})
    (row,) = one.run(Path("d"))
    assert [*row.metrics] == ["gmsd"]
    ((what, why),) = one.left_out
    assert (what, why) == ("v.npy, coded-pixel, impulse, tile, picky", "not these")
    again = comparison("tile", sensors=("coded-pixel",), metrics={"picky": Picky()})
    again.run(Path("d"))
    assert again.computed == 0 and again.left_out == one.left_out


# What decides a cell.


class Blur(Denoiser):
    """Nothing at all."""

    def __init__(self, width=1):
        self.width = width

    def __call__(self, video, sigma):
        return video.copy()


def digest(method, sensor="coded-pixel"):
    return method_digest.digest(recon.make(method) if isinstance(method, str) else method, camera.make(sensor, "impulse").chip)


def test_settings_parts_and_plug_ins_decide_a_method():
    words = ("tile", "tile:ridge=0.1", "tile+consistent", "gap", "gap:denoiser=tv", "gap:denoiser=tv,denoiser.time=0.3")
    words = (*words, "gap:start=tile")
    methods = [*map(make, words), make("gap", Blur(1)), make("gap", Blur(2))]
    assert len({digest(method) for method in methods}) == len(methods)
    assert digest("tile:ridge=0.1") == digest("tile:ridge=0.10") and digest(make("gap", Blur(2))) == digest(make("gap", Blur(2)))
    assert digest("gap") != digest("gap", "cep-2019")  # which begins otherwise under noise


def make(word, denoiser=None):
    from recon.gap import PlugAndPlay

    if denoiser:
        return PlugAndPlay(denoiser)
    return recon.make(word.removesuffix("+consistent"), consistent=word.endswith("+consistent"))


def test_the_source_of_a_plug_in_decides(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    text = "from tests.c2b.test_comparison_store import Blur\n\n\nclass Mine(Blur):\n    pass\n"
    (tmp_path / "my_prior.py").write_text(text)
    import my_prior

    before = digest(make("gap", my_prior.Mine()))
    (tmp_path / "my_prior.py").write_text(text + "# another\n")
    assert digest(make("gap", my_prior.Mine())) != before


def test_weights_decide_by_what_they_hold(tmp_path):
    content = (weight_file.SHIPPED / "gmm.safetensors").read_bytes()
    (tmp_path / "a.safetensors").write_bytes(content)
    assert digest("gmm") == digest(f"gmm:weights={tmp_path}/a.safetensors")
    (tmp_path / "a.safetensors").write_bytes(content[:-4] + b"\0\0\0\1")
    assert digest("gmm") != digest(f"gmm:weights={tmp_path}/a.safetensors")


class Read(Reconstructor):
    """Reads its answer."""

    def __init__(self, weights=""):
        self.weights = weights

    def solve(self, capture):
        return np.load(self.weights)


def test_a_file_that_a_method_names_decides_by_what_it_holds(tmp_path):
    for name, value in {"a": 1, "b": 1, "c": 2}.items():
        np.save(tmp_path / f"{name}.npy", np.full(3, value))
    one, same, other = (digest(Read(str(tmp_path / f"{name}.npy"))) for name in "abc")
    assert one == same != other


def test_learned_weights_decide_by_what_they_hold(tmp_path):
    pytest.importorskip("torch")
    assert digest("unfolding") != digest("unfolding:weights=unfolding-fast")
    loaded = recon.make("unfolding").load(weight_file.locate("unfolding"))
    assert digest(loaded) != digest("unfolding") and digest(loaded) == digest(
        recon.make("unfolding").load(weight_file.locate("unfolding"))
    )


def test_another_version_of_the_source_is_computed_again(here, monkeypatch, capsys):
    words = ("compare", "v.npy", "--sensor", "coded-pixel", "--method", "tile", "--report", "d")
    assert main(words) == 0 and capsys.readouterr().out.endswith("1 row, 1 of them new\n")
    monkeypatch.setattr(source_digest, "of_packages", lambda without=(): "another")
    assert main(words) == 0 and capsys.readouterr().out.endswith("1 row, 1 of them new\n")
    assert len(read_rows(Path("d", TABLE))) == 2


def test_the_source_is_that_of_numbers(tmp_path):
    assert source_digest.of_packages() != source_digest.of_packages(("plots",)) == source_digest.of_packages(("plots",))


def test_a_part_of_a_film_is_a_row_of_its_own(here):
    comparison("tile").run(Path("d"))
    part = comparison("tile")
    part.videos = {"v.npy": Source("v.npy", part=Part(frames="0:9"))}
    part.run(Path("d"))
    assert part.computed == 2 and len(read_rows(Path("d", TABLE))) == 4
