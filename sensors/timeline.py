"""Exposures in a row: which frames of a recording each one sees, and what frames that several see gather from them.

======  ======================================================================  ==============
symbol  meaning                                                                 shape
======  ======================================================================  ==============
N       exposures
T       frames that one exposure sees
P       period, frames from the start of one exposure to the start of the next
======  ======================================================================  ==============

Exposure n sees frames n P .. n P + T - 1. Where P > T frames between exposures are seen by none, where P < T some by two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Timeline:
    """N exposures of T frames, P apart; `Sensor.timeline` makes it."""

    exposures: int
    frames: int
    period: int

    def __len__(self) -> int:
        """Frames from the first to the last one that is seen."""
        return (self.exposures - 1) * self.period + self.frames

    def window(self, number: int) -> slice:
        """The frames that one exposure sees."""
        return slice(number * self.period, number * self.period + self.frames)

    def seen(self, start: int = 0) -> NDArray[np.int64]:
        """The number of each frame that each exposure sees, (N, T); the first one has the number ``start``."""
        return start + np.arange(self.exposures)[:, None] * self.period + np.arange(self.frames)

    def windows(self, video: NDArray) -> NDArray:
        """What each exposure sees of video (frames, ...): (N, T, ...). The adjoint is `windows_adjoint`."""
        if self.exposures == 1:
            return video[None, : self.frames]
        return np.stack([video[self.window(n)] for n in range(self.exposures)])

    def windows_adjoint(self, windows: NDArray) -> NDArray:
        """Windows (N, T, ...) added up where they share frames: (frames, ...). The adjoint of `windows`."""
        if self.exposures == 1:
            return windows[0]
        video = np.zeros((len(self), *windows.shape[2:]), windows.dtype)
        for n, seen in enumerate(windows):
            video[self.window(n)] += seen
        return video

    def once(self, windows: NDArray) -> NDArray:
        """Windows (N, T, ...) that agree where they share frames, each frame once: (frames, ...); gaps are left out."""
        return np.concatenate([*windows[:-1, : self.period], windows[-1]])
