"""The capture file: one self-contained OME-BigTIFF that Fiji, napari and MATLAB open.

========  ===============================================================================================
series    content
========  ===============================================================================================
meas      the images as read out, (T, C, Y, X[, S]) = (exposure, bucket, row, column[, colour]), uncompressed
code      the code as applied, (frame, row, column); 1-bit where it is all zeros and ones, else float32
others    maps of the sensor, such as leakage, by their name
========  ===============================================================================================

One JSON document in an OME CommentAnnotation has the rest: sensor, readout, timing, buckets, record, and the sha256 of each array and
of the document itself.
Bucket 0 collects while the code is 1 (``active_when_code``: [1, 0]).
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray

import c2b
import sensors
from c2b.atomic_file import atomic_file
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.sensor import Sensor

SCHEMA = "c2b.capture"
SCHEMA_VERSION = 1
NAMESPACE = "c2b/capture/v1"

#: Room left on the disk beside the images: code, maps, metadata.
OVERHEAD = 2**20


logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what tifffile logs is said in a refusal


class OmeTiff:
    """Read and write ``NAME.c2b.ome.tif``."""

    suffix = ".c2b.ome.tif"

    @staticmethod
    def write(path: str | Path, sensor: Sensor, exposures: Iterable[NDArray], count: int, record: Mapping[str, Any]) -> None:
        """Write ``count`` exposures (B, H, W[, 3]) one by one as they come, so that memory does not grow with their number."""
        path = Path(path)
        exposures = iter(exposures)
        first = next(exposures, None)
        if first is None:
            raise Refusal(f"cannot write {path}: a capture has at least one exposure, and there is none")
        _check_room(path, first.nbytes * count)
        sha = hashlib.sha256()
        with atomic_file(path) as partial, tifffile.TiffWriter(partial, bigtiff=True, ome=True) as tiff:
            axes = "TCYXS" if sensor.colour == "rgb" else "TCYX"
            tiff.write(
                _pages(first, exposures, count, sha),
                shape=(count, *first.shape),
                dtype=first.dtype,
                photometric="rgb" if sensor.colour == "rgb" else "minisblack",
                metadata={"axes": axes, "Name": "meas", **_channels(sensor)},
            )
            document, arrays = _document(sensor, record, sha.hexdigest(), first)
            note = {"CommentAnnotation": {"Namespace": NAMESPACE, "Value": json.dumps(document, allow_nan=False)}}
            for name, array in arrays.items():
                stored = array.reshape(-1, *array.shape[-2:])
                stored = stored.astype(bool) if stored.dtype == np.uint8 else stored
                tiff.write(stored, photometric="minisblack", metadata={"axes": "ZYX", "Name": name, **note})
                note = {}

    @staticmethod
    def read(path: Path, *, verify: bool = True) -> Capture:
        """The capture in a file, its images mapped into memory."""
        try:
            with tifffile.TiffFile(path) as tiff:
                document = _annotation(tiff, path)
                if document.pop("sha256") != _seal(document) and verify:
                    raise Refusal(f"{path} is damaged: its description is not what was written (its sha256 differs)")
                series = {one.name: one for one in tiff.series}
                arrays = {name: _array(series, name, facts, path) for name, facts in document["arrays"].items() if name != "meas"}
                images = _mapped(series, document["arrays"]["meas"], path)
            for name, array in {"meas": images, **arrays}.items():
                if verify and _sha(array) != document["arrays"][name]["sha256"]:
                    raise Refusal(f"{path} is damaged: {name} is not what was written (its sha256 differs)")
            return Capture(images, sensors.from_description(document["sensor"], arrays), dict(document["record"]))
        except Refusal as error:
            raise error if str(path) in str(error) else Refusal(f"{path}: {error}") from None
        except Exception as error:  # whatever a damaged file makes the TIFF and XML readers raise
            raise Refusal(
                f"{path} is damaged or cut short: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
            ) from None


def read_document(path: Path) -> dict[str, Any]:
    """The JSON document alone, for ``c2b info``; no array is read."""
    with tifffile.TiffFile(path) as tiff:
        return _annotation(tiff, path)


def _document(sensor: Sensor, record: Mapping[str, Any], sha: str, image: NDArray) -> tuple[dict[str, Any], dict[str, NDArray]]:
    description, arrays = sensor.description()
    facts = {name: {"dtype": a.dtype.name, "shape": list(a.shape), "sha256": _sha(a)} for name, a in arrays.items()}
    document = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "software": f"c2b {c2b.__version__}",
        "axes": ["exposure", "bucket", "y", "x", "colour"][: image.ndim + 1],
        "buckets": [{"index": b, "active_when_code": 1 - b} for b in range(sensor.buckets)],
        "bucket_content": "charge" if sensor.readout.ideal else "raw taps in DN",
        "sensor": description,
        "record": dict(record),
        "arrays": {"meas": {"dtype": image.dtype.name, "sha256": sha}, **facts},
    }
    return {**document, "sha256": _seal(document)}, arrays


def _pages(first: NDArray, rest: Iterator[NDArray], count: int, sha: Any) -> Iterator[NDArray]:
    """Each bucket of each exposure as a page, hashed on its way to the disk."""
    came = 0
    for image in chain([first], rest):
        came += 1
        if image.shape != first.shape or image.dtype != first.dtype:
            raise Refusal(f"exposures differ: {image.dtype} {image.shape} after {first.dtype} {first.shape}")
        image = np.ascontiguousarray(image)
        sha.update(image.data)
        yield from image
    if came != count:
        raise Refusal(f"{came} exposures came where {count} were announced")


def _channels(sensor: Sensor) -> dict[str, Any]:
    names = ["coded", "complement"] if sensor.buckets == 2 else [f"bucket{b}" for b in range(sensor.buckets)]
    bits = {"SignificantBits": sensor.readout.bits} if sensor.readout.bits else {}
    return {"Channel": {"Name": names}, **bits}


def _annotation(tiff: tifffile.TiffFile, path: Path) -> dict[str, Any]:
    xml = tiff.ome_metadata
    if not xml:
        raise Refusal(f"{path} is a TIFF but not a c2b capture: it has no OME metadata, or lost it where it was cut short")
    for note in ElementTree.fromstring(xml).iterfind(".//{*}CommentAnnotation"):
        value = note.find("{*}Value")
        if note.get("Namespace") == NAMESPACE and value is not None:
            document = json.loads(value.text or "")
            if document.get("schema") != SCHEMA or document.get("schema_version") != SCHEMA_VERSION:
                found = f"{document.get('schema')} version {document.get('schema_version')}"
                raise Refusal(f"{path} follows {found}; known: {SCHEMA} version {SCHEMA_VERSION}")
            return document
    raise Refusal(f"{path} is an OME-TIFF but not a c2b capture: it has no annotation {NAMESPACE}")


def _array(series: Mapping[str, Any], name: str, facts: Mapping[str, Any], path: Path) -> NDArray:
    if name not in series:
        raise Refusal(f"{path} is damaged: its array {name} is missing")
    array = series[name].asarray().astype(facts["dtype"]).reshape(facts["shape"])
    array.setflags(write=False)
    return array


def _mapped(series: Mapping[str, Any], facts: Mapping[str, Any], path: Path) -> NDArray:
    """The images as a memory map; read whole only if another program has compressed them."""
    meas = series["meas"]
    exposures, buckets, _, height, width, samples = meas.get_shape(False)  # T C Z Y X S
    shape = (exposures, buckets, height, width) + (3,) * (samples == 3)
    if meas.dtype.name != facts["dtype"]:
        raise Refusal(f"{path} is damaged: its images are {meas.dtype.name}, not {facts['dtype']}")
    if meas.dataoffset is None:
        return meas.asarray(squeeze=False).reshape(shape)
    needed = meas.dataoffset + int(np.prod(shape)) * meas.dtype.itemsize
    if path.stat().st_size < needed:
        raise Refusal(f"{path} is cut short: {path.stat().st_size} bytes of at least {needed}")
    return np.memmap(path, meas.dtype.newbyteorder(meas.keyframe.parent.byteorder), "r", meas.dataoffset, shape)


def _sha(array: NDArray) -> str:
    sha = hashlib.sha256()
    for part in array if array.ndim > 1 else array[None]:
        sha.update(np.ascontiguousarray(part).data)
    return sha.hexdigest()


def _seal(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _check_room(path: Path, size: int) -> None:
    folder = path.parent
    if folder.is_dir() and shutil.disk_usage(folder).free < size + OVERHEAD:
        free = shutil.disk_usage(folder).free
        raise Refusal(f"cannot write {path}: it needs {size / 1e6:.0f} MB and the disk has {free / 1e6:.0f} MB left")
