"""Captures in memory and in files: slices keep code and time, a file gives back every bit, and damage of any kind is one line."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections import namedtuple
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile

import c2b
import sensors
from c2b import codes
from c2b.captures import format_of, read_capture, write_capture
from sensors.atomic_file import atomic_file
from sensors.capture import Capture
from sensors.readout import Readout
from sensors.refusal import Refusal
from sensors.spec import find
from sensors.timing import Timing
from sensors.two_bucket import TwoBucket

H, W = 13, 19
RNG = np.random.default_rng(0)
CYCLE = np.stack([codes.make(f"bernoulli:frames=4,tile=[2,3],seed={seed}") for seed in range(3)])
NOISY = Readout(white=50, full_well=(900, 800), read_noise=2, gain=0.5, black_level=16, bits=12, serial=3)
KINDS = [find(c2b.CAPTURE_FORMATS, "capture format", name) for name in c2b.CAPTURE_FORMATS]
SUFFIXES = [kind.suffix for kind in KINDS if kind.exact]

CAPTURES = {
    "ideal": lambda: TwoBucket(codes.make("impulse:tile=[2,3]")),
    "cep-2019": lambda: sensors.make("cep-2019", codes.make("hadamard")),
    "eight-bits": lambda: TwoBucket(codes.make("impulse"), readout=replace(NOISY, bits=8, gain=0.1)),
    "float": lambda: TwoBucket(codes.make("impulse"), readout=replace(NOISY, bits=None)),
    "grey": lambda: TwoBucket(RNG.random((5, 2, 3)), readout=NOISY),
    "mask": lambda: sensors.make("coded-pixel", codes.make(f"bernoulli:tile=[{H},{W}]")),
    "grey-mask": lambda: sensors.make("coded-pixel", RNG.random((3, H, W))),
    "one-frame": lambda: sensors.make("conventional", np.ones((1, 1, 1))),
    "flutter": lambda: sensors.make("flutter-shutter", codes.make("flutter:chips=1101")),
    "cycle": lambda: TwoBucket(CYCLE, readout=NOISY, origin=(1, 2)),
    "grey-cycle": lambda: TwoBucket(CYCLE * np.float32(0.7)),
    "map": lambda: TwoBucket(codes.make("impulse"), leakage=RNG.uniform(0, 0.1, (H, W)), timing=Timing(0.01, 1)),
    "maps": lambda: TwoBucket(codes.make("impulse"), leakage=RNG.uniform(0, 0.1, (2, H, W)), drain=0.1, mismatch=0.02),
    "rgb": lambda: TwoBucket(codes.make("impulse"), readout=NOISY, colour="rgb"),
    "ideal-rgb": lambda: sensors.make("conventional", codes.make("long"), colour="rgb"),
}


def taken(name="cep-2019", exposures=4, first=0):
    sensor = CAPTURES[name]()
    frames = sensor.period * (exposures - 1) + sensor.frames
    video = np.random.default_rng(1).random((frames, H, W) + (3,) * (sensor.colour == "rgb"), np.float32)
    return sensor.capture(video, seed=5, first=first)


# In memory -------------------------------------------------------------------------------------------------------------------


def test_charge_and_variance_are_computed_once_and_not_pickled():
    sensor = sensors.make("cep-2019:white=50", codes.make("impulse"))
    capture = sensor.capture(np.full((18, H, W), 0.5, np.float32), seed=0)
    before = len(pickle.dumps(capture))
    assert capture.charge is capture.charge and capture.variance is capture.variance
    assert len(pickle.dumps(capture)) == before
    again = pickle.loads(pickle.dumps(capture))
    assert np.array_equal(again.charge, capture.charge) and np.array_equal(capture[1:2].charge, capture.charge[1:])


def test_a_capture_says_which_frames_it_saw():
    capture = taken("map")
    assert capture.record["frame_index"] == [list(range(10 * n, 10 * n + 9)) for n in range(4)]
    assert capture[1:3].record["frame_index"] == capture.record["frame_index"][1:3]


@pytest.mark.parametrize("name", CAPTURES)
def test_a_slice_is_the_capture_of_its_frames(name):
    whole = taken(name, exposures=5)
    for start, stop in ((0, 5), (1, 4), (2, 3), (-2, None), (4, 5)):
        part = whole[start:stop]
        first = range(5)[start:stop].start
        assert np.array_equal(part.images, whole.images[start:stop])
        assert np.array_equal(part.sensor.at(0).code, whole.sensor.at(first).code)
        assert part.record["first_exposure"] == first
        assert np.array_equal(part.charge, whole.charge[start:stop])
    assert [len(one) for one in whole] == [1] * 5
    assert np.array_equal(whole[2:][1:2].sensor.at(0).code, whole.sensor.at(3).code)


def test_a_capture_begins_with_the_code_of_its_first_exposure():
    later = taken("cycle", first=4)
    assert np.array_equal(later.sensor.at(0).code, CYCLE[1])
    assert np.array_equal(later.sensor.at(2).code, CYCLE[0])


def test_exposures_are_taken_in_a_row():
    with pytest.raises(Refusal, match="in a row"):
        taken()[::2]


def test_charge_is_irradiance_whatever_the_readout():
    flat = np.full((9, 60, 61), 0.5, np.float32)
    sensor = TwoBucket(codes.make("impulse"), readout=replace(NOISY, full_well=None))
    charge = sensor.capture(flat, seed=0).charge[0]
    expected = sensor.expose(flat)
    spread = np.sqrt(sensor.capture(flat, seed=0).variance.mean() / charge[0].size)
    assert np.abs(charge.mean((1, 2)) - expected.mean((1, 2))).max() < 5 * spread


def test_variance_is_that_of_the_charge():
    """Of one pixel over many exposures of the same scene; and infinite where the well is full."""
    flat = np.full((9 * 300, 8, 9), 0.3, np.float32)
    sensor = TwoBucket(codes.make("impulse"), readout=replace(NOISY, full_well=None))
    capture = sensor.capture(flat, seed=0)
    measured = capture.charge.var(0).mean((1, 2))
    assert np.allclose(measured, capture.variance.mean((0, 2, 3)), rtol=4 * np.sqrt(2 / 300 / 72))
    bright = TwoBucket(codes.make("impulse"), readout=NOISY).capture(flat[:9] * 200, seed=0)
    assert np.isinf(bright.variance).all()


@pytest.mark.parametrize("shape", [(2, 1, H, W), (2, 2, H), (2, 2, H, W, 3), (2, 2, H, W, 4)])
def test_images_that_do_not_fit_the_sensor_are_refused(shape):
    with pytest.raises(Refusal, match=r"needed: \(N, 2, H, W\)"):
        Capture(np.zeros(shape), CAPTURES["ideal"]())


def test_a_capture_is_pickled():
    capture = taken("maps")
    again = pickle.loads(pickle.dumps(capture))
    assert np.array_equal(again.charge, capture.charge) and again.sensor.digest == capture.sensor.digest


# Files -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("exposures", [1, 3])
@pytest.mark.parametrize("name", CAPTURES)
def test_a_file_gives_back_every_bit(tmp_path, name, exposures, suffix, caplog, capfd):
    if suffix == ".h5":
        pytest.importorskip("h5py")
    capture = taken(name, exposures)
    record = {**capture.record, "source": {"path": "Ärger/<a&b>\"'.mp4", "µ": [0.1, None, True, 1e-300]}}
    path = tmp_path / f"take{suffix}"
    write_capture(path, replace(capture, record=record))
    again = read_capture(path)
    assert again.images.dtype == capture.images.dtype and np.array_equal(again.images, capture.images)
    assert again.sensor.digest == capture.sensor.digest and type(again.sensor) is type(capture.sensor)
    assert again.sensor.readout == capture.sensor.readout and again.sensor.timing == capture.sensor.timing
    assert again.record == record
    assert np.array_equal(again.charge, capture.charge) and np.array_equal(again.variance, capture.variance)
    assert isinstance(again.images, np.memmap) and not again.images.flags.writeable
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert not caplog.records and capfd.readouterr() == ("", "")


def document_in(path):
    with tifffile.TiffFile(path) as tiff:
        notes = ElementTree.fromstring(tiff.ome_metadata).iterfind(".//{*}CommentAnnotation/{*}Value")
        return json.loads(next(notes).text)


def test_the_file_says_which_bucket_collects_when(tmp_path):
    path = tmp_path / "a.c2b.ome.tif"
    write_capture(path, taken())
    document = document_in(path)
    assert document["buckets"] == [{"index": 0, "active_when_code": 1}, {"index": 1, "active_when_code": 0}]
    assert document["axes"] == ["exposure", "bucket", "y", "x"] and document["bucket_content"] == "raw taps in DN"


def test_any_tiff_reader_finds_images_then_code(tmp_path):
    path = tmp_path / "a.c2b.ome.tif"
    capture = taken("cycle")
    write_capture(path, capture)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_ome and tiff.is_bigtiff
        meas, code = tiff.series[:2]
        assert (meas.name, meas.axes, code.name) == ("meas", "TCYX", "code")
        assert np.array_equal(meas.asarray(), capture.images)
        assert code.dtype == bool and np.array_equal(code.asarray().reshape(CYCLE.shape), CYCLE)
        assert '<Channel ID="Channel:0:0" SamplesPerPixel="1" Name="coded"' in tiff.ome_metadata


def test_a_captures_images_may_come_from_a_memory_map(tmp_path):
    first, second = tmp_path / "a.c2b.ome.tif", tmp_path / "b.c2b.ome.tif"
    write_capture(first, taken())
    write_capture(second, read_capture(first))
    assert np.array_equal(read_capture(second).images, taken().images)


def test_a_file_is_written_over_its_own_source(tmp_path):
    path = tmp_path / "a.c2b.ome.tif"
    write_capture(path, taken())
    write_capture(path, read_capture(path)[1:3])
    assert np.array_equal(read_capture(path).images, taken().images[1:3])


#: Bytes from the start of a page at which to change a bit; the rows of a 1-bit code are padded.
EXTRA = {True: (0, 5, 11), False: (0,)}


def refused(path, **how):
    with pytest.raises(Refusal) as error:
        read_capture(path, **how)
    assert "\n" not in str(error.value) and str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", ["cep-2019", "maps", "ideal-rgb"])
def test_a_file_cut_short_anywhere_is_refused(tmp_path, name, caplog, capfd):
    path, cut = tmp_path / "a.c2b.ome.tif", tmp_path / "cut.c2b.ome.tif"
    write_capture(path, taken(name))
    whole = path.read_bytes()
    for length in {0, 1, 7, 8, 15, 16, 17, len(whole) - 1, *np.linspace(20, len(whole) - 2, 60).astype(int).tolist()}:
        cut.write_bytes(whole[:length])
        refused(cut)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["cep-2019", "grey-mask", "maps"])
def test_a_changed_byte_anywhere_that_counts_is_refused(tmp_path, name):
    """In the images, the code, the maps and the JSON document: each is what was written or is refused."""
    path, changed = tmp_path / "a.c2b.ome.tif", tmp_path / "changed.c2b.ome.tif"
    capture = taken(name)
    write_capture(path, capture)
    whole = path.read_bytes()
    start, stop = whole.index(b'{"schema"') if b'{"schema"' in whole else whole.index(b"{&quot;schema"), whole.rindex(b"sha256")
    with tifffile.TiffFile(path) as tiff:
        places = [series.pages[0].dataoffsets[0] + extra for series in tiff.series for extra in EXTRA[series.dtype != bool]]
    rng = np.random.default_rng(0)
    for place in places + rng.integers(start, stop, 60).tolist():
        content = bytearray(whole)
        content[place] ^= 0x80 if place in places else 1 << int(rng.integers(7))
        changed.write_bytes(content)
        refused(changed)


def test_changed_numbers_of_the_sensor_are_noticed(tmp_path):
    path = tmp_path / "a.c2b.ome.tif"
    write_capture(path, taken())
    content = path.read_bytes()
    assert content.count(b"8400.0") == 1
    path.write_bytes(content.replace(b"8400.0", b"8500.0"))
    assert "description" in refused(path)
    assert read_capture(path, verify=False).sensor.readout.full_well == 8500  # whoever edits a file by hand may say so


def test_documents_that_lack_something_are_refused(tmp_path, monkeypatch):
    from c2b.captures import document as documents

    path = tmp_path / "a.c2b.ome.tif"
    whole = documents.describe
    for key in ("schema", "sensor", "record", "arrays", "sha256"):

        def without(*given, key=key):
            document, arrays = whole(*given)
            return {k: v for k, v in document.items() if k != key}, arrays

        monkeypatch.setattr(documents, "describe", without)
        write_capture(path, taken())
        refused(path, verify=False)


def test_files_that_are_no_capture_are_refused(tmp_path):
    suffix = ".c2b.ome.tif"
    for name, content in {"text": b"hello", "empty": b"", "xml": b"<OME/>"}.items():
        (tmp_path / f"{name}{suffix}").write_bytes(content)
        refused(tmp_path / f"{name}{suffix}")
    tifffile.imwrite(tmp_path / f"plain{suffix}", np.zeros((3, 4, 5), np.uint8), photometric="minisblack", metadata=None)
    assert "not a c2b capture" in refused(tmp_path / f"plain{suffix}")
    tifffile.imwrite(tmp_path / f"ome{suffix}", np.zeros((3, 4, 5), np.uint8), photometric="minisblack", ome=True)
    assert "not a c2b capture" in refused(tmp_path / f"ome{suffix}")
    assert "does not exist" in refused(tmp_path / f"absent{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    assert "is a folder" in refused(tmp_path / f"folder{suffix}")
    (tmp_path / "take.tif").write_bytes(b"II")
    assert "known: NAME.c2b.ome.tif" in refused(tmp_path / "take.tif")
    with pytest.raises(Refusal, match="known: NAME"):
        write_capture(tmp_path / "take.tif", taken())
    assert format_of("A.C2B.OME.TIF") is not None and format_of("a.tif") is None


class Interrupted(Exception):
    """Ctrl-C, a full disk, a bug."""


@pytest.mark.parametrize("before", [None, b"what was there"])
def test_an_interrupted_write_leaves_what_was_there(tmp_path, before):
    capture = taken()
    path = tmp_path / "a.c2b.ome.tif"
    if before:
        path.write_bytes(before)

    def broken():
        yield from capture.images[:2]
        raise Interrupted

    with pytest.raises(Interrupted):
        format_of(path).write(path, capture.sensor, broken(), 4, capture.record)
    assert [p.name for p in tmp_path.iterdir()] == [path.name] * bool(before)
    assert not before or path.read_bytes() == before


def test_exposures_that_differ_or_lack_are_refused(tmp_path):
    capture = taken()
    path = tmp_path / "a.c2b.ome.tif"
    images = capture.images
    for wrong in (
        [images[0], images[1, :, :-1]],
        [images[0], images[1].astype(np.float32)],
        [],
        images[:3],
        [*images, images[0]],
    ):
        with pytest.raises(Refusal):
            format_of(path).write(path, capture.sensor, iter(wrong), 4, capture.record)
        assert not list(tmp_path.iterdir())


def test_a_full_disk_is_noticed_before_writing(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 10, 10))
    with pytest.raises(Refusal, match="the disk has 0 MB left"):
        write_capture(tmp_path / "a.c2b.ome.tif", taken())
    assert not list(tmp_path.iterdir())


def test_an_absent_folder_is_refused(tmp_path):
    with pytest.raises(Refusal, match="does not exist"):
        write_capture(tmp_path / "absent" / "a.c2b.ome.tif", taken())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may write anywhere")
def test_a_read_only_folder_is_an_error_of_the_system(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match="Permission"):
        write_capture(tmp_path / "a.c2b.ome.tif", taken())


# Atomic files ----------------------------------------------------------------------------------------------------------------


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_file(path) as partial:
        partial.write_text("new")
        assert partial.suffix == ".txt" and not path.exists()
    assert path.read_text() == "new" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, OSError])
def test_a_failure_leaves_the_old_file(tmp_path, failure):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(failure), atomic_file(path) as partial:
        partial.write_text("half")
        raise failure
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_a_folder_replaces_only_what_this_program_wrote(tmp_path):
    path = tmp_path / "frames"

    def write(*names):
        with atomic_file(path) as partial:
            partial.mkdir()
            for name in names:
                (partial / name).write_text("x")

    write("1.png", "2.png")
    write("1.png", "2.png", "3.png")
    assert len(list(path.iterdir())) == 3
    (path / "thesis.tex").write_text("years of work")
    with pytest.raises(Refusal, match=r"thesis\.tex"):
        write("1.png", "2.png", "3.png")
    assert (path / "thesis.tex").read_text() == "years of work"
    with pytest.raises(Refusal, match="in the way"), atomic_file(path) as partial:
        partial.write_text("a file where a folder is")
    assert [p.name for p in tmp_path.iterdir()] == ["frames"]


def test_the_document_is_json_without_nan(tmp_path):
    path = tmp_path / "a.c2b.ome.tif"
    write_capture(path, taken())
    assert json.loads(json.dumps(document_in(path), allow_nan=False))["schema"] == "c2b.capture"
