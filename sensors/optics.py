"""Lens and pixel: what spreads light over neighbouring pixels before the code, what dims it, and what spreads charge after the code.

======  ===============================================================  ==========================
symbol  meaning                                                          unit
======  ===============================================================  ==========================
f       spatial frequency; fx, fy its parts                              cycles per pixel
s       standard deviation of a Gaussian                                 pixels
d       diameter of the disc that defocus makes of a point               pixels
c       cut-off of diffraction, pitch / (wavelength * f-number)          cycles per pixel
a       side of the light-sensitive square of a pixel                    pixels
======  ===============================================================  ==========================

    MTF(f) = exp(-2 pi^2 s^2 f^2) * 2/pi (acos v - v sqrt(1 - v^2)) * |2 J1(pi d f) / (pi d f)| * |sinc(a fx) sinc(a fy)|,  v = f / c

(J. Goodman, Introduction to Fourier Optics, 3rd ed. 2005, 6.3 and 6.4; G. Boreman, Modulation Transfer Function in Optical and
Electro-Optical Systems, SPIE 2001.) The kernel is the point spread that belongs to it, at the pixels of the film: sampling repeats the
spectrum, so that on film as coarse as the sensor the product holds where it has vanished half a cycle per pixel beyond f. Film that
is finer than the sensor has no such limit: `integrated`.

Where in the chain: the lens spreads the light (point spread), then dims it (vignetting); pixels integrate it, and share part of it with
their neighbours (cross-talk of light, and of the charge it makes below the gates: the code of the pixel where it arrives steers it).
Charge that moves between the nodes that store it moves after the code, bucket by bucket. All of it is linear and moves electrons one
by one, so that what is collected stays Poisson and independent. Distortion is left to tools that resample film.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sensors.refusal import Refusal

#: A point spread is cut where this part of its light is left out, and what is inside brought to a sum of 1; of the rings of
#: diffraction, which fade slowly, the larger part, so that the MTF errs by no more.
CUT, CUT_OF_RINGS = 0.001, 0.02

#: Standard deviation in pixels of the edge of a disc, where it is not blurred by more.
EDGE_OF_DISC = 0.3

#: Reach of a point spread in pixels of the film, at most.
MOST_REACH = 24

#: Period of the point spread that the closed forms are turned into, in pixels, and how often the spectrum is repeated on either side.
_PERIOD, _REPEATS = 128, 4


@dataclass(frozen=True)
class Optics:
    """Lens and pixel of a sensor in a few numbers; without any, a sharp lens on pixels that keep to themselves.

    Parameters
    ----------
    blur : float
        Standard deviation of a Gaussian point spread, pixels.
    diffraction : float
        F-number of a lens that diffraction limits; 0: none. Needs ``pitch``.
    wavelength : float
        Wavelength of the light, um.
    pitch : float
        Side of a pixel, um.
    defocus : float
        Diameter of the disc that a point out of focus becomes, pixels; ``blur`` then counts as `EDGE_OF_DISC` at least.
    aperture : float
        Side of the light-sensitive square, pixels: the square root of the fill factor, 1 under micro-lenses. 0: that of the film, which
        is integrated over the whole pixel where it is finer.
    crosstalk : float
        Part of the light of a pixel that its neighbours get, before the code, in its row and again in its column.
    charge_crosstalk : float or (float, ...)
        The same of the charge that its buckets store, after the code: of all buckets or of each.
    cos4 : float
        Focal length in pixels of a lens whose light falls off with cos^4 of the angle; 0: it does not. Needs ``image_size``.
    image_size : (int, int)
        Rows and columns of the chip, whose middle the axis of the lens meets.

    Raises
    ------
    Refusal
        If a number is out of its range, or what it needs is not given.
    """

    blur: float = 0.0
    diffraction: float = 0.0
    wavelength: float = 0.55
    pitch: float = 0.0
    defocus: float = 0.0
    aperture: float = 0.0
    crosstalk: float = 0.0
    charge_crosstalk: float | tuple[float, ...] = 0.0
    cos4: float = 0.0
    image_size: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            value = getattr(self, name)
            each = value if isinstance(value, (tuple, list)) else (value,)
            if not each or not all(math.isfinite(one) and 0 <= one <= most for one in each):
                raise Refusal(f"optics: {name}={value} is out of range; needed: 0 to {most:g}")
            plain = tuple(float(one) for one in each)
            object.__setattr__(self, name, plain if isinstance(value, (tuple, list)) else plain[0])
        object.__setattr__(self, "image_size", tuple(int(side) for side in self.image_size))
        if len(self.image_size) != 2 or min(self.image_size) < 0:
            raise Refusal(f"optics: image_size={list(self.image_size)} is not [rows, columns]")
        if self.diffraction and not (self.pitch and self.wavelength):
            raise Refusal(f"optics: diffraction={self.diffraction:g} needs pitch, the side of a pixel in um, beside it")
        if self.cos4 and not all(self.image_size):
            raise Refusal(f"optics: cos4={self.cos4:g} needs image_size=[rows,columns] beside it, the chip")

    @property
    def acts(self) -> bool:
        """Whether it changes what a sensor collects of film as coarse as the sensor."""
        return self.spreads or bool(self.crosstalk or np.any(self.charge_crosstalk) or self.cos4)

    @property
    def spreads(self) -> bool:
        """Whether the lens spreads a point."""
        return bool(self.blur or self.diffraction or self.defocus)

    def mtf(self, down: ArrayLike, across: ArrayLike, film: int = 1) -> NDArray[np.float64]:
        """The product at the head of this file of lens and aperture, at frequencies in cycles per pixel of the film.

        Parameters
        ----------
        down, across : array_like
            fy and fx.
        film : int
            Pixels of the film across one of the sensor.
        """
        fy, fx = np.asarray(down, np.float64) * film, np.asarray(across, np.float64) * film
        f = np.hypot(fy, fx)
        blur = max(self.blur, EDGE_OF_DISC if self.defocus else 0.0)
        made = np.exp(-2 * (np.pi * blur * f) ** 2) * np.sinc(self.aperture * fy) * np.sinc(self.aperture * fx)
        if self.diffraction:
            v = np.minimum(f * self.wavelength * self.diffraction / self.pitch, 1)
            made = made * (2 / np.pi) * (np.arccos(v) - v * np.sqrt(1 - v**2))
        if self.defocus:
            from scipy.special import j1

            r = np.maximum(np.pi * self.defocus * f, 1e-9)
            made = made * 2 * j1(r) / r
        return np.asarray(made)

    def lens_kernel(self, film: int = 1) -> NDArray[np.float64]:
        """The point spread of lens and aperture at the pixels of a film, odd sides, its sum 1; `mtf` in space.

        Raises
        ------
        Refusal
            If it reaches beyond `MOST_REACH` pixels of the film.
        """
        if not self.spreads:
            return np.ones((1, 1))
        f = np.fft.fftfreq(_PERIOD)
        shifts = np.arange(-_REPEATS, _REPEATS + 1)
        down = (f[:, None] + shifts).ravel()
        repeated = self.mtf(down[:, None], down, film).reshape(_PERIOD, len(shifts), _PERIOD, len(shifts)).sum((1, 3))
        spread = np.fft.fftshift(np.fft.ifft2(repeated).real).clip(0)
        return _cut(spread / spread.sum(), CUT_OF_RINGS if self.diffraction else CUT)

    def falloff(self) -> NDArray[np.float64] | None:
        """cos^4 of the angle at each pixel of the chip, (rows, columns), or None."""
        if not self.cos4:
            return None
        down, across = (np.arange(side) - (side - 1) / 2 for side in self.image_size)
        return (1 + (down[:, None] ** 2 + across**2) / self.cos4**2) ** -2.0

    def without_aperture(self) -> Optics:
        """The same lens on pixels that take the light at their middle."""
        return replace(self, aperture=0.0)

    def without_lens(self) -> Optics:
        """The same pixels behind a lens that does not spread a point."""
        return replace(self, blur=0.0, diffraction=0.0, defocus=0.0)


def light_kernel(optics: Optics, psf: NDArray | None) -> NDArray[np.float64] | None:
    """All that spreads light before the code: lens, a measured point spread, cross-talk; None if nothing does."""
    from scipy.signal import convolve2d

    kernel = optics.lens_kernel()
    for further in (psf, crosstalk_kernel(optics.crosstalk) if optics.crosstalk else None):
        kernel = kernel if further is None else convolve2d(kernel, further)
    return None if kernel.size == 1 else kernel


def charge_kernels(optics: Optics, measured: NDArray | None, buckets: int) -> list[NDArray[np.float64]] | None:
    """What each bucket shares with the same bucket of its neighbours after the code, or None if it keeps all.

    Raises
    ------
    Refusal
        If there is not one number or kernel, or one of each bucket.
    """
    from scipy.signal import convolve2d

    parts, kernels = np.atleast_1d(optics.charge_crosstalk), np.ones((1, 1, 1)) if measured is None else measured
    if not {len(parts), len(kernels)} <= {1, buckets}:
        raise Refusal(f"cross-talk of {max(len(parts), len(kernels))} buckets; needed: one for all, or one of each of {buckets}")
    if measured is None and not parts.any():
        return None
    of_bucket = zip(np.broadcast_to(parts, buckets), np.broadcast_to(kernels, (buckets, *kernels.shape[1:])), strict=True)
    return [convolve2d(crosstalk_kernel(part), kernel) for part, kernel in of_bucket]


def crosstalk_kernel(part: float) -> NDArray[np.float64]:
    """(3, 3): the part shared with two neighbours down, and again across, so that c^2 / 4 gets to each diagonal one."""
    taps = np.array([part / 2, 1 - part, part / 2])
    return np.outer(taps, taps)


def integrated(light: NDArray, film: int, aperture: float = 0.0) -> NDArray[np.float32]:
    """Light of film finer than the sensor, as its pixels integrate it: MTF sin(pi a f) / (a k sin(pi f / k)), f per pixel.

    Parameters
    ----------
    light : ndarray, (..., k H, k W)
        Linear.
    film : int
        k, pixels of the film across one of the sensor.
    aperture : float
        a, side of the light-sensitive square in pixels; 0 as 1. A pixel of the film counts by how much of it lies inside.

    Returns
    -------
    ndarray of float32, (..., H, W)
        Means, so that white stays white; the light that a small aperture loses is in the electrons at white.

    Raises
    ------
    Refusal
        If the frames cannot be cut into whole pixels.
    """
    height, width = light.shape[-2:]
    if film < 1 or height % film or width % film:
        raise Refusal(f"film of {height}x{width} pixels cannot be cut into pixels of {film}x{film}; crop it to multiples of {film}")
    edges, half = np.arange(film + 1) - film / 2, (aperture or 1.0) * film / 2
    inside = np.diff(np.clip(edges, -half, half)).astype(np.float32)
    weights = inside / inside.sum()
    rows = np.tensordot(light.reshape(*light.shape[:-2], height // film, film, width).astype(np.float32), weights, ((-2,), (0,)))
    return (rows.reshape(*rows.shape[:-1], width // film, film) @ weights).astype(np.float32, copy=False)


def checked_kernel(kernel: ArrayLike | None, name: str, axes: int) -> NDArray[np.float64] | None:
    """A measured kernel, read-only: odd sides, no negative parts, sums at most 1.

    Raises
    ------
    Refusal
        If it is none.
    """
    if kernel is None:
        return None
    array = np.array(kernel, np.float64, order="C")
    if array.ndim != axes or not array.size or not (array.shape[-1] % 2 and array.shape[-2] % 2):
        raise Refusal(f"{name} of shape {array.shape} is not a kernel: {axes} axes, odd sides, its middle where the light stays")
    sums = array.sum((-2, -1))
    if not (np.isfinite(array).all() and (array >= 0).all() and (sums > 0).all() and (sums <= 1 + 1e-6).all()):
        raise Refusal(f"{name} holds parts of the light: none negative, sums at most 1, not {sums.max():g}; divide it by its sum")
    array.setflags(write=False)
    return array


def checked_vignetting(vignetting: ArrayLike | None) -> NDArray[np.float64] | None:
    """A measured map of the part of the light that reaches each pixel of the chip, read-only.

    Raises
    ------
    Refusal
        If it is no map in [0, 1].
    """
    if vignetting is None:
        return None
    array = np.array(vignetting, np.float64, order="C")
    if array.ndim != 2 or not array.size or not ((array >= 0) & (array <= 1)).all():
        raise Refusal(f"vignetting of shape {array.shape} is not a map (rows, columns) of parts of the light, 0 to 1")
    array.setflags(write=False)
    return array


def _cut(spread: NDArray[np.float64], cut: float) -> NDArray[np.float64]:
    """The smallest middle of a point spread that has all of its light but a part, its sum 1."""
    middle = _PERIOD // 2
    for reach in range(1, MOST_REACH + 1):
        kernel = spread[middle - reach : middle + reach + 1, middle - reach : middle + reach + 1]
        if (total := kernel.sum()) >= 1 - cut:
            return kernel / total
    raise Refusal(f"optics: the point spread reaches beyond {MOST_REACH} pixels of the film; take less blur, or coarser film")


#: Largest value of each number; charge that leaves a pixel for its two neighbours is no more than all.
_MOST = {
    "blur": 10.0,
    "diffraction": 128.0,
    "wavelength": 20.0,
    "pitch": 1000.0,
    "defocus": 40.0,
    "aperture": 1.0,
    "crosstalk": 0.5,
    "charge_crosstalk": 0.5,
    "cos4": 1e6,
}
