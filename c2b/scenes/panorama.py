"""A camera that turns within a panorama, about its own centre: rotational blur as it was drawn from spherical panoramas.

======  ==========================================================================  =================
symbol  meaning                                                                     shape, unit
======  ==========================================================================  =================
q       orientation of the camera                                                   unit quaternion
r       ray of a pixel in the camera: right, down, ahead                            (3,)
q r     direction in the world: longitude 0 to 2 pi, latitude -pi/2 to pi/2         radians
======  ==========================================================================  =================

Columns of the panorama are longitudes, rows latitudes (equirectangular); a pinhole camera sees it. Its orientation turns at constant
angular speed, q(t) = q(0) exp(t w), which is the spherical linear interpolation of two orientations (slerp; K. Shoemake, Animating
rotation with quaternion curves, SIGGRAPH 1985). With ``turn`` the film is one exposure of D. M. Argaw, J. Kim, F. Rameau, C. Zhang,
I. S. Kweon, Restoration of video frames from a single blurred image with motion understanding, CVPRW 2021: the second orientation by
three random Euler angles, and as many frames as no pixel moves by more than one from one to the next.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter

from c2b.natural_order import in_natural_order
from c2b.scenes import texture
from c2b.scenes.layer import Layer
from c2b.scenes.scene import LUMINANCE, Scene
from c2b.video.image_folder import ImageFolder
from c2b.video.recording import LUMA
from sensors.refusal import Refusal
from sensors.response import StandardRGB

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

IMAGES = (".jpg", ".jpeg", ".png")

#: Where the camera may look at first: elevation and roll, in degrees; it may look in any direction of the compass.
_ELEVATION, _ROLL = 45.0, 10.0

#: Euler angles of the turn whose axis a film without ``turn`` has, degrees.
_AXIS = 10.0

#: Rows of the panorama that a photograph is wrapped to, degrees of latitude of one of its rows, and its rows and columns.
_ROWS, _PER_ROW, _PHOTOGRAPH = 1024, 0.28, (427, 640)

#: A panorama is twice as wide as high, within this part.
_OFF = 0.02

#: Columns that are repeated at either side, and rows mirrored beyond the poles, so that the spline has neighbours.
_PAD = 8


@dataclass(frozen=True, eq=False)
class Panorama(Scene):
    """A panorama and a camera that turns at constant angular speed about a random axis.

    Beside what `Scene` takes:

    Parameters
    ----------
    image : str
        An equirectangular picture, or a folder of such, of which the seed chooses one; default: a photograph, wrapped and mirrored.
    field_of_view : float
        Horizontal, in degrees, below 170.
    turn : float
        Largest of the three Euler angles, in degrees, by which the camera turns during the whole film; ``frames`` is then as many as
        no pixel needs to move by more than one pixel between two. 0: it turns on and on, ``speed`` px/frame (RMS over the frame).
        With a turn ``speed`` is a factor of it.
    stored : bool
        Frames hold the values as the picture has them, as published blur averages them, instead of linear light.
    """

    image: str = ""
    field_of_view: float = 60.0
    turn: float = 0.0
    stored: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.field_of_view < 170:
            raise Refusal(
                f"field_of_view={self.field_of_view:g} is no angle of a pinhole camera; give 1 to 170 degrees, such as 60"
            )
        if not 0 <= self.turn <= 90:
            raise Refusal(f"turn={self.turn:g} is not an angle from 0 to 90 degrees, such as 10")
        _ = self.files
        if self.turn:
            object.__setattr__(self, "frames", self._frames_of_turn())
            super().__post_init__()

    @property
    def names(self) -> tuple[str, ...]:
        """The panorama, the only thing there is."""
        return ("panorama",)

    @property
    def files(self) -> tuple[Path, ...]:
        """The picture that is seen; none where it is a photograph of scikit-learn.

        Raises
        ------
        Refusal
            If there is none of that name.
        """
        if not self.image:
            return ()
        path = Path(self.image)
        if path.is_dir():
            pictures = in_natural_order(one.name for one in path.iterdir() if one.suffix.lower() in IMAGES)
            if not pictures:
                raise Refusal(f"image={path}: the folder holds no JPEG or PNG pictures")
            return (path / pictures[self.seed % len(pictures)],)
        if not path.is_file():
            raise Refusal(f"image={path}: there is no such picture or folder")
        return (path,)

    def orientation(self, time: float) -> Rotation:
        """q, from the camera to the world, at any time."""
        from scipy.spatial.transform import Rotation

        start, _ = self._drawn
        return start * Rotation.from_rotvec(time * self._velocity)

    def at(self, time: float) -> NDArray[np.float32]:
        """The scene at one instant, (H, W) or (H, W, 3), 1 = white; stored values where these are asked for."""
        if not math.isfinite(time):
            raise Refusal(f"time={time} is not a finite number")
        right, down, ahead = self.orientation(time).apply(self._rays).T
        planes = self._planes
        rows, columns = planes.shape[1] - 2 * _PAD, planes.shape[2] - 2 * _PAD
        i = (np.arctan2(down, np.hypot(right, ahead)) / math.pi + 0.5) * rows - 0.5 + _PAD
        j = (np.arctan2(right, ahead) / (2 * math.pi) + 0.5) * columns - 0.5 + _PAD
        seen = [map_coordinates(plane, (i, j), np.float32, order=3, mode="nearest", prefilter=False) for plane in planes]
        image = np.stack(seen, -1).reshape(self.height, self.width, -1)
        if self.optics:
            gaussian_filter(image, (self.optics, self.optics, 0), output=image, mode="nearest")
        np.clip(image, 0, 1, out=image)
        return image if self.colour == "rgb" else image[..., 0]

    def _world(self) -> tuple[Layer, ...]:
        """None: a sphere is no flat layer."""
        return ()

    def _visible(self, time: float) -> NDArray[np.float32]:
        return np.ones((1, self.height, self.width), np.float32)

    def _motion(self, time: float, seen: NDArray[np.intp]) -> NDArray[np.float32]:
        """The same at any time, since the camera turns about one axis."""
        return self._moved(self.step * self._velocity).astype(np.float32)

    def _moved(self, turned: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far each pixel moves, (2, H, W), when the camera turns by a rotation vector."""
        from scipy.spatial.transform import Rotation

        rays = Rotation.from_rotvec(-turned).apply(self._rays)
        seen = rays[:, :2] / np.maximum(rays[:, 2:], 1e-6) - self._rays[:, :2] / self._rays[:, 2:]
        return self._focal_length * seen.T[::-1].reshape(2, self.height, self.width)

    @property
    def _focal_length(self) -> float:
        return self.width / 2 / math.tan(math.radians(self.field_of_view) / 2)

    @cached_property
    def _rays(self) -> NDArray[np.float64]:
        """r of all pixels, (H W, 3), of unit length."""
        i, j = np.indices((self.height, self.width), np.float64)
        right, down = j - (self.width - 1) / 2, i - (self.height - 1) / 2
        rays = np.stack([right, down, np.full_like(right, self._focal_length)], -1).reshape(-1, 3)
        return rays / np.linalg.norm(rays, axis=1, keepdims=True)

    @cached_property
    def _drawn(self) -> tuple[Rotation, NDArray[np.float64]]:
        """The first orientation, and the rotation vector of the turn from it to the second."""
        from scipy.spatial.transform import Rotation

        rng = np.random.default_rng([self.seed, 2])
        compass, elevation, roll = rng.uniform(-1, 1, 3) * (180, _ELEVATION, _ROLL)
        angles = rng.uniform(-1, 1, 3) * (self.turn or _AXIS)
        start = Rotation.from_euler("YXZ", (compass, elevation, roll), degrees=True)
        return start, Rotation.from_euler("YXZ", angles, degrees=True).as_rotvec()

    @cached_property
    def _velocity(self) -> NDArray[np.float64]:
        """w, the rotation vector of the camera in a unit of time."""
        _, turn = self._drawn
        if self.turn:
            return self.speed * turn / (max(self.frames - 1, 1) * self.step)
        slight = 1e-4 * turn / np.linalg.norm(turn)
        return self.speed * slight / math.sqrt(np.square(self._moved(slight)).sum(0).mean())

    def _frames_of_turn(self) -> int:
        """As few frames as let no pixel move by more than one between two; a still has one."""
        _, turn = self._drawn
        steps, motion = 1, float(np.hypot(*self._moved(self.speed * turn)).max())
        if motion == 0:
            return 1
        while motion > 1:
            steps = max(steps + 1, math.ceil(steps * motion - 0.5)) if steps > 1 else math.ceil(self._slope(turn))
            motion = float(np.hypot(*self._moved(self.speed * turn / steps)).max())
        return steps + 1

    def _slope(self, turn: NDArray[np.float64]) -> float:
        """Pixels that the fastest pixel moves, at its first speed, in the whole turn."""
        return max(2.0, 1e4 * float(np.hypot(*self._moved(1e-4 * self.speed * turn)).max()))

    @cached_property
    def _planes(self) -> NDArray[np.float32]:
        """Spline coefficients of the panorama, padded, (C, h, w): one of mono, three of colour."""
        picture = _read(self.files[0], self.stored) if self.image else _wrapped(self.stored)
        weights = np.array(LUMA, np.float32) / 65536 if self.stored else LUMINANCE
        planes = np.moveaxis(picture, -1, 0) if self.colour == "rgb" else (picture @ weights)[None]
        finer = planes.shape[2] / (2 * math.pi) / self._focal_length
        blur = 0.4 * math.sqrt(max(finer**2 - 1, 0))
        planes = gaussian_filter(planes, (0, blur, blur), mode=("nearest", "nearest", "wrap")) if blur else planes
        padded = np.pad(np.pad(planes, ((0, 0), (_PAD, _PAD), (0, 0)), mode="edge"), ((0, 0), (0, 0), (_PAD, _PAD)), mode="wrap")
        return np.stack([spline_filter(plane, 3, np.float32) for plane in padded])


