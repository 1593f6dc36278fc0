"""What makes a sensor, written down: the document that a capture file holds, and the digest by which equal sensors are known."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sensors.sensor import Sensor

#: Fields of a sensor that have a place of their own in the document.
NAMED = ("code", "readout", "timing", "colour", "origin", "optics")


def describe(sensor: Sensor) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """All that makes this sensor, as a JSON document and the arrays it names."""
    arrays: dict[str, NDArray] = {"code": sensor.code}
    settings: dict[str, Any] = {}
    for name in (f.name for f in fields(sensor) if f.name not in NAMED):
        value = getattr(sensor, name)
        if value is None:
            continue  # as if this version did not know the field
        (arrays if isinstance(value, np.ndarray) else settings)[name] = value
    document = {
        "sensor": f"{type(sensor).__module__}:{type(sensor).__qualname__}",
        "settings": settings,
        "readout": _plain(sensor.readout),
        "timing": _plain(sensor.timing),
        "colour": sensor.colour,
        "origin": list(sensor.origin),
    }
    if sensor.optics.acts:  # else as if this version did not know it
        document["optics"] = _plain(sensor.optics)
    return document, arrays


def digest(sensor: Sensor) -> str:
    """sha256 over the document and its arrays."""
    document, arrays = sensor.description()
    sha = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    for name in sorted(arrays):
        sha.update(f"{name}{arrays[name].dtype}{arrays[name].shape}".encode())
        sha.update(np.ascontiguousarray(arrays[name]).data)
    return sha.hexdigest()


def _plain(thing: Any) -> dict[str, Any]:
    return {f.name: getattr(thing, f.name) for f in fields(thing)}
