"""``c2b info``"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from c2b.commands import Said

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from c2b.video.recording import Recording
    from sensors.capture import Capture

NOTHING = Said()

#: Side in pixels up to which frames may be the tile of a code.
LARGEST_TILE = 64


def info(file: str, /, *, said: Said = NOTHING, json: bool = False) -> None:
    """Say what a file is: capture, video, code, or weights and what they were trained for.

    A file that holds both, such as an SCI scene with its true frames, is told as a capture.

    Parameters
    ----------
    file
        Any file that c2b reads, or the name of a scene, a code or weights (c2b list). With --code also a measurement of your own.
    said
        What the file of a capture does not say: see the options below.
    json
        Print JSON.
    """
    from json import dumps

    from c2b.commands import table

    facts = _facts(file, said)
    if json:
        print(dumps(facts))
    else:
        table(["", ""], _lines(facts), file)


def _facts(file: str, said: Said) -> dict[str, Any]:
    from pathlib import Path

    from c2b import captures
    from c2b.commands import a_code, open_video
    from recon import weight_file
    from sensors.refusal import Refusal

    if file.endswith(".safetensors") or (not Path(file).exists() and weight_file.locate(file).is_file()):
        return {"kind": "weights", **weight_file.describe(weight_file.locate(file))}
    if (kind := captures.format_of(file)) or said.given:
        summary = kind.summary(Path(file)) if hasattr(kind, "summary") else {}
        try:
            capture = captures.read_capture(file, **said.given)
        except captures.CodeMissing:
            if kind is None:
                raise
            return {"kind": "capture", **summary, "code": "not in the file; c2b reconstruct and convert take it as --code"}
        return _capture_facts(capture, summary)
    if (code := a_code(file)) is None:
        try:
            with open_video(file) as recording:
                return {
                    "kind": "video",
                    **({"as a code": f"c2b codes {file}"} if _is_like_a_code(file, recording) else {}),
                    **({"as a measurement": f"c2b info {file} --code MASK"} if _is_like_a_measurement(file, recording) else {}),
                    **recording.describe(),
                    **({"record": dict(recording.record)} if recording.record else {}),
                }
        except Refusal:
            if (code := a_code(file, perhaps_video=True)) is None:
                raise
    perhaps = Path(file).is_file() and Path(file).suffix.lower() in (".npy", ".tif", ".tiff")
    return {**_code_facts(code), **({"as a measurement": f"c2b info {file} --code MASK"} if perhaps else {})}


def _capture_facts(capture: Capture, summary: Mapping[str, Any]) -> dict[str, Any]:
    document, _ = capture.sensor.description()
    seen = {"exposures": len(capture), "buckets": capture.sensor.buckets, "frames per exposure": capture.sensor.frames}
    image = {"height": capture.images.shape[2], "width": capture.images.shape[3], "dtype": capture.images.dtype.name}
    return {
        "kind": "capture",
        **summary,
        **seen,
        **image,
        "saturated": [round(share, 5) for share in capture[:1].saturated],
        **document,
        "code": list(capture.sensor.code.shape),
        **capture.record,
        "digest": capture.sensor.digest,
    }


def _code_facts(code: NDArray) -> dict[str, Any]:
    from c2b.masks import TILE, describe

    told = describe(code)
    facts = {"kind": "code", "shape": list(code.shape), "dtype": code.dtype.name, "light": told["open"], "sha256": told["sha256"]}
    return facts if told["kind"] == TILE else {**facts, "mask": told["kind"]}


def _is_like_a_code(file: str, recording: Recording) -> bool:
    """Whether frames in a file that a code may have are no larger than a tile."""
    from pathlib import Path

    from c2b import code_files

    return Path(file).suffix.lower() in code_files.SUFFIXES and max(recording.height, recording.width) <= LARGEST_TILE


def _is_like_a_measurement(file: str, recording: Recording) -> bool:
    """Whether an array of grey pictures lies in a file that no program makes for videos alone, and no program of ours made it."""
    from pathlib import Path

    from c2b.captures import own_measurement

    return own_measurement.may_be(Path(file)) and recording.colour == "mono" and not recording.record


def _lines(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Key and value, nested keys dotted; what is not known or not set is left out."""
    for key, value in facts.items():
        if isinstance(value, dict):
            yield from _lines(value, f"{prefix}{key}.")
        elif value is not None:
            yield prefix + key, _short(value)


def _short(value: Any, most: int = 100) -> str:
    text = str(value)
    return text if len(text) <= most else text[: most - 4] + " ..."
