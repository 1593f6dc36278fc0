"""``c2b train`` for hours and in queues: stopped, killed, resumed, extended; one at a time, with a table of runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import recon
from c2b import training_run
from c2b.cli import main
from c2b.training_log import TrainingLog
from c2b.training_queue import TrainingQueue, gain_of_last_hour
from c2b.training_run import Stop
from recon import weight_file
from sensors.refusal import Refusal
from tests.handmade_learning import film

torch = pytest.importorskip("torch")

WORDS = "crop=24,batch=2,steps=12,every=3,warm_up=2,kept=4,precision=float32"
SETTINGS = WORDS.replace("=", " = ").replace("float32", "'float32'").replace(",", "\n")
TOML = f"""
folder = "runs"
[all]
videos = ["$FILM/film"]
held = ["film/0.npy"]
code = "impulse:tile=[2,3]"
[all.settings]
{SETTINGS}
betas = [0.9, 0.99]
[[training]]
name = "first"
method = "coded:width=0.25,initial=classical"
[[training]]
name = "second"
method = "unfolding:width=4"
settings = {{stages = 2}}
sensor = ["two-bucket:leakage=0.01"]
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FILM", str(tmp_path))
    Path("film").mkdir()
    for number, clip in enumerate(film()):
        np.save(f"film/{number}.npy", clip)
    Path("queue.toml").write_text(TOML)


class Killed(BaseException):
    """The end of the process, at a moment of the test's choice."""


def weights(folder):
    found = {path.name: weight_file.read(path, recon_method(path))[0] for path in sorted(Path(folder).glob("*[!t].safetensors"))}
    return {(name, key): tensor for name, tensors in found.items() for key, tensor in tensors.items()}


def recon_method(path):
    return weight_file.describe(path)["method"]


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


def rows(name, folder="runs"):
    told = TrainingLog(Path(folder, f"{name}.log.csv"), resumed=True).rows
    return [{key: value for key, value in row.items() if key != "hours"} for row in told]


def test_a_queue_killed_at_six_moments_and_resumed_ends_in_the_same_weights_and_logs(capsys, monkeypatch):
    """Between steps, while a checkpoint is being written, and while the weights or the table are; at more in `make soak`."""
    assert main(["train", "--queue", "queue.toml"]) == 0
    Path("runs").rename("straight")
    original, replace, calls = training_run.Prepared.run, Path.replace, []

    def run(self, log, report, stop):
        def told(*news):
            calls.append(1)
            if len(calls) == limit:
                raise Killed
            report(*news)

        return original(self, log, told, stop)

    def killed_before_the_rename(self, target):
        calls.append(1)
        if len(calls) == limit:
            raise Killed
        return replace(self, target)

    for moment in range(6):
        calls.clear()
        limit = 4 + moment % 4 if moment % 2 else 1 + moment // 2
        with monkeypatch.context() as patched, pytest.raises(Killed):
            if moment % 2:
                patched.setattr(training_run.Prepared, "run", run)
            else:
                patched.setattr(Path, "replace", killed_before_the_rename)
            main(["train", "--queue", "queue.toml"])
    assert main(["train", "--queue", "queue.toml"]) == 0
    assert same(weights("runs"), weights("straight")) and len(weights("runs")) > 20
    for name in ("first", "second"):
        assert rows(name) == rows(name, "straight") and [row["step"] for row in rows(name)] == [0, 3, 6, 9, 12]
    assert not list(Path("runs").glob("*partial*")) and not list(Path("runs").glob(".*"))
    told = capsys.readouterr().out
    assert "first" in told and "finished" in told and "waiting" not in told


def test_stopped_in_good_order_a_queue_goes_on_where_it_was(capsys, monkeypatch):
    assert main(["train", "--queue", "queue.toml"]) == 0
    Path("runs").rename("straight")
    for _ in range(20):
        steps = iter(range(99))
        monkeypatch.setattr(Stop, "__call__", lambda self, steps=steps: setattr(self, "stopped", next(steps) >= 14) or self.stopped)
        assert main(["train", "--queue", "queue.toml"]) == 0
        states = [line.split("|")[2].strip() for line in Path("runs/runs.md").read_text().splitlines()[2:]]
        if states == ["finished", "finished"]:
            break
        assert states in (["stopped", "waiting"], ["finished", "stopped"], ["finished", "waiting"])
    assert states == ["finished", "finished"] and same(weights("runs"), weights("straight"))


