"""The gates of the benchmarks are stated for the processor at hand."""

from __future__ import annotations

import pytest

from tests.benchmarks import interleaved
from tests.benchmarks.interleaved import Ratio, gate


@pytest.mark.parametrize(("features", "least"), [({"avx512f": True}, 12), ({"avx512f": False, "avx2": True}, 8), ({"neon": True}, 8)])
def test_a_gate_follows_the_instruction_set(features, least, monkeypatch):
    monkeypatch.setattr(interleaved, "get_host_cpu_features", lambda: features)
    assert gate(8, avx512=12) == least


def test_a_ratio_below_its_gate_says_so():
    assert "BELOW" in str(Ratio("slow", 9.0, 1.0, 12)) and str(Ratio("slow", 9.0, 1.0, 8)).endswith("ok")
