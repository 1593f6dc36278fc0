"""The commands, one file each; what several of them share is here.

A command is a typed function whose docstring is its help. It imports what it needs when it is called, since ``c2b --help`` reads
all docstrings.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from cyclopts import Parameter

if TYPE_CHECKING:
    from cyclopts import Token
    from numpy.typing import NDArray

    from c2b.video.recording import Recording
    from sensors.sensor import Sensor

Item = TypeVar("Item")

#: Letters of a word that a table does not break.
SHORT = 16

#: Of a frame that is resized, in pixels.
LARGEST_SIDE = 2**16


def whole(_: type, tokens: Sequence[Token]) -> int:
    """A number from 0 on; cyclopts alone would round 1.5."""
    text = tokens[0].value
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValueError(f"{text} is not a whole number from 0 on")
    return int(text)


Whole = Annotated[int, Parameter(converter=whole)]


@Parameter(name="*")
@dataclass(frozen=True)
class Said:
    """What the user says of a measurement whose file does not say it.

    Parameters
    ----------
    code
        Of a capture that does not hold its own: a name or a file. A file with its true frames takes the code that explains its meas, or
        any with --protocol cacti.
    sensor
        Of a measurement: a name, a preset or a sensor file. Default: an ideal coded pixel; two buckets for PNG pairs.
    white
        Of a measurement: what one white sub-exposure adds to it, above black. Default: as the file says, else the brightest sample.
        Of a video: the stored value of white. Default: as the file says, else its largest number.
    black
        Of a measurement: its value without light, or a file of dark pictures, which is subtracted. Of a video: the stored value of no
        light.
    axes
        time-first or time-last, or meas=time-first,mask=time-last, where arrays can be read in two ways.
    origin
        ROW,COLUMN of a mask larger than the frames at which they begin.
    """

    code: str = ""
    sensor: str = ""
    white: float | None = None
    black: str = ""
    axes: str = ""
    origin: str = ""

    def levels(self, video: str) -> dict[str, float]:
        """White and black as `open_video` takes them: of a video both are stored values."""
        from sensors.refusal import Refusal

        try:
            return {key: float(value) for key, value in (("white", self.white), ("black", self.black or None)) if value is not None}
        except ValueError:
            raise Refusal(f"{video} is a video: --black {self.black} is not a stored value such as 64") from None

    @property
    def given(self) -> dict[str, Any]:
        """As `c2b.captures.read_capture` takes them; nothing for what is not said."""
        from sensors.refusal import Refusal

        words = {"code": self.code, "sensor": self.sensor, "axes": self.axes, "black": self.black, "white": self.white}
        said: dict[str, Any] = {key: value for key, value in words.items() if value not in ("", None)}
        if self.origin:
            sides = self.origin.split(",")
            if len(sides) != 2 or not all(side.strip().isascii() and side.strip().isdigit() for side in sides):
                raise Refusal(f"--origin {self.origin} is not ROW,COLUMN such as 10,20")
            said["origin"] = (int(sides[0]), int(sides[1]))
        return said


def told_of(record: Mapping[str, Any]) -> Iterator[str]:
    """Lines about a capture that its user should hear: its mask, its axes, an assumed white, what was ignored."""
    from c2b import masks

    if "mask" in record:
        yield f"mask: {masks.text(record['mask'])}"
    if "axes" in record:
        yield f"axes: {record['axes']}"
    provenance = record.get("provenance")
    white = provenance.get("white") if isinstance(provenance, Mapping) else None
    if isinstance(white, str) and white.startswith("assumed: "):
        yield f"white: {record['white']:.6g}, {white}; --white states another"
    yield from (f"note: {note}" for note in record.get("notes", ()))


def progress(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Pass items on, with a bar on a terminal and silently in a pipe."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, what, total, console=Console(stderr=True), transient=True)


def counted(number: int, thing: str) -> str:
    """``1 frame``, ``2 frames``."""
    return f"{number} {thing}{'s' * (number != 1)}"


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]], title: str = "") -> None:
    """Print a table: as wide as the terminal, or as it needs where there is none; where it is tight, short words stay whole."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    columns, cells = tuple(columns), [[*map(str, row)] for row in rows]
    drawn = Table(title=title or None, box=SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    drawn.show_header = any(columns)
    for place, column in enumerate(columns):
        short = all(len(row[place]) <= SHORT and " " not in row[place] for row in cells)
        drawn.add_column(column, overflow="fold", no_wrap=short)
    for row in cells:
        drawn.add_row(*row)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False)
    with console.capture() as capture:
        console.print(drawn)
    print("\n".join(line.rstrip() for line in capture.get().rstrip().split("\n")) + "\n" * bool(title))


