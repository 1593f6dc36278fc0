"""Bits that go to the chip while it exposes: one for each pixel and sub-exposure, whatever the code (`sensors.code_link`)."""

from __future__ import annotations

from typing import ClassVar

from c2b.criteria.criterion import Criterion
from sensors.sensor import Sensor


class CodeRate(Criterion):
    """Bits a second onto a chip of one megapixel; not defined where the length of a sub-exposure is not known."""

    unit: ClassVar[str] = "Gbit/s a megapixel"

    def __call__(self, sensor: Sensor) -> float | None:
        return 1e-3 / sensor.timing.sub_exposure if sensor.timing.sub_exposure else None
