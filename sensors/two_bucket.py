"""The coded-two-bucket pixel: bucket 0 collects while the code is 1, bucket 1 while it is 0; no light is thrown away.

======  =======================================================================================
symbol  meaning
======  =======================================================================================
c       code, 1: charge is meant for bucket 0
e0      leakage to the complement: part of the charge meant for bucket 0 that bucket 1 receives
e1      leakage to the coded bucket: part of the charge meant for bucket 1 that bucket 0 receives
d       drain: part of all charge that neither bucket receives
g       response of each bucket relative to the stronger one
======  =======================================================================================

    S = [c, 1 - c]        M = (1 - d) diag(g) [[1 - e0, e1], [e0, 1 - e1]]

The tap contrast, or demodulation contrast, of the time-of-flight literature is 1 - e0 - e1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensors.refusal import Refusal
from sensors.sensor import Sensor


@dataclass(frozen=True, eq=False)
class TwoBucket(Sensor):
    """The C2B camera of Wei et al., "Coded two-bucket cameras for computer vision", ECCV 2018 (Sarhangnejad et al., ISSCC 2019).

    Parameters
    ----------
    leakage : float, (float, float) or ndarray (H, W) or (2, H, W)
        Both ways, or (to the complement e0, to the coded bucket e1), or maps of these over the chip; each in [0, 0.5).
    drain : float
        Part of all charge that is lost, in [0, 1).
    mismatch : float
        Bucket 1 responds (1 - mismatch) times as strongly as bucket 0; a negative value weakens bucket 0 instead.

    Raises
    ------
    Refusal
        If one of these lies outside its range.
    """

    leakage: float | tuple[float, float] | NDArray = 0.0
    drain: float = 0.0
    mismatch: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        values = np.array(self.leakage, np.float64)
        values.setflags(write=False)
        leakage = values if values.ndim > 1 else tuple(values.tolist()) if values.ndim else float(values)
        for name, value in {"leakage": leakage, "drain": float(self.drain), "mismatch": float(self.mismatch)}.items():
            object.__setattr__(self, name, value)  # plain floats, so that equal sensors have equal digests
        if not (values.ndim == 0 or len(values) == 2 or values.ndim == 2) or values.ndim > 3:
            raise Refusal(f"leakage of shape {values.shape} is not one number, two, a map (H, W) or two maps (2, H, W)")
        if not ((values >= 0) & (values < 0.5)).all():
            raise Refusal(
                f"leakage {values.min():g} .. {values.max():g} is out of range; a bucket keeps more than half: 0 <= leakage < 0.5"
            )
        if not 0 <= self.drain < 1:
            raise Refusal(f"drain={self.drain} is out of range; needed: 0 <= drain < 1")
        if not -1 < self.mismatch < 1:
            raise Refusal(f"mismatch={self.mismatch} is out of range; needed: -1 < mismatch < 1")

    def share(self, code: NDArray) -> NDArray:
        """The code and its complement, (2, T, p, q)."""
        return np.stack([code, 1 - code])

    @property
    def between_buckets(self) -> NDArray[np.float64]:
        """M (2, 2, 1|H, 1|W) as in the equation above."""
        leakage = np.asarray(self.leakage, np.float64)
        both = (
            leakage[:, None, None]
            if leakage.shape == (2,)
            else np.broadcast_to(leakage, (2, *np.broadcast_shapes(leakage.shape[-2:], (1, 1))))
        )
        e0, e1 = both
        gain = np.array([min(1.0, 1 + self.mismatch), min(1.0, 1 - self.mismatch)])
        return (1 - self.drain) * gain[:, None, None, None] * np.array([[1 - e0, e1], [e0, 1 - e1]])
