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

from recon.iteration_limit import refuse_endless
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
        Iterations of the dual variable in a call.
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
        refuse_endless(10_000, iterations=iterations)
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
        """p and room for the next one, (H + 1, 2|3, T, W); of frames apart, (T, H + 1, 2, 1, W), it changes in place."""
        T, H, W = shape
        if not self._joint:
            return [np.zeros((T if self.warm else 0, H + 1, 2, 1, W), np.float32)]
        return [np.zeros((H + 1, 3 if self.time else 2, T, W), np.float32) for _ in range(2)]


def total_variation(video: NDArray, time: float = 0.0, coupled: bool = False) -> float:
    """TV(x) of a video (T, H, W)."""
    down, right = np.zeros((2, *video.shape))
    down[:, :-1], right[:, :, :-1] = np.diff(video, axis=1), np.diff(video, axis=2)
    square = down**2 + right**2
    return float(np.sqrt(square.sum(0) if coupled else square).sum() + time * np.abs(np.diff(video, axis=0)).sum())


# With z = f / w - D^T p the descent direction is D z, and in the end x = w z. A row needs z of itself and of the next row: two rows of
# it roll down the frame, so that nothing but p and f goes through memory, and of a single frame nothing leaves the second-level cache.
# p lies row by row, (H + 1, 2|3, T, W): its last row, and its last frame in time, are never written and stay zero, and stand for what
# is before the first. Arrays go with their indices to loops of few arrays: views of short rows cost as much as what is done to them,
# and LLVM vectorises nothing that needs more than eight comparisons to prove that its arrays do not overlap.


@numba.njit(**FAST_FLAGS)
def _frame_by_frame(f, w, tau, iterations, warm, dual, x, first, last):
    """x = argmin of frames first .. last, one after the other; p changes in place, or one p that begins from zero serves all."""
    _, H, W = f.shape
    per_weight, z = np.float32(1) / w, np.empty((2, W + 1), np.float32)
    cold = np.zeros((0 if warm else H + 1, 2, 1, W), np.float32)
    for t in range(first, last):
        p = dual[t] if warm else cold
        if not warm:
            cold[:] = 0
        for _ in range(iterations):
            _direction(f, t, 0, per_weight, p, 0, z, 0)
            for i in range(H):
                here, below = i % 2, i % 2
                if i + 1 < H:
                    below = 1 - here
                    _direction(f, t, i + 1, per_weight, p, 0, z, below)
                _project(z, here, below, tau, p, i)
        for i in range(H):
            _direction(f, t, i, per_weight, p, 0, z, 0)
            for j in range(W):
                x[t, i, j] = w * z[0, j]


@numba.njit(**FAST_FLAGS)
def _gradient_step(f, w, tau, time, coupled, p, q, first, last):
    """q = p after one step, over all frames of rows first .. last."""
    T, H, W = f.shape
    z, square, per_weight = np.empty((2 * T, W + 1), np.float32), np.empty(W, np.float32), np.float32(1) / w
    _directions(f, first, per_weight, time, p, z, first % 2 * T)
    for i in range(first, last):
        here, below = i % 2 * T, i % 2 * T
        if i + 1 < H:
            below = T - here
            _directions(f, i + 1, per_weight, time, p, z, below)
        square[:] = 0
        for t in range(T):
            if not coupled:
                square[:] = 0
            _ascend(z, here + t, below + t, tau, p, q, i, t, square)
            if not coupled:
                _shrink(square, q, i, t)
            if time > 0 and t + 1 < T:
                _ascend_in_time(z, here + t, tau * time, p, q, i, t)
        if coupled:
            for t in range(T):
                _shrink(square, q, i, t)


@numba.njit(**FAST_FLAGS)
def _primal(f, w, time, p, x, first, last):
    """x = w z."""
    T, _, W = f.shape
    z = np.empty((T, W + 1), np.float32)
    for i in range(first, last):
        _directions(f, i, np.float32(1) / w, time, p, z, 0)
        for t in range(T):
            for j in range(W):
                x[t, i, j] = w * z[t, j]


@numba.njit(**FAST_FLAGS)
def _directions(f, i, per_weight, time, p, z, here):
    """z of row i of every frame, in rows here, here + 1 .. of z."""
    T, _, W = f.shape
    for t in range(T):
        _direction(f, t, i, per_weight, p, t, z, here + t)
        if time > 0:
            before = t - 1 if t else T - 1
            for j in range(W):
                z[here + t, j] += time * (p[i, 2, t, j] - p[i, 2, before, j])
            z[here + t, W] = z[here + t, W - 1]


@numba.njit(**FAST_FLAGS)
def _direction(f, t, i, per_weight, p, s, z, here):
    """z of row i of frame t, s in p, without time; and once more its last value, past the border."""
    W = f.shape[2]
    above = i - 1 if i else p.shape[0] - 1
    z[here, 0] = per_weight * f[t, i, 0] - (p[above, 0, s, 0] - p[i, 0, s, 0]) + p[i, 1, s, 0]
    for j in range(1, W):
        z[here, j] = per_weight * f[t, i, j] - (p[above, 0, s, j] - p[i, 0, s, j]) - (p[i, 1, s, j - 1] - p[i, 1, s, j])
    z[here, W] = z[here, W - 1]


@numba.njit(**FAST_FLAGS)
def _project(z, here, below, tau, p, i):
    """p <- q / max(1, |q|), q = p + tau D z, of one frame."""
    one = np.float32(1)
    for j in range(p.shape[3]):
        a = p[i, 0, 0, j] + tau * (z[below, j] - z[here, j])
        b = p[i, 1, 0, j] + tau * (z[here, j + 1] - z[here, j])
        r = one / np.sqrt(max(a * a + b * b, one))
        p[i, 0, 0, j], p[i, 1, 0, j] = a * r, b * r


@numba.njit(**FAST_FLAGS)
def _ascend(z, here, below, tau, p, q, i, t, square):
    """q = p + tau D z, and the square of its modulus added to what is there."""
    W = square.size
    for j in range(W):
        q[i, 0, t, j] = p[i, 0, t, j] + tau * (z[below, j] - z[here, j])
    for j in range(W):
        q[i, 1, t, j] = p[i, 1, t, j] + tau * (z[here, j + 1] - z[here, j])
    for j in range(W):
        square[j] += q[i, 0, t, j] * q[i, 0, t, j] + q[i, 1, t, j] * q[i, 1, t, j]


@numba.njit(**FAST_FLAGS)
def _ascend_in_time(z, here, step, p, q, i, t):
    """q = p + tau m D_t z, cut to [-1, 1]."""
    for j in range(q.shape[3]):
        c = p[i, 2, t, j] + step * (z[here + 1, j] - z[here, j])
        q[i, 2, t, j] = min(max(c, np.float32(-1)), np.float32(1))


@numba.njit(**FAST_FLAGS)
def _shrink(square, q, i, t):
    """q / max(1, |q|)."""
    one = np.float32(1)
    for j in range(square.size):
        r = one / np.sqrt(max(square[j], one))
        q[i, 0, t, j] *= r
        q[i, 1, t, j] *= r
