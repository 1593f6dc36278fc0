"""Options that several commands share, as types of their parameters: whole numbers, and groups with their help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from c2b.source import Levels, Part, StoredPart
from sensors.refusal import Refusal

if TYPE_CHECKING:
    from cyclopts import Token


def whole(_: type, tokens: Sequence[Token]) -> int:
    """A number from 0 on; cyclopts alone would round 1.5."""
    text = tokens[0].value
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValueError(f"{text} is not a whole number from 0 on")
    return int(text)


Whole = Annotated[int, Parameter(converter=whole)]


#: Seeds of one range at most.
MOST_SEEDS = 10_000


def seeds(_: type, tokens: Sequence[Token]) -> tuple[int, ...]:
    """``3``, ``0:5`` or ``1,7``: numbers from 0 on, each once."""
    found: dict[int, None] = {}
    for piece in tokens[0].value.split(","):
        first, colon, last = piece.partition(":")
        if not all(end.isascii() and end.isdigit() and len(end) < 19 for end in ((first, last) if colon else (first,))):
            raise ValueError(f"{tokens[0].value} are not seeds such as 3, 0:5 or 1,7")
        if colon and int(last) - int(first) > MOST_SEEDS:
            raise ValueError(f"{piece} are {int(last) - int(first)} seeds; at most {MOST_SEEDS}")
        found |= dict.fromkeys(range(int(first), int(last)) if colon else [int(first)])
    if not found:
        raise ValueError(f"{tokens[0].value} are no seeds at all; 0:5 are five")
    return tuple(found)


Seeds = Annotated[tuple[int, ...], Parameter(converter=seeds, n_tokens=1)]


@dataclass(frozen=True)
class Measurement:
    """What the user says of a measurement whose file does not say it.

    Parameters
    ----------
    code
        Code of a capture that does not hold its own: a name or a file. A file with its true frames takes the code that explains its
        meas, or any with --protocol cacti.
    sensor
        Sensor of a measurement: a name, a preset or a sensor file. Default: an ideal coded pixel; two buckets for PNG pairs. Of a
        capture that holds its own: another in its place, such as the sensor file of the chip that took it.
    white
        White of a measurement: what one white sub-exposure adds to it, above black. Default: as the file says, else the brightest
        sample. White of a video: the stored value of white. Default: as the file says, else its largest number.
    black
        Black of a measurement: its value without light, or a file of dark pictures, which is subtracted. Black of a video: the stored
        value of no light.
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
        """White and black as `c2b.source.open_video` takes them: of a video both are stored values."""
        try:
            return {key: float(value) for key, value in (("white", self.white), ("black", self.black or None)) if value is not None}
        except ValueError:
            raise Refusal(f"{video} is a video: --black {self.black} is not a stored value such as 64") from None

    @property
    def given(self) -> dict[str, Any]:
        """As `c2b.captures.read_capture` takes them; nothing for what is not said."""
        words = {"code": self.code, "sensor": self.sensor, "axes": self.axes, "black": self.black, "white": self.white}
        said: dict[str, Any] = {key: value for key, value in words.items() if value not in ("", None)}
        if self.origin:
            sides = self.origin.split(",")
            if len(sides) != 2 or not all(side.strip().isascii() and side.strip().isdigit() for side in sides):
                raise Refusal(f"--origin {self.origin} is not ROW,COLUMN such as 10,20")
            said["origin"] = (int(sides[0]), int(sides[1]))
        return said


@dataclass(frozen=True)
class PageOfFrames:
    """The page of a comparison, and what it shows of the frames.

    Parameters
    ----------
    page
        One HTML file to look at and to mail: table, curves, differences, codes and captures, what was left out, and a viewer of the
        frames. It opens anywhere, without a network. From a report folder c2b plot report/ page.html makes it again.
    view
        Exposures whose frames are in the page, counted from 0; may be repeated. Rows that are known without them are computed again.
    megabytes
        Frames are compressed, and reduced if need be, until the page is no larger.
    """

    page: Path | None = None
    view: tuple[Whole, ...] = (0,)
    megabytes: float = 20.0

    @property
    def exposures(self) -> tuple[int, ...]:
        """Exposures whose frames are wanted: none without a page, which is refused if it cannot be written."""
        from c2b.report.page import refuse_unless_page

        if self.page is None:
            return ()
        refuse_unless_page(self.page)
        return self.view


#: Nothing is said.
NOTHING = Measurement()
NO_PAGE = PageOfFrames()

#: The groups as parameters: each field is an option of its own.
MeasurementOptions = Annotated[Measurement, Parameter(name="*")]
LevelOptions = Annotated[Levels, Parameter(name="*")]
PartOptions = Annotated[Part, Parameter(name="*")]
PageOptions = Annotated[PageOfFrames, Parameter(name="*")]
StoredPartOptions = Annotated[StoredPart, Parameter(name="*")]
