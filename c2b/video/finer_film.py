"""Film that is finer than the sensor, as the lens spreads it and the pixels integrate it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from c2b.video.recording import Recording
from c2b.video.view import View
from sensors.neighbour_spread import Spread
from sensors.optics import Optics, integrated
from sensors.refusal import Refusal


class FinerFilm(View):
    """Linear light at the pixels of a sensor, each of which covers film x film pixels of ``whole``.

    Lens and aperture act on the pixels of the film, where nothing has been sampled yet; cross-talk and all that is measured at the
    pixels of the sensor is left to the sensor.

    Parameters
    ----------
    whole : Recording
        Grey or in three colours.
    film : int
        Pixels of the film across one of the sensor.
    optics : Optics
        Lens and aperture of it act.

    Raises
    ------
    Refusal
        If frames cannot be cut into whole pixels, or are a mosaic.
    """

    def __init__(self, whole: Recording, film: int, optics: Optics) -> None:
        if whole.colour not in ("mono", "rgb"):
            raise Refusal(f"{whole.path} is a {whole.colour} mosaic, whose pixels cannot be integrated; demosaic it first")
        if film < 1 or whole.height % film or whole.width % film:
            raise Refusal(
                f"{whole.path} has frames of {whole.height}x{whole.width}, which are no whole pixels of {film}x{film}; "
                f"take --rows and --columns that are multiples of {film}"
            )
        super().__init__(whole)
        self.dtype, self.white, self.black, self.response, self.bits = np.dtype(np.float32), 1.0, 0.0, "none", None
        self.shape = (len(whole), whole.height // film, whole.width // film, *whole.shape[3:])
        self._film, self._aperture = film, optics.aperture
        kernel = optics.without_aperture().lens_kernel(film)
        self._lens = None if kernel.size == 1 else Spread(kernel)

    @property
    def frame_index(self) -> Sequence[int]:
        return self._whole.frame_index

    @property
    def crop(self) -> tuple[float, float, float, float]:
        return self._whole.crop

    def _read(self, frames: range) -> NDArray:
        light = np.stack([self._whole.irradiance(t, t + 1)[0] for t in frames])
        if light.ndim == 3:
            return self._seen(light)
        return np.stack([self._seen(np.ascontiguousarray(light[..., c])) for c in range(3)], -1)

    def _seen(self, light: NDArray) -> NDArray[np.float32]:
        return integrated(light if self._lens is None else self._lens.forward(light), self._film, self._aperture)