def test_a_training_that_cannot_be_run_does_not_hold_up_the_others(capsys):
    Path("queue.toml").write_text(TOML.replace("width=0.25", "width=0.001"))
    assert main(["train", "--queue", "queue.toml"]) == 2
    told = capsys.readouterr()
    assert "c2b: 1 of 2 trainings could not be run; first: failed: width=0.001 leaves no channel" in told.err
    assert told.err.count("\n") == 1
    assert Path("runs/second.safetensors").exists() and not Path("runs/first.safetensors").exists()
    assert "| first | failed: width=0.001 leaves no channel" in Path("runs/runs.md").read_text()


MISTAKES = {
    ("name = ", "nam = "): "unknown option 'nam'; known: black, captures, channels, code, held",
    ("[all]\n", "[every]\n"): "unknown 'every'; known: folder, all, training",
    ("{stages = 2}", "3"): "settings of second are 3; needed: a table",
    ("$FILM", "$FLIM"): "$FLIM/film names an environment variable that is not set",
    ('"second"', '"first"'): "two trainings are called first",
    ('"second"', '"a/b"'): "each training needs a name",
    ("folder = ", "folder : "): "is not TOML",
    ("[[training]]", "[[trainings]]"): "unknown 'trainings'",
    ('["two-bucket:leakage=0.01"]', "[3]"): "sensor of second is not a word or a list of words",
    ("[[training]]\nname", "[[training]]\nseed = 'x'\nname"): "seed of first is 'x'; needed: int",
}


@pytest.mark.parametrize(("change", "said"), MISTAKES.items(), ids=MISTAKES.values())
def test_a_mistake_in_the_list_is_one_line_and_nothing_is_run(capsys, change, said):
    Path("queue.toml").write_text(TOML.replace(*change))
    assert main(["train", "--queue", "queue.toml"]) == 2
    told = capsys.readouterr()
    assert said in told.err and told.err.count("\n") == 1 and told.out == "" and not Path("runs").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--queue", "nowhere.toml"], "there is no file nowhere.toml"),
        (["coded", "w.safetensors", "--queue", "queue.toml"], "leave method, weights and data out"),
        (["--hours", "0", "--queue", "queue.toml"], "--hours 0.0 is not above 0"),
        ([], "c2b train needs METHOD and WEIGHTS, or --queue"),
        (["coded"], "c2b train needs METHOD and WEIGHTS, or --queue"),
    ],
)
def test_wrong_words_are_refused(capsys, words, said):
    assert main(["train", *words]) == 2
    assert said in capsys.readouterr().err


def test_the_table_tells_what_a_validation_found_and_what_the_last_hour_gained():
    queue = TrainingQueue.read(Path("queue.toml"))
    Path("runs").mkdir()
    log = TrainingLog(Path("runs/first.log.csv"), resumed=False)
    for step, (hours, psnr) in enumerate([(0.0, 25.0), (0.4, 28.0), (1.1, 29.5), (1.6, 29.4)]):
        log.add({"step": 500 * step, "psnr": psnr, "middle": 30.0, "worst": 27.25, "worst_frame": 8, "hours": hours, "dead": 3})
    columns, (first, second) = queue.table()
    told = dict(zip(columns, first, strict=True))
    assert told == {
        **{"name": "first", "state": "stopped", "step": "1,500", "hours": "1.60", "psnr": "29.40", "middle": "30.00"},
        **{"worst frame": "27.25 (8)", "gain in the last hour": "1.50", "dead channels": "3", "best psnr": "29.50"},
    }
    assert second[:3] == ["second", "waiting", ""]
    assert gain_of_last_hour([{"psnr": 25.0, "hours": 0.2}]) is None


