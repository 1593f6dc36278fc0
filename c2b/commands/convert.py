"""``c2b convert``"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from c2b.options import NOTHING, MeasurementOptions, StoredPartOptions, Whole
from c2b.source import AS_STORED, Levels, Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensors.capture import Capture


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
        Order of bucket PNG pairs: bucket1 collects while the code is 0.
    exposure
        For .dng: which exposure.
    bucket
        For .dng and .mat: which bucket; 0 collects while the code is 1.
    orig
        For .mat: the true frames, a video; default: those of the source.
    camera
        Camera of .bmp mask stacks: t6 or t7.
    part
        Which part of a video, and as what: see the options below.
    """
    from c2b import captures
    from c2b.output_path import refuse_input

    refuse_input(source, target)
    of_capture = {**said.given, "swap": swap_buckets}
    given = {"exposure": exposure, "bucket": bucket, "orig": orig}
    kind = captures.format_of(source)
    what = what or _wanted(source, target, camera, has_code=bool(said.code), holds_capture=kind is not None)
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
        _refuse_absent(source)
        levels = said.levels(source)
        others = {key: value for key, value in of_capture.items() if key not in levels}
        _refuse({**others, **given, "camera": camera}, f"{source} is a video")
        _video(target, Source(source, Levels(white=levels.get("white"), black=levels.get("black")), part))


def _wanted(source: str, target: str, camera: str, *, has_code: bool, holds_capture: bool) -> Literal["capture", "video", "code"]:
    """What to take from a file, by what it may hold and what the target is."""
    from c2b import captures, code_files

    written = captures.format_named(target)
    if holds_capture:
        return "capture" if written else "code" if code_files.no_video(target) else "video"
    if captures.may_be_measurement(source) and (has_code or (written is not None and written.distinctive)):
        return "capture"
    return "code" if _code(source, target, camera) is not None else "video"


def _capture(source: str, target: str, how: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    from c2b import captures
    from c2b.captures.remarks import remarks, unseen
    from c2b.terminal import counted

    capture, kind = _read(source, how), captures.format_written(target)
    options = {name: value for name, value in given.items() if value not in (None, "")}
    _refuse({name: value for name, value in options.items() if name not in kind.options}, f"{target} holds whole captures")
    if "orig" in kind.options and (truth := options.pop("orig", "") or _own_truth(source)):
        options["orig"] = _frames(truth, capture)
    captures.write_capture(target, capture, **options)
    size = "x".join(map(str, capture.images.shape[2:]))
    count = 1 if "exposure" in kind.options else len(capture)
    buckets = 1 if "bucket" in kind.options else capture.sensor.buckets
    lost = f"; left out: {kind.drops}" if kind.drops else ""
    print(f"{target}: {counted(count, 'exposure')} of {counted(buckets, 'bucket')}, {size}{lost}")
    for line in (*remarks(capture.record), *unseen(capture.sensor)):
        print(line)


def _own_truth(source: str) -> str:
    """The source, if it holds true frames."""
    from pathlib import Path

    from c2b.captures import format_of

    kind = format_of(source)
    return source if kind and kind.holds_truth(Path(source)) else ""


def _frames(video: str, capture: Capture) -> NDArray:
    from c2b.captures.true_frames import in_unit_of
    from c2b.source import open_video

    with open_video(video) as recording:
        return in_unit_of(capture, recording)


def _write_code(source: str, target: str, camera: str, how: Mapping[str, Any]) -> None:
    from c2b import captures, code_files
    from sensors.refusal import Refusal

    if captures.format_of(source):
        code = _read(source, how).sensor.code
    elif (found := _code(source, target, camera)) is None:
        raise Refusal(f"{source} is neither a code nor a capture")
    else:
        code = found
    code_files.write_code(target, code, camera=camera if code_files.is_mask_stack(target) else "")
    print(f"{target}: code of shape {'x'.join(map(str, code.shape))}")


def _video(target: str, source: Source) -> None:
    from c2b.terminal import counted, progress
    from c2b.video.writing import loss, write_video

    with source.open() as shown:
        write_video(target, shown, progress=progress)
        lost = loss(target, shown)
        print(f"{target}: {counted(len(shown), 'frame')} of {shown.height}x{shown.width}{f'; {lost}' if lost else ''}")


def _read(source: str, how: Mapping[str, Any]) -> Capture:
    from c2b.captures import read_capture

    return read_capture(source, **{key: value for key, value in how.items() if value is not False})


def _code(source: str, target: str, camera: str) -> NDArray | None:
    from c2b import code_files
    from c2b.code_or_video import certain_code, possible_code

    if camera and code_files.is_mask_stack(source):
        return code_files.read_code(source, camera=camera)
    return (possible_code if code_files.no_video(target) else certain_code)(source)


def _refuse_absent(source: str) -> None:
    """A Refusal if a file is named that is not there."""
    from pathlib import Path

    from sensors import spec
    from sensors.refusal import Refusal

    if spec.is_file(source) and not Path(source).exists():
        raise Refusal(f"there is no file or folder {source}")


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
