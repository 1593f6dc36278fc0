"""Damaged files end in a refusal or a valid result: some of each format here, thousands with ``python -m tests.fuzz``."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fuzz import worker
from tests.fuzz.campaign import run
from tests.fuzz.mutations import mutated
from tests.fuzz.samples import kinds
from tests.fuzz.worker import cases, clock, outcome

CASES = 40
GOOD = ("refused", "valid")


@pytest.mark.parametrize("name", kinds())
def test_damaged_files_are_refused_or_read(tmp_path, name):
    if name in ("capture.hdf5", "capture.sci-mat-v7.3"):
        pytest.importorskip("h5py")
    with clock():
        (samples, *_), *ended = (said for said in cases(name, 11, 1, 1 + CASES, tmp_path) if said[1] != "start")
    assert samples and len(ended) == CASES
    assert not [said for said in ended if said[1] not in GOOD]
    assert "refused" in {what for _, what, _ in ended}


def test_a_campaign_counts_the_cases_of_its_workers():
    result = run("norpix-seq", 30, seed=11)
    assert result.cases == 30 == sum(result.counts[what] for what in GOOD) and not result.failures


def test_damages_are_the_same_for_the_same_seed():
    content = bytes(range(256)) * 4
    one, other = (mutated(content, np.random.default_rng([3, 5])) for _ in range(2))
    assert one == other != content


def test_what_the_campaign_looks_for_is_seen(tmp_path, monkeypatch):
    def fails(path):
        raise IndexError("of a bug")

    def hangs(path):
        while True:
            pass

    def swells(path):
        bytearray(600_000_000)

    monkeypatch.setattr(worker, "SECONDS", 0.2)
    with clock():
        assert outcome(fails, tmp_path)[0] == "IndexError"
        assert outcome(hangs, tmp_path)[0] == "slow"
        monkeypatch.setattr(worker, "SECONDS", 10)
        assert outcome(swells, tmp_path)[0] == "large"
