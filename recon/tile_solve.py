"""Tile-wise linear solve: within a tile of p x q pixels the intensity is taken as uniform, which leaves T unknowns per tile.

A periodic code gives one matrix for all tiles (`recon.tile_matrix`, which has the equation); any other code gives every tile a system
of its own. The values of the tiles become frames by `recon.upsampling`. The solve is stage 1 of Anupama, Prasan, Mitra, "Video
reconstruction by spatio-temporal fusion of blurred-coded image pair", ICPR 2020; the registered up-sampling is ours.
"""

from __future__ import annotations

from math import sqrt
from typing import ClassVar

import numba
import numpy as np
from numpy.typing import NDArray

from recon.reconstructor import Reconstructor, apply_to_exposures, needs_local
from recon.tile_matrix import NEVER_OPEN, centroids_of, ridge_under, solve_periodic, tile_matrix, turned
from recon.upsampling import tile_starts, upsample
from sensors.capture import Capture
from sensors.kernel import FLAGS, rows
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: Stands for the infinite variance of a saturated sample: its weight vanishes.
UNKNOWN = 1e12

#: Floor of the variance within a tile, for scenes that have none.
LEAST_TEXTURE = 1e-4

#: Ridge of a system per tile where none is given: with a random mask some tiles are always singular.
RIDGE_PER_TILE = 0.1




class TileSolve(Reconstructor):
    """Exact for scenes that are uniform within each tile.

    Parameters
    ----------
    buckets : str
        ``both`` or ``coded`` (bucket 0 alone, as the single-coded baseline).
    ridge : float, optional
        Weight of the pull towards the mean of the frames; the rows are means, so it compares with their weights w^2 (1 without noise).
        Without one: 0 for a periodic tile, which must then determine all T frames; 0.1 for a system per tile; under
        noise, 0.1 and more the noisier the capture.
    weighted : bool
        Weight the rows by the noise of the capture.
    tile : int, optional
        Side of the tile for full-resolution masks; by default the one of about 2 T pixels.
    """

    also: ClassVar[tuple[str, ...]] = ("low_resolution",)

    def __init__(self, buckets: str = "both", ridge: float | None = None, weighted: bool = True, tile: int | None = None) -> None:
        if buckets not in ("both", "coded"):
            raise Refusal(f"unknown buckets {buckets!r}; known: both, coded")
        if ridge is not None and not ridge >= 0:
            raise Refusal(f"ridge={ridge} is negative; needed: 0 or more")
        if tile is not None and tile < 1:
            raise Refusal(f"tile={tile} is not a size in pixels; needed: 1 or more")
        self.buckets = buckets
        self.ridge = ridge
        self.weighted = weighted
        self.tile = tile

    def refusal(self, sensor: Sensor) -> str:
        """A periodic tile that does not determine all frames needs a ridge; says its rank and condition."""
        if reason := needs_local(sensor, "tile solve"):
            return reason
        if self.tile is not None and self._periodic(sensor):
            p, q = sensor.tile
            return f"tile={self.tile} is for full-resolution masks; the tile of this code is {p}x{q}"
        if not self._periodic(sensor) or self.ridge:
            return ""
        found = tile_matrix(sensor.at(0), (0, 0), self._used(sensor), self.ridge, None)
        if found.rank == sensor.frames:
            return ""
        return (
            f"a {'x'.join(map(str, sensor.tile))} tile determines {found.rank} of {sensor.frames} frames "
            f"(condition {found.condition:.3g}); take fewer frames, a larger tile, tile:ridge=0.01 or --method pseudo-inverse"
        )

    def solve(self, capture: Capture) -> NDArray[np.float32]:
        """The frames (T, H, W) of one exposure."""
        low, tile, centroids, last = self._low(capture)
        return upsample(low, capture.images.shape[2:4], tile, centroids, last)

    def low_resolution(self, capture: Capture) -> NDArray[np.float32]:
        """One value per tile and frame, (N, T, h, w): what networks start from. h = ceil(H / p), w = ceil(W / q)."""
        return apply_to_exposures(lambda one: self._low(one)[0], capture)

    def _low(self, capture: Capture) -> tuple[NDArray[np.float32], tuple[int, int], NDArray, NDArray]:
        """The low-resolution frames, the tile, and where in it a frame is sampled: in whole tiles and in the last of an axis."""
        sensor, charge = capture.sensor, capture.charge[0]
        tile = sensor.tile if self._periodic(sensor) else (self._side(sensor),) * 2
        if charge.shape[1] < tile[0] or charge.shape[2] < tile[1]:
            raise Refusal(
                f"a frame of {charge.shape[1]}x{charge.shape[2]} is smaller than the tile of {tile[0]}x{tile[1]} pixels"
            )
        variance = capture.variance[0] if self.weighted and not sensor.readout.ideal else None
        if self._periodic(sensor):
            used = self._used(sensor)
            noise = None
            if variance is not None:
                texture = _texture(sensor, charge[:used], variance[:used], tile)
                noise = tuple(_typical(v) / texture for v in variance[:used])
            found = tile_matrix(sensor, sensor.origin, used, self.ridge, noise)
            down, right = (int(tile_starts(size, side)[-1]) for size, side in zip(charge.shape[1:], tile, strict=True))
            last = centroids_of(turned(found.response, down, right))
            return solve_periodic(charge[:used], found.solve), tile, centroids_of(found.response), last
        return self._solve_each(sensor, charge, variance, tile)

    def _solve_each(
        self, sensor: Sensor, charge: NDArray, variance: NDArray | None, tile: tuple[int, int]
    ) -> tuple[NDArray[np.float32], tuple[int, int], NDArray, NDArray]:
        used = self._used(sensor)
        shares = sensor.exposure.on_pixels(*charge.shape[1:])[:used]
        count = shares.sum(1)
        noise: NDArray | float = 0.0
        if variance is not None:
            texture = _texture(sensor, charge[:used], variance[:used], tile)
            noise = np.stack([np.where(np.isfinite(v), _typical(v), UNKNOWN) / texture for v in variance[:used]]).astype(
                np.float32
            )
        ridge = RIDGE_PER_TILE if variance is None else ridge_under(float(np.median(noise[0])))  # type: ignore[index]
        weight = np.divide(1, count**2 + noise, out=np.zeros_like(count), where=count > NEVER_OPEN)
        low = solve_each_tile(
            np.ascontiguousarray(charge[:used]), shares, weight, tile, ridge if self.ridge is None else self.ridge
        )
        centre = np.tile([(side - 1) / 2 for side in tile], (sensor.frames, 1))
        return low, tile, centre, centre

    def _periodic(self, sensor: Sensor) -> bool:
        return sensor.at(0).exposure.repeats

    def _used(self, sensor: Sensor) -> int:
        return sensor.buckets if self.buckets == "both" else 1

    def _side(self, sensor: Sensor) -> int:
        return self.tile or max(1, round(sqrt(2 * sensor.frames)))


