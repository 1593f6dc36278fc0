"""The flutter shutter: one bucket and one code for all pixels, opened and closed during the exposure."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import NDArray

from sensors.refusal import Refusal
from sensors.sensor import Sensor


@dataclass(frozen=True, eq=False)
class FlutterShutter(Sensor):
    """Global shutter that follows a binary sequence.

    Raskar, Agrawal, Tumblin, "Coded exposure photography: motion deblurring using fluttered shutter", SIGGRAPH 2006.

    Raises
    ------
    Refusal
        If the code differs between pixels: a global shutter has a 1x1 tile.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.code.shape[-2:] != (1, 1):
            rows, columns = self.code.shape[-2:]
            raise Refusal(
                f"a flutter shutter has one code for all pixels, not a {rows}x{columns} tile; use --code flutter or long"
            )

    def share(self, code: NDArray) -> NDArray:
        """The code itself, (1, T, 1, 1)."""
        return code[None]
