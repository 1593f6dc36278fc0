"""A capture as that of another sensor than its file says: the calibrated one of the chip that took it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sensors.capture import Capture
from sensors.refusal import Refusal


def seen_by(capture: Capture, text: str, path: Path) -> Capture:
    """The same images and code, with the numbers and the maps of another sensor.

    Parameters
    ----------
    capture : Capture
    text : str
        A name, a preset, or a sensor file.
    path : Path
        For messages.

    Raises
    ------
    Refusal
        If it has another number of buckets, another unit or fewer bits than the capture, or cannot do its code.
    """
    from c2b import camera

    own = capture.sensor
    other = replace(camera.sensor_of(text, own.code, colour=own.colour), origin=own.origin)
    if own.timing.sub_exposure and not other.timing.sub_exposure:
        other = replace(other, timing=own.timing)
    if other.buckets != capture.images.shape[1]:
        raise Refusal(f"{text} has {other.buckets} buckets and {path} images of {capture.images.shape[1]}")
    if other.readout.ideal != own.readout.ideal:
        units = ("charge", "digital numbers") if own.readout.ideal else ("digital numbers", "charge")
        raise Refusal(f"{path} holds {units[0]} and {text} is a sensor that gives {units[1]}; needed: a sensor of the same unit")
    if other.readout.dtype != capture.images.dtype:
        raise Refusal(f"{path} holds {capture.images.dtype} and {text} gives {other.readout.dtype}; its bits are others")
    return Capture(capture.images, other, {**capture.record, "sensor_spec": text})
