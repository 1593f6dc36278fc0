"""A small comparison under names that would run as code, were they not taken as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import recon
from c2b.camera_grid import CameraGrid
from c2b.comparison import Comparison
from c2b.source import Source

HEIGHT, WIDTH, FRAMES = 27, 36, 4
SCRIPT = "</script><script>window.hacked = 1</script>"
IMAGE = "<img src=x onerror='window.hacked = 1'>\".npy"
COMMAND = ("compare", IMAGE, "--method", SCRIPT)


def run(folder: Path, report: Path | None = None, *, videos: int = 2, exposures: int = 2) -> Comparison:
    """Two sensors under two codes with and without noise, pseudo-inverse and tile; a code that does not go with a method."""
    t, i, j = np.ogrid[: exposures * FRAMES, :HEIGHT, :WIDTH]
    sources = {}
    for k, name in enumerate([IMAGE, "plain.npy", "third.npy"][:videos]):
        wave = 0.5 + 0.2 * np.sin(0.5 * i + 0.25 * j - (0.2 + 0.3 * k + 0.02 * t) * t) + 0.2 * np.cos((0.3 + 0.1 * k) * j)
        np.save(folder / f"film-{k}.npy", np.rint(255 * wave).astype(np.uint8))
        sources[name] = Source(str(folder / f"film-{k}.npy"))
    code = folder / "code \"<i>'.npy"
    np.save(code, np.eye(FRAMES, dtype=np.uint8).reshape(FRAMES, 2, 2))
    grid = CameraGrid(("coded-pixel", "two-bucket"), (str(code), f"long:frames={FRAMES}"), ("ideal", "cep-2019"), (50.0, 800.0))
    found = Comparison(sources, grid, {"pseudo-inverse": recon.make("pseudo-inverse"), SCRIPT: recon.make("tile")}, viewed=(0,))
    found.run(report)
    return found
