"""Non-uniformity: what stays of a flat or a dark when its temporal noise is averaged out (EMVA 1288, section 8).

::

    s_dark^2 = K^2 dsnu^2 + variance / L            spatial variances of the mean of L frames
    s_flat^2 = (prnu * signal)^2 + variance / L     of a flat less the dark, pixel by pixel, so that DSNU cancels
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from sensors.calibration.estimate import Estimate, replicates
from sensors.calibration.stack_moments import StackMoments

#: A hot pixel is so many robust standard deviations brighter than the median in the dark.
HOT = 5.0
#: Median absolute deviation of a Gaussian, in standard deviations.
_GAUSSIAN_MAD = 0.6745


def hot_pixels(dark: StackMoments) -> NDArray[np.bool_]:
    """The pixels (B, H, W) that stand out of the mean dark, the longest there is.

    The scale is never smaller than what temporal noise leaves in the mean, or a tenth of a DN.
    """
    median = np.median(dark.mean, axis=(1, 2), keepdims=True)
    away = dark.mean - median
    scale = np.median(np.abs(away), axis=(1, 2), keepdims=True) / _GAUSSIAN_MAD
    left = np.sqrt(np.nan_to_num(np.median(dark.variance, axis=(1, 2), keepdims=True)) / dark.frames)
    return away > HOT * np.maximum(np.maximum(scale, left), 0.1)


def hot_fraction(hot: NDArray[np.bool_]) -> Estimate:
    """The part of the pixels that is hot; the interval is that of a count among so many (C. Clopper, E. Pearson, Biometrika, 1934)."""
    count, found = hot.size, int(hot.sum())
    low = float(betaincinv(found, count - found + 1, 0.025)) if found else 0.0
    high = float(betaincinv(found + 1, count - found, 0.975)) if found < count else 1.0
    source = f"{found} of {count} stand more than {HOT:g} robust standard deviations over the median dark"
    return Estimate(np.array(found / count), np.array(low), np.array(high), source)


def dsnu_squared(dark: StackMoments, good: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Replicates (R, B) of the spatial variance in the dark, in DN^2; divided by the squared gain it is DSNU^2."""
    count = good.sum((1, 2))
    mean = replicates(dark.mean, good)[0]
    spatial = replicates(np.square(dark.mean - mean[:, None, None]), good) * (count / (count - 1))
    return spatial - _left_in_the_mean(dark, good)


def prnu_squared(flat: StackMoments, dark: StackMoments, good: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Replicates (R, B) of PRNU^2 from a bright flat and a dark of about its exposure time.

    A quadratic surface, the shading of lamp and lens, is taken off first.
    """
    light = flat.mean - dark.mean
    shading, terms = _surface(light, good)
    count = good.sum((1, 2))
    spatial = replicates(np.square(light - shading), good) * (count / (count - terms))
    noise = _left_in_the_mean(flat, good) + _left_in_the_mean(dark, good)
    with np.errstate(divide="ignore", invalid="ignore"):  # of a bucket without light
        return (spatial - noise) / np.square(replicates(light, good))


def _left_in_the_mean(stack: StackMoments, good: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Temporal noise in the mean of a stack, as a spatial variance."""
    columns = stack.mean.shape[-1]
    rows = replicates(stack.row_variance[..., None]) - replicates(stack.variance, good) / columns
    return (replicates(stack.variance, good) + rows) / stack.frames


def _surface(image: NDArray[np.float64], good: NDArray[np.bool_]) -> tuple[NDArray[np.float64], int]:
    """The quadratic surface nearest to each bucket (B, H, W), and its number of terms."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in image.shape[1:]), indexing="ij")
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    flat = basis.reshape(len(basis), -1)
    fits = [np.linalg.lstsq(flat[:, g.ravel()].T, b[g], rcond=None)[0] for b, g in zip(image, good, strict=True)]
    return np.tensordot(np.stack(fits), basis, 1), len(basis)
