"""When the sub-exposures of a sensor happen."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from sensors.refusal import Refusal


@dataclass(frozen=True)
class Timing:
    """The clock of a sensor.

    Parameters
    ----------
    sub_exposure : float
        Length of one sub-exposure in seconds; 0 where it is not known. Dark current needs it.
    dead_frames : int
        Frames of the scene that pass between two exposures and that no capture sees.
    """

    sub_exposure: float = 0.0
    dead_frames: int = 0

    def __post_init__(self) -> None:
        if not (isfinite(self.sub_exposure) and self.sub_exposure >= 0):
            raise Refusal(f"sub_exposure={self.sub_exposure} is not a time in seconds; give 0 where it is not known")
        if self.dead_frames < 0:
            raise Refusal(f"dead_frames={self.dead_frames} is negative; give the number of frames between two exposures")
        object.__setattr__(self, "sub_exposure", float(self.sub_exposure))
        object.__setattr__(self, "dead_frames", int(self.dead_frames))