def open_video(text: str, *, linearize: str | None = None, white: float | None = None, black: float | None = None) -> Recording:
    """A video file or folder, or a scene by its name such as ``occluding-objects:frames=18``; what is doubtful of it is told."""
    from c2b import captures
    from c2b.scenes import SCENES
    from sensors import spec
    from sensors.refusal import Refusal

    if text.partition(":")[0] in SCENES and not Path(text).exists():
        from c2b.scenes.as_recording import SceneRecording

        if linearize not in (None, "none") or white is not None or black is not None:
            raise Refusal(f"{text} is a scene: linear light, 1 = white; it takes neither --linearize nor --white nor --black")
        return SceneRecording(text)
    from c2b.video.recording import open_recording

    if not Path(text).exists() and not spec.is_file(text):
        raise Refusal(f"there is no file or folder {text}; {spec.unknown('scene', text.partition(':')[0], SCENES)}")
    kind = captures.format_of(text) if Path(text).is_file() else None
    if kind and not getattr(kind, "holds_video", False):
        raise Refusal(f"{text} is a capture, not a video; c2b reconstruct makes a video of it")
    recording = open_recording(text, response=linearize, white=white, black=black)
    _ = recording.notes  # looked for now, so that they are told before the work and not after it
    return recording


def a_code(text: str, *, perhaps_video: bool = False) -> NDArray | None:
    """The code of that name, or in a file that no video has; None if it may be a video.

    With ``perhaps_video`` also from a file that could have been a video, and None if it is no code either.
    """
    import c2b
    from c2b import code_files, codes
    from sensors.refusal import Refusal

    suffix = Path(text).suffix.lower()
    if text.partition(":")[0] in c2b.CODES or (suffix in code_files.CODE_ONLY and Path(text).is_file() and not _true_frames(text)):
        return codes.make(text)
    try:
        return codes.make(text) if perhaps_video and suffix in code_files.SUFFIXES and Path(text).is_file() else None
    except Refusal:
        return None


def _true_frames(path: str) -> bool:
    """Whether a MATLAB file holds true frames and no code."""
    from c2b import array_names
    from c2b.captures import mat_file
    from sensors.refusal import Refusal

    if not path.lower().endswith(".mat"):
        return False
    try:
        names = mat_file.contents(Path(path))
    except Refusal:  # told of when it is read
        return False
    return array_names.frames(names) is not None and not array_names.codes(names)


def apart(source: str | Path, target: str | Path) -> None:
    """A Refusal if what would be written is what is read."""
    from sensors.refusal import Refusal

    if Path(source).exists() and Path(target).exists() and Path(source).samefile(target):
        raise Refusal(f"{target} is the input and would be overwritten; give the output another name")


def part_of(
    video: Recording, frames: str, rows: str, columns: str, channels: Literal["luma", "rgb"] | None, resize: str
) -> Recording:
    """The window on a recording that the options ask for."""
    return video.window(
        frames=a_slice("--frames", frames, len(video)),
        rows=a_slice("--rows", rows, video.height),
        columns=a_slice("--columns", columns, video.width),
        channels=channels,
        resize=a_size("--resize", resize),
    )


