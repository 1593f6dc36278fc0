"""What a method gives beside the video, by ``NAME=FILE``: as numbers, or as a picture of some exposures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2b.plots import FIGURE_SUFFIXES, save
from recon.reconstructor import Reconstructor
from sensors.atomic_file import atomic_file
from sensors.refusal import Refusal

#: Suffix of a file of numbers.
NUMBERS = ".npy"


def parse(words: Iterable[str], method: Reconstructor, label: str, video: str | Path) -> list[tuple[str, Path]]:
    """Names of further outputs and where they go, before anything is computed.

    Parameters
    ----------
    words : iterable of str
        ``NAME=FILE``, each name one of ``method.also``.
    label : str
        What the method is called, for messages.
    video : path
        That is written too.

    Raises
    ------
    Refusal
        If a name is unknown, or a file cannot be written or is written already.
    """
    found: list[tuple[str, Path]] = []
    for word in words:
        name, equals, path = word.partition("=")
        if name not in method.also:
            raise Refusal(f"--also {word}: what {label} gives beside the video: {', '.join(method.also) or 'nothing'}")
        if not equals or Path(path).suffix.lower() not in (NUMBERS, *FIGURE_SUFFIXES):
            raise Refusal(f"--also {word}: needed is {name}=FILE.npy or {name}=FILE.png")
        if not Path(path).parent.is_dir():
            raise Refusal(f"--also {word}: the folder {Path(path).parent} does not exist")
        if Path(path).resolve() in {Path(video).resolve(), *(other.resolve() for _, other in found)}:
            raise Refusal(f"--also {word}: {path} is written already; name another file")
        found.append((name, Path(path)))
    return found


def write(values: NDArray, name: str, path: Path, label: str) -> None:
    """Write one such output (N, ...), by the suffix of the file."""
    if path.suffix.lower() == NUMBERS:
        with atomic_file(path) as partial:
            np.save(partial, values)
        return
    from c2b.plots.map_picture import map_figure

    save(map_figure(values, name.replace("_", " "), title=name.replace("_", " "), subtitle=label), path)
