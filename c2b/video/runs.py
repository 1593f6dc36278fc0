"""Every run of so many frames of a recording, overlapping where they do: frames 0 to 6, 1 to 7, 2 to 8 of nine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b.video.recording import Recording
from c2b.video.view import View
from sensors.refusal import Refusal


class Runs(View):
    """The runs of ``whole``, one after another as one recording, so that each is one exposure of a camera.

    Parameters
    ----------
    whole : Recording
    length, step : int
        Frames of a run, and from the start of one to the start of the next. Frames at the end that fill no run are left out.

    Raises
    ------
    Refusal
        If the recording is shorter than one run.
    """

    def __init__(self, whole: Recording, length: int, step: int = 1) -> None:
        if not 0 < length <= len(whole) or step < 1:
            raise Refusal(f"{whole.path} has {len(whole)} frames and no run of {length} frames, {step} apart")
        super().__init__(whole)
        self.runs = length, step
        starts = range(0, len(whole) - length + 1, step)
        self._numbers = [start + k for start in starts for k in range(length)]
        self.shape = (len(self._numbers), *whole.shape[1:])

    @property
    def frame_index(self) -> tuple[int, ...]:
        index = self._whole.frame_index
        return tuple(index[number] for number in self._numbers)

    @property
    def crop(self) -> tuple[float, float, float, float]:
        return self._whole.crop

    @property
    def source(self) -> dict[str, Any]:
        """That of the whole, and the runs."""
        return {**self._whole.source, "windows": list(self.runs or ())}

    def _read(self, frames: range) -> NDArray:
        return self._taken(self._whole.read, frames)

    def _read_luma(self, frames: range) -> NDArray:
        return self._taken(self._whole.luma, frames)

    def _taken(self, read: Any, frames: range) -> NDArray:
        """Frame by frame where runs meet, else at once."""
        numbers = [self._numbers[n] for n in frames]
        if numbers == [*range(numbers[0], numbers[0] + len(numbers))]:
            return read(range(numbers[0], numbers[0] + len(numbers)))
        return np.concatenate([read(range(number, number + 1)) for number in numbers])
