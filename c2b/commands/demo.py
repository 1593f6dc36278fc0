"""``c2b demo``"""

from __future__ import annotations

from pathlib import Path


def demo(folder: Path = Path("c2b-demo")) -> None:
    """Show it all: a scene, three cameras, their captures and reconstructions, and a page. Needs no input.

    Parameters
    ----------
    folder
        For captures, videos, pictures and the page index.html; made anew.
    """
    from c2b.demonstration import COLUMNS, demonstrate
    from c2b.terminal import progress, table

    results = demonstrate(folder, progress)
    print(table(COLUMNS, [result.cells() for result in results], "nine frames from one exposure"))
    print(f"captures, videos, pictures: {folder}/\nthe page to look at: {folder / 'index.html'}")
