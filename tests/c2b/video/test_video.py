"""Recordings: every format gives back what was written, reads only what is asked for, and says in one line what it cannot do."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from c2b.video import FORMATS, sidecar
from c2b.video import recording as recording_module
from c2b.video.recording import luma, open_recording, read_video
from c2b.video.writing import loss, write_video
from sensors import RESPONSES, response, spec
from sensors.refusal import Refusal
from tests.stored_data import data

FRAMES, HEIGHT, WIDTH = 7, 13, 22
TARGETS = ["folder/", "clip.tif", "clip.npy", "clip.mkv", "clip.avi", "clip.mp4", "clip.mov"]
EXACT = TARGETS[:5]


def frames_of(dtype="uint8", colour=False, count=FRAMES, height=HEIGHT, width=WIDTH, seed=0):
    rng = np.random.default_rng(seed)
    shape = (count, height, width) + (3,) * colour
    if np.dtype(dtype).kind == "f":
        return rng.random(shape, np.float32).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def smooth(colour=False, height=26, width=44):
    """A moving bright spot, which display codecs keep."""
    t, y, x = np.ogrid[:FRAMES, :height, :width]
    spot = (0.1 + 0.8 * np.exp(-((y - height / 2) ** 2 + (x - 10 - 3 * t) ** 2) / 60)).astype(np.float32)
    return np.stack([spot, spot * 0.5 + 0.2, 1 - spot], -1) if colour else spot


# Round trips.


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("name", EXACT)
def test_integer_frames_come_back_bit_for_bit(tmp_path, name, dtype, colour):
    video = frames_of(dtype, colour)
    write_video(str(tmp_path) + "/" + name, video, rate=25)
    with open_recording(tmp_path / name) as found:
        assert found.shape == video.shape
        assert found.dtype == found[:].dtype == np.dtype(dtype)
        assert found.colour == ("rgb" if colour else "mono")
        assert found.white == np.iinfo(dtype).max
        assert found.rate == 25
        np.testing.assert_array_equal(found[:], video)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("colour", [False, True])
def test_irradiance_comes_back_through_the_response(tmp_path, name, colour):
    video = smooth(colour)
    record = {"method": "none at all", "frame_index": np.arange(FRAMES)}
    write_video(str(tmp_path) + "/" + name, video, response="srgb", record=record)
    with open_recording(tmp_path / name) as found:
        assert found.record == {"method": "none at all", "frame_index": list(range(FRAMES))}
        assert found.response == ("none" if found.dtype == np.float32 else "srgb")
        exact = found.dtype == np.float32
    error = np.abs(read_video(tmp_path / name) - video)
    if exact:
        assert error.max() == 0
    elif name.endswith((".mp4", ".mov")):
        assert error.mean() < 0.02 if colour else error.max() < 0.03
    else:
        assert error.max() < 0.0051


@pytest.mark.parametrize("name", TARGETS)
def test_every_format_of_the_table_is_written_by_some_target(tmp_path, name):
    write_video(str(tmp_path) + "/" + name, smooth())
    with open_recording(tmp_path / name) as found:
        assert found.format in FORMATS
        facts = json.loads(json.dumps(found.describe()))
    assert (facts["frames"], facts["height"], facts["width"]) == (FRAMES, 26, 44)
    assert {"image-folder", "tiff-stack", "npy-array", "container"} <= set(FORMATS)


@pytest.mark.parametrize("size", [(13, 22), (14, 21), (13, 21)])
def test_display_video_keeps_odd_sizes(tmp_path, size):
    for colour in (False, True):
        video = smooth(colour, *size)
        write_video(tmp_path / "odd.mp4", video)
        assert read_video(tmp_path / "odd.mp4").shape == video.shape


def test_grey_is_grey_even_where_a_codec_has_only_colour(tmp_path):
    write_video(tmp_path / "grey.mp4", smooth())
    with open_recording(tmp_path / "grey.mp4") as grey:
        told = grey[:]
    sidecar.beside(tmp_path / "grey.mp4").unlink()
    with open_recording(tmp_path / "grey.mp4") as untold:
        assert untold.colour == "rgb"
        np.testing.assert_array_equal(untold.window(channels="luma")[:], told)
        assert np.abs(untold[:] - told[..., None].astype(float)).max() <= 1


def test_light_beyond_black_and_white_is_clipped_in_integers_and_kept_in_float(tmp_path):
    video = np.linspace(-0.5, 1.5, FRAMES * HEIGHT * WIDTH, dtype=np.float32).reshape(FRAMES, HEIGHT, WIDTH)
    write_video(tmp_path / "a.mkv", video)
    write_video(tmp_path / "a.tif", video)
    np.testing.assert_allclose(read_video(tmp_path / "a.mkv"), video.clip(0, 1), atol=0.002)
    np.testing.assert_array_equal(read_video(tmp_path / "a.tif"), video)


def test_twelve_bit_frames_keep_their_white_and_black(tmp_path):
    raw = frames_of("uint16") >> 4
    write_video(tmp_path / "raw.tif", raw, white=4095, rate=30000)
    with open_recording(tmp_path / "raw.tif") as found:
        assert (found.white, found.rate) == (4095, 30000)
        np.testing.assert_allclose(found.irradiance(2, 5), raw[2:5] / 4095, rtol=1e-6)
    with open_recording(tmp_path / "raw.tif", black=64) as found:
        np.testing.assert_allclose(found.irradiance(), (raw - 64.0) / (4095 - 64), atol=1e-6)


def test_a_recording_is_converted_with_its_levels(tmp_path):
    raw = frames_of("uint16") >> 4
    write_video(tmp_path / "raw.npy", raw, white=4095, response="gamma:exponent=1.8", rate=500, record={"lens": "50 mm"})
    with open_recording(tmp_path / "raw.npy") as source:
        write_video(tmp_path / "raw.tif", source.window(frames=slice(1, 6, 2)))
        write_video(tmp_path / "shown.mkv", source.window(rows=slice(3, 9)))
        with pytest.raises(Refusal, match="cannot be written as srgb"):
            write_video(tmp_path / "other.mkv", source, response="srgb")
    with open_recording(tmp_path / "raw.tif") as found:
        assert (found.white, found.response, found.rate, found.record) == (4095, "gamma:exponent=1.8", 250, {"lens": "50 mm"})
        np.testing.assert_array_equal(found[:], raw[1:6:2])
    np.testing.assert_array_equal(open_recording(tmp_path / "shown.mkv")[:], raw[:, 3:9])


def test_high_speed_video_plays_at_a_nominal_rate_and_remembers_its_own(tmp_path):
    video = frames_of()
    write_video(tmp_path / "fast.mkv", video, rate=30000)
    with open_recording(tmp_path / "fast.mkv") as found:
        assert found.rate == 30000 and not found.rate_nominal
        np.testing.assert_array_equal(found[:], video)
    sidecar.beside(tmp_path / "fast.mkv").unlink()
    with open_recording(tmp_path / "fast.mkv") as found:
        assert found.rate == pytest.approx(30) and found.rate_nominal


def test_bool_and_double_arrays_are_written_as_what_they_mean(tmp_path):
    mask = frames_of() > 100
    write_video(tmp_path / "mask.mkv", mask)
    np.testing.assert_array_equal(read_video(tmp_path / "mask.mkv"), mask)
    write_video(tmp_path / "double.npy", frames_of("float64"))
    assert np.load(tmp_path / "double.npy").dtype == np.float32


# Slices and windows.


@pytest.fixture(scope="module")
def long_clips(tmp_path_factory):
    """The same 90 grey frames in every format; the display video has few key frames and frames that refer forwards."""
    folder = tmp_path_factory.mktemp("long")
    brightness = np.linspace(0, 0.9, 90, dtype=np.float32)[:, None, None]
    spots = np.random.default_rng(5).random((90, 24, 36), np.float32) * 0.1 + brightness
    for name in TARGETS:
        write_video(str(folder) + "/" + name, spots)
    return folder


PARTS = [(5, 9), (80, None), (None, 20, 7), (70, 10, -9), (-3, None), (4, 4), (50, 500)]


@pytest.mark.parametrize("name", TARGETS)
def test_random_access_equals_reading_in_order(long_clips, name):
    with open_recording(long_clips / name) as found:
        whole = np.stack([found[i] for i in range(90)])
        for i in (89, 0, 45, 44, 44, 50, 3, 88, -1, -90, 60, 61, 12):
            np.testing.assert_array_equal(found[i], whole[i])
        for part in (slice(*edges) for edges in PARTS):
            np.testing.assert_array_equal(found[part], whole[part])
    with open_recording(long_clips / name) as fresh:
        np.testing.assert_array_equal(fresh[77], whole[77])
        np.testing.assert_array_equal(fresh[np.int64(40)], whole[40])


@pytest.mark.parametrize("name", TARGETS)
def test_a_frame_out_of_range_is_an_index_error(long_clips, name):
    with open_recording(long_clips / name) as found:
        for number in (90, -91):
            with pytest.raises(IndexError, match="90 frames"):
                found[number]
        with pytest.raises(TypeError):
            found["3"]  # type: ignore[call-overload]


def test_a_jump_far_ahead_decodes_from_a_key_frame(tmp_path):
    video = frames_of(count=120, height=16, width=18)
    write_video(tmp_path / "keys.mkv", video)  # FFV1: every frame a key frame
    with open_recording(tmp_path / "keys.mkv") as found:
        decoded = []
        step = found._step
        found._step = lambda: decoded.append(1) or step()
        np.testing.assert_array_equal(found[110], video[110])
        np.testing.assert_array_equal(found[50:53], video[50:53])
        assert len(decoded) < 20  # from the beginning it would be over 160


def test_a_window_is_the_part_of_the_array(tmp_path):
    video = frames_of(colour=True)
    write_video(tmp_path / "v.npy", video)
    whole = open_recording(tmp_path / "v.npy")
    part = whole.window(frames=slice(5, None, -2), rows=slice(2, 11), columns=slice(-9, None))
    np.testing.assert_array_equal(part[:], video[5::-2, 2:11, -9:])
    np.testing.assert_array_equal(part[1], video[3, 2:11, -9:])
    assert (part.frame_index, part.crop, part.rate) == (range(5, -1, -2), (2, 13, 9, 9), 15)
    inner = part.window(frames=slice(1, None), rows=slice(1, 4), channels="luma")
    np.testing.assert_array_equal(inner[:], luma(video[3::-2, 3:6, -9:]))
    assert inner.source == {"path": str(tmp_path / "v.npy"), "first": 3, "step": -2, "frames": 2, "crop": [3, 13, 3, 9]}
    assert inner.shape == inner[:].shape and inner.colour == "mono"
    np.testing.assert_array_equal(inner.window(channels="rgb")[0][..., 2], inner[0])


def test_a_window_of_a_window_has_the_same_luma(tmp_path):
    write_video(tmp_path / "c.mp4", smooth(colour=True))
    whole = open_recording(tmp_path / "c.mp4")
    at_once = whole.window(rows=slice(3, 12), channels="luma")
    in_turn = whole.window(rows=slice(3, 12)).window(channels="luma")
    np.testing.assert_array_equal(at_once[:], in_turn[:])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_resizing_is_pillows_lanczos(tmp_path, dtype):
    from PIL import Image

    video = frames_of(dtype, colour=True)
    write_video(tmp_path / "v.npy", video)
    part = open_recording(tmp_path / "v.npy").window(rows=slice(1, 11), resize=(5, 9))
    assert part.shape == part[:].shape == (FRAMES, 5, 9, 3)
    assert part.crop == (1, 0, 10, WIDTH)
    assert part.window(rows=slice(1, 3)).crop == (3, 0, 4, WIDTH)
    green = np.asarray(Image.fromarray(video[2, 1:11, :, 1].astype(np.float32)).resize((9, 5), Image.Resampling.LANCZOS))
    np.testing.assert_allclose(part[2][..., 1], green, atol=1.01 if dtype == "uint8" else 0.51 if dtype == "uint16" else 1e-6)


def test_cropping_a_mosaic_shifts_its_pattern(tmp_path):
    write_video(tmp_path / "raw.npy", frames_of("uint16"))
    sidecar.beside(tmp_path / "raw.npy").write_text('{"colour": "rggb"}')
    raw = open_recording(tmp_path / "raw.npy")
    patterns = [raw.window(rows=slice(r, None), columns=slice(c, None)).colour for r in (0, 1) for c in (0, 1)]
    assert patterns == ["rggb", "grbg", "gbrg", "bggr"]
    for wish in ({"channels": "luma"}, {"resize": (4, 4)}):
        with pytest.raises(Refusal, match="mosaic"):
            raw.window(**wish)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"frames": slice(7, 9)}, "has 7 frames"),
        ({"rows": slice(4, 4)}, "are none"),
        ({"columns": slice(0, 9, 2)}, "no step"),
        ({"frames": slice(0, 5, 0)}, "not a range"),
        ({"resize": (0, 4)}, "height, width"),
        ({"channels": "yuv"}, "luma or rgb"),
    ],
)
def test_a_window_outside_is_refused(tmp_path, wish, words):
    write_video(tmp_path / "v.npy", frames_of())
    with pytest.raises(Refusal, match=words):
        open_recording(tmp_path / "v.npy").window(**wish)


def test_luma_is_pillows():
    from PIL import Image

    rgb = frames_of(colour=True, height=80, width=91)
    np.testing.assert_array_equal(luma(rgb), np.stack([np.asarray(Image.fromarray(frame).convert("L")) for frame in rgb]))
    white = np.full((1, 1, 3), 65535, np.uint16)
    assert luma(white) == 65535
    deep = frames_of("uint16", colour=True)
    np.testing.assert_allclose(luma(deep), deep @ np.array([0.299, 0.587, 0.114]), atol=1.5)
    assert luma(frames_of("float32", colour=True)).dtype == np.float32


# Response curves.


@pytest.mark.parametrize("name", [*RESPONSES, "gamma:exponent=0.45"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_encode_and_decode_are_inverses(name, dtype):
    curve = response.make(name)
    values = np.linspace(-0.25, 1.5, 5001, dtype=dtype)
    assert curve.decode(values).dtype == dtype
    np.testing.assert_allclose(curve.encode(curve.decode(values)), values, atol=1e-6)
    np.testing.assert_allclose(curve.decode(curve.encode(values)), values, atol=1e-6)
    np.testing.assert_allclose(curve.decode([0, 1]), [0, 1], atol=1e-12)
    assert (np.diff(curve.decode(values)) > 0).all()
    assert response.make(str(curve)) == curve and str(curve).partition(":")[0] == name.partition(":")[0]


def test_srgb_has_its_published_values():
    np.testing.assert_allclose(response.make("srgb").decode([10 / 255, 30 / 255, 0.5]), [0.003035, 0.012983, 0.214041], atol=1e-6)
    assert str(response.make("gamma")) == "gamma:exponent=2.2"
    for bad in ("gamma:exponent=0", "gamma:exponent=nan", "log", "srgb:exponent=2"):
        with pytest.raises(Refusal):
            response.make(bad)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_the_table_equals_the_formula(dtype):
    frames, curve = frames_of(dtype), response.make("srgb")
    expected = curve.decode((frames.astype(np.float64) - 10) / 190)
    np.testing.assert_allclose(response.linearise(frames, curve, black=10, white=200), expected, rtol=1e-6, atol=1e-7)


# What the formats have of their own.


def test_images_are_in_natural_order_and_other_files_are_passed_over(tmp_path):
    from PIL import Image

    for number in (1, 2, 9, 10, 100):
        Image.fromarray(np.full((5, 8), number, np.uint8)).save(tmp_path / f"frame{number}.png")
    for other in (".hidden.png", "Thumbs.db", "meta.json", "notes.txt"):
        (tmp_path / other).write_text("{}")
    assert open_recording(tmp_path)[:][:, 0, 0].tolist() == [1, 2, 9, 10, 100]


def test_alpha_is_dropped_and_palettes_are_colours(tmp_path):
    from PIL import Image

    rgba = np.concatenate([frames_of(colour=True, count=1)[0], np.zeros((HEIGHT, WIDTH, 1), np.uint8)], -1)
    (tmp_path / "a").mkdir()
    Image.fromarray(rgba).save(tmp_path / "a" / "0.png")
    np.testing.assert_array_equal(open_recording(tmp_path / "a")[0], rgba[..., :3])
    (tmp_path / "b").mkdir()
    Image.fromarray(rgba[..., :3] // 128 * 128).quantize(8).save(tmp_path / "b" / "0.png")
    np.testing.assert_array_equal(open_recording(tmp_path / "b")[0], rgba[..., :3] // 128 * 128)


def test_jpeg_folders_are_read(tmp_path):
    from PIL import Image

    for number, frame in enumerate(smooth()):
        Image.fromarray((frame * 255).astype(np.uint8)).save(tmp_path / f"{number}.JPG", quality=95)
    assert np.abs(read_video(tmp_path) - smooth()).max() < 0.05


TIFFS = {
    "big-endian": (frames_of("uint16"), {"byteorder": ">", "photometric": "minisblack"}),
    "BigTIFF": (frames_of(), {"bigtiff": True, "photometric": "minisblack"}),
    "deflate": (frames_of("uint16", colour=True), {"compression": "zlib", "photometric": "rgb"}),
    "deflate, big-endian": (frames_of("uint16"), {"compression": "zlib", "byteorder": ">", "photometric": "minisblack"}),
    "ImageJ": (frames_of("uint16"), {"imagej": True}),
    "OME": (frames_of("uint16"), {"ome": True, "photometric": "minisblack"}),
    "with axes": (frames_of(colour=True), {"photometric": "rgb", "metadata": {"axes": "TYXS"}}),
    "guessed, three frames": (frames_of(count=3), {"photometric": "rgb", "planarconfig": "separate"}),
    "double": (frames_of("float64"), {"photometric": "minisblack"}),
    "one frame": (frames_of(count=1), {"photometric": "minisblack"}),
    "one colour frame": (frames_of(count=1, colour=True), {"photometric": "rgb"}),
}


@pytest.mark.parametrize("kind", TIFFS)
def test_tiff_stacks_of_many_makers_are_read(tmp_path, kind):
    import tifffile

    video, settings = TIFFS[kind]
    tifffile.imwrite(tmp_path / "x.tif", video, **settings)
    with open_recording(tmp_path / "x.tif") as found:
        assert found.shape == video.shape
        assert found[:].dtype == found.dtype and found.dtype.isnative
        np.testing.assert_array_equal(found[:], video.astype(found.dtype))
        np.testing.assert_array_equal(found[-1], video[-1].astype(found.dtype))


@pytest.mark.parametrize("planar", [False, True])
def test_tiff_pages_written_one_by_one_are_frames(tmp_path, planar):
    import tifffile

    video = frames_of(colour=planar)
    with tifffile.TiffWriter(tmp_path / "x.tif") as writer:
        for frame in np.moveaxis(video, -1, 1) if planar else video:
            settings = {"photometric": "rgb", "planarconfig": "separate"} if planar else {"photometric": "minisblack"}
            writer.write(frame, **settings)
    with open_recording(tmp_path / "x.tif") as found:
        np.testing.assert_array_equal(found[:], video)


@pytest.mark.parametrize("name", ["clip.npy", "clip.tif"])
def test_slices_of_mapped_files_are_read_only_views(tmp_path, name):
    write_video(tmp_path / name, frames_of("uint16"))
    with open_recording(tmp_path / name) as found:
        first, second = found[2:5], found[3]
        assert np.shares_memory(first, second)
        assert not first.flags.writeable


def test_one_frame_of_a_recording_larger_than_memory_is_read_at_once(tmp_path):
    with (tmp_path / "huge.npy").open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (60_000, 500, 1000)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 60_000 * 500 * 1000)
    with open_recording(tmp_path / "huge.npy") as found:
        assert found[59_999].sum() == 0
        assert found.window(frames=slice(30_000, 30_002), rows=slice(5, 9)).irradiance().shape == (2, 4, 1000)


def test_opening_reads_no_frame(tmp_path, monkeypatch):
    from c2b.video.container import Container
    from c2b.video.image_folder import ImageFolder
    from c2b.video.tiff_stack import TiffStack

    def forbidden(*_):
        raise AssertionError("a frame was read")

    for name in TARGETS:
        write_video(str(tmp_path) + "/" + name, smooth())
    for kind, method in ((Container, "_step"), (ImageFolder, "_image"), (TiffStack, "_page")):
        monkeypatch.setattr(kind, method, forbidden)
    for name in TARGETS:
        with open_recording(tmp_path / name) as found:
            assert found.window(frames=slice(2, 4), channels="luma").shape == (2, 26, 44)


def encode(path, pixels, frames, **context):
    """Encode planes as they are: the reference for depth and range."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(30))
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixels
        for key, value in context.items():
            setattr(stream.codec_context, key, value)
        for grey in frames:
            image = av.VideoFrame(grey.shape[1], grey.shape[0], pixels)
            for number, plane in enumerate(image.planes):
                item = grey.dtype.itemsize
                room = np.zeros((plane.buffer_size // plane.line_size, plane.line_size // item), grey.dtype)
                room[:] = 1 << (image.format.components[0].bits - 1)
                if number == 0:
                    room[: plane.height, : plane.width] = grey
                plane.update(room.tobytes())
            container.mux(stream.encode(image))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(("pixels", "bits"), [("gray", 8), ("gray10le", 10), ("gray12le", 12), ("gray16le", 16)])
def test_grey_video_of_any_depth_is_handed_out_as_stored(tmp_path, pixels, bits):
    video = frames_of("uint16" if bits > 8 else "uint8") >> (16 - bits if bits > 8 else 0)
    encode(tmp_path / "g.mkv", pixels, video)
    with open_recording(tmp_path / "g.mkv") as found:
        assert (found.colour, found.white) == ("mono", (1 << bits) - 1)
        np.testing.assert_array_equal(found[:], video)


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize(
    ("pixels", "bits"), [("yuv420p", 8), ("yuv444p", 8), ("yuv422p10le", 10), ("yuv420p12le", 12), ("yuv444p16le", 16)]
)
def test_black_and_white_of_yuv_are_black_and_white(tmp_path, pixels, bits, limited):
    low, high = (16 << bits - 8, 235 << bits - 8) if limited else (0, (1 << bits) - 1)
    video = np.zeros((2, HEIGHT, WIDTH), np.uint8 if bits == 8 else np.uint16)
    video[0], video[1] = low, high
    encode(tmp_path / "y.mkv", pixels, video, color_range=1 if limited else 2)
    with open_recording(tmp_path / "y.mkv") as found:
        assert found.white == (1 << bits) - 1
        for frames in (found[:], found.luma(range(2))):
            assert (frames[0] == 0).all() and (frames[1] == found.white).all()


def test_yuv_to_rgb_inverts_the_definition_of_yuv():
    from c2b.video import yuv

    rgb = frames_of("uint16", colour=True, count=1)[0].astype(np.float64) / 65535
    for standard, (kr, kb) in yuv.WEIGHTS.items():
        y = rgb @ [kr, 1 - kr - kb, kb]
        u, v = (rgb[..., 2] - y) / (2 - 2 * kb), (rgb[..., 0] - y) / (2 - 2 * kr)
        for limited in (False, True):
            a, b, c = (16 << 4, 219 << 4, 224 << 4) if limited else (0, 4095, 4095)
            planes = [np.rint(p).clip(0, 4095).astype(np.uint16) for p in (a + b * y, 2048 + c * u, 2048 + c * v)]
            out = np.empty((HEIGHT, WIDTH, 3), np.uint16)
            yuv.to_rgb(*planes, bits=12, limited=limited, standard=standard, out=out)
            assert np.abs(out - rgb * 4095).max() < 2.5


# Real files.


def test_lossless_clips_decode_to_their_published_digests():
    manifest = json.loads(data("gopro/manifest.json").read_text())
    clip = manifest["clips"][0]
    with open_recording(data(clip["clip"])) as found:
        grey = found.window(channels="luma")[:]
        assert found.response == "none"
    assert hashlib.sha256(grey.tobytes()).hexdigest() == clip["raw_sha256"]


def test_luma_of_the_colour_frames_is_the_luma_clip():
    with open_recording(data("gopro/frames_s01")) as colour, open_recording(data("gopro/d01_gopro-s01.mkv")) as clip:
        part = {"frames": slice(7, None), "channels": "luma"}
        np.testing.assert_array_equal(colour.window(**part)[:], clip.window(**part)[:])


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("highspeed/devtest/d08_ball-30kfps_linear12.tif", (15, 384, 384)),
        ("formats/tiff/stuck.tif", (5, 512, 512)),
        ("formats/video/bulk-water.mov", (480, 424, 640, 3)),
    ],
)
def test_real_files_open_and_jump(name, shape):
    with open_recording(data(name)) as found:
        assert found.shape == shape
        last = found[-1]
        np.testing.assert_array_equal(found[shape[0] - 3 :][-1], last)
        assert last.max() > last.min()


