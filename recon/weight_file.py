"""Weights and priors on disk: safetensors with one JSON document that says what they are. Nothing here is ever unpickled."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import recon
from sensors.atomic_file import atomic_file
from sensors.plug_in import told
from sensors.refusal import Refusal

#: Where the weights that come with c2b lie; each NAME.safetensors has its card, NAME.md.
SHIPPED = Path(__file__).parent / "weights"

SCHEMA = "c2b-weights"

SUFFIX = ".safetensors"


def write(path: str | Path, tensors: Mapping[str, NDArray], document: Mapping[str, Any]) -> None:
    """Write tensors and their document; the file appears whole or not at all.

    Parameters
    ----------
    path : path
        Ends in ``.safetensors``.
    tensors : mapping of ndarray
    document : mapping
        JSON: ``method`` (a name of `recon.METHODS`) and what else `read` shall give back; ``plug_in`` is added where that is one.

    Raises
    ------
    Refusal
        If the name does not end in ``.safetensors``, or its folder is absent.
    """
    from safetensors.numpy import save

    path = Path(path)
    if path.suffix != ".safetensors":
        raise Refusal(f"{path.name}: weights are written as .safetensors")
    if plug_in := told(recon.METHODS.get(document.get("method", ""), "")):
        document = {**document, "plug_in": plug_in}
    content = save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, {SCHEMA: json.dumps(document)})
    with atomic_file(path) as partial:
        partial.write_bytes(content)


def read(path: str | Path, method: str) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """The tensors and the document of a weight file.

    Raises
    ------
    Refusal
        If the file is missing, damaged, not ours, or of another method than the one asked for.
    """
    path = Path(path)
    with _opened(path) as (file, document):
        if document["method"] != method:
            raise Refusal(f"{path.name} holds weights of {document['method']!r}, not of {method!r}")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
    if broken := [name for name, tensor in tensors.items() if not np.isfinite(tensor).all()]:
        raise Refusal(f"{path.name} is damaged: {broken[0]} holds values that are not finite")
    return tensors, document


def describe(path: str | Path) -> dict[str, Any]:
    """The document of a weight file alone, with the shape of the code it is for, if any, and how many parameters were learnt.

    Raises
    ------
    Refusal
        If the file is missing, damaged or not ours.
    """
    with _opened(Path(path)) as (file, document):
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118  (no mapping)
    return {**document, "code": shapes.pop("code", None), "parameters": sum(map(math.prod, shapes.values()))}


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The file, open, and its document."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.safetensors"))) or "none"
        raise Refusal(f"no weights at {path}; shipped: {known}")
    try:
        with safe_open(path, "numpy") as file:
            document = json.loads((file.metadata() or {}).get(SCHEMA, "null"))
            if not isinstance(document, dict) or "method" not in document:
                raise Refusal(f"{path.name} was not written by c2b: its metadata lack {SCHEMA!r}")
            yield file, document
    except Refusal:
        raise
    except (SafetensorError, ValueError, TypeError, RecursionError) as error:
        raise Refusal(f"{path.name} is damaged or no safetensors file: {str(error).splitlines()[0]}") from None


def locate(weights: str) -> Path:
    """The file of a name: a shipped one (``NAME``), or a path of one's own (with a ``/`` or the suffix)."""
    if "/" in weights or weights.endswith(SUFFIX):
        return Path(weights)
    return SHIPPED / f"{weights}.safetensors"


def is_named(text: str) -> bool:
    """Whether a word means weights: a file of theirs, or the name of shipped ones where there is no file of that name."""
    return text.endswith(SUFFIX) or (not Path(text).exists() and locate(text).is_file())
