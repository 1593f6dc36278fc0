"""How often something may be repeated: counts beyond that would not end while anybody waits."""

from __future__ import annotations

from sensors.refusal import Refusal


def refuse_endless(most: int, **counts: int) -> None:
    """A Refusal if a count, by its name, is below 1 or above ``most``."""
    for name, count in counts.items():
        if not 1 <= count <= most:
            raise Refusal(f"{name}={count}: needed 1 to {most}")
