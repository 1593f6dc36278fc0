"""A new capture format is its file and one line: written, recognised, converted, told about and refused like any other."""

from __future__ import annotations

import json

import numpy as np
import pytest

import c2b
import sensors
from c2b import captures, codes
from c2b.captures import format_of, read_capture, write_capture
from c2b.captures.capture_format import CaptureFormat
from c2b.cli import main
from sensors.refusal import Refusal
from sensors.spec import find

FORMAT = '''
"""A capture as text, one bucket, a line for each row."""

from pathlib import Path

import numpy as np

from c2b.captures import CodeMissing
from c2b.captures.bucket import chosen
from c2b.captures.capture_format import CaptureFormat
from c2b.captures.unit import restated
from sensors.capture import Capture
from sensors.coded_pixel import CodedPixel


class Rows(CaptureFormat):
    """Read and write ``NAME.rows``, one bucket of the first exposure."""

    suffix = ".rows"
    distinctive = True
    drops = "the other bucket and exposures, sensor, record"
    options = ("bucket",)
    needs_code = True

    @classmethod
    def recognises(cls, path):
        return path.suffix == ".rows"

    @classmethod
    def summary(cls, path):
        return {"format": "rows of numbers"}

    @classmethod
    def read(cls, path, *, verify=True, given=None):
        if given is None or (code := given.code_given()) is None:
            raise CodeMissing(f"{path} has no code")
        return restated(Capture(np.loadtxt(path, np.float32)[None, None], CodedPixel(code.values)), given)

    @classmethod
    def write(cls, path, sensor, exposures, count, record, *, bucket=None):
        image = next(iter(exposures))
        np.savetxt(path, image[chosen(Capture(image[None], sensor), bucket)])
'''


@pytest.fixture
def rows(tmp_path, monkeypatch):
    (tmp_path / "rows_format.py").write_text(FORMAT)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(captures.FORMATS, "rows", "rows_format:Rows")
    monkeypatch.chdir(tmp_path)


def run(capsys, *words):
    assert main(words) == 0
    return capsys.readouterr().out


def test_a_format_of_one_file_and_one_line_goes_all_the_way(rows, capsys):
    assert c2b.CAPTURE_FORMATS is captures.FORMATS
    video = np.random.default_rng(0).integers(0, 256, (9, 12, 15), np.uint8)
    taken = sensors.make("two-bucket", codes.make("impulse")).capture(video, seed=0)
    write_capture("a.npz", taken)
    with pytest.raises(Refusal, match="--bucket 0"):
        write_capture("a.rows", taken)
    told = run(capsys, "convert", "a.npz", "a.rows", "--bucket", "0")
    assert told == "a.rows: 1 exposure of 1 bucket, 12x15; left out: the other bucket and exposures, sensor, record\n"
    assert main(["convert", "a.npz", "b.rows", "--exposure", "0"]) == 2
    assert "--exposure does not belong" in capsys.readouterr().err
    assert json.loads(run(capsys, "info", "a.rows", "--json")) == {
        "kind": "capture",
        "format": "rows of numbers",
        "code": "not in the file; c2b reconstruct and convert take it as --code",
    }
    run(capsys, "convert", "a.rows", "b.npz", "--code", "impulse", "--white", "255")
    assert np.allclose(read_capture("b.npz").charge, taken.charge[:, :1])
    run(capsys, "reconstruct", "a.rows", "r.npy", "--code", "impulse", "--white", "255")
    assert np.load("r.npy").shape == (9, 12, 15)
    assert main(["simulate", "a.rows", "x.npz"]) == 2 and "is a capture, not a video" in capsys.readouterr().err


@pytest.mark.parametrize("name", captures.FORMATS)
def test_a_format_keeps_the_contract(name):
    kind = find(captures.FORMATS, "capture format", name)
    assert issubclass(kind, CaptureFormat) and not (kind.exact and kind.drops)
    assert set(kind.options) <= {"exposure", "bucket", "orig"} and set(kind.read_options) <= {"swap", "from_orig", "check"}
    assert kind.needs_code or not kind.read_options


def test_options_that_a_format_does_not_read_are_named(rows):
    np.savetxt("a.rows", np.ones((3, 4)))
    assert format_of("a.rows").needs_code
    with pytest.raises(Refusal, match="read without swap"):
        read_capture("a.rows", code="impulse", swap=True)
