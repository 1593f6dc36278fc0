"""``c2b list``"""

from __future__ import annotations


def list(what: str = "", /, *, json: bool = False) -> None:
    """List what has a name, or what the settings of one mean.

    The tables: codes, sensors, presets, readouts, responses, methods, priors, metrics, criteria, weights, scenes, formats.

    Parameters
    ----------
    what
        One table only, such as sensors; or one name, such as cep-2019 or tile: its settings with their units.
    json
        Print JSON.
    """
    from json import dumps

    from c2b import catalogue
    from c2b.terminal import table

    known = not what or what in catalogue.tables()
    columns = catalogue.COLUMNS if known else catalogue.SETTING_COLUMNS
    titles = [what] if what else [*catalogue.tables()]
    tables = {title: catalogue.entries(title) for title in titles} if known else catalogue.explained(what)
    if json:
        print(dumps({title: [dict(zip(columns, row, strict=True)) for row in rows] for title, rows in tables.items()}))
        return
    for title, rows in tables.items():
        if not known:
            print(title)
        if rows:
            print(table(columns, rows, title if known else ""))
