"""The exact pseudo-inverse: of all videos that explain a capture, the one of least energy."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from recon.reconstructor import Reconstructor, in_colour, needs_local
from sensors.capture import Capture
from sensors.sensor import Sensor


class PseudoInverse(Reconstructor):
    """x = A^T (A A^T)^+ y, a closed form per pixel.

    For an ordinary camera this is the blurred image repeated, divided by the number of frames: the yardstick below which nothing
    has been won. It explains the capture exactly and uses neither neighbours nor noise.
    """

    halo: ClassVar[int | None] = 0

    def refusal(self, sensor: Sensor) -> str:
        """Where neighbours share light or charge, what explains the charge exactly is mostly its noise."""
        return "" if sensor.pixels_apart else needs_local(sensor, "pseudo-inverse")

    def reconstruct(self, capture: Capture) -> NDArray[np.float32]:
        """The video of every exposure; where exposures share frames, of all exposures together."""
        if capture.sensor.exposures_apart or not len(capture):
            return super().reconstruct(capture)
        solved = [plane.sensor.pseudo_inverse(plane.charge) for plane in capture.planes()]
        return np.stack([in_colour([plane[n] for plane in solved], capture.sensor) for n in range(len(capture))])

    def solve(self, capture: Capture) -> NDArray[np.float32]:
        """The frames (T, H, W) of one exposure."""
        return capture.sensor.pseudo_inverse(capture.charge[0])