def solve_each_tile(
    charge: NDArray[np.float32], shares: NDArray[np.float32], weight: NDArray[np.float32], tile: tuple[int, int], ridge: float
) -> NDArray[np.float32]:
    """Solve a system of its own for every tile, by Cholesky, many tiles in lock-step.

    Parameters
    ----------
    charge : ndarray of float32, (B, H, W)
    shares : ndarray of float32, (B, T, H, W)
        A of every pixel.
    weight : ndarray of float32, (B, H, W)
        Weight of each row of A: (w / n)^2, which is the inverse variance of the charge, or 1 / n^2.
    tile : (int, int)
    ridge : float
        As in the equation above. A part in a million of the weights is always added, so that a tile that sees nothing gives zero.

    Returns
    -------
    ndarray of float32, (T, h, w)
    """
    _, T, height, width = shares.shape
    top, left = tile_starts(height, tile[0]), tile_starts(width, tile[1])
    low = np.empty((T, len(top), len(left)), np.float32)
    rows(_cholesky_tiles, len(top), charge, shares, weight, top, left, *tile, np.float32(ridge), low, work=shares.size)
    return low


def _texture(sensor: Sensor, charge: NDArray, variance: NDArray, tile: tuple[int, int]) -> float:
    """Variance of the scene within a tile, by which the model is wrong without any noise: measured in the least noisy bucket."""
    count = sensor.exposure.counts(*charge.shape[1:])[: len(charge)]
    opened = count > NEVER_OPEN
    per_frame = np.divide(1, count, out=np.zeros_like(count), where=opened)
    noise = [_typical(v) * float((f**2).sum() / max(o.sum(), 1)) for v, f, o in zip(variance, per_frame, opened, strict=True)]
    steadiest = int(np.argmin([n if o.any() else UNKNOWN for n, o in zip(noise, opened, strict=True)]))
    mean, seen = (_tiles(field[steadiest], tile) for field in (charge * per_frame, opened))
    pixels = np.maximum(seen.sum((1, 3), keepdims=True), 1)
    centred = (mean - mean.sum((1, 3), keepdims=True, where=seen) / pixels) ** 2
    within = float((centred.sum((1, 3), where=seen) / np.maximum(pixels[:, 0, :, 0] - 1, 1)).mean(dtype=np.float64))
    return max(within - noise[steadiest], LEAST_TEXTURE)


