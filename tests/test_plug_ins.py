"""Sensors, methods, codes and the like of one's own: from a file by --plugin, and from an installed package by its entry points."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import c2b
import recon
import sensors
from c2b.captures import read_capture, write_capture
from c2b.cli import main
from c2b.comparison_table import read_rows
from recon import priors, weight_file
from sensors import name_table, plug_in
from sensors.refusal import Refusal

SCENE = "occluding-objects:frames=18,height=24,width=30"
FILE = '''"""Things of one's own."""
from dataclasses import dataclass
import numpy as np
from recon.priors.denoiser import Denoiser
from recon.reconstructor import Reconstructor
from sensors.sensor import Sensor

@dataclass(frozen=True, eq=False)
class ComplementPixel(Sensor):
    """One bucket, y = sum_t (1 - code[t]) x[t]."""
    def share(self, code):
        return 1 - code[None]

class Flat(Reconstructor):
    """Every frame is the mean.

    Parameters
    ----------
    gain : float
        Factor.
    """
    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain
    def solve(self, capture):
        return np.repeat(self.gain * capture.charge[0][:1], capture.sensor.frames, 0) / (capture.sensor.frames - 1)

class Halves(Denoiser):
    """Half of everything."""
    def __call__(self, video, sigma):
        return video * np.float32(0.5)

def checkerboard(frames: int = 4):
    """Two halves of a checkerboard."""
    t, i, j = np.indices((frames, 2, 2))
    return ((t + i + j) % 2 == 0).astype(np.uint8)

