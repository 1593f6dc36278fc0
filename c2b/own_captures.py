"""Captures of one's own to what a method goes on learning from: files and folders of them, without a truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import recon
from c2b.captures import format_read, read_capture
from recon import weight_file
from recon.learned.method import Learned
from recon.reconstructor import Reconstructor
from sensors import spec
from sensors.refusal import Refusal

if TYPE_CHECKING:
    from sensors.capture import Capture

#: Settings of a fine-tuning where nothing else is said: minutes, and small steps. `docs/laboratory.md` has what they gain.
SETTINGS: dict[str, Any] = {
    "steps": 96,
    "batch": 4,
    "crop": 72,
    "rate": 5e-5,
    "warm_up": 20,
    "decay": 0.5,
    "average": 0.98,
    "every": 48,
    "distinct": 24,
    "photographs": 0.0,
    "skip": 1,
}


def learner(method: str, seed: int, capture: Capture) -> tuple[Learned, str]:
    """The method that goes on from its weights, and its full name; what the name says goes before `SETTINGS`.

    Errors are looked at in the encoding in which the weights learnt, unless the name says another.

    Raises
    ------
    Refusal
        If there is no such method, it is no network, or it has no weights for the capture.
    """
    name, words = spec.parse(method)
    kind = spec.find(recon.METHODS, "method", name)
    if not issubclass(kind, Learned):
        raise Refusal(f"{name} does not go on from weights; --captures is for networks: unfolding, pair ...")
    plain: Any = recon.make(method)
    sensor = capture.sensor.at(0)
    if reason := plain.refusal(sensor):
        raise Refusal(reason)
    weights = str(words.get("weights") or plain.shipped(sensor))
    usual = {"weights": weights, "response": _response(weights, kind)}
    label = spec.write(name, {**usual, **SETTINGS, "seed": seed, **words})
    made: Any = recon.make(label)
    return made, label


def read(paths: Iterable[Path], **said: Any) -> list[Capture]:
    """The captures: files, folders that are one, folders of them.

    Parameters
    ----------
    paths : iterable of path
    **said
        As `c2b.captures.read_capture` takes them: code, sensor, white, black.

    Raises
    ------
    Refusal
        If there is none, or one cannot be read.
    """
    return [read_capture(one, **_known(one, said)) for path in paths for one in _captures(path, "code" in said)]


def _captures(path: Path, with_code: bool) -> Sequence[Path]:
    if format_read(path, with_code=with_code) is not None or not path.is_dir():
        return [path]
    inside = sorted(one for one in path.iterdir() if not one.name.startswith("."))
    found = [one for one in inside if format_read(one, with_code=with_code) is not None]
    if not found:
        raise Refusal(f"the folder {path} holds no captures; needed: NAME.c2b.ome.tif, folders of bucket PNG pairs ...")
    return found


def _known(path: Path, said: dict[str, Any]) -> dict[str, Any]:
    """What is said, of a capture that does not say it itself."""
    kind = format_read(path, with_code="code" in said)
    return said if kind is not None and kind.needs_code else {key: said[key] for key in ("white", "black") if key in said}


def _response(weights: str, kind: type[Reconstructor]) -> str:
    """The encoding in which these weights learnt."""
    document = weight_file.describe(weight_file.locate(weights))
    words = {**spec.parse(str(document.get("trained") or kind.__name__))[1], **document.get("settings", {})}
    return str(words.get("response", "none"))
