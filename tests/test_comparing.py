"""docs/comparing.md holds: each command in it runs as printed, and so does its Python; what it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from c2b.cli import main
from c2b.video.writing import write_video
from recon import measures
from tests.handmade_desk import words_of

PAGE = (Path(__file__).parents[1] / "docs" / "comparing.md").read_text(encoding="utf-8")
COMMANDS = [line.strip() for line in re.findall(r"^    c2b .*$", PAGE, re.M)]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Two films."""
    folder = tmp_path_factory.mktemp("comparing")
    t, i, j = np.ogrid[:36, :36, :48]
    for name, speed in (("street", 0.1), ("park", 0.3)):
        wave = 0.5 + 0.25 * np.sin(0.3 * i + 0.2 * j - speed * t) + 0.2 * np.cos(0.5 * j)
        write_video(folder / f"{name}.mp4", np.rint(255 * wave).astype(np.uint8))
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_runs_as_printed(command, desk, monkeypatch):
    """But for the second process, which tests/c2b/test_comparison_store.py has."""
    monkeypatch.chdir(desk)
    assert main(words_of(command.replace(" --processes 2", ""))) == 0


def test_the_python_runs_as_printed(desk, monkeypatch):
    monkeypatch.chdir(desk)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    found: dict[str, object] = {}
    exec(compile(block, "comparing.md", "exec"), found)
    assert len(found["rows"]) == 8 and found["frames"].video.shape == (1, 9, 36, 48)
    assert found["means"][200] > found["means"][20]


def test_the_page_names_every_metric():
    table = PAGE.split("## Further figures of merit")[1].split("\n\n")[3]
    assert {*re.findall(r"`([\w-]+)`", "\n".join(row.split("|")[1] for row in table.splitlines()[2:]))} == {*measures.METRICS}
    assert len(COMMANDS) > 5
