"""Fixed pattern: what makes one specimen of a sensor differ from the next, and stays the same from exposure to exposure.

Photo response non-uniformity (PRNU) is a gain per pixel, dark signal non-uniformity (DSNU) an offset per pixel (EMVA 1288). Both
are functions of the serial number and the chip address, so that a crop of the chip sees its part of the map. So are hot pixels,
whose dark current stands far above that of the others.
"""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from sensors.noise_field import normal, stream_key

# A first word for each purpose keeps these streams apart from each other and from the noise of any seed.
_PRNU = int.from_bytes(b"PRNU", "big")
_DSNU = int.from_bytes(b"DSNU", "big")
_HOT = int.from_bytes(b"HOT", "big")

#: Maps kept: two for each of two buckets in three colours.
_KEPT = 12


@lru_cache(maxsize=_KEPT)
def prnu_map(
    sigma: float, serial: int, bucket: int, shape: tuple[int, int], origin: tuple[int, int] = (0, 0), lane: int = 0
) -> NDArray[np.float32]:
    """Relative gain of each pixel, of mean 1 and standard deviation ``sigma``, never below 0.

    Parameters
    ----------
    sigma : float
        Relative: 0.01 is one per cent.
    serial : int
        Which specimen of the sensor.
    bucket, lane : int
        Which bucket, and which colour plane (0 for mono).
    shape : (H, W)
    origin : (int, int)
        Chip address of pixel [0, 0].

    Returns
    -------
    ndarray of float32, (H, W)
        Read-only, for it is kept.
    """
    gain = normal(shape, stream_key(_PRNU, serial, bucket, lane), origin)
    gain *= np.float32(sigma)
    gain += 1
    np.maximum(gain, 0, out=gain)
    gain.flags.writeable = False
    return gain


@lru_cache(maxsize=_KEPT)
def dsnu_map(
    sigma: float, serial: int, bucket: int, shape: tuple[int, int], origin: tuple[int, int] = (0, 0), lane: int = 0
) -> NDArray[np.float32]:
    """Offset of each pixel in electrons, of mean 0 and standard deviation ``sigma``. Parameters as for `prnu_map`."""
    offset = normal(shape, stream_key(_DSNU, serial, bucket, lane), origin)
    offset *= np.float32(sigma)
    offset.flags.writeable = False
    return offset


@lru_cache(maxsize=_KEPT)
def hot_pixel_map(
    fraction: float, serial: int, bucket: int, shape: tuple[int, int], origin: tuple[int, int] = (0, 0), lane: int = 0
) -> NDArray[np.bool_]:
    """Which pixels are hot: each with probability ``fraction``, in (0, 1). Other parameters as for `prnu_map`.

    Every bucket has its own: dark current here is that of the bucket's storage. A larger fraction keeps the hot pixels of a smaller.
    """
    hot = normal(shape, stream_key(_HOT, serial, bucket, lane), origin) < np.float32(NormalDist().inv_cdf(fraction))
    hot.flags.writeable = False
    return hot
