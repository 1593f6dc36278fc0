"""``c2b train``"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from c2b.options import Whole

if TYPE_CHECKING:
    from c2b.training_run import Prepared, Stop


def train(
    method: str = "",
    weights: Path | None = None,
    /,
    *,
    videos: list[Path] | None = None,
    stills: list[Path] | None = None,
    held: list[Path] | None = None,
    captures: list[Path] | None = None,
    sensor: list[str] | None = None,
    code: list[str] | None = None,
    readout: list[str] | None = None,
    light: str = "",
    preset: str = "",
    seed: Whole = 0,
    channels: Literal["luma", "rgb"] = "luma",
    linearize: str | None = None,
    white: float | None = None,
    black: float | None = None,
    hours: float | None = None,
    queue: Path | None = None,
) -> None:
    """Train a method on recordings and photographs. The same command resumes an interrupted run from NAME.checkpoint.safetensors.

    Interrupted at any time, it loses at most the steps since the last checkpoint (Ctrl-C: none), and resumes with bit-identical
    results on one processor. A larger number of steps makes a finished run longer. Of several sensors, codes or readouts each batch
    has one; what is given twice comes twice as often.

    Parameters
    ----------
    method
        One that learns, with the settings of its training: gmm:components=40 ... (c2b list methods)
    weights
        NAME.safetensors; use it as --method METHOD:weights=./NAME.safetensors.
    videos
        Recording, folder of recordings or of frames, or scene. May be given more than once.
    stills
        Image, or folder of images, which are set in motion. May be given more than once.
    held
        Recordings for validation, for methods that have one. With --captures, captures that are held back.
    captures
        Captures of your own, without truth, or folders of them, on which the weights that the method names, else the shipped ones,
        go on learning: their reconstructions are moved and captured anew. Ends in how much better samples held out of captures held
        back (--held, else every fifth exposure) are predicted; if that is too little, the weights stay as they were. --sensor,
        --code, --white and --black are then those of captures that do not say them.
    sensor
        Sensor or preset whose captures it is for (c2b list sensors). Default: two-bucket.
    code
        Code or file; its length is that of the exposure (c2b list codes). Default: impulse.
    readout
        ideal, or electrons:white=100,read_noise=12,... in place of the preset's.
    light
        Electrons at white, drawn at random from a range such as 10:1600, where the readout is in electrons.
    preset
        A bundle of training settings that the method names, such as quick.
    seed
        Seed of everything random. The same seed gives the same weights.
    channels
        luma, or rgb: of recordings and photographs in colour each plane is a clip of its own.
    linearize
        How the stored values come from light: none, srgb, gamma:exponent=2.2. Default: what the file says of itself, else none.
    white
        The stored value of white in recordings, such as 4095 for 12 bit frames in 16.
    black
        The stored value of no light in recordings.
    hours
        Stop in good order after so long; the same command resumes.
    queue
        TRAININGS.toml, a list of trainings that are run one after another, each from where it stands, in place of all other options but
        --hours.
    """
    from c2b.training_run import Stop, Training
    from sensors.refusal import Refusal

    if hours is not None and not hours > 0:
        raise Refusal(f"--hours {hours} is not above 0")
    stop = Stop(float("inf") if hours is None else hours)
    if queue is not None:
        if method or weights or videos or stills or captures:
            raise Refusal("--queue names the trainings in its file; leave method, weights and data out")
        return _run_queue(queue, stop)
    if not method or weights is None:
        raise Refusal("c2b train needs METHOD and WEIGHTS, or --queue TRAININGS.toml; see c2b train --help")
    usual = ((), ()) if captures else (("two-bucket",), ("impulse",))
    told = Training(
        method, weights, videos or (), stills or (), held, sensor or usual[0], code or usual[1], readout or (None,), light,
        preset, seed, channels, linearize, white, black, captures or (),
    )  # fmt: skip
    from c2b.terminal import progress

    _learn(told.prepared(progress), stop)


def _learn(prepared: Prepared, stop: Stop) -> None:
    """Train, or go on with a training; then weights, log and curve are there."""
    from c2b.training_log import TrainingLog
    from c2b.training_run import alone

    training, weights = prepared.training, prepared.training.weights
    checkpoint, resumed = training.checkpoint, training.checkpoint.exists()
    with alone(weights):
        log = TrainingLog(training.log, resumed=resumed)
        with _reporting() as report, stop.listening() if prepared.learner.continues else nullcontext():
            try:
                spent = prepared.run(log, report, stop)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(_kept(checkpoint)) from None
        if stop.signalled:
            raise KeyboardInterrupt(_kept(checkpoint))
        prepared.save(weights, cpu_seconds=round(spent), resumed=resumed)
        if not (stop.stopped or prepared.learner.continues):
            checkpoint.unlink(missing_ok=True)
        prepared.draw(log)
    time = f"{spent:.0f} s of processor time{' since it was resumed' * resumed}" if spent else "nothing was left to do"
    until = f"; stopped in good order, {_kept(checkpoint)}" if stop.stopped else ""
    size = f"{weights.stat().st_size / 1e6:.1f} MB"
    print(f"{weights}: {prepared.label}, {prepared.seen}, {time}, {size}{until}")
    if prepared.gained:
        print(prepared.gained)


def _kept(checkpoint: Path) -> str:
    if checkpoint.exists():
        return f"{checkpoint} is kept, and the same command goes on from it"
    return "there was no checkpoint yet"


def _run_queue(path: Path, stop: Stop) -> None:
    from c2b.terminal import counted, table
    from c2b.training_queue import TrainingQueue
    from sensors.refusal import Refusal

    queue = TrainingQueue.read(path)
    with _reporting() as report, stop.listening():
        queue.run(report, stop)
    print(table(*queue.table(), str(queue.folder)))
    if failed := [f"{name}: {state}" for name, state in queue.states.items() if state.startswith("failed")]:
        raise Refusal(f"{len(failed)} of {counted(len(queue.trainings), 'training')} could not be run; {'; '.join(failed)}")
    if stop.signalled:
        raise KeyboardInterrupt("every training is kept, and the same command goes on")


@contextmanager
def _reporting() -> Iterator[Callable[..., None]]:
    """What a training calls as it goes on, (done, total, said, row): a bar on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("train", total=None)

        def report(done: int, total: int, said: str = "", row: object = None) -> None:
            bar.update(task, completed=done, total=total, description=said or None)

        yield report
