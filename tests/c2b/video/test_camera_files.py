"""Recordings of Photron, Phantom and NorPix cameras and dumps of raw frames: numbers and facts as the camera wrote them, lazily."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys

import imagecodecs
import numpy as np
import pytest
import tifffile
from pims.cine import Cine
from pims.norpix_reader import NorpixSeq

from c2b.video import phantom_cine, photron_mraw
from c2b.video.packed_dump import RawLayout
from c2b.video.pixel_packing import pack
from c2b.video.recording import open_recording
from sensors.refusal import Refusal
from sensors.response import make as make_response
from tests import handmade_recordings as handmade
from tests.stored_data import data

COUNT, HEIGHT, WIDTH = 5, 6, 8

def frames_of(dtype="uint16", top=4095, shape=(COUNT, HEIGHT, WIDTH)):
    return np.random.default_rng(5).integers(0, top, shape, dtype, endpoint=True)


def check_reading(recording, frames):
    np.testing.assert_array_equal(recording[:], frames)
    np.testing.assert_array_equal(recording[1:5:3], frames[1:5:3])
    np.testing.assert_array_equal(recording[::-2], frames[::-2])
    np.testing.assert_array_equal(recording[-1], frames[-1])
    assert recording.dtype == recording[0].dtype == frames.dtype and recording.shape == frames.shape
    json.dumps({**recording.describe(), "record": dict(recording.record)}, allow_nan=False)


# Photron.


@pytest.mark.parametrize(
    ("bits", "dtype", "top"), [(8, "uint8", 255), (10, "uint16", 1023), (12, "uint16", 4095), (16, "uint16", 4095)]
)
@pytest.mark.parametrize("named", [".mraw", "header"])
@pytest.mark.parametrize("text", [False, True])
def test_photron_frames_are_read_by_any_of_their_files(tmp_path, bits, dtype, top, named, text):
    frames = frames_of(dtype, top)
    header = handmade.write_mraw(tmp_path / "clip", frames, bits, effective=min(bits, 12), text=text)
    with open_recording(header if named == "header" else tmp_path / "clip.mraw") as recording:
        check_reading(recording, frames)
        assert (recording.format, recording.white, recording.black) == ("photron-mraw", top, 0)
        assert recording.rate == 60_000 / 4 and not recording.rate_nominal
        assert recording.shutter == pytest.approx(1250e-9)
        assert recording.record["decimation"] == 4 and recording.record["camera"] == "FASTCAM"


def test_effective_bits_at_the_higher_side_move_white_and_not_the_numbers(tmp_path):
    frames = frames_of() << 4
    with open_recording(handmade.write_mraw(tmp_path / "clip", frames, 16, side="Higher")) as recording:
        check_reading(recording, frames)
        assert recording.white == 4095 << 4


def test_photron_colour_is_interleaved(tmp_path):
    frames = frames_of("uint8", 255, (COUNT, HEIGHT, WIDTH, 3))
    with open_recording(handmade.write_mraw(tmp_path / "clip", frames, 24, effective=8, colour="Color")) as recording:
        check_reading(recording, frames)
        assert recording.colour == "rgb"


def test_a_raw_mosaic_is_named_by_the_sidecar(tmp_path):
    header = handmade.write_mraw(tmp_path / "clip", frames_of(), 12, colour="Raw")
    (tmp_path / "clip.cihx.json").write_text('{"colour": "grbg"}')
    with open_recording(header) as recording:
        assert recording.colour == "grbg" and recording.record["colour_type"] == "Raw"
    with open_recording(tmp_path / "clip.mraw") as recording:
        assert recording.colour == "mono"


def test_the_shutter_is_the_reciprocal_where_nanoseconds_are_missing(tmp_path):
    header = handmade.write_mraw(tmp_path / "clip", frames_of(), 12, text=True)
    header.write_text(header.read_text().replace("Shutter Type2(nsec) : 1250\n", ""))
    assert open_recording(header).shutter == pytest.approx(1 / 800_000)


# Phantom.


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(
    ("dtype", "packing", "bits"), [("uint8", 0, 8), ("uint16", 0, 12), ("uint16", 256, 10), ("uint16", 1024, 12)]
)
def test_phantom_frames_are_upright_in_every_packing(tmp_path, version, dtype, packing, bits):
    frames = frames_of(dtype, (1 << bits) - 1)
    path = handmade.write_cine(tmp_path / "clip.cine", frames, packing=packing, version=version, bits=bits)
    with open_recording(path) as recording:
        check_reading(recording, frames)
        assert recording.record["first_frame"] == -5 and recording.record["effective_bits"] == bits
        assert recording.response == ("phantom-10bit" if packing == 256 else "none")


def test_phantom_levels_are_facts_and_numbers_stay(tmp_path):
    frames = frames_of()
    with open_recording(handmade.write_cine(tmp_path / "x.cine", frames, bits=12, black=64, white=4064)) as recording:
        assert (recording.black, recording.white) == (64, 4064)
        check_reading(recording, frames)
        np.testing.assert_allclose(recording.irradiance(0, 1)[0], (frames[0] - 64.0) / 4000, atol=1e-6)


def test_settings_beyond_their_length_are_of_a_newer_camera_and_not_read(tmp_path):
    path = handmade.write_cine(tmp_path / "x.cine", frames_of(), bits=14, black=64, white=4064, length=1000)
    with open_recording(path) as recording:
        assert (recording.black, recording.white) == (0, 16383)
        assert recording.record.keys().isdisjoint({"black_level", "white_level", "shutter_ns"})


def test_time_stamps_go_before_the_rate_that_was_set(tmp_path):
    with open_recording(handmade.write_cine(tmp_path / "x.cine", frames_of(), rate=1000)) as recording:
        assert recording.rate == pytest.approx(500) and recording.record["frame_rate"] == 1000
        assert recording.shutter == pytest.approx(2**20 / 2**32) and recording.record["shutter_ns"] == 50_000
        np.testing.assert_allclose(recording.times(range(1, 5, 3)), [-1 + 1 / 500, -1 + 4 / 500], atol=1e-9)


def test_the_mosaic_of_a_phantom_is_told_only_where_frames_are_a_mosaic(tmp_path):
    for compression, cfa, colour in ((2, 3, "gbrg"), (2, 4, "rggb"), (2, 0, "mono"), (0, 3, "mono")):
        path = handmade.write_cine(tmp_path / "x.cine", frames_of(), compression=compression, cfa=cfa)
        assert open_recording(path).colour == colour


def test_the_ten_bit_curve_keeps_its_published_values():
    """The table of Vision Research, code to linear 12 bit, at some of its 1024 places."""
    curve = make_response("phantom-10bit")
    codes, linear = np.array([64, 93, 186, 279, 372, 558, 744, 930, 1014]), [64, 92, 186, 332, 545, 1183, 2123, 3385, 4064]
    np.testing.assert_allclose(curve.decode((codes - 64) / 950) * 4000 + 64, linear, atol=2.1)
    values = np.linspace(-0.1, 1.1, 101)
    np.testing.assert_allclose(curve.decode(curve.encode(values)), values, atol=1e-12)


# NorPix.


@pytest.mark.parametrize(("version", "dtype", "top"), [(4, "uint8", 255), (5, "uint16", 4095), (5, "uint8", 255)])
@pytest.mark.parametrize("allocated", [-1, 0])
def test_norpix_sequences_of_both_headers(tmp_path, version, dtype, top, allocated):
    frames = frames_of(dtype, top)
    with open_recording(handmade.write_seq(tmp_path / "x.seq", frames, version=version, allocated=allocated)) as recording:
        check_reading(recording, frames)
        assert recording.white == top and recording.rate == pytest.approx(50, rel=1e-4)
        assert recording.record["suggested_rate"] == 25
        assert recording.times(range(2, 3))[0] == pytest.approx(1e9 + 0.04 + (250e-6 if version >= 5 else 0), abs=1e-6)


# Dumps.


@pytest.mark.parametrize("stride", [None, 19])
@pytest.mark.parametrize("pixel_format", ["Mono10p", "Mono12p", "Mono10Packed", "Mono12Packed", "Mono12msb", "BayerGR12p"])
def test_packed_dumps_are_read_by_their_layout(tmp_path, pixel_format, stride):
    packing = pixel_format.replace("BayerGR", "Mono")
    frames = frames_of(top=(1 << int(packing[4:6])) - 1, shape=(COUNT, 4, 9))
    content = b"H" * 7
    for frame in frames:
        rows = pack(frame, packing) if stride else pack(frame.reshape(1, -1), packing)
        rows = np.pad(rows, ((0, 0), (0, stride - rows.shape[1] if stride else 0)), constant_values=0xAA)
        content += b"head" + rows.tobytes() + b"trail"
    layout = {"pixel_format": pixel_format, "width": 9, "height": 4, "header_bytes": 7, "frame_header": 4, "frame_trailer": 5}
    path = handmade.write_dump(tmp_path / "x.raw", content, **layout, **({"stride": stride} if stride else {}))
    with open_recording(path) as recording:
        check_reading(recording, frames)
        assert recording.colour == ("grbg" if "Bayer" in pixel_format else "mono") and recording.rate == 500
        assert recording.white == (1 << int(packing[4:6])) - 1


@pytest.mark.parametrize("order", ["little", "big"])
def test_unpacked_dumps_have_an_order_of_bytes(tmp_path, order):
    frames = frames_of()
    content = frames.astype(">u2" if order == "big" else "<u2").tobytes()
    path = handmade.write_dump(tmp_path / "x.bin", content, pixel_format="Mono12", width=WIDTH, height=HEIGHT, endianness=order)
    with open_recording(path) as recording:
        check_reading(recording, frames)
        assert recording.white == 4095


def test_blue_green_red_is_turned_round(tmp_path):
    frames = frames_of("uint8", 255, (2, HEIGHT, WIDTH, 3))
    path = handmade.write_dump(tmp_path / "x.raw", frames[..., ::-1].tobytes(), pixel_format="BGR8", width=WIDTH, height=HEIGHT)
    with open_recording(path) as recording:
        check_reading(recording, frames)


# What is wrong is said in one line.


def damaged(make, place, field):
    """A recording in whose first file a field has been overwritten."""

    def damage(folder):
        path = make(folder)
        content = path.read_bytes()
        path.write_bytes(content[:place] + field + content[place + len(field) :])
        return path

    return damage


def cine(folder, **facts):
    return handmade.write_cine(folder / "x.cine", frames_of(), **facts)


def seq(folder, **facts):
    return handmade.write_seq(folder / "x.seq", frames_of("uint8", 255), **facts)


def header_only(folder):
    path = handmade.write_mraw(folder / "x", frames_of(), 12)
    path.with_suffix(".mraw").unlink()
    return path


def short_mraw(folder):
    path = handmade.write_mraw(folder / "x", frames_of(), 12)
    os.truncate(path.with_suffix(".mraw"), 300)
    return path.with_suffix(".mraw")


def short(make):
    def cut(folder):
        path = make(folder)
        os.truncate(path, path.stat().st_size - 60)
        return path

    return cut


def dump(**layout):
    return lambda folder: handmade.write_dump(folder / "x.raw", bytes(100), **layout)


def bare_dump(folder):
    (folder / "x.raw").write_bytes(bytes(100))
    return folder / "x.raw"


REFUSED = {
    "photron header alone": (header_only, "needs its other half x.mraw"),
    "photron cut": (short_mraw, "holds 4 of 5 frames"),
    "photron bits": (lambda folder: handmade.write_mraw(folder / "x", frames_of(), 14), "14 bit in a pixel are not known"),
    "phantom cut": (short(cine), "it holds 4 of 5 frames"),
    "phantom jpeg": (lambda folder: cine(folder, compression=1), "JPEG"),
    "phantom filters": (lambda folder: cine(folder, compression=2, cfa=1), "colour filters of kind 1"),
    "phantom settings": (damaged(cine, 84 + 140, b"XX"), "settings do not begin"),
    "phantom size": (damaged(cine, 44 + 4, struct.pack("<i", 1 << 30)), "damaged: 1073741824x6"),
    "phantom count": (damaged(cine, 20, b"\xff\xff\xff\xff"), "tells of 4294967295 frames"),
    "norpix cut": (short(seq), "holds 4 of 5 frames"),
    "norpix jpeg": (lambda folder: seq(folder, kind=102), "JPEG frames; known: uncompressed mono"),
    "norpix compressed": (lambda folder: seq(folder, compression=1), "compressed 8 bit"),
    "norpix size": (damaged(seq, 548, b"\0\0\0\0"), "damaged: 0x6"),
    "dump without layout": (bare_dump, "need their layout in .*x.raw.json, such as"),
    "dump of another size": (dump(pixel_format="Mono8", width=7, height=9), "holds 1 of at least 2 frames .of 63 bytes, 37 left"),
    "dump of an unknown format": (dump(pixel_format="Mono11p", width=7, height=9), "unknown pixel format 'Mono11p'"),
    "dump of no width": (dump(pixel_format="Mono8", width=0, height=9), "width as a whole number from 1 on, not 0"),
    "dump of short rows": (dump(pixel_format="Mono8", width=9, height=9, stride=4), "stride 4 is too short"),
    "dump with an unknown key": (dump(pixel_format="Mono8", width=9, height=9, depth=4), "look at depth"),
    "dump with too few keys": (dump(pixel_format="Mono8", width=9), "look at height"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_damaged_recording_is_refused_in_one_line(tmp_path, case):
    make, words = REFUSED[case]
    with pytest.raises(Refusal, match=words) as told:
        open_recording(make(tmp_path))
    assert "\n" not in str(told.value) and str(tmp_path) in str(told.value)


def test_a_file_that_shrinks_while_it_is_open_is_refused_and_ends_nothing(tmp_path):
    for path in (cine(tmp_path), seq(tmp_path), handmade.write_mraw(tmp_path / "m", frames_of(), 16)):
        with open_recording(path) as recording:
            pixels = path.with_suffix(".mraw") if path.suffix == ".cihx" else path
            os.truncate(pixels, pixels.stat().st_size // 4)
            with pytest.raises(Refusal, match="cut short"):
                recording[:]


# Size.

TWENTY_GIGABYTES = 20_000_000_000


def large_mraw(folder, bits=16):
    header = handmade.write_mraw(folder / "x", frames_of(shape=(1, 1024, 1024)), bits)
    count = TWENTY_GIGABYTES // (1024 * 1024 * bits // 8)
    header.write_bytes(header.read_bytes().replace(b"<totalFrame>1<", b"<totalFrame>%d<" % count))
    os.truncate(folder / "x.mraw", count * (1024 * 1024 * bits // 8))
    return header


def large_cine(folder, bits=16):
    path = handmade.write_cine(folder / "x.cine", frames_of(shape=(1, 1024, 1024)), packing={16: 0, 12: 1024}[bits])
    content = path.read_bytes()
    size = 1024 * 1024 * bits // 8
    count, each = TWENTY_GIGABYTES // size, handmade.ANNOTATION + size
    table = struct.unpack_from("<I", content, 32)[0]
    places = table + 8 * count + each * np.arange(count)
    with path.open("wb") as file:
        file.write(content[:20] + struct.pack("<I", count) + content[24:table] + places.astype("<i8").tobytes())
        for number in (0, count // 2, count - 1):
            file.seek(places[number])
            file.write(content[table + 8 :][: handmade.ANNOTATION])
        file.truncate(places[-1] + each)
    return path


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("make", [large_mraw, large_cine])
def test_a_frame_out_of_twenty_gigabytes_takes_little_time_and_memory(tmp_path, make, bits):
    """A process of its own, imports and all; the compiler, which alone takes as long, is not loaded for one packed frame."""
    program = (
        "import re, sys, time; from c2b.video.recording import open_recording; recording = open_recording(sys.argv[1])\n"
        "print(len(recording), recording[len(recording) // 2].sum(), int('numba' in sys.modules))\n"
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) // 1024)\n"
        "print(round(1000 * time.process_time()))"
    )
    done = [subprocess.run([sys.executable, "-c", program, make(tmp_path, bits)], capture_output=True, text=True, check=True)
            for _ in range(2)]  # fmt: skip
    frames, light, compiler, megabytes, milliseconds = zip(*(map(int, each.stdout.split()) for each in done), strict=True)
    assert set(frames) == {TWENTY_GIGABYTES // (1024 * 1024 * bits // 8)} and set(light) == set(compiler) == {0}
    assert max(megabytes) < 200
    assert min(milliseconds) < 500


@pytest.mark.parametrize("make", [large_mraw, large_cine])
def test_only_the_frames_asked_for_are_looked_at(tmp_path, make, monkeypatch):
    looked_at = []
    memmap = np.memmap

    def watched(path, dtype, mode, start, shape):
        looked_at.append(shape[0])
        return memmap(path, dtype, mode, start, shape)

    monkeypatch.setattr(np, "memmap", watched)
    with open_recording(make(tmp_path)) as recording:
        assert sum(looked_at) < 100_000
        recording[len(recording) // 2]
        assert sum(looked_at) < 100_000 + recording[0].nbytes


def test_simulation_of_a_long_recording_takes_constant_memory(tmp_path):
    """900 frames, 59 MB: what they take beyond the first 90 is far less than they are."""
    header = handmade.write_mraw(tmp_path / "x", frames_of(shape=(1, 128, 256)), 16)
    header.write_bytes(header.read_bytes().replace(b"<totalFrame>1<", b"<totalFrame>900<"))
    os.truncate(tmp_path / "x.mraw", 900 * 128 * 256 * 2)
    program = """
