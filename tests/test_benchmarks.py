"""A line of the benchmarks says whether its gate is reached."""

from __future__ import annotations

from tests.benchmarks.interleaved import Ratio


def test_a_ratio_below_its_gate_says_so():
    assert "BELOW" in str(Ratio("slow", 9.0, 1.0, 12)) and str(Ratio("slow", 9.0, 1.0, 8)).endswith("ok")
