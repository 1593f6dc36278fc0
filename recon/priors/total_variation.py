"""Total variation: of all videos near the given one, that whose edges are few and short.

======  ============================================================  =============
symbol  meaning                                                       shape
======  ============================================================  =============
f       the given video                                               (T, H, W)
w       weight of the total variation, irradiance                     ()
m       weight of differences in time against those in space          ()
p       dual variable: down, right and in time                             (2|3, T, H, W)
D       forward differences, zero across the border                   f -> p
======  ============================================================  =============

    x = argmin 1/2 |x - f|^2 + w TV(x),        TV(x) = sum |(D_y x, D_x x)| + m sum |D_t x|

By its dual: x = f - w D^T p, p = argmin |D^T p - f / w|^2 where no |p| exceeds 1, by projected gradient

    p <- q / max(1, |q|),        q = p - tau D (D^T p - f / w)

which never goes uphill for tau <= 2 / |D|^2; here tau = 1 / (8 + 4 m^2) <= 1 / |D|^2, since at twice that checkerboards do not die
out. A. Chambolle, Total variation minimization and a class of binary MRF problems, EMMCVPR 2005. The modulus of the differences in
space may be taken per frame, or over all frames of a pixel at once: edges then stand where they stand in other frames (X. Bresson,
T. Chan, Fast dual minimization of the vectorial total variation norm, Inverse Problems and Imaging 2008).
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from recon.priors.denoiser import Denoiser
from sensors.kernel import FLAGS, rows
from sensors.refusal import Refusal

#: Mean modulus of the differences in video, irradiance: noise of variance sigma^2 calls for the weight sigma^2 / GRADIENT.
GRADIENT = 0.12

#: Sums may be reordered and fused: no bits are promised here.
FAST_FLAGS = {**FLAGS, "fastmath": {"contract", "reassoc", "nsz", "arcp"}}


class TotalVariation(Denoiser):
    """The proximal operator of total variation, over space or over space and time.

    Parameters
    ----------
    weight : float, optional
        w, irradiance; by default sigma^2 / 0.12, as of edges with an exponential distribution.
    time : float
        m. 0 leaves the frames apart.
    coupled : bool
        One modulus for all frames of a pixel.
    iterations : int
        Of the dual variable in a call.
    warm : bool
        Guided by a video, take up p where the last call left it, so that calls whose videos approach each other approach the
        minimiser. From zero instead, a few iterations cut large differences by less than the minimiser does.

    Raises
    ------
    Refusal
        If a setting is out of range.
    """

    def __init__(
        self, weight: float | None = None, time: float = 0.0, coupled: bool = False, iterations: int = 10, warm: bool = True
    ) -> None:
        if weight is not None and not weight >= 0:
            raise Refusal(f"weight={weight} of total variation is negative; needed: 0 or more")
        if not time >= 0:
            raise Refusal(f"time={time} weighs differences in time against those in space; needed: 0 or more")
        if iterations < 1:
            raise Refusal(f"iterations={iterations} of total variation; needed: 1 or more")
        self.weight = weight
        self.time = time
        self.coupled = coupled
        self.iterations = iterations
        self.warm = warm
        self._dual: list[NDArray[np.float32]] | None = None

    def guided_by(self, video: NDArray[np.float32]) -> TotalVariation:
        """The same with room for p of its own, for videos of this shape."""
        guided = TotalVariation(self.weight, self.time, self.coupled, self.iterations, self.warm)
        guided._dual = self._from_zero(video.shape)
        return guided

    def __call__(self, video: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        """The minimiser x."""
        chosen = sigma**2 / GRADIENT if self.weight is None else self.weight
        if not chosen:
            return video.copy()
        f = np.ascontiguousarray(video, np.float32)
        x = np.empty_like(f)
        weight, time, tau = (np.float32(value) for value in (chosen, self.time, 1 / (8 + 4 * self.time**2)))
        dual = self._from_zero(f.shape) if self._dual is None else self._dual
        if not self._joint:
            rows(_frame_by_frame, len(f), f, weight, tau, self.iterations, self.warm, dual[0], x, work=f.size * self.iterations)
            return x
        if not self.warm:
            dual[0].fill(0)
        for _ in range(self.iterations):
            rows(_gradient_step, f.shape[1], f, weight, tau, time, self.coupled, *dual, work=2 * dual[0].size)
            dual.reverse()
        rows(_primal, f.shape[1], f, weight, time, dual[0], x, work=dual[0].size)
        return x

    @property
    def _joint(self) -> bool:
        return self.coupled or self.time > 0

    def _from_zero(self, shape: tuple[int, ...]) -> list[NDArray[np.float32]]:
        """p and, where it does not change in place, room for the next, row by row: (H + 1, 2|3, T, W); else (T, 2, H, W)."""
        T, H, W = shape
        if not self._joint:
            return [np.zeros((T if self.warm else 0, 2, H, W), np.float32)]
        return [np.zeros((H + 1, 3 if self.time else 2, T, W), np.float32) for _ in range(2)]


def total_variation(video: NDArray, time: float = 0.0, coupled: bool = False) -> float:
    """TV(x) of a video (T, H, W)."""
    down, right = np.zeros((2, *video.shape))
    down[:, :-1], right[:, :, :-1] = np.diff(video, axis=1), np.diff(video, axis=2)
    square = down**2 + right**2
    return float(np.sqrt(square.sum(0) if coupled else square).sum() + time * np.abs(np.diff(video, axis=0)).sum())


# With z = f / w - D^T p the descent direction is D z, and in the end x = w z. A row needs z of itself and of the next row: two rows of
# it roll down the frame, so that nothing but p and f goes through memory, and of a single frame nothing leaves the second-level cache.


@numba.njit(**FAST_FLAGS)
def _frame_by_frame(f, w, tau, iterations, warm, p, x, first, last):
    """x = argmin of frames first .. last, one after the other; p changes in place, or one p that begins from zero serves all."""
    _, H, W = f.shape
    none, per_weight = np.zeros(W, np.float32), np.float32(1) / w
    z, below = np.empty(W + 1, np.float32), np.empty(W + 1, np.float32)
    cold = np.empty((2, 0 if warm else H, W), np.float32)
    for t in range(first, last):
        p1, p2 = (p[t, 0], p[t, 1]) if warm else (cold[0], cold[1])
        if not warm:
            cold[:] = 0
        for _ in range(iterations):
            _direction(f[t, 0], per_weight, none, p1[0], p2[0], z)
            for i in range(H):
                if i + 1 < H:
                    _direction(f[t, i + 1], per_weight, p1[i], p1[i + 1], p2[i + 1], below)
                else:
                    below[:] = z
                _project(z, below, tau, p1[i], p2[i])
                z, below = below, z
        for i in range(H):
            _direction(f[t, i], per_weight, p1[i - 1] if i else none, p1[i], p2[i], z)
            for j in range(W):
                x[t, i, j] = w * z[j]


@numba.njit(**FAST_FLAGS)
def _direction(f, per_weight, above, p1, p2, z):
    """z = f / w - D^T p of a row, and once more its last value, past the border."""
    W = f.size
    z[0] = per_weight * f[0] - (above[0] - p1[0]) + p2[0]
    for j in range(1, W):
        z[j] = per_weight * f[j] - (above[j] - p1[j]) - (p2[j - 1] - p2[j])
    z[W] = z[W - 1]


@numba.njit(**FAST_FLAGS)
def _project(z, below, tau, p1, p2):
    """p <- q / max(1, |q|), q = p + tau D z."""
    one = np.float32(1)
    for j in range(p1.size):
        a, b = p1[j] + tau * (below[j] - z[j]), p2[j] + tau * (z[j + 1] - z[j])
        r = one / np.sqrt(max(a * a + b * b, one))
        p1[j], p2[j] = a * r, b * r


@numba.njit(**FAST_FLAGS)
def _gradient_step(f, w, tau, time, coupled, p, q, first, last):
    """q = p after one step, over all frames of rows first .. last."""
    T, H, W = f.shape
    z, below = np.empty((T, W + 1), np.float32), np.empty((T, W + 1), np.float32)
    square, per_weight = np.empty(W, np.float32), np.float32(1) / w
    _directions(f, per_weight, time, p, first, z)
    for i in range(first, last):
        if i + 1 < H:
            _directions(f, per_weight, time, p, i + 1, below)
        else:
            below[:] = z
        square[:] = 0
        for t in range(T):
            if not coupled:
                square[:] = 0
            _ascend(z[t], below[t], tau, p[i, 0, t], p[i, 1, t], q[i, 0, t], q[i, 1, t], square)
            if not coupled:
                _shrink(square, q[i, 0, t], q[i, 1, t])
            if time > 0 and t + 1 < T:
                _ascend_in_time(z[t], z[t + 1], tau * time, p[i, 2, t], q[i, 2, t])
        if coupled:
            for t in range(T):
                _shrink(square, q[i, 0, t], q[i, 1, t])
        z, below = below, z


@numba.njit(**FAST_FLAGS)
def _primal(f, w, time, p, x, first, last):
    """x = w z."""
    T, _, W = f.shape
    z = np.empty((T, W + 1), np.float32)
    for i in range(first, last):
        _directions(f, np.float32(1) / w, time, p, i, z)
        for t in range(T):
            for j in range(W):
                x[t, i, j] = w * z[t, j]


@numba.njit(**FAST_FLAGS)
def _directions(f, per_weight, time, p, i, z):
    """z of row i of every frame. Row -1 of p, and frame -1 of p in time, are never written and stay zero."""
    for t in range(f.shape[0]):
        _direction(f[t, i], per_weight, p[i - 1, 0, t], p[i, 0, t], p[i, 1, t], z[t])
        if time > 0:
            _add_time(time, p[i, 2, t - 1], p[i, 2, t], z[t])


@numba.njit(**FAST_FLAGS)
def _add_time(time, before, p3, z):
    """z - m (D_t^T p), and once more its last value."""
    for j in range(p3.size):
        z[j] += time * (p3[j] - before[j])
    z[p3.size] = z[p3.size - 1]


# Loops of few arrays: LLVM vectorises none that needs more than eight comparisons to prove that its arrays do not overlap.


@numba.njit(**FAST_FLAGS)
def _ascend(z, below, tau, p1, p2, a, b, square):
    """(a, b) = p + tau D z, and the square of its modulus added to what is there."""
    for j in range(a.size):
        a[j] = p1[j] + tau * (below[j] - z[j])
    for j in range(b.size):
        b[j] = p2[j] + tau * (z[j + 1] - z[j])
    for j in range(a.size):
        square[j] += a[j] * a[j] + b[j] * b[j]


@numba.njit(**FAST_FLAGS)
def _ascend_in_time(z, later, step, p3, c):
    """c = p3 + tau m D_t z, cut to [-1, 1]."""
    for j in range(c.size):
        c[j] = min(max(p3[j] + step * (later[j] - z[j]), np.float32(-1)), np.float32(1))


@numba.njit(**FAST_FLAGS)
def _shrink(square, a, b):
    """(a, b) / max(1, |(a, b)|)."""
    one = np.float32(1)
    for j in range(square.size):
        r = one / np.sqrt(max(square[j], one))
        a[j] *= r
        b[j] *= r
