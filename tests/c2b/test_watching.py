"""Captures reconstructed as they come."""

from __future__ import annotations

import json
import os
import signal
import time

import numpy as np
import pytest

import sensors
from c2b import codes
from c2b.captures import read_capture, write_capture
from c2b.cli import main
from c2b.watching import RECORDS, Watch
from sensors.atomic_file import atomic_file
from sensors.refusal import Refusal


@pytest.fixture
def bench(tmp_path):
    """A folder that is watched, and a watch whose captures are text: DATA is one, anything else is not."""
    folder, done, said = tmp_path / "in", [], []
    folder.mkdir()

    def one(capture, video):
        text = capture.read_text()
        if not text.startswith("DATA") or text.endswith("..."):
            raise Refusal("it is cut short" if text.startswith("DATA") else "known: NAME.c2b.ome.tif")
        done.append(capture.name)
        with atomic_file(video) as partial:
            partial.write_text(f"video of {text}")

    def watch(settled=0.0, how=None, reconstruct=one):
        return Watch(folder, tmp_path / "out", reconstruct, how or {"method": "tile"}, ".npy", settled, said.append)

    watch.folder, watch.results, watch.done, watch.said, watch.one = folder, tmp_path / "out", done, said, one
    return watch


def put(bench, **texts):
    for name, text in texts.items():
        (bench.folder / name).write_text(text)


def test_captures_are_taken_in_their_natural_order_and_what_is_none_is_said_once(bench):
    put(bench, take10="DATA", take9="DATA", take9_json="{}", notes="hello", empty="")
    (bench.folder / "take9.json").write_text("{}")
    (bench.folder / ".take1").write_text("DATA")
    (bench.folder / "take11.part").write_text("DATA")
    watch = bench()
    assert watch.look() == (2, False) and watch.look() == (0, False)
    assert bench.done == ["take9", "take10"]
    assert bench.said == ["notes: left alone: known: NAME.c2b.ome.tif", "take9_json: left alone: known: NAME.c2b.ome.tif"]
    assert sorted(path.name for path in bench.results.iterdir()) == [RECORDS, "take10.npy", "take9.npy"]
    put(bench, notes="DATA after all")
    assert watch.look() == (1, False)


def test_one_that_is_still_written_is_waited_for(bench):
    watch = bench(settled=0.2)
    put(bench, take="DATA...")
    assert watch.look() == (0, True)
    put(bench, take="DATA that grows")
    assert watch.look() == (0, True) and not bench.said
    time.sleep(0.25)
    assert watch.look() == (1, False) and (bench.results / "take.npy").read_text() == "video of DATA that grows"
    old = time.time() - 60
    put(bench, another="DATA")
    os.utime(bench.folder / "another", (old, old))
    assert watch.look() == (1, False)  # nobody has written to it for a minute


def test_a_writer_that_paused_too_long_is_heard_again(bench):
    watch = bench()
    put(bench, take="DATA...")
    assert watch.look() == (0, False) and bench.said == ["take: left alone: it is cut short"]
    put(bench, take="DATA, whole")
    assert watch.look() == (1, False) and len(bench.said) == 1


def test_one_that_changes_while_it_is_reconstructed_is_done_again(bench):
    def growing(capture, video):
        bench.one(capture, video)
        if len(bench.done) == 1:
            put(bench, take="DATA, more of it")

    put(bench, take="DATA")
    watch = bench(reconstruct=growing)
    assert watch.look()[0] == 0 and watch.look()[0] == 1
    assert (bench.results / "take.npy").read_text() == "video of DATA, more of it"


def test_one_that_is_taken_away_meanwhile_is_no_mistake(bench):
    def late(capture, video):
        capture.unlink()
        bench.one(capture, video)

    put(bench, take="DATA")
    assert bench(reconstruct=late).look() == (0, False) and not bench.said


