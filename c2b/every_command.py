"""Options of every command: ``--plugin FILE.py`` (`sensors.plug_in`) and ``--memory 8GB`` (`sensors.memory_budget`)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sensors import memory_budget, plug_in
from sensors.refusal import Refusal

OPTIONS = ("--plugin", "--memory")

#: What the help of every command ends with.
HELP = (
    "Also, as for every command: --plugin FILE.py (sensors, methods, codes ... of your own; may be repeated), --memory 8GB (what one "
    "piece of work may take; default: half of this machine's)."
)


@contextmanager
def applied(words: Sequence[str]) -> Iterator[list[str]]:
    """Take these options out of the words of a command line, and let them act inside; yields the others.

    Raises
    ------
    Refusal
        If a file or an amount of memory is none.
    """
    rest, found = _parted(words)
    for word in rest:
        _refuse_device(word.partition("=")[2] if word.startswith("--") else word)
    before: dict[str, str | None] = {name: os.environ.get(name) for name in (plug_in.VARIABLE, memory_budget.VARIABLE)}
    try:
        for option, value in found:
            if option == "--memory":
                memory_budget.parse(value)
                os.environ[memory_budget.VARIABLE] = value
            else:
                plug_in.add(value)
        if any(option == "--plugin" for option, _ in found):
            from c2b import catalogue

            catalogue.tables()  # so that a name that comes with c2b, or a table that is none, is refused now
        yield rest
    finally:
        for name, earlier in before.items():
            if earlier is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = earlier


def _refuse_device(word: str) -> None:
    """A Refusal if a word names what has no end or no beginning, such as /dev/zero, or a pipe."""
    try:
        kind = Path(word).stat().st_mode
    except (OSError, ValueError):
        return
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise Refusal(f"{word} is a device or a pipe; needed: a file or a folder")


def _parted(words: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """The other words, and these options with their values."""
    rest: list[str] = []
    found: list[tuple[str, str]] = []
    waiting = iter(words)
    for word in waiting:
        option, equals, value = word.partition("=")
        if option not in OPTIONS:
            rest.append(word)
        elif equals:
            found.append((option, value))
        elif (following := next(waiting, None)) is not None:
            found.append((option, following))
        else:
            raise Refusal(f"{option} needs a value: {'FILE.py' if option == '--plugin' else '8GB'}")
    return rest, found
