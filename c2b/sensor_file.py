"""A sensor file: a measured sensor as JSON, in the groups of a preset, its maps beside it as ``.npy``.

::

    {"format": "c2b sensor 1", "title": ..., "sensor": "two-bucket",
     "sensor_settings": {"leakage": {"value": [..], "interval": [[.., ..], ..], "provenance": "measured", "source": ..}},
     "readout": {...}, "timing": {...},     settings of the sensor, its readout, its clock
     "photometry": {...},                   of the pixel, such as pixel_pitch, by which lux becomes white (`sensors.photometry`)
     "measured": {...},                     numbers that are settings of none of them
     "not_measured": {"drain": why},
     "registration": {"row": {"offset", "flipped", ..}, "column": {..}},
     "maps": {"hot_pixels": "NAME.hot_pixels.npy"}}

The map of hot pixels, in image coordinates, goes into the sensor (`sensors.hot_pixels`); the other maps are for the eye.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import sensors
from c2b import json_file
from sensors import preset, spec
from sensors.atomic_file import atomic_file
from sensors.photometry import Photometry
from sensors.refusal import Refusal
from sensors.sensor import Sensor

FORMAT = "c2b sensor 1"

#: Tables of settings beside those of the sensor itself.
GROUPS: dict[str, type] = {**preset.GROUPS, "photometry": Photometry}


def write_sensor(path: str | Path, document: Mapping[str, Any], maps: Mapping[str, NDArray]) -> list[Path]:
    """Write a sensor file and its maps, all of them or none; returns the paths of the maps.

    Raises
    ------
    Refusal
        If the file is not called ``NAME.json`` or its folder does not exist.
    OSError
        As the system reports it.
    """
    path = Path(path)
    check_name(path)
    beside = {name: path.with_name(f"{path.stem}.{name}.npy") for name in maps}
    full = {"format": FORMAT, **document, "maps": {name: each.name for name, each in beside.items()}}
    with ExitStack() as all_or_none:  # closed in reverse, so that the file that names the others comes last
        partial = all_or_none.enter_context(atomic_file(path))
        for name, array in maps.items():
            np.save(all_or_none.enter_context(atomic_file(beside[name])), array)
        text = json.dumps(full, indent=1, allow_nan=False, ensure_ascii=False)
        partial.write_text(_LIST.sub(lambda one: " ".join(one[0].split()), text) + "\n", encoding="utf-8")
    return list(beside.values())


def check_name(path: Path) -> None:
    """A Refusal if a sensor file cannot be called so."""
    if path.suffix.lower() != ".json":
        raise Refusal(f"a sensor file is called NAME.json, not {path.name}")


def read_sensor(path: str | Path, code: ArrayLike, words: Mapping[str, str] | None = None, **settings: Any) -> Sensor:
    """The sensor of a file, with some of its numbers changed: what `sensors.make` does for a preset.

    Parameters
    ----------
    path : path
        JSON as `write_sensor` makes it.
    code : array_like, (T, p, q)
        As designed; where the file says that the code is mirrored on the chip, so it is in the sensor.
    words : mapping of str to str
        Settings as text, of the sensor, its readout, its timing, or ``lux`` and the rest of its photometry instead of ``white``.
    **settings
        Further parameters of the sensor; a ``readout`` given here replaces that of the file.

    Raises
    ------
    Refusal
        If the file or its map of hot pixels is absent, damaged, of another version, lacks ``white``, or a setting is unknown or out
        of its range.
    """
    document, words, code = load_sensor(path), words or {}, np.asarray(code)
    if code.ndim < 3:
        raise Refusal(f"a code has axes (sub-exposure, row, column), not the shape {code.shape}")
    kind = spec.find(sensors.SENSORS, "sensor", document["sensor"])
    parts: dict[str, Any] = {"sensor_settings": kind, **GROUPS}
    owner = preset.owners(parts)
    values = {group: {key: _value(key, entry) for key, entry in document.get(group, {}).items()} for group in parts}
    for group, found in values.items():
        if strange := [key for key in found if owner.get(key) != group]:
            raise Refusal(f"{path}: {strange[0]} is no setting of {group} in this version")
    preset.change(values, words, parts, str(path), replaced=settings)
    preset.white_from_lux(values, words, settings)
    if "readout" not in settings and "white" not in values["readout"]:
        raise Refusal(f"{path} has no white, the electrons of a white sub-exposure; give it: {path}:white=100, or lux")
    lag, frames = values["sensor_settings"].get("lag"), code.shape[-3]
    if isinstance(lag, np.ndarray) and len(lag) != frames:
        raise Refusal(f"{path} has the lag between {len(lag)} sub-exposures, the code has {frames}; leave it out: {path}:lag=0")
    code, origin = _registered(code, document["registration"])
    try:
        groups = {group: part(**values[group]) for group, part in preset.GROUPS.items() if group not in settings}
        chip = {"origin": origin, "hot": _hot_pixels(path, document["maps"], origin)}
        return kind(code, **{**values["sensor_settings"], **groups, **chip, **settings})
    except Refusal:
        raise
    except (TypeError, ValueError) as error:
        raise Refusal(f"{path} is damaged: {' '.join(str(error).split())}") from None


def _hot_pixels(path: str | Path, maps: Mapping[str, Any], origin: tuple[int, int]) -> NDArray[np.bool_] | None:
    """The map (B, rows, columns) by chip address, or None if no pixel is hot."""
    if "hot_pixels" not in maps:
        return None
    name = str(maps["hot_pixels"])
    try:
        hot = np.load(Path(path).with_name(name), mmap_mode="r", allow_pickle=False)
        if hot.ndim != 3 or hot.dtype != bool:
            raise ValueError(f"it is {hot.dtype} of shape {hot.shape}")
    except Exception as error:  # whatever a damaged header makes numpy raise
        raise Refusal(f"{path}: its map of hot pixels, {name} beside it, cannot be read: {error}") from None
    return np.pad(hot, ((0, 0), (origin[0], 0), (origin[1], 0))) if hot.any() else None


def load_sensor(path: str | Path) -> dict[str, Any]:
    """The document of a sensor file, its form checked.

    Raises
    ------
    Refusal
        If the file is absent, no JSON, or not of this format.
    """
    path = Path(path)
    if not path.is_file():
        raise Refusal(f"sensor file {path} {'is a folder' if path.is_dir() else 'does not exist'}")
    try:
        document = json_file.read(path)
    except ValueError as error:
        raise Refusal(f"{path} is not JSON: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT or not isinstance(document.get("sensor"), str):
        raise Refusal(f"{path} is not a sensor file of the format {FORMAT!r}; c2b calibrate makes one")
    for group in ("sensor_settings", *GROUPS, "registration"):
        part = document.setdefault(group, {})
        if not isinstance(part, dict) or not all(isinstance(entry, dict) for entry in part.values()):
            raise Refusal(f"{path} is damaged: {group} is not a table of numbers")
        if group != "registration" and (bad := [key for key, entry in part.items() if "value" not in entry]):
            raise Refusal(f"{path} is damaged: {bad[0]} has no value")
    if not isinstance(document.setdefault("maps", {}), dict):
        raise Refusal(f"{path} is damaged: maps is not a table of files")
    return document


def provenance(path: str | Path, changed: Mapping[str, str]) -> dict[str, str]:
    """Setting to where its number is from, for the record of a capture."""
    document = load_sensor(path)
    groups = ("sensor_settings", *GROUPS)
    told = {key: str(entry.get("provenance", "given")) for group in groups for key, entry in document[group].items()}
    return told | dict.fromkeys([*changed, *(["white"] if "lux" in changed else [])], "given")


#: A list of plain numbers, which is legible on one line.
_LIST = re.compile(r"\[[-+\d.,eE\s]+\]")


def _value(key: str, entry: Mapping[str, Any]) -> Any:
    value = entry["value"]
    if not isinstance(value, list):
        return value
    if any(isinstance(each, list) for each in value):
        matrix = _numbers(key, value).clip(0)
        # noise alone can make a row of the lag add up to more than all light
        return matrix / np.maximum(matrix.sum(-1, keepdims=True), 1) if key == "lag" else matrix
    return tuple(_numbers(key, value).tolist())


def _numbers(key: str, value: Any) -> NDArray[np.float64]:
    try:
        return np.array(value, np.float64)
    except (TypeError, ValueError):
        raise Refusal(f"{key} in the sensor file is not made of numbers") from None


def _registered(code: NDArray, registration: Mapping[str, Any]) -> tuple[NDArray, tuple[int, int]]:
    """The code and chip address with which image row y has the code of address offset + y, or offset - y where it is flipped."""
    origin = [0, 0]
    for place, axis in ((0, "row"), (1, "column")):
        entry = registration.get(axis, {})
        offset, period = entry.get("offset", 0), code.shape[place - 2]
        if type(offset) is not int:
            raise Refusal(f"registration of {axis}s has the offset {offset!r}; needed: a whole number")
        if entry.get("flipped"):
            # c'[k] = c[period - 1 - k], so that c'[y + o'] = c[offset - y]
            code, offset = np.flip(code, place - 2), -1 - offset
        origin[place] = offset % max(period, 1)
    return code, (origin[0], origin[1])
