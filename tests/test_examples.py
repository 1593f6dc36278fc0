"""The examples run, as they stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SMALL = "occluding-objects:frames=9,height=60,width=90,seed={}"

#: Smaller films for what by itself takes several or large ones.
ON = {
    "film_to_light": ["--quick"],
    "pair_paper": [SMALL.format(1), SMALL.format(2)],
    "pair_paper_frames": [SMALL.format(1), "--size", "60", "70"],
    "wrong_belief": ["--quick"],
}


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_example_runs(example, tmp_path):
    words = [sys.executable, "-W", "error", example, *ON.get(example.stem, [])]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout
