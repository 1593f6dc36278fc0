"""What a person sees on a terminal: tables as text, a bar for long work, numbers of things in words; and what was typed there."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from time import monotonic
from typing import Any, TextIO, TypeVar

Item = TypeVar("Item")

#: The words of the command line that is running, without the program.
WORDS: ContextVar[tuple[str, ...]] = ContextVar("WORDS", default=())

#: Letters of a word that a table does not break.
SHORT = 16

#: Seconds after which work whose standard error is no terminal says how long it will take.
PATIENCE = 60.0

#: Columns of a table where there is no terminal.
WIDTH = 160


#: Characters that a terminal obeys or hides instead of showing: C0 without tab and line feed, C1, direction marks, lone surrogates.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    r"""Text whose control characters, such as those in the name or the record of a file, are written as ``\x1b``."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


class PlainOutput:
    """A stream that shows control characters instead of sending them to a terminal.

    Parameters
    ----------
    stream : file
        Where the text goes; all but writing is its own.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Pass text on; its length, as it was given."""
        self._stream.write(plain(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def progress(items: Iterable[Item], total: int, what: str, *, faster: str = "") -> Iterator[Item]:
    """Pass items on, with a bar on a terminal; in a pipe silently, but for one line if it takes longer than `PATIENCE`.

    Parameters
    ----------
    items : iterable
    total : int
        How many there are.
    what : str
        What is done.
    faster : str
        How it would be faster, for that line.
    """
    if not sys.stderr.isatty():
        yield from _told_once(items, total, what, faster)
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, what, total, console=Console(stderr=True), transient=True)


def _told_once(items: Iterable[Item], total: int, what: str, faster: str) -> Iterator[Item]:
    done, begun = 0, monotonic()

    def tell() -> None:
        taken = monotonic() - begun
        rest = f"about {_duration((total - done) * taken / done)} to go" if done else "the first is not done yet"
        stream.write(f"c2b: note: {plain(what)}: {done} of {total} after {_duration(taken)}, {rest}{'; ' * bool(faster)}{faster}\n")
        stream.flush()

    stream = sys.stderr
    clock = threading.Timer(PATIENCE, tell)
    clock.daemon = True
    clock.start()
    try:
        for item in items:
            yield item
            done += 1
            if done >= total:
                clock.cancel()
    finally:
        clock.cancel()


def _duration(seconds: float) -> str:
    """``40 s``, ``12 min`` or ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def counted(number: int, thing: str) -> str:
    """``1 frame``, ``2 frames``."""
    return f"{number} {thing}{'s' * (number != 1)}"


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]], title: str = "") -> str:
    """A table as text: as wide as the terminal, or as it needs where there is none; where it is tight, short words stay whole."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    columns, cells = tuple(map(plain, columns)), [[plain(str(cell)) for cell in row] for row in rows]
    drawn = Table(title=plain(title) or None, box=SIMPLE_HEAD, title_justify="left", pad_edge=False)
    drawn.show_header = any(columns)
    for place, column in enumerate(columns):
        short = all(len(row[place]) <= SHORT and " " not in row[place] for row in cells)
        drawn.add_column(column, overflow="fold", no_wrap=short)
    for row in cells:
        drawn.add_row(*row)
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, markup=False, color_system=None)
    with console.capture() as capture:
        console.print(drawn)
    return "\n".join(line.rstrip() for line in capture.get().rstrip().split("\n")) + "\n" * bool(title)
