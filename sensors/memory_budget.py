"""How much memory one piece of work may take: ``C2B_MEMORY`` such as 8GB, else half of the machine's; refused before it is begun."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

from sensors.refusal import Refusal

#: Where `c2b --memory` is kept, so that processes which are spawned know it too.
VARIABLE = "C2B_MEMORY"

#: Taken where the system does not say how much memory it has.
UNKNOWN = 8e9

_UNITS = {"": 1.0, "B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}

#: Limits of memory of a container, in bytes, by the version of its control groups.
_CONTAINERS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def parse(text: str) -> float:
    """Bytes of a word such as ``8GB``, ``500MB`` or ``8e9``.

    Raises
    ------
    Refusal
        If it is none, or below a megabyte.
    """
    found = re.fullmatch(r"([0-9.]+(?:e[0-9]{1,2})?)\s*([KMGT]?B?)", text.strip(), re.IGNORECASE)
    try:
        size = float(found[1]) * _UNITS[found[2].upper().removesuffix("B") + "B" * bool(found[2])] if found else 0.0
    except ValueError:
        size = 0.0
    if not 1e6 <= size < 1e18:
        raise Refusal(f"{text!r} is no amount of memory; write 8GB or 500MB")
    return size


def budget() -> float:
    """Bytes that one piece of work may take."""
    told = os.environ.get(VARIABLE, "")
    return parse(told) if told else _machine() / 2


def refuse_beyond(needed: float, what: str) -> None:
    """A Refusal if work needs more bytes than the `budget`.

    Parameters
    ----------
    needed : float
        Bytes, as estimated.
    what : str
        For the message: what needs them.
    """
    if needed > (limit := budget()):
        whose = "as --memory says" if os.environ.get(VARIABLE) else "half of this machine's"
        raise Refusal(
            f"{what} needs about {_size(needed)} of memory and may take {_size(limit)}, {whose}; take less, or allow more: --memory"
        )


@cache
def _machine() -> float:
    """Bytes of memory of the machine, or of the container if that is less."""
    try:
        sizes = [float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")]
    except (AttributeError, ValueError, OSError):
        sizes = [UNKNOWN]
    for path in _CONTAINERS:
        try:
            sizes.append(float(Path(path).read_text(encoding="ascii")))
        except (OSError, ValueError):  # another version, or max
            continue
    return min(size for size in sizes if size > 0)


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"
