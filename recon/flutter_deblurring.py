"""Flutter-shutter deblurring: a picture that moves in a known way while the shutter flutters, sharp again by least squares.

======  ============================================================================  =============
symbol  meaning                                                                       shape
======  ============================================================================  =============
x       the picture at the start of the exposure, as far as the frame sees it         (rows, n)
L       length of the motion in pixels, rounded up; n = W + L - 1
o       part of sub-exposure t in which the picture is shifted by k to k + 1 pixels   (T, L)
S       share of each sub-exposure that a bucket collects                             (B, T, H, W)
h       the blur, sum_t S[b, t] o[t, k]                                               (B, L, H, W)
a       1 where the moving object is, at the start; without a mask everywhere         (rows, n)
b       what stands still behind it                                                   (rows, n)
======  ============================================================================  =============

    y[j] = sum_k h[k] a[j - k] x[j - k] + (sum_t S[t] - sum_k h[k] a[j - k]) b[j]

along each row, once the frame is turned so that the motion goes to the right. Each row is a banded system of n unknowns, or of 2 n with
a background, weighted by the noise of the capture and solved exactly (Cholesky). The frames are the picture, moved. Raskar, Agrawal,
Tumblin, "Coded exposure photography: motion deblurring using fluttered shutter", SIGGRAPH 2006; there for one code of all pixels,
which is what an oblique motion still needs; along rows and columns each pixel may have a code of its own, and any number of buckets.
"""

from __future__ import annotations

from math import ceil, cos, radians, tan
from pathlib import Path
from typing import ClassVar

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from recon.reconstructor import Reconstructor, needs_local
from sensors.capture import Capture
from sensors.kernel import FLAGS, rows
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: Variance that is always added to the charge, in white sub-exposures squared.
ROUNDING = 1e-6

#: Length in pixels of the object for which the noise gain is stated; it hardly depends on it.
OBJECT = 300

#: The background is by so much smoother: where object and background cannot be told apart, what has structure is the object.
CALM = 100.0


