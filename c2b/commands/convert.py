"""``c2b convert``"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

from c2b.options import NOTHING, Measurement, MeasurementOptions, StoredPartOptions, Whole
from c2b.source import AS_STORED, Levels, Source


def convert(
    source: str,
    target: str,
    /,
    *,
    what: Literal["capture", "video", "code"] | None = None,
    said: MeasurementOptions = NOTHING,
    swap_buckets: bool = False,
    exposure: Whole | None = None,
    bucket: Whole | None = None,
    orig: str = "",
    camera: str = "",
    part: StoredPartOptions = AS_STORED,
) -> None:
    """From one video, code or capture format to another.

    Parameters
    ----------
    source
        Video file, folder or scene; code, by name or file; or capture: .c2b.ome.tif .npz .h5, SCI .mat, a folder of bucket PNG pairs;
        with --code a measurement of your own: .npy .npz .h5 .mat, a TIFF stack, a picture or a folder of pictures.
    target
        Video: .mkv .avi .mp4 .mov .tif .npy, or a folder for PNG; code: .npy .npz .txt .bmp; capture: .c2b.ome.tif .npz .h5, .mat or
        .v73.mat (SCI), .dng, or FOLDER/ for bucket PNG pairs.
    what
        What to take from a file that holds several things: the capture, its code, or the true frames. Default: what the target is.
    said
        What the file of a capture does not say: see the options below.
    swap_buckets
        Of bucket PNG pairs: bucket1 collects while the code is 0.
    exposure
        For .dng: which exposure.
    bucket
        For .dng and .mat: which bucket; 0 collects while the code is 1.
    orig
        For .mat: the true frames, a video; default: those of the source.
    camera
        Of .bmp mask stacks: t6 or t7.
    part
        Which part of a video, and as what: see the options below.
    """
    from c2b import captures
    from c2b.output_path import refuse_input

    refuse_input(source, target)
    of_capture = {**said.given, "swap": swap_buckets}
    given = {"exposure": exposure, "bucket": bucket, "orig": orig}
    kind = captures.format_of(source)
    if what is None and kind is None and _is_measured(source, target, said):
        what = "capture"
    what = what or (_held(source, target) if kind else "code" if _code(source, target, camera) is not None else "video")
    if what == "capture":
        _refuse({**asdict(part), "camera": camera}, f"{source} is a capture")
        _capture(source, target, of_capture, given)
    elif what == "code":
        _refuse(
            {**asdict(part), **given, **({} if kind else of_capture)},
            f"{source} is a code" if kind is None else f"the code of {source} is asked for",
        )
        _write_code(source, target, camera, of_capture)
    else:
        levels = said.levels(source)
        others = {key: value for key, value in of_capture.items() if key not in levels}
        _refuse({**others, **given, "camera": camera}, f"{source} is a video")
        _video(target, Source(source, Levels(white=levels.get("white"), black=levels.get("black")), part))


def _is_measured(source: str, target: str, said: Measurement) -> bool:
    """Whether a file that may be a video is meant as a measurement: its code is given, or nothing but a capture has such a name."""
    from pathlib import Path

    from c2b.captures.own_measurement import may_be

    return Path(source).exists() and may_be(Path(source)) and (bool(said.code) or target.lower().endswith(".c2b.ome.tif"))


def _held(source: str, target: str) -> Literal["capture", "video", "code"]:
    """What a capture file gives for this target."""
    from c2b import captures

    if captures.format_named(target):
        return "capture"
    return "code" if target.lower().endswith((".txt", ".bmp")) else "video"


def _capture(source: str, target: str, how: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    from c2b import captures
    from c2b.captures.remarks import remarks
    from c2b.terminal import counted

    capture, kind = _read(source, how), captures.format_named(target)
    if kind is None:
        captures.write_capture(target, capture)  # which says what names there are
    options = {name: value for name, value in given.items() if value not in (None, "")}
    if kind.suffix.endswith(".mat") and (truth := options.pop("orig", "") or _own_truth(source)):
        options["orig"] = _frames(truth, capture)
    known = {"exposure", "bucket"} if kind.suffix == ".dng" else {"bucket", "orig"} if kind.suffix.endswith(".mat") else set()
    _refuse({name: value for name, value in options.items() if name not in known}, f"{target} holds whole captures")
    captures.write_capture(target, capture, **options)
    size = "x".join(map(str, capture.images.shape[2:]))
    count = 1 if kind.suffix == ".dng" else len(capture)
    buckets = 1 if "bucket" in known else capture.sensor.buckets
    lost = "" if kind.exact or not kind.drops else f"; left out: {kind.drops}"
    print(f"{target}: {counted(count, 'exposure')} of {counted(buckets, 'bucket')}, {size}{lost}")
    for line in remarks(capture.record):
        print(line)


def _own_truth(source: str) -> str:
    """The source, if it holds true frames."""
    from pathlib import Path

    from c2b.captures import format_of, mat_file, sci_mat

    return (
        source if getattr(format_of(source), "holds_video", False) and sci_mat.original(mat_file.contents(Path(source))) else ""
    )


def _frames(video: str, capture: Any) -> Any:
    """True frames in the unit of the capture, as they are stored where that is their unit."""
    import numpy as np

    from c2b.source import open_video

    with open_video(video) as recording:
        if recording.response == "none" and recording.black == 0 and recording.white == capture.white:
            return recording[:]
        return recording.irradiance() * np.float32(capture.white)


def _write_code(source: str, target: str, camera: str, how: Mapping[str, Any]) -> None:
    from c2b import captures, code_files
    from sensors.refusal import Refusal

    if captures.format_of(source):
        code = _read(source, how).sensor.code
    elif (code := _code(source, target, camera)) is None:
        raise Refusal(f"{source} is neither a code nor a capture")
    code_files.write_code(target, code, camera=camera if target.lower().endswith(".bmp") else "")
    print(f"{target}: code of shape {'x'.join(map(str, code.shape))}")


def _video(target: str, source: Source) -> None:
    from c2b.terminal import counted, progress
    from c2b.video.writing import loss, write_video

    with source.open() as shown:
        write_video(target, shown, progress=progress)
        lost = loss(target, shown)
        print(f"{target}: {counted(len(shown), 'frame')} of {shown.height}x{shown.width}{f'; {lost}' if lost else ''}")


def _read(source: str, how: Mapping[str, Any]) -> Any:
    from c2b.captures import read_capture

    return read_capture(source, **{key: value for key, value in how.items() if value is not False})


def _code(source: str, target: str, camera: str) -> Any:
    from c2b import code_files
    from c2b.code_or_video import certain_code, possible_code

    if camera and source.lower().endswith(".bmp"):
        return code_files.read_code(source, camera=camera)
    return (possible_code if target.lower().endswith((".npz", ".txt", ".bmp")) else certain_code)(source)


def _refuse(options: Mapping[str, Any], why: str) -> None:
    """A Refusal if an option is set that has no meaning here."""
    from sensors.refusal import Refusal

    words = {"swap": "swap-buckets"}
    wrong = [
        f"--{words.get(name, name)}"
        for name, value in options.items()
        if value not in ("", "stored") and value is not None and value is not False
    ]
    if wrong:
        raise Refusal(f"{why}; {', '.join(wrong)} {'do' if len(wrong) > 1 else 'does'} not belong to it")
