"""A list of trainings in a TOML file, run one after another, each from where it stands.

::

    folder = "../trainings"                 # checkpoints, logs, weights and the table of runs; beside the file if relative
    [all]                                   # options of c2b train that every training has
    videos = ["$C2B_DATA/highspeed/train"]  # environment variables are filled in; paths are relative to the file
    held = ["$C2B_DATA/highspeed/devtest"]

    [all.settings]                          # settings of every method
    steps = 40_000
    patience = 0.1

    [[training]]
    name = "pair"                           # NAME.safetensors
    method = "pair:initial=classical"       # its own settings here, or as [training.settings]; they go before those of all
    sensor = "two-bucket"                   # one word or a list

In the folder, NAME.safetensors are the weights of the best validation so far.
"""

from __future__ import annotations

import gc
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from c2b.training_log import TrainingLog
from c2b.training_run import Prepared, Stop, Training, alone
from sensors import spec
from sensors.atomic_file import atomic_file
from sensors.refusal import Refusal

#: Options that are paths, and those of which there may be several.
PATHS, SEVERAL = ("videos", "stills", "held"), ("videos", "stills", "held", "sensor", "code", "readout")

COLUMNS = ("name", "state", "step", "hours", "psnr", "middle", "worst frame", "gain in the last hour", "dead channels", "best psnr")

Report = Callable[..., None]


@dataclass
class TrainingQueue:
    """Trainings of a file.

    Parameters
    ----------
    folder : path
        Where everything is kept.
    trainings : dict of Training
        By name, in their order.
    states : dict of str
        What is known of each: waiting, running, stopped, finished, or why it failed.
    """

    folder: Path
    trainings: dict[str, Training]
    states: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> TrainingQueue:
        """The queue of a TOML file.

        Raises
        ------
        Refusal
            If the file is missing or damaged, names an option that c2b train does not have, or a variable that is not set.
        """
        if not path.is_file():
            raise Refusal(f"there is no file {path}; needed: a list of trainings, see c2b train --help")
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Refusal(f"{path} is not TOML: {error}") from None
        entries = document.get("training", [])
        if unknown := document.keys() - {"folder", "all", "training"}:
            raise Refusal(f"{path}: unknown {min(unknown)!r}; known: folder, all, training")
        if not (isinstance(entries, list) and entries and all(isinstance(one, dict) for one in (*entries, document.get("all", {})))):
            raise Refusal(f"{path} lists no training; needed: [[training]] with name and method")
        folder = path.parent / _filled(str(document.get("folder", ".")), path)
        trainings: dict[str, Training] = {}
        for entry in entries:
            name, training = _training(_merged(document.get("all", {}), entry, path), folder, path)
            if name in trainings:
                raise Refusal(f"{path}: two trainings are called {name}")
            trainings[name] = training
        return cls(folder, trainings)

    def run(self, report: Report, stop: Stop) -> None:
        """Run one after another, each from where it stands, until all are done or it is to stop.

        A training that cannot be run is left out, with the reason in the table; the others are run.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with alone(self.folder / "runs.md", "name another folder in the list"):
            for name, training in self.trainings.items():
                if stop():
                    break
                self.states[name] = "running"
                self._write_table()
                try:
                    self._run_one(name, training, report, stop)
                except Refusal as refused:
                    self.states[name] = f"failed: {refused}"
                self._write_table()
                gc.collect()  # kept clips are large, and stand in cycles
        self._write_table()

    def table(self) -> tuple[Sequence[str], list[list[str]]]:
        """Columns and rows: a row for each training."""
        return COLUMNS, [[name, *self._row(name, training)] for name, training in self.trainings.items()]

    def _run_one(self, name: str, training: Training, report: Report, stop: Stop) -> None:
        if self._finished(training):
            self.states[name] = "finished"
            return
        with alone(training.weights):
            prepared = training.prepared()
            log = TrainingLog(training.log, resumed=training.checkpoint.exists())
            watch = _Best(prepared, training.weights)

            def told(done: int, total: int, said: str = "", row: Mapping[str, Any] | None = None) -> None:
                report(done, total, f"{name}: {said}" if said else "", row)
                if row:
                    watch.see(row)
                    self._write_table()

            prepared.run(log, told, stop)
            if not training.weights.exists():
                prepared.save(training.weights)
            prepared.draw(log)
            self.states[name] = "stopped" if stop.stopped else "finished"

    def _finished(self, training: Training) -> bool:
        """Whether the weights are those of a finished run of this training, so that its data need not be read."""
        from recon import weight_file

        learner, label = training.learner()
        if not training.weights.exists() or weight_file.describe(training.weights).get("trained") != label:
            return False
        if not training.checkpoint.exists():
            return not learner.continues
        place = weight_file.describe(training.checkpoint).get("place", {"step": 0, "steps": 1})
        return place["step"] >= place["steps"]

    def _row(self, name: str, training: Training) -> Iterator[str]:
        rows = TrainingLog(training.log, resumed=True).rows
        yield self.states.get(name) or ("stopped" if rows else "waiting")
        if not rows:
            yield from [""] * (len(COLUMNS) - 2)
            return
        last = rows[-1]
        yield f"{last.get('step', last.get('iteration', 0)):,}"
        yield _number(last.get("hours"))
        yield from (_number(last.get(key)) for key in ("psnr", "middle"))
        yield f"{_number(last.get('worst'))} ({last['worst_frame']})" if "worst" in last else ""
        yield _number(gain_of_last_hour(rows))
        yield str(last.get("dead", ""))
        yield _number(max((row["psnr"] for row in rows if "psnr" in row), default=None))

    def _write_table(self) -> None:
        columns, rows = self.table()
        lines = [columns, ["---"] * len(columns), *rows]
        with atomic_file(self.folder / "runs.md") as partial:
            partial.write_text("".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines), encoding="utf-8")


class _Best:
    """Keeps the weights of the best validation."""

    def __init__(self, prepared: Prepared, weights: Path) -> None:
        from recon import weight_file

        self.prepared, self.weights = prepared, weights
        known = weight_file.describe(weights) if weights.exists() else {}
        self.psnr = float(known.get("validation", {}).get("psnr", "-inf"))

    def see(self, row: Mapping[str, Any]) -> None:
        """Save the weights of this validation if it is the best; step 0 is not a training yet."""
        if row.get("psnr", float("-inf")) > self.psnr and row.get("step"):
            self.psnr = row["psnr"]
            self.prepared.save(self.weights, validation={k: v for k, v in row.items() if not k.startswith("dead ")})


def gain_of_last_hour(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """By how many dB the best validation of the last hour of training is better than all before it; None if it is younger than that."""
    told = [row for row in rows if "psnr" in row and "hours" in row]
    before = [row["psnr"] for row in told if told and row["hours"] <= told[-1]["hours"] - 1]
    return max(row["psnr"] for row in told) - max(before) if before else None


def _merged(every: Mapping[str, Any], entry: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The options of one training with those of all; its settings become part of the method's name."""
    settings: dict[str, Any] = {}
    for part in (every.get("settings", {}), entry.get("settings", {})):
        if not isinstance(part, dict):
            raise Refusal(f"{path}: settings of {entry.get('name')} are {part!r}; needed: a table")
        settings |= part
    merged = {key: value for key, value in {**every, **entry}.items() if key != "settings"}
    if isinstance(merged.get("method"), str) and settings:
        name, words = spec.parse(merged["method"])
        merged["method"] = spec.write(name, {**settings, **words})
    return merged


