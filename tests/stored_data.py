"""Recordings, captures and masks that are not part of the repository; tests that need them are skipped where they are not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("C2B_DATA") or Path(__file__).parents[2] / "shared" / "data")


def data(name: str) -> Path:
    """The path of a file or folder of test data."""
    if not (ROOT / name).exists():
        pytest.skip(f"{name} is not in {ROOT}; set C2B_DATA to the folder of test data")
    return ROOT / name
