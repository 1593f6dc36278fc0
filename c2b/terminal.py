"""What a person sees on a terminal: tables as text, a bar for long work, numbers of things in words; and what was typed there."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

Item = TypeVar("Item")

#: The words of the command line that is running, without the program.
WORDS: ContextVar[tuple[str, ...]] = ContextVar("WORDS", default=())

#: Letters of a word that a table does not break.
SHORT = 16

#: Columns of a table where there is no terminal.
WIDTH = 160


def progress(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Pass items on, with a bar on a terminal and silently in a pipe."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, what, total, console=Console(stderr=True), transient=True)


def counted(number: int, thing: str) -> str:
    """``1 frame``, ``2 frames``."""
    return f"{number} {thing}{'s' * (number != 1)}"


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]], title: str = "") -> str:
    """A table as text: as wide as the terminal, or as it needs where there is none; where it is tight, short words stay whole."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    columns, cells = tuple(columns), [[*map(str, row)] for row in rows]
    drawn = Table(title=title or None, box=SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    drawn.show_header = any(columns)
    for place, column in enumerate(columns):
        short = all(len(row[place]) <= SHORT and " " not in row[place] for row in cells)
        drawn.add_column(column, overflow="fold", no_wrap=short)
    for row in cells:
        drawn.add_row(*row)
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, markup=False)
    with console.capture() as capture:
        console.print(drawn)
    return "\n".join(line.rstrip() for line in capture.get().rstrip().split("\n")) + "\n" * bool(title)
