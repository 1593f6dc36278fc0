"""A page of findings as one HTML file: nothing is loaded from anywhere, and nothing in it runs but its own script.

Text is escaped by the template and data by JSON; a content security policy lets the browser run the script of this file alone, by its
hash, so that no name of a file or a method can bring code along.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensors.atomic_file import atomic_file
from sensors.refusal import Refusal

if TYPE_CHECKING:
    from c2b.report.cameras import CapturePicture, CodePicture
    from c2b.report.comparison_curves import Curves


PAGE_SUFFIXES = ".html", ".htm"


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    name : str
    format : str
        Format specification of its numbers; nothing for words.
    note : str
        What a reader should know of it.
    filter : bool
        Whether one of its words can be chosen.
    chosen : str
        The word that is chosen at first; by default all are shown.
    """

    name: str
    format: str = ""
    note: str = ""
    filter: bool = False
    chosen: str = ""

    @property
    def number(self) -> bool:
        """Whether it has numbers."""
        return bool(self.format)

    def text(self, value: Any) -> str:
        """A cell; a dash where there is nothing to say."""
        if value is None or (isinstance(value, Real) and math.isnan(value)):
            return "–"
        if isinstance(value, Real) and math.isinf(value):
            return "∞" if float(value) > 0 else "−∞"
        return format(value, self.format) if self.format else str(value)


@dataclass(frozen=True)
class Line:
    """A row of a table: its cells, whether it stands out, and what the viewer shows of it (series, video), if anything."""

    cells: Sequence[Any]
    strong: bool = False
    series: int | None = None
    video: str = ""


@dataclass(frozen=True)
class Table:
    """A table that can be sorted and filtered.

    Parameters
    ----------
    columns : sequence of Column
    lines : sequence of Line
    text : str
    """

    columns: Sequence[Column]
    lines: Sequence[Line]
    text: str = ""

    def options(self, place: int) -> list[str]:
        """What the cells of a column are, each once, in their order."""
        return list(dict.fromkeys(self.columns[place].text(line.cells[place]) for line in self.lines))


@dataclass(frozen=True)
class Prose:
    """A section of words: an empty line parts paragraphs, backticks enclose code; commands stand below."""

    title: str
    text: str
    commands: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """What a page holds; sections without content are left out.

    Parameters
    ----------
    title : str
    lead : str
        As in `Prose`.
    facts : mapping of str to object
        The key figures.
    findings : sequence of str
        One sentence each.
    viewer : mapping
    sprites : sequence of str
        As `c2b.report.viewer.Viewer.packed` gives them.
    viewer_note : str
    table : Table
    curves : sequence of Curves
    differences : sequence of (columns, lines, title)
    codes : sequence of CodePicture
    captures : sequence of (str, sequence of CapturePicture)
        By light.
    left_out : sequence of (sequence of str, str)
        What did not go together, and why.
    prose : sequence of Prose
    commands : sequence of str
        What made it.
    conventions : mapping of str to object
    footer : str
    """

    title: str
    lead: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    findings: Sequence[str] = ()
    viewer: Mapping[str, Any] = field(default_factory=dict)
    sprites: Sequence[str] = ()
    viewer_note: str = ""
    table: Table | None = None
    curves: Sequence[Curves] = ()
    differences: Sequence[tuple[Sequence[str], Sequence[Sequence[str]], str]] = ()
    codes: Sequence[CodePicture] = ()
    captures: Sequence[tuple[str, Sequence[CapturePicture]]] = ()
    left_out: Sequence[tuple[Sequence[str], str]] = ()
    prose: Sequence[Prose] = ()
    commands: Sequence[str] = ()
    conventions: Mapping[str, Any] = field(default_factory=dict)
    footer: str = ""


def refuse_unless_page(path: Path) -> None:
    """A Refusal if a page cannot be written there, before anything is computed for it."""
    if path.suffix.lower() not in PAGE_SUFFIXES:
        raise Refusal(f"cannot write a page as {path.name}; name it {path.stem}.html")
    if not path.absolute().parent.is_dir():
        raise Refusal(f"cannot write {path}: the folder {path.parent} does not exist")


def write_page(path: str | Path, page: Page) -> Path:
    """Write a page.

    Parameters
    ----------
    path : str or Path
        Ends in .html.
    page : Page

    Raises
    ------
    Refusal
        If the suffix is another one, or the folder does not exist.
    OSError
        As the system reports it.
    """
    refuse_unless_page(path := Path(path))
    text = html(page)
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="replace")  # names of files need not be UTF-8
    return path


def html(page: Page) -> str:
    """The page as text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    house = Environment(
        loader=PackageLoader("c2b", "report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style, script = (resources.files("c2b.report").joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return house.get_template("page.html.jinja").render(page=page, style=style, script=script, digest=digest)
