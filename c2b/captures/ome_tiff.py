"""The capture file: one self-contained OME-BigTIFF that Fiji, napari and MATLAB open.

========  ===============================================================================================
series    content
========  ===============================================================================================
meas      the images as read out, (T, C, Y, X[, S]) = (exposure, bucket, row, column[, colour]), uncompressed
code      the code as applied, (frame, row, column); 1-bit where it is all zeros and ones, else float32
others    maps of the sensor, such as leakage, by their name
========  ===============================================================================================

One JSON document in an OME CommentAnnotation has the rest: sensor, readout, timing, buckets, record, and the sha256 of each array and
of the document itself (see `document`).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray

from c2b.captures import document as documents
from c2b.captures.capture_format import CaptureFormat
from c2b.captures.document import Verify
from sensors.atomic_file import atomic_file
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.sensor import Sensor

NAMESPACE = "c2b/capture/v1"

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what tifffile logs is said in a refusal


class OmeTiff(CaptureFormat):
    """Read and write ``NAME.c2b.ome.tif``."""

    suffix = ".c2b.ome.tif"
    distinctive = True
    exact = True

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """By its name; or an OME-TIFF that says it is a capture, be it of another program."""
        name = path.name.lower()
        return name.endswith(OmeTiff.suffix) or (name.endswith((".ome.tif", ".ome.tiff")) and _says_capture(path))

    @classmethod
    def write(cls, path: str | Path, sensor: Sensor, exposures: Iterable[NDArray], count: int, record: Mapping[str, Any]) -> None:
        """Write ``count`` exposures (B, H, W[, 3]) one by one as they come, so that memory does not grow with their number."""
        path = Path(path)
        sha = hashlib.sha256()
        first, images = documents.in_turn(exposures, count, sha, path)
        with atomic_file(path) as partial, tifffile.TiffWriter(partial, bigtiff=True, ome=True) as tiff:
            axes = "TCYXS" if sensor.colour == "rgb" else "TCYX"
            tiff.write(
                (page for image in images for page in image),
                shape=(count, *first.shape),
                dtype=first.dtype,
                photometric="rgb" if sensor.colour == "rgb" else "minisblack",
                metadata={"axes": axes, "Name": "meas", "UUID": _uuid(sensor, record, first), **_channels(sensor)},
            )
            document, arrays = documents.describe(sensor, record, sha.hexdigest(), first)
            note = {"CommentAnnotation": {"Namespace": NAMESPACE, "Value": documents.text_of(document)}}
            for name, array in arrays.items():
                stored = array.reshape(-1, *array.shape[-2:])
                stored = stored.astype(bool) if stored.dtype == np.uint8 else stored
                tiff.write(stored, photometric="minisblack", metadata={"axes": "ZYX", "Name": name, **note})
                note = {}

    @classmethod
    def read(cls, path: Path, *, verify: Verify = True) -> Capture:
        """The capture in a file, its images mapped into memory."""
        with documents.reading(path), tifffile.TiffFile(path) as tiff:
            document = _annotation(tiff, path)
            series = {one.name: one for one in tiff.series}
            names = [name for name in document["arrays"] if name != "meas" and name in series]
            arrays = {name: series[name].asarray() for name in names}
            images = _mapped(series, document["arrays"]["meas"], path)
            return documents.capture_of(document, images, arrays, path, verify=verify)


def _uuid(sensor: Sensor, record: Mapping[str, Any], first: NDArray) -> str:
    """Identifier by what decides the file, so that the same run gives the same bytes."""
    told = json.dumps([sensor.digest, dict(record), hashlib.sha256(np.ascontiguousarray(first).data).hexdigest()], sort_keys=True)
    return f"urn:uuid:{uuid5(NAMESPACE_OID, told)}"


def _channels(sensor: Sensor) -> dict[str, Any]:
    names = ["coded", "complement"] if sensor.buckets == 2 else [f"bucket{b}" for b in range(sensor.buckets)]
    bits = {"SignificantBits": sensor.readout.stored_bits} if sensor.readout.stored_bits else {}
    return {"Channel": {"Name": names}, **bits}


def _says_capture(path: Path) -> bool:
    try:
        with tifffile.TiffFile(path) as tiff:
            notes = ElementTree.fromstring(tiff.ome_metadata or "<OME/>").iterfind(".//{*}CommentAnnotation")
            return any("capture" in str(note.get("Namespace")) for note in notes)
    except Exception:  # a TIFF that cannot be read is no capture; whoever opens it says why
        return False


def _annotation(tiff: tifffile.TiffFile, path: Path) -> dict[str, Any]:
    xml = tiff.ome_metadata
    if not xml:
        raise Refusal(f"{path} is a TIFF but not a c2b capture: it has no OME metadata, or lost it where it was cut short")
    other = ""
    for note in ElementTree.fromstring(xml).iterfind(".//{*}CommentAnnotation"):
        value = note.find("{*}Value")
        if note.get("Namespace") == NAMESPACE and value is not None:
            return documents.parsed(value.text or "", path)
        if "capture" in str(note.get("Namespace")):
            other = f", only {note.get('Namespace')} of another program, whose layout c2b does not read"
    raise Refusal(f"{path} is an OME-TIFF but not a c2b capture: it has no annotation {NAMESPACE}{other}")


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