def test_the_raw_ball_is_its_eight_bit_clip():
    raw = open_recording(data("highspeed/devtest/d08_ball-30kfps_linear12.tif"), white=4095).irradiance()
    with open_recording(data("highspeed/devtest/d08_ball-30kfps.mkv")).window(channels="luma") as clip:
        np.testing.assert_allclose(raw, clip.irradiance(), atol=1 / 255)


# Refusals.


def empty_folder(folder):
    (folder / "x").mkdir()
    return folder / "x"


def mixed_folder(folder):
    from PIL import Image

    write_video(f"{folder}/x/", frames_of())
    Image.fromarray(frames_of()[0]).save(folder / "x" / "late.jpg")
    return folder / "x"


def cut(name, share=0.5):
    def make(folder):
        write_video(folder / name, frames_of("uint16", count=20))
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * share)])
        return folder / name

    return make


def content(name, what):
    def make(folder):
        (folder / name).write_bytes(what)
        return folder / name

    return make


def array(values, name="x.npy"):
    def make(folder):
        np.save(folder / name, values, allow_pickle=True)
        return folder / name

    return make


def unequal_tiff(folder):
    import tifffile

    with tifffile.TiffWriter(folder / "x.tif") as writer:
        writer.write(np.zeros((5, 7), np.uint8), photometric="minisblack")
        writer.write(np.zeros((6, 7), np.uint8), photometric="minisblack")
    return folder / "x.tif"


