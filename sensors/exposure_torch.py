"""The torch twin of the forward model: batched, on any device, differentiable in the video and in the shares.

======  ====================================================  ==================
symbol  meaning                                               shape
======  ====================================================  ==================
x       video, irradiance of each sub-exposure, 1 = white     (N, T, H, W)
S       share of a sub-exposure that a bucket collects, 0..1  (B, T, p, q)
M       small mixing between the buckets, if it is a map      (B, C, H, W)
A       M S on the pixels of the frame                        (B, T, H, W)
y       charge, in white sub-exposures                        (N, B, H, W)
Sigma   variance of the charge                                (N, B, H, W)
P       variance of the error of an estimate                  (N, 1|T, H, W)
======  ====================================================  ==================

The model is that of `sensors.exposure`, the algebra that of `recon.consistency`; both are tested equal. Sums are of the type of the
shares, float32, whatever autocast says. They go frame by frame: on a processor one product of whole arrays with a sum over T costs up
to nine times as much, an einsum five to eleven times.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sensors.bucket_gram import RANK_TOLERANCE
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: A, A A^T and its inverse are kept for so many sizes of frame.
SIZES_KEPT = 4


@dataclass(frozen=True, eq=False)
class Exposure:
    """One exposure of a sensor as tensors; `Exposure.of` makes it.

    Parameters
    ----------
    sensor : Sensor
        Under a single code; says the origin and which frames fit the chip.
    shares : Tensor, (C, T, p, q)
        M S where M is the same for all pixels (then C = B), else S. A code to be learnt is put here: ``replace(exposure, shares=...)``.
    mixing : Tensor, (B, C, 1|H, 1|W), optional
        M where it is a map over the chip.
    """

    sensor: Sensor
    shares: Tensor
    mixing: Tensor | None = None
    _seen: dict[tuple[int, int], tuple[Tensor, Tensor, Tensor]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, sensor: Sensor, *, device: Any = None, dtype: torch.dtype = torch.float32) -> Exposure:
        """The exposure of a sensor.

        Raises
        ------
        Refusal
            If the sensor cycles through several codes: each exposure has one, that of ``sensor.at(n)``.
        """
        if sensor.code.ndim == 4:
            raise Refusal(f"a sensor of {sensor.codes} codes has no single exposure; take sensor.at(n)")
        shares, mixing = sensor.exposure.astype(np.float64), sensor.mixing
        if mixing.shape[2:] == (1, 1):
            shares = np.einsum("bc,ctij->btij", mixing[:, :, 0, 0], shares)
            return cls(sensor, torch.as_tensor(shares, dtype=dtype, device=device))
        return cls(sensor, *(torch.as_tensor(part.copy(), dtype=dtype, device=device) for part in (shares, mixing)))

    def to(self, *target: Any) -> Exposure:
        """The same on another device or in another type, as `torch.Tensor.to`."""
        return replace(self, shares=self.shares.to(*target), mixing=None if self.mixing is None else self.mixing.to(*target))

    @property
    def frames(self) -> int:
        """T, the number of sub-exposures."""
        return self.shares.shape[1]

    @property
    def buckets(self) -> int:
        """B, the number of images."""
        return len(self.shares if self.mixing is None else self.mixing)

    def on_pixels(self, image: Tensor) -> Tensor:
        """A on the pixels of a frame as large as the image (..., H, W): (B, T, H, W)."""
        return self._kept(image)[0]

    def gathered(self, shape: tuple[int, int], rows: NDArray, columns: NDArray) -> Exposure:
        """The exposure of frames made of these rows and columns, some perhaps twice, of frames of that shape: padded, or a part."""
        whole = self._kept(self.shares.new_empty(0, *shape))
        parts = (part[..., torch.from_numpy(rows)[:, None], torch.from_numpy(columns)].contiguous() for part in whole)
        made = replace(self)
        made._seen[len(rows), len(columns)] = tuple(parts)  # type: ignore[assignment]
        return made

    def expose(self, video: Tensor) -> Tensor:
        """Charge A x of videos (N, T, H, W): (N, B, H, W). The adjoint is `adjoint`."""
        return _Forward.apply(self._video(video), self.on_pixels(video))

    def adjoint(self, charge: Tensor) -> Tensor:
        """A^T y of charge (N, B, H, W): (N, T, H, W). The adjoint of `expose`."""
        return _Adjoint.apply(self._charge(charge), self.on_pixels(charge))

    def counts(self, height: int, width: int) -> Tensor:
        """How many frames each pixel collects, the row sums of A: (B, H, W)."""
        return self.on_pixels(self.shares.new_empty(0, height, width)).sum(1)

    def pseudo_inverse(self, charge: Tensor) -> Tensor:
        """The videos of least energy that explain the charge: A^T (A A^T)^+ y, (N, T, H, W)."""
        shares, _, inverse = self._kept(charge)
        return _Adjoint.apply(_combined(inverse, self._charge(charge)), shares)

    def data_step(
        self, video: Tensor, charge: Tensor, variance: Tensor | None = None, error_variance: Tensor | float | None = None
    ) -> Tensor:
        """Estimates moved towards explaining the charge: x + P A^T (A P A^T + Sigma)^+ (y - A x).

        Parameters
        ----------
        video : Tensor, (N, T, H, W)
            The estimate x.
        charge : Tensor, (N, B, H, W)
        variance : Tensor, (N, B, H, W), optional
            Sigma, infinite where a sample is saturated and carries no weight; without it the charge is free of noise.
        error_variance : float or Tensor, (N, 1, H, W) or (N, T, H, W), optional
            P. Without noise a P that is alike in all frames cancels and need not be given: the step is the exact projection.

        Raises
        ------
        Refusal
            If there is a variance but no error variance to weigh it against.
        """
        residual = self._charge(charge) - self.expose(video)
        if error_variance is None:
            if variance is not None:
                raise Refusal("a data step under noise weighs the noise against the error of the estimate; give error_variance")
            shares, _, inverse = self._kept(charge)
            return _moved(video, _combined(inverse, residual), shares)
        shares, gram, _ = self._kept(charge)
        spread = torch.as_tensor(error_variance, dtype=shares.dtype, device=shares.device)
        if spread.ndim and spread.shape[1] == self.frames > 1:
            gram = _Forward.apply(spread, _pairs(shares)).unflatten(1, (self.buckets, self.buckets))
        else:
            gram = gram * (spread[:, :, None] if spread.ndim else spread)
        if variance is not None:
            seen = torch.isfinite(variance)  # a saturated sample is left out: its row and column of the matrix are zero
            noise = torch.where(seen, variance, 0).to(shares.dtype)
            identity = torch.eye(self.buckets, dtype=noise.dtype, device=noise.device)[..., None, None]
            gram = gram * (seen[:, :, None] & seen[:, None]) + identity * noise[:, :, None]
        step = _Adjoint.apply(_combined(symmetric_inverse(gram), residual), shares)
        return video + spread * step

    def _video(self, video: Tensor) -> Tensor:
        if video.ndim != 4 or video.shape[1] != self.frames:
            raise Refusal(f"video of shape {tuple(video.shape)} does not fit the exposure; needed: (N, {self.frames}, H, W)")
        return video.to(torch.promote_types(video.dtype, self.shares.dtype))

    def _charge(self, charge: Tensor) -> Tensor:
        if charge.ndim != 4 or charge.shape[1] != self.buckets:
            raise Refusal(f"charge of shape {tuple(charge.shape)} does not fit the exposure; needed: (N, {self.buckets}, H, W)")
        return charge.to(torch.promote_types(charge.dtype, self.shares.dtype))

    def _kept(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A, A A^T and its inverse on the pixels of a frame as large as the image; kept, unless the shares are being learnt."""
        shape = (image.shape[-2], image.shape[-1])
        if found := self._seen.get(shape):
            return found
        self.sensor._check_rows(shape[0])
        self.sensor._mixing_on(shape)
        with torch.inference_mode(False):  # what is kept may serve a training later
            shares = _periodic(self.shares, self.sensor.origin, shape)
            if self.mixing is not None:
                shares = (_periodic(self.mixing, self.sensor.origin, shape)[:, :, None] * shares).sum(1)
            gram = _pairs(shares).sum(1).unflatten(0, (self.buckets, self.buckets))
            found = shares, gram, symmetric_inverse(gram)
        if not self.shares.requires_grad:
            if len(self._seen) == SIZES_KEPT:
                self._seen.clear()
            self._seen[shape] = found
        return found


