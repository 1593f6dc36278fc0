"""``c2b info``"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def info(file: str, *, json: bool = False) -> None:
    """Say what a file is: capture, video or code.

    Parameters
    ----------
    file
        Any file that c2b reads, or a scene.
    json
        Print JSON.
    """
    from json import dumps

    from c2b.commands import table

    facts = _facts(file)
    if json:
        print(dumps(facts))
    else:
        table(["", ""], [(key, _short(value)) for key, value in facts.items()], file)


def _facts(file: str) -> dict[str, Any]:
    from c2b import captures
    from c2b.code_files import SUFFIXES, read_code
    from c2b.commands import open_video
    from sensors.refusal import Refusal

    if captures.format_of(file):
        capture = captures.read_capture(file)
        document, _ = capture.sensor.description()
        seen = {"exposures": len(capture), "buckets": capture.sensor.buckets, "frames per exposure": capture.sensor.frames}
        image = {"height": capture.images.shape[2], "width": capture.images.shape[3], "dtype": capture.images.dtype.name}
        return {
            "kind": "capture",
            **seen,
            **image,
            **document,
            "code": list(capture.sensor.code.shape),
            **capture.record,
            "digest": capture.sensor.digest,
        }
    try:
        with open_video(file) as recording:
            return {"kind": "video", **recording.describe(), **({"record": dict(recording.record)} if recording.record else {})}
    except Refusal:
        if Path(file).suffix.lower() not in SUFFIXES or not Path(file).is_file():
            raise
    code = read_code(file)
    return {"kind": "code", "shape": list(code.shape), "dtype": code.dtype.name, "light": round(float(code.mean()), 4)}


def _short(value: Any, most: int = 110) -> str:
    text = ", ".join(f"{k}={_short(v)}" for k, v in value.items()) if isinstance(value, dict) else str(value)
    return text if len(text) <= most or isinstance(value, dict) else text[: most - 4] + " ..."
