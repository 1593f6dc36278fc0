"""The unit of a measurement that nobody calibrated: what one white sub-exposure adds to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from c2b.captures.scene_white import scene_white
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.sensor import Sensor

if TYPE_CHECKING:
    from c2b.captures.given import Given

#: The largest numbers of converters of 8, 10, 12, 14 and 16 bit.
FULL_SCALES = (255, 1023, 4095, 16383, 65535)

#: Frames in units of white may exceed it, by noise or by an interpolation that overshoots, but not as far as this.
OVERSHOOT = 2.0

#: Samples whose code is open for less than this part of the longest time are not asked how bright white is: where a mask is slightly
#: off, they are as bright as what they are divided by is small.
OPEN_LONG = 0.5

#: Where fewer samples than this part are brighter than half of the brightest one, that is an outlier: a hot pixel, a highlight.
FEW = 5e-3

#: A stated white under which the brightest sample is so many times white, or so small a part of it, is doubtful.
TOO_BRIGHT, TOO_DARK = 3.0, 0.02

#: More samples than this part at the largest value are taken for saturated.
PILED_UP = 0.005

#: How `white_by_brightest` is named in the record of a capture.
BRIGHTEST = "assumed: the brightest sample, relative to the light its code lets through, is white throughout"
ROBUST = "assumed: the brightest thousandth of the scene, in the median over the tile, is white; a few samples are far brighter"


def guessed_white(images: NDArray, sensor: Sensor) -> tuple[float, str]:
    """White of a measurement whose file does not say it, and how it is assumed: `white_by_brightest` where that is no outlier.

    Else `c2b.captures.scene_white`, which neither a hot pixel nor a few highlights move.

    Parameters
    ----------
    images : ndarray, (N, B, H, W)
        Without black level.
    sensor : Sensor
        One of an ideal readout.

    Raises
    ------
    Refusal
        As `white_by_brightest`.
    """
    white = white_by_brightest(images, sensor)
    bright = seen = 0
    for ratio in _ratios(images, sensor):
        bright, seen = bright + int((ratio > white / 2).sum()), seen + ratio.size
    if bright > FEW * seen:
        return white, BRIGHTEST
    try:
        return scene_white(Capture(images, sensor, {})), ROBUST
    except Refusal:  # dark but for these samples
        return white, BRIGHTEST


def white_by_brightest(images: NDArray, sensor: Sensor) -> float:
    """The least white under which no sample exceeds what its code can collect: the largest of image / (M S 1).

    Only samples that are open for at least half the longest time are looked at (`OPEN_LONG`). It puts the scene into [0, 1]; only a
    measurement of known light can do better.

    Parameters
    ----------
    images : ndarray, (N, B, H, W)
        Without black level.
    sensor : Sensor

    Raises
    ------
    Refusal
        If the images are dark wherever the code is open, or not finite somewhere there.
    """
    if white := _brightest(images, sensor):
        return white
    if not any(sensor.at(number).exposure.counts(*images.shape[2:4]).any() for number in range(sensor.codes)):
        raise Refusal("the code is closed everywhere, at all times; needed: a code that lets light through")
    raise Refusal(
        "the measurement is dark wherever its code is open, not above its black level; it has no light to take as white: is the "
        "black level too high (--black)?"
    )


def _brightest(images: NDArray, sensor: Sensor) -> float:
    """The largest of image / (M S 1) where the code is open long; 0 where that is dark.

    Raises
    ------
    Refusal
        If values are not finite where the code is open.
    """
    return max((float(np.max(ratio, initial=0.0)) for ratio in _ratios(images, sensor)), default=0.0)


def _ratios(images: NDArray, sensor: Sensor) -> Iterator[NDArray]:
    """Image / (M S 1) of the samples of each exposure whose code is open long."""
    for number in range(sensor.codes):
        full = sensor.at(number).exposure.counts(*images.shape[2:4])
        open_long = (full > 0) & (full >= OPEN_LONG * full.max())
        for image in images[number :: sensor.codes]:
            if broken := int((~np.isfinite(image[full > 0])).sum()):
                raise Refusal(f"the measurement holds {broken} values that are not finite (NaN or infinite)")
            yield image[open_long] / full[open_long]


def far_from(white: float, images: NDArray, sensor: Sensor) -> list[str]:
    """A note where a stated white makes the measurement much brighter than white, or hardly visible."""
    if not (found := _brightest(images, sensor)) or TOO_DARK <= found / white <= TOO_BRIGHT:
        return []
    times = f"{found / white:.3g} times white"
    return [f"under --white {white:g} the brightest sample is {times}; by that sample white would be {found:.4g}"]


def piled_up(images: NDArray) -> list[str]:
    """A note where many samples have the largest value."""
    top = images.max()
    part = float(np.mean(images == top))
    if part <= PILED_UP or top <= 0 or part == 1:
        return []
    return [
        f"{part:.1%} of the samples are at the largest value, {top:g}: if that is saturation, they should carry no weight; name a "
        "sensor with the white, bits or full well that made it (--sensor coded-pixel:white=...,bits=...)"
    ]


def guessed_anew(capture: Capture) -> Capture:
    """A capture whose mask was found to lie elsewhere, with white guessed under that mask; where white was not guessed, as it is."""
    provenance = capture.record.get("provenance")
    if not isinstance(provenance, Mapping) or provenance.get("white") not in (BRIGHTEST, ROBUST):
        return capture
    white, how = guessed_white(capture.images, capture.sensor)
    return replace(capture, record={**capture.record, "white": white, "provenance": {**provenance, "white": how}})


def white_of_frames(frames: NDArray) -> float:
    """White of original frames whose file does not say it.

    255 and 65535 for unsigned integers of 8 and 16 bit. For other numbers 1 where they hardly exceed it (`OVERSHOOT`), else the
    smallest full scale of a converter that the brightest reaches up to: 255, 1023, 4095, 16383 or 65535.
    """
    if certain(frames):
        return 255.0 if frames.dtype.itemsize == 1 else 65535.0
    brightest = float(frames.max())
    if not np.isfinite(brightest):
        return 255.0  # they are refused when they are exposed
    return 1.0 if brightest < OVERSHOOT else next((float(scale) for scale in FULL_SCALES if brightest <= scale), brightest)


def certain(frames: NDArray) -> bool:
    """Whether `white_of_frames` follows from the type of the numbers rather than from how bright they are."""
    return frames.dtype.kind in "bu" and frames.dtype.itemsize <= 2


def restated(capture: Capture, given: Given) -> Capture:
    """A capture of a file that holds its sensor, with white and black as the user states them.

    Both are of the numbers in the file: where the sensor has a readout, in its DN, and its own black level and white give way.

    Raises
    ------
    Refusal
        If black is a picture, and the numbers of the file are companded.
    """
    if given.white is None and given.black is None:
        return capture
    given.checked()
    if not capture.sensor.readout.ideal:
        return _restated_in_dn(capture, given)
    images, record = capture.images, dict(capture.record)
    if (black := given.black_of(images.shape[2:4])) is not None:
        images = np.asarray(images, np.float32) - (black if images.ndim == 4 else black[..., None])
        record["black_level"] = f"{given.by}, subtracted"
    if given.white is not None:
        record |= {"white": float(given.white), "provenance": {**record.get("provenance", {}), "white": given.by}}
    return replace(capture, images=images, record=record)


def _restated_in_dn(capture: Capture, given: Given) -> Capture:
    """A dark picture is taken off but for its mean, which becomes the black level; white is told in electrons of bucket 0."""
    images, record, readout = capture.images, dict(capture.record), capture.sensor.readout
    if (black := given.black_of(images.shape[2:4])) is not None:
        if black.size > 1:
            if readout.companded_bits is not None:
                raise Refusal("the numbers are companded, from which no dark picture can be subtracted; give --black as one number")
            pattern = black - black.mean()
            images = np.asarray(images, np.float32) - (pattern if images.ndim == 4 else pattern[..., None])
        readout = replace(readout, black_level=float(black.mean()))
        record["black_level"] = given.by
    if given.white is not None:
        gain = readout.gain[0] if isinstance(readout.gain, tuple) else readout.gain
        readout = replace(readout, white=float(given.white) / gain)
        record |= {"white_dn": float(given.white), "provenance": {**record.get("provenance", {}), "white": given.by}}
    return Capture(images, replace(capture.sensor, readout=readout), record)
