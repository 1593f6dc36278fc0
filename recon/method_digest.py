"""What decides the video that a method makes, written down: its settings, its parts, what it has learnt, and plug-ins."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recon.reconstructor import Reconstructor
from recon.source_digest import of_plug_ins
from sensors.sensor import Sensor


def digest(method: Reconstructor, sensor: Sensor) -> str:
    """sha256 over all that decides what a method makes of captures of a sensor, but for the source of these packages.

    Equal for methods of equal settings and equal weights, whatever the name of the weight file.
    """
    return hashlib.sha256(json.dumps(_described(method, sensor), sort_keys=True).encode()).hexdigest()


def _described(thing: Any, sensor: Sensor) -> dict[str, Any]:
    kind = type(thing)
    settings = {name: _plain(getattr(thing, name, None)) for name in _parameters(kind)}
    facts: dict[str, Any] = {"kind": _name(kind), "settings": settings, "plug-in": of_plug_ins([kind])}
    if isinstance(thing, Reconstructor):
        facts["parts"] = [_described(part, sensor) for part in thing.parts(sensor)]
        if learnt := thing.learnt(sensor):
            settings.pop("weights", None)  # told by what they hold
            facts["learnt"] = [_sha_of_file(one) if isinstance(one, Path) else _sha_of(one) for one in learnt]
    return facts


def _parameters(kind: type) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(kind).parameters)
    except ValueError:  # a compiled class tells none
        return ()


def _plain(value: Any) -> Any:
    """A setting as JSON; a file by what it holds, and an object by its kind, since parts are described by themselves."""
    if isinstance(value, (str, Path)):
        return _sha_of_file(Path(value)) if os.path.isfile(value) else str(value)  # noqa: PTH113  (False too where a name is too long)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, np.ndarray):
        return _sha_of(value)
    if inspect.isfunction(value):
        plain = [one for one in value.__code__.co_consts if not inspect.iscode(one)]
        return f"{_name(value)} {hashlib.sha256(value.__code__.co_code + repr(plain).encode()).hexdigest()}"
    return _name(type(value))


def _name(kind: Any) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _sha_of(array: NDArray) -> str:
    return hashlib.sha256(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes()).hexdigest()


def _sha_of_file(path: Path) -> str:
    stat = path.stat()
    return _sha_of_content(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha_of_content(path: Path, size: int, changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
