"""How a training went, row by row, in a CSV file beside the weights."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sensors.atomic_file import atomic_file
from sensors.refusal import Refusal


class TrainingLog:
    """``NAME.log.csv``: begun anew, or gone on with where the training is; the file appears with the first row.

    Parameters
    ----------
    path : path
    resumed : bool
        Keep the rows that are there.
    """

    def __init__(self, path: Path, *, resumed: bool) -> None:
        self.path = path
        self.rows = _read(path) if resumed and path.exists() else []

    def add(self, row: Mapping[str, Any]) -> None:
        """One row, whose first number counts up; it replaces those that an interruption made come again. Other values may be words."""
        step = next(iter(row))
        self.rows = [old for old in self.rows if old[step] < row[step]] + [dict(row)]
        columns = list(dict.fromkeys(key for one in self.rows for key in one))
        with atomic_file(self.path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)


def _read(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        try:
            rows = [{key: _value(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
            if all(isinstance(next(iter(row.values())), int) for row in rows):
                return rows
        except (AttributeError, TypeError, StopIteration, csv.Error):  # rows of other lengths, or not text at all
            pass
    raise Refusal(f"{path} is damaged: a row does not begin with its number; remove it")


def _value(text: str) -> float | str:
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        return text
