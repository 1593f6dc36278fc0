"""A far world that stands still, seen by a camera that pans, tilts and rolls: all motion is one homography per frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from c2b.scenes import texture
from c2b.scenes.layer import TEXELS, Layer
from c2b.scenes.motion import Orbit, Rotation
from c2b.scenes.scene import Scene
from sensors.refusal import Refusal

#: Rows and columns of a photograph of scikit-learn.
_PHOTOGRAPH = (427, 640)

#: How far the camera looks away from the middle of the panorama, in frame heights and widths.
_TILT, _PAN = 0.10, 0.17

#: Largest roll, radians.
_ROLL = 0.11

#: The panorama, in frames: the photograph is that much larger than the picture, so that it seldom ends within it.
_PANORAMA = 1.5


@dataclass(frozen=True, eq=False)
class RotatingCamera(Scene):
    """A photograph at infinity and a turning camera.

    At 240 x 320 the mean of nine frames lies 20 to 28 dB (PSNR, linear light) from the middle one. Beside what `Scene` takes:

    Parameters
    ----------
    photograph : {"china", "flower"}
        china is detailed all over; flower is a sharp blossom before smooth leaves.
    """

    photograph: texture.Photograph = "china"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.photograph not in get_args(texture.Photograph):
            raise Refusal(f"photograph={self.photograph!r} is unknown; write one of {', '.join(get_args(texture.Photograph))}")

    def _world(self) -> tuple[Layer, ...]:
        rng = np.random.default_rng([self.seed, 1])
        return (Layer("panorama", self._panorama(rng), self._camera(rng).pose, endless=True),)

    def _camera(self, rng: np.random.Generator) -> Rotation:
        axes = _TILT * self.height, _PAN * self.width
        speed = self.speed * rng.choice([-1, 1])
        radius = math.hypot(*axes) / math.sqrt(2)
        return Rotation(
            Orbit(axes=axes, speed=speed, phase=rng.uniform(0, 2 * math.pi)),
            roll=_ROLL * rng.choice([-1, 1]),
            roll_rate=1.7 * speed / radius,
            focal_length=1.2 * self.width,
        )

    def _panorama(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """The photograph, filling `_PANORAMA` frames in one direction and more in the other; (h, w, 4), opaque."""
        scale = _PANORAMA * max(self.height / _PHOTOGRAPH[0], self.width / _PHOTOGRAPH[1])
        shape = math.ceil(TEXELS * scale * _PHOTOGRAPH[0]), math.ceil(TEXELS * scale * _PHOTOGRAPH[1])
        photograph = texture.photograph(self.photograph, (0, _PHOTOGRAPH[0], 0, _PHOTOGRAPH[1]), shape)
        image = np.minimum(photograph * texture.grain(rng, shape, 0.03), 1)
        if rng.random() < 0.5:
            image = image[:, ::-1]
        return np.concatenate([image, np.ones((*shape, 1), np.float32)], -1)
