"""The place of a sensor whose class is not here: a plug-in, or a package, with which a capture was taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from sensors import plug_in
from sensors.refusal import Refusal
from sensors.sensor import Sensor


@dataclass(frozen=True, eq=False)
class AbsentSensor(Sensor):
    """Its code, its readout and its name; what its buckets collect cannot be told.

    Parameters
    ----------
    document : mapping
        The description of the sensor that took the capture.
    arrays : mapping of str to ndarray
        The arrays of that description.
    images : int
        B, how many images an exposure has.
    """

    not_by_text: ClassVar[tuple[str, ...]] = (*Sensor.not_by_text, "document", "arrays", "images")

    document: Mapping[str, Any]
    arrays: Mapping[str, NDArray]
    images: int = 1

    @property
    def named(self) -> str:
        """``ComplementPixel of complement.py (0123456789abcdef)``."""
        target = str(self.document["sensor"])
        return f"{target.partition(':')[2]} of {plug_in.told(target)}"

    @property
    def buckets(self) -> int:
        """B, as the capture has them."""
        return self.images

    @property
    def local(self) -> bool:
        """Not known."""
        return True

    def share(self, code: NDArray) -> NDArray:
        """A Refusal that names the plug-in."""
        raise Refusal(
            f"the capture was taken by {self.named}, a plug-in that is not here in this version; add --plugin FILE.py, "
            f"or say what took it: --sensor"
        )

    def description(self) -> tuple[dict[str, Any], dict[str, NDArray]]:
        """That of the sensor itself, so that the capture can be written again."""
        return dict(self.document), dict(self.arrays)
