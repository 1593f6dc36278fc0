"""The commands, one file each; what several of them share is here.

A command is a typed function whose docstring is its help. It imports what it needs when it is called.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from c2b.video.recording import Recording
    from sensors.sensor import Sensor

Item = TypeVar("Item")


def progress(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Pass items on, with a bar on a terminal and silently in a pipe."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, what, total, console=Console(stderr=True), transient=True)


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]], title: str = "") -> None:
    """Print a table: as wide as the terminal, or as it needs where there is none."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    drawn = Table(*columns, title=title or None, box=SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    for row in rows:
        drawn.add_row(*map(str, row))
    Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False).print(drawn)


def open_video(text: str, *, linearize: str | None = None) -> Recording:
    """A video file or folder, or a scene by its name such as ``occluding-objects:frames=18``."""
    from c2b.scenes import SCENES
    from sensors import spec

    if text.partition(":")[0] in SCENES and not Path(text).exists():
        from c2b.scenes.as_recording import SceneRecording

        return SceneRecording(text)
    from c2b.video.recording import open_recording
    from sensors.refusal import Refusal

    if not Path(text).exists() and not spec.is_file(text):
        raise Refusal(f"there is no file, folder or scene {text}; scenes: {', '.join(SCENES)}")
    return open_recording(text, response=linearize)


def part_of(
    video: Recording, frames: str, rows: str, columns: str, channels: Literal["luma", "rgb"] | None, resize: str
) -> Recording:
    """The window on a recording that the options ask for."""
    return video.window(
        frames=a_slice("--frames", frames),
        rows=a_slice("--rows", rows),
        columns=a_slice("--columns", columns),
        channels=channels,
        resize=a_size("--resize", resize),
    )


def a_slice(option: str, text: str) -> slice | None:
    """``10:90`` or ``10:90:2`` or ``7`` as a slice; empty for all."""
    from sensors.refusal import Refusal

    if not text:
        return None
    try:
        parts = [int(part) if part else None for part in text.split(":")]
        if len(parts) > 3 or parts == [None]:
            raise ValueError
    except ValueError:
        raise Refusal(f"{option} {text} is not a range such as 0:720") from None
    if len(parts) == 1 and parts[0] is not None:
        return slice(parts[0], parts[0] + 1 or None)
    return slice(*parts)


def a_size(option: str, text: str) -> tuple[int, int] | None:
    """``1200x720``, width first as one says it, as (height, width)."""
    from sensors.refusal import Refusal

    if not text:
        return None
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise Refusal(f"{option} {text} is not WIDTHxHEIGHT such as 1200x720")
    return int(height), int(width)


def make_sensor(sensor: str, code: str, readout: str | None, colour: str) -> tuple[Sensor, dict[str, Any]]:
    """The sensor that the options name, and what the capture should remember of its names."""
    import sensors
    from c2b import codes
    from sensors import preset, spec

    given = {} if readout is None else {"readout": spec.make(sensors.READOUTS, "readout", readout)}
    made = sensors.make(sensor, codes.make(code), colour=colour, **given)
    name, words = spec.parse(sensor)
    record: dict[str, Any] = {
        "sensor_spec": sensor,
        "code_spec": code,
        "readout_spec": readout or ("preset" if name in sensors.PRESETS else "ideal"),
    }
    if name in sensors.PRESETS:
        record["provenance"] = preset.provenance(name, words)
    return made, record
