"""What any file is and holds: capture, video, code, or weights and what they were trained for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from c2b.options import Measurement
    from c2b.video.recording import Recording
    from sensors.capture import Capture

#: What the facts of a file call the command by which it is read as a measurement.
AS_MEASUREMENT = "as a measurement"

#: What trained networks are looked at by.
CHECK_SCENE = "occluding-objects:frames={frames},height=150,width=210,seed=4"

#: Side in pixels up to which frames may be the tile of a code.
LARGEST_TILE = 64


def facts_of(file: str, said: Measurement, of_video: Mapping[str, Any]) -> dict[str, Any]:
    """What a file is and holds, as JSON has it; one whose light is given is a video, one whose code is given a capture.

    Parameters
    ----------
    file : str
        Any file that c2b reads, or the name of a scene, a code or weights.
    said : Measurement
        What the file of a capture does not say.
    of_video : mapping
        What is said of the light of a video, such as ``linearize``.

    Raises
    ------
    Refusal
        If it cannot be read.
    """
    from c2b import captures, code_files
    from c2b.captures import photograph
    from c2b.code_or_video import certain_code, possible_code
    from recon import weight_file
    from sensors.refusal import Refusal

    if of_video:
        return _video_facts(file, {**said.levels(file), **of_video})
    if weight_file.is_named(file):
        return {"kind": "weights", **weight_file.describe(weight_file.locate(file)), **_checked(weight_file.locate(file))}
    kind = captures.format_of(file)
    if kind or said.given.keys() - {"white", "black"}:
        summary = kind.summary(Path(file)) if kind and Path(file).exists() else {}
        try:
            capture = captures.read_capture(file, verify="header", **said.given)
        except captures.CodeMissing:
            if kind is None:
                raise
            return {"kind": "capture", **summary, "code": "not in the file; c2b reconstruct and convert take it as --code"}
        return _capture_facts(capture, summary)
    if photograph.is_picture(Path(file)):
        return _picture_facts(file)
    no_video: dict[str, Any] = {}
    if (code := certain_code(file)) is None:
        try:
            return _video_facts(file, {**said.levels(file), **of_video})
        except Refusal as reason:
            if (code := possible_code(file)) is None:
                raise
            no_video = {"as a video": f"refused: {reason}"}
    perhaps = Path(file).is_file() and code_files.shared_with_video(file)
    return {**_code_facts(code), **no_video, **({AS_MEASUREMENT: f"c2b info {file} --code MASK"} if perhaps else {})}


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


def _video_facts(file: str, levels: Mapping[str, Any]) -> dict[str, Any]:
    from c2b.source import open_video

    with open_video(file, **levels) as recording:
        return {
            "kind": "video",
            **({"as a code": f"c2b codes {file}"} if _is_like_a_code(file, recording) else {}),
            **({AS_MEASUREMENT: f"c2b info {file} --code MASK"} if _is_like_a_measurement(file, recording) else {}),
            **recording.describe(),
            **({"record": dict(recording.record)} if recording.record else {}),
        }


def _picture_facts(file: str) -> dict[str, Any]:
    """A picture is a mask where it can be read as one; it always is a photograph, or a measurement."""
    from c2b.captures import photograph
    from c2b.code_or_video import possible_code
    from sensors.refusal import Refusal

    ways = {"as a photograph": f"c2b reconstruct {file} VIDEO", AS_MEASUREMENT: f"c2b info {file} --code MASK"}
    no_code = {}
    try:
        if (code := possible_code(file)) is not None:
            return {**_code_facts(code), **ways}
    except Refusal as reason:
        no_code = {"as a code": f"refused: {reason}"}
    capture = photograph.read_photograph(Path(file))
    height, width = capture.images.shape[2:4]
    pixels = {"height": height, "width": width, "dtype": capture.images.dtype.name, "colour": capture.sensor.colour}
    frames = {"frames of a video out of it": capture.sensor.frames, "encoding": capture.record["encoding"]}
    return {"kind": "photograph", **pixels, **frames, **ways, **no_code}


def _code_facts(code: NDArray) -> dict[str, Any]:
    from c2b.masks import TILE, describe

    told = describe(code)
    facts = {"kind": "code", "shape": list(code.shape), "dtype": code.dtype.name, "light": told["open"], "sha256": told["sha256"]}
    return facts if told["kind"] == TILE else {**facts, "mask": told["kind"]}


def _checked(path: Path) -> dict[str, Any]:
    """What the network in a weight file makes of a scene: outputs that never change, and frames much worse than the others."""
    from importlib.util import find_spec

    import recon
    from c2b import scenes
    from recon import weight_file
    from recon.reconstructor import Reconstructor
    from sensors import spec

    method = weight_file.describe(path)["method"]
    kind: Any = spec.find(recon.METHODS, "method", method) if method in recon.METHODS else Reconstructor
    if not kind.continues:
        return {}
    if not find_spec("torch"):
        return {"outputs": "not looked at: torch is not installed"}
    from recon.learned.output_check import check_outputs

    learner = kind()
    trained = learner.load(path).trained_
    check = check_outputs(learner, trained, scenes.make(CHECK_SCENE.format(frames=len(trained.code)))[0 : len(trained.code)])
    card = {"card": str(path.with_suffix(".md")), "licence": "for research; see the card"}
    return {
        **(card if path.parent == weight_file.SHIPPED else {}),
        "constant outputs": "; ".join(map(str, check.constant)) or "none",
        "frames far below the others": ", ".join(f"{t} ({check.frames[t]:.1f} dB)" for t in check.worse) or "none",
        "psnr of frames, on a scene of c2b": [round(one, 1) for one in check.frames],
    }


def _is_like_a_code(file: str, recording: Recording) -> bool:
    """Whether frames in a file that a code may have are no larger than a tile."""
    from c2b import code_files

    return Path(file).suffix.lower() in code_files.SUFFIXES and max(recording.height, recording.width) <= LARGEST_TILE


def _is_like_a_measurement(file: str, recording: Recording) -> bool:
    """Whether an array of grey pictures lies in a file that no program makes for videos alone, and no program of ours made it."""
    from c2b.captures import may_be_measurement

    return may_be_measurement(file) and recording.colour == "mono" and not recording.record
