"""The unit of work of a comparison: one video by one camera over some exposures, through all methods.

A unit can be pickled, so that any process can do it; what it gives are cells, one for each method. A cell that was refused says
why, and the others go on. The methods share its captures; one exposure at a time is in memory.
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import lcm
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from c2b import streaming
from c2b.camera import Camera
from c2b.comparison_table import Row
from c2b.source import Source
from c2b.video.recording import Recording
from recon.blur_metrics import blur_score
from recon.demosaicing import demosaic
from recon.measures.measure import Metric, Outcome
from recon.metrics import Score, score
from recon.optical_flow import optical_flow
from recon.order import Order
from recon.reconstructor import Reconstructor
from sensors.capture import Capture
from sensors.colour_filter import PATTERNS
from sensors.refusal import Refusal
from sensors.response import Response
from sensors.response import make as make_response

#: Scores of an exposure, by the columns that are their mean; the last ones only where they are asked for.
SCORES = (
    *("psnr", "ssim", "initial_psnr", "middle_psnr", "middle_ssim", "last_psnr", "ssim_range_2", "middle_ssim_range_2"),
    *("pair_error", "pair_error_per_pixel", "reblurred_psnr", "end_point_error"),
)

#: Begins the name of the PSNR of one frame of the exposures, whose number follows; and that of a metric of `recon.measures`.
FRAME, METRIC = "frame ", "metric "

#: Name of the motion of the scene in an exposure, pixels per frame; measured where frames are kept for a viewer.
MOTION = "motion"


class LeftOut(NamedTuple):
    """What could not be done, and why."""

    what: str
    why: str


@dataclass(frozen=True)
class Cell:
    """What one video by one camera through one method gave over some exposures.

    Parameters
    ----------
    digest : str
        Digest of all that decides it.
    row : mapping
        The columns of its row that are no means; ``digest`` there is that of the row, ``exposures`` how many it needs.
    exposures : (int, int)
        The first, and the one after the last.
    scores : mapping of str to list of float
        Those of `SCORES`, `FRAME` with each number and `METRIC` with each name, a number for each exposure; none where it was refused.
    cpu_seconds : float
    order : (int, int)
        When the run that computed it began (ns), and its place in that run: rows of a table are in this order.
    frames : mapping
        ``exposures`` whose frames are kept, and the files beside the cell that hold them, one for each field of `Frames`.
    refused : tuple of LeftOut
        What could not be done of it: the whole cell where there are no scores, else metrics. Empty of one that is as it should be.
    unmeasured : tuple of str
        Metrics that this method has not, or that were refused.
    """

    digest: str
    row: Mapping[str, Any]
    exposures: tuple[int, int]
    scores: Mapping[str, Sequence[float]]
    cpu_seconds: float
    order: tuple[int, int]
    frames: Mapping[str, Any] = field(default_factory=dict)
    refused: tuple[LeftOut, ...] = ()
    unmeasured: tuple[str, ...] = ()

    def measured(self, metrics: Iterable[str]) -> bool:
        """Whether it has the number of each of these metrics, or says that there is none."""
        return not self.scores or all(name in self.unmeasured or METRIC + name in self.scores for name in metrics)

    def with_more(self, known: Cell) -> Cell:
        """The same with what an earlier computation of it has beside: metrics, and frames if this has none; and its order."""
        scores = {**known.scores, **self.scores} if self.scores else {}
        unmeasured = tuple(dict.fromkeys((*self.unmeasured, *known.unmeasured)))
        refused = tuple(dict.fromkeys((*self.refused, *known.refused)))
        frames = self.frames or known.frames
        return replace(self, scores=scores, unmeasured=unmeasured, refused=refused, frames=frames, order=known.order)


@dataclass(frozen=True, eq=False)
class Task:
    """A cell that is to be computed: through which method, as what."""

    method: str
    digest: str
    row: Mapping[str, Any]
    place: int


@dataclass(frozen=True, eq=False)
class Unit:
    """One video by one camera over some exposures.

    Parameters
    ----------
    video : str
        As it was named.
    source : Source
    camera : Camera
    exposures : range
    tasks : tuple of Task
    methods : mapping of str to Reconstructor
        Those that the tasks name.
    light : str
        Digest of the light that it sees.
    seed : int
        Seed of the noise.
    protocol : str
        A name of `recon.metrics.PROTOCOLS`.
    order : str
        See `recon.order`.
    blur : bool
        Measure what `recon.blur_metrics` does, too.
    metrics : mapping of str to Metric
        Those of `recon.measures` that are measured, too.
    viewed : tuple of int
        Exposures whose frames are kept.
    begun : int
        When the run began, ns.
    """

    video: str
    source: Source
    camera: Camera
    exposures: range
    tasks: tuple[Task, ...]
    methods: Mapping[str, Reconstructor]
    light: str
    seed: int
    protocol: str
    order: Order
    blur: bool
    metrics: Mapping[str, Metric]
    viewed: tuple[int, ...]
    begun: int

    def _files(self, digest: str) -> dict[str, str]:
        """Names of the files with the frames of a cell: methods share captures, and cameras that see the same frames share these."""
        seen = f"{self.light} {self.camera.chip.frames} {self.camera.chip.period} {self.shown}"
        truth, taken = (hashlib.sha256(told.encode()).hexdigest()[:16] for told in (seen, f"{seen} {self.camera.digest} {self.seed}"))
        names = {"video": digest, "truth": f"{truth}.truth", "capture": f"{taken}.capture", "code": f"{taken}.code"}
        return {name: f"{file}.npy" for name, file in names.items()}

    @property
    def shown(self) -> list[int]:
        """Exposures of this unit whose frames are kept."""
        return [number for number in self.exposures if number in self.viewed]

    def of(self, tasks: Sequence[Task]) -> Unit:
        """The same with fewer methods."""
        return replace(self, tasks=tuple(tasks), methods={task.method: self.methods[task.method] for task in tasks})

    @property
    def name(self) -> str:
        """For a person to read."""
        return f"{self.video}, {self.camera.name}"

    @property
    def size(self) -> tuple[int, int]:
        """What it costs more or less, to order units by: samples of the video that its methods reconstruct, and pixels of the tile."""
        row, chip = self.tasks[0].row, self.camera.chip
        samples = int(row["height"]) * int(row["width"]) * chip.frames * chip.buckets
        return len(self.exposures) * len(self.tasks) * samples, chip.tile[0] * chip.tile[1]

    def run(self) -> Iterator[tuple[Cell, Frames] | LeftOut | None]:
        """None after each exposure, then each cell with its frames; what failed, but may not fail again, as soon as that is known."""
        running = {task: _Running() for task in self.tasks}
        try:
            with self.source.open() as video:
                try:
                    yield from self._exposures(video, running)
                except Refusal as reason:
                    for state in running.values():
                        state.refuse(self.name, reason)
        except Exception as error:  # such as a file that cannot be read any more: the other units go on
            yield failure(self.name, error)
            return
        for task, state in running.items():
            if not state.failed:
                yield self._cell(task, state), state.frames()

    def _exposures(self, video: Recording, running: dict[Task, _Running]) -> Iterator[LeftOut | None]:
        """Take, reconstruct and score one exposure after another; a method that refuses one, or fails, is not asked again."""
        response = make_response(video.response)
        captures = streaming.exposures(video, self.camera.chip, seed=self.seed, numbers=self.exposures)
        for number, (capture, light) in zip(self.exposures, captures, strict=True):
            truth = response.encode(demosaic(light, video.colour) if video.colour in PATTERNS else light)
            motion = {MOTION: _motion(truth)} if self.viewed else {}
            for task, state in running.items():
                if state.going_on:
                    try:
                        state.note(motion)
                        beside = self._beside(number, task, video)
                        self._one(number, task, state, beside or (capture, 0), truth, response)
                    except Refusal as reason:
                        state.refuse(f"{self.name}, {task.method}", reason)
                    except Exception as error:  # of a plug-in, or memory that is short: it is told, and the other methods go on
                        state.failed, state.going_on = True, False
                        yield failure(f"{self.name}, {task.method}", error)
            yield None
            if not any(state.going_on for state in running.values()):
                return

    def _beside(self, number: int, task: Task, video: Recording) -> tuple[Capture, int] | None:
        """An exposure among its neighbours, and its place there, for a method that looks at them."""
        reach = self.methods[task.method].neighbours
        return streaming.neighbourhood(video, self.camera.chip, number, reach, seed=self.seed) if reach else None

    def _one(
        self, number: int, task: Task, state: _Running, row: tuple[Capture, int], truth: NDArray, response: Response
    ) -> None:
        """One exposure, which has a place in a row of them, through one method."""
        method, started = self.methods[task.method], process_time()
        made = method.reconstruct_one(*row)
        capture = row[0][row[1] : row[1] + 1]
        state.seconds += process_time() - started
        made = response.encode(made)
        found = score(made, truth, protocol=self.protocol, order=self.order)
        state.add(found, _of_blur(made, truth, self.order, response) if self.blur else {})
        if self.metrics:
            backwards = found.clips[0]["order"] == "reversed"
            variance = _variance(method, capture, backwards) if "variance" in method.also else None
            outcome = Outcome(made[::-1] if backwards else made, truth, response, _tile(capture), variance)
            state.measure(f"{self.name}, {task.method}", self.metrics, outcome)
        if number in self.viewed:
            state.keep(made, truth, capture)

    def _cell(self, task: Task, state: _Running) -> Cell:
        exposures, order = (self.exposures.start, self.exposures.stop), (self.begun, task.place)
        if not state.going_on:
            return Cell(task.digest, task.row, exposures, {}, 0.0, order, refused=tuple(state.refused))
        rules = state.conventions
        told = {"order": rules["order"], "psnr_of": rules["psnr"]}
        row = {**task.row, **told, "ssim_window": rules["ssim_window"], "clipped": rules["clipped"]}
        frames = {"exposures": self.shown, **self._files(task.digest)} if state.kept else {}
        refused, unmeasured = tuple(state.refused), tuple(state.unmeasured)
        return Cell(task.digest, row, exposures, state.scores, round(state.seconds, 4), order, frames, refused, unmeasured)


class Frames(NamedTuple):
    """What a viewer shows of n exposures.

    Parameters
    ----------
    video, truth : ndarray of uint8, (n, K, H, W[, 3])
        As the source stores values: 255 is white.
    capture : ndarray, (n, B, H, W[, 3])
        As read out.
    code : ndarray, (n, T, p, q)
        The code of each of these exposures.
    """

    video: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    capture: NDArray
    code: NDArray


NO_FRAMES = Frames(*(np.zeros(0, np.uint8) for _ in Frames._fields))


@dataclass
class _Running:
    """What a cell has gathered so far."""

    scores: dict[str, list[float]] = field(default_factory=dict)
    conventions: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    kept: list[Frames] = field(default_factory=list)
    refused: list[LeftOut] = field(default_factory=list)
    unmeasured: dict[str, None] = field(default_factory=dict)
    going_on: bool = True
    failed: bool = False

    def refuse(self, what: str, reason: Refusal) -> None:
        """No more of this: the scores so far are worth nothing."""
        if self.going_on:
            self.refused, self.going_on = [LeftOut(what, str(reason))], False

    def measure(self, what: str, metrics: Mapping[str, Metric], outcome: Outcome) -> None:
        """Further figures of merit of one exposure; one that refuses is not asked again, and the others go on."""
        for name, metric in metrics.items():
            if name not in self.unmeasured:
                try:
                    value = metric(outcome)
                except Refusal as reason:
                    self.refused.append(LeftOut(f"{what}, {name}", str(reason)))
                    value = None
                if value is None:
                    self.unmeasured[name] = None
                    self.scores.pop(METRIC + name, None)
                else:
                    self.scores.setdefault(METRIC + name, []).append(value)

    def add(self, found: Score, further: Mapping[str, float]) -> None:
        """The scores of one exposure."""
        self.conventions = self.conventions or found.conventions
        frames = [frame["psnr"] for frame in found.per_frame]
        middle = found.per_frame[len(frames) // 2]
        values = {"psnr": found.psnr, "ssim": found.ssim, "ssim_range_2": found.ssim_range_2, **further}
        values |= {"middle_ssim": middle["ssim"], "middle_ssim_range_2": middle.get("ssim_range_2")}
        values |= {"initial_psnr": frames[0], "middle_psnr": frames[len(frames) // 2], "last_psnr": frames[-1]}
        values |= {f"{FRAME}{number}": value for number, value in enumerate(frames)}
        for name, value in values.items():
            if value is not None:
                self.scores.setdefault(name, []).append(float(value))

    def note(self, facts: Mapping[str, float]) -> None:
        """What is known of one exposure before it is reconstructed."""
        for name, value in facts.items():
            self.scores.setdefault(name, []).append(value)

    def keep(self, made: NDArray, truth: NDArray, capture: Capture) -> None:
        """The frames of one exposure."""
        self.kept.append(Frames(_as_shown(made), _as_shown(truth), np.asarray(capture.images[0]), capture.sensor.code))

    def frames(self) -> Frames:
        """Those of all exposures that are kept."""
        return Frames(*(np.stack(arrays) for arrays in zip(*self.kept, strict=True))) if self.kept else NO_FRAMES


def row_of(cells: Sequence[Cell]) -> Row:
    """The row that cells over all its exposures make, in the order of the exposures."""
    in_turn = sorted(cells, key=lambda cell: cell.exposures)
    found = {name: [value for cell in in_turn for value in cell.scores.get(name, ())] for name in SCORES}
    means: dict[str, Any] = {name: float(np.mean(values)) if values else None for name, values in found.items()}
    curve = [[value for cell in in_turn for value in cell.scores[f"{FRAME}{number}"]] for number in range(cells[0].row["frames"])]
    means["frame_psnr"] = " ".join(f"{np.mean(values):.3f}" for values in curve)
    named = [name for name in in_turn[0].scores if name.startswith(METRIC) and all(name in cell.scores for cell in in_turn)]
    metrics = {name.removeprefix(METRIC): float(np.mean([value for cell in in_turn for value in cell.scores[name]])) for name in named}
    return Row(**cells[0].row, **means, cpu_seconds=round(sum(cell.cpu_seconds for cell in cells), 4), metrics=metrics)


def failure(what: str, error: BaseException) -> LeftOut:
    """What did not fail by a mistake of the user, with the place in the code that it comes from."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" ({Path(last[0].filename).name}, line {last[0].lineno})" if last else ""
    return LeftOut(what, f"it failed and is tried again next time: {type(error).__name__}: {' '.join(str(error).split())}{place}")


