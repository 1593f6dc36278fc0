"""Where a comparison keeps what it has computed: a folder of cells, and the table that is made of them.

::

    REPORT/comparison.csv           a row per video, camera and method
    REPORT/cells/DIGEST.json        what the row is made of, a cell for each part of its exposures; or why it was refused
    REPORT/cells/DIGEST.npy         its frames, where they were asked for; NAME.truth.npy, NAME.capture.npy, NAME.code.npy beside them
    REPORT/runs/TIME.json           what a run was asked for and what it left out

A file appears whole or not at all, and a cell is named by all that decides it, so that several runs may use one folder at once. The
table is made of the cells, whoever computed them; rows of an earlier table that have no cell stay in it, before the others.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic, time_ns
from typing import Any

import numpy as np

from c2b.comparison_table import Row, read_rows, write_rows
from c2b.comparison_unit import NO_FRAMES, Cell, Frames, LeftOut, row_of
from sensors.atomic_file import atomic_file
from sensors.refusal import Refusal

TABLE, CELLS, PARQUET, RUNS = "comparison.csv", "cells", "comparison.parquet", "runs"

#: Version of the content of a cell; one of another version is computed again.
VERSION = 4

#: Part of its time that a run spends on making its table anew.
TABLE_SHARE = 0.02


@dataclass(frozen=True)
class Run:
    """What a run was asked for and what it left out.

    Parameters
    ----------
    command : sequence of str
        The words of its command line; none from Python.
    left_out : sequence of (str, str)
        What did not go together, and why.
    against : str
        As for `c2b.report.comparison_differences.differences`.
    scene : mapping of str to str
        The scene that each video shows.
    per_exposure : bool
        Whether light is told by the exposure instead of the sub-exposure.
    """

    command: Sequence[str] = ()
    left_out: Sequence[Sequence[str]] = ()
    against: str = ""
    scene: Mapping[str, str] = field(default_factory=dict)
    per_exposure: bool = False


class Store:
    """The cells of a report.

    Parameters
    ----------
    folder : Path, optional
        Made when there is something to write. Without it cells are kept in memory.

    Raises
    ------
    Refusal
        If it is no folder, or its table was not written by this version.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._cells: dict[str, Cell] = {}
        self._of_row: dict[str, dict[str, None]] = {}
        self._in_memory: dict[str, Frames] = {}
        self._kept: dict[str, Row] = {}
        self._next_table = 0.0
        self._noted: list[Run] = []
        self.folder = folder
        if folder is None:
            return
        if folder.exists() and not folder.is_dir():
            raise Refusal(f"{folder} is a file; --report needs a folder, such as {folder}.report")
        if not folder.absolute().parent.is_dir():
            raise Refusal(f"cannot write {folder}: the folder {folder.parent} does not exist")
        self._kept = read_rows(folder / TABLE)  # before the cells, so that a row which has one is seen with it

    @property
    def table(self) -> Path | None:
        """The table of a report."""
        return self.folder and self.folder / TABLE

    def refresh(self, cells: Iterable[str] | None = None) -> bool:
        """Look for cells that other runs have written, all or these; whether there are any."""
        known = len(self._cells)
        if self.folder is not None:
            folder = self.folder / CELLS
            for path in sorted(folder.glob("*.json")) if cells is None else [folder / f"{digest}.json" for digest in cells]:
                if path.stem not in self._cells and (cell := _read(path)):
                    self.add(cell)
        return len(self._cells) > known

    def known(self, digest: str, row: str) -> list[Cell]:
        """The cell of that digest; or those that make up the whole row that it belongs to; or none."""
        if cell := self._cells.get(digest):
            return [cell]
        return _chain([self._cells[one] for one in self._of_row.get(row, ())])

    def holds(self, digest: str, row: str, shown: Sequence[int] = (), metrics: Iterable[str] = ()) -> bool:
        """Whether a cell, or the whole row it belongs to, is known, with these metrics and the frames of these exposures.

        A cell that was refused would be refused again.
        """
        if not (cells := self.known(digest, row)):
            kept = self._kept.get(row)
            return not shown and kept is not None and all(kept.metrics.get(name) is not None for name in metrics)
        refused = any(not cell.scores for cell in cells)
        return refused or (all(cell.measured(metrics) for cell in cells) and set(shown) <= self.frames_of(cells).keys())

    def frames_of(self, cells: Iterable[Cell]) -> dict[int, tuple[Cell, int]]:
        """Exposures whose frames are kept: the cell that has them, and their place in it."""
        found: dict[int, tuple[Cell, int]] = {}
        for cell in cells:
            files = [self.folder / CELLS / cell.frames[name] for name in Frames._fields] if self.folder and cell.frames else []
            if cell.digest in self._in_memory or (files and all(file.is_file() for file in files)):
                found |= {number: (cell, place) for place, number in enumerate(cell.frames["exposures"])}
        return found

    def load(self, cell: Cell) -> Frames:
        """The frames of a cell, mapped into memory."""
        if cell.digest in self._in_memory or self.folder is None:
            return self._in_memory[cell.digest]
        return Frames(*(np.load(self.folder / CELLS / cell.frames[name], mmap_mode="r") for name in Frames._fields))

    def add(self, cell: Cell, frames: Frames = NO_FRAMES) -> None:
        """Know a cell that another process has written; without a folder its frames, too."""
        self._cells[cell.digest] = cell
        self._of_row.setdefault(str(cell.row["digest"]), {})[cell.digest] = None
        if self.folder is None and frames.video.size:
            self._in_memory[cell.digest] = frames

    def write(self, cell: Cell, frames: Frames) -> Cell:
        """Keep a cell, with what was known of it before; its frames come first, so that it never names files that are not there."""
        if known := self._cells.get(cell.digest):
            cell = cell.with_more(known)
        if self.folder is not None:
            folder = self.folder / CELLS
            self.folder.mkdir(exist_ok=True)
            folder.mkdir(exist_ok=True)
            for name in Frames._fields if frames.video.size else ():
                with atomic_file(folder / cell.frames[name]) as partial:
                    np.save(partial, getattr(frames, name))
            with atomic_file(folder / f"{cell.digest}.json") as partial:
                partial.write_text(_text(cell), encoding="utf-8")
        self.add(cell, frames)
        return cell

    def rows(self) -> dict[str, Row]:
        """The rows whose exposures are all there, by digest, in the order in which runs began and in that of each run."""
        found: dict[str, Row] = {}
        for cell in sorted(self._cells.values(), key=lambda cell: (cell.order, cell.digest)):
            row = str(cell.row["digest"])
            cells = [] if row in found else _chain([self._cells[one] for one in self._of_row[row]])
            if cells and all(cell.scores for cell in cells):
                found[row] = row_of(cells)
        kept = {digest: row for digest, row in self._kept.items() if digest not in self._of_row}
        return kept | found

    def refusals(self, wanted: Iterable[tuple[str, str]]) -> Iterator[LeftOut]:
        """What was refused of these cells, each with its row."""
        for digest, row in wanted:
            for one in (digest,) if digest in self._cells else self._of_row.get(row, ()):
                yield from self._cells[one].refused

    def note(self, run: Run) -> None:
        """Keep what a run was asked for and what it left out."""
        self._noted.append(run)
        if self.folder is not None:
            (self.folder / RUNS).mkdir(parents=True, exist_ok=True)
            with atomic_file(self.folder / RUNS / f"{time_ns()}.json") as partial:
                partial.write_text(json.dumps(asdict(run)), encoding="utf-8")

    def noted(self) -> list[Run]:
        """Every run so far, the first one first; a note that is damaged is passed over."""
        if self.folder is None:
            return self._noted
        found = []
        for path in sorted((self.folder / RUNS).glob("*.json")):
            with contextlib.suppress(OSError, ValueError, TypeError):
                found.append(Run(**json.loads(path.read_text(encoding="utf-8"))))
        return found

    def write_table(self, *, at_most_every: float = 0.0) -> None:
        """Make the table of the cells anew, and once more if another run has written some meanwhile.

        Parameters
        ----------
        at_most_every : float
            Seconds since the last time within which it is left as it is; longer where the table is so long that it would cost more
            than `TABLE_SHARE` of the time. 0: now.
        """
        started = monotonic()
        if self.table is None or (at_most_every and started < self._next_table):
            return
        self.refresh()
        while True:
            rows = [*self.rows().values()]
            if rows and [*read_rows(self.table).values()] != rows:
                write_rows(self.table, rows)
            if not self.refresh():
                break
        now = monotonic()
        self._next_table = now + max(at_most_every, (now - started) / TABLE_SHARE)

    @contextlib.contextmanager
    def claimed(self, cells: Iterable[str], *, wait: bool = False) -> Iterator[set[str]]:
        """Hold locks on cells that are to be computed; yields those that no other run is at.

        With ``wait`` it waits until they are all free: then name one cell at a time, so that no two runs wait for each other.
        """
        with contextlib.ExitStack() as locks:
            yield {digest for digest in cells if self._locked(digest, wait, locks)}

    def _locked(self, digest: str, wait: bool, locks: contextlib.ExitStack) -> bool:
        if self.folder is None:
            return True
        from filelock import FileLock, Timeout

        folder = self.folder / CELLS
        self.folder.mkdir(exist_ok=True)
        folder.mkdir(exist_ok=True)
        path = folder / f".{digest}.lock"
        lock = FileLock(path, timeout=-1 if wait else 0)
        try:
            lock.acquire()
        except Timeout:
            return False
        locks.callback(lock.release)
        locks.callback(_remove, path)  # while it is held, and so before its release
        return True


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # it is open elsewhere, on a system that keeps such files
        path.unlink(missing_ok=True)


