"""Sensors with names: data files whose every number says whether it is published, measured or assumed, and where it stands.

A preset is a TOML file: ``sensor`` names the entry of `SENSORS`; then one table per group (``sensor_settings``, ``readout``,
``timing``, ``optics``, ``photometry``, ``code_link``), each number as ``{ value, provenance, source }``.

Photometry and code link are no parts of the sensor they make: the first turns lux into the readout's electrons at white, the second
refuses the codes that the chip cannot do.
"""

from __future__ import annotations

import tomllib
from collections.abc import Container, Mapping
from dataclasses import fields
from importlib.resources import files
from typing import Any

from numpy.typing import ArrayLike

import sensors
from sensors import spec
from sensors.code_link import CodeLink
from sensors.optics import Optics
from sensors.photometry import Photometry
from sensors.readout import Readout
from sensors.refusal import Refusal
from sensors.sensor import Sensor
from sensors.timing import Timing

#: Fields of a sensor, and what stands beside it: the names of the tables in a preset.
GROUPS: dict[str, type] = {"readout": Readout, "timing": Timing, "optics": Optics}
BESIDE: dict[str, type] = {"photometry": Photometry, "code_link": CodeLink}


def make(name: str, words: Mapping[str, str], code: ArrayLike, **settings: Any) -> Sensor:
    """The sensor of that name with some of its numbers changed.

    Parameters
    ----------
    name : str
        A name of `sensors.PRESETS`, or of `sensors.SENSORS`, which is a preset with all numbers at their defaults.
    words : mapping of str to str
        Settings as text, of the sensor or any group: ``{"white": "100", "leakage": "0.01"}``; ``lux`` instead of ``white`` where
        pixel pitch and quantum efficiency are known: ``{"lux": "1000", "f_number": "2"}``.
    code : array_like, (T, p, q)
    **settings
        Further parameters of the sensor; a ``readout`` given here replaces that of the preset.

    Raises
    ------
    Refusal
        If a setting is unknown or out of its range, or the code link cannot do the code.
    """
    document = load(name)
    kind = spec.find(sensors.SENSORS, "sensor", document["sensor"])
    parts: dict[str, Any] = {"sensor_settings": kind, **GROUPS, **BESIDE}
    values = {group: {key: _value(entry) for key, entry in document.get(group, {}).items()} for group in parts}
    change(values, words, parts, name, replaced=settings)
    white_from_lux(values, words, settings)
    groups = {group: part(**values[group]) for group, part in GROUPS.items() if group not in settings}
    chip = kind(code, **{**values["sensor_settings"], **groups, **settings})
    if reason := CodeLink(**values["code_link"]).refusal(chip.code, chip.timing.sub_exposure):
        raise Refusal(f"{name} cannot do this: {reason}")
    return chip


def owners(parts: Mapping[str, Any]) -> dict[str, str]:
    """Setting to the group it belongs to; ``parts`` are the classes of the groups."""
    return {
        f.name: group
        for group, part in parts.items()
        for f in fields(part)
        if f.name not in (*getattr(part, "not_by_text", ()), "colour")  # which is that of the video
    }


def change(
    values: dict[str, dict[str, Any]], words: Mapping[str, str], parts: Mapping[str, Any], name: str, *, replaced: Container[str]
) -> None:
    """Put settings given as text into the ``values`` of the groups they belong to.

    Raises
    ------
    Refusal
        If no group has such a setting, its group is ``replaced`` as a whole, or the text does not fit.
    """
    owner = owners(parts)
    for key, text in words.items():
        if key not in owner:
            raise Refusal(spec.unknown(f"setting of sensor {name}", key, sorted(owner)))
        if owner[key] in replaced:
            raise Refusal(f"{key}={text} is a setting of the {owner[key]} of {name}, which is replaced as a whole; set it there")
        values[owner[key]] |= spec.convert(parts[owner[key]], {key: text}, label=f"sensor {name}")


def white_from_lux(values: dict[str, dict[str, Any]], words: Mapping[str, str], settings: Mapping[str, Any]) -> None:
    """Put the electrons at white into the ``values`` of the readout, if those of the photometry say how many lux there are.

    Raises
    ------
    Refusal
        If ``words`` say how bright white is in two ways or tell of a lens without light, or lux cannot be turned into electrons.
    """
    light = Photometry(**values["photometry"])
    _one_way_to_say_how_bright(light, words, settings)
    if light.lux is not None:
        timing = settings.get("timing") or Timing(**values["timing"])
        values["readout"]["white"] = light.white(timing.sub_exposure)


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
        key: str(entry["provenance"])
        for group in ("sensor_settings", *GROUPS, *BESIDE)
        for key, entry in document.get(group, {}).items()
    }
    return told | dict.fromkeys([*changed, *(["white"] if "lux" in changed else [])], "given")


def _one_way_to_say_how_bright(light: Photometry, words: Mapping[str, str], settings: Mapping[str, Any]) -> None:
    """Either electrons at white or lux, never both, and no lens without light."""
    given = [key for key in words if key in {f.name for f in fields(Photometry)}]
    if given and light.lux is None:
        raise Refusal(
            f"{given[0]}={words[given[0]]} needs lux, the illuminance of the scene; without it white is given in electrons"
        )
    if light.lux is not None and "white" in words:
        raise Refusal(f"white={words['white']} and lux={light.lux:g} both say how bright white is; give one of them")
    if light.lux is not None and "readout" in settings:
        raise Refusal(f"lux={light.lux:g} sets the white of the readout, which is replaced as a whole; set white there")


def _value(entry: Any) -> Any:
    value = entry["value"]
    return tuple(value) if isinstance(value, list) else value