def test_a_restart_passes_over_what_is_done(bench):
    put(bench, a="DATA", b="DATA")
    assert bench().look()[0] == 2
    os.utime(bench.folder / "a")  # touched, not changed
    assert bench().look()[0] == 0
    put(bench, b="DATA, another")
    assert bench().look()[0] == 1 and bench.done == ["a", "b", "b"]
    assert bench(how={"method": "gmm"}).look()[0] == 2
    record = bench.results / RECORDS / "a.json"
    for spoil in (lambda: (bench.results / "a.npy").unlink(), lambda: record.write_text('{"capt'), record.unlink):
        spoil()
        assert bench(how={"method": "gmm"}).look()[0] == 1
    assert json.loads(record.read_text())["how"] == {"method": "gmm"}


def test_two_watches_do_not_do_the_same(bench):
    other = bench()

    def meanwhile(capture, video):
        assert other.look()[0] == (capture.name == "a")  # it does b while the first is at a
        bench.one(capture, video)

    put(bench, a="DATA", b="DATA")
    assert bench(reconstruct=meanwhile).look()[0] == 1
    assert bench.done == ["b", "a"] and other.look() == (0, False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(bench, number):
    def killed(capture, video):
        if capture.name == "b":
            with atomic_file(video) as partial:
                partial.write_text("half")
                os.kill(os.getpid(), number)
                time.sleep(5)
        bench.one(capture, video)

    put(bench, a="DATA", b="DATA")
    inherited = signal.signal(number, signal.default_int_handler)  # a shell lets what runs in the background ignore SIGINT
    try:
        assert bench(reconstruct=killed).run() == 1 and signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, inherited)
    assert sorted(path.name for path in bench.results.iterdir()) == [RECORDS, "a.npy"]
    assert bench().run(idle=0) == 1 and bench().look()[0] == 0


def test_it_ends_when_nothing_came(bench):
    put(bench, a="DATA")
    begun = time.monotonic()
    assert bench(settled=0.3).run(idle=0.4) == 1 and time.monotonic() - begun < 5


def test_results_that_cannot_be_written_end_it(bench):
    def full(capture, video):
        raise OSError(28, "No space left on device", str(video))

    put(bench, a="DATA")
    with pytest.raises(OSError, match="No space"):
        bench(reconstruct=full).run()
    assert not bench.said


def test_folders_that_cannot_be_watched_are_refused(bench, tmp_path):
    for folder, results, ending, line in (
        (tmp_path / "none", tmp_path / "out", ".npy", "no folder"),
        (bench.folder, bench.folder, ".npy", "lies within"),
        (bench.folder, bench.folder / "out", ".npy", "lies within"),
        (bench.folder, tmp_path, ".npy", "around it"),
        (bench.folder, tmp_path / "out", "mkv", "not the ending"),
    ):
        with pytest.raises(Refusal, match=line):
            Watch(folder, results, bench.one, ending=ending)
    watch = bench()
    bench.folder.rmdir()
    with pytest.raises(Refusal, match="no longer there"):
        watch.run()


def test_the_command_watches_and_exchanges_buckets(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    sensor = sensors.make("two-bucket", codes.make("impulse:tile=2"))
    capture = sensor.capture(np.random.default_rng(0).random((8, 8, 12), np.float32), seed=0)
    write_capture("in/a.npz", capture.with_buckets_exchanged())
    assert read_capture("in/a.npz").record["buckets_exchanged"] is True
    (tmp_path / "in" / "notes.txt").write_text("hello")
    how = ["--method", "pseudo-inverse", "--swap-buckets"]
    words = ["reconstruct", "in", "out", "--watch", "--ending", ".npy", "--settled", "0", "--idle", "0.1", *how]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "notes.txt: left alone" in told and "out: 1 capture reconstructed" in told and told.count("buckets: exchanged") == 1
    made = np.load("out/a.npz.npy").reshape(2, 4, 8, 12)
    assert np.allclose(made, sensor.pseudo_inverse(capture.charge), atol=1e-5)
    assert main(words) == 0 and "out: 0 captures reconstructed" in capsys.readouterr().out
    assert main([*words, "--also", "variance=x.npy"]) == 2 and "--watch makes many videos" in capsys.readouterr().err
    assert main([*words[:2], "in/out", *words[3:]]) == 2 and "lies within" in capsys.readouterr().err
    one = sensors.make("coded-pixel", codes.make("impulse:tile=2")).capture(np.ones((4, 4, 4), np.float32), seed=0)
    with pytest.raises(Refusal, match="has 1"):
        one.with_buckets_exchanged()