def _chain(cells: Iterable[Cell]) -> list[Cell]:
    """Cells that make up all exposures of their row, each exposure once, whatever parts different runs took; none if some lack."""
    reached: dict[int, list[Cell]] = {0: []}
    ordered = sorted(cells, key=lambda cell: cell.exposures)
    for cell in ordered:
        first, last = cell.exposures
        if first in reached and last not in reached:
            reached[last] = [*reached[first], cell]
    return reached.get(ordered[-1].row["exposures"], []) if ordered else []


def _text(cell: Cell) -> str:
    """A cell as JSON, which knows no infinity: null, where video and truth are identical."""
    scores = {name: [None if value == float("inf") else value for value in values] for name, values in cell.scores.items()}
    return json.dumps({"version": VERSION, **asdict(cell), "scores": scores}, allow_nan=False)


def _read(path: Path) -> Cell | None:
    """A cell; None if the file is of another version or not one of ours."""
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if told.pop("version") != VERSION or told["digest"] != path.stem:
            return None
        return _cell(told)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):  # damaged: it is computed again
        return None


def _cell(told: Mapping[str, Any]) -> Cell:
    """What JSON holds, as it was; whatever is wrong with it is raised here."""
    scores = {name: [float("inf" if value is None else value) for value in values] for name, values in told["scores"].items()}
    pairs = {name: (int(told[name][0]), int(told[name][1])) for name in ("exposures", "order")}
    words = {"refused": tuple(LeftOut(*one) for one in told["refused"]), "unmeasured": tuple(told["unmeasured"])}
    cell = Cell(**{**told, **pairs, **words, "scores": scores})
    if scores:
        row_of([cell])
    elif not cell.refused:
        raise ValueError("neither scores nor a reason")
    return cell
