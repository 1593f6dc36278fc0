"""Videos x cameras x methods: every exposure of every video, reconstructed and scored against the frames that it saw.

All that decides the numbers of a cell goes into its digest: light, camera, method, weights, plug-ins, conventions and the version of
the source. So a cell known from before need not be computed again, and units of work (`c2b.comparison_unit`) can be done in any order,
by this process or by others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import time_ns
from typing import Any

import numpy as np
from numpy.typing import NDArray

import c2b
from c2b.camera import Camera
from c2b.camera_grid import CameraGrid
from c2b.comparison_processes import spawned
from c2b.comparison_store import Run, Store
from c2b.comparison_table import Row
from c2b.comparison_unit import Cell, Frames, LeftOut, Task, Unit
from c2b.comparison_work import Busy, here, lacking
from c2b.scenes import SCENES
from c2b.source import Source, facts, part_text, step_of
from c2b.streaming import Progress, exposures_in
from c2b.video import FORMATS
from c2b.video.recording import Recording
from recon import method_digest, source_digest
from recon.measures.measure import Metric
from recon.order import Order
from recon.reconstructor import Reconstructor
from sensors import spec
from sensors.refusal import Refusal

#: Folders of the source that no number depends on.
NO_NUMBERS = ("commands", "plots", "report")

#: Seconds between two versions of the table while cells are computed.
TABLE_EVERY = 1.0

#: Units of work for each process at least, so that none is idle while others are at long ones.
UNITS_EACH = 4


@dataclass
class Comparison:
    """What is compared, and how it is scored.

    Parameters
    ----------
    videos : mapping of str to Source
        Name to the recording, or the part of it that counts.
    grid : CameraGrid
    methods : mapping of str to Reconstructor
    seeds : tuple of int
        Seeds of the noise, each for every video; a camera without noise takes the first one only.
    speeds : tuple of int
        Each video is taken so many times as fast, by every n-th of its frames.
    protocol : str
        A name of `recon.metrics.PROTOCOLS`.
    order : str
        Which way the frames of a video may run (`recon.order`).
    blur : bool
        Measure what `recon.blur_metrics` does, too.
    metrics : mapping of str to Metric
        Further figures of merit (`recon.measures.make`). A row that is known without them is computed again.
    viewed : tuple of int
        Exposures whose frames are kept in the store, for a viewer.
    at_once : int, optional
        Exposures of one unit of work. By default all of a video, or as many as keep all processes at work.

    Attributes
    ----------
    left_out : dict of (str, str) to None
        What does not go together and why, in the order in which it was found.
    computed : int
        How many rows `run` had to compute.
    rows : list of Row
        What `run` found.

    Examples
    --------
    >>> from c2b.camera_grid import CameraGrid
    >>> from c2b.source import Source
    >>> import recon
    >>> scene = "occluding-objects:frames=9,height=36,width=48"
    >>> compared = Comparison({scene: Source(scene)}, CameraGrid(("conventional", "two-bucket")), {"tile": recon.make("tile")})
    >>> [row.sensor for row in compared.run()], [what for what, why in compared.left_out]
    (['two-bucket'], ['conventional, impulse, tile'])
    >>> compared.frames(compared.rows[0]).video.shape
    (1, 9, 36, 48)
    """

    videos: Mapping[str, Source]
    grid: CameraGrid
    methods: Mapping[str, Reconstructor]
    seeds: tuple[int, ...] = (0,)
    speeds: tuple[int, ...] = (1,)
    protocol: str = ""
    order: Order = "given"
    blur: bool = False
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    viewed: tuple[int, ...] = ()
    at_once: int | None = None
    left_out: dict[tuple[str, str], None] = field(default_factory=dict)
    computed: int = 0
    rows: list[Row] = field(default_factory=list)
    _store: Store | None = field(default=None, repr=False)
    _units: list[Unit] = field(default_factory=list, repr=False)
    _noted: bool = field(default=False, repr=False)

    def run(self, folder: Path | None = None, progress: Progress | None = None, *, processes: int = 1) -> list[Row]:
        """The rows of all that goes together.

        Parameters
        ----------
        folder : Path, optional
            Report with the cells computed before, to which those of this run are added (`c2b.comparison_store`).
        progress : callable, optional
        processes : int
            Above 1 units are done by so many processes, of one thread each (`c2b.comparison_processes`): the same rows in the same
            order. They are spawned, so that a program which is run as a script calls this under ``if __name__ == "__main__"``.

        Raises
        ------
        Refusal
            If a video cannot be opened, nothing goes together, or the folder is no report.
        """
        store, self._noted = Store(folder), False
        self._store = store
        units = self._units = self.units(processes)
        store.refresh()
        todo = [part for unit in units if (part := lacking(unit, store)) is not None]
        steps: Iterable[Cell | None] = self._steps(todo, store, processes)
        if progress:
            steps = progress(steps, sum(len(unit.exposures) + len(unit.tasks) for unit in todo), "compare")
        rows: set[str] = set()
        try:
            for cell in filter(None, steps):
                rows.add(str(cell.row["digest"]))
                store.write_table(at_most_every=TABLE_EVERY)
        finally:
            store.write_table()
        wanted = [(task.digest, str(task.row["digest"])) for unit in units for task in unit.tasks]
        for left in store.refusals(wanted):
            self.leave_out(*left)
        known = store.rows()
        self.rows = [known[digest] for digest in dict.fromkeys(row for _, row in wanted) if digest in known]
        self.computed = sum(row.digest in rows for row in self.rows)
        if not self.rows:
            what, why = next(iter(self.left_out))
            raise Refusal(f"nothing here goes together; {what}: {why}")
        return self.rows

    def frames(self, row: Row, exposures: Sequence[int] = (0,)) -> Frames:
        """Frames of some exposures of a row, reconstructed and true: those that were kept, or made anew.

        Parameters
        ----------
        row : Row
            One of `rows`.
        exposures : sequence of int

        Returns
        -------
        Frames
            ``video`` and ``truth``, (n, K, H, W[, 3]) of uint8, as the source stores values, 255 = white; ``capture`` and ``code``.

        Raises
        ------
        Refusal
            If the row is none of this comparison, or has no such exposure.
        """
        if wrong := [number for number in exposures if not 0 <= number < row.exposures]:
            raise Refusal(f"exposure {wrong[0]} of {row.video}: there are {row.exposures}, counted from 0")
        store = self._store or Store()
        kept = store.frames_of(store.known(row.digest, row.digest))
        found = [self._exposure(row, number, *kept.get(number, ())) for number in exposures]
        return Frames(*(np.stack(each) for each in zip(*found, strict=True)))

    def note(
        self,
        command: Sequence[str] = (),
        *,
        against: str = "",
        scene: Mapping[str, str] | None = None,
        per_exposure: bool = False,
    ) -> None:
        """Keep beside the rows what `run` was asked for and what it left out, as the page tells it.

        Parameters
        ----------
        command : sequence of str
            Words of the command line.
        against, scene, per_exposure
            As for `c2b.report.comparison_differences.differences`.
        """
        self._noted = True
        if self._store:
            self._store.note(Run(tuple(command), tuple(self.left_out), against, dict(scene or {}), per_exposure))

    def page(self, path: str | Path, **words: Any) -> Path:
        """Write the page: one HTML file with all rows of the report, and the frames of the exposures that are `viewed`.

        Parameters
        ----------
        path : str or Path
            Ends in .html.
        **words
            As for `c2b.report.comparison_page.write_comparison_page`.

        Raises
        ------
        Refusal
            If nothing was run, or as that function.
        """
        from c2b.report.comparison_page import write_comparison_page

        if self._store is None:
            raise Refusal("there is nothing to show before run()")
        if not self._noted:
            self.note()
        return write_comparison_page(path, self._store, **words)

    def to_dataframe(self) -> Any:
        """`rows` as a pandas DataFrame: a column for each of theirs and for each metric, and what was swept as numbers.

        Raises
        ------
        Refusal
            If pandas is missing.
        """
        from c2b.comparison_dataframe import dataframe

        return dataframe(self.rows)

    def _exposure(self, row: Row, number: int, *kept: Any) -> tuple[NDArray, ...]:
        """Video, truth, capture and code of one exposure; kept is the cell that has it, and its place in it."""
        if kept and self._store:
            return tuple(array[kept[1]] for array in self._store.load(kept[0]))
        every = ((unit, task) for unit in self._units or self.units() for task in unit.tasks)
        unit, task = next(((unit, task) for unit, task in every if task.row["digest"] == row.digest), (None, None))
        if unit is None or task is None:
            raise Refusal(f"{row.video}, {row.sensor}, {row.method} is no row of this comparison")
        alone = replace(unit.of([task]), exposures=range(number, number + 1), viewed=(number,), blur=False, metrics={})
        for step in alone.run():
            if isinstance(step, LeftOut):
                raise Refusal(f"{step.what}: {step.why}")
            if step is not None:
                return tuple(array[0] for array in step[1])
        raise Refusal(f"{row.video}, {row.sensor}, {row.method} gave no frames")

    def units(self, processes: int = 1) -> list[Unit]:
        """The work of all that goes together, as far as the headers of the videos tell, in pieces for so many processes.

        Raises
        ------
        Refusal
            If a video cannot be opened.
        """
        planned: list[_Planned] = []
        for name, given in self.videos.items():
            for speed in self.speeds:
                planned += self._planned(name, given.faster(speed))
        found, place, begun, seen = list[Unit](), 0, time_ns(), set[str]()
        each = self.at_once or _exposures_each([one.count for one in planned], processes)
        for one in planned:
            for seed in self.seeds[:1] if one.camera.chip.readout.ideal else self.seeds:
                rows = [self._row(one, method, seed) for method in one.methods]
                rows = [row for row in rows if row["digest"] not in seen]
                seen |= {str(row["digest"]) for row in rows}
                for part in _parts(one.count, each) if rows else ():
                    tasks = tuple(Task(row["method"], _cell_digest(row, part), row, place + k) for k, row in enumerate(rows))
                    place += len(tasks)
                    methods = {task.method: self.methods[task.method] for task in tasks}
                    how = seed, self.protocol, self.order, self.blur, self.metrics, self.viewed, begun
                    found.append(Unit(one.name, one.source, one.camera, part, tasks, methods, one.light, *how))
        return found

    def _planned(self, name: str, source: Source) -> list[_Planned]:
        """The cameras for one video, with what its header tells."""
        with source.open() as video:
            light, cameras = _light(video), self.grid.cameras(video, self.leave_out)
            size = {"part": part_text(video), "height": video.height, "width": video.width}
            size |= {"colour": video.colour, "response": video.response, "speed": step_of(video)}
            counts = [self._exposures(name, video, camera) for camera in cameras]
        return [
            _Planned(name, source, camera, count, light, size, tuple(self._serving(camera)))
            for camera, count in zip(cameras, counts, strict=True)
            if count
        ]

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
            for step in spawned(units, store, processes, wait=wait) if processes > 1 else here(units, store, wait=wait):
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

    def _row(self, one: _Planned, method: str, seed: int) -> dict[str, Any]:
        """The columns of a row that are known before it is computed."""
        camera, white = one.camera, one.camera.chip.readout.white
        return {
            "video": one.name,
            "sensor": camera.sensor,
            "code": camera.code,
            "mask": camera.mask,
            "readout": camera.readout,
            "light": white,
            "exposure_light": None if white is None else float(f"{white * camera.chip.frames:.6g}"),
            "method": method,
            "exposures": one.count,
            "frames": camera.chip.frames,
            **one.size,
            "seed": seed,
            "protocol": self.protocol,
            "sensor_digest": camera.digest,
            "digest": self._digest(one.light, camera, method, seed),
            "c2b": c2b.__version__,
        }

    def _digest(self, light: str, camera: Camera, method: str, seed: int) -> str:
        names = [camera.sensor, camera.code, camera.readout, method]
        kinds = [type(camera.chip), *map(type, self.metrics.values())]
        source = [source_digest.of_packages(NO_NUMBERS), source_digest.of_plug_ins(kinds)]
        decided = method_digest.digest(self.methods[method], camera.chip)
        told = [c2b.__version__, source, light, camera.digest, names, decided, seed, self.protocol, self.order, self.blur]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class _Planned:
    """A video by a camera: how many exposures, the digest of the light, columns that its header gives, and methods that serve."""

    name: str
    source: Source
    camera: Camera
    count: int
    light: str
    size: Mapping[str, Any]
    methods: tuple[str, ...]


def _exposures_each(counts: Sequence[int], processes: int) -> int:
    """How many exposures a unit of work has, so that every process has several units if there are enough."""
    whole = max(counts, default=1)
    return whole if processes == 1 else max(1, min(whole, sum(counts) // (UNITS_EACH * processes)))


def _parts(count: int, each: int) -> list[range]:
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
