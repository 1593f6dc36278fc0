"""The torch twin of an exposure: on any device, differentiable in the video and in the code.

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

Symbols and verbs are those of `sensors.exposure`; the tests hold both equal. Sums are of the type of the
shares, float32, whatever autocast says. They go frame by frame: on a processor one product of whole arrays with a sum over T costs up
to nine times as much, an einsum five to eleven times.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sensors.code_response import CodeResponse
from sensors.exposure import RANK_TOLERANCE, UNWEIGHED, periodic
from sensors.neighbour_spread import Spread
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: By more than this the shares of a sensor differ from what its response to codes says.
NOT_AFFINE = 1e-5

#: A, A A^T and its inverse are kept for so many sizes of frame, and responses of so many sensors.
SIZES_KEPT = 4


@dataclass(frozen=True, eq=False)
class Exposure:
    """One exposure of a sensor as tensors; `Exposure.of` makes it.

    Parameters
    ----------
    sensor : Sensor
        Under a single code; says the origin and which frames fit the chip.
    shares : Tensor, (C, T, p, q)
        M S where M is the same for all pixels (then C = B), else S. A code to be learnt comes in by `under`.
    mixing : Tensor, (B, C, 1|H, 1|W), optional
        M where it is a map over the chip.

    Where neighbours share light or charge (`sensors.optics`), so they do in `expose`, `adjoint` and `counts`; closed forms are refused.
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
        made = sensor.exposure
        whole = made.mixing.shape[2:] != (1, 1)
        shares, mixing = (made.shares, made.mixing) if whole else (made.on_tile, None)
        tensors = (None if part is None else torch.tensor(part, dtype=dtype, device=device) for part in (shares, mixing))
        return cls(sensor, *tensors)  # type: ignore[arg-type]

    def to(self, *target: Any) -> Exposure:
        """The same on another device or in another type, as `torch.Tensor.to`."""
        return replace(self, shares=self.shares.to(*target), mixing=None if self.mixing is None else self.mixing.to(*target))

    def under(self, code: Tensor) -> Exposure:
        """The same sensor under another code (T, p, q), differentiable in it.

        Lag, cells, late rows, parasitic light and leakage are those of the sensor, and all of them are affine in the code. What is not
        affine is left to the readout: saturation at the full well, companding, and the rounding of the converter.

        Raises
        ------
        Refusal
            If the sensor has shares of its own that are not affine in the code, or mix its pixels.
        """
        return replace(self, shares=self._folded(_shares_under(code.to(self.shares), _checked_response(self.sensor))))

    @property
    def frames(self) -> int:
        """T, the number of sub-exposures."""
        return self.shares.shape[1]

    @property
    def buckets(self) -> int:
        """B, the number of images."""
        return len(self.shares if self.mixing is None else self.mixing)

    def gathered(self, shape: tuple[int, int], rows: NDArray, columns: NDArray) -> Exposure:
        """The exposure of frames made of these rows and columns, some perhaps twice, of frames of that shape: padded, or a part."""
        parts = (
            part[..., torch.from_numpy(rows)[:, None], torch.from_numpy(columns)].contiguous() for part in self._kept(*shape)
        )
        made = replace(self)
        made._seen[len(rows), len(columns)] = tuple(parts)  # type: ignore[assignment]
        return made

    def on_pixels(self, height: int, width: int) -> Tensor:
        """A on the pixels of a frame: (B, T, H, W), as if no neighbour had part in it."""
        return self._kept(height, width)[0]

    def expose(self, video: Tensor) -> Tensor:
        """Charge A x of video (..., T, H, W): (..., B, H, W). The adjoint is `adjoint`."""
        flat = self._video(video)
        light, charges = self._spreads(*flat.shape[2:])
        flat = flat if light is None else light.forward(flat)
        charge = _Forward.apply(flat, self.on_pixels(*flat.shape[2:]))
        if charges is not None:
            charge = torch.cat([each.forward(charge[:, b : b + 1]) for b, each in enumerate(charges)], 1)
        return _like(charge, video)

    def adjoint(self, charge: Tensor) -> Tensor:
        """A^T y of charge (..., B, H, W): (..., T, H, W). The adjoint of `expose`."""
        flat = self._charge(charge)
        light, charges = self._spreads(*flat.shape[2:])
        if charges is not None:
            flat = torch.cat([each.adjoint(flat[:, b : b + 1]) for b, each in enumerate(charges)], 1)
        video = _Adjoint.apply(flat, self.on_pixels(*flat.shape[2:]))
        return _like(video if light is None else light.adjoint(video), charge)

    def counts(self, height: int, width: int) -> Tensor:
        """How many frames each pixel collects, the row sums of A: (B, H, W)."""
        if not self.sensor.pixels_apart:
            return self.expose(self.shares.new_ones(self.frames, height, width))
        return self.on_pixels(height, width).sum(1)

    def gram(self, weights: Tensor | None = None) -> Tensor:
        """A diag(P) A^T between the buckets of each pixel.

        Without weights, P = 1, it is periodic from the chip's pixel (0, 0): (B, B, p, q), or as large as the chip where M is a map.
        With weights (..., T, H, W), such as the variance of an estimate, it is that of each pixel of the frame: (..., B, B, H, W).
        Where neighbours share, it is that of pixels that would not.
        """
        if weights is not None:
            flat = self._video(weights)
            gram = self._weighted_gram(flat, self.on_pixels(*flat.shape[2:]))
            return gram.reshape(*weights.shape[:-3], *gram.shape[1:])
        if self.mixing is None:
            return self._gram(self.shares)
        (p, q), (height, width) = self.shares.shape[2:], self.mixing.shape[2:]
        return self._gram(self._mixed((0, 0), (height if height > 1 else p, width if width > 1 else q)))

    def pseudo_inverse(self, charge: Tensor) -> Tensor:
        """The video of least energy that explains the charge (..., B, H, W): A^T (A A^T)^+ y, (..., T, H, W).

        Raises
        ------
        Refusal
            If neighbours share light or charge: what explains such a charge exactly is mostly its noise.
        """
        self._refuse_sharing()
        flat = self._charge(charge)
        shares, _, inverse = self._kept(*flat.shape[2:])
        return _like(_Adjoint.apply(_combined(inverse, flat), shares), charge)

    def residual_precision(self, variance: Tensor, error_variance: Tensor | float) -> Tensor:
        """(A P A^T + Sigma)^+, which weighs what an estimate leaves unexplained: (..., B, B, H, W).

        Parameters
        ----------
        variance : (..., B, H, W)
            Sigma, zero without noise. A sample of infinite variance is left out: its row and column are zero.
        error_variance : float, (..., 1, H, W) or (..., T, H, W)
            P.
        """
        self._refuse_sharing()
        flat = self._charge(variance)
        precision = self._precision(self._kept(*flat.shape[2:]), flat, self._spread(error_variance))
        return precision.expand(len(flat), -1, -1, -1, -1).reshape(*variance.shape[:-3], *precision.shape[1:])

    def data_step(
        self, video: Tensor, charge: Tensor, variance: Tensor | None = None, error_variance: Tensor | float | None = None
    ) -> Tensor:
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
        self._refuse_sharing()
        flat, measured = self._video(video), self._charge(charge)
        shares, _, inverse = kept = self._kept(*flat.shape[2:])
        residual = measured - _Forward.apply(flat, shares)
        if error_variance is None:
            if variance is not None:
                raise Refusal(UNWEIGHED)
            return _like(_moved(flat, _combined(inverse, residual), shares), video)
        spread = self._spread(error_variance)
        precision = self._precision(kept, None if variance is None else self._charge(variance), spread)
        return _like(flat + spread * _Adjoint.apply(_combined(precision, residual), shares), video)

    @property
    def repeats(self) -> bool:
        """Whether all tiles pose the same problem, so that one small matrix solves them all.

        The code comes round within `LARGEST_TILE` pixels, no response is a map over the chip, no row is late, and no neighbours share.
        """
        return self.sensor.exposure.repeats

    @property
    def on_tile(self) -> Tensor:
        """A from the chip's pixel (0, 0) on until it comes round, (B, T, p, q); there is none where M is a map."""
        if self.mixing is not None:
            raise Refusal("pixels that respond by a map over the chip have no tile in common")
        return self.shares

    def _refuse_sharing(self) -> None:
        if not self.sensor.pixels_apart:
            raise Refusal("pixels that share light or charge with their neighbours have no closed inverse, nor a data step of networks")

    def _spreads(self, height: int, width: int) -> tuple[_Spread | None, list[_Spread] | None]:
        """What neighbours share of the light, and of the charge of each bucket."""
        if self.sensor.pixels_apart:
            return None, None
        made = self.sensor.exposure
        light = None if made.light is None else _Spread.of(made.light, (height, width), self.shares)
        return light, None if made.charges is None else [_Spread.of(each, (height, width), self.shares) for each in made.charges]

    def _video(self, video: Tensor) -> Tensor:
        return self._flat(video, self.frames, "video")

    def _charge(self, charge: Tensor) -> Tensor:
        return self._flat(charge, self.buckets, "charge")

    def _flat(self, image: Tensor, count: int, what: str) -> Tensor:
        """With one leading axis, (N, T|B, H, W)."""
        if image.ndim < 3 or image.shape[-3] != count:
            raise Refusal(f"{what} of shape {tuple(image.shape)} does not fit the exposure; needed: (..., {count}, H, W)")
        image = image if image.ndim == 4 else image.reshape(-1, *image.shape[-3:])
        return image.to(torch.promote_types(image.dtype, self.shares.dtype))

    def _spread(self, error_variance: Tensor | float) -> Tensor:
        """P with one leading axis, or a single number."""
        spread = torch.as_tensor(error_variance, dtype=self.shares.dtype, device=self.shares.device)
        return spread if spread.ndim in (0, 4) else spread.reshape(-1, *spread.shape[-3:])

    def _precision(self, kept: tuple[Tensor, Tensor, Tensor], variance: Tensor | None, spread: Tensor) -> Tensor:
        """(A P A^T + Sigma)^+, (N|1, B, B, H, W); Sigma is zero without a variance."""
        shares, gram, _ = kept
        if spread.ndim and spread.shape[1] == self.frames > 1:
            gram = self._weighted_gram(spread, shares)
        else:
            gram = gram * (spread[:, :, None] if spread.ndim else spread)
        if variance is not None:
            seen = torch.isfinite(variance)  # a saturated sample is left out: its row and column of the matrix are zero
            noise = torch.where(seen, variance, 0).to(shares.dtype)
            identity = torch.eye(self.buckets, dtype=noise.dtype, device=noise.device)[..., None, None]
            gram = gram * (seen[:, :, None] & seen[:, None]) + identity * noise[:, :, None]
        return symmetric_inverse(gram)

    def _gram(self, shares: Tensor) -> Tensor:
        return _pairs(shares).sum(1).unflatten(0, (self.buckets, self.buckets))

    def _weighted_gram(self, weights: Tensor, shares: Tensor) -> Tensor:
        return _Forward.apply(weights, _pairs(shares)).unflatten(1, (self.buckets, self.buckets))

    def _folded(self, shares: Tensor) -> Tensor:
        """M S where M is the same for all pixels, else S."""
        return shares if self.mixing is not None else torch.tensordot(_mixing(self.sensor, shares), shares, 1)

    def _mixed(self, origin: tuple[int, int], shape: tuple[int, int]) -> Tensor:
        """A on the pixels of a frame at the origin."""
        shares = _periodic(self.shares, origin, shape)
        return shares if self.mixing is None else (_periodic(self.mixing, origin, shape)[:, :, None] * shares).sum(1)

    def _kept(self, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        """A, A A^T and its inverse on the pixels of a frame; kept, unless the shares are being learnt."""
        if found := self._seen.get((height, width)):
            return found
        self.sensor.exposure.mixing_on(height, width)
        with torch.inference_mode(False):  # what is kept may serve a training later
            shares = self._mixed(self.sensor.origin, (height, width))
            gram = self._gram(shares)
            found = shares, gram, symmetric_inverse(gram)
        if not self.shares.requires_grad:
            if len(self._seen) == SIZES_KEPT:
                self._seen.clear()
            self._seen[height, width] = found
        return found


class _Spread(NamedTuple):
    """The kernel of a `Spread` on frames of one size, as a matrix of each term along either axis: (R, H, H) and (R, W, W)."""

    down: Tensor
    across: Tensor

    @classmethod
    def of(cls, spread: Spread, shape: tuple[int, int], like: Tensor) -> _Spread:
        return cls(*(torch.from_numpy(matrix).to(like) for matrix in spread.dense(*shape)))

    def forward(self, frames: Tensor) -> Tensor:
        """K x of frames (..., H, W). The adjoint is `adjoint`."""
        return sum(d @ frames @ c.mT for d, c in zip(self.down, self.across, strict=True))

    def adjoint(self, frames: Tensor) -> Tensor:
        """K^T x of frames (..., H, W). The adjoint of `forward`."""
        return sum(d.mT @ frames @ c for d, c in zip(self.down, self.across, strict=True))


def _like(flat: Tensor, image: Tensor) -> Tensor:
    """With the leading axes of the image."""
    return flat if image.ndim == 4 else flat.reshape(*image.shape[:-3], *flat.shape[1:])


@lru_cache(maxsize=SIZES_KEPT)
def _checked_response(sensor: Sensor) -> CodeResponse:
    """The response of the sensor to codes, if it explains the shares under its own code."""
    response = sensor.code_response
    again = _shares_under(torch.tensor(sensor.code, dtype=torch.float64), response).numpy()
    if not np.allclose(again, periodic(sensor.shares, (0, 0), again.shape[2:]), atol=NOT_AFFINE):
        raise Refusal(f"the shares of {type(sensor).__name__} are not affine in the code, pixel by pixel")
    return response


def _shares_under(code: Tensor, response: CodeResponse) -> Tensor:
    """S (C, T, p, q) under a code (T, p, q), as the equation of `sensors.code_response` has it."""
    at, of_code = ([torch.from_numpy(index).to(code.device) for index in pair] for pair in response.pixels(*code.shape[1:]))
    offset, gain = (torch.from_numpy(part).to(code) for part in (response.offset, response.gain))
    seen = code[:, of_code[0][:, None], of_code[1]]
    for axis, index in zip((-2, -1), at, strict=True):  # an axis of length 1 stays
        gain, offset = (part.index_select(axis, index) if part.shape[axis] > 1 else part for part in (gain, offset))
    return torch.einsum("ctsij,sij->ctij", gain, seen) + offset


def _mixing(sensor: Sensor, like: Tensor) -> Tensor:
    """M (B, C) of a sensor whose pixels respond alike."""
    return torch.from_numpy(sensor.mixing[:, :, 0, 0].copy()).to(like)


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