import resource, sys, sensors
from c2b import codes, streaming
from c2b.video.recording import open_recording
sensor = sensors.make("two-bucket", codes.make("impulse:tile=3"))
peaks = []
for frames in (90, 900):
    part = open_recording(sys.argv[1]).window(frames=slice(0, frames))
    streaming.simulate(part, sys.argv[2], sensor, seed=0)
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
print(*peaks)
"""
    command = [sys.executable, "-c", program, header, tmp_path / "x.c2b.ome.tif"]
    short_run, long_run = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert long_run - short_run < 20


# Real recordings.


def test_real_facts_of_photron_recordings():
    with open_recording(data("formats/photron/beam.cihx")) as beam:
        assert beam.shape == (4, 80, 1024) and beam.white == 4095
        assert beam.rate == 50_000 / 2500 and beam.shutter == pytest.approx(5e-6)
    with open_recording(data("formats/photron/ball_12bit.mraw")) as ball:
        assert ball.shape == (15, 384, 384) and ball.rate == 30_000 and ball.shutter == pytest.approx(20e-6)
    header = photron_mraw._facts(data("formats/photron/sample_60k_16bit.cih"))
    assert (header["width"], header["height"], header["frames"], header["decimation"]) == (896, 368, 12, 36)
    assert header["one_over_shutter"] == 800_000 and header["shutter_ns"] == 1250
    with pytest.raises(Refusal, match="needs its other half"):
        open_recording(data("formats/photron/sample_60k_16bit.cih"))


def test_twelve_bit_frames_are_those_of_other_readers():
    path = data("formats/photron/ball_12bit.mraw")
    with open_recording(path) as ball:
        theirs = imagecodecs.packints_decode(path.read_bytes(), "u2", 12).reshape(ball.shape)
        np.testing.assert_array_equal(ball[:], theirs)
        np.testing.assert_array_equal(ball[:], tifffile.imread(data("highspeed/devtest/d08_ball-30kfps_linear12.tif")))


def test_ten_bit_frames_are_those_of_imagecodecs():
    path = data("formats/phantom/chart1.cine")
    with open_recording(path) as chart:
        content = path.read_bytes()[-chart.height * chart.width * 10 // 8 :]
        np.testing.assert_array_equal(chart[0], imagecodecs.packints_decode(content, "u2", 10).reshape(chart.shape[1:]))
        assert chart.colour == "gbrg" and (chart.black, chart.white, chart.response) == (64, 1014, "phantom-10bit")


@pytest.mark.parametrize(("name", "levels", "rate"), [("cine_781", (64, 4064), 9003), ("cine_legacy", (0, 16383), 35087)])
def test_mono_phantom_frames_are_those_of_pims(name, levels, rate):
    path = data(f"formats/phantom/{name}.cine")
    with open_recording(path) as recording:
        assert (recording.black, recording.white) == levels and recording.rate == pytest.approx(rate, abs=1)
        theirs = Cine(str(path))
        np.testing.assert_array_equal(recording[:], np.stack([np.asarray(theirs[k]) for k in range(len(theirs))]))
        theirs.close()


def test_norpix_frames_and_times_are_those_of_pims():
    path = data("formats/norpix/sample_norpix6.seq")
    with open_recording(path) as recording:
        theirs = NorpixSeq(str(path))
        np.testing.assert_array_equal(recording[:], np.stack([np.asarray(theirs[k]) for k in range(len(theirs))]))
        np.testing.assert_allclose(recording.times(range(len(recording))), theirs.dump_times_float(), atol=1e-6)
        theirs.close()


@pytest.mark.parametrize("packing", ["Mono10p", "Mono12p", "Mono10Packed", "Mono12Packed"])
def test_synthetic_dumps_hold_their_truth(tmp_path, packing):
    truth = np.load(data("formats/synthetic/meas_truth.npy"))[:, 1]
    content = data(f"formats/synthetic/{packing.lower()}_4x64x96.raw").read_bytes()
    path = handmade.write_dump(tmp_path / "x.raw", content, pixel_format=packing, width=96, height=64)
    np.testing.assert_array_equal(open_recording(path)[:], truth >> (2 if "10" in packing else 0))


@pytest.mark.parametrize(("name", "least"), [("photron/ball_12bit.cihx", 20), ("phantom/cine_781.cine", 25)])
def test_real_recordings_go_the_whole_line(tmp_path, name, least):
    """Recording, capture by a noisy preset, file, tile solve, score."""
    import recon
    import sensors
    from c2b import codes, streaming
    from c2b.captures import read_capture
    from recon.metrics import psnr

    with open_recording(data(f"formats/{name}")) as recording:
        sensor = sensors.make("cep-2019:white=800", codes.make("impulse:tile=3"))
        assert streaming.simulate(recording, tmp_path / "x.c2b.ome.tif", sensor, seed=1).exposures == len(recording) // 9
        capture = read_capture(tmp_path / "x.c2b.ome.tif")
        assert capture.record["rate"] == recording.rate
        frames = recon.make("tile", consistent=True).reconstruct(capture)
        assert psnr(frames[0], recording.irradiance(0, 9), data_range=1) > least


def test_layouts_count_their_frames():
    layout = RawLayout("Mono12p", 9, 4, stride=16, header_bytes=10, frame_trailer=6)
    assert layout.frame_bytes == 3 * 16 + 14 and layout.frame_period == 4 * 16 + 6
    assert layout.frames_in(10 + 3 * 70) == (3, 0) == layout.frames_in(10 + 3 * 70 - 8)
    assert layout.frames_in(10 + 3 * 70 + 5) == (3, 5)
    assert phantom_cine.PhantomCine.title
