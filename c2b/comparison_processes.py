"""Units of work of a comparison in processes of their own, one thread each, which tell of every exposure as it is done.

They are spawned and not forked: a fork of a process with threads, such as those of numba and torch, may never end. A process that
dies, such as one that the system kills because memory is short, takes its unit with it: that is told, and another goes on with the
rest. When the run is interrupted they are interrupted, too, so that each removes what it has half written, and only then ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

from c2b.comparison_store import Store
from c2b.comparison_unit import NO_FRAMES, Cell, LeftOut, Unit
from c2b.comparison_work import Step, work

#: What says how many threads libraries may use, to be set before they are loaded.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "C2B_THREADS")

#: Seconds that a process has to leave in good order.
PATIENCE = 5.0


class Done:
    """A unit of work is done, and its process free for another."""


def spawned(units: Iterable[Unit], store: Store, processes: int, *, wait: bool) -> Iterator[Step]:
    """The steps of units, in the order in which they happen; the cells are in the store.

    Parameters
    ----------
    units : iterable of Unit
        The largest are handed out first, so that no process is left with a long one at the end.
    store : Store
        Its folder is that of the processes, too. Without one, cells and frames come back to it.
    processes : int
    wait : bool
        As for `comparison_work.work`.
    """
    rest, workers = sorted(units, key=lambda unit: unit.size, reverse=True)[::-1], list[_Worker]()  # the next is the last
    try:
        while rest or workers:
            while rest and len(workers) < processes:
                workers.append(_Worker(store.folder, wait))
                workers[-1].begin(rest.pop())
            for worker in _ready(workers):
                step = worker.receive()
                if isinstance(step, Done) and rest:
                    worker.begin(rest.pop())
                elif isinstance(step, Done):
                    worker.leave()
                    workers.remove(worker)
                elif step is _Worker.DIED:
                    workers.remove(worker)
                    yield LeftOut(worker.unit.name, worker.death())
                elif isinstance(step, tuple) and isinstance(step[0], Cell):
                    store.add(step[0], step[1] or NO_FRAMES)
                    yield step[0]
                else:
                    yield step[0]
    finally:
        for worker in workers:
            worker.interrupt()
        for worker in workers:
            worker.end()


class _Worker:
    """A process, and the unit of work that it is at."""

    #: What is received of a process that is there no more.
    DIED = object()

    def __init__(self, folder: Path | None, waits: bool) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, folder, waits), daemon=True)
        with _one_thread():
            self.process.start()
        theirs.close()

    def begin(self, unit: Unit) -> None:
        self.unit = unit
        with contextlib.suppress(OSError):  # it has died: that is received
            self.connection.send(unit)

    def receive(self) -> Any:
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            return self.DIED

    def death(self) -> str:
        self.process.join(PATIENCE)
        code = self.process.exitcode
        how = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with status {code}"
        return f"its process {how}, as where memory is short; it is tried again next time, perhaps with fewer --processes"

    def interrupt(self) -> None:
        if self.process.is_alive() and self.process.pid:
            with contextlib.suppress(OSError):
                os.kill(self.process.pid, signal.SIGTERM)

    def leave(self) -> None:
        self.connection.close()
        self.process.join(PATIENCE)

    def end(self) -> None:
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()


def _ready(workers: list[_Worker]) -> list[_Worker]:
    found = wait([worker.connection for worker in workers])
    return [worker for worker in workers if worker.connection in found]


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """The environment of a process that is spawned meanwhile."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(connection: Connection, folder: Path | None, waits: bool) -> None:
    """Do the units that come, until no more come."""
    if current_thread() is main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal interrupts the whole group; the parent says what is to be done
        signal.signal(signal.SIGTERM, _leave)
    store = Store(folder)
    while True:
        try:
            unit = connection.recv()
        except (EOFError, OSError):
            return
        try:
            for step, frames in work(unit, store, wait=waits):
                connection.send((step, None if folder else frames))
            connection.send(Done())
        except BrokenPipeError:  # the run was killed: what is done is kept
            return


def _leave(*_: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)
