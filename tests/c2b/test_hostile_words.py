"""What a hostile name, file or folder may not do: reach the terminal, be run by a spreadsheet, be unpickled, be taken for numbers."""

from __future__ import annotations

import csv
import os

import numpy as np
import pytest
from numba.core import config

import sensors
from c2b import codes
from c2b.camera_grid import CameraGrid
from c2b.cli import main
from c2b.comparison import Comparison
from c2b.comparison_table import read_rows, write_rows
from c2b.source import Source
from recon import make, metrics
from sensors import kernel
from sensors.atomic_file import atomic_file
from sensors.refusal import Refusal

SCENE = "occluding-objects:frames=9,height=24,width=30"


@pytest.mark.parametrize("line", [["info", "{}"], ["simulate", SCENE, "{}"], ["info", "absent-{}"], ["compare", "{}"]])
def test_control_characters_of_names_are_shown_and_not_sent(tmp_path, monkeypatch, capsys, line):
    monkeypatch.chdir(tmp_path)
    name = "\x1b[2J\x9b31m\u202ea\udcff.c2b.ome.tif"
    assert main(["simulate", SCENE, name]) == 0
    main([word.format(name) for word in line])
    said = "".join(capsys.readouterr())
    assert "\\x1b[2J\\x9b31m\\u202ea\\udcff" in said
    assert not {char for char in said if not char.isprintable()} - {"\n"}


def test_no_cell_of_a_table_is_a_formula_and_it_is_read_as_it_was(tmp_path):
    compared = Comparison({"=HYPERLINK(1)": Source(SCENE)}, CameraGrid(("two-bucket",)), {"tile": make("tile")})
    (row,) = compared.run()
    rows = [row, *(type(row)(**{**vars(row), "video": name, "digest": name}) for name in ("'quoted", "+1+1", "-x", "@a", "plain"))]
    write_rows(path := tmp_path / "comparison.csv", rows)
    cells = [cell for line in csv.reader(path.read_text().splitlines()) for cell in line]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "-x"))]
    assert [*read_rows(path).values()] == rows


def test_a_cache_of_kernels_that_others_may_write_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(kernel.os, "access", lambda *_: False)
    monkeypatch.setattr(config, "CACHE_DIR", "")
    monkeypatch.setitem(kernel.FLAGS, "cache", True)
    folder = tmp_path / f"c2b-kernels-{os.getuid()}"
    kernel._writable_cache()
    assert str(folder) == config.CACHE_DIR and folder.stat().st_mode & 0o777 == 0o700 and kernel.FLAGS["cache"]
    for spoilt in (lambda: folder.chmod(0o777), lambda: (folder.rmdir(), folder.symlink_to(tmp_path))):
        spoilt()
        monkeypatch.setattr(config, "CACHE_DIR", "")
        monkeypatch.setitem(kernel.FLAGS, "cache", True)
        kernel._writable_cache()
        assert config.CACHE_DIR == "" and not kernel.FLAGS["cache"]


def test_a_link_as_output_is_followed(tmp_path):
    (tmp_path / "there").mkdir()
    link, target = tmp_path / "link.txt", tmp_path / "there" / "real.txt"
    link.symlink_to(target)
    for text in ("new", "again"):
        with atomic_file(link) as partial:
            partial.write_text(text)
        assert link.is_symlink() and target.read_text() == text
    (tmp_path / "round").symlink_to(tmp_path / "round")
    with pytest.raises(Refusal, match="leads nowhere"), atomic_file(tmp_path / "round"):
        pass
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["link.txt", "real.txt", "round", "there"]


def test_masked_arrays_and_half_seeds_are_refused():
    code = codes.make("impulse:tile=2")
    sensor, video = sensors.make("two-bucket", code), np.ones((4, 14, 15))
    masked = np.ma.masked_greater(video, 0.5)
    for use in (
        lambda: sensor.capture(masked, seed=0),
        lambda: sensor.expose(masked),
        lambda: sensors.make("two-bucket", np.ma.masked_equal(code, 1)),
        lambda: metrics.score(masked, video),
    ):
        with pytest.raises(Refusal, match="masked array"):
            use()
    for seed in (0.5, "1", -1, True, None):
        with pytest.raises(Refusal, match="whole number"):
            sensor.capture(video, seed=seed)
    assert sensor.capture(video, seed=np.int64(3)).record["seed"] == 3
