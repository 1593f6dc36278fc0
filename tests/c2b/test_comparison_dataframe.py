"""Rows as a DataFrame and as Parquet: the same numbers, with types, and what was swept as numbers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest

from c2b.cli import main
from c2b.comparison_dataframe import columns, dataframe, write_parquet
from c2b.comparison_table import COLUMNS, Row
from sensors.refusal import Refusal

_OF_TYPE = {str: "", int: 1, float: 0.0, bool: False, float | None: None}
_NAMED = {"sensor": "two-bucket", "code": "impulse", "readout": "ideal", "order": "given", "frame_psnr": "30 inf"}
_PLAIN = {name: _OF_TYPE[hint] for name, hint in get_type_hints(Row).items() if name in COLUMNS} | _NAMED


def row(**facts) -> Row:
    """A row of a camera and method, all that is not named as plain as it may be."""
    return Row(**{**_PLAIN, **facts})


ROWS = [
    row(video="a", psnr=30.5, sensor="cep-2019:white=50,leakage=0.01", light=50.0, metrics={"vif": 0.5}),
    row(video="b", psnr=math.inf, clipped=True, seed=2**62),
]


def test_columns_are_those_of_rows_metrics_and_words():
    found = columns(ROWS)
    assert [*found] == [*COLUMNS, "vif", "white", "leakage"]
    assert found["vif"] == [0.5, None] and found["leakage"] == [0.01, None] and found["frame_psnr"] == [[30, math.inf]] * 2


def test_a_dataframe_has_a_line_for_each_row():
    pandas = pytest.importorskip("pandas")
    found = dataframe(ROWS)
    assert isinstance(found, pandas.DataFrame) and found.shape == (2, len(COLUMNS) + 3)
    assert found.psnr.tolist() == [30.5, math.inf] and found.clipped.dtype == bool and found.seed.dtype == np.int64
    assert found.light.dtype == np.float64 and math.isnan(found.light[1]) and found.leakage[0] == 0.01
    assert dataframe([]).shape == (0, len(COLUMNS))


def test_parquet_holds_the_same(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_parquet(tmp_path / "t.parquet", ROWS)
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]
    assert parquet.read_table(tmp_path / "t.parquet").to_pydict() == columns(ROWS)


def test_the_command_writes_parquet_beside_the_csv(tmp_path, monkeypatch, capsys):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.chdir(tmp_path)
    np.save("v.npy", np.random.default_rng(0).integers(0, 256, (9, 24, 27), np.uint8))
    words = ("compare", "v.npy", "--sensor", "two-bucket", "--method", "pseudo-inverse", "--sweep", "leakage=0,0.02", "--parquet")
    assert main([*words]) == 2 and "none is named" in capsys.readouterr().err
    assert main([*words, "--report", "r"]) == 0
    found = parquet.read_table(Path("r", "comparison.parquet")).to_pydict()
    assert found["leakage"] == [0, 0.02] and found["sensor"] == ["two-bucket:leakage=0", "two-bucket:leakage=0.02"]


@pytest.mark.parametrize("package", ["pandas", "pyarrow"])
def test_a_package_that_is_missing_is_one_clear_line(tmp_path, monkeypatch, package):
    monkeypatch.setattr("c2b.comparison_dataframe.find_spec", lambda _: None)
    with pytest.raises(Refusal, match=rf"needs {package}; install it with: pip install '\.\[tables\]'"):
        dataframe(ROWS) if package == "pandas" else write_parquet(tmp_path / "t.parquet", ROWS)
