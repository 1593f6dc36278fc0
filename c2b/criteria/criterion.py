"""The contract of every criterion: a sensor under one code goes in, a number comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from sensors.sensor import Sensor


class Criterion(ABC):
    """A criterion of a sensor; settings go into ``__init__`` and are stored unchanged.

    Attributes
    ----------
    unit : str
        Unit of its number; empty of a ratio.
    better : str
        ``higher`` or ``lower``; empty where it depends.
    quick : bool
        It is in a table for which no criteria are named.
    """

    unit: ClassVar[str] = ""
    better: ClassVar[str] = "lower"
    quick: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, sensor: Sensor) -> float | None:
        """The number of a sensor under one code; None where it is not defined.

        It is not where the sensor has no noise, no full well or no time, as the criterion needs them; where the code is no tile, or
        is longer than what the criterion is about.
        """