def a_slice(option: str, text: str, length: int) -> slice | None:
    """``10:90`` or ``10:90:2`` or ``7`` as a slice of so many; empty for all."""
    from sensors.refusal import Refusal

    if not text:
        return None
    try:
        parts = [int(part) if part else None for part in text.split(":")]
        if len(parts) > 3 or parts == [None]:
            raise ValueError
    except ValueError:
        raise Refusal(f"{option} {text} is not a range such as 0:720") from None
    if any(edge is not None and not -length <= edge <= length for edge in parts[:2]):
        raise Refusal(f"{option} {text} reaches beyond the {length} there are")
    if len(parts) == 1 and parts[0] is not None:
        return slice(parts[0], parts[0] + 1 or None)
    return slice(*parts)


def a_size(option: str, text: str) -> tuple[int, int] | None:
    """``1200x720``, width first as one says it, as (height, width)."""
    from sensors.refusal import Refusal

    if not text:
        return None
    width, _, height = text.partition("x")
    if not all(side.isascii() and side.isdigit() and 0 < int(side) <= LARGEST_SIDE for side in (width, height)):
        raise Refusal(f"{option} {text} is not WIDTHxHEIGHT such as 1200x720, up to {LARGEST_SIDE}x{LARGEST_SIDE}")
    return int(height), int(width)


def make_sensor(sensor: str, code: str, readout: str | None, colour: str) -> tuple[Sensor, dict[str, Any]]:
    """The sensor that the options name, for video of that colour, and what the capture should remember of its names.

    A colour filter is a setting like others: ``two-bucket:colour=rggb`` takes colour video, or video that is such a mosaic already.
    The readout is one of its own, or that of a preset, with the length of its sub-exposures for a sensor that has none.
    """
    from dataclasses import replace

    import sensors
    from c2b import codes
    from sensors import preset, spec
    from sensors.refusal import Refusal

    told = sensor
    given, sub_exposure = ({}, 0.0) if readout is None else _readout(readout)
    name, words = (sensor, {}) if Path(sensor).is_file() else spec.parse(sensor)
    if "colour" in words:
        filtered = words.pop("colour")
        if filtered not in ("mono", "rgb") and colour == "mono":
            raise Refusal(f"a sensor of colour={filtered} takes colour video; add --channels rgb")
        sensor, colour = name + ":" * bool(words) + ",".join(f"{key}={text}" for key, text in words.items()), filtered
    measured = name not in (*sensors.SENSORS, *sensors.PRESETS) and spec.is_file(name)
    if measured:
        from c2b import sensor_file

        made = sensor_file.read_sensor(name, codes.make(code), words, colour=colour, **given)
    else:
        made = sensors.make(sensor, codes.make(code), colour=colour, **given)
    if not made.timing.sub_exposure:
        made = replace(made, timing=replace(made.timing, sub_exposure=sub_exposure))
    record: dict[str, Any] = {
        "sensor_spec": told,
        "code_spec": code,
        "readout_spec": readout or ("preset" if name in sensors.PRESETS else "measured" if measured else "ideal"),
    }
    if measured:
        record["provenance"] = sensor_file.provenance(name, words)
    if name in sensors.PRESETS:
        record["provenance"] = preset.provenance(name, words)
    return made, record


def _readout(text: str) -> tuple[dict[str, Any], float]:
    """The readout of that name, and the length of its sub-exposures if it is that of a preset, else 0."""
    from dataclasses import fields

    import numpy as np

    import sensors
    from sensors import spec
    from sensors.photometry import Photometry
    from sensors.readout import Readout
    from sensors.refusal import Refusal

    name, words = spec.parse(text)
    if name in sensors.READOUTS:
        return {"readout": spec.make(sensors.READOUTS, "readout", text)}, 0.0
    if name not in sensors.PRESETS:
        raise Refusal(spec.unknown("readout", name, [*sensors.READOUTS, *sensors.PRESETS]))
    known = {f.name for group in (Readout, Photometry) for f in fields(group)} | {"sub_exposure"}
    if strange := words.keys() - known:
        raise Refusal(spec.unknown(f"setting of the readout of {name}", min(strange), sorted(known)))
    whole = sensors.make(text, np.ones((1, 1, 1), np.uint8))
    return {"readout": whole.readout}, whole.timing.sub_exposure
