"""Videos x cameras x methods: every exposure of every video, reconstructed and scored against the frames that it saw.

All that decides the numbers of a cell goes into its digest: light, camera, method, weights, plug-ins, conventions and the version of
the source. So a cell known from before need not be computed again, and units of work (`c2b.comparison_unit`) can be done in any order,
by this process or by others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import time_ns
from typing import Any

import c2b
from c2b.camera import Camera
from c2b.camera_grid import CameraGrid
from c2b.comparison_store import Store
from c2b.comparison_table import Row
from c2b.comparison_unit import Cell, LeftOut, Task, Unit
from c2b.scenes import SCENES
from c2b.source import Source, facts, part_text
from c2b.streaming import Progress, exposures_in
from c2b.video import FORMATS
from c2b.video.recording import Recording
from recon import method_digest, source_digest
from recon.order import Order
from recon.reconstructor import Reconstructor
from sensors import spec
from sensors.refusal import Refusal

#: Folders of the source that no number depends on.
NO_NUMBERS = ("commands", "plots", "report")

#: Seconds between two versions of the table while cells are computed.
TABLE_EVERY = 1.0


@dataclass
class Comparison:
    """What is compared, and how it is scored.

    Parameters
    ----------
    videos : mapping of str to Source
        Name to the recording, or the part of it that counts.
    grid : CameraGrid
    methods : mapping of str to Reconstructor
    seed : int
        Seed of the noise.
    protocol : str
        A name of `recon.metrics.PROTOCOLS`.
    order : str
        Which way the frames of a video may run (`recon.order`).
    blur : bool
        Measure what `recon.blur_metrics` does, too.
    viewed : tuple of int
        Exposures whose frames are kept in the store, for a viewer.
    at_once : int, optional
        Exposures of one unit of work; all of a video by default.

    Attributes
    ----------
    left_out : dict of (str, str) to None
        What does not go together and why, in the order in which it was found.
    computed : int
        How many rows `run` had to compute.
    """

    videos: Mapping[str, Source]
    grid: CameraGrid
    methods: Mapping[str, Reconstructor]
    seed: int = 0
    protocol: str = ""
    order: Order = "given"
    blur: bool = False
    viewed: tuple[int, ...] = ()
    at_once: int | None = None
    left_out: dict[tuple[str, str], None] = field(default_factory=dict)
    computed: int = 0

    def run(self, folder: Path | None = None, progress: Progress | None = None, *, processes: int = 1) -> list[Row]:
        """The rows of all that goes together.

        Parameters
        ----------
        folder : Path, optional
            Report with the cells computed before, to which those of this run are added (`c2b.comparison_store`).
        progress : callable, optional
        processes : int
            Above 1 units are done by so many processes of their own. They are spawned, so that a program which is run as a script
            calls this under ``if __name__ == "__main__"``.

        Raises
        ------
        Refusal
            If a video cannot be opened, nothing goes together, or the folder is no report.
        """
        store = Store(folder)
        units = self.units()
        store.refresh()
        todo = [part for unit in units if (part := _lacking(unit, store)) is not None]
        steps: Iterable[Cell | None] = self._steps(todo, store, processes)
        if progress:
            steps = progress(steps, sum(len(unit.exposures) + len(unit.tasks) for unit in todo), "compare")
        rows: set[str] = set()
        try:
            for cell in filter(None, steps):
                rows.add(str(cell.row["digest"]))
                self.computed = len(rows)
                store.write_table(at_most_every=TABLE_EVERY)
        finally:
            store.write_table()
        known = store.rows()
        wanted = dict.fromkeys(str(task.row["digest"]) for unit in units for task in unit.tasks)
        if found := [known[digest] for digest in wanted if digest in known]:
            return found
        what, why = next(iter(self.left_out))
        raise Refusal(f"nothing here goes together; {what}: {why}")

    def units(self) -> list[Unit]:
        """The work of all that goes together, as far as the headers of the videos tell.

        Raises
        ------
        Refusal
            If a video cannot be opened.
        """
        found: list[Unit] = []
        begun, place, seen = time_ns(), 0, set[str]()
        for name, source in self.videos.items():
            with source.open() as video:
                light, cameras = _light(video), self.grid.cameras(video, self.leave_out)
                size = {"part": part_text(video), "height": video.height, "width": video.width}
                size |= {"colour": video.colour, "response": video.response}
                counts = [self._exposures(name, video, camera) for camera in cameras]
            for camera, count in zip(cameras, counts, strict=True):
                if not count:
                    continue
                rows = [self._row(name, camera, method, count, light, size) for method in self._serving(camera)]
                rows = [row for row in rows if row["digest"] not in seen]
                seen |= {str(row["digest"]) for row in rows}
                for part in _parts(count, self.at_once) if rows else ():
                    tasks = tuple(Task(row["method"], _cell_digest(row, part), row, place + k) for k, row in enumerate(rows))
                    place += len(tasks)
                    methods = {task.method: self.methods[task.method] for task in tasks}
                    how = self.seed, self.protocol, self.order, self.blur, self.viewed, begun
                    found.append(Unit(name, source, camera, part, tasks, methods, light, *how))
        return found

    def leave_out(self, what: str, why: object) -> None:
        """Note, once, what does not go together."""
        self.left_out[what, str(why)] = None

    def _exposures(self, name: str, video: Recording, camera: Camera) -> int:
        """How many exposures a camera makes of a video; 0, with the reason noted, if none."""
        try:
            return exposures_in(video, camera.chip)
        except Refusal as reason:
            self.leave_out(f"{name}, {camera.name}", reason)
            return 0

    def _steps(self, todo: Sequence[Unit], store: Store, processes: int) -> Iterator[Cell | None]:
        """None after each exposure, and the cells as they are complete; those that other runs complete meanwhile are left to them."""
        busy: list[Unit] = []
        for wait, units in ((False, todo), (True, busy)):
            for step in _spawned(units, store, processes, wait=wait) if processes > 1 else _here(units, store, wait=wait):
                if isinstance(step, LeftOut):
                    self.leave_out(*step)
                elif isinstance(step, Busy):
                    busy.append(step.unit)
                else:
                    yield step

    def _serving(self, camera: Camera) -> Iterator[str]:
        """The methods that can serve a camera, under each code of its cycle."""
        for name, method in self.methods.items():
            reasons = (method.refusal(camera.chip.at(n)) for n in range(camera.chip.codes))
            if reason := next(filter(None, reasons), ""):
                self.leave_out(f"{camera.sensor}, {camera.code}, {name}", reason)
            else:
                yield name

    def _row(self, video: str, camera: Camera, method: str, exposures: int, light: str, size: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of a row that are known before it is computed."""
        return {
            "video": video,
            "sensor": camera.sensor,
            "code": camera.code,
            "mask": camera.mask,
            "readout": camera.readout,
            "light": camera.chip.readout.white,
            "method": method,
            "exposures": exposures,
            "frames": camera.chip.frames,
            **size,
            "seed": self.seed,
            "protocol": self.protocol,
            "sensor_digest": camera.digest,
            "digest": self._digest(light, camera, method),
            "c2b": c2b.__version__,
        }

    def _digest(self, light: str, camera: Camera, method: str) -> str:
        names = [camera.sensor, camera.code, camera.readout, method]
        source = [source_digest.of_packages(NO_NUMBERS), source_digest.of_plug_ins([type(camera.chip)])]
        decided = method_digest.digest(self.methods[method], camera.chip)
        told = [c2b.__version__, source, light, camera.digest, names, decided, self.seed, self.protocol, self.order, self.blur]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Busy:
    """A part of a unit of work that another run is at."""

    unit: Unit


