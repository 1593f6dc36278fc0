"""Pixel-wise coded exposure: one bucket per pixel that collects while the code is 1; the rest of the light is drained."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import NDArray

from sensors.sensor import Sensor


@dataclass(frozen=True, eq=False)
class CodedPixel(Sensor):
    """Pixel-wise coded exposure with a single bucket: y = sum_t code[t] x[t].

    The sensor of Hitomi et al., "Video from a single coded exposure photograph using a learned over-complete dictionary", ICCV 2011;
    with a full-resolution mask also the measurement of snapshot compressive imaging (CACTI, Llull et al., Optics Express 2013).
    """

    def share(self, code: NDArray) -> NDArray:
        """The code itself, (1, T, p, q)."""
        return code[None]
