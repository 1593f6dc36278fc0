"""Time two ways of doing the same thing, in turns, in one process, by CPU time.

Walls and absolute times say more about a machine's other work than about the code; a ratio of interleaved CPU times, each the least
of several turns, holds when the machine's speed drifts. Between processors it differs, by what their BLAS and their memory make of the
plain way; a gate is what holds on all that were tried.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """How many times faster ``ours`` is than ``reference``."""

    name: str
    reference_ms: float
    ours_ms: float
    at_least: float

    @property
    def times(self) -> float:
        return self.reference_ms / self.ours_ms

    def __str__(self) -> str:
        verdict = "ok" if self.times >= self.at_least else "BELOW"
        return f"{self.name:<58} {self.reference_ms:>10.2f} {self.ours_ms:>9.3f} {self.times:>7.1f}x {self.at_least:>5.1f}x  {verdict}"


HEADER = f"{'CPU time, one thread, least of several turns':<58} {'plain ms':>10} {'ours ms':>9} {'ratio':>8} {'gate':>6}"


def compare(
    name: str,
    reference: Callable[[], object],
    ours: Callable[[], object],
    *,
    at_least: float,
    turns: int = 9,
    batch: int = 1,
    clock: Callable[[], float] = time.process_time,
) -> Ratio:
    """Run both in turn, after one warm-up each; ``batch`` repeats a short ``ours`` within a turn so that the clock resolves it.

    Only what threads gain needs another clock, such as ``time.perf_counter``, and a machine that does nothing else.
    """
    reference(), ours()
    slow, fast = [], []
    for _ in range(turns):
        slow.append(_ms(reference, 1, clock))
        fast.append(_ms(ours, batch, clock))
    return Ratio(name, min(slow), min(fast), at_least)


def _ms(run: Callable[[], object], repeats: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(repeats):
        run()
    return 1e3 * (clock() - start) / repeats
