"""A training as one says it in words: what is trained, on what, for which camera; begun, or gone on with from its checkpoint."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensors.refusal import Refusal

if TYPE_CHECKING:
    import numpy as np

    from c2b.training_clips import Progress
    from c2b.training_log import TrainingLog
    from recon.reconstructor import Reconstructor
    from sensors.sensor import Sensor

#: Light levels between the two of ``light``.
LEVELS = 16


@dataclass(frozen=True)
class Training:
    """What ``c2b train`` is told; see there for what each word means."""

    method: str
    weights: Path
    videos: Sequence[Path] = ()
    stills: Sequence[Path] = ()
    held: Sequence[Path] | None = None
    sensor: Sequence[str] = ("two-bucket",)
    code: Sequence[str] = ("impulse",)
    readout: Sequence[str | None] = (None,)
    light: str = ""
    preset: str = ""
    seed: int = 0
    channels: str = "luma"
    linearize: str | None = None
    white: float | None = None
    black: float | None = None
    captures: Sequence[Path] = ()

    @property
    def checkpoint(self) -> Path:
        """Where the run is kept."""
        return self.weights.with_suffix(".checkpoint.safetensors")

    @property
    def log(self) -> Path:
        """A row for each validation."""
        return self.weights.with_suffix(".log.csv")

    def learner(self) -> tuple[Reconstructor, str]:
        """The untrained method and its full name; a setting in the name goes before the preset.

        Raises
        ------
        Refusal
            If there is no such method, setting or preset, or it learns nothing.
        """
        import recon
        from recon.reconstructor import Reconstructor
        from sensors import spec

        name, words = spec.parse(self.method)
        if spec.find(recon.METHODS, "method", name).fit is Reconstructor.fit:
            able = [one for one in recon.METHODS if spec.find(recon.METHODS, "method", one).fit is not Reconstructor.fit]
            raise Refusal(f"{name} learns nothing; what does: {', '.join(able)}")
        bundles = getattr(spec.find(recon.METHODS, "method", name), "presets", {})
        if self.preset and self.preset not in bundles:
            raise Refusal(spec.unknown(f"preset of {name}", self.preset, bundles))
        label = spec.write(name, {**bundles.get(self.preset, {}), "seed": self.seed, **words})
        return recon.make(label), label

    def prepared(self, progress: Progress | None = None) -> Prepared:
        """Everything read and made.

        Raises
        ------
        Refusal
            If a word is wrong, a file cannot be read, or the weights cannot be written where they should be.
        """
        from c2b.training_clips import read_clips

        if self.weights.suffix != ".safetensors":
            raise Refusal(f"weights are called NAME.safetensors, not {self.weights.name}")
        if not self.weights.parent.is_dir():
            raise Refusal(f"cannot write {self.weights}: the folder {self.weights.parent} does not exist")
        for path in (self.weights, self.checkpoint, self.log):
            if path.is_dir():
                raise Refusal(f"cannot write {path}: a folder of that name is in the way")
        if self.captures:
            return self._prepared_for_captures()
        learner, label = self.learner()
        sensors, named = self._sensors(learner)
        given: dict[str, Any] = {}
        levels: dict[str, Any] = {"linearize": self.linearize, "white": self.white, "black": self.black}
        if self.held is not None:
            given["held"] = read_clips(_watched(learner, label, self.held), **levels)
        clips = read_clips(self.videos, self.stills, **levels, channels=self.channels, progress=progress)
        if not clips:
            raise Refusal("nothing to learn from; give --videos FOLDER, --stills FOLDER or both")
        facts = {"clips": len(clips), "frames": sum(map(len, clips)), "light": self.light, "linearize": self.linearize or ""}
        card = {"trained": label, **named, **facts}
        return Prepared(self, learner, label, {**given, "clips": clips, "sensors": sensors}, card)

    def _prepared_for_captures(self) -> Prepared:
        """A network that goes on learning from captures."""
        from c2b import own_captures

        if self.videos or self.stills or self.light or self.preset or self.linearize:
            raise Refusal("--captures are learnt from alone, as they are; leave --videos, --stills, --light, --preset, --linearize out")
        words = {"code": self.code, "sensor": self.sensor}
        said: dict[str, Any] = {key: one[0] for key, one in words.items() if one}
        said |= {key: level for key, level in (("white", self.white), ("black", self.black)) if level is not None}
        captures, held = own_captures.read(self.captures, **said), own_captures.read(self.held or (), **said)
        learner, label = own_captures.learner(self.method, self.seed, captures[0])
        count = sum(map(len, captures))
        return Prepared(self, learner, label, {"captures": captures, "held": held}, {"trained": label, "exposures": count})

    def _sensors(self, learner: Reconstructor) -> tuple[Sensor | Callable[[np.random.Generator], Sensor], dict[str, Any]]:
        from itertools import product

        from c2b import camera

        made = [camera.make(*words) for words in product(self.sensor, self.code, self.readout)]
        chips, named = [one.chip for one in made], _named([one.record for one in made])
        if len({chip.frames for chip in chips}) > 1 and not all(learner.learns_any_length(chip) for chip in chips):
            lengths = ", ".join(map(str, dict.fromkeys(chip.frames for chip in chips)))
            raise Refusal(
                f"codes of {lengths} frames; needed: one length for all, unless unfolding learns from full-resolution masks"
            )
        groups = [under_light(self.light, chip) for chip in chips] if self.light else [[chip] for chip in chips]
        if self.light and all(chip.readout.ideal for chip in chips):
            raise Refusal("--light needs a readout in electrons: a preset as the sensor, or --readout electrons:...")
        return drawn_from(groups), named


@dataclass(frozen=True)
class Prepared:
    """A training with its method and its data."""

    training: Training
    learner: Reconstructor
    label: str
    given: Mapping[str, Any]
    card: Mapping[str, Any]

    def run(self, log: TrainingLog, report: Callable[..., None], stop: Callable[[], bool]) -> float:
        """Train, or go on; returns the seconds of processor time that this took, 0 if there was nothing left to do.

        Raises
        ------
        Refusal
            If the checkpoint is of another run, or the training fails.
        """
        began, done_any = time.process_time(), False

        def told(done: int, total: int, said: str = "", row: Mapping[str, Any] | None = None) -> None:
            nonlocal done_any
            done_any = True
            if row:
                log.add(row)
            report(done, total, said, row)

        learn = getattr(self.learner, "fit_captures" if self.training.captures else "fit")
        learn(**self.given, report=told, checkpoint=self.training.checkpoint, stop=stop)
        return time.process_time() - began if done_any else 0.0

    def save(self, weights: Path, **facts: Any) -> None:
        """Write the weights as they are now, with all that is known of them."""
        gain = getattr(self.learner, "gain_", None)
        told = {"gain": asdict(gain), "kept": gain.kept} if gain else {}
        self.learner.save(weights, {**self.card, "settings": self.learner.settings(), **told, **facts})

    @property
    def seen(self) -> str:
        """How much it learns from, in words."""
        what = "exposure" if self.training.captures else "clip"
        count = self.card[f"{what}s"]
        return f"{count:,} {what}{'s' * (count != 1)}"

    @property
    def gained(self) -> str:
        """What it gained on captures held back, in words; empty where there are none."""
        gain = getattr(self.learner, "gain_", None)
        return str(gain) if gain else ""

    def draw(self, log: TrainingLog) -> None:
        """The curve of the training, beside the weights."""
        from c2b import plots
        from c2b.plots.training_curve import training_figure

        if log.rows:
            weights = self.training.weights
            told = f"{self.training.method.partition(':')[0]}, {self.seen}; settings in {weights.name}"
            plots.save(training_figure(log.rows, title=weights.stem, subtitle=told), weights.with_suffix(".png"))


class Stop:
    """Whether to stop: when the time is over, or once a signal has come (Ctrl-C, the end of a session).

    Parameters
    ----------
    hours : float
        Time to go on for.

    Attributes
    ----------
    stopped : bool
        Whether it has said yes.
    signalled : bool
        Whether that was for a signal.
    """

    def __init__(self, hours: float = float("inf")) -> None:
        self.until = time.monotonic() + 3600 * hours
        self.stopped = self.signalled = False

    def __call__(self) -> bool:
        self.stopped = self.stopped or self.signalled or time.monotonic() >= self.until
        return self.stopped

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Take the first signal as a wish to stop after this step; a second one stops at once, as ever."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def heard(number: int, frame: Any) -> None:
            if self.signalled or before[number] is signal.SIG_IGN:
                if number == signal.SIGINT and before[number] is not signal.SIG_IGN:
                    raise KeyboardInterrupt
                return
            self.signalled = True

        for number in before:
            signal.signal(number, heard)
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def alone(path: Path, instead: str = "give the weights another name") -> Iterator[None]:
    """Hold a lock beside a file, so that no second program writes it; ``instead`` is what its user may do.

    Raises
    ------
    Refusal
        If another program holds it.
    """
    from filelock import FileLock, Timeout

    lock = path.with_name(f".{path.name}.lock")
    try:
        with FileLock(lock, timeout=0):
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
    except Timeout:
        raise Refusal(f"{path} is being written by another c2b; wait for it, or {instead}") from None


def drawn_from(groups: list[list[Sensor]]) -> Sensor | Callable[[np.random.Generator], Sensor]:
    """One sensor of one group, each group as often as another."""
    if sum(map(len, groups)) == 1:
        return groups[0][0]

    def draw(rng: np.random.Generator) -> Sensor:
        group = groups[rng.integers(len(groups))]
        return group[rng.integers(len(group))]

    return draw


def under_light(light: str, chip: Sensor) -> list[Sensor]:
    """The sensor at light levels in a range such as ``10:1600``; alone if its readout is ideal."""
    import numpy as np

    try:
        low, high = (float(edge) for edge in light.split(":"))
        if not 0 < low <= high < np.inf:
            raise ValueError
    except ValueError:
        raise Refusal(f"--light {light} is not a range of electrons at white such as 10:1600") from None
    if chip.readout.ideal:
        return [chip]
    return [replace(chip, readout=replace(chip.readout, white=level)) for level in np.geomspace(low, high, LEVELS)]


def _watched(learner: Reconstructor, label: str, held: Sequence[Path]) -> Sequence[Path]:
    import inspect

    if "held" not in inspect.signature(learner.fit).parameters:
        raise Refusal(f"{label} has no use for --held: it learns from all clips to the end")
    return held


def _named(records: list[dict[str, Any]]) -> dict[str, Any]:
    """What the captures should remember, each different word of several once."""
    words = {
        key: " ".join(dict.fromkeys(record[key] for record in records)) for key in ("sensor_spec", "code_spec", "readout_spec")
    }
    return {**records[0], **words}
