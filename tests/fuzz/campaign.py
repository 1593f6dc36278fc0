"""Workers started, watched, restarted after a crash or hang; their cases counted."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

#: A worker that says nothing for so long hangs where no signal reaches it (compiling at its start is within it).
SILENCE = 60.0

GOOD = ("refused", "valid")


@dataclass
class Result:
    """How the cases of one format ended."""

    name: str
    samples: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def cases(self) -> int:
        return sum(self.counts.values())

    def take(self, line: str) -> int:
        """Count what a worker said; the case that it is at."""
        number, what, *about = [*line.rstrip("\n").split("\t"), ""]
        if what == "samples":
            self.samples = int(number)
        elif what not in ("start", "done"):
            self.counts[what] += int(number) >= 0
            if what not in GOOD:
                self.failures.append((int(number), what, about[0]))
        return int(number)


def run(name: str, cases: int, seed: int, *, first: int = 0) -> Result:
    """Open ``cases`` damaged files of a format, whatever becomes of the processes that do so."""
    result, last = Result(name), first + cases
    while first < last:
        command = [sys.executable, "-m", "tests.fuzz.worker", name, str(seed), str(first), str(last)]
        environment = {**os.environ, "C2B_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        root = Path(__file__).parents[2]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root, env=environment
        ) as worker:
            at, open_case, silent = _listen(worker, result)
            errors = worker.stderr.read()[-300:] if worker.stderr else ""
        if at == last:
            break
        if not open_case:
            raise RuntimeError(f"the worker for {name} did not get to work: {errors}")
        died = "hang" if silent else f"died of {signal.Signals(-worker.returncode).name}" if worker.returncode < 0 else "died"
        result.counts[died] += 1
        result.failures.append((at, died, errors.replace("\n", " | ")))
        first = at + 1
    return result


def _listen(worker: subprocess.Popen[str], result: Result) -> tuple[int, bool, bool]:
    """Read what a worker says until it ends or falls silent: where it was, whether inside a case, whether silent."""
    at, open_case = -1, False
    assert worker.stdout is not None
    buffer = b""
    descriptor = worker.stdout.fileno()
    with selectors.DefaultSelector() as waiting:
        waiting.register(descriptor, selectors.EVENT_READ)
        while True:
            if not waiting.select(SILENCE):
                worker.kill()
                return at, open_case, True
            chunk = os.read(descriptor, 1 << 16)
            if not chunk:
                return at, open_case, False
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                at, open_case = result.take(line.decode("utf-8", "replace")), b"\tstart" in line
