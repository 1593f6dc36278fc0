"""``python -m tests.fuzz [FORMAT ...] --cases N --seed S``"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.fuzz.campaign import GOOD, run
from tests.fuzz.samples import kinds


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Open damaged files of every format.")
    parser.add_argument("formats", nargs="*", help=f"of {', '.join(kinds())}; default: all")
    parser.add_argument("--cases", type=int, default=20_000, help="damaged files of each format (default 20000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, help="this one alone, to look at it; with FUZZ_KEEP=FOLDER its files are kept there")
    wanted = parser.parse_args()
    if unknown := set(wanted.formats) - set(kinds()):
        parser.error(f"unknown format {', '.join(unknown)}; known: {', '.join(kinds())}")
    print(f"{'format':<16}{'samples':>8}{'cases':>8}{'refused':>9}{'valid':>8}{'failed':>8}{'cases/s':>9}", flush=True)
    failed = 0
    for name in wanted.formats or kinds():
        start = time.perf_counter()
        result = run(name, 1, wanted.seed, first=wanted.case) if wanted.case is not None else run(name, wanted.cases, wanted.seed)
        bad = len(result.failures)
        failed += bad
        speed = result.cases / (time.perf_counter() - start)
        good = "".join(f"{result.counts[what]:>{width}}" for what, width in zip(GOOD, (9, 8), strict=True))
        print(f"{name:<16}{result.samples:>8}{result.cases:>8}{good}{bad:>8}{speed:>9.0f}", flush=True)
        seen: Counter[str] = Counter()
        for case, what, about in result.failures:
            kind = f"{what} {about.partition(': ')[0]}"
            seen[kind] += 1
            if seen[kind] <= 2:
                print(f"    case {case}: {what}: {about}", flush=True)
        for kind, times in seen.items():
            print(f"    {times} x {kind}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
