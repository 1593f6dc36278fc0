"""Capture files: one file per format, chosen by what the file is called and what it holds.

document      what every exact format holds beside its arrays: sensor, readout, buckets, record, hashes
ome_tiff npz hdf5           everything, bit for bit
bucket_png                  pairs of PNG, as the Toronto laboratory writes them
sci_mat mat_file mat_v5     the MATLAB files of snapshot compressive imaging
true_frames                 a measurement against the true frames in its file, and anew under another mask
dng                         one bucket of one exposure, for photographers
plain_stack                 .npy and .tif stacks of a calibration bench
bucket unit                 one bucket of several; the white of a measurement that nobody calibrated

A format is a class with ``suffix``, ``exact`` (whether a file gives back every bit), ``recognises(path)``, ``read(path)``,
``write(path, sensor, exposures, count, record)`` and one line in `FORMATS`. One that is not exact says what it ``drops``; one whose
files may lack their code reads with ``code=`` and has a ``summary(path)`` that does without; one whose files also hold the true frames
has ``holds_video``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensors.refusal import Refusal

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sensors.capture import Capture

FORMATS = {
    "ome-tiff": "c2b.captures.ome_tiff:OmeTiff",
    "npz": "c2b.captures.npz:Npz",
    "hdf5": "c2b.captures.hdf5:Hdf5",
    "sci-mat-v7.3": "c2b.captures.sci_mat:SciMat73",
    "sci-mat": "c2b.captures.sci_mat:SciMat",
    "bucket-png": "c2b.captures.bucket_png:BucketPng",
    "dng": "c2b.captures.dng:Dng",
}


class CodeMissing(Refusal):
    """A capture file that does not hold the code it was taken with; whoever opens it has to give it."""


def format_of(path: str | Path) -> Any:
    """The format class of a capture file: of one that is there by what it holds, else by its name; None if it is no capture."""
    there = Path(path)
    if there.exists():
        return next((kind for kind in _kinds() if kind.recognises(there)), None)
    return format_named(path)


def format_named(path: str | Path) -> Any:
    """The format class that a file name stands for, or None; ``FOLDER/`` with its slash is a folder."""
    return next((kind for kind in _kinds() if str(path).lower().endswith(kind.suffix)), None)


def read_capture(path: str | Path, *, verify: bool = True, code: ArrayLike | None = None, **how: Any) -> Capture:
    """Open a capture file: the images as a memory map where they can be, and the sensor, code and readout that took them.

    Parameters
    ----------
    path : path
    verify : bool
        Compare every array with its sha256, where the format has them.
    code : array_like, (T, p, q), optional
        The code of a file that holds none, or not the right one (``sci-mat``, ``bucket-png``).
    **how
        Further parameters of the format's ``read``, such as ``swap`` of ``bucket-png`` and ``from_orig`` of ``sci-mat``.

    Raises
    ------
    Refusal
        If the file is absent, not a capture, cut short, does not hold what its hashes say, or lacks its code.
    """
    path = Path(path)
    kind = (format_of(path) or format_named(path)) if path.exists() else None
    if not path.exists() or (path.is_dir() and (kind is None or kind.suffix != "/")):
        raise Refusal(f"capture file {path} {'is a folder' if path.is_dir() else 'does not exist'}")
    if kind is None:
        raise Refusal(_unknown(path))
    if code is not None:
        how = {**how, "code": code}
    if how and not hasattr(kind, "summary"):
        raise Refusal(f"{path} holds its own sensor and code; --code is for captures that lack it")
    return kind.read(path, verify=verify, **how)


def write_capture(path: str | Path, capture: Capture, **how: Any) -> None:
    """Write a capture in the format that the name stands for; the file appears only when it is complete.

    Parameters
    ----------
    path : path
    capture : Capture
    **how
        Further parameters of the format's ``write``, such as ``bucket`` of ``dng`` and ``sci-mat``.
    """
    kind = format_named(path)
    if kind is None:
        raise Refusal(_unknown(Path(path)))
    kind.write(path, capture.sensor, iter(capture.images), len(capture), capture.record, **how)


def _kinds() -> list[Any]:
    from sensors.spec import find

    return [find(FORMATS, "capture format", name) for name in FORMATS]


def _unknown(path: Path) -> str:
    known = ", ".join("NAME" + kind.suffix for kind in _kinds())
    return f"{path} is not named like a capture file; known: {known}"
