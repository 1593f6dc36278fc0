"""Pictures stand upright, as every viewer shows them, and what was done is said."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from c2b.video import orientation
from c2b.video.recording import open_recording

TAG = 274
TURNED = range(2, 9)


def picture(dtype=np.uint8, colour=False):
    """6x10 flat patches of 8x8, which JPEG keeps apart."""
    rng = np.random.default_rng(3)
    patches = rng.integers(0, np.iinfo(dtype).max, (6, 10) + (3,) * colour, dtype, endpoint=True)
    return np.kron(patches, np.ones((8, 8) + (1,) * colour, dtype))


def exif(number):
    tags = Image.Exif()
    tags[TAG] = number
    return tags


def test_display_matrices_are_the_orientations():
    """A matrix takes the stored place of a pixel to where it is shown, but for a shift."""
    marked = np.arange(15).reshape(3, 5)
    for number in range(1, 9):
        shown = orientation.upright(marked, number, rows=0)
        places = {int(v): (x, y) for (y, x), v in np.ndenumerate(shown)}
        (x0, y0), right, down = places[0], places[1], places[5]
        a, b, c, d = right[0] - x0, right[1] - y0, down[0] - x0, down[1] - y0
        assert orientation.of_matrix([a << 16, b << 16, 0, c << 16, d << 16, 0, 7 << 16, 9 << 16, 1 << 30]) == number
    assert orientation.of_matrix([0] * 9) == 1
    assert orientation.of_matrix([46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30]) is None


@pytest.mark.parametrize("number", TURNED)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("colour", [False, True])
def test_images_are_turned_as_exif_says(tmp_path, suffix, colour, number):
    for name in ("0", "1"):
        Image.fromarray(picture(colour=colour)).save(tmp_path / f"{name}.{suffix}", exif=exif(number))
    with Image.open(tmp_path / f"0.{suffix}") as image:
        right = np.asarray(ImageOps.exif_transpose(image))
    with open_recording(tmp_path) as film:
        assert film.shape == (2, *right.shape)
        np.testing.assert_array_equal(film[1], right)
        assert film.record["orientation"] == film.source["orientation"] == f"{orientation.words(number)}, as EXIF says"


def test_sixteen_bit_images_are_turned_too(tmp_path):
    deep = picture(np.uint16)
    Image.fromarray(deep).save(tmp_path / "0.png", exif=exif(6))
    with open_recording(tmp_path) as film:
        np.testing.assert_array_equal(film[0], np.rot90(deep, -1))


def test_exif_behind_the_pixels_of_a_png_counts(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "0.png", exif=exif(8))
    content = (tmp_path / "0.png").read_bytes()
    start = content.index(b"eXIf") - 4
    end = start + 12 + struct.unpack_from(">I", content, start)[0]
    rest = content[:start] + content[end:]
    last = rest.index(b"IEND") - 4
    (tmp_path / "0.png").write_bytes(rest[:last] + content[start:end] + rest[last:])
    with open_recording(tmp_path) as film:
        np.testing.assert_array_equal(film[0], np.rot90(picture()))


def test_each_image_is_turned_by_its_own_tag(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "0.png")
    Image.fromarray(np.rot90(picture()).copy()).save(tmp_path / "1.png", exif=exif(6))
    with open_recording(tmp_path) as film:
        np.testing.assert_array_equal(film[0], film[1])
        assert not film.record


def test_damaged_exif_says_nothing(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "0.jpg", exif=exif(6))
    content, tags = (tmp_path / "0.jpg").read_bytes(), exif(6).tobytes().removeprefix(b"Exif\0\0")
    assert tags in content
    (tmp_path / "0.jpg").write_bytes(content.replace(tags, b"\xff" * len(tags)))
    with open_recording(tmp_path) as film:
        assert film[:].shape == (1, 48, 80)
