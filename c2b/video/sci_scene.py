"""The true frames of a snapshot compressive imaging scene: ``orig`` of a MATLAB file, (H, W, frames), also (H, W, 3, frames)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2b.captures import mat_file, unit
from c2b.captures.axes import LAST
from c2b.captures.measured_arrays import order_of_frames
from c2b.captures.measurement import BAYER
from c2b.video.recording import Recording
from sensors.refusal import Refusal


class SciScene(Recording):
    """Frames as stored, float64 as float32; white is 255 or 65535 for integers, for floats 1, or 255 where they exceed 1.

    The file is compressed as a whole, so all frames are read at once. Bayer scenes (``orig_bayer``) are RGGB mosaics.
    """

    title = "true frames of an SCI scene (.mat)"
    suffixes = (".mat",)

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        shapes = mat_file.contents(path)
        name = next((name for name in ("orig", "orig_bayer") if name in shapes), None)
        if name is None:
            raise Refusal(f"{path} holds {', '.join(shapes) or 'no array'}, but no orig: there are no true frames in it")
        array = mat_file.arrays(path, (name,))[name]
        if array.ndim not in (2, 3, 4) or (array.ndim == 4 and array.shape[2] != 3):
            raise Refusal(f"{path}: {name} has shape {array.shape}; needed: (H, W, frames) or (H, W, 3, frames)")
        order = order_of_frames(shapes, name, LAST, path)
        frames = np.moveaxis(np.atleast_3d(array), -1, 0) if order == LAST else array
        if frames.dtype.kind == "f":
            frames = frames.astype(np.float32)
        elif frames.dtype.itemsize > 2 or frames.dtype.kind == "i":
            raise Refusal(f"{path}: {name} is {frames.dtype}; needed: uint8, uint16 or float")
        self.white = unit.white_of_frames(frames)
        self._frames: NDArray | None = np.ascontiguousarray(frames)
        self.shape, self.dtype = frames.shape, frames.dtype
        self.colour = "rgb" if array.ndim == 4 else BAYER if name == "orig_bayer" else "mono"

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        return path.suffix.lower() == ".mat"

    def close(self) -> None:
        self._frames = None

    def _read(self, frames: range) -> NDArray:
        assert self._frames is not None, "the recording is closed"
        return self._frames[frames.start : frames.stop : frames.step]
