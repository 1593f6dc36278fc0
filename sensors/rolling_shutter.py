"""The rolling shutter: rows are exposed one after another, each for as long as the code says, the last one ``delay`` frames late.

======  =====================================================================  ==============
symbol  meaning                                                                shape
======  =====================================================================  ==============
c       code, 1: row 0 collects; all ones is the ordinary rolling shutter      (T, p, q)
d       delay of row r, delay r / rows, in frames                              (rows,)
F       frames that one exposure sees, T + delay rounded up
P       frames from one exposure to the next: F, or T where they overlap
======  =====================================================================  ==============

    S[t, r] = c[t - d(r)], between frames by linear interpolation

Within one exposure every pixel stands for itself and inverses are closed. Where exposures overlap, as in most cameras that stream,
the last rows of one share frames with the first rows of the next, and all exposures are inverted together.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, cg

from sensors.refusal import Refusal
from sensors.sensor import Sensor
from sensors.temporal_response import delayed_rows

#: The joint inverse explains the charge up to this part of it.
TOLERANCE = 1e-10

#: Steps of conjugate gradients after which it gives up; exposures of a rolling shutter hardly overlap, so that ten or so suffice.
MOST_STEPS = 1000


@dataclass(frozen=True, eq=False)
class RollingShutter(Sensor):
    """Rolling shutter: rows that follow one code at different times.

    With a code per row the coded rolling shutter of Gu, Hitomi, Mitsunaga, Nayar, "Coded rolling shutter photography: flexible
    space-time sampling", ICCP 2010.

    Parameters
    ----------
    delay : float
        Frames (sub-exposures) from the start of the first row to that of the one below the last. Needs ``timing.rows``.
    overlap : bool
        Whether the next exposure begins when the first row has ended, rather than the last.

    Raises
    ------
    Refusal
        If the delay is not a number of frames, or the height of the chip is not known.
    """

    delay: float = 0.0
    overlap: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "delay", float(self.delay))
        object.__setattr__(self, "overlap", bool(self.overlap))
        if not (isfinite(self.delay) and self.delay >= 0):
            raise Refusal(f"delay={self.delay} is not a number of frames; needed: 0 or more")
        if self.delay and not self.timing.rows:
            raise Refusal(f"delay={self.delay:g} acts row by row and needs rows, the height of the chip, beside it")
        if self._has_parasitic_light:
            raise Refusal("a rolling shutter reads its pixels at once and stores nothing: no parasitic light; leave parasitic=0")

    def share(self, code: NDArray) -> NDArray:
        """The code itself, (1, T, p, q), as row 0 follows it."""
        return code[None]

    @property
    def frames(self) -> int:
        """F, what all rows see together."""
        return self.code.shape[-3] + ceil(self.delay)

    @property
    def period(self) -> int:
        """P and dead frames."""
        return (self.code.shape[-3] if self.overlap else self.frames) + self.timing.dead_frames

    @property
    def late_rows(self) -> bool:
        """Whether rows begin at different times."""
        return self.delay > 0 or super().late_rows

    def pseudo_inverse(self, charge: NDArray) -> NDArray:
        """The video of least energy that explains the charge, exposure by exposure as (..., F, H, W).

        Exposures (N, 1, H, W) that share frames are solved together by conjugate gradients on A A^T, to `TOLERANCE`, and what they
        share is the same in both.
        """
        charge = np.asarray(charge)
        if self.exposures_apart or not self.pixels_apart or charge.ndim == 3:
            return super().pseudo_inverse(charge)
        if charge.ndim != 4:
            raise Refusal(f"exposures that share frames are inverted in a row, (N, {self.buckets}, H, W), not {charge.shape}")

        def explain(dual: NDArray) -> NDArray:
            return self.expose_timeline(self.expose_timeline_adjoint(dual.reshape(charge.shape))).ravel()

        operator = LinearOperator((charge.size,) * 2, matvec=explain, dtype=np.float64)
        dual, unfinished = cg(operator, charge.astype(np.float64).ravel(), rtol=TOLERANCE, maxiter=MOST_STEPS)
        if unfinished:
            raise Refusal(f"the exposures could not be inverted together within {MOST_STEPS} steps; take fewer at a time")
        video = self.expose_timeline_adjoint(dual.reshape(charge.shape))
        return self.timeline(len(charge)).windows(video.astype(np.float64 if charge.dtype == np.float64 else np.float32))

    def shares_under(self, code: NDArray) -> NDArray:
        """S (1, F, rows, q), each row late in its own way."""
        share = super().shares_under(code)
        return delayed_rows(share, self.delay * self._down_the_chip, self.frames) if self.delay else share
