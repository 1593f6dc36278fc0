"""The contract of every further figure of merit: one exposure, reconstructed, and its truth go in, a number comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sensors.response import Response
from sensors.response import make as make_response


@dataclass(frozen=True, eq=False)
class Outcome:
    """One exposure as a metric sees it.

    Parameters
    ----------
    video, truth : ndarray, (K, H, W) or (K, H, W, 3)
        As the source stores values, 1 = white; neither clipped nor rounded.
    response : Response
        How stored values come from light.
    tile : (int, int), optional
        Rows and columns after which what pixels see repeats. None: not known.
    variance : callable, optional
        Variance of the video that the method claims, in squared irradiance, (K, H, W). None: it claims none.
    """

    video: NDArray[Any]
    truth: NDArray[Any]
    response: Response = make_response("none")  # noqa: RUF009  (frozen, and the same for all)
    tile: tuple[int, int] | None = None
    variance: Callable[[], NDArray[Any]] | None = None

    @property
    def shown(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Video and truth as a display shows them, within 0 and 1."""
        video, truth = (np.asarray(clip, np.float32).clip(0, 1) for clip in (self.video, self.truth))
        return video, truth


class Metric(ABC):
    """A figure of merit; settings go into ``__init__`` and are stored unchanged.

    Attributes
    ----------
    better : str
        ``higher``, ``lower``, or the number that is best.
    needs : str
        What must be known for it beside video and truth, in words; empty if nothing.
    """

    better: ClassVar[str] = "higher"
    needs: ClassVar[str] = ""

    def refusal(self) -> str:
        """Why it cannot be measured here, such as a package that is missing; empty if it can."""
        return ""

    @abstractmethod
    def __call__(self, outcome: Outcome) -> float | None:
        """The number of one exposure; None where what it `needs` is not there.

        Raises
        ------
        Refusal
            If the frames do not allow it, such as by their size.
        """


def grey(frames: NDArray[Any]) -> NDArray[np.float32]:
    """Frames (..., H, W) as they are, the colours of (K, H, W, 3) averaged."""
    return frames.astype(np.float32) if frames.ndim == 3 else frames.mean(-1, dtype=np.float32)


def planes(frames: NDArray[Any]) -> NDArray[np.float32]:
    """Frames (K, H, W[, 3]) as (K, H, W, colours)."""
    return np.asarray(frames, np.float32).reshape(*frames.shape[:3], -1)
