"""Where a command may write: never over what it reads."""

from __future__ import annotations

from pathlib import Path

from sensors.refusal import Refusal


def refuse_input(source: str | Path, target: str | Path) -> None:
    """A Refusal if what would be written is what is read."""
    if Path(source).exists() and Path(target).exists() and Path(source).samefile(target):
        raise Refusal(f"{target} is the input and would be overwritten; give the output another name")