def symmetric_inverse(gram: Tensor) -> Tensor:
    """G^+ of a field of symmetric matrices (..., B, B, H, W), rank-deficient ones too; computed in float64."""
    g = gram.double()
    if g.shape[-3] == 1:
        return torch.where(g > 0, 1 / torch.where(g > 0, g, 1), 0).to(gram.dtype)
    if g.shape[-3] > 2:
        matrices = g.movedim((-4, -3), (-2, -1))
        return torch.linalg.pinv(matrices, rtol=RANK_TOLERANCE, hermitian=True).movedim((-2, -1), (-4, -3)).to(gram.dtype)
    a, b, c = g[..., 0, 0, :, :], g[..., 0, 1, :, :], g[..., 1, 1, :, :]
    trace, determinant = a + c, a * c - b * b
    regular = determinant > RANK_TOLERANCE * trace**2  # adj(G) / det(G), or G / trace^2 where G has rank one
    scale = 1 / torch.where(regular, determinant, torch.where(trace > 0, trace, 1) ** 2)
    entries = torch.where(regular, c, a) * scale, torch.where(regular, -b, b) * scale, torch.where(regular, a, c) * scale
    a, b, c = (entry.to(gram.dtype) for entry in entries)
    return torch.stack([a, b, b, c], -3).unflatten(-3, (2, 2))


