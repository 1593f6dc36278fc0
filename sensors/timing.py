"""When the sub-exposures of a sensor happen, and how the next code reaches the pixels.

How a code of all pixels is loaded, one of three ways:

``pipelined``
    Into a second latch, while the first one still acts; all pixels change over at once. Loading only bounds the sub-exposure from
    below (two-latch pixels: Sarhangnejad et al., ISSCC 2019).
``rolling``
    Into the only latch, row by row, while light is collected: row r changes over late by load_time r / rows, and until then the
    sub-exposure before steers its light.
``blanked``
    Into the only latch, while all light is drained: the part load_time / sub_exposure of the light is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

from sensors.refusal import Refusal

Loading = Literal["pipelined", "rolling", "blanked"]


@dataclass(frozen=True)
class Timing:
    """The clock of a sensor.

    Parameters
    ----------
    sub_exposure : float
        Length of one sub-exposure in seconds; 0 where it is not known. Dark current, loading and parasitic light need it.
    dead_frames : int
        Frames of the scene that pass between two exposures and that no capture sees.
    loading : {"pipelined", "rolling", "blanked"}
        How the next code reaches the pixels.
    load_time : float
        Seconds to load one code into all rows; at most one sub-exposure.
    readout_time : float
        Seconds from reading the first row to reading the last; what the storage nodes still collect meanwhile grows with the row.
    rows : int
        Height of the chip; 0 where it is not known. Whatever happens row by row needs it.

    Raises
    ------
    Refusal
        If a time is not one, if the code cannot be loaded within a sub-exposure, or if what another setting needs is not known.
    """

    sub_exposure: float = 0.0
    dead_frames: int = 0
    loading: Loading = "pipelined"
    load_time: float = 0.0
    readout_time: float = 0.0
    rows: int = 0

    def __post_init__(self) -> None:
        for name in ("sub_exposure", "load_time", "readout_time"):
            if not (isfinite(value := getattr(self, name)) and value >= 0):
                raise Refusal(f"{name}={value} is not a time in seconds; give 0 where it is not known")
            object.__setattr__(self, name, float(value))
        if self.dead_frames < 0:
            raise Refusal(f"dead_frames={self.dead_frames} is negative; give the number of frames between two exposures")
        if self.rows < 0:
            raise Refusal(f"rows={self.rows} is negative; give the height of the chip, or 0 where it is not known")
        if self.loading not in get_args(Loading):
            raise Refusal(f"unknown loading {self.loading!r}; known: {', '.join(get_args(Loading))}")
        for name in ("dead_frames", "rows"):
            object.__setattr__(self, name, int(getattr(self, name)))
        self._check_what_needs_what()

    @property
    def load_share(self) -> float:
        """Part of a sub-exposure that loading all rows takes."""
        return self.load_time / self.sub_exposure if self.load_time else 0.0

    @property
    def skew(self) -> float:
        """Sub-exposures by which the code of the whole chip's rows comes late, from the first to past the last."""
        return self.load_share if self.loading == "rolling" else 0.0

    @property
    def blanked(self) -> float:
        """Part of all light that is drained while codes are loaded."""
        return self.load_share if self.loading == "blanked" else 0.0

    @property
    def readout_share(self) -> float:
        """Length of the readout in sub-exposures."""
        return self.readout_time / self.sub_exposure if self.readout_time else 0.0

    def _check_what_needs_what(self) -> None:
        for name in ("load_time", "readout_time"):
            if getattr(self, name) and not self.sub_exposure:
                raise Refusal(
                    f"{name}={getattr(self, name):g} needs sub_exposure, the length of a sub-exposure in seconds, beside it"
                )
        if self.load_share > 1 or self.blanked == 1:
            raise Refusal(
                f"a code takes {self.load_time:g} s to load, longer than the sub-exposure of {self.sub_exposure:g} s allows; "
                f"needed: sub_exposure above load_time"
            )
        if (self.skew or self.readout_time) and not self.rows:
            what = "loading=rolling" if self.skew else f"readout_time={self.readout_time:g}"
            raise Refusal(f"{what} acts row by row and needs rows, the height of the chip, beside it")