def _tiles(field: NDArray, tile: tuple[int, int]) -> NDArray:
    """A frame as (rows of tiles, p, columns of tiles, q); what is left over at the border is cut."""
    p, q = tile
    h, w = field.shape[0] // p, field.shape[1] // q
    return field[: h * p, : w * q].reshape(h, p, w, q)


def _typical(variance: NDArray) -> float:
    finite = variance[np.isfinite(variance)]
    return float(np.median(finite)) if finite.size else UNKNOWN


@numba.njit(**FLAGS)
def _cholesky_tiles(y, A, v, top, left, p, q, ridge, low, first, last):
    """Normal equations G = sum_k v_k A_k A_k^T + ridge (I - 1/T) and their Cholesky factor, for LANES tiles of a row at once."""
    B, T = A.shape[:2]
    n = left.size
    LANES = 64
    a, g, x = np.empty((T, LANES), np.float32), np.empty((T, T, LANES), np.float32), np.empty((T, LANES), np.float32)
    va = np.empty(LANES, np.float32)
    trace = np.empty(LANES, np.float32)
    for i in range(first, last):
        for j0 in range(0, n, LANES):
            lanes = min(LANES, n - j0)
            g[:] = -ridge / np.float32(T)
            x[:] = 0
            for s in range(T):
                for l in range(LANES):
                    g[s, s, l] += ridge
            for b in range(B):
                for r in range(top[i], top[i] + p):
                    for c in range(q):
                        for s in range(T):
                            for l in range(lanes):
                                a[s, l] = A[b, s, r, left[j0 + l] + c]
                            for l in range(lanes, LANES):
                                a[s, l] = 0
                        for s in range(T):
                            for l in range(lanes):
                                va[l] = v[b, r, left[j0 + l] + c] * a[s, l]
                            for l in range(lanes, LANES):
                                va[l] = 0
                            for t in range(s + 1):
                                for l in range(LANES):
                                    g[s, t, l] += va[l] * a[t, l]
                            for l in range(lanes):
                                x[s, l] += va[l] * y[b, r, left[j0 + l] + c]
            trace[:] = np.float32(1e-20)
            for s in range(T):
                for l in range(LANES):
                    trace[l] += g[s, s, l] * np.float32(1e-6)
            for s in range(T):
                for l in range(LANES):
                    g[s, s, l] += trace[l]
            for s in range(T):
                for t in range(s):
                    for k in range(t):
                        for l in range(LANES):
                            g[s, t, l] -= g[s, k, l] * g[t, k, l]
                    for l in range(LANES):
                        g[s, t, l] *= g[t, t, l]
                for k in range(s):
                    for l in range(LANES):
                        g[s, s, l] -= g[s, k, l] * g[s, k, l]
                for l in range(LANES):
                    g[s, s, l] = np.float32(1) / np.sqrt(max(g[s, s, l], trace[l]))
                for k in range(s):
                    for l in range(LANES):
                        x[s, l] -= g[s, k, l] * x[k, l]
                for l in range(LANES):
                    x[s, l] *= g[s, s, l]
            for s in range(T - 1, -1, -1):
                for k in range(s + 1, T):
                    for l in range(LANES):
                        x[s, l] -= g[k, s, l] * x[k, l]
                for l in range(LANES):
                    x[s, l] *= g[s, s, l]
            for t in range(T):
                for l in range(lanes):
                    low[t, i, j0 + l] = x[t, l]
