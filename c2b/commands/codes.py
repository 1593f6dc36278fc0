"""``c2b codes``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def codes(
    *code: str,
    png: Path | None = None,
    json: bool = False,
    sensor: tuple[str, ...] = (),
    readout: str | None = None,
    light: tuple[float, ...] = (),
    criterion: tuple[str, ...] = (),
) -> None:
    """A table of codes with their criteria, and a picture of any code.

    light: share of the light that bucket 0 collects. open: fewest and most frames that a pixel is open. rank and condition: of the
    system that a tile solve inverts, with one bucket and with two; a rank below the frames needs a prior. noise gain: by how much
    additive noise of one pixel grows in a frame of the tile solve (rms; the impulse code has 1). With a sensor, the criteria are those
    of the sensor under the code, with its leakage, lag and noise.

    Parameters
    ----------
    code
        Names with settings, or files; default: all, with their default settings.
    png
        Draw the picture of one code; where criteria of sensors are asked for, these as bars, of any number of codes.
    json
        Print JSON.
    sensor
        Sensor, preset or sensor file whose criteria are wanted; may be repeated. With --criterion alone: coded-pixel and two-bucket.
    readout
        ideal, electrons:white=100,... or that of a preset, for all sensors. Default: each sensor's own.
    light
        Electrons at white per sub-exposure, for every readout that is not ideal; may be repeated. Default: as the readout says.
    criterion
        Criterion, such as cramer-rao or mixture-bound; may be repeated. Default: all that are quick (c2b list criteria).
    """
    from json import dumps

    import c2b
    from c2b import codes as library
    from c2b.output_path import refuse_input
    from sensors.refusal import Refusal

    names = code or tuple(c2b.CODES)
    if png:
        refuse_input(names[0], png)
    if sensor or readout or light or criterion:
        told, table = _of_sensors(names, sensor, readout, light, criterion, png)
    else:
        arrays = {name: library.make(name) for name in names}
        if png and len(arrays) != 1:
            raise Refusal("--png draws one code; name it: c2b codes impulse:tile=3 --png impulse.png")
        told, table = _of_codes(arrays, png)
    print(dumps(told) if json else table)
    if png and not json:
        print(f"{png}: picture of {', '.join(names)}")


def _of_codes(arrays: dict[str, NDArray], png: Path | None) -> tuple[Any, str]:
    """Criteria of codes alone, for JSON and as a table."""
    from dataclasses import asdict

    from c2b.criteria.tile_system import COLUMNS, criteria
    from c2b.terminal import table

    if png:
        from c2b.plots import save
        from c2b.plots.code_picture import code_figure

        save(code_figure(next(iter(arrays.values())), title=next(iter(arrays))), png)

    judged = {label: criteria(one) for name, array in arrays.items() for label, one in _each(name, array)}
    told = {name: {key: _finite(value) for key, value in asdict(one).items()} for name, one in judged.items()}
    return told, table(COLUMNS, [(name, *one.row()) for name, one in judged.items()])


def _of_sensors(
    codes: tuple[str, ...],
    sensors: tuple[str, ...],
    readout: str | None,
    lights: tuple[float, ...],
    criteria: tuple[str, ...],
    png: Path | None,
) -> tuple[Any, str]:
    """Criteria of sensors under codes, for JSON and as a table."""
    from c2b.criteria import make
    from c2b.criteria.judged import cameras, judge, tables
    from c2b.criteria.tile_system import CAMERAS
    from c2b.terminal import table

    chosen = make(criteria)
    judged = [row for one in cameras(sensors or CAMERAS, codes, readout, lights) for row in judge(one, chosen)]
    if png:
        from c2b.plots import save
        from c2b.plots.criteria_picture import criteria_figure

        save(criteria_figure(judged, chosen, "What each code is worth"), png)
    return [row.plain() for row in judged], "\n".join(table(*part) for part in tables(judged, chosen))


def _each(name: str, array: NDArray) -> list[tuple[str, NDArray]]:
    """One code, or those of a cycle with their numbers."""
    return [(name, array)] if array.ndim == 3 else [(f"{name} [{number}]", one) for number, one in enumerate(array)]


def _finite(value: Any) -> Any:
    """JSON has no infinity: null instead."""
    if isinstance(value, tuple):
        return [_finite(one) for one in value]
    return None if value == float("inf") else value
