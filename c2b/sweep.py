"""A setting that a comparison takes through several values: ``white=10:1600:6``.

::

    white=10:1600:6           electrons at white: 10, 27.6, 76.1, 210, 580, 1600, logarithmically, rounded to three digits
    leakage=0,0.01,0.05       values of any other setting of a sensor or its readout, one after the other
    speed=1:8:4               1, 2, 4 and 8 times as fast, by skipping frames

Cameras that have the setting are taken with each value, the others once, as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import sensors
from c2b import camera, sensor_file
from c2b.camera import READOUT_SETTINGS
from c2b.camera_grid import CameraGrid
from sensors import preset, spec
from sensors.photometry import Photometry
from sensors.readout import Readout
from sensors.refusal import Refusal

#: What is swept beside settings: the light, and how fast things move.
WHITE, SPEED = "white", "speed"

#: Digits of a value in between.
DIGITS = 3


@dataclass(frozen=True)
class Sweep:
    """A setting and its values, in their order."""

    key: str
    values: tuple[float, ...]


def parse(text: str) -> Sweep:
    """``KEY=FIRST:LAST:COUNT`` or ``KEY=VALUE,VALUE``.

    Raises
    ------
    Refusal
        If it is neither, an end of a logarithmic range is not above 0, or a speed is not a whole number.

    Examples
    --------
    >>> parse("white=10:1600:6").values
    (10.0, 27.6, 76.1, 210.0, 580.0, 1600.0)
    >>> parse("speed=1:8:4").values
    (1.0, 2.0, 4.0, 8.0)
    """
    key, _, rest = text.partition("=")
    key = key.strip().replace("-", "_")
    if ":" in rest and (many := rest.rpartition(":")[2]).isdecimal() and int(many[:20]) > MOST_VALUES:
        raise Refusal(f"--sweep {text} has {many} values; at most {MOST_VALUES}")
    try:
        values = _between(*rest.split(":")) if ":" in rest else [float(value) for value in rest.split(",")]
    except (ValueError, TypeError):
        values = []
    if not (key and values and all(map(math.isfinite, values))):
        raise Refusal(f"--sweep {text} is neither KEY=FIRST:LAST:COUNT, ends above 0, nor KEY=VALUE,VALUE; such as white=10:1600:6")
    if key == SPEED:
        if ":" not in rest and any(value != round(value) or value < 1 for value in values):
            raise Refusal(f"--sweep {text}: things move a whole number of times as fast, since frames are skipped")
        values = [float(max(1, round(value))) for value in values]
    return Sweep(key, tuple(dict.fromkeys(values)))


def swept(grid: CameraGrid, texts: Iterable[str]) -> tuple[CameraGrid, tuple[int, ...]]:
    """The grid with every value of the sweeps, and the speeds.

    Raises
    ------
    Refusal
        If a sweep is none, its key can be swept of no camera here, is swept twice, or is set by a word of the grid already.
    """
    sweeps = [parse(text) for text in texts]
    speeds: tuple[int, ...] = (1,)
    for place, sweep in enumerate(sweeps):
        if sweep.key in {other.key for other in sweeps[:place]}:
            raise Refusal(f"--sweep {sweep.key} stands twice; name all of its values in one")
        if sweep.key == SPEED:
            speeds = tuple(int(value) for value in sweep.values)
        elif sweep.key == WHITE:
            if grid.lights:
                raise Refusal("--sweep white and --light both say how bright white is; give one of them")
            grid = replace(grid, lights=sweep.values)
        else:
            grid = _set(grid, sweep)
    return grid, speeds


def swept_numbers(words: Iterable[str]) -> dict[str, float]:
    """The settings of names that are numbers: what `swept` has put into the words of sensor and readout."""
    found: dict[str, float] = {}
    for word in words:
        for key, text in _settings(word).items():
            try:
                found[key] = float(text)
            except ValueError:
                continue
    return found


def _set(grid: CameraGrid, sweep: Sweep) -> CameraGrid:
    """A grid whose words have each value of a setting; readouts that are named go before the sensors' own."""
    kinds = {name: _numbers_of_sensor(name) for name in grid.sensors_named}
    readouts = {name: _numbers_of_readout(name) for name in grid.readouts}
    if any(sweep.key in known for known in readouts.values()):
        return replace(grid, readouts=_words(readouts, sweep))
    if grid.readouts:  # the readout of a sensor is replaced as a whole
        kinds = {name: [key for key in known if key not in READOUT_SETTINGS] for name, known in kinds.items()}
    if any(sweep.key in known for known in kinds.values()):
        return replace(grid, sensors=_words(kinds, sweep))
    known = sorted({key for found in (*kinds.values(), *readouts.values()) for key in found} - {WHITE})
    why = "; add --readout cep-2019" if sweep.key in READOUT_SETTINGS and not readouts else ""
    raise Refusal(spec.unknown("setting to sweep", sweep.key, [WHITE, SPEED, *known]) + why)


def _words(known: Mapping[str, Iterable[str]], sweep: Sweep) -> tuple[str, ...]:
    found: list[str] = []
    for word, keys in known.items():
        if sweep.key not in keys:
            found.append(word)
            continue
        if sweep.key in _settings(word):
            raise Refusal(f"--sweep {sweep.key} and {word} both set {sweep.key}; take it out of one of them")
        joint = "," if _settings(word) else ":"
        found += [f"{word}{joint}{sweep.key}={value:g}" for value in sweep.values]
    return tuple(found)


def _numbers_of_sensor(word: str) -> list[str]:
    """Settings of a sensor by its words that a single number can set; those of a readout only where it counts electrons."""
    name = spec.parse(word)[0]
    file = name not in (*sensors.SENSORS, *sensors.PRESETS) and spec.is_file(name)
    kind = spec.find(sensors.SENSORS, "sensor", (sensor_file.load_sensor if file else preset.load)(name)["sensor"])
    owner = preset.owners({"sensor_settings": kind, **preset.GROUPS, **preset.BESIDE})
    classes = {"sensor_settings": kind, **preset.GROUPS, **preset.BESIDE}
    ideal = not file and camera.make(word, "long:frames=1").chip.readout.ideal
    return [key for key, group in owner.items() if not (ideal and key in READOUT_SETTINGS) and _takes_a_number(classes[group], key)]


def _numbers_of_readout(word: str) -> list[str]:
    name = spec.parse(word)[0]
    if name == "ideal":
        return []
    kinds: tuple[Callable[..., Any], ...] = (Readout,) if name in sensors.READOUTS else (Readout, Photometry)
    return [field.name for kind in kinds for field in fields(kind) if _takes_a_number(kind, field.name)]  # type: ignore[arg-type]


def _takes_a_number(kind: Any, key: str) -> bool:
    hint = get_type_hints(kind)[key]
    hints = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return float in hints or int in hints


def _settings(word: str) -> dict[str, str]:
    try:
        return spec.parse(word)[1]
    except Refusal:  # a file whose name has a colon
        return {}


def _between(first: str, last: str, count: str) -> list[float]:
    """Values in equal ratios, both ends among them."""
    low, high, many = float(first), float(last), int(count)
    if not (low > 0 and high > 0 and many >= 2):
        raise ValueError(first)
    inner = [low * (high / low) ** (k / (many - 1)) for k in range(1, many - 1)]
    return [low, *(float(f"{value:.{DIGITS}g}") for value in inner), high]


#: Values of one sweep at most.
MOST_VALUES = 1000
