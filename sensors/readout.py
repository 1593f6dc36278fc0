"""Readout: charge to electrons to digital numbers (DN), in the words of EMVA 1288.

In the order in which it happens, for each bucket of each pixel (y: charge in white sub-exposures)::

    electrons = Poisson(prnu * white * y + dark current * duration)
    DN        = round(gain * (min(electrons, full well) + dsnu + read noise) + black level), limited to 0 .. 2**bits - 1

Charge is clipped before the noise of the amplifier is added and the black level comes before the limits of the converter, so that
noise keeps its mean of zero in the dark. One Poisson variable per bucket is exact: a Poisson stream split between buckets is as
many independent Poisson streams.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from sensors.fixed_pattern import dsnu_map, prnu_map
from sensors.kernel import FLAGS, rows
from sensors.refusal import Refusal
from sensors.shot_noise import normal_kernel, poisson_kernel, stream_key

#: One number for all buckets, or one per bucket.
Electrons = float | tuple[float, ...]


@dataclass(frozen=True)
class Readout:
    """How a sensor turns charge into numbers. "Or tuple": one number for all buckets, or one for each.

    Parameters
    ----------
    white : float, optional
        Electrons that one sub-exposure of irradiance 1 gives. None is the ideal readout: the charge itself, without noise.
    full_well : float or tuple, optional
        Electrons that a bucket holds. None: no limit.
    dark_current : float or tuple
        Electrons per second.
    read_noise : float or tuple
        Electrons rms.
    prnu : float
        Photo response non-uniformity, relative standard deviation.
    dsnu : float
        Dark signal non-uniformity, electrons rms.
    gain : float or tuple
        DN per electron (K in EMVA 1288).
    black_level : float or tuple
        DN.
    bits : int, optional
        Of the converter, 1 to 16. None: neither rounded nor limited.
    serial : int
        Which specimen of the sensor; fixes the maps behind ``prnu`` and ``dsnu``.

    Raises
    ------
    Refusal
        If a number is out of its range, or noise is given without ``white``.
    """

    white: float | None = None
    full_well: Electrons | None = None
    dark_current: Electrons = 0.0
    read_noise: Electrons = 0.0
    prnu: float = 0.0
    dsnu: float = 0.0
    gain: Electrons = 1.0
    black_level: Electrons = 0.0
    bits: int | None = None
    serial: int = 0

    def __post_init__(self) -> None:
        for name, (words, least_is_allowed, per_bucket) in _NUMBERS.items():
            value = getattr(self, name)
            if value is not None or name not in _OPTIONAL:
                object.__setattr__(self, name, _checked(name, value, words, least_is_allowed, per_bucket))
        if self.bits is not None and not (_whole(self.bits) and 1 <= self.bits <= 16):
            raise Refusal(f"readout: bits is a whole number from 1 to 16, or none, not {self.bits!r}")
        if not (_whole(self.serial) and self.serial >= 0):
            raise Refusal(f"readout: serial is a whole number from 0 on, not {self.serial!r}")
        for name in ("bits", "serial"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, int(getattr(self, name)))
        if self.white is None:
            for field in fields(self):
                if field.name not in ("white", "serial") and getattr(self, field.name) != field.default:
                    raise Refusal(f"readout: {field.name} needs white, the electrons that one sub-exposure of irradiance 1 gives")

    @property
    def ideal(self) -> bool:
        """Whether charge is given out exactly."""
        return self.white is None

    @property
    def dtype(self) -> np.dtype:
        """Of what is read out: uint8 or uint16 behind a converter, else float32."""
        if self.bits is None:
            return np.dtype(np.float32)
        return np.dtype(np.uint8 if self.bits <= 8 else np.uint16)

    def read_out(
        self,
        charge: ArrayLike,
        *,
        seed: int,
        exposure: int = 0,
        lane: int = 0,
        origin: tuple[int, int] = (0, 0),
        duration: float = 0.0,
        out: NDArray | None = None,
    ) -> NDArray:
        """Digital numbers of one exposure.

        The noise is a function of seed, exposure, lane, bucket and chip address alone: any crop or block of it is the same.

        Parameters
        ----------
        charge : array_like, (B, H, W)
            In white sub-exposures.
        seed, exposure : int
            Which experiment, and which exposure of it.
        lane : int
            Which colour plane; 0 for mono.
        origin : (int, int)
            Chip address of pixel [0, 0].
        duration : float
            Seconds over which dark current gathers.
        out : ndarray of `dtype`, (B, H, W), optional
            Written and returned.

        Returns
        -------
        ndarray of `dtype`, (B, H, W)
            In DN; the charge itself, as float32, if `ideal`.
        """
        charge = np.asarray(charge)
        if charge.ndim != 3:
            raise Refusal(f"charge has axes (bucket, row, column), not the shape {charge.shape}")
        if out is None:
            out = np.empty(charge.shape, self.dtype)
        elif out.shape != charge.shape or out.dtype != self.dtype:
            raise Refusal(f"out must be {charge.shape} of {self.dtype}, not {out.shape} of {out.dtype}")
        if self.ideal:
            np.copyto(out, charge, casting="unsafe")
            return out
        dark = self._dark(len(charge), duration)
        for bucket in range(len(charge)):
            key = stream_key(_NOISE, seed, exposure, lane, bucket)
            self._read_bucket(charge[bucket], key, bucket, len(charge), lane, origin, dark[bucket], out[bucket])
        return out

    def charge(self, images: ArrayLike, *, duration: float = 0.0) -> NDArray[np.float32]:
        """DN back to charge in white sub-exposures: the inverse of the mean of `read_out` below saturation. See also `variance`.

        Parameters
        ----------
        images : array_like, (..., B, H, W)
            In DN.
        duration : float
            Seconds over which dark current gathered.

        Returns
        -------
        ndarray of float32, (..., B, H, W)
        """
        if self.white is None:
            return np.asarray(images, np.float32)
        electrons = self._electrons(images)
        electrons -= _column(self._dark(electrons.shape[-3], duration))
        electrons *= np.float32(1 / self.white)
        return electrons

    def variance(self, images: ArrayLike, *, duration: float = 0.0) -> NDArray[np.float32]:
        """Variance of `charge`, estimated from the images themselves; infinite where a bucket or the converter is saturated.

        Shot noise of the measured electrons, read noise, rounding, and the fixed pattern that `charge` leaves in: PRNU and DSNU.
        A bucket counts as saturated within three standard deviations (read noise, rounding, DSNU) of its full well.

        Parameters
        ----------
        images, duration
            As for `charge`.

        Returns
        -------
        ndarray of float32, (..., B, H, W)
            In squared white sub-exposures; zeros if the readout is ideal.
        """
        if self.white is None:
            return np.zeros(np.shape(images), np.float32)
        images = np.asarray(images)
        electrons = self._electrons(images)
        buckets = electrons.shape[-3]
        dark = _column(self._dark(buckets, duration))
        rounding = 0.0 if self.bits is None else 1 / 12
        floor = [
            read**2 + rounding / gain**2 + self.dsnu**2
            for read, gain in zip(self._of_bucket("read_noise", buckets), self._of_bucket("gain", buckets), strict=True)
        ]
        shot = np.maximum(electrons, 0)
        light = np.maximum(shot - dark, 0)
        variance = shot + _column(floor) + np.square(np.float32(self.prnu) * light)
        variance *= np.float32(1 / self.white**2)
        if self.full_well is not None:
            nearly = [full - 3 * math.sqrt(f) for full, f in zip(self._of_bucket("full_well", buckets), floor, strict=True)]
            variance[electrons >= _column(nearly)] = np.inf
        if self.bits is not None:
            variance[images >= 2**self.bits - 1] = np.inf
        return variance

    def _read_bucket(
        self,
        charge: NDArray,
        key: np.uint64,
        bucket: int,
        buckets: int,
        lane: int,
        origin: tuple[int, int],
        dark: float,
        out: NDArray,
    ) -> None:
        """The chain of the module's first lines, a few rows at a time, so that they stay in the cache from step to step."""
        height, width = charge.shape
        where = (self.serial, bucket, (height, width), origin, lane)
        prnu = prnu_map(self.prnu, *where) if self.prnu else None
        dsnu = dsnu_map(self.dsnu, *where) if self.dsnu else None
        numbers = (self._of_bucket(name, buckets)[bucket] for name in ("full_well", "read_noise", "gain", "black_level"))
        full_well, read_noise, gain, black = (np.float32(math.inf if each is None else each) for each in numbers)
        step = max(1, _CACHED_PIXELS // max(1, width))

        def read_rows(first: int, last: int) -> None:
            buffers = np.zeros((3, min(step, last - first), width), np.float32)
            for top in range(first, last, step):
                here = slice(top, min(top + step, last))
                count, row = here.stop - top, origin[0] + top
                signal, noise, offsets = buffers[:, :count]
                np.multiply(charge[here], np.float32(self.white), out=signal, casting="unsafe")
                if prnu is not None:
                    signal *= prnu[here]
                if dark:
                    signal += np.float32(dark)
                poisson_kernel(signal, key, row, origin[1], signal, 0, count)
                if read_noise:
                    normal_kernel(key, row, origin[1], noise, 0, count)
                if dsnu is not None:
                    offsets = dsnu[here]
                _amplify(signal, noise, offsets, full_well, read_noise, gain, black)
                if self.bits is None:
                    out[here] = signal
                else:
                    _convert(signal, np.float32(2**self.bits - 1), out[here])

        rows(read_rows, height, work=8 * charge.size)

    def _electrons(self, images: ArrayLike) -> NDArray[np.float32]:
        """Images (..., B, H, W) in DN to electrons, dark current and all."""
        images = np.asarray(images)
        if images.ndim < 3:
            raise Refusal(f"images have axes (..., bucket, row, column), not the shape {images.shape}")
        buckets = images.shape[-3]
        electrons = images.astype(np.float32)
        electrons -= _column(self._of_bucket("black_level", buckets))
        electrons /= _column(self._of_bucket("gain", buckets))
        return electrons

    def _dark(self, buckets: int, duration: float) -> tuple[float, ...]:
        """Mean dark electrons of each bucket."""
        current = self._of_bucket("dark_current", buckets)
        if not (math.isfinite(duration) and duration >= 0):
            raise Refusal(f"an exposure lasts 0 seconds or more, not {duration}")
        if duration == 0 and any(current):
            raise Refusal("dark current gathers over time: give the sub-exposure time (timing), or set dark_current=0")
        return tuple(each * duration for each in current)

    def _of_bucket(self, name: str, buckets: int) -> tuple[Any, ...]:
        """A number for each bucket."""
        value = getattr(self, name)
        if not isinstance(value, tuple):
            return (value,) * buckets
        if len(value) != buckets:
            raise Refusal(f"readout: {name} has {len(value)} numbers; give one, or one for each bucket ({buckets} here)")
        return value


def ideal() -> Readout:
    """The readout that gives out the charge itself, without noise."""
    return Readout()


_NOISE = int.from_bytes(b"NOISE", "big")  # first word of the keys; see `fixed_pattern`
_CACHED_PIXELS = 1 << 15  # three buffers of so many lie in the second-level cache
_OPTIONAL = ("white", "full_well")
#: Unit, whether 0 is allowed, whether each bucket may have its own.
_NUMBERS = {
    "white": ("electrons", False, False),
    "full_well": ("electrons", False, True),
    "dark_current": ("electrons per second", True, True),
    "read_noise": ("electrons", True, True),
    "prnu": ("relative", True, False),
    "dsnu": ("electrons", True, False),
    "gain": ("DN per electron", False, True),
    "black_level": ("DN", True, True),
}


def _checked(name: str, value: object, unit: str, zero: bool, per_bucket: bool) -> float | tuple[float, ...]:
    """Plain floats, so that readouts compare and hash by value."""
    if isinstance(value, (tuple, list)) and per_bucket and len(value) > 0:
        return tuple(_number(name, each, unit, zero) for each in value)
    return _number(name, value, unit, zero)


def _number(name: str, value: object, unit: str, zero: bool) -> float:
    if isinstance(value, Real) and not isinstance(value, bool):
        number = float(value)
        if math.isfinite(number) and (number > 0 or (zero and number == 0)):
            return number
    raise Refusal(f"readout: {name} ({unit}) is a {'number from 0 on' if zero else 'positive number'}, not {value!r}")


def _whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _column(values: Sequence[float]) -> NDArray[np.float32]:
    """One number per bucket, against images (..., B, H, W)."""
    return np.array(values, np.float32)[:, None, None]


@numba.njit(**FLAGS)
def _amplify(e, noise, offsets, full_well, read_noise, gain, black):
    """Electrons to DN, in place."""
    for i in range(e.shape[0]):
        for j in range(e.shape[1]):
            held = e[i, j] if e[i, j] < full_well else full_well
            e[i, j] = (held + offsets[i, j] + read_noise * noise[i, j]) * gain + black


@numba.njit(**FLAGS)
def _convert(v, top, out):
    """The nearest code from 0 to ``top``."""
    for i in range(v.shape[0]):
        for j in range(v.shape[1]):
            limited = min(max(v[i, j], np.float32(0)), top)
            out[i, j] = out.dtype.type(np.int32(limited + np.float32(0.5)))
