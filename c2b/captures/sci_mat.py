"""Snapshot compressive imaging (SCI, CACTI) in MATLAB files: ``meas`` = sum over t of ``mask``[t] ``orig``[t].

========================  ==========  ==================================================================
name in the file          axes        becomes
========================  ==========  ==================================================================
meas, meas_bayer, meas*   (H, W, N)   images (N, 1, H, W), in the type they are stored in
mask, mask_bayer, *mask   (H, W, T)   the code (T, H, W) of a coded pixel; grey (calibrated) masks too
orig, orig_bayer          (H, W, NT)  the true frames; ``c2b.video.sci_scene`` opens them as video, `true_frames` measures them anew
white                     1           what one white sub-exposure adds to ``meas`` (this program writes it)
========================  ==========  ==================================================================

The benchmark of Liu et al., "Rank minimization for snapshot compressive imaging", PAMI 2019, and of those after it. A measurement is
the plain sum of stored values, not normalised, and its one bucket is our bucket 0. Several measurements with a mask each (``measO``,
``opt_mask``; ``measR``, ``rnd_mask``) are exposures of one sensor that cycles its codes. Version 7.3 has reversed axes: see `mat_file`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b import array_names
from c2b.captures import array_file, mat_file, measurement
from c2b.captures.bucket import light_of
from c2b.captures.capture_format import CaptureFormat
from c2b.captures.document import Verify
from c2b.captures.given import Given, with_sidecar
from c2b.captures.measurement import BAYER
from sensors.atomic_file import atomic_file
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.sensor import Sensor


class SciMat(CaptureFormat):
    """Read and write ``NAME.mat``, as version 5; reads version 7.3 too."""

    suffix = ".mat"
    needs_code = True
    options = ("bucket", "orig")
    read_options = ("from_orig", "check")
    drops = "readout, timing and record; a noisy capture is stored as charge in white sub-exposures"
    _write: Callable[[Path, Mapping[str, NDArray]], None] = staticmethod(mat_file.write_v5)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """A .mat with a measurement, by its name; one with a mask alone is a code."""
        if not path.name.lower().endswith(cls.suffix):
            return False
        try:
            return array_names.are_a_capture(mat_file.contents(path))
        except Refusal:
            return False

    @classmethod
    def summary(cls, path: Path) -> dict[str, Any]:
        """What arrays there are, in MATLAB's axes."""
        shapes = mat_file.contents(path)
        version = "7.3" if mat_file.is_hdf5(path) else "5"
        return {"format": f"SCI .mat, version {version}", **{name: "x".join(map(str, shape)) for name, shape in shapes.items()}}

    @classmethod
    def read(
        cls, path: Path, *, verify: Verify = True, given: Given | None = None, from_orig: bool = False, check: bool = True
    ) -> Capture:
        """The measurements as a capture of a coded pixel with ideal readout; its record says under which ``mask``.

        Parameters
        ----------
        path : Path
        verify : bool
            Nothing: such files carry no hashes.
        given : Given, optional
            What the user states: code, white, black, axes, origin, sensor.
        from_orig, check : bool
            As for `c2b.captures.measurement.capture_of`, which says what is refused.
        """
        said = with_sidecar(given, path)
        return measurement.capture_of(array_file.open_arrays(path), said, from_orig=from_orig, check=check)

    @classmethod
    def holds_truth(cls, path: Path) -> bool:
        """Whether ``orig`` is there."""
        shapes = mat_file.contents(path)
        return array_names.frames(shapes, bayer="meas_bayer" in shapes) is not None

    @classmethod
    def write(
        cls,
        path: str | Path,
        sensor: Sensor,
        exposures: Iterable[NDArray],
        count: int,
        record: Mapping[str, Any],
        *,
        orig: NDArray | None = None,
        bucket: int | None = None,
    ) -> None:
        """Write ``meas``, ``mask``, ``white`` and, where the true frames are at hand, ``orig``.

        Parameters
        ----------
        path, sensor, exposures, count, record
            As for every format.
        orig : ndarray, (NT, H, W), optional
            The true frames, in the unit of ``meas``.
        bucket : int, optional
            Which bucket, where there are several; its mask is the light it truly collects, leaks and all.

        Raises
        ------
        Refusal
            If the sensor has several buckets and none is named, cycles codes, or is in colour.
        """
        path = Path(path)
        images = np.stack([np.asarray(image) for image in exposures][:count])
        capture = Capture(images, sensor, record)
        mask = light_of(capture, bucket)
        if not sensor.readout.ideal:
            images = capture.charge
        if sensor.colour not in ("mono", "rgb", BAYER) or (sensor.colour == BAYER and any(i % 2 for i in sensor.origin)):
            raise Refusal(f"cannot write {path}: scenes of the benchmark are grey or {BAYER} mosaics; this one begins otherwise")
        bayer = "_bayer" if sensor.colour == BAYER else ""
        content = {f"meas{bayer}": np.moveaxis(images[:, bucket or 0], 0, 2), f"mask{bayer}": np.moveaxis(mask, 0, 2)}
        if orig is not None:
            content[f"orig{bayer}"] = np.moveaxis(np.asarray(orig), 0, -1)
        content["white"] = np.array([[capture.white]])
        with atomic_file(path) as partial:
            cls._write(partial, content)


class SciMat73(SciMat):
    """Write ``NAME.v73.mat``, as version 7.3 (HDF5)."""

    suffix = ".v73.mat"
    _write = staticmethod(mat_file.write_v73)
