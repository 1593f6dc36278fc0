"""Damaged files end in a refusal or a valid result: some of each format here, thousands with ``python -m tests.fuzz``."""

from __future__ import annotations

import json

import numpy as np
import pytest

from c2b.cli import main
from tests.fuzz import settings_walk, worker
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


@pytest.mark.parametrize(("title", "every"), [("codes", 41), ("sensors", 499), ("readouts", 67), ("responses", 5)])
def test_hostile_settings_are_refused_or_work(title, every):
    tried, escaped = settings_walk.walk(title, every, first=every // 2)
    assert tried > 4 and not escaped


@pytest.mark.parametrize("line", [
    "simulate {scene} x.c2b.ome.tif --readout electrons:white=1e308",
    "simulate {scene} x.c2b.ome.tif --code bernoulli:frames=100000000",
    "simulate {scene},seed=99999999999999999999 x.c2b.ome.tif",
    "simulate occluding-objects:height=8000,width=8000 x.c2b.ome.tif --memory 1GB",
    "compare {scene} --sensor two-bucket --method gap-tv:inner=1000000000",
    "simulate {scene} x.c2b.ome.tif --sensor word.json",
    "info deep.safetensors",
    "info /dev/zero",
    "simulate /dev/zero x.c2b.ome.tif",
    "simulate {scene} x.c2b.ome.tif --memory much",
])  # fmt: skip
def test_what_would_not_end_is_refused_before_it_begins(tmp_path, monkeypatch, capsys, line):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "word.json").write_text(json.dumps({"schema": "c2b-sensor/1", "sensor": "two-bucket", "readout": {"white": "word"}}))
    document = json.dumps({"__metadata__": {"c2b-weights": "[" * 100_000 + "]" * 100_000}}).encode()
    (tmp_path / "deep.safetensors").write_bytes(len(document).to_bytes(8, "little") + document)
    with clock():
        assert main(line.format(scene="occluding-objects:frames=9,height=24,width=27").split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("c2b: ") and error.count("\n") == 1 and not [*tmp_path.glob("*.tif")]
