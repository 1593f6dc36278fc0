"""One exposure under one code: charge from light, and all that follows from a small matrix at each pixel.

======  ====================================================  ==================
symbol  meaning                                               shape
======  ====================================================  ==================
x       video, irradiance of each sub-exposure, 1 = white     (..., T, H, W)
S       share of each sub-exposure that a collector collects  (C, T, p, q)
M       what each bucket receives of each collector           (B, C, 1|H, 1|W)
A       M S on the pixels of a frame                          (B, T, H, W)
y       charge, in white sub-exposures                        (..., B, H, W)
Sigma   variance of the charge                                (..., B, H, W)
P       variance of the error of an estimate                  (..., 1|T, H, W)
======  ====================================================  ==================

    y[b, i, j] = sum_t A[b, t, i, j] x[t, i, j]

Where a lens or cross-talk spreads light before the code, or charge after it (`sensors.optics`), it is y = X A K x, with K and X small
kernels over neighbouring pixels; A stays what it is. There is no closed inverse then; the data step is that of a matrix that is
nowhere smaller than (A P A^T + Sigma), the diagonal of its row sums, so that it moves an estimate less far and never too far.

The collectors are the buckets and, with parasitic light, one more on which all light falls. S and A are periodic over the chip, S after
a tile. Pixels do not mix, so A A^T is a B x B matrix per pixel and every inverse is closed.

`sensors.exposure_torch` has the same verbs for tensors; the tests hold both equal. What a readout makes of the charge is not linear
and no part of it: `sensors.readout`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from sensors.bucket_share import BucketShare, combine, fitting
from sensors.neighbour_spread import Spread
from sensors.plain_numbers import refuse_masked
from sensors.refusal import Refusal

#: A code that comes round after at most so many pixels lies on a tile grid; a larger one is a full-resolution mask.
LARGEST_TILE = 32

#: An eigenvalue of A A^T below this part of the trace is taken as zero: the code cannot tell these buckets apart.
RANK_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Exposure:
    """One exposure of a sensor; `Sensor.exposure` makes it.

    Parameters
    ----------
    shares : ndarray, (C, T, p, q)
        S; whole numbers stay whole under shares that are uint8.
    mixing : ndarray, (B, C, 1|H, 1|W)
        M; a map where it covers the chip.
    tile : (int, int)
        After which the code comes round.
    origin : (int, int)
        Chip address of pixel [0, 0].
    rows : int
        Height of the chip where S is no tile but covers all rows, each late in its own way; else 0.
    light : Spread, optional
        K.
    charges : tuple of Spread, optional
        X of each bucket.
    """

    shares: NDArray
    mixing: NDArray[np.float64]
    tile: tuple[int, int]
    origin: tuple[int, int] = (0, 0)
    rows: int = 0
    light: Spread | None = None
    charges: tuple[Spread, ...] | None = None

    @property
    def pixels_apart(self) -> bool:
        """Whether no pixel gets anything of its neighbours, so that inverses are closed."""
        return self.light is None and self.charges is None

    @property
    def frames(self) -> int:
        """T, the number of sub-exposures."""
        return self.shares.shape[1]

    @property
    def buckets(self) -> int:
        """B, the number of images."""
        return len(self.mixing)

    def on_pixels(self, height: int, width: int, dtype: DTypeLike = np.float32) -> NDArray:
        """A on the pixels of a frame: (B, T, H, W), as if no neighbour had part in it."""
        shares = periodic(self.shares, self.origin, (height, width)).astype(dtype)
        mixing = self.mixing_on(height, width).astype(dtype)
        if not self._mixes:
            return shares
        return np.einsum("bchw,cthw->bthw", np.broadcast_to(mixing, (*mixing.shape[:2], height, width)), shares)

    def expose(self, video: NDArray, out: NDArray | None = None) -> NDArray:
        """Charge A x of video (..., T, H, W): (..., B, H, W). The adjoint is `adjoint`."""
        video = exposable(video, self.frames)
        if video.ndim == 3:
            return self._expose(video, out)
        charge = stacked(video.shape[:-3], lambda n: self._expose(video[n], None if out is None else out[n]))
        return charge if out is None else out

    def adjoint(self, charge: NDArray) -> NDArray:
        """A^T y of charge (..., B, H, W): (..., T, H, W). The adjoint of `expose`."""
        charge = measured(charge, self.buckets)
        return stacked(charge.shape[:-3], lambda n: self._adjoint(charge[n]))

    def counts(self, height: int, width: int) -> NDArray[np.float32]:
        """How many frames each pixel collects, the row sums of A: (B, H, W)."""
        return self.expose(np.ones((self.frames, height, width), np.float32))

    def row_sums(self, height: int, width: int) -> NDArray[np.float32]:
        """A A^T 1, (B, H, W): as a diagonal nowhere smaller than A A^T, since nothing in A is negative."""
        return self.expose(self.adjoint(np.ones((self.buckets, height, width), np.float32)))

    def gram(self, weights: NDArray | None = None) -> NDArray:
        """A diag(P) A^T between the buckets of each pixel.

        Without weights, P = 1, it is periodic from the chip's pixel (0, 0): (B, B, p, q), or as large as the chip where M is a map.
        With weights (..., T, H, W), such as the variance of an estimate, it is that of each pixel of the frame: (..., B, B, H, W).
        Where neighbours share, it is that of pixels that would not.
        """
        if weights is None:
            shares = self.shares.astype(np.float64)
            return _mixed(np.einsum("btpq,ctpq->bcpq", shares, shares), self.mixing)
        seen = np.asarray(weights)
        return stacked(seen.shape[:-3], lambda n: self._weighted_gram(seen[n]))

    def pseudo_inverse(self, charge: NDArray) -> NDArray:
        """The video of least energy that explains the charge (..., B, H, W): A^T (A A^T)^+ y, (..., T, H, W).

        Raises
        ------
        Refusal
            If neighbours share light or charge: what explains such a charge exactly is mostly its noise.
        """
        if not self.pixels_apart:
            raise Refusal("pixels that share light or charge with their neighbours have no closed inverse; use tikhonov or gap-tv")
        charge = measured(charge, self.buckets)
        return stacked(charge.shape[:-3], lambda n: self._adjoint(combine(charge[n], self._inverse_gram, self.origin)))

    def residual_precision(self, variance: NDArray, error_variance: ArrayLike) -> NDArray[np.float64]:
        """(A P A^T + Sigma)^+, which weighs what an estimate leaves unexplained: (..., B, B, H, W).

        Parameters
        ----------
        variance : (..., B, H, W)
            Sigma, zero without noise. A sample of infinite variance is left out: its row and column are zero.
        error_variance : float, (..., 1, H, W) or (..., T, H, W)
            P.
        """
        spread = np.asarray(error_variance)
        if not self.pixels_apart:
            return self._row_sum_precision(variance, spread)
        if spread.ndim and spread.shape[-3] == self.frames > 1:
            gram = self.gram(np.ascontiguousarray(spread))
        else:
            gram = periodic(self.gram(), self.origin, variance.shape[-2:]) * (spread[..., None, :, :] if spread.ndim else spread)
        seen = np.isfinite(variance)
        noise = np.where(seen, variance, 0).astype(np.float64)
        diagonal = np.eye(self.buckets)[:, :, None, None] * noise[..., None, :, :]
        return symmetric_inverse(gram * (seen[..., None, :, :] & seen[..., None, :, :, :]) + diagonal)

    def data_step(
        self, video: NDArray, charge: NDArray, variance: NDArray | None = None, error_variance: ArrayLike | None = None
    ) -> NDArray:
        """An estimate moved towards explaining the charge: x + P A^T (A P A^T + Sigma)^+ (y - A x).

        Parameters
        ----------
        video : (..., T, H, W)
            The estimate x.
        charge : (..., B, H, W)
        variance : (..., B, H, W), optional
            Sigma, infinite where a sample is saturated and carries no weight; without it the charge is free of noise.
        error_variance : float, (..., 1, H, W) or (..., T, H, W), optional
            P. Without noise a P that is alike in all frames cancels and need not be given: the step is the exact projection.

        Raises
        ------
        Refusal
            If there is a variance but no error variance to weigh it against.
        """
        residual = measured(charge, self.buckets) - self.expose(video)
        if error_variance is None:
            if variance is not None:
                raise Refusal(UNWEIGHED)
            if self.pixels_apart:
                return video + self.pseudo_inverse(residual)
            error_variance = 1.0
        precision = self.residual_precision(np.zeros_like(residual) if variance is None else variance, error_variance)
        precision = np.broadcast_to(precision, (*residual.shape[:-2], *precision.shape[-3:]))
        weighed = stacked(residual.shape[:-3], lambda n: combine(residual[n], precision[n], (0, 0)))
        return video + np.asarray(error_variance) * self.adjoint(weighed)

    @property
    def repeats(self) -> bool:
        """Whether all tiles pose the same problem, so that one small matrix solves them all.

        The code comes round within `LARGEST_TILE` pixels, no response is a map over the chip, no row is late, and no neighbours share.
        """
        return max(self.tile) <= LARGEST_TILE and self.mixing.shape[2:] == (1, 1) and not self.rows and self.pixels_apart

    @cached_property
    def on_tile(self) -> NDArray[np.float64]:
        """A from the chip's pixel (0, 0) on until it comes round, (B, T, p, q); there is none where M is a map."""
        if self.mixing.shape[2:] != (1, 1):
            raise Refusal("pixels that respond by a map over the chip have no tile in common")
        return np.einsum("bc,ctij->btij", self.mixing[:, :, 0, 0], self.shares)

    def mixing_on(self, height: int, width: int) -> NDArray[np.float64]:
        """M on the pixels of a frame, (B, C, 1|H, 1|W).

        Raises
        ------
        Refusal
            If the frame reaches beyond the rows of the chip or its maps.
        """
        self._check(height, width)
        return window(self.mixing, self.origin, (height, width))

    def _expose(self, video: NDArray, out: NDArray | None) -> NDArray:
        self._check(*video.shape[1:])
        if not self._mixes and self.charges is None:
            return self._collect(video, out)
        charge = self._collect(video)
        if self._mixes:
            charge = combine(charge, self.mixing, self.origin)
        if self.charges is not None:
            shared = fitting(out, charge.shape, charge.dtype if charge.dtype.kind == "f" else np.float32)
            for b, each in enumerate(self.charges):
                each.forward(charge[b : b + 1], shared[b : b + 1])
            return shared
        if out is None:
            return charge
        fitting(out, charge.shape, charge.dtype)[...] = charge
        return out

    def _collect(self, video: NDArray, out: NDArray | None = None) -> NDArray:
        """S K x."""
        if self.light is None:
            return self._kernels.forward(video, self.origin, out)
        return self.light.expose(video, self.shares, self.origin, out)

    def _adjoint(self, charge: NDArray) -> NDArray:
        self._check(*charge.shape[1:])
        if self.charges is not None:
            charge = np.concatenate([each.adjoint(charge[b : b + 1]) for b, each in enumerate(self.charges)])
        if self._mixes:
            charge = combine(charge, self.mixing.swapaxes(0, 1), self.origin)
        video = self._kernels.adjoint(charge, self.origin)
        return video if self.light is None else self.light.adjoint(video)

    def _row_sum_precision(self, variance: NDArray, spread: NDArray) -> NDArray[np.float64]:
        """1 / (A P A^T 1 + Sigma) on the diagonal, (..., B, B, H, W): nothing in A is negative, so that no eigenvalue is larger."""
        light = self.adjoint(np.ones((self.buckets, *variance.shape[-2:]), np.float32))
        scale = self.expose(np.broadcast_to(light * spread, (*spread.shape[:-3], *light.shape)).astype(np.float32, copy=False))
        total = scale + np.where(np.isfinite(variance), variance, np.inf)
        precision = np.divide(1.0, total, out=np.zeros_like(total, np.float64), where=total > 0)
        return precision[..., None, :, :] * np.eye(self.buckets)[:, :, None, None]

    def _weighted_gram(self, weights: NDArray) -> NDArray:
        pairs = BucketShare(np.concatenate([self.shares * one for one in self.shares])).forward(weights, self.origin)
        pairs = pairs.reshape(len(self.shares), len(self.shares), *weights.shape[1:])
        return _mixed(pairs, window(self.mixing, self.origin, weights.shape[1:]))

    @cached_property
    def _kernels(self) -> BucketShare:
        return BucketShare(self.shares)

    @cached_property
    def _mixes(self) -> bool:
        return not np.array_equal(self.mixing, np.eye(self.buckets)[:, :, None, None])

    @cached_property
    def _inverse_gram(self) -> NDArray:
        return symmetric_inverse(self.gram())

    def _check(self, height: int, width: int) -> None:
        if self.rows and self.origin[0] + height > self.rows:
            raise Refusal(f"a frame of {height} rows from row {self.origin[0]} on does not fit a chip of rows={self.rows}")
        maps = self.mixing.shape[2:]
        for size, start, length in zip(maps, self.origin, (height, width), strict=True):
            if size > 1 and start + length > size:
                raise Refusal(f"the sensor's maps are {maps[0]}x{maps[1]}; a frame of {height}x{width} does not fit")


