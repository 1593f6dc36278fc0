"""``c2b train``"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from c2b.commands import Whole

if TYPE_CHECKING:
    import numpy as np

    from recon.reconstructor import Reconstructor
    from sensors.sensor import Sensor

#: Light levels between the two of ``--light``.
LEVELS = 16


def train(
    method: str,
    weights: Path,
    /,
    *,
    videos: list[Path] | None = None,
    stills: list[Path] | None = None,
    held: list[Path] | None = None,
    sensor: list[str] | None = None,
    code: list[str] | None = None,
    readout: list[str] | None = None,
    light: str = "",
    preset: str = "",
    seed: Whole = 0,
    linearize: str | None = None,
    white: float | None = None,
) -> None:
    """Train a method on recordings and photographs; interrupted, it goes on from NAME.checkpoint.safetensors.

    Of several sensors, codes or readouts each batch has one; what is given twice comes twice as often.

    Parameters
    ----------
    method
        One that learns, with the settings of its training: gmm:components=40 ... (c2b list methods)
    weights
        NAME.safetensors; use it as --method METHOD:weights=./NAME.safetensors.
    videos
        Recording, or folder of recordings or of frames. May be given more than once.
    stills
        Image, or folder of images, which are set in motion. May be given more than once.
    held
        Recordings to watch the training by, for methods that do.
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
        Of everything random. The same seed gives the same weights.
    linearize
        How the stored values come from light: none, srgb, gamma:exponent=2.2. Default: what the file says of itself, else none.
    white
        The stored value of white in recordings, such as 4095 for 12 bit frames in 16.
    """
    from itertools import product

    from c2b.commands import make_sensor, progress
    from c2b.training_clips import read_clips
    from sensors.refusal import Refusal

    if weights.suffix != ".safetensors":
        raise Refusal(f"weights are called NAME.safetensors, not {weights.name}")
    if not weights.parent.is_dir() or weights.is_dir():
        why = "a folder of that name is in the way" if weights.is_dir() else f"the folder {weights.parent} does not exist"
        raise Refusal(f"cannot write {weights}: {why}")
    learner, label = _learner(method, preset, seed)
    told = product(sensor or ["two-bucket"], code or ["impulse"], readout or [None])  # type: ignore[list-item]
    made = [make_sensor(*words, "mono") for words in told]
    chips, named = [chip for chip, _ in made], _named([record for _, record in made])
    if len({chip.frames for chip in chips}) > 1 and not all(learner.learns_any_length(chip) for chip in chips):
        lengths = ", ".join(map(str, dict.fromkeys(chip.frames for chip in chips)))
        raise Refusal(
            f"codes of {lengths} frames; needed: one length for all, unless unfolding learns from full-resolution masks"
        )
    drawn = _drawn([_under(light, chip) for chip in chips] if light else [[chip] for chip in chips])
    if light and all(chip.readout.ideal for chip in chips):
        raise Refusal("--light needs a readout in electrons: a preset as the sensor, or --readout electrons:...")
    settings: dict[str, Any] = {} if held is None else {"held": read_clips(_watched(learner, label, held), linearize=linearize)}
    clips = read_clips(videos or (), stills or (), linearize=linearize, white=white, progress=progress)
    if not clips:
        raise Refusal("nothing to learn from; give --videos FOLDER, --stills FOLDER or both")
    facts = {"clips": len(clips), "frames": sum(map(len, clips)), "light": light, "linearize": linearize or ""}
    _learn(learner, label, weights, {"trained": label, **named, **facts}, clips=clips, sensors=drawn, **settings)


def _learn(learner: Reconstructor, label: str, weights: Path, card: dict[str, Any], **given: Any) -> None:
    """Train, or go on with a training; then weights, log and curve are there and the checkpoint is not."""
    import inspect
    from time import process_time

    from c2b import plots
    from c2b.commands import counted
    from c2b.plots.training_curve import training_figure
    from c2b.training_log import TrainingLog

    checkpoint = weights.with_suffix(".checkpoint.safetensors")
    resumed = checkpoint.exists()
    log, began = TrainingLog(weights.with_suffix(".log.csv"), resumed=resumed), process_time()
    with _reporting(log) as report:
        try:
            learner.fit(**given, report=report, checkpoint=checkpoint)
        except KeyboardInterrupt:
            kept = (
                f"{checkpoint} is kept, and the same command goes on from it"
                if checkpoint.exists()
                else "there was no checkpoint yet"
            )
            raise KeyboardInterrupt(kept) from None
    spent = process_time() - began
    made_with = {name: getattr(learner, name) for name in inspect.signature(type(learner)).parameters}
    learner.save(weights, {**card, "settings": made_with, "cpu_seconds": round(spent), "resumed": resumed})
    checkpoint.unlink(missing_ok=True)
    if log.rows:
        plots.save(training_figure(log.rows, title=label, subtitle=weights.name), weights.with_suffix(".png"))
    time = f"{spent:.0f} s of processor time{' since it was resumed' * resumed}"
    print(f"{weights}: {label}, {counted(card['clips'], 'clip')}, {time}, {weights.stat().st_size / 1e6:.1f} MB")


def _learner(method: str, preset: str, seed: int) -> tuple[Reconstructor, str]:
    """The untrained method and its full name; a setting in the name goes before the preset."""
    import recon
    from recon.reconstructor import Reconstructor
    from sensors import spec
    from sensors.refusal import Refusal

    name, words = spec.parse(method)
    if spec.find(recon.METHODS, "method", name).fit is Reconstructor.fit:
        able = [one for one in recon.METHODS if spec.find(recon.METHODS, "method", one).fit is not Reconstructor.fit]
        raise Refusal(f"{name} learns nothing; what does: {', '.join(able)}")
    bundles = getattr(spec.find(recon.METHODS, "method", name), "presets", {})
    if preset and preset not in bundles:
        raise Refusal(spec.unknown(f"preset of {name}", preset, bundles))
    label = spec.write(name, {**bundles.get(preset, {}), "seed": seed, **words})
    return recon.make(label), label


def _watched(learner: Reconstructor, label: str, held: list[Path]) -> list[Path]:
    import inspect

    from sensors.refusal import Refusal

    if "held" not in inspect.signature(learner.fit).parameters:
        raise Refusal(f"{label} has no use for --held: it learns from all clips to the end")
    return held


def _named(records: list[dict[str, Any]]) -> dict[str, Any]:
    """What the captures should remember, each different word of several once."""
    words = {
        key: " ".join(dict.fromkeys(record[key] for record in records)) for key in ("sensor_spec", "code_spec", "readout_spec")
    }
    return {**records[0], **words}


def _drawn(groups: list[list[Sensor]]) -> Sensor | Callable[[np.random.Generator], Sensor]:
    """One sensor of one group, each group as often as another."""
    if sum(map(len, groups)) == 1:
        return groups[0][0]

    def draw(rng: np.random.Generator) -> Sensor:
        group = groups[rng.integers(len(groups))]
        return group[rng.integers(len(group))]

    return draw


def _under(light: str, chip: Sensor) -> list[Sensor]:
    """The sensor at light levels in a range; alone if its readout is ideal."""
    from dataclasses import replace

    import numpy as np

    from sensors.refusal import Refusal

    try:
        low, high = (float(edge) for edge in light.split(":"))
        if not 0 < low <= high < np.inf:
            raise ValueError
    except ValueError:
        raise Refusal(f"--light {light} is not a range of electrons at white such as 10:1600") from None
    if chip.readout.ideal:
        return [chip]
    return [replace(chip, readout=replace(chip.readout, white=level)) for level in np.geomspace(low, high, LEVELS)]


@contextmanager
def _reporting(log: Any) -> Iterator[Callable[..., None]]:
    """What a training calls as it goes on, (done, total, said, row): a bar on a terminal, a row in the log."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("train", total=None)

        def report(done: int, total: int, said: str = "", row: dict[str, float] | None = None) -> None:
            bar.update(task, completed=done, total=total, description=said or None)
            if row:
                log.add(row)

        yield report
