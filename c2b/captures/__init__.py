"""Capture files: one file per format, chosen by what the file is called and what it holds.

capture_format.py       the contract of every format
document.py             what every exact format holds beside its arrays: sensor, readout, buckets, record, hashes
ome_tiff.py npz.py hdf5.py              everything, bit for bit
bucket_png.py           pairs of PNG, as the Toronto laboratory writes them
sci_mat.py mat_file.py mat_v5.py        the MATLAB files of snapshot compressive imaging
own_measurement.py      arrays of one's own camera: .npz .h5 .npy .tif .png, folders of pictures
array_file.py           named arrays in any such file
measured_arrays.py      those of a measurement, found and laid out
axes.py                 which axis is time
measurement.py          a measurement as a capture
true_frames.py          a measurement against the true frames in its file, and anew under another mask
code_pattern.py         a measurement without true frames against the pattern of its code
code_mistakes.py        what the code of a measurement is often mistaken for
given.py                what the user says of a measurement whose file does not: code, white, black, axes, origin, sensor
photograph.py           a blurred photograph, one exposure of an ordinary camera
dng.py                  one bucket of one exposure, for photographers
plain_stack.py          .npy and .tif stacks of a calibration bench
remarks.py              what a user should hear of a capture
bucket.py               one bucket of several
scene_white.py          white by the brightest parts of the scene, robustly
other_sensor.py         a capture as that of another sensor, such as the calibrated one
unit.py                 the white of a measurement that nobody calibrated

A new format is one file with one subclass of `capture_format.CaptureFormat`, and one line in `FORMATS`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensors.refusal import Refusal

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from c2b.captures.capture_format import CaptureFormat
    from c2b.captures.document import Verify
    from sensors.capture import Capture

FORMATS = {
    "ome-tiff": "c2b.captures.ome_tiff:OmeTiff",
    "npz": "c2b.captures.npz:Npz",
    "hdf5": "c2b.captures.hdf5:Hdf5",
    "sci-mat-v7.3": "c2b.captures.sci_mat:SciMat73",
    "sci-mat": "c2b.captures.sci_mat:SciMat",
    "bucket-png": "c2b.captures.bucket_png:BucketPng",
    "dng": "c2b.captures.dng:Dng",
    "own-measurement": "c2b.captures.own_measurement:OwnMeasurement",
}


class CodeMissing(Refusal):
    """A capture file that does not hold the code it was taken with; whoever opens it has to give it."""


def format_of(path: str | Path) -> type[CaptureFormat] | None:
    """The format of a capture file: of one that is there by what it holds, else by its name; None if it is no capture."""
    there = Path(path)
    if there.exists():
        return next((kind for kind in _kinds() if kind.recognises(there)), None)
    return format_named(path)


def format_named(path: str | Path) -> type[CaptureFormat] | None:
    """The format that a file name stands for, or None; ``FOLDER/`` with its slash is a folder."""
    return next((kind for kind in _kinds() if kind.suffix and str(path).lower().endswith(kind.suffix)), None)


def format_read(path: str | Path, *, with_code: bool = False) -> type[CaptureFormat] | None:
    """The format in which `read_capture` reads what is there: that of its content, else of its name.

    With a code also arrays that no format recognises are a measurement.
    """
    there = Path(path)
    if not there.exists():
        return None
    from c2b.captures import own_measurement

    kind = format_of(there) or format_named(there)
    if there.is_dir() and kind is not None and kind.suffix not in ("/", ""):
        kind = None
    if with_code and own_measurement.may_be(there) and (kind is None or own_measurement.is_foreign(there)):
        return own_measurement.OwnMeasurement
    return kind


def may_be_measurement(path: str | Path) -> bool:
    """Whether what is there can be read as a measurement if its code is given."""
    from c2b.captures import own_measurement

    return Path(path).exists() and own_measurement.may_be(Path(path))


def read_capture(
    path: str | Path,
    *,
    verify: Verify = True,
    code: ArrayLike | str | None = None,
    white: float | None = None,
    black: float | ArrayLike | str | None = None,
    axes: str = "",
    origin: tuple[int, int] | None = None,
    sensor: str = "",
    **how: Any,
) -> Capture:
    """Open a capture file: the images as a memory map where they can be, and the sensor, code and readout that took them.

    ::

        read_capture("film.c2b.ome.tif")
        read_capture("meas.npy", code="mask.npy", white=4095, black=64)  # a measurement of one's own

    Parameters
    ----------
    path : path
        A capture; or, with ``code``, an array (N, H, W), (H, W, N) or (H, W) in ``.npy``, ``.npz``, ``.h5`` or ``.mat``, a TIFF stack,
        a picture or a folder of pictures.
    verify : bool or "header"
        Compare every array with its sha256, where the format has them; "header": not long images.
    code : array_like, (T, p, q), or str, optional
        The code of a file that holds none, or not the right one; also a name or a file. A mask (H, W, T) is told by its size.
    white : float, optional
        What one white sub-exposure adds to the measurement, above black; default: what the file says, or else the brightest sample.
    black : float, array_like or str, optional
        The measurement without light: a number, a picture (H, W), or a file of one.
    axes : str
        ``time-first``, ``time-last`` or ``meas=time-first,mask=time-last``, where arrays can be read in two ways.
    origin : (int, int), optional
        Row and column, of a mask larger than the frame, at which the frame begins.
    sensor : str
        A name, a preset or a sensor file; default: an ideal coded pixel, or two buckets where the file has pairs. Of a capture that
        holds its own, such as the calibration of the chip that took it, in its place.
    **how
        The ``read_options`` of the format, such as ``swap`` of ``bucket-png`` and ``from_orig`` of ``sci-mat``.

    Raises
    ------
    Refusal
        If the file is absent, not a capture, cut short, does not hold what its hashes say, lacks its code, or can be read in two ways.
    """
    from c2b.captures.given import Given

    path = Path(path)
    said = Given(code=code, sensor=sensor, white=white, black=black, axes=axes, origin=origin)
    if (kind := format_read(path, with_code=said.code is not None)) is None:
        raise _no_format(path)
    if not kind.needs_code:
        if how or replace(said, sensor="").names_a_code:
            raise Refusal(f"{path} holds its own sensor and code; --code is for captures that lack it")
        from c2b.captures.other_sensor import seen_by
        from c2b.captures.unit import restated

        capture = kind.read(path, verify=verify)
        return restated(seen_by(capture, sensor, path) if sensor else capture, said)
    if strange := how.keys() - set(kind.read_options):
        raise Refusal(f"{path} is a capture that is read without {', '.join(sorted(strange))}")
    reader: Any = kind
    return reader.read(path, verify=verify, given=said, **how)


def write_capture(path: str | Path, capture: Capture, **how: Any) -> None:
    """Write a capture in the format that the name stands for; the file appears only when it is complete.

    Parameters
    ----------
    path : path
    capture : Capture
    **how
        The ``options`` of the format, such as ``bucket`` of ``dng`` and ``sci-mat``.
    """
    kind: Any = format_written(path)
    kind.write(path, capture.sensor, iter(capture.images), len(capture), capture.record, **how)


def format_written(path: str | Path) -> type[CaptureFormat]:
    """The format in which `write_capture` writes a path; a Refusal that lists the names if there is none."""
    if (kind := format_named(path)) is None:
        raise Refusal(_unknown(Path(path)))
    return kind


def _no_format(path: Path) -> Refusal:
    """What `read_capture` says of a path that no format reads."""
    if not path.exists():
        return Refusal(f"capture file {path} does not exist")
    if may_be_measurement(path):
        what = f"capture file {path} is a folder" if path.is_dir() else _unknown(path)
        return CodeMissing(f"{what}; a measurement of your own needs its code: --code FILE")
    return Refusal(_unknown(path))


def _kinds() -> list[type[CaptureFormat]]:
    from sensors.spec import find

    return [find(FORMATS, "capture format", name) for name in FORMATS]


def _unknown(path: Path) -> str:
    known = ", ".join("NAME" + kind.suffix for kind in _kinds() if kind.suffix)
    return f"{path} is not named like a capture file; known: {known}"
