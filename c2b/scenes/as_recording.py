"""A scene where a video file is expected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2b import scenes
from c2b.video.recording import Recording


class SceneRecording(Recording):
    """The frames of a scene, by its name: ``occluding-objects:frames=18,seed=3``. Linear irradiance, 1 = white."""

    title = "procedural scene"
    format = "scene"

    def __init__(self, spec: str) -> None:
        self.scene = scenes.make(spec)
        self.path, self.made_of = Path(spec), self.scene.files
        self.shape = self.scene.shape
        self.dtype = np.dtype(np.float32)
        self.white = 1.0
        self.colour = "rgb" if len(self.shape) == 4 else "mono"

    def _read(self, frames: range) -> NDArray:
        return self.scene[frames.start : frames.stop : frames.step]
