"""Arrays, stacks and dumps that were broken off say at opening how many frames they hold, and these can be used."""

from __future__ import annotations

import json
import re
from fractions import Fraction

import numpy as np
import pytest
import tifffile
from PIL import Image

from c2b.captures.plain_stack import read_plain_stack
from c2b.cli import main
from c2b.code_files import read_code
from c2b.video import orientation
from c2b.video.recording import open_recording
from sensors.refusal import Refusal

FRAMES, HEIGHT, WIDTH = 20, 13, 22
VIDEO = np.random.default_rng(2).integers(0, 65536, (FRAMES, HEIGHT, WIDTH), np.uint16)


def page_by_page(path, **settings):
    with tifffile.TiffWriter(path) as writer:
        for frame in VIDEO:
            writer.write(frame, photometric="minisblack", contiguous=False, **settings)


def aborted_ome(path, there=12):
    """What a recording program leaves that writes its metadata first and is stopped."""
    head = '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="P:0"'
    size = f'DimensionOrder="XYCZT" Type="uint16" SizeX="{WIDTH}" SizeY="{HEIGHT}" SizeZ="1" SizeC="1" SizeT="{FRAMES}"'
    ome = f'{head} {size}><Channel ID="C:0:0" SamplesPerPixel="1"/><TiffData/></Pixels></Image></OME>'
    with tifffile.TiffWriter(path, ome=False) as writer:
        for number, frame in enumerate(VIDEO[:there]):
            told = None if number else ome
            writer.write(frame, photometric="minisblack", metadata=None, contiguous=False, description=told)


STACKS = {  # and whether the file says how many frames it should have
    "one after the other": (lambda path: tifffile.imwrite(path, VIDEO, photometric="minisblack"), True),
    "big-endian": (lambda path: tifffile.imwrite(path, VIDEO, photometric="minisblack", byteorder=">"), True),
    "compressed": (lambda path: tifffile.imwrite(path, VIDEO, photometric="minisblack", compression="zlib"), True),
    "ImageJ": (lambda path: tifffile.imwrite(path, VIDEO, imagej=True), True),
    "ImageJ, compressed": (lambda path: tifffile.imwrite(path, VIDEO, imagej=True, compression="zlib"), True),
    "page by page": (page_by_page, False),
    "page by page, nothing said": (lambda path: page_by_page(path, metadata=None), False),
    "page by page, compressed": (lambda path: page_by_page(path, metadata=None, compression="zlib"), False),
}


def opened_as_told(path, announced=r"(at least )?\d+"):
    """The number of frames that the refusal names, and the recording opened after writing it beside the file."""
    with pytest.raises(Refusal, match=rf"{path.name} is cut short: it holds \d+ of {announced} frames") as told:
        open_recording(path)
    assert "\n" not in str(told.value)
    there = int(str(told.value).partition("it holds ")[2].split()[0])
    path.with_name(path.name + ".json").write_text(json.dumps({"frames": there}))
    return there, open_recording(path)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.93])
