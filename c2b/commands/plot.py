"""``c2b plot``"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from c2b.options import Whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(
    file: str, png: Path, /, *, exposure: Whole = 0, white: float | None = None, black: float | None = None, megabytes: float = 20.0
) -> None:
    """Draw a capture, a code or a video, or the page of a comparison.

    Parameters
    ----------
    file
        Capture, code (name or file), video or scene, or the report folder of a comparison. An array that may be a code or a video is a
        video; as a code: c2b codes x.npy --png x.png
    png
        .png .svg .pdf; .gif for an animation of a video; .html for the page of a comparison, out of what its folder holds.
    exposure
        Which exposure of a capture.
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

    refuse_input(file, png)
    if png.suffix.lower() in PAGE_SUFFIXES:
        _page(Path(file), png, megabytes)
        return
    levels = {name: value for name, value in (("white", white), ("black", black)) if value is not None}
    if captures.format_of(file) and not levels:
        save(_capture(file, exposure), png)
    elif png.suffix.lower() in MOVING_SUFFIXES and certain_code(file) is None:
        _film(file, png, levels)
    else:
        save(_code_or_video(file, levels), png)
    print(f"{png}: picture of {file}")


def _page(report: Path, html: Path, megabytes: float) -> None:
    from c2b.comparison_store import Store
    from c2b.report.comparison_page import write_comparison_page

    write_comparison_page(html, Store(report), megabytes=megabytes)
    print(f"{html}: page of {report}, {html.stat().st_size / 1e6:.1f} MB")


def _capture(file: str, exposure: int) -> Figure:
    from c2b.captures import read_capture
    from c2b.plots.capture_picture import capture_figure
    from sensors.refusal import Refusal

    capture = read_capture(file)
    if not 0 <= exposure < len(capture):
        raise Refusal(f"{file} has exposures 0 .. {len(capture) - 1}, not {exposure}")
    readout, sensor = capture.sensor.readout, capture.sensor
    tile = sensor.code.shape[-2:]
    return capture_figure(
        capture.images[exposure],
        tile=tile if max(tile) <= 32 else None,
        origin=sensor.origin,
        saturation=None if readout.stored_bits is None else 2**readout.stored_bits - 1,
        unit="charge" if readout.ideal else "DN",
        title=f"{Path(file).name}, exposure {exposure}",
        subtitle=f"{capture.record.get('sensor_spec', type(sensor).__name__)}, {capture.record.get('code_spec', '')}",
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


def _film(file: str, gif: Path, levels: Mapping[str, Any]) -> None:
    from c2b.plots.animation import write_animation
    from c2b.source import open_video

    with open_video(file, **levels) as recording:
        frames = recording[: min(len(recording), 180)]
        write_animation(gif, {Path(file).name: (frames - recording.black) / (recording.white - recording.black)})