class FlutterDeblurring(Reconstructor):
    """One picture in uniform motion, made sharp; K = T frames, of which the first is the picture as the exposure began.

    Parameters
    ----------
    length : float, optional
        Length of the motion during the exposure, in pixels; one pixel per sub-exposure if not given.
    angle : float
        Where to, in degrees: 0 to the right, 90 down.
    smoothness : float
        1 / variance of the difference between neighbours along the motion; decides only what the capture does not.
    mask : Path, optional
        A .npy file (H, W), 1 where the moving object is when the exposure begins, in front of a background that stands still; or the
        array itself. Without one the whole frame moves.

    Raises
    ------
    Refusal
        If a setting is out of range.
    """

    also: ClassVar[tuple[str, ...]] = ("noise_gain",)

    def __init__(
        self, length: float | None = None, angle: float = 0.0, smoothness: float = 300.0, mask: Path | None = None
    ) -> None:
        if length is not None and not 0 <= length < np.inf:
            raise Refusal(f"length={length} is not a length in pixels; needed: 0 or more, and angle for the direction")
        if not np.isfinite(angle) or not 0 < smoothness < np.inf:
            raise Refusal(f"angle={angle}, smoothness={smoothness}: needed a number of degrees and a weight above 0")
        self.length = length
        self.angle = angle
        self.smoothness = smoothness
        self.mask = mask

    def refusal(self, sensor: Sensor) -> str:
        """Exposures that share frames, and an oblique motion under codes that differ between pixels."""
        if self._oblique and not _uniform(sensor):
            return f"angle={self.angle:g} needs one code for all pixels; codes that differ are deblurred along rows and columns"
        return needs_local(sensor, "flutter deblurring")

    def solve(self, capture: Capture) -> NDArray[np.float32]:
        """The frames (T, H, W) of one exposure."""
        sensor, charge, variance = capture.sensor, capture.charge[0], capture.variance[0]
        height, width = charge.shape[1:]
        quarter, oblique = self._turns
        shares = sensor.exposure.on_pixels(*((1, 1) if _uniform(sensor) else (height, width)))
        alpha = np.rot90(self._alpha((height, width)), quarter)
        turned = [np.rot90(field, quarter, (-2, -1)) for field in (charge, variance, shares)]
        charge, variance, shares = turned
        slope = tan(radians(oblique))
        charge, variance, alpha = _sheared(charge, 3, slope), _sheared_variance(variance, slope), _sheared(alpha, 1, slope)
        overlap = _overlap(sensor.frames, self._pixels(sensor) * cos(radians(oblique)))
        frames = self._deblurred(charge, variance, np.einsum("btij,tk->bkij", shares, overlap), overlap, alpha)
        return np.ascontiguousarray(np.rot90(_sheared_back(frames, turned[0].shape[1], slope), -quarter, (-2, -1)))

    def noise_gain(self, capture: Capture) -> NDArray[np.float64]:
        """Standard deviation of the noise of the picture over that of one sample of the charge, (N, 2).

        Gain of this exposure, and of one bucket that is open throughout; both for an object of 300 pixels before a dark background.
        """
        return np.array([self._noise_gains(one.sensor.at(0)) for one in capture])

    def remarks(self, capture: Capture) -> tuple[str, ...]:
        """The noise gain of the first exposure."""
        gain, of_open_shutter = self.noise_gain(capture[:1])[0]
        return (f"noise gain {gain:.3g}; of a shutter open throughout {of_open_shutter:.3g}",)

    @property
    def _turns(self) -> tuple[int, float]:
        """Quarter turns, and what is left in degrees."""
        quarter = round(self.angle / 90)
        return quarter, self.angle - 90 * quarter

    @property
    def _oblique(self) -> bool:
        return abs(self._turns[1]) > 1e-9

    def _pixels(self, sensor: Sensor) -> float:
        """The length in pixels of this sensor, which may be every second of a mosaic."""
        return (sensor.frames if self.length is None else self.length) / sensor.lattice[0]

    def _noise_gains(self, sensor: Sensor) -> tuple[float, float]:
        overlap = _overlap(sensor.frames, self._pixels(sensor))
        columns = 1 if _uniform(sensor) else OBJECT
        shares = sensor.exposure.on_pixels(1, columns)[:, :, 0]
        blur = np.einsum("btj,tk->bkj", shares, overlap)
        return _noise_gain(blur), _noise_gain(overlap.sum(0)[None, :, None])

    def _alpha(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        if self.mask is None:
            return np.ones(shape, np.float32)
        if isinstance(self.mask, np.ndarray):
            mask = self.mask
        else:
            try:
                mask = np.load(self.mask, allow_pickle=False)
            except ValueError:
                raise Refusal(f"{self.mask} is not a .npy array; needed: a mask (H, W) of the moving object") from None
        if mask.shape == (2 * shape[0], 2 * shape[1]):
            mask = mask[::2, ::2]  # of one phase of a mosaic
        if mask.shape != shape or not ((mask >= 0) & (mask <= 1)).all():
            raise Refusal(f"the mask of the moving object is {mask.shape}; needed: {shape}, values in 0 .. 1")
        return mask.astype(np.float32)

    def _deblurred(
        self, charge: NDArray, variance: NDArray, blur: NDArray, overlap: NDArray, alpha: NDArray
    ) -> NDArray[np.float32]:
        """The frames (T, H, W) of a motion to the right."""
        _, height, width = charge.shape
        length = overlap.shape[1]
        alpha = np.pad(alpha, ((0, 0), (length - 1, 0)), mode="edge").astype(np.float64)
        behind = self.mask is not None
        found = np.zeros((height, width + length - 1, 1 + behind))
        precision = (1 / (variance + ROUNDING)).astype(np.float64)
        blur = np.ascontiguousarray(blur, np.float64)
        rows(
            _solve_rows,
            height,
            charge.astype(np.float64),
            precision,
            blur,
            alpha,
            self.smoothness,
            CALM,
            found,
            work=charge.size * length,
        )
        object_, still = alpha * found[..., 0], found[:, length - 1 :, -1] if behind else 0.0
        frames = np.zeros((len(overlap), height, width), np.float32)
        for t, parts in enumerate(overlap):
            for k in np.flatnonzero(parts):
                at = slice(length - 1 - k, length - 1 - k + width)
                frames[t] += parts[k] * (object_[:, at] + (1 - alpha[:, at]) * still)
        return frames


def _uniform(sensor: Sensor) -> bool:
    """Whether all pixels follow one code and respond alike."""
    return sensor.mixing.shape[2:] == (1, 1) and bool((sensor.shares == sensor.shares[..., :1, :1]).all())


def _overlap(frames: int, length: float) -> NDArray[np.float64]:
    """o (T, L): the part of each sub-exposure at a shift of k to k + 1 pixels."""
    if not length:
        return np.ones((frames, 1))
    edges = np.arange(frames + 1)[:, None] * length / frames
    reached = (edges - np.arange(max(1, ceil(length - 1e-9)))).clip(0, 1)
    return np.diff(reached, axis=0) * frames / length


def _noise_gain(blur: NDArray) -> float:
    """sqrt(trace (A^T A)^-1 / n) for h (B, L, 1 or more columns, periodic); the object is seen whole, on its whole way."""
    buckets, length, period = blur.shape
    A = np.zeros((buckets, OBJECT + length - 1, OBJECT))
    for m in range(OBJECT):
        for k in range(length):
            A[:, m + k, m] = blur[:, k, (m + k) % period]
    eigenvalues = np.linalg.eigvalsh(np.einsum("bjm,bjn->mn", A, A, optimize=True))
    return float(np.sqrt((1 / eigenvalues).mean())) if eigenvalues[0] > 1e-12 * eigenvalues[-1] else np.inf


def _sheared(field: NDArray, order: int, slope: float) -> NDArray:
    """(..., H, W) with each column shifted so that a motion of that slope goes along the rows; rows are added for it."""
    if not slope:
        return field
    height, width = field.shape[-2:]
    margin = ceil(abs(slope) * (width - 1) / 2)
    row = np.arange(-margin, height + margin)[:, None] + slope * (np.arange(width) - (width - 1) / 2)
    at = row, np.broadcast_to(np.arange(width), row.shape)
    flat = [map_coordinates(one, at, order=order, mode="nearest") for one in field.reshape(-1, height, width)]
    return np.reshape(flat, (*field.shape[:-2], *row.shape))


def _sheared_variance(variance: NDArray, slope: float) -> NDArray:
    """The same of a variance, infinite where nothing was seen."""
    if not slope:
        return variance
    padded = np.pad(variance, ((0, 0), (1, 1), (0, 0)), constant_values=np.inf)
    known = np.isfinite(padded)
    sheared = _sheared(np.where(known, padded, 0), 1, slope)[:, 1:-1]
    return np.where(_sheared(known.astype(np.float32), 1, slope)[:, 1:-1] > 1 - 1e-3, sheared, np.inf)


def _sheared_back(field: NDArray, height: int, slope: float) -> NDArray:
    """The rows 0 .. height of what `_sheared` made."""
    if not slope:
        return field
    margin = (field.shape[-2] - height) // 2
    back = _sheared(field, 3, -slope)
    extra = (back.shape[-2] - field.shape[-2]) // 2
    return back[..., margin + extra : margin + extra + height, :].astype(np.float32)


@numba.njit(**FLAGS)
def _solve_rows(y, w, h, alpha, smoothness, calm, found, first, last):
    """Normal equations of each row as a band, G[m, d] = (A^T W A)[m, m - d], their Cholesky factor, and its two solves."""
    B, _, W = y.shape
    L, P, Q = h.shape[1:]
    n, q = found.shape[1:]
    size, band = n * q, q * L
    G, x = np.empty((size, band + 1)), np.empty(size)
    place, value = np.empty(L + 1, np.int64), np.empty(L + 1)
    for i in range(first, last):
        G[:] = 0
        x[:] = 0
        for m in range(n):
            for c in range(q):
                pull = smoothness * calm**c
                G[m * q + c, 0] += 1e-9 * pull
                if m > 0:
                    G[m * q + c, 0] += pull
                    G[m * q + c, q] -= pull
                    G[(m - 1) * q + c, 0] += pull
        for b in range(B):
            for j in range(W):
                weight = w[b, i, j]
                if weight == 0:
                    continue
                covered, opened = 0.0, 0.0
                for k in range(L):
                    m = j + L - 1 - k
                    value[k] = h[b, k, i % P, j % Q]
                    opened += value[k]
                    value[k] *= alpha[i, m]
                    covered += value[k]
                    place[k] = m * q
                entries = L
                if q == 2:
                    value[L], place[L] = opened - covered, (j + L - 1) * 2 + 1
                    entries = L + 1
                for k in range(entries):
                    if value[k] == 0:
                        continue
                    x[place[k]] += weight * value[k] * y[b, i, j]
                    for l in range(entries):
                        if place[l] <= place[k]:
                            G[place[k], place[k] - place[l]] += weight * value[k] * value[l]
        for m in range(size):
            for d in range(min(band, m), -1, -1):
                total = G[m, d]
                for e in range(d + 1, min(band, m) + 1):
                    if e - d <= band:
                        total -= G[m, e] * G[m - d, e - d]
                G[m, d] = total / G[m - d, 0] if d else np.sqrt(total)
        for m in range(size):
            for d in range(1, min(band, m) + 1):
                x[m] -= G[m, d] * x[m - d]
            x[m] /= G[m, 0]
        for m in range(size - 1, -1, -1):
            x[m] /= G[m, 0]
            for d in range(1, min(band, m) + 1):
                x[m - d] -= G[m, d] * x[m]
        for m in range(n):
            for c in range(q):
                found[i, m, c] = x[m * q + c]
