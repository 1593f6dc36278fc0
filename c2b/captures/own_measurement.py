"""Measurements of one's own camera: ``.npz`` and ``.h5`` with arrays under usual names, ``.npy``, ``.tif``, ``.png``, or a folder.

What such a file does not say (code, black, white, sensor, order of axes) comes from the call, or from a sidecar ``NAME.json``
(`c2b.captures.given`). An archive with a measurement, and a file whose sidecar names a code, is a capture; any other array is a video
until it is asked for as a capture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from c2b import array_names
from c2b.captures import array_file, measurement
from c2b.captures.capture_format import CaptureFormat
from c2b.captures.document import Verify
from c2b.captures.given import Given, with_sidecar
from c2b.video import sidecar
from sensors.capture import Capture
from sensors.refusal import Refusal


class OwnMeasurement(CaptureFormat):
    """Read arrays of a laboratory: ``.npz .h5 .npy .tif .png`` or a folder of pictures, with what `c2b.captures.given` says."""

    needs_code = True
    read_options = ("from_orig", "check")

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """An archive that holds a measurement, or a file beside which a sidecar names its code."""
        try:
            if path.suffix.lower() in (".npz", ".h5", ".hdf5") and path.is_file():
                return not array_file.is_c2b(path) and array_names.are_a_capture(array_file.names(path))
            return may_be(path) and "code" in sidecar.read(path) and not sidecar.of_another_file(sidecar.read(path), path)
        except Refusal:
            return False

    @classmethod
    def summary(cls, path: Path) -> dict[str, Any]:
        """What arrays there are."""
        shapes = array_file.open_arrays(path).shapes
        return {"format": "own measurement", **{name: "x".join(map(str, shape)) for name, shape in shapes.items()}}

    @classmethod
    def read(
        cls, path: Path, *, verify: Verify = True, given: Given | None = None, from_orig: bool = False, check: bool = True
    ) -> Capture:
        """The measurements as a capture: `c2b.captures.measurement.capture_of`, the sidecar's statements under those given."""
        said = with_sidecar(given, path)
        file = array_file.open_arrays(path)
        if not array_names.measurements(file.shapes) and array_file.held(file.shapes) == 1 and said.code is not None:
            file = _called_meas(file)
        return measurement.capture_of(file, said, from_orig=from_orig, check=check)


def may_be(path: Path) -> bool:
    """Whether a file or folder can be read as a measurement if someone says so."""
    return path.is_dir() or path.suffix.lower() in array_file.SUFFIXES


def is_foreign(path: Path) -> bool:
    """Whether a path is an archive that this program did not write as a capture."""
    return path.is_file() and path.suffix.lower() in (".npz", ".h5", ".hdf5") and not array_file.is_c2b(path)


def _called_meas(file: array_file.ArrayFile) -> array_file.ArrayFile:
    """The only array as the measurement, whatever it is called, such as ``arr_0``."""
    (name,) = (name for name, shape in file.shapes.items() if len(shape) > 1)
    return file._replace(shapes={"meas": file.shapes[name]}, load=lambda _: {"meas": file.load((name,))[name]})