#: None after each exposure; a cell that is complete; what could not be done.
Step = Cell | LeftOut | Busy | None


def work(unit: Unit, store: Store, *, wait: bool) -> Iterator[Step]:
    """Do what a store lacks of a unit, and keep it there.

    Parameters
    ----------
    unit : Unit
    store : Store
    wait : bool
        Wait for other runs that are at a part of it, one method after another, instead of saying that it is `Busy`.
    """
    for tasks in [(task,) for task in unit.tasks] if wait else [unit.tasks]:
        with store.claimed([task.digest for task in tasks], wait=wait) as ours:
            if others := [task for task in tasks if task.digest not in ours]:
                yield Busy(unit.of(others))
            store.refresh()
            rest = _lacking(unit.of([task for task in tasks if task.digest in ours]), store)
            for step in rest.run() if rest else ():
                if step is None or isinstance(step, LeftOut):
                    yield step
                else:
                    store.write(*step)
                    yield step[0]


def work_alone(unit: Unit, folder: Path | None, *, wait: bool) -> list[Step]:
    """The same in a process of its own: all steps, when they are done."""
    return [*work(unit, Store(folder), wait=wait)]


def _here(units: Iterable[Unit], store: Store, *, wait: bool) -> Iterator[Step]:
    for unit in units:
        yield from work(unit, store, wait=wait)


def _spawned(units: Iterable[Unit], store: Store, processes: int, *, wait: bool) -> Iterator[Step]:
    """Spawned and not forked: a fork of a process with threads, such as those of numba and torch, may never end."""
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        for future in as_completed([pool.submit(work_alone, unit, store.folder, wait=wait) for unit in units]):
            for step in future.result():
                if isinstance(step, Cell):
                    store.add(step)
                yield step
    finally:
        pool.shutdown(cancel_futures=True)


def _lacking(unit: Unit, store: Store) -> Unit | None:
    """The part of a unit that a store does not hold; None if there is none."""
    tasks = [task for task in unit.tasks if not store.holds(task.digest, str(task.row["digest"]), unit.shown)]
    return unit.of(tasks) if tasks else None


def _parts(count: int, at_once: int | None) -> list[range]:
    each = at_once or count
    return [range(first, min(first + each, count)) for first in range(0, count, each)]


def _cell_digest(row: Mapping[str, Any], part: range) -> str:
    """Digest of the cell of some exposures: that of its row, if it has all of them."""
    if len(part) == row["exposures"]:
        return str(row["digest"])
    return hashlib.sha256(f"{row['digest']} {part.start}:{part.stop}".encode()).hexdigest()[:16]


def _light(video: Recording) -> str:
    """Digest of the light of a recording, and of the plug-in that reads or computes it."""
    named = ((FORMATS, "video format", video.format), (SCENES, "scene", str(video.path).partition(":")[0]))
    kinds = [spec.find(table, kind, name) for table, kind, name in named if name in table]
    return hashlib.sha256(json.dumps([facts(video), source_digest.of_plug_ins(kinds)]).encode()).hexdigest()