SENSORS, METHODS = {"complement-pixel": ComplementPixel}, {"flat": Flat}
CODES, PRIORS = {"checkerboard": checkerboard}, {"halves": Halves}
'''
TAKEN = ("simulate", SCENE, "taken.c2b.ome.tif", "--sensor", "complement-pixel", "--code", "checkerboard", "--plugin", "mine.py")


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder with a plug-in, forgotten afterwards: its names, and its modules."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(plug_in.VARIABLE, "")  # which is as it was again afterwards, whatever a command does to it
    Path("mine.py").write_text(FILE)
    tables = (c2b.CODES, sensors.SENSORS, recon.METHODS, priors.PRIORS)
    before = [dict(table) for table in tables]
    yield tmp_path
    forget(tables, before)


def forget(tables=(), before=()):
    """As if no plug-in had been seen in this process."""
    for table, names in zip(tables, before, strict=True):
        for name in [*dict.keys(table)]:
            if name not in names:
                del table[name]
        table._looked = ()
    for module in [name for name in sys.modules if name.startswith(plug_in.PREFIX)]:
        del sys.modules[module]


def test_sensor_code_and_method_of_a_file_go_through_capture_video_and_two_processes(own, capsys):
    assert main([*TAKEN]) == 0
    assert main(["reconstruct", "taken.c2b.ome.tif", "v.npy", "--method", "flat:gain=0.9", "--plugin=mine.py"]) == 0
    compare = [
        "compare",
        SCENE,
        "--sensor",
        "complement-pixel",
        "--code",
        "checkerboard",
        "--method",
        "flat",
        "--method",
        "tikhonov",
    ]
    assert main([*compare, "--report", "report", "--processes", "2", "--plugin", "mine.py"]) == 0
    rows = [*read_rows(Path("report/comparison.csv")).values()]
    assert {row.method for row in rows} == {"flat", "tikhonov"} and all(row.sensor == "complement-pixel" for row in rows)
    capsys.readouterr()
    Path("mine.py").write_text(FILE.replace("1 - code", "(1 - code)"))
    assert main([*compare, "--report", "report", "--plugin", "mine.py"]) == 0
    assert "2 of them new" in capsys.readouterr().out  # its content is in the digest of every row
    assert main(["list", "methods", "--plugin", "mine.py"]) == 0
    assert "Every frame is the mean" in capsys.readouterr().out


def test_a_capture_of_an_absent_plug_in_opens_and_names_it(own, capsys):
    assert main([*TAKEN]) == 0
    forget((sensors.SENSORS,), ({name: "" for name in sensors.SENSORS if name != "complement-pixel"},))
    taken = read_capture("taken.c2b.ome.tif")
    version = plug_in.module_name(Path("mine.py"))[-plug_in.LETTERS :]
    assert taken.images.shape == (4, 1, 24, 30) and taken.record["plug_ins"] == [f"mine.py ({version})"] * 2
    with pytest.raises(Refusal, match=rf"taken by ComplementPixel of mine.py \({version}\), a plug-in that is not here"):
        recon.make("tikhonov").reconstruct(taken)
    write_capture("again.c2b.ome.tif", taken)
    assert read_capture("again.c2b.ome.tif").sensor.digest == taken.sensor.digest
    capsys.readouterr()
    assert main(["info", "taken.c2b.ome.tif", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sensor"] == f"{plug_in.PREFIX}mine_{version}:ComplementPixel"
    plug_in.add("mine.py")
    again = read_capture("taken.c2b.ome.tif").sensor
    assert type(again).__name__ == "ComplementPixel" and again.digest == taken.sensor.digest


def test_names_that_come_with_c2b_stay_what_they_are(own, capsys):
    Path("thief.py").write_text(FILE.replace('"flat"', '"tile"'))
    assert main(["list", "methods", "--plugin", "thief.py"]) == 2
    assert "tile is the name of one of the methods that come with c2b" in capsys.readouterr().err
    with pytest.raises(Refusal, match="give yours another"):
        recon.METHODS["tile"] = "mine:Tile"
    assert recon.METHODS["tile"] == "recon.tile_solve:TileSolve"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("1/0", "ZeroDivisionError"),
        ("def", "SyntaxError"),
        ("METHODS = 3", "METHODS is no table"),
        ("METHODS = {'A b': int}", "needed: my-own"),
    ],
)
def test_a_plug_in_that_is_none_is_one_line(own, capsys, content, said):
    Path("bad.py").write_text(content)
    assert main(["list", "--plugin", "bad.py"]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert main(["list", "--plugin", "absent.py"]) == 2 and main(["list", "--plugin"]) == 2


def test_weights_name_the_plug_in_of_their_method(own):
    plug_in.add("mine.py")
    assert recon.make("flat").gain == 1
    weight_file.write("w.safetensors", {"a": np.zeros(3)}, {"method": "flat"})
    assert weight_file.read("w.safetensors", "flat")[1]["plug_in"].startswith("mine.py (")
    assert recon.make("gap:denoiser=halves,iterations=1").denoiser == "halves"


def test_entry_points_are_read_for_an_unknown_name_only(own, monkeypatch):
    read = []

    class Point:
        name, value = "boxed", "recon.pseudo_inverse:PseudoInverse"

    class Shadow:
        name, value = "tile", "evil:Tile"

    def points(group):
        read.append(group)
        return [Point, Shadow]

    monkeypatch.setattr("importlib.metadata.entry_points", points)
    table = name_table.NameTable("methods", {"tile": "recon.tile_solve:TileSolve"})
    assert "tile" in table and "film.mp4" not in table and not read
    assert "boxed" in table and table["boxed"] == Point.value and table["tile"] == "recon.tile_solve:TileSolve"
    assert "other" not in table and read == ["c2b.methods"]


def test_a_denoiser_may_be_any_function():
    sensor = sensors.make("two-bucket", np.eye(4, dtype=np.uint8).reshape(4, 2, 2))
    capture = sensor.capture(np.random.default_rng(0).random((4, 8, 10)), seed=0)
    called = []
    made = recon.make("gap:iterations=2,rounds=1", denoiser=lambda video, sigma: called.append(sigma) or video)
    assert made.reconstruct(capture).shape == (1, 4, 8, 10) and called
    with pytest.raises(Refusal, match="denoiser"):
        recon.make("gap", denoiser=3)