#: What a data step says that lacks its `error_variance`.
UNWEIGHED = "a data step under noise weighs the noise against the error of the estimate; give error_variance"


def symmetric_inverse(gram: NDArray) -> NDArray[np.float64]:
    """G^+ of a field of symmetric matrices (..., B, B, H, W), exact for rank-deficient ones too; computed in float64."""
    g = np.asarray(gram, np.float64)
    if g.shape[-3] == 1:
        return np.divide(1.0, g, out=np.zeros_like(g), where=g > 0)
    if g.shape[-3] > 2:
        inverses: NDArray = np.linalg.pinv(np.moveaxis(g, (-4, -3), (-2, -1)), rcond=RANK_TOLERANCE, hermitian=True)
        return np.moveaxis(inverses, (-2, -1), (-4, -3))
    a, b, c = g[..., 0, 0, :, :], g[..., 0, 1, :, :], g[..., 1, 1, :, :]
    trace, determinant = a + c, a * c - b * b
    regular = determinant > RANK_TOLERANCE * trace**2  # adj(G) / det(G), or G / trace^2 where G has rank one
    scale = np.where(regular, determinant, np.where(trace > 0, trace, 1.0) ** 2)
    a, b, c = np.where(regular, c, a) / scale, np.where(regular, -b, b) / scale, np.where(regular, a, c) / scale
    return np.stack([np.stack([a, b], -3), np.stack([b, c], -3)], -4)


