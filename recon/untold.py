"""A method that takes the lens for sharp and pixels for separate, whatever the capture says: what not knowing the optics costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recon.reconstructor import Reconstructor
from sensors.capture import Capture
from sensors.sensor import Sensor


class Untold(Reconstructor):
    """A method that is given each capture as if a sensor without optics had taken it: `Sensor.without_optics`."""

    def __init__(self, method: Reconstructor) -> None:
        self.method = method
        self.halo = method.halo  # type: ignore[misc]

    def refusal(self, sensor: Sensor) -> str:
        """That of the method."""
        return self.method.refusal(sensor.without_optics())

    def frames_of(self, sensor: Sensor) -> int:
        """Those of the method."""
        return self.method.frames_of(sensor.without_optics())

    def parts(self, sensor: Sensor) -> tuple[Any, ...]:
        """The method."""
        return (self.method,)

    def learnt(self, sensor: Sensor) -> tuple[Path | NDArray, ...]:
        """What the method has learnt."""
        return self.method.learnt(sensor.without_optics())

    def remarks(self, capture: Capture) -> tuple[str, ...]:
        """Those of the method."""
        return self.method.remarks(_blind(capture))

    def fit(self, clips: Iterable[NDArray], sensors: Sensor | Callable[..., Sensor], **settings: Any) -> Self:
        """That of the method."""
        self.method.fit(clips, sensors, **settings)
        return self

    def save(self, path: str | Path, card: Mapping[str, Any] | None = None) -> None:
        """What the method has learnt."""
        self.method.save(path, card)

    def load(self, path: str | Path) -> Self:
        """What the method has learnt."""
        self.method.load(path)
        return self

    def solve(self, capture: Capture) -> NDArray[np.float32]:
        """The frames (K, H, W) of one exposure."""
        return self.method.solve(_blind(capture))

    def solve_planes(self, planes: list[Capture]) -> list[NDArray[np.float32]]:
        """The frames (K, H, W) of each colour plane."""
        return self.method.solve_planes([_blind(plane) for plane in planes])

    def reconstruct(self, capture: Capture) -> NDArray[np.float32]:
        """The video of every exposure, by the method."""
        return self.method.reconstruct(_blind(capture))

    def reconstruct_one(self, capture: Capture, number: int) -> NDArray[np.float32]:
        """The video of one exposure of a row, by the method."""
        return self.method.reconstruct_one(_blind(capture), number)


def _blind(capture: Capture) -> Capture:
    return Capture(capture.images, capture.sensor.without_optics(), capture.record)
