"""Photometry: from the light on a scene, the lens and the pixel to the electrons that white gives in one sub-exposure.

======  ==========================================================  ==============
symbol  meaning                                                     unit
======  ==========================================================  ==============
E       illuminance of the scene                                    lx
rho     reflectance of what counts as irradiance 1                  1
N, T    f-number and transmission of the lens                       1
E_s     illuminance of the sensor                                   lx
p       pixel pitch                                                 um
t       sub-exposure                                                s
======  ==========================================================  ==============

    E_s = rho E T / (4 N^2)        white = E_s * photons per lumen second * p^2 * fill factor * quantum efficiency * t

for a diffuse scene far away, on the axis of the lens, its light counted as if all of it were of 555 nm, where one watt is 683 lm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from sensors.refusal import Refusal

LUMEN_PER_WATT = 683.0
WAVELENGTH = 555e-9
_PLANCK_TIMES_LIGHT_SPEED = 6.62607015e-34 * 299792458.0

#: Photons of 555 nm per second and square micrometre in one lux: about 4,090.
PHOTONS_PER_LUX = 1e-12 * WAVELENGTH / (_PLANCK_TIMES_LIGHT_SPEED * LUMEN_PER_WATT)


@dataclass(frozen=True)
class Photometry:
    """Scene, lens and pixel: an alternative to stating the electrons at white.

    Parameters
    ----------
    lux : float, optional
        Illuminance of the scene in lux: 100 a living room, 1,000 a bright office, 100,000 sunlight. None: not known.
    f_number : float
        F-number of the lens.
    transmission : float
        Transmission of the lens, in (0, 1].
    reflectance : float
        Reflectance of what counts as irradiance 1, in (0, 1]: 0.9 is white paper, 0.18 the grey card.
    pixel_pitch : float, optional
        Micrometres.
    quantum_efficiency : float, optional
        Electrons per photon that falls on the light-sensitive part, in (0, 1].
    fill_factor : float
        Light-sensitive part of the pixel, in (0, 1].

    Raises
    ------
    Refusal
        If a number is out of its range.

    Examples
    --------
    >>> grey_card = Photometry(lux=1000, reflectance=0.18, pixel_pitch=11.2, quantum_efficiency=0.27)
    >>> round(grey_card.sensor_lux, 1), round(grey_card.white(80e-6))
    (10.1, 112)
    """

    lux: float | None = None
    f_number: float = 2.0
    transmission: float = 0.9
    reflectance: float = 0.9
    pixel_pitch: float | None = None
    quantum_efficiency: float | None = None
    fill_factor: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.default is None:
                continue
            most = 1 if field.name in _SHARES else math.inf
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not (0 < value <= most and math.isfinite(value)):
                range_of = "lies in (0, 1]" if field.name in _SHARES else "is a positive number"
                raise Refusal(f"photometry: {field.name} {range_of}, not {value!r}")
            object.__setattr__(self, field.name, float(value))

    @property
    def sensor_lux(self) -> float:
        """E_s, in lux."""
        if self.lux is None:
            raise Refusal("photometry: lux is not given: the illuminance of the scene")
        return self.reflectance * self.lux * self.transmission / (4 * self.f_number**2)

    @property
    def photon_rate(self) -> float:
        """Photons per second and square micrometre of the sensor where the scene is white."""
        return self.sensor_lux * PHOTONS_PER_LUX

    @property
    def electron_rate(self) -> float:
        """Electrons per second in a pixel where the scene is white."""
        if self.pixel_pitch is None or self.quantum_efficiency is None:
            missing = " and ".join(name for name in ("pixel_pitch", "quantum_efficiency") if getattr(self, name) is None)
            raise Refusal(f"photometry: lux needs the pixel: give {missing} (um; electrons per photon)")
        return self.photon_rate * self.pixel_pitch**2 * self.fill_factor * self.quantum_efficiency

    def white(self, sub_exposure: float) -> float:
        """Electrons at white in one sub-exposure of so many seconds.

        Raises
        ------
        Refusal
            If lux, pixel_pitch or quantum_efficiency is not given, or the sub-exposure is not known (0).
        """
        rate = self.electron_rate
        if not sub_exposure > 0:
            raise Refusal("photometry: lux needs the length of a sub-exposure: give sub_exposure, in seconds")
        return rate * sub_exposure


_SHARES = ("transmission", "reflectance", "quantum_efficiency", "fill_factor")
