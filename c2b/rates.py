"""The rate of the film against the sub-exposures of the sensor: who says which, and what a user should hear of both."""

from __future__ import annotations

from dataclasses import replace

from c2b import camera
from c2b.source import Part
from c2b.video.recording import Recording
from c2b.video.sub_exposures import seconds
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: The word of ``--sub-exposure`` for that of the sensor.
OF_SENSOR = "sensor"

#: A frame of film and a sub-exposure that differ by less than this part are alike.
ALIKE = 0.01


def agreed(part: Part, sensor: str, code: str, readout: str | None) -> tuple[Part, float]:
    """The part of a film in sub-exposures of a length, and that length for the sensor to have; 0 where none is asked for.

    Raises
    ------
    Refusal
        If the sub-exposures are to be those of the sensor, and it has none.
    """
    if not part.sub_exposure:
        return part, 0.0
    if part.sub_exposure != OF_SENSOR:
        return part, seconds("--sub-exposure", part.sub_exposure)
    length = camera.make(sensor, code, readout).chip.timing.sub_exposure
    if not length:
        raise Refusal(f"--sub-exposure {OF_SENSOR}: {sensor} does not say how long its sub-exposures are; give a time such as 40us")
    return replace(part, sub_exposure=f"{length}s"), length


def remarks(video: Recording, chip: Sensor) -> tuple[str, ...]:
    """What a user should hear of frames that are taken for sub-exposures of another length."""
    length = chip.timing.sub_exposure
    if not (length and video.rate) or video.rate_nominal or abs(length * video.rate - 1) <= ALIKE:
        return ()
    return (
        f"a frame of the film lasts {1 / video.rate:.3g} s and stands for a sub-exposure of {length:.3g} s; "
        f"--sub-exposure sensor makes sub-exposures of that length",
    )
