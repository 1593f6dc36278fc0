"""One comparison under names that would run as code, and its page, for all tests of the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from c2b.comparison import Comparison
from tests.c2b.report.handmade_comparison import COMMAND, run


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("compared")
    found = run(folder, folder / "report")
    found.note(COMMAND)
    return found


@pytest.fixture(scope="session")
def page_path(compared: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compared.page(tmp_path_factory.mktemp("page") / "page.html")
