"""``make bench``: run every ``bench_*.py`` beside this file and print one table; exit 1 if a ratio misses its gate."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from tests.benchmarks.interleaved import HEADER


def main() -> int:
    """Each ``bench_*.py`` yields `Ratio` lines from ``ratios()``; a word on the command line picks files by name."""
    missed = 0
    print(HEADER)
    for path in sorted(Path(__file__).parent.glob("bench_*.py")):
        if sys.argv[1:] and not any(word in path.stem for word in sys.argv[1:]):
            continue
        for ratio in importlib.import_module(f"tests.benchmarks.{path.stem}").ratios():
            print(ratio, flush=True)
            missed += ratio.times < ratio.at_least
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
