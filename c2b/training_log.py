"""How a training went, row by row, in a CSV file beside the weights."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from c2b.atomic_file import atomic_file
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

    def add(self, row: Mapping[str, float]) -> None:
        """One row, whose first number counts up; it replaces those that an interruption made come again."""
        step = next(iter(row))
        self.rows = [old for old in self.rows if old[step] < row[step]] + [dict(row)]
        columns = list(dict.fromkeys(key for one in self.rows for key in one))
        with atomic_file(self.path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)


def _read(path: Path) -> list[dict[str, float]]:
    with path.open(newline="", encoding="utf-8") as file:
        try:
            return [{key: _number(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
        except (ValueError, TypeError):
            raise Refusal(f"{path} is damaged: a row is not made of numbers; remove it") from None


def _number(text: str) -> float:
    return int(text) if text.isdigit() else float(text)