def _training(entry: Mapping[str, Any], folder: Path, path: Path) -> tuple[str, Training]:
    known = {f.name for f in fields(Training)} - {"weights"} | {"name"}
    if unknown := entry.keys() - known:
        raise Refusal(f"{path}: unknown option {min(unknown)!r}; known: {', '.join(sorted(known))}")
    name = entry.get("name")
    if not (isinstance(name, str) and name and "/" not in name and isinstance(entry.get("method"), str)):
        raise Refusal(f"{path}: each training needs a name (of a file) and a method; {name or dict(entry)!r} lacks one")
    words: dict[str, Any] = {}
    for key, value in entry.items():
        if key in SEVERAL:
            several = value if isinstance(value, list) else [value]
            if not all(isinstance(one, str) for one in several):
                raise Refusal(f"{path}: {key} of {name} is not a word or a list of words")
            words[key] = [path.parent / _filled(one, path) if key in PATHS else one for one in several]
        elif key != "name":
            words[key] = _of_its_type(key, value, name, path)
    return name, Training(**words, weights=folder / f"{name}.safetensors")


def _of_its_type(key: str, value: Any, name: str, path: Path) -> Any:
    kind = {"seed": int, "white": float, "black": float}.get(key, str)
    if not isinstance(value, (int, float) if kind is float else kind) or isinstance(value, bool):
        raise Refusal(f"{path}: {key} of {name} is {value!r}; needed: {kind.__name__}")
    return value


def _filled(text: str, path: Path) -> str:
    filled = os.path.expandvars(text)
    if "$" in filled:
        raise Refusal(f"{path}: {text} names an environment variable that is not set")
    return filled


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.2f}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
