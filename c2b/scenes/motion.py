"""Where cameras and objects are at any time: closed orbits, so that a film may be endless and nothing is lost from sight.

Poses are homographies (3, 3) on (row, column, 1), in pixels from the middle of the frame; angles turn from down towards right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Orbit:
    """An ellipse run through by an object that turns as it goes.

    Parameters
    ----------
    centre, axes : tuple of float
        (rows, columns), in pixels.
    speed : float
        Root mean square speed along the ellipse, in px/frame; its sign is the sense.
    phase, angle : float
        Place on the ellipse and attitude at time 0, in radians.
    spin : float
        In radians per frame.
    """

    centre: tuple[float, float] = (0.0, 0.0)
    axes: tuple[float, float] = (0.0, 0.0)
    speed: float = 0.0
    phase: float = 0.0
    angle: float = 0.0
    spin: float = 0.0

    def place(self, time: float) -> tuple[float, float]:
        """(row, column) in pixels."""
        radius = math.hypot(*self.axes) / math.sqrt(2)
        turn = self.phase + (self.speed * time / radius if radius else 0.0)
        return self.centre[0] + self.axes[0] * math.sin(turn), self.centre[1] + self.axes[1] * math.cos(turn)

    def pose(self, time: float) -> NDArray[np.float64]:
        """Rigid motion from the object to the scene."""
        pose = _turn(self.angle + self.spin * time)
        pose[:2, 2] = self.place(time)
        return pose


@dataclass(frozen=True)
class Drift:
    """A camera that moves sideways and rolls a little: near things pass by faster than far ones.

    Parameters
    ----------
    path : Orbit
        How the farthest layer moves in the frame.
    roll : float
        Largest roll, in radians; it swings once while the path is run through once.
    """

    path: Orbit
    roll: float = 0.0

    def pose(self, time: float, nearness: float = 1.0) -> NDArray[np.float64]:
        """From a layer at ``nearness`` (1 = farthest, moves as `path` says; 2 = half as far, twice the motion) to the frame."""
        down, right = self.path.place(time)
        radius = math.hypot(*self.path.axes) / math.sqrt(2)
        pose = _turn(self.roll * math.sin(self.path.speed * time / radius) if radius else 0.0)
        pose[:2, 2] = nearness * down, nearness * right
        return pose


@dataclass(frozen=True)
class Rotation:
    """A camera that turns about its own centre: pan, tilt and roll of a pinhole, the homography K R K^-1.

    (Hartley & Zisserman, Multiple View Geometry, 2nd edition 2004, section 8.4.)

    Parameters
    ----------
    path : Orbit
        Where the point that was straight ahead would be without roll, in pixels: gives tilt and pan.
    roll : float
        Largest roll about the optical axis, in radians.
    roll_rate : float
        In radians of its swing per frame.
    focal_length : float
        In pixels.
    """

    path: Orbit
    roll: float
    roll_rate: float
    focal_length: float

    def pose(self, time: float) -> NDArray[np.float64]:
        """From the far world, drawn on the image plane of the camera at rest, to the frame."""
        down, right = self.path.place(time)
        tilt, pan = math.atan(down / self.focal_length), math.atan(right / self.focal_length)
        turned = _turn(self.roll * math.sin(self.roll_rate * time)) @ _about_columns(tilt) @ _about_rows(pan)
        lens = np.diag([self.focal_length, self.focal_length, 1.0])
        return lens @ turned @ np.linalg.inv(lens)


def _turn(angle: float) -> NDArray[np.float64]:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def _about_columns(tilt: float) -> NDArray[np.float64]:
    c, s = math.cos(tilt), math.sin(tilt)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _about_rows(pan: float) -> NDArray[np.float64]:
    c, s = math.cos(pan), math.sin(pan)
    return np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
