"""``c2b plot``"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from c2b.options import Whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from c2b.video.recording import Recording

#: Frames of an animation at most.
LONGEST_FILM = 180


def plot(
    file: str,
    png: Path,
    /,
    *more: Path,
    exposure: Whole = 0,
    sensor: str = "",
    white: float | None = None,
    black: float | None = None,
    megabytes: float = 20.0,
) -> None:
    """Draw a capture, a code or a video, several videos side by side, or the page of a comparison.

    Parameters
    ----------
    file
        Capture, code (name or file), video or scene, or the report folder of a comparison. An array that may be a code or a video is a
        video; as a code: c2b codes x.npy --png x.png
    png
        .png .svg .pdf; .gif for an animation of a video; .html for the page of a comparison, out of what its folder holds.
    more
        Videos of equal size, side by side, and the picture last: c2b plot a.mp4 b.mp4 both.gif
    exposure
        Which exposure of a capture.
    sensor
        Sensor of a capture in place of its own, such as a sensor file.
    white
        The stored value of white in a video. Default: what the file says, else its largest number.
    black
        The stored value of no light in a video. Default: what the file says, else 0.
    megabytes
        Size of a page: its frames are compressed, and reduced if need be, until it is no larger.
    """
    from c2b import captures
    from c2b.code_or_video import certain_code
    from c2b.output_path import refuse_input
    from c2b.plots import MOVING_SUFFIXES, save
    from c2b.report.page import PAGE_SUFFIXES

    files, png = [file, *map(str, (png, *more)[:-1])], (png, *more)[-1]
    for each in files:
        refuse_input(each, png)
    if png.suffix.lower() in PAGE_SUFFIXES:
        _page(Path(file), png, megabytes)
        return
    levels = {name: value for name, value in (("white", white), ("black", black)) if value is not None}
    if len(files) > 1:
        _films(files, png, levels)
    elif captures.format_of(file) and not levels:
        save(_capture(file, exposure, sensor), png)
    elif png.suffix.lower() in MOVING_SUFFIXES and certain_code(file) is None:
        _films(files, png, levels)
    else:
        save(_code_or_video(file, levels), png)
    print(f"{png}: picture of {', '.join(files)}")


def _page(report: Path, html: Path, megabytes: float) -> None:
    from c2b.comparison_store import Store
    from c2b.report.comparison_page import write_comparison_page

    write_comparison_page(html, Store(report), megabytes=megabytes)
    print(f"{html}: page of {report}, {html.stat().st_size / 1e6:.1f} MB")


def _capture(file: str, exposure: int, sensor: str) -> Figure:
    from c2b.captures import read_capture
    from c2b.plots.capture_picture import capture_figure
    from sensors.refusal import Refusal

    capture = read_capture(file, sensor=sensor)
    if not 0 <= exposure < len(capture):
        raise Refusal(f"{file} has exposures 0 .. {len(capture) - 1}, not {exposure}")
    readout, chip = capture.sensor.readout, capture.sensor
    tile = chip.code.shape[-2:]
    return capture_figure(
        capture.images[exposure],
        tile=tile if max(tile) <= 32 else None,
        origin=chip.origin,
        saturation=None if readout.stored_bits is None else 2**readout.stored_bits - 1,
        unit="charge" if readout.ideal else "DN",
        title=f"{Path(file).name}, exposure {exposure}",
        subtitle=f"{capture.record.get('sensor_spec', type(chip).__name__)}, {capture.record.get('code_spec', '')}",
    )


def _code_or_video(file: str, levels: Mapping[str, Any]) -> Figure:
    import numpy as np

    from c2b.code_or_video import certain_code, possible_code
    from c2b.plots.code_picture import code_figure
    from c2b.plots.strip import strip_figure
    from c2b.source import open_video
    from sensors.refusal import Refusal

    if not levels and (code := certain_code(file)) is not None:
        return code_figure(code, title=file)
    try:
        with open_video(file, **levels) as recording:
            chosen = sorted({round(i * (len(recording) - 1) / 4) for i in range(5)})
            stored = np.stack([recording[t] for t in chosen])
            shown = (stored - recording.black) / (recording.white - recording.black)
            return strip_figure({"": shown}, times=chosen, title=Path(file).name)
    except Refusal:
        if levels or (code := possible_code(file)) is None:
            raise
    return code_figure(code, title=file)


def _films(files: Sequence[str], picture: Path, levels: Mapping[str, Any]) -> None:
    """An animation of videos, or five moments of each below one another."""
    from contextlib import ExitStack

    from c2b.plots import MOVING_SUFFIXES, save
    from c2b.plots.animation import write_animation
    from c2b.plots.strip import strip_figure
    from c2b.source import open_video
    from sensors.refusal import Refusal

    with ExitStack() as opened:
        videos = [opened.enter_context(open_video(file, **levels)) for file in files]
        if len({video.shape[1:] for video in videos}) > 1:
            sizes = ", ".join(f"{file} {video.height}x{video.width} {video.colour}" for file, video in zip(files, videos, strict=True))
            raise Refusal(f"videos side by side have one size and one number of colours, not {sizes}")
        count = min(min(map(len, videos)), LONGEST_FILM)
        moving = picture.suffix.lower() in MOVING_SUFFIXES
        times = [*range(count)] if moving else sorted({round(i * (count - 1) / 4) for i in range(5)})
        names = [Path(file).name for file in files]
        labels = names if len({*names}) == len(names) else files
        shown = {name: _irradiance(video, times) for name, video in zip(labels, videos, strict=True)}
        if moving:
            write_animation(picture, shown)
        else:
            save(strip_figure(shown, times=times, title=""), picture)


def _irradiance(video: Recording, times: Sequence[int]) -> NDArray:
    """Some frames as stored, 1 = white."""
    import numpy as np

    return (np.stack([video[t] for t in times]) - video.black) / (video.white - video.black)