def _read(file: Path, stored: bool) -> NDArray[np.float32]:
    """A panorama (h, w, 3), as stored or linear, 1 = white.

    Raises
    ------
    Refusal
        If it is no readable picture, or not twice as wide as high.
    """
    recording = ImageFolder(file)
    if abs(recording.width / (2 * recording.height) - 1) > _OFF:
        raise Refusal(
            f"{file} is {recording.width}x{recording.height}; a whole panorama is twice as wide as high (equirectangular)"
        )
    values: NDArray[np.float32] = (recording.window(channels="rgb")[0] / recording.white).astype(np.float32)
    return values if stored else StandardRGB().decode(values).astype(np.float32)


@lru_cache(1)
def _wrapped(stored: bool) -> NDArray[np.float32]:
    """A photograph around the whole sphere, mirrored where it ends, with grain so that no place is smooth; (h, w, 3)."""
    shape = _ROWS, 2 * _ROWS
    height, width = _PHOTOGRAPH
    beyond = 180 / _PER_ROW / 2 - height / 2
    region = (-beyond, height + beyond, 0.5, 2 * (width - 1) + 0.5)
    light = texture.photograph("china", region, shape) * texture.grain(np.random.default_rng(0), shape, 0.03)
    light = np.minimum(light, np.float32(1)).astype(np.float32)
    return StandardRGB().encode(light).astype(np.float32) if stored else light
