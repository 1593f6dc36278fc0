"""Sensors with names: data files whose every number says whether it is published, measured or assumed, and where it stands.

A preset is a TOML file: ``sensor`` names the entry of `SENSORS`; then one table per group (``sensor_settings``, ``readout``,
``timing``), each number as ``{ value, provenance, source }``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from importlib.resources import files
from typing import Any

from numpy.typing import ArrayLike

import sensors
from sensors import spec
from sensors.readout import Readout
from sensors.refusal import Refusal
from sensors.sensor import Sensor
from sensors.timing import Timing

GROUPS: dict[str, type] = {"readout": Readout, "timing": Timing}


def make(name: str, words: Mapping[str, str], code: ArrayLike, **settings: Any) -> Sensor:
    """The sensor of that name with some of its numbers changed.

    Parameters
    ----------
    name : str
        Of `sensors.PRESETS`, or of `sensors.SENSORS`, which is a preset with all numbers at their defaults.
    words : mapping of str to str
        Settings as text, of the sensor, its readout or its timing: ``{"white": "100", "leakage": "0.01"}``.
    code : array_like, (T, p, q)
    **settings
        Further parameters of the sensor; a ``readout`` given here replaces that of the preset.
    """
    document = load(name)
    kind = spec.find(sensors.SENSORS, "sensor", document["sensor"])
    parts: dict[str, Any] = {"sensor_settings": kind, **GROUPS}
    owner = {f.name: group for group, part in parts.items() for f in fields(part) if f.name not in _ELSEWHERE}
    values = {group: {key: _value(entry) for key, entry in document.get(group, {}).items()} for group in parts}
    for key, text in words.items():
        if key not in owner:
            raise Refusal(spec.unknown(f"setting of sensor {name}", key, sorted(owner)))
        if owner[key] in settings:
            raise Refusal(f"{key}={text} is a setting of the {owner[key]} of {name}, which is replaced as a whole; set it there")
        values[owner[key]] |= spec.convert(parts[owner[key]], {key: text}, label=f"sensor {name}")
    groups = {group: part(**values[group]) for group, part in GROUPS.items() if group not in settings}
    return kind(code, **{**values["sensor_settings"], **groups, **settings})


def load(name: str) -> dict[str, Any]:
    """The document of a preset: its numbers with their provenance, for ``c2b list``, cards and capture files."""
    if name not in sensors.PRESETS:
        return {"sensor": name}
    folder, _, file = sensors.PRESETS[name].rpartition("/")
    return tomllib.loads(files("sensors").joinpath(folder.removeprefix("sensors/"), file).read_text(encoding="utf-8"))


def provenance(name: str, changed: Mapping[str, str]) -> dict[str, str]:
    """Setting to ``published | measured | assumed | given`` for a preset of which some numbers were changed."""
    document = load(name)
    told = {
        key: str(entry["provenance"]) for group in ("sensor_settings", *GROUPS) for key, entry in document.get(group, {}).items()
    }
    return told | dict.fromkeys(changed, "given")


_ELSEWHERE = ("code", "readout", "timing", "colour", "origin")


def _value(entry: Any) -> Any:
    value = entry["value"]
    return tuple(value) if isinstance(value, list) else value
