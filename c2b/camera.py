"""Words to a camera: a sensor by its name, its preset or its file, under a code, with a readout.

::

    make("two-bucket:leakage=0.02", "impulse:tile=3")
    make("cep-2019:white=100", "mask.npy")              a preset, and a code from a file
    make("bench.json", "impulse", "cep-2019:white=50")  a sensor file, and the readout of a preset
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

import c2b
import sensors
from c2b import codes, masks, sensor_file
from sensors import plug_in, preset, spec
from sensors.photometry import Photometry
from sensors.readout import Readout
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: Settings that belong to a readout, or to what gives its white.
READOUT_SETTINGS = frozenset(f.name for group in (Readout, Photometry) for f in fields(group))


@dataclass(frozen=True, eq=False)
class Camera:
    """A sensor, and the words that name its parts. It can be pickled; cameras that are equal have the same `digest`.

    Parameters
    ----------
    sensor, code : str
        As they were named.
    readout : str
        As it was named; else ``ideal``, ``preset`` or ``measured``, whose the sensor has.
    chip : Sensor
    provenance : mapping of str to str
        Setting to where its number is from, of a preset or a sensor file.
    belief : str
        What whoever reconstructs its captures takes it for, as it was named (`c2b.belief`); empty where that is what it is.
    believed : Sensor, optional
        The same as a sensor.
    """

    sensor: str
    code: str
    readout: str
    chip: Sensor
    provenance: Mapping[str, str] = field(default_factory=dict)
    belief: str = ""
    believed: Sensor | None = None

    @property
    def name(self) -> str:
        """For a person to read."""
        light = self.chip.readout.white
        words = f"{self.sensor}, {self.code}" + ("" if light is None else f", {light:g} e-")
        return words + f", believed {self.belief}" * bool(self.belief)

    @property
    def seen_as(self) -> Sensor:
        """The sensor that methods are told: the one that is believed, else the one that it is."""
        return self.believed or self.chip

    @cached_property
    def mask(self) -> str:
        """Kind of the code, its size and how open it is."""
        return masks.text(masks.describe(self.chip.code))

    @property
    def digest(self) -> str:
        """sha256 over all that makes the sensor, and what is believed of it, whatever words named it."""
        if self.believed is None:
            return self.chip.digest
        return hashlib.sha256(f"{self.chip.digest} {self.believed.digest}".encode()).hexdigest()

    @property
    def record(self) -> dict[str, Any]:
        """What a capture remembers of its camera's names."""
        words: dict[str, Any] = {"sensor_spec": self.sensor, "code_spec": self.code, "readout_spec": self.readout}
        named = ((sensors.SENSORS, self.sensor), (c2b.CODES, self.code))
        if of := [told for table, text in named if (told := plug_in.told(table.get(text.partition(":")[0], "")))]:
            words["plug_ins"] = of
        return {**words, "provenance": dict(self.provenance)} if self.provenance else words

    def lit(self, white: float) -> Camera:
        """The same camera where white gives so many electrons per sub-exposure."""
        return replace(self, chip=replace(self.chip, readout=replace(self.chip.readout, white=white)))


def make(sensor: str, code: str, readout: str | None = None, colour: str = "mono", clock: float = 0.0) -> Camera:
    """The camera that words name, for video of that colour.

    Parameters
    ----------
    sensor : str
        A name of `sensors.SENSORS` or `sensors.PRESETS`, or a sensor file, with settings. A colour filter is one of them:
        ``two-bucket:colour=rggb`` takes colour video, or video that is such a mosaic already.
    code : str
        A name of `c2b.CODES` with settings, or a file.
    readout : str, optional
        A name of `sensors.READOUTS`, or the readout of a preset, in place of the sensor's own; the sub-exposures of that preset are
        those of a sensor that has none.
    colour : str
        ``mono``, ``rgb`` or a mosaic.
    clock : float
        Length of the sub-exposures in seconds, unless the words of the sensor give it; 0: its own.

    Raises
    ------
    Refusal
        If a name, a setting or a file is unknown or wrong, or the sensor cannot do this code.
    """
    name, words = parsed(sensor)
    if clock and "sub_exposure" not in words:
        sensor = spec.write(name, {**words, "sub_exposure": clock})
        name, words = parsed(sensor)
    chip = chip_of(sensor, codes.make(code), readout, colour)
    words.pop("colour", None)
    own, provenance = _numbers_of(name, words)
    return Camera(sensor, code, readout or own, chip, provenance)


def chip_of(sensor: str, code: ArrayLike, readout: str | None = None, colour: str = "mono") -> Sensor:
    """The sensor of `make` under a code (T, p, q) or (M, T, p, q)."""
    settings, sub_exposure = ({}, 0.0) if readout is None else _readout(readout)
    filtered = parsed(sensor)[1].get("colour", colour)
    if filtered not in ("mono", "rgb") and colour == "mono":
        raise Refusal(f"a sensor of colour={filtered} takes colour video; add --channels rgb")
    chip = sensor_of(sensor, code, colour=colour, **settings)
    if not chip.timing.sub_exposure:
        chip = replace(chip, timing=replace(chip.timing, sub_exposure=sub_exposure))
    return chip


def sensor_of(text: str, code: ArrayLike, **settings: Any) -> Sensor:
    """The sensor of a name, a preset or a sensor file, under a code (T, p, q); a ``colour`` among its words goes before that given."""
    name, words = parsed(text)
    if "colour" in words:
        settings["colour"] = words.pop("colour")
        text = spec.write(name, words)
    if _is_sensor_file(name):
        return sensor_file.read_sensor(name, code, words, **settings)
    return sensors.make(text, code, **settings)


def parsed(text: str) -> tuple[str, dict[str, str]]:
    """Name and settings of the words of a sensor, also where the name is that of a file with a colon."""
    return (text, {}) if Path(text).is_file() else spec.parse(text)


def _is_sensor_file(name: str) -> bool:
    return name not in (*sensors.SENSORS, *sensors.PRESETS) and spec.is_file(name)


def _numbers_of(name: str, words: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
    """Whose numbers a sensor has unless a readout is named, and where each is from."""
    if name in sensors.PRESETS:
        return "preset", preset.provenance(name, words)
    if _is_sensor_file(name):
        return "measured", sensor_file.provenance(name, words)
    return "ideal", {}


def _readout(text: str) -> tuple[dict[str, Any], float]:
    """The readout of that name, and the length of its sub-exposures if it is that of a preset, else 0."""
    name, words = spec.parse(text)
    if name in sensors.READOUTS:
        return {"readout": spec.make(sensors.READOUTS, "readout", text)}, 0.0
    if name not in sensors.PRESETS:
        raise Refusal(spec.unknown("readout", name, [*sensors.READOUTS, *sensors.PRESETS]))
    known = READOUT_SETTINGS | {"sub_exposure"}
    if strange := words.keys() - known:
        raise Refusal(spec.unknown(f"setting of the readout of {name}", min(strange), sorted(known)))
    whole = sensors.make(text, np.ones((1, 1, 1), np.uint8))
    return {"readout": whole.readout}, whole.timing.sub_exposure
