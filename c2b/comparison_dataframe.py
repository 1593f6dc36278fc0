"""The rows of a comparison for pandas, Polars, R and whatever else reads Parquet; both packages are extras."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_type_hints

from c2b.comparison_table import COLUMNS, Row, metrics_of
from c2b.sweep import swept_numbers
from sensors.atomic_file import atomic_file
from sensors.refusal import Refusal


def columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """The columns of a table by name.

    Beside those of `Row` a column for each metric, and for each number that is set by the words of sensor or readout, such as
    ``read_noise``, as far as it is not the name of another. ``frame_psnr`` is a list of numbers.
    """
    found: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in COLUMNS}
    found["frame_psnr"] = [[float(text) for text in row.frame_psnr.split()] for row in rows]
    found |= {name: [row.metrics.get(name) for row in rows] for name in metrics_of(rows)}
    numbers = [swept_numbers((row.sensor, row.readout)) for row in rows]
    names = dict.fromkeys(name for one in numbers for name in one)
    return found | {name: [one.get(name) for one in numbers] for name in names if name not in found}


def dataframe(rows: Sequence[Row]) -> Any:
    """A pandas DataFrame, a line for each row.

    Raises
    ------
    Refusal
        If pandas is missing.
    """
    needs("pandas")
    import pandas

    found = columns(rows)
    return pandas.DataFrame({name: pandas.Series(values, dtype=_dtype(name, values)) for name, values in found.items()})


def write_parquet(path: Path, rows: Sequence[Row]) -> None:
    """Write a Parquet file; whoever reads it meanwhile sees the old one.

    Raises
    ------
    Refusal
        If pyarrow is missing.
    """
    needs("pyarrow")
    import pyarrow
    from pyarrow import parquet

    kinds = {"float64": pyarrow.float64(), "int64": pyarrow.int64(), "bool": pyarrow.bool_(), "str": pyarrow.string()}
    found = columns(rows)
    types = {name: kinds.get(_dtype(name, values), pyarrow.list_(pyarrow.float64())) for name, values in found.items()}
    table = pyarrow.table({name: pyarrow.array(values, types[name]) for name, values in found.items()})
    with atomic_file(path) as partial:
        parquet.write_table(table, partial)


def needs_for_parquet(folder: Path | None) -> None:
    """A Refusal, before anything is computed, if a Parquet file cannot be written or has no folder."""
    if folder is None:
        raise Refusal("--parquet writes into the folder of --report, and none is named")
    needs("pyarrow")


def needs(package: str) -> None:
    """A Refusal if a package is missing."""
    if not find_spec(package):
        raise Refusal(f"this needs {package}; install it with: pip install '.[tables]'")


_HINTS: Mapping[str, Any] = get_type_hints(Row)


def _dtype(name: str, values: Iterable[Any]) -> str:
    if any(isinstance(value, list) for value in values):
        return "object"
    return {str: "str", int: "int64", bool: "bool"}.get(_HINTS.get(name, float), "float64")
