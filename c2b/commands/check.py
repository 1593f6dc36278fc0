"""``c2b check``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from c2b.options import NOTHING, MeasurementOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensors.capture import Capture


def check(
    capture: Path,
    video: str | None = None,
    /,
    *,
    said: MeasurementOptions = NOTHING,
    no_code: bool = False,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Look whether a capture is right, without a truth to compare with.

    Saturated, dark and missing samples, the ratio of the buckets against the duty cycle, hot pixels and dead lines, noise, neighbouring
    exposures, residuals, and how the code lies: each with what is normal and what usually causes it otherwise. Exit status 0 whatever
    it finds; --json says "ok".

    Parameters
    ----------
    capture
        As for c2b reconstruct.
    video
        As c2b reconstruct made it of this capture. Default: a quick reconstruction of the middle of the frame.
    said
        What the file does not say: see the options below.
    no_code
        Do not look how the code lies, which takes most of the time.
    plot
        One sheet with everything; .png .svg .pdf.
    json
        Print JSON.
    """
    from json import dumps

    from c2b.check.checkup import check as look
    from c2b.output_path import refuse_input
    from c2b.terminal import counted, table

    if plot is not None:
        refuse_input(capture, plot)
    taken = _read(capture, said)
    report = look(taken, None if video is None else _video(video, taken), code=not no_code)
    if json:
        print(dumps(report.document()))
    else:
        print(table(("what", "where", "value", "normal", ""), report.rows()))
        for line in report.causes():
            print(line)
        print(f"{capture}: {counted(len(report.findings), 'figure')} outside of what is normal, of {len(report.figures)}")
    if plot is not None:
        _draw(report, taken, plot, str(capture))


def _read(path: Path, said: Any) -> Capture:
    from c2b.captures import format_read, read_capture

    kind = format_read(path, with_code=bool(said.code))
    how: dict[str, Any] = {"check": False} if kind is not None and "check" in kind.read_options else {}
    return read_capture(path, **said.given, **how)


def _video(name: str, capture: Capture) -> NDArray:
    """The video (N, T, H, W[, 3]), as light."""
    from c2b.source import open_video
    from sensors.refusal import Refusal

    with open_video(name) as film:
        frames = film.irradiance()
    count, each = len(capture), capture.sensor.frames
    if len(frames) != count * each:
        raise Refusal(
            f"{name} has {len(frames)} frames and the capture {count} exposures of {each}; needed: the video made of it"
        )
    return frames.reshape(count, each, *frames.shape[1:])


def _draw(report: Any, capture: Capture, plot: Path, name: str) -> None:
    from c2b.plots import save
    from c2b.plots.check_picture import check_figure

    count = len(report.findings)
    subtitle = (
        "nothing outside of what is normal"
        if not count
        else f"{count} of {len(report.figures)} figures outside of what is normal"
    )
    save(check_figure(report, capture.planes()[0].charge[0], title=name, subtitle=subtitle), plot)
    print(f"{plot}: the check-up on one sheet")
