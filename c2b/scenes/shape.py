"""Where surfaces end: signed distances of flat shapes, and the share of each texel they cover.

A distance is negative inside, in pixels, on a grid ``y, x`` of pixels from the middle of the shape.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from c2b.scenes.layer import TEXELS

Grid = NDArray[np.floating]

#: Empty pixels about a shape, so that the lens finds nothing beyond its edge.
_MARGIN = 2.5


def grid(half_height: float, half_width: float) -> tuple[Grid, Grid]:
    """Rows and columns, in pixels from the middle, of the texels that hold a shape of this size: (h, 1) and (1, w)."""
    y, x = (np.arange(-(n := math.ceil((half + _MARGIN) * TEXELS)), n + 1) / TEXELS for half in (half_height, half_width))
    return y[:, None].astype(np.float32), x[None, :].astype(np.float32)


def cut_out(paint: NDArray[np.floating], distance: NDArray[np.floating]) -> NDArray[np.float32]:
    """A layer's image (h, w, 4) from ``paint`` (h, w, 3) or (3,), where ``distance`` is negative."""
    covered = coverage(distance)
    return np.concatenate([paint * covered[..., None], covered[..., None]], -1).astype(np.float32)


def coverage(distance: NDArray[np.floating]) -> NDArray[np.floating]:
    """Share of each texel inside a shape, an edge one texel wide."""
    return np.clip(0.5 - distance * TEXELS, 0, 1)


def disc(y: Grid, x: Grid, radius: float) -> NDArray[np.floating]:
    """A disc about the origin: distance of its edge, below zero inside."""
    return np.hypot(y, x) - radius


def box(y: Grid, x: Grid, half_height: float, half_width: float, rounding: float = 0.0) -> NDArray[np.floating]:
    """A rectangle with rounded corners."""
    dy, dx = np.abs(y) - half_height + rounding, np.abs(x) - half_width + rounding
    return np.hypot(np.maximum(dy, 0), np.maximum(dx, 0)) + np.minimum(np.maximum(dy, dx), 0) - rounding


def polygon(y: Grid, x: Grid, radius: float, sides: int) -> NDArray[np.floating]:
    """A regular polygon inscribed in a circle; exact inside, a little small outside its corners."""
    apothem = radius * math.cos(math.pi / sides)
    return np.hypot(y, x) * np.cos(_within_sector(y, x, sides)) - apothem


def wheel(y: Grid, x: Grid, radius: float, spokes: int) -> NDArray[np.floating]:
    """A rim, a hub and spokes, one sees through between them."""
    rho = np.hypot(y, x)
    rim = np.abs(rho - 0.91 * radius) - 0.09 * radius
    hub = rho - 0.19 * radius
    spoke = np.maximum(np.abs(rho * np.sin(_within_sector(y, x, spokes))) - 0.045 * radius, rho - 0.9 * radius)
    return np.minimum(np.minimum(rim, hub), spoke)


def propeller(y: Grid, x: Grid, radius: float, blades: int) -> NDArray[np.floating]:
    """Blades that widen outwards, on a hub."""
    rho, angle = np.hypot(y, x), _within_sector(y, x, blades)
    along, across = rho * np.cos(angle), rho * np.sin(angle)
    width = radius * (0.06 + 0.10 * np.sin(np.clip(along / radius, 0, 1) * 0.75 * math.pi))
    blade = np.maximum(np.abs(across) - width, rho - radius)
    return np.minimum(blade, rho - 0.13 * radius)


def _within_sector(y: Grid, x: Grid, sectors: int) -> NDArray[np.floating]:
    """Angle from the middle of the nearest of ``sectors`` equal sectors."""
    period = 2 * math.pi / sectors
    return (np.arctan2(y, x) + period / 2) % period - period / 2
