"""A drifting camera before a temple, and objects at several depths that fly, roll and spin before it and before each other."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2b.scenes import shape, texture
from c2b.scenes.layer import TEXELS, Layer
from c2b.scenes.motion import Drift, Orbit
from c2b.scenes.scene import Scene

Image = NDArray[np.floating]
Pair = tuple[float, float]


@dataclass(frozen=True, eq=False)
class OccludingObjects(Scene):
    """A chart of letters, a blossom, a Siemens star, a tile, a wheel, a propeller and a ball, from back to front.

    The background moves about ``speed`` px/frame and the objects 1 to 3 times that; the ball, the rim of the wheel and the tips
    of the propeller 3 to 6 times. The seed shifts the arrangement, sets senses and phases, and grows the grain.
    At 240 x 320 the mean of nine frames lies 15 to 22 dB (PSNR, linear light) from the middle one. Beside what `Scene` takes:

    Parameters
    ----------
    standing : bool
        The camera stands: the background is still, and objects move as their orbits say.
    """

    standing: bool = False

    def _world(self) -> tuple[Layer, ...]:
        rng = np.random.default_rng([self.seed, 2])
        unit = min(self.height, 0.75 * self.width)
        drift = Drift(self._orbit(rng, (0, 0), (0.05 * unit, 0.06 * unit), 0.0 if self.standing else 1.0), roll=0.03)
        background = Layer("temple", self._background(rng), drift.pose, endless=True)
        return (background, *(self._placed(body, unit, rng, drift) for body in _ARRANGEMENT))

    def _background(self, rng: np.random.Generator) -> Image:
        """The temple, `_MARGIN` frames large; (h, w, 4), opaque."""
        size = math.ceil(TEXELS * _MARGIN * self.height), math.ceil(TEXELS * _MARGIN * self.width)
        scale = max(side / whole for side, whole in zip(size, _TEMPLE, strict=True))
        spare = [whole - side / scale for side, whole in zip(size, _TEMPLE, strict=True)]
        top, left = 0.5 * spare[0], 0.3 * spare[1]
        image = texture.photograph("china", (top, top + size[0] / scale, left, left + size[1] / scale), size)
        image = np.minimum(image * texture.grain(rng, size, 0.03), 1)
        return np.concatenate([image, np.ones((*size, 1), np.float32)], -1)

    def _placed(self, body: _Body, unit: float, rng: np.random.Generator, drift: Drift) -> Layer:
        radius = body.radius * unit
        down, right = body.centre + rng.uniform(-_SHIFT, _SHIFT, 2)
        axes = body.axes[0] * unit, body.axes[1] * unit
        spin = body.rim_speed * self.speed / radius
        orbit = self._orbit(rng, (down * self.height, right * self.width), axes, body.speed, angle=body.angle, spin=spin)
        return Layer(body.name, body.paint(rng, radius), _Seen(orbit, drift, body.nearness).pose)

    def _orbit(
        self, rng: np.random.Generator, centre: Pair, axes: Pair, speed: float, angle: float = 0.0, spin: float = 0.0
    ) -> Orbit:
        sense = float(rng.choice([-1, 1]))
        return Orbit(centre, axes, sense * speed * self.speed, rng.uniform(0, 2 * math.pi), angle, sense * spin)


@dataclass(frozen=True)
class _Seen:
    """An object on its orbit, through the drifting camera."""

    orbit: Orbit
    drift: Drift
    nearness: float

    def pose(self, time: float) -> NDArray[np.float64]:
        return self.drift.pose(time, self.nearness) @ self.orbit.pose(time)


@dataclass(frozen=True)
class _Body:
    """One row of the arrangement: lengths in frame heights, centre in frame heights and widths, speeds in background speeds."""

    name: str
    paint: Callable[[np.random.Generator, float], Image]
    radius: float
    centre: Pair
    axes: Pair
    speed: float
    rim_speed: float = 0.0
    nearness: float = 1.0
    angle: float = 0.0


def _chart(rng: np.random.Generator, radius: float) -> Image:
    """A sheet of letters that get smaller line by line."""
    y, x = shape.grid(radius, 0.86 * radius)
    ink = texture.letters((y.size, x.size), (" C2B ", "CODED", "EXPOSURE", "TWO BUCKETS", "NINE FRAMES IN ONE"))
    paint = _PAPER + ink[..., None] * (_INK - _PAPER)
    edge = shape.box(y, x, radius, 0.86 * radius, rounding=0.06 * radius)
    return _cut(rng, _rimmed(paint, edge, 0.025 * radius, _LACQUER), edge)


def _blossom(rng: np.random.Generator, radius: float) -> Image:
    y, x = shape.grid(radius, radius)
    half = 127 * y.size / (2 * radius * TEXELS)
    paint = 1.1 * texture.photograph("flower", (219 - half, 219 + half, 308 - half, 308 + half), (y.size, x.size))
    edge = shape.disc(y, x, radius)
    return _cut(rng, _rimmed(paint, edge, 0.05 * radius, _PAPER), edge)


def _star(rng: np.random.Generator, radius: float) -> Image:
    y, x = shape.grid(radius, radius)
    white = texture.siemens_star(y, x, 24)[..., None]
    edge = shape.disc(y, x, radius)
    return _cut(rng, _rimmed(_INK + white * (_PAPER - _INK), edge, 0.09 * radius, _TEAL), edge)


def _tile(rng: np.random.Generator, radius: float) -> Image:
    """A six-sided tile, chequered in teal and brass."""
    y, x = shape.grid(radius, radius)
    light = texture.checker(y, x, max(2.5, 0.14 * radius))[..., None]
    edge = shape.polygon(y, x, radius, 6)
    return _cut(rng, _rimmed(_TEAL + light * (_PAPER - _TEAL), edge, 0.07 * radius, _INK), edge)


def _wheel(rng: np.random.Generator, radius: float) -> Image:
    y, x = shape.grid(radius, radius)
    rho = np.hypot(y, x)[..., None] / radius
    paint = np.where(rho > 0.86, _INK * 1.5, np.where(rho < 0.2, _BRASS, _STEEL))
    stripe = np.abs(rho - 0.91) < 0.03
    return _cut(rng, np.where(stripe, _BRASS, paint), shape.wheel(y, x, radius, 10))


def _propeller(rng: np.random.Generator, radius: float) -> Image:
    y, x = shape.grid(radius, radius)
    rho = np.hypot(y, x)[..., None] / radius
    paint = np.where((rho > 0.78) & (rho < 0.92), _LACQUER, _PAPER)
    edge = shape.propeller(y, x, radius, 3)
    return _cut(rng, _rimmed(np.where(rho < 0.13, _INK, paint), edge, 0.025 * radius, _INK), edge)


def _ball(rng: np.random.Generator, radius: float) -> Image:
    """Lit from the upper left; it does not spin, so its shading stays."""
    y, x = shape.grid(radius, radius)
    height = np.sqrt(np.maximum(1 - (y**2 + x**2) / radius**2, 0))
    lit = np.maximum((-0.55 * y - 0.45 * x) / radius + 0.7 * height, 0)[..., None]
    return _cut(rng, _LACQUER * (0.35 + 1.3 * lit) + 0.7 * lit**24, shape.disc(y, x, radius))


def _rimmed(paint: Image, edge: Image, width: float, rim: Image) -> Image:
    """``paint`` with its outermost ``width`` pixels in another colour."""
    inner = shape.coverage(edge + width)[..., None]
    return rim + inner * (paint - rim)


def _cut(rng: np.random.Generator, paint: Image, edge: Image) -> Image:
    return shape.cut_out(np.clip(paint * texture.grain(rng, edge.shape, 0.05), 0, 1), edge)


#: Linear reflectances: red, green, blue.
_PAPER = np.array([0.80, 0.77, 0.68], np.float32)
_INK = np.array([0.025, 0.03, 0.045], np.float32)
_BRASS = np.array([0.62, 0.40, 0.13], np.float32)
_STEEL = np.array([0.42, 0.45, 0.48], np.float32)
_LACQUER = np.array([0.48, 0.045, 0.03], np.float32)
_TEAL = np.array([0.03, 0.20, 0.20], np.float32)

#: Rows and columns of the temple photograph, and how much larger than the frame it is shown.
_TEMPLE = (427, 640)
_MARGIN = 1.12

#: How far the seed moves each object, in frame heights and widths.
_SHIFT = 0.03

#: From back to front.
_ARRANGEMENT = (
    _Body("chart", _chart, 0.21, (0.20, 0.29), (0.05, 0.12), 1.2, nearness=1.1, angle=-0.12),
    _Body("blossom", _blossom, 0.18, (-0.22, 0.24), (0.09, 0.12), 1.6, rim_speed=0.5, nearness=1.2),
    _Body("star", _star, 0.15, (-0.21, -0.32), (0.09, 0.08), 1.8, rim_speed=1.0, nearness=1.3),
    _Body("tile", _tile, 0.11, (0.33, -0.02), (0.06, 0.15), 2.5, rim_speed=1.5, nearness=1.3),
    _Body("wheel", _wheel, 0.20, (0.20, -0.26), (0.03, 0.20), 2.2, rim_speed=3.0, nearness=1.4),
    _Body("propeller", _propeller, 0.17, (-0.06, 0.02), (0.12, 0.08), 1.2, rim_speed=4.2, nearness=1.5),
    _Body("ball", _ball, 0.055, (0.0, 0.05), (0.30, 0.42), 4.5, nearness=1.6),
)