def periodic(tile: NDArray, origin: tuple[int, int], shape: tuple[int, ...]) -> NDArray:
    """A periodic tile (..., p, q) on the pixels of a frame at the origin."""
    rows, columns = ((np.arange(size) + start) % side for size, start, side in zip(shape, origin, tile.shape[-2:], strict=True))
    return tile[..., rows[:, None], columns]


def window(field: NDArray, origin: tuple[int, int], shape: tuple[int, ...]) -> NDArray:
    """The part of a chip map (..., H, W) that a frame of ``shape`` at ``origin`` sees; an axis of length 1 stays."""
    rows, columns = (
        slice(start, start + length) if size > 1 else slice(None)
        for size, start, length in zip(field.shape[-2:], origin, shape, strict=True)
    )
    return field[..., rows, columns]


def stacked(lead: tuple[int, ...], one: Callable[[tuple[int, ...]], NDArray]) -> NDArray:
    """What ``one`` makes at each index of the leading axes, under the same axes."""
    if not lead:
        return one(())
    made = [one(index) for index in np.ndindex(lead)]
    return np.stack(made).reshape(*lead, *made[0].shape)


def exposable(video: ArrayLike, frames: int) -> NDArray:
    """Video as the kernels take it; a Refusal if it does not fit an exposure of so many frames."""
    refuse_masked(video, "video")
    array = np.asarray(video)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)  # numba knows only the byte order of the machine
    if array.ndim < 3 or array.shape[-3] != frames:
        raise Refusal(
            f"video of shape {array.shape} does not fit an exposure of {frames} sub-exposures; needed: (..., {frames}, H, W)"
        )
    if array.dtype.kind not in "buif" or array.size == 0:
        raise Refusal(f"video of type {array.dtype} and shape {array.shape} cannot be exposed; needed: numbers (T, H, W)")
    if array.dtype == bool:
        return array.view(np.uint8)
    return array if array.dtype.name in ("uint8", "uint16", "float32", "float64") else array.astype(np.float64)


def measured(charge: ArrayLike, buckets: int) -> NDArray:
    """Charge as the kernels take it, float32 or float64; a Refusal if it does not fit a sensor of so many buckets."""
    refuse_masked(charge, "charge")
    array = np.asarray(charge)
    array = array.astype(np.float64 if array.dtype in (np.float64, np.uint32, np.int64) else np.float32, copy=False)
    if array.ndim < 3 or array.shape[-3] != buckets:
        raise Refusal(
            f"charge of shape {array.shape} does not fit a sensor of {buckets} bucket(s); needed: (..., {buckets}, H, W)"
        )
    return array


def _mixed(gram: NDArray, mixing: NDArray) -> NDArray:
    """M G M^T where both are periodic fields."""
    height, width = (m if m > 1 else g for g, m in zip(gram.shape[2:], mixing.shape[2:], strict=True))
    gram = periodic(gram, (0, 0), (height, width))
    mixing = np.broadcast_to(mixing, (*mixing.shape[:2], height, width))
    return np.einsum("abij,bcij,dcij->adij", mixing, gram, mixing)
