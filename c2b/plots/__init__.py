"""Pictures of codes, captures, videos and their errors; each function returns a figure, and `save` writes it.

::

    code_picture.py     a code: its tile over time, and each pixel's timeline
    criteria_picture.py criteria of cameras beside each other
    capture_picture.py  the buckets of a capture, their pixels close up, and the histogram
    check_picture.py    a check-up on one sheet
    strip.py            chosen frames of the truth, the capture and each method
    error_map.py        where and by how much each method errs
    map_picture.py      what a method tells of each pixel besides the video
    psnr_curve.py       PSNR of every frame
    psnr_panel.py       PSNR over light, motion or frames with intervals, small, for panels side by side
    inline_svg.py       a figure in the colours of an HTML page
    training_curve.py   how a training went
    photon_transfer_picture.py      what a calibration fitted
    animation.py        videos side by side, looping, as GIF or PNG
    contact_sheet.py    rows of labelled images, of which strip and error map are made
    figure_style.py     type, colour and the sheet on which everything is laid out, in inches

Nothing here touches pyplot or matplotlib's global state, and matplotlib is imported when a figure is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURE_SUFFIXES = ".png", ".svg", ".pdf"

#: Suffixes of files that show a video as it moves.
MOVING_SUFFIXES = (".gif",)


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure, by its suffix, whole or not at all.

    Raises
    ------
    Refusal
        If the suffix is none of `FIGURE_SUFFIXES`, or the folder does not exist.
    OSError
        As the system reports it.
    """
    from sensors.atomic_file import atomic_file
    from sensors.refusal import Refusal

    path = Path(path)
    if path.suffix.lower() not in FIGURE_SUFFIXES:
        raise Refusal(f"cannot write a figure as {path.name}; name it {path.stem}{' or '.join(FIGURE_SUFFIXES)}")
    with atomic_file(path) as partial:
        figure.savefig(partial, dpi=figure.dpi)
    return path
