"""A page of findings: title, lead, facts, and sections with text, tables and figures, as one HTML file without any script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from sensors.atomic_file import atomic_file
from sensors.refusal import Refusal

PICTURES = ".png", ".gif", ".svg", ".jpg", ".jpeg", ".webp"


@dataclass(frozen=True)
class Table:
    """Rows of values under named columns.

    Attributes
    ----------
    columns : sequence of str
    rows : sequence of sequence
        Words, numbers, or None where there is nothing to say.
    caption : str
    command : str
        What made the table, so that a reader can make it again.
    best : mapping of str to "max" or "min"
        Columns in which the best value stands out, and which way is better.
    formats : mapping of str to str
        Format specification of the numbers of a column, such as ``".2f"``; four digits if absent.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""
    command: str = ""
    best: Mapping[str, Literal["max", "min"]] = field(default_factory=dict)
    formats: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """One part of a page.

    Attributes
    ----------
    title : str
    text : str
        Plain text: an empty line parts paragraphs, backticks enclose code. Nothing in it is taken as HTML.
    table : Table, optional
    figures : sequence of (str or Path, str)
        Picture or animation, as a path relative to the folder of the page, and its caption.
    facts : mapping of str to object
        Short statements, such as a setting and its value.
    """

    title: str
    text: str = ""
    table: Table | None = None
    figures: Sequence[tuple[str | Path, str]] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def write_page(
    path: str | Path,
    *,
    title: str,
    lead: str = "",
    sections: Sequence[Section] = (),
    facts: Mapping[str, Any] | None = None,
    footer: str = "",
) -> Path:
    """Write a page; its pictures lie beside it already, so that the folder can be moved, zipped or put on any server.

    Parameters
    ----------
    path : str or Path
        Ends in .html.
    title, lead, footer : str
        Text as in `Section`.
    sections : sequence of Section
    facts : mapping of str to object, optional
        The key figures, shown large below the lead.

    Raises
    ------
    Refusal
        If the suffix is not .html, a picture is missing, of no kind that a browser shows, or outside the folder of the page, or
        a row of a table is not as long as its columns.
    OSError
        As the system reports it.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise Refusal(f"cannot write a page as {path.name}; name it {path.stem}.html")
    for section in sections:
        _check_table(section)
        for picture, _ in section.figures:
            _check_picture(path.parent, Path(picture))
    house = Environment(
        loader=PackageLoader("c2b", "report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    house.globals.update(cells=_cells, numeric=_numeric, address=_address)
    page = house.get_template("page.html.jinja").render(
        title=title, lead=lead, sections=sections, facts=facts or {}, footer=footer
    )
    with atomic_file(path) as partial:
        partial.write_text(page, encoding="utf-8")
    return path


def _cells(table: Table) -> list[list[tuple[str, bool]]]:
    """Each cell as text, and whether it is the best of its column; equal texts are equally good."""
    best: dict[int, str] = {}
    for column, direction in table.best.items():
        k = list(table.columns).index(column)
        values = [row[k] for row in table.rows if _is_number(row[k]) and not math.isnan(row[k])]
        if len(values) > 1:
            best[k] = _text(max(values) if direction == "max" else min(values), table.formats.get(column, ".4g"))
    specifications = [table.formats.get(column, ".4g") for column in table.columns]
    rows = [[_text(value, how) for value, how in zip(row, specifications, strict=True)] for row in table.rows]
    return [[(text, text == best.get(k)) for k, text in enumerate(row)] for row in rows]


def _numeric(table: Table) -> list[bool]:
    """Columns of numbers are set flush right."""
    columns = ([row[k] for row in table.rows] for k in range(len(table.columns)))
    return [bool(values) and all(value is None or _is_number(value) for value in values) for values in columns]


def _address(picture: str | Path) -> str:
    """The link to a picture: slashes on every system, and blanks, # and ? written so that a browser finds the file."""
    return quote(Path(picture).as_posix())


def _text(value: Any, specification: str) -> str:
    if value is None or (_is_number(value) and math.isnan(value)):
        return "–"
    if not _is_number(value):
        return str(value)
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return str(value) if isinstance(value, Integral) else format(value, specification)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _check_table(section: Section) -> None:
    if (table := section.table) is None:
        return
    if any(len(row) != len(table.columns) for row in table.rows):
        raise Refusal(f"the table of section {section.title!r} has {len(table.columns)} columns, but a row of another length")
    for name in (*table.best, *table.formats):
        if name not in table.columns:
            raise Refusal(f"the table of section {section.title!r} has no column {name!r}; it has {', '.join(table.columns)}")


def _check_picture(folder: Path, picture: Path) -> None:
    if picture.is_absolute() or ".." in picture.parts:
        raise Refusal(f"the picture {picture} lies outside the folder of the page; put it beside and name it relative to it")
    if picture.suffix.lower() not in PICTURES:
        raise Refusal(f"a page cannot show {picture}; pictures end in {', '.join(PICTURES)}")
    if not (folder / picture).is_file():
        raise Refusal(f"the picture {picture} is not in {folder}; write it there before the page")