@pytest.mark.parametrize("kind", STACKS)
def test_a_stack_that_was_broken_off_says_how_much_of_it_there_is(tmp_path, kind, share):
    write, promised = STACKS[kind]
    path = tmp_path / "x.tif"
    write(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    if share == 0.93 and kind in ("one after the other", "big-endian", "ImageJ"):
        with open_recording(path) as film:  # of what is cut off nothing is a frame
            np.testing.assert_array_equal(film[:], VIDEO[: len(film)])
            assert len(film) == FRAMES
        return
    there, film = opened_as_told(path, str(FRAMES) if promised else r"(at least )?\d+")
    assert share * FRAMES - 3 <= there <= share * FRAMES + 3
    np.testing.assert_array_equal(film[:], VIDEO[:there])


def test_an_ome_stack_that_announces_more_pages_than_it_has(tmp_path):
    aborted_ome(tmp_path / "x.ome.tif")
    there, film = opened_as_told(tmp_path / "x.ome.tif", "20")
    assert there == 12
    np.testing.assert_array_equal(film[:], VIDEO[:12])


@pytest.mark.parametrize("kind", [*STACKS, "OME"])
def test_neither_captures_nor_codes_are_taken_from_a_stack_that_was_broken_off(tmp_path, capsys, kind):
    """tifffile would make zeros of the frames that an OME-TIFF lacks, and one frame of others."""
    path = tmp_path / "x.tif"
    write = aborted_ome if kind == "OME" else STACKS[kind][0]
    write(path)
    content = path.read_bytes()
    path.write_bytes(content if kind == "OME" else content[: len(content) // 2])
    for read in (read_plain_stack, read_code):
        with pytest.raises(Refusal, match=r"x\.tif is cut short: it holds \d+ of (at least )?\d+ frames"):
            read(path)
    assert main(["info", str(path)]) == 2
    assert re.search(r"x\.tif is cut short: it holds \d+ of .* frames; to use what is there, write", capsys.readouterr().err)


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "u1", "f4"])
def test_an_array_that_was_broken_off(tmp_path, dtype):
    np.save(tmp_path / "x.npy", VIDEO.astype(dtype))
    content = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(content[: 128 + 7 * HEIGHT * WIDTH * np.dtype(dtype).itemsize + 5])
    there, film = opened_as_told(tmp_path / "x.npy", "20")
    assert there == 7
    np.testing.assert_array_equal(film[:], VIDEO.astype(dtype)[:7])
    (tmp_path / "x.npy").write_bytes(content[:150])
    with pytest.raises(Refusal, match="it holds 0 of 20 frames"):
        open_recording(tmp_path / "x.npy")


def test_of_an_array_in_fortran_order_that_was_broken_off_no_frame_is_whole(tmp_path):
    np.save(tmp_path / "x.npy", np.asfortranarray(VIDEO))
    with open_recording(tmp_path / "x.npy") as film:
        np.testing.assert_array_equal(film[:], VIDEO)
    content = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(content[: len(content) // 2])
    with pytest.raises(Refusal, match="Fortran order, and no whole frame"):
        open_recording(tmp_path / "x.npy")


def test_a_dump_that_was_broken_off(tmp_path):
    path, layout = tmp_path / "x.raw", {"pixel_format": "Mono16", "width": WIDTH, "height": HEIGHT}
    path.write_bytes(VIDEO.tobytes()[: 9 * 2 * HEIGHT * WIDTH + 100])
    beside = tmp_path / "x.raw.json"
    beside.write_text(json.dumps({"layout": layout}))
    with pytest.raises(Refusal, match=r"it holds 9 of at least 10 frames \(of 572 bytes, 100 left over\)"):
        open_recording(path)
    beside.write_text(json.dumps({"layout": layout, "frames": FRAMES}))
    with pytest.raises(Refusal, match="it holds 9 of"):
        open_recording(path)
    beside.write_text(json.dumps({"layout": layout, "frames": 9}))
    with open_recording(path) as film:
        np.testing.assert_array_equal(film[:], VIDEO[:9])


# How stacks are stored: which way up, and alpha.


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("settings", [{}, {"compression": "zlib"}, {"byteorder": ">"}])
def test_stacks_are_turned_as_their_tag_says(tmp_path, number, settings):
    tag = [(274, "H", 1, number, True)]
    tifffile.imwrite(tmp_path / "x.tif", VIDEO, photometric="minisblack", extratags=tag, **settings)
    right = orientation.upright(VIDEO, number)
    with open_recording(tmp_path / "x.tif") as film:
        assert film.shape == right.shape
        np.testing.assert_array_equal(film[:], right)
        np.testing.assert_array_equal(film[7], right[7])
        words = orientation.words(number)
        assert film.record.get("orientation", "") == (f"{words}, as its tag says" if words else "")


def test_tag_six_is_a_quarter_turn_clockwise(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", VIDEO[0], photometric="minisblack", extratags=[(274, "H", 1, 6, True)])
    with open_recording(tmp_path / "x.tif") as film:
        np.testing.assert_array_equal(film[0], np.rot90(VIDEO[0], -1))


@pytest.mark.parametrize("alpha", ["unassalpha", "assocalpha"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("frames", [1, 3])
def test_alpha_of_a_stack_is_no_frame_no_colour_and_no_luma(tmp_path, frames, colour, planar, alpha):
    video = np.random.default_rng(4).integers(0, 256, (frames, HEIGHT, WIDTH, 4 if colour else 2), np.uint8)
    right = video[..., :3] if colour else video[..., 0]
    path, kind = tmp_path / "x.tif", {"photometric": "rgb" if colour else "minisblack", "planarconfig": planar}
    with tifffile.TiffWriter(path) as writer:
        for frame in np.moveaxis(video, -1, 1) if planar == "separate" else video:
            writer.write(frame, extrasamples=[alpha], contiguous=False, metadata=None, **kind)
    if frames == 1 and colour and planar == "separate":
        with pytest.raises(Refusal, match=r'last called alpha: .* write \{"frames": 1\} or \{"frames": 4\}'):
            open_recording(path)
        (tmp_path / "x.tif.json").write_text('{"frames": 4}')
        np.testing.assert_array_equal(open_recording(path)[:], np.moveaxis(video[0], -1, 0))
        (tmp_path / "x.tif.json").write_text('{"frames": 1}')
    with open_recording(path) as film:
        assert film.shape == right.shape
        np.testing.assert_array_equal(film[:], right)
        stays = "dropped; the samples stay multiplied by it, as on black" if alpha == "assocalpha" else "dropped"
        assert film.record["alpha"] == film.source["alpha"] == stays


def test_samples_that_are_not_said_to_be_alpha_are_no_frames_either(tmp_path):
    video = np.zeros((3, HEIGHT, WIDTH, 2), np.uint8)
    tifffile.imwrite(tmp_path / "x.tif", video, photometric="minisblack", planarconfig="contig")
    with pytest.raises(Refusal, match="has 2 samples a pixel and does not say what they are"):
        open_recording(tmp_path / "x.tif")
    five = np.random.default_rng(4).integers(0, 256, (3, HEIGHT, WIDTH, 5), np.uint8)
    extra = ["unspecified", "unassalpha"]
    tifffile.imwrite(tmp_path / "y.tif", five, photometric="rgb", planarconfig="contig", extrasamples=extra)
    with open_recording(tmp_path / "y.tif") as film:
        np.testing.assert_array_equal(film[:], five[..., :3])
        assert film.record == {"alpha": "dropped", "samples": "1 beside red, green and blue dropped"}


ALPHA = {
    "RGBA": ("rgb", lambda rgba: Image.fromarray(rgba)),
    "LA": ("mono", lambda rgba: Image.fromarray(rgba[..., ::3].copy(), "LA")),
    "palette": ("rgb", lambda rgba: Image.fromarray(rgba[..., :3] // 128 * 128).quantize(8)),
}


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
@pytest.mark.parametrize("kind", ALPHA)
def test_alpha_of_images_is_dropped_and_said(tmp_path, kind):
    colour, make = ALPHA[kind]
    rgba = np.random.default_rng(4).integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)
    image = make(rgba)
    image.save(tmp_path / "0.png", **({"transparency": 3} if kind == "palette" else {}))
    right = {"RGBA": rgba[..., :3], "LA": rgba[..., 0], "palette": rgba[..., :3] // 128 * 128}[kind]
    with open_recording(tmp_path) as film:
        assert (film.colour, film.shape) == (colour, (1, *right.shape))
        np.testing.assert_array_equal(film[0], right)
        assert film.record["alpha"] == film.source["alpha"] == "dropped"


def test_alpha_of_sixteen_bit_images_is_dropped_and_said(tmp_path):
    import av

    deep = np.random.default_rng(4).integers(0, 65536, (HEIGHT, WIDTH, 4), np.uint16)
    for name, pixels, right in (("rgba", "rgba64be", deep[..., :3]), ("ya", "ya16be", deep[..., 0])):
        (tmp_path / name).mkdir()
        encoder = av.CodecContext.create("png", "w")
        encoder.height, encoder.width, encoder.pix_fmt, encoder.time_base = HEIGHT, WIDTH, pixels, Fraction(1)
        image = av.VideoFrame(WIDTH, HEIGHT, pixels)
        samples = (deep if name == "rgba" else deep[..., ::3]).astype(">u2").reshape(HEIGHT, -1).view(np.uint8)
        room = np.zeros((HEIGHT, image.planes[0].line_size), np.uint8)
        room[:, : samples.shape[1]] = samples
        image.planes[0].update(room.tobytes())
        packets = [*encoder.encode(image), *encoder.encode(None)]
        (tmp_path / name / "0.png").write_bytes(b"".join(bytes(packet) for packet in packets))
        with open_recording(tmp_path / name) as film:
            np.testing.assert_array_equal(film[0], right)
            assert film.record["alpha"] == "dropped"


def test_a_picture_that_is_animated_is_its_first_image_and_that_is_said(tmp_path):
    moving = [Image.fromarray(np.full((HEIGHT, WIDTH), 50 * k, np.uint8)) for k in range(3)]
    moving[0].save(tmp_path / "0.png", save_all=True, append_images=moving[1:])
    with open_recording(tmp_path) as film:
        assert film.presentation == {"images": "the first of 3 in a file"}
        assert film.shape == (1, HEIGHT, WIDTH) and not film[:].any()
