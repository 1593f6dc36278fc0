"""Readout: charge to electrons to digital numbers (DN), in the words of EMVA 1288.

In the order in which it happens, for each bucket of each pixel (y: charge in white sub-exposures)::

    electrons = Poisson(prnu * white * y + (dark current + hot pixel) * duration)
    held      = e - nonlinearity * e**2 / full well,  e = min(electrons, full well)
    DN        = round(gain * (held + dsnu + read noise + row noise) + black level), limited to 0 .. 2**bits - 1, companded

Charge is clipped before the noise of the amplifier is added and the black level comes before the limits of the converter, so that
noise keeps its mean of zero in the dark. One Poisson variable per bucket is exact: a Poisson stream split between buckets is as
many independent Poisson streams.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from sensors.companding import compression_table, expansion_table, look_up, step_table
from sensors.fixed_pattern import dsnu_map, hot_pixel_map, prnu_map
from sensors.kernel import FLAGS, rows
from sensors.noise_field import normal, normal_kernel, poisson_kernel, stream_key, tukey_deviation, tukey_kernel
from sensors.refusal import Refusal

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
        Bits of the converter, 1 to 16. None: neither rounded nor limited.
    serial : int
        Which specimen of the sensor; fixes the maps behind ``prnu``, ``dsnu`` and ``hot_pixels``.
    row_noise : float or tuple
        Electrons rms that all pixels of a row of one image share, new in each exposure.
    tukey_lambda : float, optional
        Exponent of Tukey's lambda distribution (ELD; see `sensors.noise_field.tukey_lambda`), -0.3 to 2: the read noise, still of
        ``read_noise`` electrons rms, has tails that are the heavier the smaller it is. None: Gaussian.
    hot_pixels : float
        Part of the pixels that are hot.
    hot_current : float
        Electrons per second that hot pixels gather beyond the dark current.
    nonlinearity : float
        Part of its response that a bucket has lost when it is full, below 0.5; needs ``full_well``.
    companded_bits : int, optional
        Bits in which the converter's are stored (see `sensors.companding`), fewer than ``bits``. None: stored as they are.

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
    row_noise: Electrons = 0.0
    tukey_lambda: float | None = None
    hot_pixels: float = 0.0
    hot_current: float = 0.0
    nonlinearity: float = 0.0
    companded_bits: int | None = None

    def __post_init__(self) -> None:
        for name, (words, least_is_allowed, per_bucket) in _NUMBERS.items():
            value = getattr(self, name)
            if value is not None or name not in _OPTIONAL:
                object.__setattr__(self, name, _checked(name, value, words, least_is_allowed, per_bucket))
        if self.bits is not None and not (_whole(self.bits) and 1 <= self.bits <= 16):
            raise Refusal(f"readout: bits is a whole number from 1 to 16, or none, not {self.bits!r}")
        if not (_whole(self.serial) and self.serial >= 0):
            raise Refusal(f"readout: serial is a whole number from 0 on, not {self.serial!r}")
        if self.tukey_lambda is not None:
            object.__setattr__(self, "tukey_lambda", _exponent(self.tukey_lambda))
        for name, limit in (("hot_pixels", 1.0), ("nonlinearity", 0.5)):
            if not getattr(self, name) < limit:
                raise Refusal(f"readout: {name}={getattr(self, name):g} is out of range; needed: 0 <= {name} < {limit:g}")
        if self.nonlinearity and self.full_well is None:
            raise Refusal("readout: nonlinearity is the response lost at full well: give full_well")
        if self.companded_bits is not None and not (_whole(self.companded_bits) and 1 <= self.companded_bits < (self.bits or 0)):
            raise Refusal(
                f"readout: companded_bits is a whole number below bits={self.bits}, or none, not {self.companded_bits!r}"
            )
        for name in ("bits", "serial", "companded_bits"):
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
    def stored_bits(self) -> int | None:
        """Bits of what is read out: those of the converter, or fewer behind companding. None: neither rounded nor limited."""
        return self.companded_bits or self.bits

    @property
    def dtype(self) -> np.dtype:
        """Type of what is read out: uint8 or uint16 behind a converter, else float32."""
        if self.stored_bits is None:
            return np.dtype(np.float32)
        return np.dtype(np.uint8 if self.stored_bits <= 8 else np.uint16)

    def read_out(
        self,
        charge: ArrayLike,
        *,
        seed: int,
        number: int = 0,
        lane: int = 0,
        origin: tuple[int, int] = (0, 0),
        duration: float = 0.0,
        out: NDArray | None = None,
    ) -> NDArray:
        """Digital numbers of one exposure.

        The noise is a function of seed, number, lane, bucket and chip address alone: any crop or block of it is the same.

        Parameters
        ----------
        charge : array_like, (B, H, W)
            In white sub-exposures.
        seed, number : int
            Which experiment, and the number of the exposure within it.
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
            words = (seed, number, lane, bucket)
            hot = self.hot_current * duration if self.hot_pixels else 0.0
            self._bucket(words, charge.shape, origin, dark[bucket], hot).read_out(charge[bucket], out[bucket])
        return out

    def charge(self, images: ArrayLike, *, duration: float = 0.0) -> NDArray[np.float32]:
        """DN back to charge in white sub-exposures: the inverse of the mean of `read_out` below saturation. See also `variance`.

        Response and companding are undone; what hot pixels and rows add, and the fixed pattern, stays in.

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

        Shot noise of the measured electrons, read and row noise, rounding, and the fixed pattern that `charge` leaves in: PRNU and
        DSNU; all but the first and PRNU divided by the squared slope of the response. A bucket counts as saturated within three
        standard deviations (of these, without shot noise and PRNU) of its full well.

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
        floor = self._floor(images, electrons, buckets)
        shot = np.maximum(electrons, 0)
        light = np.maximum(shot - dark, 0)
        variance = shot + floor + np.square(np.float32(self.prnu) * light)
        variance *= np.float32(1 / self.white**2)
        if self.full_well is not None:
            nearly = _column(self._of_bucket("full_well", buckets)) - 3 * np.sqrt(floor)
            variance[electrons >= nearly] = np.inf
        if self.stored_bits is not None:
            variance[images >= 2**self.stored_bits - 1] = np.inf
        return variance

    def dark_noise(self, buckets: int) -> tuple[float, ...]:
        """Standard deviation, in electrons, of each bucket without light or dark current: read and row noise, rounding, DSNU."""
        numbers = (self._of_bucket(name, buckets) for name in ("read_noise", "row_noise", "gain"))
        rounding = 0.0 if self.bits is None or self.companded_bits is not None else 1 / 12
        return tuple(
            math.sqrt(read**2 + row**2 + rounding / gain**2 + self.dsnu**2) for read, row, gain in zip(*numbers, strict=True)
        )

    def _floor(self, images: NDArray, electrons: NDArray[np.float32], buckets: int) -> NDArray[np.float32]:
        """Variance in squared electrons that needs no light: (B, 1, 1), or that of each sample."""
        gains, floor = self._of_bucket("gain", buckets), np.square(_column(self.dark_noise(buckets)))
        if self.bits is not None and self.companded_bits is not None:
            floor = floor + np.square(look_up(step_table(self.bits, self.companded_bits), images) / _column(gains)) / np.float32(
                12
            )
        if self.nonlinearity:
            full = _column(self._of_bucket("full_well", buckets))
            floor = floor / np.square(1 - np.float32(2 * self.nonlinearity) * np.clip(electrons / full, 0, 1))
        return floor

    def _bucket(self, words: tuple[int, ...], shape: tuple[int, ...], origin: tuple[int, int], dark: float, hot: float) -> _Bucket:
        """What the readout of one bucket needs; ``words`` are seed, exposure, lane and bucket, ``shape`` (B, H, W)."""
        buckets, height, width = shape
        _, _, lane, bucket = words
        where = (self.serial, bucket, (height, width), origin, lane)
        numbers = (self._of_bucket(name, buckets)[bucket] for name in ("full_well", "read_noise", "gain", "black_level"))
        full_well, read_noise, gain, black = (np.float32(math.inf if each is None else each) for each in numbers)
        return _Bucket(
            readout=self,
            key=stream_key(_NOISE, *words),
            origin=origin,
            dark=dark,
            hot=hot,
            full_well=full_well,
            read_noise=read_noise,
            gain=gain,
            black=black,
            prnu=prnu_map(self.prnu, *where) if self.prnu else None,
            dsnu=dsnu_map(self.dsnu, *where) if self.dsnu else None,
            hot_pixels=hot_pixel_map(self.hot_pixels, *where) if hot else None,
            row_noise=self._row_noise(words, buckets, height, origin[0]),
        )

    def _electrons(self, images: ArrayLike) -> NDArray[np.float32]:
        """Images (..., B, H, W) in DN to electrons, dark current and all; companding and response undone."""
        images = np.asarray(images)
        if images.ndim < 3:
            raise Refusal(f"images have axes (..., bucket, row, column), not the shape {images.shape}")
        buckets = images.shape[-3]
        if self.bits is not None and self.companded_bits is not None:
            images = look_up(expansion_table(self.bits, self.companded_bits), images)
        electrons = images.astype(np.float32)
        electrons -= _column(self._of_bucket("black_level", buckets))
        electrons /= _column(self._of_bucket("gain", buckets))
        if self.nonlinearity:
            full = _column(self._of_bucket("full_well", buckets))
            root = np.sqrt(np.maximum(1 - np.float32(4 * self.nonlinearity) * electrons / full, 0))
            electrons *= 2 / (1 + root)  # the root of e - n e^2 / full without cancellation
        return electrons

    def _row_noise(self, words: tuple[int, ...], buckets: int, height: int, top: int) -> NDArray[np.float32] | None:
        """(H, 1) in electrons: chip row r has the number at address (0, r) of a stream of its own."""
        deviation = self._of_bucket("row_noise", buckets)[words[-1]]
        if not deviation:
            return None
        return normal((1, height), stream_key(_ROW_NOISE, *words), (0, top)).reshape(height, 1) * np.float32(deviation)

    def _dark(self, buckets: int, duration: float) -> tuple[float, ...]:
        """Mean dark electrons of each bucket."""
        current = self._of_bucket("dark_current", buckets)
        if not (math.isfinite(duration) and duration >= 0):
            raise Refusal(f"an exposure lasts 0 seconds or more, not {duration}")
        if duration == 0 and (any(current) or (self.hot_pixels and self.hot_current)):
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


class _Bucket(NamedTuple):
    """One bucket of one exposure on its way to DN: numbers in electrons, and the maps of its pixels."""

    readout: Readout
    key: np.uint64
    origin: tuple[int, int]
    dark: float
    hot: float
    full_well: np.float32
    read_noise: np.float32
    gain: np.float32
    black: np.float32
    prnu: NDArray | None
    dsnu: NDArray | None
    hot_pixels: NDArray | None
    row_noise: NDArray | None

    def read_out(self, charge: NDArray, out: NDArray) -> None:
        """The chain of the module's first lines, (H, W), a few rows at a time, so that they stay in the cache from step to step."""
        height, width = charge.shape
        step = max(1, _CACHED_PIXELS // max(1, width))

        def read_rows(first: int, last: int) -> None:
            buffers = np.zeros((3, min(step, last - first), width), np.float32)
            for top in range(first, last, step):
                here = slice(top, min(top + step, last))
                signal, noise, offsets = buffers[:, : here.stop - top]
                self._gather(charge[here], here, signal)
                self._disturb(here, noise)
                if self.dsnu is not None:
                    offsets = self.dsnu[here]
                if self.row_noise is not None:
                    offsets = offsets + self.row_noise[here]
                _amplify(signal, noise, offsets, self.full_well, self.read_noise, self.gain, self.black)
                self._digitise(signal, out[here])

        rows(read_rows, height, work=8 * charge.size)

    def _gather(self, charge: NDArray, here: slice, signal: NDArray[np.float32]) -> None:
        """Light and dark current to electrons, with their shot noise and the bend of the response."""
        np.multiply(charge, np.float32(self.readout.white), out=signal, casting="unsafe")
        if self.prnu is not None:
            signal *= self.prnu[here]
        if self.dark:
            signal += np.float32(self.dark)
        if self.hot_pixels is not None:
            np.add(signal, np.float32(self.hot), out=signal, where=self.hot_pixels[here])
        poisson_kernel(signal, self.key, self.origin[0] + here.start, self.origin[1], signal, 0, len(signal))
        if self.readout.nonlinearity:
            np.minimum(signal, self.full_well, out=signal)
            signal -= np.square(signal) * np.float32(self.readout.nonlinearity / self.full_well)

    def _disturb(self, here: slice, noise: NDArray[np.float32]) -> None:
        """Read noise of unit variance."""
        row, column = self.origin[0] + here.start, self.origin[1]
        exponent = self.readout.tukey_lambda
        if not self.read_noise:
            return
        if exponent is None:
            normal_kernel(self.key, row, column, noise, 0, len(noise))
        else:
            unit = np.float32(1 / tukey_deviation(exponent))
            tukey_kernel(self.key, row, column, np.float32(exponent), unit, noise, 0, len(noise))

    def _digitise(self, signal: NDArray[np.float32], out: NDArray) -> None:
        """DN to the codes of the converter, and to those that are stored where they have fewer bits."""
        bits, stored = self.readout.bits, self.readout.companded_bits
        if bits is None:
            out[...] = signal
        elif stored is None:
            _convert(signal, np.float32(2**bits - 1), out)
        else:
            codes = np.empty(signal.shape, np.uint16)
            _convert(signal, np.float32(2**bits - 1), codes)
            out[...] = compression_table(bits, stored)[codes]


def ideal() -> Readout:
    """The readout that gives out the charge itself, without noise."""
    return Readout()


_NOISE = int.from_bytes(b"NOISE", "big")  # first words of the keys; see `fixed_pattern`
_ROW_NOISE = int.from_bytes(b"ROW", "big")
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
    "row_noise": ("electrons", True, True),
    "hot_pixels": ("part of the pixels", True, False),
    "hot_current": ("electrons per second", True, False),
    "nonlinearity": ("part of the response", True, False),
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


def _exponent(value: object) -> float:
    if isinstance(value, Real) and not isinstance(value, bool) and -0.3 <= float(value) <= 2:
        return float(value)
    raise Refusal(f"readout: tukey_lambda is a number from -0.3 to 2, or none, not {value!r}")


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
