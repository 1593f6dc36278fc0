"""The README holds: each command in it runs as printed, and so does its Python, on a small scene in place of the reader's film."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from c2b.cli import main
from tests.handmade_desk import lay, words_of

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")

#: Inputs that the reader must have, and where the README says they are to be had.
TO_BE_HAD = {
    r"\$C2B_DATA/gopro": "GOPRO_Large",
    r"kobe32_cacti\.mat|\bkobe\.npy": "PnP-SCI",
    r"mask_\w+\.mat": "cacti",
    r"\bwine\.mat": "10.1364/OE.444864",
}


def commands() -> list[str]:
    """The indented lines that are commands, each on one line however it is printed."""
    blocks = re.findall(r"(?:^    .*\n)+", README, re.M)
    lines = [line.strip() for block in blocks for line in re.sub(r"\\\n\s*", "", block).splitlines()]
    return [line for line in lines if line.startswith("c2b ")]


def runnable() -> Iterator[object]:
    for line in commands():
        marks = [pytest.mark.skip(reason=f"{wanted} is data to be had elsewhere") for wanted in TO_BE_HAD if re.search(wanted, line)]
        yield pytest.param(line, id=line[:60], marks=marks[:1])


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the reader must have; the commands add to it, in the order of the README."""
    return lay(tmp_path_factory.mktemp("readme"))


@pytest.mark.parametrize("command", list(runnable()))
def test_each_command_runs_as_printed(command: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    assert main(words_of(command)) == 0


def test_the_python_runs_as_printed(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    assert blocks
    for block in blocks:
        found: dict[str, object] = {}
        exec(compile(block, "README.md", "exec"), found)
        assert found["frames"].shape == (10, 9, 36, 48)  # type: ignore[attr-defined]


def test_the_readme_is_read_at_all() -> None:
    """Commands on several lines too; every kind of input that is skipped occurs, and the README says where it is to be had."""
    found = commands()
    assert len(found) > 15 and any("compare street.mp4" in line and "gap-tv" in line for line in found)
    for wanted, where in TO_BE_HAD.items():
        assert any(re.search(wanted, line) for line in found), wanted
        assert where in README


def test_methods_and_options_that_the_readme_names_exist() -> None:
    import recon
    from recon import priors

    table = README.split("## Methods")[1].split("\n\n")[1]
    names = re.findall(r"`([\w-]+)`", "\n".join(row.split("|")[1] for row in table.splitlines()[2:]))
    assert len(names) > 8 and all(name in recon.METHODS for name in names)
    denoisers = re.search(r"any denoiser \(([^)]*)\)", README)
    assert denoisers is not None
    named = {word.rpartition("=")[2] for word in re.findall(r"`([^`]+)`", denoisers[1])}
    assert named == set(priors.PRIORS)
