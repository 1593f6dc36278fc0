"""``c2b codes``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def codes(*code: str, png: Path | None = None, json: bool = False) -> None:
    """A table of codes with their criteria, and a picture of any code.

    light: share of the light that bucket 0 collects. open: fewest and most frames that a pixel is open. rank and condition: of the
    system that a tile solve inverts, with one bucket and with two; a rank below the frames needs a prior. noise gain: by how much
    additive noise of one pixel grows in a frame of the tile solve (rms; the impulse code has 1).

    Parameters
    ----------
    code
        Names with settings, or files; default: all, with their default settings.
    png
        Draw the picture of one code.
    json
        Print JSON.
    """
    from dataclasses import asdict
    from json import dumps

    import c2b
    from c2b import codes as library
    from c2b.criteria import COLUMNS, criteria
    from c2b.output_path import refuse_input
    from c2b.terminal import table
    from sensors.refusal import Refusal

    names = code or tuple(c2b.CODES)
    arrays = {name: library.make(name) for name in names}
    if png and len(arrays) != 1:
        raise Refusal("--png draws one code; name it: c2b codes impulse:tile=3 --png impulse.png")
    judged = {label: criteria(one) for name, array in arrays.items() for label, one in _each(name, array)}
    if png:
        from c2b.plots import save
        from c2b.plots.code_picture import code_figure

        refuse_input(names[0], png)
        save(code_figure(next(iter(arrays.values())), title=names[0]), png)
    if json:
        print(dumps({name: {key: _finite(value) for key, value in asdict(one).items()} for name, one in judged.items()}))
        return
    print(table(COLUMNS, [(name, *one.row()) for name, one in judged.items()]))
    if png:
        print(f"{png}: picture of {names[0]}")


def _each(name: str, array: NDArray) -> list[tuple[str, NDArray]]:
    """One code, or those of a cycle with their numbers."""
    return [(name, array)] if array.ndim == 3 else [(f"{name} [{number}]", one) for number, one in enumerate(array)]


def _finite(value: Any) -> Any:
    """JSON has no infinity: null instead."""
    if isinstance(value, tuple):
        return [_finite(one) for one in value]
    return None if value == float("inf") else value
