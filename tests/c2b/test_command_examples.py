"""The help of every command ends with two examples, and they run."""

from __future__ import annotations

from pathlib import Path

import pytest

from c2b import demonstration
from c2b.cli import COMMANDS, main
from c2b.command_examples import EXAMPLES
from tests.handmade_desk import SIZE, lay, words_of

#: What the demo compares, without the methods that take long, and at one light.
SHORT_LINE_UP = (
    (("conventional",), ("pseudo-inverse",), (), ()),
    (("coded-pixel", "two-bucket"), ("gap",), (), ()),
    (("two-bucket",), ("tile+consistent",), ("cep-2019",), (100.0,)),
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay(tmp_path_factory.mktemp("examples"))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_ends_with_two_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    _, _, said = capsys.readouterr().out.partition("Examples:")
    assert " ".join(said.split()) == " ".join(EXAMPLES[name])
    assert all(line.startswith(f"c2b {name} ") or line == f"c2b {name}" for line in EXAMPLES[name])


@pytest.mark.parametrize("command", [line for lines in EXAMPLES.values() for line in lines])
def test_an_example_runs(command: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    monkeypatch.setattr(demonstration, "SCENE", f"occluding-objects:frames=9,{SIZE},colour=rgb")
    monkeypatch.setattr(demonstration, "LINE_UP", SHORT_LINE_UP)
    assert main(words_of(command)) == 0
