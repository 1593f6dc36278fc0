"""The document of a capture: sensor, readout, buckets, record and the sha256 of each array, as one JSON object.

The formats that hold everything (`ome_tiff`, `npz`, `hdf5`, `bucket_png`) store this document beside the images ``meas`` and the
arrays of the sensor, ``code`` first. Bucket 0 collects while the code is 1 (``active_when_code``: [1, 0]).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import c2b
import sensors
from sensors.absent_sensor import AbsentSensor
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.sensor import Sensor

SCHEMA = "c2b.capture"

#: Bytes of images that are hashed in no time.
HASHED_ANYWAY = 64_000_000

#: All is compared with its sha256, nothing, or all but the images.
Verify = bool | Literal["header"]
SCHEMA_VERSION = 1

#: Room left on the disk beside the images: code, maps, metadata.
OVERHEAD = 2**20


def describe(sensor: Sensor, record: Mapping[str, Any], sha: str, image: NDArray) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """The document of a capture whose images have this sha256, and the arrays of its sensor by name.

    Parameters
    ----------
    sensor : Sensor
    record : mapping
    sha : str
        Hash of all images, one exposure after another.
    image : ndarray, (B, H, W[, 3])
        One exposure, for its type.
    """
    description, arrays = sensor.description()
    if description["sensor"] not in sensors.SENSORS.values() and not isinstance(sensor, AbsentSensor):
        raise Refusal(
            f"a capture of {type(sensor).__name__} could not be read again: give the sensor a name first, "
            f'sensors.SENSORS["my-sensor"] = "{description["sensor"]}"'
        )
    facts = {name: {"dtype": a.dtype.name, "shape": list(a.shape), "sha256": sha_of(a)} for name, a in arrays.items()}
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


def text_of(document: Mapping[str, Any]) -> str:
    """The document as JSON text."""
    return json.dumps(document, allow_nan=False)


def parsed(text: str | bytes, path: Path) -> dict[str, Any]:
    """The document that a file holds; a Refusal if it follows another schema."""
    document = json.loads(text)
    if not isinstance(document, dict) or document.get("schema") != SCHEMA or document.get("schema_version") != SCHEMA_VERSION:
        found = f"{document.get('schema')} version {document.get('schema_version')}" if isinstance(document, dict) else "nothing"
        raise Refusal(f"{path} follows {found}; known: {SCHEMA} version {SCHEMA_VERSION}")
    return document


def capture_of(
    document: dict[str, Any], images: NDArray, arrays: Mapping[str, NDArray], path: Path, *, verify: Verify = True
) -> Capture:
    """The capture that a document and its arrays make.

    Parameters
    ----------
    verify : bool or "header"
        Whether to compare document and arrays with their sha256; "header": not images of more than `HASHED_ANYWAY`.

    Raises
    ------
    Refusal
        With ``verify``, if the document or an array is not what was written.
    """
    if document.pop("sha256") != _seal(document) and verify:
        raise Refusal(f"{path} is damaged: its description is not what was written (its sha256 differs)")
    facts = document["arrays"]
    if images.dtype.name != facts["meas"]["dtype"]:
        raise Refusal(f"{path} is damaged: its images are {images.dtype.name}, not {facts['meas']['dtype']}")
    for name in facts:
        if name != "meas" and name not in arrays:
            raise Refusal(f"{path} is damaged: its array {name} is missing")
    typed = {name: _typed(arrays[name], facts[name]) for name in facts if name != "meas"}
    for name, array in {"meas": images, **typed}.items():
        long = verify == "header" and name == "meas" and array.nbytes > HASHED_ANYWAY
        if verify and not long and sha_of(array) != facts[name]["sha256"]:
            raise Refusal(f"{path} is damaged: {name} is not what was written (its sha256 differs)")
    sensor = sensors.from_description(document["sensor"], typed, buckets=len(document["buckets"]))
    return Capture(images, sensor, dict(document["record"]))


def in_turn(exposures: Iterable[NDArray], count: int, sha: Any, path: Path) -> tuple[NDArray, Iterator[NDArray]]:
    """The first of ``count`` exposures, and all of them (the first too), checked and hashed as they pass.

    Raises
    ------
    Refusal
        If there is none, they differ in shape or type, another number comes, or the disk has no room for them.
    """
    exposures = iter(exposures)
    first = next(exposures, None)
    if first is None:
        raise Refusal(f"cannot write {path}: a capture has at least one exposure, and there is none")
    first = np.asarray(first)
    _check_room(path, first.nbytes * count)
    return first, _passing(first, exposures, count, sha)


def sha_of(array: NDArray) -> str:
    """sha256 of the values of an array, in order."""
    sha = hashlib.sha256()
    for part in array if array.ndim > 1 else array[None]:
        sha.update(np.ascontiguousarray(part).data)
    return sha.hexdigest()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever goes wrong while a file is read becomes a Refusal of one line that names the file."""
    try:
        yield
    except Refusal as error:
        raise error if str(path) in str(error) else Refusal(f"{path}: {error}") from None
    except Exception as error:  # whatever a damaged file makes its parser raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Refusal(f"{path} is damaged or cut short: {reason}") from None


def _typed(array: NDArray, facts: Mapping[str, Any]) -> NDArray:
    array = np.asarray(array).astype(facts["dtype"]).reshape(facts["shape"])
    array.setflags(write=False)
    return array


def _passing(first: NDArray, rest: Iterator[NDArray], count: int, sha: Any) -> Iterator[NDArray]:
    came = 0
    for image in chain([first], rest):
        came += 1
        if image.shape != first.shape or image.dtype != first.dtype:
            raise Refusal(f"exposures differ: {image.dtype} {image.shape} after {first.dtype} {first.shape}")
        if came > count:
            continue
        image = np.ascontiguousarray(image)
        sha.update(image.data)
        yield image
    if came != count:
        raise Refusal(f"{came} exposures came where {count} were announced")


def _seal(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _check_room(path: Path, size: int) -> None:
    folder = path.parent
    if folder.is_dir() and shutil.disk_usage(folder).free < size + OVERHEAD:
        free = shutil.disk_usage(folder).free
        raise Refusal(f"cannot write {path}: it needs {size / 1e6:.0f} MB and the disk has {free / 1e6:.0f} MB left")