def _moved(video: Tensor, charge: Tensor, shares: Tensor) -> Tensor:
    """x + A^T y; nothing but the result is allocated where no gradient is asked for."""
    if torch.is_grad_enabled():
        return video + _Adjoint.apply(charge, shares)
    moved = torch.addcmul(video, charge[:, 0, None], shares[0])
    for b in range(1, len(shares)):
        moved.addcmul_(charge[:, b, None], shares[b])
    return moved


def _combined(matrix: Tensor, charge: Tensor) -> Tensor:
    """A small matrix (..., B, B, H, W) between the buckets of each pixel, applied to charge (N, B, H, W)."""
    return (matrix * charge[:, None]).sum(-3)


def _pairs(shares: Tensor) -> Tensor:
    """A[b] A[c] for each pair of buckets, (B B, T, H, W): what a gram matrix is the sum of."""
    return (shares[:, None] * shares).flatten(0, 1)


def _periodic(tile: Tensor, origin: tuple[int, int], shape: tuple[int, int]) -> Tensor:
    """A periodic tile (..., p, q) on the pixels of a frame at the origin."""
    for axis, start, size in zip((-2, -1), origin, shape, strict=True):
        tile = tile.index_select(axis, (torch.arange(size, device=tile.device) + start) % tile.shape[axis])
    return tile


class _Forward(torch.autograd.Function):
    """y = A x, frame by frame."""

    @staticmethod
    def forward(ctx: Any, video: Tensor, shares: Tensor) -> Tensor:
        ctx.save_for_backward(video, shares)
        charge = video[:, 0, None] * shares[:, 0]
        for t in range(1, shares.shape[1]):
            charge.addcmul_(video[:, t, None], shares[:, t])
        return charge

    @staticmethod
    def backward(ctx: Any, charge: Tensor) -> tuple[Tensor | None, Tensor | None]:
        video, shares = ctx.saved_tensors
        return _gradients(ctx, lambda: _Adjoint.apply(charge, shares), lambda: _correlation(charge, video))


class _Adjoint(torch.autograd.Function):
    """x = A^T y, bucket by bucket."""

    @staticmethod
    def forward(ctx: Any, charge: Tensor, shares: Tensor) -> Tensor:
        ctx.save_for_backward(charge, shares)
        video = charge[:, 0, None] * shares[0]
        for b in range(1, len(shares)):
            video.addcmul_(charge[:, b, None], shares[b])
        return video

    @staticmethod
    def backward(ctx: Any, video: Tensor) -> tuple[Tensor | None, Tensor | None]:
        charge, shares = ctx.saved_tensors
        return _gradients(ctx, lambda: _Forward.apply(video, shares), lambda: _correlation(charge, video))


def _gradients(ctx: Any, of_input: Any, of_shares: Any) -> tuple[Tensor | None, Tensor | None]:
    return of_input() if ctx.needs_input_grad[0] else None, of_shares() if ctx.needs_input_grad[1] else None


def _correlation(charge: Tensor, video: Tensor) -> Tensor:
    """sum_n y_nb x_nt, (B, T, H, W): how charge and video depend on the shares."""
    return (charge[:, :, None] * video[:, None]).sum(0)