def sound(folder):
    import av

    with av.open(str(folder / "x.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    return folder / "x.mkv"


REFUSED = {
    "missing": (lambda folder: folder / "no.mp4", "there is no file"),
    "empty file": (content("x.mp4", b""), "is empty"),
    "empty folder": (empty_folder, "no PNG, JPEG or BMP"),
    "mixed folder": (mixed_folder, "both PNG and JPEG"),
    "text as mp4": (content("x.mp4", b"this is no video\n" * 50), "not a readable video"),
    "text as tif": (content("x.tif", b"this is no video\n" * 50), "not a readable TIFF"),
    "text as npy": (content("x.npy", b"this is no video\n" * 50), "not a readable .npy"),
    "unknown": (content("x.cine2", b"this is no video\n" * 50), "folder of PNG"),
    "image": (content("x.png", b"\x89PNG\r\n\x1a\n" + bytes(50)), "known formats"),
    "cut npy": (cut("x.npy"), r"cut short: it holds 9 of 20 frames; to use what is there, write \{\"frames\": 9\} into .*x\.npy\.json"),
    "npy header cut": (cut("x.npy", 0.002), "not a readable .npy"),
    "cut tif": (cut("x.tif"), "cut short: it holds 12 of 20 frames"),
    "cut mp4": (cut("x.mp4"), "not a readable video"),
    "tif header cut": (content("x.tif", b"II*\0\x08"), "not a readable TIFF"),
    "objects": (array(np.array([{}, []], object)), "not a readable .npy"),
    "two-dimensional": (array(np.zeros((5, 7))), r"\(frames, height, width\)"),
    "four channels": (array(np.zeros((5, 7, 8, 4))), r"\(frames, height, width, 3\)"),
    "no frames": (array(np.zeros((0, 7, 8))), "no frames"),
    "long integers": (array(np.zeros((5, 7, 8), np.int64)), "uint8, uint16 or float32"),
    "complex": (array(np.zeros((5, 7, 8), complex)), "uint8, uint16 or float32"),
    "unequal pages": (unequal_tiff, "image 1 is 6x7 uint8, the first is 5x7 uint8"),
    "sound": (sound, "no video stream"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_opened_is_refused_in_one_line(tmp_path, case):
    make, words = REFUSED[case]
    path = make(tmp_path)
    with pytest.raises(Refusal, match=words) as told:
        open_recording(path)
    assert "\n" not in str(told.value)
    assert str(path) in str(told.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["x.npy", "x.tif"])
def test_values_that_are_no_light_are_refused_when_read(tmp_path, name, bad):
    import tifffile

    video = frames_of("float32")
    video[4, 2, 3] = bad
    if name.endswith("npy"):
        np.save(tmp_path / name, video)
    else:
        tifffile.imwrite(tmp_path / name, video, photometric="minisblack")
    with open_recording(tmp_path / name) as found:
        assert np.isfinite(found[:4]).all()
        with pytest.raises(Refusal, match="frame 4 holds NaN or infinite"):
            found[2:6]


def test_images_that_differ_from_the_first_are_named(tmp_path):
    from PIL import Image

    write_video(f"{tmp_path}/v/", frames_of())
    Image.fromarray(np.zeros((HEIGHT + 1, WIDTH), np.uint8)).save(tmp_path / "v" / "frame0003.png")
    Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(tmp_path / "v" / "frame0004.png")
    found = open_recording(tmp_path / "v")
    assert found[:3].shape == (3, HEIGHT, WIDTH)
    with pytest.raises(Refusal, match=r"frame0003\.png is 14x22"):
        found[:]
    with pytest.raises(Refusal, match=r"frame0004\.png is rgb uint8"):
        found[4]


@pytest.mark.parametrize(("dtype", "colour"), [("uint8", False), ("uint16", False), ("uint16", True)])
def test_a_truncated_image_is_refused_when_read(tmp_path, dtype, colour):
    write_video(f"{tmp_path}/v/", frames_of(dtype, colour, height=60, width=70))
    file = tmp_path / "v" / "frame0002.png"
    file.write_bytes(file.read_bytes()[:900])
    found = open_recording(tmp_path / "v")
    with pytest.raises(Refusal, match=r"frame0002\.png"):
        found[:]
    assert found[3].shape == found.shape[1:]


def test_a_truncated_stream_is_refused_when_read(tmp_path):
    import tifffile

    write_video(tmp_path / "x.avi", frames_of(count=60))
    content = (tmp_path / "x.avi").read_bytes()
    (tmp_path / "x.avi").write_bytes(content[: len(content) // 2])
    with pytest.raises(Refusal, match=r"x\.avi"), open_recording(tmp_path / "x.avi") as found:
        found[:]
    tifffile.imwrite(tmp_path / "z.tif", frames_of(count=60), compression="zlib", photometric="minisblack")
    content = (tmp_path / "z.tif").read_bytes()
    (tmp_path / "z.tif").write_bytes(content[: len(content) // 2])
    with pytest.raises(Refusal, match=r"z\.tif is cut short: it holds [23]\d of 60 frames"):
        open_recording(tmp_path / "z.tif")
    (tmp_path / "z.tif").write_bytes(content[:-30])
    with pytest.raises(Refusal, match=r"z\.tif is cut short: it holds 59 of 60 frames"):
        open_recording(tmp_path / "z.tif")
    damaged = bytearray(content)
    damaged[-200:-100] = bytes(100)
    (tmp_path / "z.tif").write_bytes(damaged)
    with open_recording(tmp_path / "z.tif") as found:
        assert found[:59].shape[0] == 59
        with pytest.raises(Refusal, match=r"z\.tif: frame 59 cannot be decoded"):
            found[59]


@pytest.mark.parametrize(("name", "rate"), [("x.mkv", 24), ("x.mkv", 29.97), ("x.webm", 240)])
def test_a_matroska_file_that_ends_before_its_time_is_refused(tmp_path, name, rate):
    """It has no count of frames, so that without the sidecar only its duration tells; one frame too few is enough."""
    write_video(tmp_path / "x.mkv", frames_of(count=60), rate=rate)
    content = (tmp_path / "x.mkv").read_bytes()
    sidecar.beside(tmp_path / "x.mkv").unlink()
    (tmp_path / name).write_bytes(content)
    assert len(open_recording(tmp_path / name)) == 60
    last = content.rindex(b"\xa3")  # a SimpleBlock
    for end in (last, len(content) // 2):
        (tmp_path / name).write_bytes(content[:end])
        with pytest.raises(Refusal, match=rf"{name} is cut short: it should last {60 / rate:.2f}"):
            open_recording(tmp_path / name)


def test_what_a_name_does_not_keep_is_told():
    light = np.zeros((2, 4, 6), np.float32)
    assert [loss(name, light) for name in ("x.tif", "x.npy", "x/", "x.mkv")] == ["", "", "rounded to 16 bit", "rounded to 8 bit"]
    assert [loss(name, light.astype(np.uint16)) for name in ("x.tif", "x/", "x.mkv")] == ["", "", ""]
    assert loss("x.mp4", light) == "rounded to 8 bit and compressed with loss, for display (.mkv is lossless)"
    assert loss("x.mov", light.astype(np.uint8)) == "compressed with loss, for display (.mkv is lossless)"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "damaged"),
        ("[1]", "one JSON object"),
        ('{"white": "bright"}', "white must be a number"),
        ('{"white": 0}', "white and black are both"),
        ('{"rate": -1}', "rate must be above 0"),
        ('{"response": "log"}', "unknown response"),
        ('{"colour": "rgb"}', "does not fit"),
        ('{"record": 3}', "record must be"),
    ],
)
def test_a_damaged_sidecar_is_refused_by_name(tmp_path, text, words):
    write_video(tmp_path / "x.npy", frames_of())
    (tmp_path / "x.npy.json").write_text(text)
    with pytest.raises(Refusal, match=words) as told:
        open_recording(tmp_path / "x.npy")
    assert "x.npy.json" in str(told.value)


def test_what_is_not_a_video_is_not_written(tmp_path):
    good = frames_of("float32")
    for path, video, more, words in (
        ("x.svg", good, {}, "known suffixes"),
        ("x.gif", good, {}, "lossless"),
        ("x.webm", good, {}, "lossless"),
        ("x.npy", good[0], {}, "frames, height, width"),
        ("x.npy", good[:0], {}, "frames, height, width"),
        ("x.npy", frames_of("uint8").astype(np.int32), {}, "int32"),
        ("x.npy", good, {"rate": 0}, "rate"),
        ("x.npy", good, {"response": "log"}, "unknown response"),
        ("x.npy", good, {"record": {"a": object()}}, "JSON"),
        ("x.npy", good, {"record": {"a": float("nan")}}, "JSON"),
        ("no/x.npy", good, {}, "does not exist"),
    ):
        with pytest.raises(Refusal, match=words):
            write_video(tmp_path / path, video, **more)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", TARGETS)
def test_an_interrupted_write_leaves_nothing_behind(tmp_path, name):
    video = frames_of("float32", count=40)
    video[35, 0, 0] = np.nan
    with pytest.raises(Refusal, match="frame 35 holds NaN"):
        write_video(str(tmp_path) + "/" + name, video)
    assert list(tmp_path.iterdir()) == []
    write_video(str(tmp_path) + "/" + name, smooth())
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Refusal):
        write_video(str(tmp_path) + "/" + name, video)
    assert sorted(tmp_path.rglob("*")) == before
    assert read_video(tmp_path / name).shape[0] == FRAMES


def test_a_folder_that_cannot_be_written_is_an_os_error(tmp_path):
    tmp_path.chmod(0o555)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(OSError):
        write_video(tmp_path / "x.npy", frames_of())


def test_every_format_keeps_the_contract():
    for name in FORMATS:
        kind = spec.find(FORMATS, "video format", name)
        assert issubclass(kind, recording_module.Recording)
        assert kind.title
        assert not kind.recognises(Path("no"), struct.pack("<16I", *range(16)))


def test_what_is_left_of_a_broken_off_recording_is_read_as_its_refusal_says(tmp_path):
    """Also beside the sidecar that c2b wrote for the whole of it, which knows how many bytes that had."""
    path = tmp_path / "x.npy"
    write_video(path, np.arange(9 * 6 * 8, dtype=np.uint16).reshape(9, 6, 8), white=4095.0)
    path.write_bytes(path.read_bytes()[: 128 + 5 * 6 * 8 * 2])
    with pytest.raises(Refusal, match=r"5 of 9 frames; to use what is there, write .\"frames\": 5. into"):
        open_recording(path)
    beside = tmp_path / "x.npy.json"
    beside.write_text(json.dumps({**json.loads(beside.read_text()), "frames": 5}))
    with open_recording(path) as recording:
        assert len(recording) == 5 and recording.white == 4095
