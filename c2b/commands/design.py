"""``c2b design``"""

from __future__ import annotations

from pathlib import Path

from c2b.options import Whole


def design(
    out: Path,
    /,
    *,
    sensor: str = "two-bucket",
    readout: str | None = None,
    light: float | None = None,
    frames: Whole = 8,
    tile: str = "8x8",
    constraint: tuple[str, ...] = (),
    same_light: bool = False,
    prior: str = "gmm",
    opened: Whole = 0,
    start: str = "",
    steps: Whole = 150,
    seed: Whole = 0,
    png: Path | None = None,
) -> None:
    """Design a code for a sensor: as much as can be is recovered of the videos of a prior, at its light and with its noise.

    The bound of the Gaussian mixture (c2b list mixture-bound) is raised by changing pixels along its gradient, many at once and then
    fewer, with annealing. It can be interrupted; the same command goes on, and a larger --steps makes it longer.

    Parameters
    ----------
    out
        The code, such as NAME.npy; NAME.design.json and NAME.design.csv are beside it.
    sensor
        Sensor, preset or sensor file that the code is for.
    readout
        ideal, electrons:white=100,... or that of a preset, in place of the sensor's own.
    light
        Electrons at white per sub-exposure. Default: as the readout says.
    frames
        Sub-exposures in one exposure; as many as the prior has at most.
    tile
        Rows and columns after which the code repeats, such as 2x4.
    constraint
        What the chip can do: single-bump, monotone, separable, shared; may be repeated.
    same_light
        All pixels are open in as many sub-exposures as at the beginning.
    prior
        A Gaussian mixture: a shipped one, or a file of c2b train gmm.
    opened
        Sub-exposures in which a pixel is open at the beginning. Default: a third.
    start
        A code to begin with, of that size. Default: a random one.
    steps
        Steps of the search in all.
    seed
        Seed of the beginning and of the search.
    png
        Curve of the search.
    """
    from c2b.design.code_design import CodeDesign, log_of
    from c2b.output_path import refuse_input
    from c2b.terminal import progress

    if start:
        refuse_input(start, out)
    told = CodeDesign(sensor, readout, light, frames, _sides(tile), prior, constraint, same_light, opened, start, seed)
    state = told.run(out, steps, progress)
    if png:
        from c2b.plots import save
        from c2b.plots.training_curve import training_figure
        from c2b.training_log import TrainingLog

        rows = [{name: row[name] for name in ("step", "psnr", "best")} for row in TrainingLog(log_of(out), resumed=True).rows]
        save(training_figure(rows, title=f"Design of {out.name}", subtitle="bound of the prior, dB"), png)
    print(f"{out}: {frames} sub-exposures, tile {tile}, {state.step} steps; bound {state.best_psnr:.2f} dB")


def _sides(text: str) -> tuple[int, int]:
    """``8x8`` or ``8``."""
    from sensors.refusal import Refusal

    sides = text.split("x")
    if len(sides) not in (1, 2) or not all(side.isascii() and side.isdigit() and len(side) < 9 for side in sides):
        raise Refusal(f"--tile {text} is not ROWSxCOLUMNS such as 2x4")
    return int(sides[0]), int(sides[-1])
