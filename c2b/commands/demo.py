"""``c2b demo``"""

from __future__ import annotations

from pathlib import Path


def demo(folder: Path = Path("c2b-demo")) -> None:
    """Show it all: a scene, three cameras, their captures and reconstructions, and a page. Needs no input.

    Parameters
    ----------
    folder
        For captures, videos, pictures, a report and the page index.html; made anew.
    """
    from c2b.demonstration import COLUMNS, PAGE, cells, demonstrate
    from c2b.terminal import progress, table

    rows = demonstrate(folder, progress)
    print(table(COLUMNS, [cells(row) for row in rows], "nine frames from one exposure"))
    print(f"captures, videos, pictures, report: {folder}/\nthe page to look at: {folder / PAGE}")