def _variance(method: Reconstructor, capture: Capture, backwards: bool) -> Callable[[], NDArray]:
    """Variance that a method claims, (K, H, W), computed when it is asked for."""
    return lambda: method.variance(capture)[0][:: -1 if backwards else 1]  # type: ignore[attr-defined]


def _tile(capture: Capture) -> tuple[int, int]:
    """Rows and columns after which what pixels see repeats; behind a colour filter that is even."""
    colours = 2 if capture.sensor.colour in PATTERNS else 1
    return lcm(capture.sensor.tile[0], colours), lcm(capture.sensor.tile[1], colours)


def _of_blur(made: NDArray, truth: NDArray, order: Order, response: Response) -> dict[str, float]:
    """The measures of `recon.blur_metrics` of one exposure, stored values averaged as light."""
    if len(truth) < 2:
        raise Refusal("an exposure of one frame is no blurred picture; --blur needs 2 frames or more")
    return blur_score(made, truth, order=order, light=response.decode, stored=response.encode).values()


def _motion(truth: NDArray) -> float:
    """Mean length of the optical flow between the two middle frames of (T, H, W[, 3]), in pixels; 0 of one frame."""
    if len(truth) < 2:
        return 0.0
    one, other = (frame.mean(-1) if frame.ndim == 3 else frame for frame in truth[(len(truth) - 1) // 2 :][:2])
    return float(np.hypot(*optical_flow(one, other)).mean())


def _as_shown(frames: NDArray) -> NDArray[np.uint8]:
    return np.rint(np.asarray(frames).clip(0, 1) * 255).astype(np.uint8)