def test_the_weights_of_a_queue_are_those_of_the_best_validation():
    queue = TrainingQueue.read(Path("queue.toml"))
    queue.run(lambda *news: None, Stop())
    told = weight_file.describe(Path("runs/first.safetensors"))
    best = max(row["psnr"] for row in rows("first") if row["step"])
    assert told["validation"]["psnr"] == best == pytest.approx(float(queue.table()[1][0][-1]), abs=0.006)
    assert told["trained"] == f"coded:seed=0,{WORDS},betas=[0.9,0.99],width=0.25,initial=classical"


COMMAND = ["train", f"coded:width=0.25,{WORDS}", "w.safetensors", "--videos", "film", "--code", "impulse:tile=[2,3]"]


def test_hours_end_a_training_in_good_order_and_the_same_command_goes_on(capsys):
    assert main([*COMMAND[:2], "whole.safetensors", *COMMAND[3:]]) == 0
    capsys.readouterr()
    assert main([*COMMAND, "--hours", "1e-9"]) == 0
    told = capsys.readouterr().out
    assert "stopped in good order, w.checkpoint.safetensors is kept, and the same command goes on from it" in told
    assert weight_file.describe(Path("w.safetensors"))["settings"]["steps"] == 12
    assert main(COMMAND) == 0
    assert same(*({k[1]: v for k, v in weights(".").items() if k[0] == name} for name in ("w.safetensors", "whole.safetensors")))
    capsys.readouterr()
    assert main(COMMAND) == 0 and "3 clips, nothing was left to do" in capsys.readouterr().out
    longer = [word.replace("steps=12", "steps=18") for word in COMMAND]
    assert main(longer) == 0 and [row["step"] for row in rows("w", ".")][-1] == 18


def test_two_at_once_do_not_write_the_same_weights(capsys):
    with training_run.alone(Path("w.safetensors")):
        assert main(COMMAND) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "w.safetensors is being written by another c2b" in told
    assert not list(Path().glob("w.*")) and not list(Path().glob(".w*"))


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_a_training_that_is_ended_from_outside_loses_nothing(capsys):
    """It ends after the step at hand, with its checkpoint; those killed at once are above."""
    command = [word.replace("steps=12", "steps=4000").replace("every=3", "every=5") for word in COMMAND]
    environment = {**os.environ, "PYTHONPATH": str(Path(recon.__file__).parents[1])}
    program = [sys.executable, "-c", "import sys; from c2b.cli import main; sys.exit(main(sys.argv[1:]))", *command]
    with subprocess.Popen(program, stderr=subprocess.PIPE, env=environment, text=True) as running:
        log = Path("w.log.csv")
        while not (log.exists() and len(log.read_text().splitlines()) > 3):
            assert running.poll() is None
            time.sleep(0.02)
        running.terminate()
        said = running.communicate()[1]
    assert running.returncode == 130 and "w.checkpoint.safetensors is kept" in said
    step = weight_file.read("w.checkpoint.safetensors", "checkpoint")[1]["place"]["step"]
    assert step >= TrainingLog(log, resumed=True).rows[-1]["step"]
    assert main([word.replace("steps=4000", f"steps={step + 3}") for word in command]) == 0
    assert TrainingLog(log, resumed=True).rows[-1]["step"] == step + 3


@pytest.fixture
def interruptible():
    """As in a terminal; what runs in the background of a shell ignores the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_signal_asks_to_stop_and_a_second_one_stops_at_once(interruptible):
    with Stop().listening() as stop:
        assert not stop()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop() and stop.signalled
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_log_may_hold_words_and_is_damaged_where_a_row_has_no_number(tmp_path):
    path = tmp_path / "x.log.csv"
    TrainingLog(path, resumed=False).add({"step": 3, "worst_output": "1 2 0", "psnr": 30.5})
    assert TrainingLog(path, resumed=True).rows == [{"step": 3, "worst_output": "1 2 0", "psnr": 30.5}]
    path.write_text("step,psnr\nthree,30\n")
    with pytest.raises(Refusal, match=r"x.log.csv is damaged"):
        TrainingLog(path, resumed=True)
