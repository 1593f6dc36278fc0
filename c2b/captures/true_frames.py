"""The true frames beside a measurement: the measurement anew under any mask, and whether a mask explains the stored one.

======  =====================================================================  ================================
symbol  meaning                                                                shape, unit
======  =====================================================================  ================================
x       the true frames                                                        (NT, H, W), as stored
y       the stored measurement                                                 (N, 1, H, W), in the unit of x
A x     the measurement that the mask makes of them                            the same
U x     the one of a mask that lets the mean of A through at every pixel       the same
======  =====================================================================  ================================

A mask leaves the pattern A x - U x in its measurement. Its share there,

    s = <y - U x, A x - U x> / |A x - U x|^2

is 1 for the mask that the measurement was taken with and near 0 for an unrelated one; noise does not bias it. Where little moves, a
mask reversed in time leaves nearly the same pattern. So the residual |y - A x| is compared as well, with that of rivals: the mask
stored in the file and the usual mistakes with the one given (`c2b.captures.code_mistakes`). Noise adds to all residuals alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from c2b.captures import code_mistakes, unit
from c2b.video.recording import Recording
from sensors.capture import Capture
from sensors.sensor import Sensor

#: By how much the share of the pattern, and the light in relation to that of A x, may differ from 1.
TOLERANCE = 0.05

#: A rival explains a measurement better, and clearly so, when its squared residual is this part of that of the mask, or less.
BETTER, CLEAR = 0.95, 0.5

#: An offset is believed where the squared residual with it is this part of that without it, or less.
OFFSET = 0.05

#: Residual in relation to the measurement that counts as rounding.
ROUNDING = 1e-3

#: Exposures that are looked at, or one of each code where more take turns.
LOOKED_AT = 4

def frames_of(orig: NDArray) -> NDArray:
    """``orig`` of a MATLAB file, time first: (H, W, frames) or (H, W, 3, frames); whole numbers up to 16 bit stay as they are."""
    frames = np.ascontiguousarray(np.moveaxis(np.atleast_3d(orig), -1, 0))
    return frames if frames.dtype.name in ("uint8", "uint16") else frames.astype(np.float32)


def in_unit_of(capture: Capture, video: Recording) -> NDArray:
    """Frames of a recording in the unit of a capture, as they are stored where that is their unit."""
    if video.response == "none" and video.black == 0 and video.white == capture.white:
        return video[:]
    return video.irradiance() * np.float32(capture.white)


def taken_anew(frames: NDArray, sensor: Sensor) -> Capture:
    """The measurements that an ideal sensor takes of the true frames, in their unit.

    Raises
    ------
    Refusal
        If there are fewer frames than one exposure, values that are not finite, or frames of another colour.
    """
    return sensor.capture(frames, seed=0, white=unit.white_of_frames(frames))


def scale_of(images: NDArray, frames: NDArray, sensor: Sensor) -> float:
    """The unit of a measurement: k of the least squares y = k A x, 1 where it is the plain sum of the frames.

    Parameters
    ----------
    images : ndarray, (N, 1, H, W)
        Without black level, in any unit.
    frames : ndarray, (F, H, W) or (F, H, W, 3)
    sensor : Sensor
        Ideal, of one bucket.

    Returns
    -------
    float
        1 where nothing can be said: sizes that do not fit, no light.
    """
    if _unfit(images, frames, sensor):
        return 1.0
    measured, taken = _looked_at(images, frames, sensor)
    light = (taken**2).sum()
    return float((measured * taken).sum() / light) if light else 1.0


def offset_of(images: NDArray, frames: NDArray, sensor: Sensor) -> float:
    """What all samples of a measurement have more than k A x, where that explains it clearly better than k A x alone; else 0."""
    if _unfit(images, frames, sensor):
        return 0.0
    measured, taken = (array.ravel() for array in _looked_at(images, frames, sensor))
    if not taken.any():
        return 0.0
    plain = ((measured - taken * (measured @ taken) / (taken @ taken)) ** 2).sum()
    slope = np.cov(taken, measured, bias=True)[0, 1] / taken.var() if taken.var() else 0.0
    offset = measured.mean() - slope * taken.mean()
    lifted = ((measured - slope * taken - offset) ** 2).sum()
    clear = plain > ROUNDING**2 * (measured @ measured) and lifted < OFFSET * plain and slope > 0
    return float(offset) if clear else 0.0


def misfit(images: NDArray, frames: NDArray, sensor: Sensor) -> float:
    """|y - k A x| / |y|, which is 0 for a measurement that these frames and this sensor explain in any unit."""
    if _unfit(images, frames, sensor):
        return 1.0
    measured, taken = _looked_at(images, frames, sensor)
    rest = measured - scale_of(images, frames, sensor) * taken
    return float(np.sqrt((rest**2).sum() / (measured**2).sum())) if measured.any() else 1.0


def _looked_at(images: NDArray, frames: NDArray, sensor: Sensor) -> tuple[NDArray, NDArray]:
    """Some of the measurements, and what the sensor makes of their frames."""
    looked = min(len(images), max(LOOKED_AT, sensor.codes))
    taken = taken_anew(frames[: looked * sensor.frames], sensor).images
    return images[:looked].astype(np.float64), taken.astype(np.float64)


def explained(images: NDArray, frames: NDArray, sensor: Sensor, rivals: Mapping[str, NDArray]) -> tuple[str, float]:
    """Why these measurements were not taken of these frames by this sensor, or nothing; and their residual relative to them.

    Parameters
    ----------
    images : ndarray, (N, 1, H, W)
        In the unit of the frames.
    frames : ndarray, (>= NT, H, W) or (>= NT, H, W, 3)
    sensor : Sensor
        Ideal, of one bucket.
    rivals : mapping of str to ndarray
        Codes that are known to explain the measurements, or may, by what they are called; beside the usual mistakes.
    """
    if reason := _unfit(images, frames, sensor):
        return reason, 1.0
    measured, by_code = _looked_at(images, frames, sensor)

    def taken(code: NDArray) -> NDArray:
        return _looked_at(images, frames, replace(sensor, code=np.ascontiguousarray(code)))[1]

    residual, energy = ((measured - by_code) ** 2).sum(), (measured**2).sum()
    off = float(np.sqrt(residual / energy)) if energy else float(by_code.any())
    if off <= ROUNDING:
        return "", off
    changes = {**code_mistakes.IN_TIME, **code_mistakes.in_place(measured, sensor)}
    mistaken = {f"this code {how}": change(sensor.code) for how, change in changes.items()}
    codes = {name: code for name, code in {**mistaken, **rivals}.items() if code.shape == sensor.code.shape}
    residuals = {name: ((measured - taken(code)) ** 2).sum() for name, code in codes.items()}
    best = min(residuals, key=residuals.__getitem__)
    lacking = _lacking(measured, by_code, taken(sensor.code.mean((-2, -1), np.float32, keepdims=True)))
    if residuals[best] < (CLEAR if lacking else BETTER) * residual:
        lacking = f"{best} explains it better"
    return lacking, off


def _unfit(images: NDArray, frames: NDArray, sensor: Sensor) -> str:
    needed = len(images) * sensor.frames
    if len(frames) < needed:
        return f"{len(images)} measurements of {sensor.frames} frames need {needed} frames and orig has {len(frames)}"
    if frames.shape[1:3] != images.shape[2:4]:
        return "orig is {}x{} and meas {}x{}".format(*frames.shape[1:3], *images.shape[2:4])
    return "" if np.isfinite(images).all() else "meas holds values that are not finite (NaN or infinity)"


def _lacking(measured: NDArray, by_code: NDArray, plain: NDArray) -> str:
    """What the measurement lacks of the pattern and the light of a code; ``plain``: under a code without pattern."""
    pattern = by_code - plain
    energy, light = (pattern**2).sum(), by_code.sum()
    share = ((measured - plain) * pattern).sum() / energy if energy else 1.0
    brightness = measured.sum() / light if light else 0.0
    if abs(share - 1) > TOLERANCE:
        return f"{max(share, 0):.0%} of the pattern of the code is in it"
    return f"it has {brightness:.2f} times the light that the code lets through" if abs(brightness - 1) > TOLERANCE else ""
