"""DNG tags that change what numbers mean or where the mosaic lies; LibRaw (rawpy) reads the same files."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from c2b.video.recording import open_recording
from sensors.refusal import Refusal

rawpy = pytest.importorskip("rawpy")

BYTE, SHORT, LONG, RATIONAL, SRATIONAL = 1, 3, 4, 5, 10
VERSION, CFA_SIZE, CFA, PLANES, LAYOUT = 50706, 33421, 33422, 50710, 50711
TABLE, REPEAT, BLACK, DELTA_H, DELTA_V, WHITE, AREA, MASKED = 50712, 50713, 50714, 50715, 50716, 50717, 50829, 50830
CROP_ORIGIN, CROP_SIZE, ORIENTATION, OPCODES = 50719, 50720, 274, 51009
H, W = 48, 64
COLOURS = "rgb"


def image(top=4000, shape=(H, W)):
    return np.random.default_rng(0).integers(100, top, shape).astype(np.uint16)


def write(path, picture, *tags, pattern=(0, 1, 1, 2), **how):
    """A mosaic, or linear raw where the picture has three samples."""
    mosaic = [(CFA_SIZE, SHORT, 2, (2, 2)), (CFA, BYTE, 4, bytes(pattern))] if pattern and picture.ndim == 2 else []
    found = {tag[0]: (*tag, True) for tag in [(VERSION, BYTE, 4, bytes((1, 4, 0, 0))), *mosaic, *tags]}
    kind = 32803 if mosaic else "rgb" if picture.ndim == 3 else "minisblack"
    tifffile.imwrite(path, picture, photometric=kind, metadata=None, extratags=[found[code] for code in sorted(found)], **how)
    if not mosaic:
        with tifffile.TiffFile(path, mode="r+") as tiff:
            tiff.pages.first.tags["PhotometricInterpretation"].overwrite(34892)
    return path


def rational(*values, denominator=1, kind=RATIONAL):
    return kind, len(values), [number for value in values for number in (round(value * denominator), denominator)]


def by_libraw(path):
    """What LibRaw makes of it: samples without black, their colours, black of each, white, and where they lie in the file."""
    with rawpy.imread(str(path)) as raw:
        samples = raw.raw_image_visible.astype(float)
        place = raw.sizes.top_margin, raw.sizes.left_margin
        if samples.ndim == 3:
            return samples[..., :3] - np.array(raw.black_level_per_channel[:3]), None, None, raw.white_level, place
        black = np.array(raw.black_level_per_channel, float)[raw.raw_colors_visible]
        names = np.array(list(raw.color_desc.decode().lower()))[raw.raw_colors_visible]
        return samples - black, names, black, raw.white_level, place


def colours(recording):
    """The colour of each pixel, (h, w)."""
    pattern = np.array(list(recording.colour)).reshape(2, 2)
    return np.tile(pattern, (recording.height // 2 + 1, recording.width // 2 + 1))[: recording.height, : recording.width]


def without_black(recording):
    return recording[0].astype(float) - recording.black


SAME = {
    "plain": (),
    "white": ((WHITE, LONG, 1, 4095),),
    "black": ((BLACK, LONG, 1, 64),),
    "black of all four, equal": ((REPEAT, SHORT, 2, (2, 2)), (BLACK, LONG, 4, (64, 64, 64, 64))),
    "black per colour": ((REPEAT, SHORT, 2, (2, 2)), (BLACK, LONG, 4, (60, 64, 66, 70)), (WHITE, LONG, 1, 4095)),
    "black per colour, rational": ((REPEAT, SHORT, 2, (2, 2)), (BLACK, *rational(60, 64, 66, 70, denominator=10))),
    "black per column of two": ((REPEAT, SHORT, 2, (1, 2)), (BLACK, SHORT, 2, (60, 64))),
    "active area": ((AREA, LONG, 4, (4, 6, 44, 62)),),
    "active area and black per colour": (
        (AREA, LONG, 4, (2, 4, 44, 62)), (REPEAT, SHORT, 2, (2, 2)), (BLACK, LONG, 4, (60, 64, 66, 70)),
    ),
    "crop for display, orientation": ((CROP_ORIGIN, LONG, 2, (3, 5)), (CROP_SIZE, LONG, 2, (40, 30)), (ORIENTATION, SHORT, 1, 6)),
    "table": ((TABLE, SHORT, 4096, [n * n // 300 for n in range(4096)]), (WHITE, LONG, 1, 50000)),
    "table shorter than the samples": ((TABLE, SHORT, 1024, [3 * n for n in range(1024)]), (WHITE, LONG, 1, 3069)),
    "table and black, which is linear": (
        (TABLE, SHORT, 4096, [2 * n for n in range(4096)]), (BLACK, LONG, 1, 128), (WHITE, LONG, 1, 8190),
    ),
    "white levels of one sample": ((WHITE, LONG, 4, (4000, 4010, 4020, 4030)),),
}  # fmt: skip


@pytest.mark.parametrize("tags", SAME.values(), ids=SAME)
def test_numbers_and_mosaic_are_those_of_libraw(tmp_path, tags):
    path = write(tmp_path / "x.dng", image(), *tags)
    theirs, names, black, white, _ = by_libraw(path)
    with open_recording(path) as picture:
        np.testing.assert_allclose(without_black(picture), theirs, atol=1e-3)
        assert np.array_equal(colours(picture), names)
        assert picture.white == white and picture.black == black.max()
        span = white - black.max()  # LibRaw: white minus the smallest black
        np.testing.assert_allclose(picture.irradiance()[0], theirs / span, atol=1e-6)


@pytest.mark.parametrize("pattern", [(0, 1, 1, 2), (2, 1, 1, 0), (1, 0, 2, 1), (1, 2, 0, 1)])
def test_an_active_area_at_an_odd_place_begins_the_mosaic_there(tmp_path, pattern):
    """LibRaw drops a row and a column, so that it begins at an even place; each sample keeps its colour."""
    path = write(tmp_path / "x.dng", image(), (AREA, LONG, 4, (3, 5, 43, 61)), pattern=pattern)
    theirs, names, *_, (top, left) = by_libraw(path)
    with open_recording(path) as picture:
        assert picture.shape == (1, 40, 56) and picture.colour == "".join(COLOURS[n] for n in pattern)
        assert np.array_equal(picture[0], image()[3:43, 5:61])
        assert np.array_equal(colours(picture)[top - 3 :, left - 5 :], names)
        assert np.array_equal(picture[0][top - 3 :, left - 5 :], theirs)


def test_black_differs_between_rows_and_columns(tmp_path):
    """LibRaw takes the mean of the differences; the DNG specification each of them."""
    rows, columns = np.arange(H) % 5 - 2.0, np.arange(W) % 3 * 0.5
    black = 64 + rows[:, None] + columns
    light = np.random.default_rng(1).integers(0, 3000, (H, W)) + 0.0
    picture = np.rint(light + black).astype(np.uint16)
    tags = (
        (BLACK, *rational(64)),
        (DELTA_V, *rational(*rows, denominator=2, kind=SRATIONAL)),
        (DELTA_H, *rational(*columns, denominator=2, kind=SRATIONAL)),
        (WHITE, LONG, 1, 4095),
    )
    path = write(tmp_path / "x.dng", picture, *tags)
    with open_recording(path) as found:
        assert found.black == black.max() == 67 and found.dtype == np.float32
        np.testing.assert_allclose(without_black(found), picture - black, atol=1e-3)
        np.testing.assert_allclose(found.irradiance()[0], (picture - black) / (4095 - 67), atol=1e-6)
        theirs, *_ = by_libraw(path)
        assert abs(np.mean(without_black(found) - theirs)) <= 1


def test_whole_black_levels_keep_the_numbers_whole(tmp_path):
    tags = ((REPEAT, SHORT, 2, (2, 2)), (BLACK, LONG, 4, (60, 64, 66, 70)), (WHITE, LONG, 1, 4095))
    with open_recording(write(tmp_path / "x.dng", image(), *tags)) as picture:
        assert (picture.dtype, picture.black, picture.white) == (np.uint16, 70, 4095)
        assert np.array_equal(picture[0][::2, 1::2], image()[::2, 1::2] + 6)


def test_saturated_samples_are_not_wrapped_by_the_black_of_their_colour(tmp_path):
    full = np.full((H, W), 65535, np.uint16)
    tags = ((REPEAT, SHORT, 2, (2, 2)), (BLACK, LONG, 4, (60, 64, 66, 700)), (WHITE, LONG, 1, 65535))
    with open_recording(write(tmp_path / "x.dng", full, *tags)) as picture:
        assert picture.irradiance().min() == 1


def test_black_is_measured_from_masked_pixels_as_libraw_does(tmp_path):
    rng, picture = np.random.default_rng(2), image()
    picture[:, :4] = np.tile([[200, 230], [210, 260]], (H // 2, 2)) + rng.integers(0, 2, (H, 4))
    area, masked = (AREA, LONG, 4, (0, 4, H, W)), (MASKED, LONG, 4, (0, 0, H, 4))
    path = write(tmp_path / "x.dng", picture, area, masked, (BLACK, LONG, 1, 64), (WHITE, LONG, 1, 4095))
    theirs, names, black, *_ = by_libraw(path)
    assert sorted(np.unique(black)) == [200, 210, 230, 260]
    with open_recording(path) as found:
        np.testing.assert_allclose(without_black(found), theirs, atol=1)  # LibRaw rounds the mean down
        assert np.array_equal(colours(found), names)
        assert found.black == pytest.approx(260.5, abs=0.3)
        assert any("mean of the masked pixels; the file declares 64" in line for line in found.notes)


def test_masked_areas_without_every_colour_measure_nothing(tmp_path):
    path = write(tmp_path / "x.dng", image(), (MASKED, LONG, 4, (0, 0, 1, W)), (BLACK, LONG, 1, 64))
    _, _, black, *_ = by_libraw(path)
    with open_recording(path) as found:
        assert found.black == black.max() == 64


def test_three_samples_have_a_black_and_a_white_each(tmp_path):
    picture = image(shape=(H, W, 3))
    tags = ((BLACK, LONG, 3, (60, 64, 66)), (WHITE, LONG, 3, (4000, 4010, 4020)))
    path = write(tmp_path / "x.dng", picture, *tags)
    theirs, *_ = by_libraw(path)
    with open_recording(path) as found:
        assert found.colour == "rgb"
        np.testing.assert_allclose(found.irradiance()[0], theirs / [3940, 3946, 3954], atol=1e-6)


def test_linear_raw_of_one_sample_is_mono(tmp_path):
    path = write(tmp_path / "x.dng", image(), (BLACK, LONG, 1, 64), (WHITE, LONG, 1, 4095), pattern=None)
    with open_recording(path) as found:
        assert found.colour == "mono" and np.array_equal(found[0], image()) and (found.black, found.white) == (64, 4095)


def test_planes_in_another_order_do_not_change_the_colours_of_the_mosaic(tmp_path):
    """CFAPattern names colours; LibRaw counts the planes that CFAPlaneColor makes of them."""
    order = (2, 1, 0)
    path = write(tmp_path / "x.dng", image(), (PLANES, BYTE, 3, bytes(order)))
    with rawpy.imread(str(path)) as raw:
        theirs = "".join(COLOURS[order[plane]] for plane in np.where(raw.raw_pattern == 3, 1, raw.raw_pattern).ravel())
    with open_recording(path) as found:
        assert found.colour == theirs == "rggb"


@pytest.mark.parametrize("how", [{"byteorder": ">"}, {"tile": (16, 32)}, {"rowsperstrip": 5}])
def test_byte_order_tiles_and_strips_are_the_same_picture(tmp_path, how):
    path = write(tmp_path / "x.dng", image(), (WHITE, LONG, 1, 4095), **how)
    theirs, *_ = by_libraw(path)
    with open_recording(path) as found:
        assert np.array_equal(found[0], theirs) and found[0].dtype.isnative


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_samples_of_fewer_bits_have_their_white(tmp_path, bits, order):
    values = image() & ((1 << bits) - 1)
    each = np.unpackbits(values.astype(">u2").view(np.uint8).reshape(H, W, 2), axis=-1)[..., 16 - bits :]
    path = write(tmp_path / "x.dng", np.packbits(each.reshape(H, -1), axis=1), byteorder=order, rowsperstrip=H)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages.first.tags["ImageWidth"].overwrite(W)
        tiff.pages.first.tags["BitsPerSample"].overwrite(bits)
    theirs, _, _, white, _ = by_libraw(path)
    with open_recording(path) as found:
        assert np.array_equal(found[0], theirs) and np.array_equal(found[0], values)
        assert found.white == white == (1 << bits) - 1


@pytest.mark.parametrize("samples", [(), (3,)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("tags", [(), ((WHITE, LONG, 1, 1),), ((BLACK, LONG, 1, 64), (WHITE, LONG, 1, 4095))], ids=str)
def test_floating_point_samples_are_those_of_libraw(tmp_path, samples, dtype, tags):
    """LibRaw makes whole numbers of them, up to 16383 for white; white is 1 where no tag says otherwise (DNG 1.7, WhiteLevel), for
    LibRaw 65535 where they have 16 bit."""
    picture = image(shape=(H, W, *samples)).astype(dtype) / dtype(1 if tags[1:] else 4096)
    path = write(tmp_path / "x.dng", picture, *tags)
    theirs, *_, white, _ = by_libraw(path)
    with open_recording(path) as found:
        assert found.dtype == np.float32 and np.array_equal(found[0], picture)
        assert white == 16383 and (tags or found.white == 1)
        if not tags and dtype == np.float16:
            return
        np.testing.assert_allclose(without_black(found) / found.white, theirs / white, atol=1.5 / white)


@pytest.mark.parametrize("how", [{"compression": "zlib"}, {"compression": "zlib", "predictor": True}, {"tile": (16, 32)}], ids=str)
def test_compressed_floating_point_samples_are_the_same(tmp_path, how):
    picture = image().astype(np.float32) / 4096
    with open_recording(write(tmp_path / "x.dng", picture, **how)) as found:
        assert np.array_equal(found[0], picture)


def test_floating_point_samples_far_above_white_are_told_and_infinite_ones_refused(tmp_path):
    picture = image().astype(np.float32)
    with open_recording(write(tmp_path / "x.dng", picture)) as found:
        assert any("1" in note for note in found.notes)
    picture[3, 4] = np.inf
    with pytest.raises(Refusal, match="inf"), open_recording(write(tmp_path / "x.dng", picture)) as found:
        found[0]


@pytest.mark.parametrize("tile", [None, (16, 32)])
def test_lossless_jpeg_is_decoded(tmp_path, tile):
    imagecodecs = pytest.importorskip("imagecodecs")
    height, width = tile or (H, W)
    parts = [image()[i : i + height, j : j + width] for i in range(0, H, height) for j in range(0, W, width)]
    segments = (imagecodecs.ljpeg_encode(np.ascontiguousarray(part), bitspersample=12) for part in parts)
    tags = [(VERSION, BYTE, 4, bytes((1, 4, 0, 0))), (CFA_SIZE, SHORT, 2, (2, 2)), (CFA, BYTE, 4, bytes((0, 1, 1, 2)))]
    how = {"photometric": 32803, "metadata": None, "extratags": [(*tag, True) for tag in sorted(tags)], "compression": 7}
    how |= {"tile": tile} if tile else {"rowsperstrip": H}
    tifffile.imwrite(tmp_path / "x.dng", segments, shape=(H, W), dtype=np.uint16, **how)
    theirs, *_ = by_libraw(tmp_path / "x.dng")
    with open_recording(tmp_path / "x.dng") as found:
        assert np.array_equal(found[0], theirs) and np.array_equal(found[0], image())


def test_a_table_without_white_takes_its_largest_number_and_says_so(tmp_path):
    table = [n * n // 300 for n in range(4096)]
    with open_recording(write(tmp_path / "x.dng", image(), (TABLE, SHORT, 4096, table))) as found:
        assert found.white == table[-1]
        assert any(f"largest number, {table[-1]}, is taken" in line for line in found.notes)


def test_corrections_that_are_not_applied_are_named(tmp_path):
    with open_recording(write(tmp_path / "x.dng", image(), (OPCODES, 7, 4, bytes(4)))) as found:
        assert any("corrections (OpcodeList2)" in line for line in found.notes)


REFUSED = {
    "an active area outside": (((AREA, LONG, 4, (0, 0, H + 1, W)),), "active area .* not inside of 48x64"),
    "three black levels of four": (((REPEAT, SHORT, 2, (2, 2)), (BLACK, LONG, 3, (1, 2, 3))), "3 black levels for 2x2"),
    "columns that are not there": (((DELTA_H, *rational(1, 2, kind=SRATIONAL)),), "2 black levels for 64 columns"),
    "white under black": (((BLACK, LONG, 1, 64), (WHITE, LONG, 1, 64)), "white level of 64, not above the black level"),
    "a level divided by zero": (((BLACK, RATIONAL, 1, (64, 0)),), "divided by 0"),
    "no Bayer pattern": (((CFA, BYTE, 4, bytes((0, 0, 1, 2))),), "a mosaic rrgb; known: rggb"),
    "cyan": (((PLANES, BYTE, 3, bytes((3, 4, 5))),), "colour planes"),
    "a staggered mosaic": (((LAYOUT, SHORT, 1, 2),), "layout 2"),
    "rows in another order": (((50975, LONG, 1, 2),), "RowInterleaveFactor"),
}


@pytest.mark.parametrize(("tags", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_understood_is_refused(tmp_path, tags, said):
    with pytest.raises(Refusal, match=said):
        open_recording(write(tmp_path / "x.dng", image(), *tags))
