"""Cameras judged by criteria: every code under every sensor and light, a number for each criterion."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from c2b import camera
from c2b.camera import Camera
from c2b.criteria.criterion import Criterion
from sensors.refusal import Refusal

#: Criteria of a table, so that it fits on a terminal; what is smaller than this is zero.
AT_ONCE, ROUNDING = 6, 1e-12


@dataclass(frozen=True)
class Judged:
    """A camera and its numbers, by the names of the criteria; None where one is not defined."""

    camera: Camera
    code: str
    values: Mapping[str, float | None]

    @property
    def sensor(self) -> str:
        """Sensor and light, for a person to read."""
        white = self.camera.chip.readout.white
        return self.camera.sensor + ("" if white is None else f", {white:g} e- at white")

    def plain(self) -> dict[str, object]:
        """For JSON, which has no infinity: null."""
        chip = self.camera.chip
        told = {"sensor": self.camera.sensor, "code": self.code, "readout": self.camera.readout, "light": chip.readout.white}
        values = {name: value if value is not None and math.isfinite(value) else None for name, value in self.values.items()}
        return {**told, "frames": chip.frames, "tile": list(chip.tile), **values}


def cameras(sensors: Iterable[str], codes: Iterable[str], readout: str | None, lights: Iterable[float]) -> Iterator[Camera]:
    """The cameras that words name, at each light (electrons at white per sub-exposure); that of an ideal readout once.

    Raises
    ------
    Refusal
        If a word is unknown or wrong, or a sensor cannot do a code.
    """
    lights = [*lights]
    if wrong := [light for light in lights if not 0 < light < math.inf]:
        raise Refusal(f"--light {wrong[0]:g} is no number of electrons at white; needed: above 0")
    names = [*codes]
    for sensor in sensors:
        made = [camera.make(sensor, code, readout) for code in names]
        if not lights or made[0].chip.readout.ideal:
            yield from made
        else:
            yield from (one.lit(light) for light in lights for one in made)


def judge(one: Camera, criteria: Mapping[str, Criterion]) -> Iterator[Judged]:
    """A camera under its code, or under each code of a cycle, with their numbers."""
    for number in range(one.chip.codes):
        chip = one.chip.at(number)
        name = one.code if one.chip.codes == 1 else f"{one.code} [{number}]"
        yield Judged(replace(one, chip=chip), name, {word: criterion(chip) for word, criterion in criteria.items()})


def tables(
    judged: Iterable[Judged], criteria: Mapping[str, Criterion]
) -> Iterator[tuple[Sequence[str], Sequence[Sequence[str]], str]]:
    """What a person reads of them: (columns, lines, title), some criteria at a time; those that are defined nowhere are left out."""
    rows, groups = [*judged], dict[str, list[Judged]]()
    for row in rows:
        groups.setdefault(row.sensor, []).append(row)
    shown = [name for name in criteria if any(row.values[name] is not None for row in rows)]
    for sensor, some in groups.items():
        for first in range(0, len(shown), AT_ONCE):
            names = shown[first : first + AT_ONCE]
            columns = ("code", "T", "tile", *(f"{name}\n{criteria[name].unit}".strip() for name in names))
            lines = [(row.code, *_size(row), *(number(row.values[name]) for name in names)) for row in some]
            yield columns, lines, "" if first else sensor


def number(value: float | None) -> str:
    """Three digits; nothing where it is not defined."""
    if value is None:
        return ""
    return f"{value:.0f}" if 1000 <= abs(value) < math.inf else f"{value if abs(value) > ROUNDING else 0:.3g}"


def _size(row: Judged) -> tuple[str, str]:
    return str(row.camera.chip.frames), "x".join(map(str, row.camera.chip.tile))
