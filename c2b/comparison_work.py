"""What a process does of a comparison: the part of a unit of work that a store lacks, computed and kept there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from c2b.comparison_store import Store
from c2b.comparison_unit import Cell, Frames, LeftOut, Unit


@dataclass(frozen=True)
class Busy:
    """A part of a unit of work that another run is at."""

    unit: Unit


#: None after each exposure; a cell that is complete or was refused; what failed.
Step = Cell | LeftOut | Busy | None


def work(unit: Unit, store: Store, *, wait: bool) -> Iterator[tuple[Step, Frames | None]]:
    """Do what a store lacks of a unit, and keep it there.

    Parameters
    ----------
    unit : Unit
    store : Store
    wait : bool
        Wait for other runs that are at a part of it, one method after another, instead of saying that it is `Busy`.

    Yields
    ------
    (Step, Frames or None)
        Frames beside a cell that has some.
    """
    for tasks in [(task,) for task in unit.tasks] if wait else [unit.tasks]:
        with store.claimed([task.digest for task in tasks], wait=wait) as ours:
            if others := [task for task in tasks if task.digest not in ours]:
                yield Busy(unit.of(others)), None
            store.refresh(ours)
            rest = lacking(unit.of([task for task in tasks if task.digest in ours]), store)
            for step in rest.run() if rest else ():
                if step is None or isinstance(step, LeftOut):
                    yield step, None
                else:
                    yield store.write(*step), step[1] if step[1].video.size else None


def here(units: Iterable[Unit], store: Store, *, wait: bool) -> Iterator[Step]:
    """The steps of units, one after another, in this process."""
    for unit in units:
        for step, _ in work(unit, store, wait=wait):
            yield step


def lacking(unit: Unit, store: Store) -> Unit | None:
    """The part of a unit that a store does not hold; None if there is none."""
    tasks = [task for task in unit.tasks if not store.holds(task.digest, str(task.row["digest"]), unit.shown, unit.metrics)]
    return unit.of(tasks) if tasks else None
