"""The error that a Gaussian mixture of patches leaves of a capture, its components known, and its gradient by the code.

======  ======================================================================  =================
symbol  meaning                                                                 shape
======  ======================================================================  =================
A       what each sample of a patch collects                                    (M, d)
C, m    covariance and mean of a component                                      (d, d), (d,)
Sigma   variance of the samples at the mean of the component                    (M,)
X, Q    A C,  A C A^T + Sigma                                                   (M, d), (M, M)
======  ======================================================================  =================

    error = ( trace C - trace X^T Q^-1 X ) / d
    d trace / dA = 2 B C - 2 Y X - diag(Y) dSigma/dA        B = Q^-1 X, Y = B B^T

Weighted over the components and averaged over the places of the tile at which a patch can begin it is the bound of
`c2b.criteria.mixture_error`. A is affine in the code (`sensors.check`), pixel by pixel, so that the gradient by the code follows from
the response of A to each sub-exposure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve

from c2b.criteria import collected
from c2b.criteria.mixture_error import cross_covariance, even_noise
from c2b.criteria.patch_posterior import decibels, factor, origins
from recon.gaussian_mixture import GaussianMixture
from sensors.exposure import periodic
from sensors.refusal import Refusal
from sensors.sensor import Sensor


@dataclass(frozen=True, eq=False)
class Objective:
    """PSNR bound of a sensor as a function of its code.

    Parameters
    ----------
    sensor : Sensor
        Whatever its code; with its noise.
    prior : GaussianMixture
        Over patches of as many frames as the codes have.

    Raises
    ------
    Refusal
        If one value of the code steers several pixels, rows follow it late, or the sensor has maps.
    """

    sensor: Sensor
    prior: GaussianMixture

    def __post_init__(self) -> None:
        if (
            self.sensor.cell > 1
            or self.sensor.late_rows
            or collected.tile_of(self.under(np.zeros((self.prior.frames, 1, 1)))) is None
        ):
            raise Refusal("a code is designed for pixels that are all alike and follow it at once: no cells, late rows or maps")

    def under(self, code: NDArray) -> Sensor:
        """The sensor under a code (T, p, q)."""
        return replace(self.sensor, code=code)

    def psnr(self, code: NDArray) -> float:
        """The bound of a code, dB."""
        return decibels(self._evaluate(code, with_gradient=False)[0])

    def gradient(self, code: NDArray) -> tuple[float, NDArray[np.float64]]:
        """The bound, dB, and by how much it changes with each value of the code, (T, p, q)."""
        error, by_tile = self._evaluate(code, with_gradient=True)
        by_code = np.einsum("bst,bsij->tij", self._response(), by_tile)
        return decibels(error), -10 / math.log(10) / error * by_code

    def _response(self) -> NDArray[np.float64]:
        """By how much what each bucket collects of sub-exposure s grows with the code at t: (B, s, t)."""
        frames = self.prior.frames
        dark, *lit = (self._tile(code.reshape(-1, 1, 1)) for code in np.concatenate([np.zeros((1, frames)), np.eye(frames)]))
        return np.stack([(one - dark)[:, :, 0, 0] for one in lit], -1)

    def _tile(self, code: NDArray) -> NDArray[np.float64]:
        tile = collected.tile_of(self.under(code))
        if tile is None:
            raise Refusal(f"a code of shape {code.shape} is no tile that can be designed; needed: sides of 32 pixels at most")
        return tile

    def _evaluate(self, code: NDArray, *, with_gradient: bool) -> tuple[float, NDArray[np.float64]]:
        """The mean squared error, and its gradient by what the tile collects, (B, T, p, q)."""
        sensor, tile = self.under(code), self._tile(code)
        _, h, w = self.prior.patch
        places = [*origins(tile)]
        error, gradient = 0.0, np.zeros_like(tile)
        for i, j in places:
            patch = periodic(tile, (i, j), (h, w))
            own, by_patch = self._patch(sensor, patch, with_gradient=with_gradient)
            error += own / len(places)
            if with_gradient:
                rows, columns = (i + np.arange(h)) % tile.shape[2], (j + np.arange(w)) % tile.shape[3]
                for row, line in zip(rows, np.moveaxis(by_patch, 2, 0), strict=True):
                    for column, one in zip(columns, np.moveaxis(line, 2, 0), strict=True):
                        gradient[:, :, row, column] += one / len(places)
        return error, gradient

    def _patch(self, sensor: Sensor, patch: NDArray[np.float64], *, with_gradient: bool) -> tuple[float, NDArray[np.float64]]:
        """The same of one place."""
        prior, gradient, explained = self.prior, np.zeros_like(patch), 0.0
        shares = prior.weights.astype(np.float64) / prior.weights.sum(dtype=np.float64)
        for k, share in enumerate(shares):
            X = cross_covariance(patch, prior, k)
            B = cho_solve((factor(patch, X, even_noise(sensor, patch, prior, k)), True), X, check_finite=False)
            explained += share * float(np.vdot(X, B))
            if with_gradient:
                gradient += share * self._by_component(sensor, patch, X, B, k)
        d = patch[0].size
        return (float(shares @ prior.spread.sum(1)) - explained) / d, -gradient / d

    def _by_component(
        self, sensor: Sensor, patch: NDArray[np.float64], X: NDArray[np.float64], B: NDArray[np.float64], k: int
    ) -> NDArray[np.float64]:
        """Gradient of trace X^T Q^-1 X by what each pixel of the patch collects, (B, T, h, w)."""
        buckets, frames, h, w = patch.shape
        F, floor = self.prior.factors[k].astype(np.float64), float(self.prior.floor[k])
        mean = self.prior.means[k].astype(np.float64).reshape(frames, h, w)
        own = np.einsum("bijtij->btij", B.reshape(buckets, h, w, frames, h, w))
        BF = (B @ F).reshape(buckets, h, w, -1)
        BC = np.einsum("bijr,tijr->btij", BF, F.reshape(frames, h, w, -1)) + floor * own
        Y = B @ B.T
        YX = np.einsum("bijm,mtij->btij", Y.reshape(buckets, h, w, -1), X.reshape(-1, frames, h, w), optimize=True)
        charge = np.einsum("btij,tij->bij", patch, mean)
        slope = collected.variance_slope(sensor, charge) * Y.diagonal().reshape(charge.shape)
        return 2 * (BC - YX) - slope[:, None] * mean
