"""Where a comparison keeps what it has computed: a folder of cells, and the table that is made of them.

::

    REPORT/comparison.csv           a row per video, camera and method
    REPORT/cells/DIGEST.json        what the row is made of, a cell for each part of its exposures
    REPORT/cells/DIGEST.npy         its frames, and NAME.truth.npy the true ones, where they were asked for

A file appears whole or not at all, and a cell is named by all that decides it, so that several runs may use one folder at once. The
table is made of the cells, whoever computed them; rows of an earlier table that have no cell stay in it, before the others.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from c2b.comparison_table import Row, read_rows, write_rows
from c2b.comparison_unit import Cell, Frames, row_of
from sensors.atomic_file import atomic_file
from sensors.refusal import Refusal

TABLE, CELLS = "comparison.csv", "cells"

#: Version of the content of a cell; one of another version is computed again.
VERSION = 2


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
        self._kept: dict[str, Row] = {}
        self._written = 0.0
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

    def refresh(self) -> bool:
        """Look for cells that other runs have written; whether there are any."""
        known = len(self._cells)
        if self.folder is not None:
            for path in sorted((self.folder / CELLS).glob("*.json")):
                if path.stem not in self._cells and (cell := _read(path)):
                    self._cells[cell.digest] = cell
        return len(self._cells) > known

    def holds(self, digest: str, row: str, shown: Sequence[int] = ()) -> bool:
        """Whether a cell, or the whole row it belongs to, is known, with the frames of these exposures."""
        cell = self._cells.get(digest)
        if not shown:
            return cell is not None or row in self._kept
        if cell is None or self.folder is None or not set(shown) <= set(cell.frames.get("exposures", ())):
            return False
        return all((self.folder / CELLS / cell.frames[name]).is_file() for name in ("video", "truth"))

    def add(self, cell: Cell) -> None:
        """Know a cell that another process has written."""
        self._cells[cell.digest] = cell

    def write(self, cell: Cell, frames: Frames) -> None:
        """Keep a cell; its frames come first, so that a cell never names files that are not there."""
        if known := self._cells.get(cell.digest):
            cell = replace(cell, order=known.order)
        if self.folder is not None:
            folder = self.folder / CELLS
            self.folder.mkdir(exist_ok=True)
            folder.mkdir(exist_ok=True)
            for name in ("truth", "video") if cell.frames else ():
                with atomic_file(folder / cell.frames[name]) as partial:
                    np.save(partial, getattr(frames, name))
            with atomic_file(folder / f"{cell.digest}.json") as partial:
                partial.write_text(_text(cell), encoding="utf-8")
        self.add(cell)

    def rows(self) -> dict[str, Row]:
        """The rows whose exposures are all there, by digest, in the order in which runs began and in that of each run."""
        groups: dict[str, list[Cell]] = {}
        for cell in sorted(self._cells.values(), key=lambda cell: (cell.order, cell.digest)):
            groups.setdefault(str(cell.row["digest"]), []).append(cell)
        found = {digest: row_of(cells) for digest, cells in groups.items() if _covers(cells)}
        return {digest: row for digest, row in self._kept.items() if digest not in groups} | found

    def write_table(self, *, at_most_every: float = 0.0) -> None:
        """Make the table of the cells anew, and once more if another run has written some meanwhile.

        Parameters
        ----------
        at_most_every : float
            Seconds since the last time within which it is left as it is.
        """
        if self.table is None or monotonic() < self._written + at_most_every:
            return
        self.refresh()
        while True:
            rows = [*self.rows().values()]
            if rows and [*read_rows(self.table).values()] != rows:
                write_rows(self.table, rows)
            if not self.refresh():
                break
        self._written = monotonic()

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


def _covers(cells: Iterable[Cell]) -> bool:
    """Whether parts make up all exposures of their row, each once."""
    reached = 0
    ordered = sorted(cells, key=lambda cell: cell.exposures)
    for cell in ordered:
        if cell.exposures[0] != reached:
            return False
        reached = cell.exposures[1]
    return reached == ordered[-1].row["exposures"]


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
        scores = {name: [float("inf" if value is None else value) for value in values] for name, values in told["scores"].items()}
        pairs = {name: (int(told[name][0]), int(told[name][1])) for name in ("exposures", "order")}
        cell = Cell(**{**told, **pairs, "scores": scores})
        row_of([cell])
        return cell
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):  # damaged: it is computed again
        return None
