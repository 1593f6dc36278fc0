"""``c2b codes``"""

from __future__ import annotations

from pathlib import Path


def codes(*code: str, png: Path | None = None) -> None:
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
    """
    import c2b
    from c2b import codes as library
    from c2b.commands import table
    from c2b.criteria import criteria
    from sensors.refusal import Refusal

    names = code or tuple(c2b.CODES)
    arrays = {name: library.make(name) for name in names}
    if png and len(arrays) != 1:
        raise Refusal("--png draws one code; name it: c2b codes impulse:tile=3 --png impulse.png")
    rows = [(name, *criteria(array).row()) for name, array in arrays.items()]
    table(["code", "T", "tile", "light", "open", "rank 1 | 2", "condition 1 | 2", "noise gain 1 | 2"], rows)
    if png:
        from c2b.plots import save
        from c2b.plots.code_picture import code_figure

        save(code_figure(next(iter(arrays.values())), title=names[0]), png)
        print(f"{png}: picture of {names[0]}")
