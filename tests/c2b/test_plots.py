"""Every picture can be drawn of every kind of code, capture and video, and what is written can be opened again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from c2b.plots import save
from c2b.plots.animation import WIDEST, write_animation
from c2b.plots.capture_picture import capture_figure
from c2b.plots.code_picture import code_figure
from c2b.plots.contact_sheet import Row, contact_sheet
from c2b.plots.error_map import error_figure
from c2b.plots.map_picture import map_figure
from c2b.plots.psnr_curve import psnr_figure
from c2b.plots.strip import strip_figure
from sensors.refusal import Refusal

RNG = np.random.default_rng(7)
VIDEO = RNG.random((9, 20, 31))
COLOUR = RNG.random((9, 20, 31, 3))
CODES = {
    "impulse of a 3x3 tile": np.eye(9).reshape(9, 3, 3),
    "binary of an 8x8 tile": RNG.random((16, 8, 8)) < 0.5,
    "158 sub-exposures": RNG.random((158, 4, 4)) < 0.5,
    "flutter": RNG.random((52, 1, 1)) < 0.5,
    "long flutter": RNG.random((300, 1, 1)) < 0.5,
    "full resolution": RNG.random((8, 256, 200)) < 0.5,
    "long exposure": np.ones((9, 1, 1)),
    "grey": RNG.random((6, 5, 7)),
    "one row": RNG.random((24, 1, 40)) < 0.5,
    "one column": RNG.random((4, 40, 1)) < 0.5,
    "one frame": np.zeros((1, 2, 3), np.uint8),
}


def words(figure) -> str:
    return " ".join(text.get_text() for text in figure.texts)


@pytest.mark.parametrize("name", CODES)
def test_any_code_can_be_drawn(name: str, tmp_path: Path) -> None:
    figure = code_figure(CODES[name], title=name)
    with Image.open(save(figure, tmp_path / "code.png")) as image:
        assert image.width == 1440 and 300 < image.height < 1500
    assert name in words(figure) and f"{len(CODES[name])} sub-exposure" in words(figure)


def test_a_code_picture_counts_the_open_chips() -> None:
    assert "bucket 0 collects in 1 of 9 (11.1 % of the light)" in words(code_figure(CODES["impulse of a 3x3 tile"]))
    code = np.zeros((5, 1, 2))
    code[:3, 0, 0] = code[0, 0, 1] = 1
    assert "bucket 0 collects in 1 to 3 of 5 (40 % of the light)" in words(code_figure(code))


def test_a_tile_is_drawn_once_for_each_sub_exposure_with_its_own_chips() -> None:
    code = CODES["binary of an 8x8 tile"]
    drawn = [image.get_array() for axes in code_figure(code).axes for image in axes.images]
    tiles, timelines = drawn[:-1], drawn[-1]
    np.testing.assert_array_equal(tiles, code.astype(float))
    np.testing.assert_array_equal(timelines, code.reshape(16, 64).T.astype(float))


def test_a_flutter_code_is_spelled_out() -> None:
    assert "1011 001" in words(code_figure(np.array([1, 0, 1, 1, 0, 0, 1]).reshape(7, 1, 1)))


@pytest.mark.parametrize(("count", "shape"), [(1, (60, 90)), (1, (90, 20)), (2, (5, 4)), (2, (41, 50, 3)), (4, (60, 90))])
def test_any_number_of_buckets_can_be_drawn(count: int, shape: tuple[int, ...], tmp_path: Path) -> None:
    images = RNG.integers(60, 4096, (count, *shape)).astype(np.uint16)
    figure = capture_figure(images, tile=(3, 4), saturation=4095, title="capture", subtitle="two-bucket")
    with Image.open(save(figure, tmp_path / "capture.png")) as image:
        assert image.width == 1440 and image.height < 1600
    assert f"bucket {count - 1}" in words(figure) and f"bucket {count}" not in words(figure)


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_a_flat_float_capture_can_be_drawn(level: float, tmp_path: Path) -> None:
    save(capture_figure(np.full((2, 30, 40), level, np.float32), unit="white sub-exposures"), tmp_path / "flat.png")


def test_the_close_up_lies_where_it_is_asked_for_and_shows_those_pixels() -> None:
    images = np.arange(2 * 60 * 90).reshape(2, 60, 90)
    close = capture_figure(images, at=(59, 0)).axes[2].images[0]
    np.testing.assert_array_equal(close.get_array(), images[0, 40:, :30])
    assert close.get_extent() == [-0.5, 29.5, 59.5, 39.5]


def test_the_histogram_tells_how_many_pixels_are_full() -> None:
    images = np.zeros((1, 20, 30), np.uint16)
    images[0, :2] = 4095
    assert "full at 4095: 10 % of the pixels" in words(capture_figure(images, saturation=4095))


@pytest.mark.parametrize("video", [VIDEO, COLOUR, VIDEO[:1]], ids=["grey", "colour", "one frame"])
def test_strip_and_error_map_have_a_row_per_video_and_a_column_per_frame(video: np.ndarray, tmp_path: Path) -> None:
    videos = {"truth": video, "gap-tv:iterations=60,weight=0.1": video / 2, "$method_2$": video**2}
    strip = strip_figure(videos, capture=video[:2], psnr={"$method_2$": 31.25}, title="strip")
    errors = error_figure(videos, video, frames=[0])
    save(strip, tmp_path / "strip.png")
    save(errors, tmp_path / "errors.svg")
    frames = min(len(video), 5)
    assert len(strip.axes) == 3 * frames + len(video[:2])
    assert "31.25 dB" in words(strip)
    assert len([axes for axes in errors.axes if axes.images]) == 3


def test_a_strip_shows_values_as_given_unless_told_to_encode() -> None:
    def shown(video: np.ndarray, **settings) -> np.ndarray:
        return np.unique(strip_figure({"a": video}, **settings).axes[0].images[0].get_array().filled())

    video = np.full((1, 8, 9), 0.25)
    assert shown(video) == pytest.approx([0.25])
    assert shown(video, encode=np.sqrt) == pytest.approx([0.5])
    assert shown(255 * video, white=255) == pytest.approx([0.25])
    assert shown(video - 1) == pytest.approx([0])


def test_all_error_maps_share_one_scale() -> None:
    figure = error_figure({"near": VIDEO + 0.01, "far": VIDEO + 0.3}, VIDEO)
    limits = {axes.images[0].get_clim() for axes in figure.axes if axes.images}
    assert len(limits) == 1 and next(iter(limits)) == pytest.approx((0, 0.3))
    assert "mean 0.01" in words(figure) and "mean 0.3" in words(figure)


@pytest.mark.parametrize("shape", [(1, 12, 20), (3, 9, 20, 12)])
def test_all_maps_share_one_scale_which_has_its_name(shape: tuple[int, ...], tmp_path: Path) -> None:
    maps = np.random.default_rng(0).random(shape)
    figure = map_figure(maps, "uncertainty")
    images = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(images) == (1 if len(shape) == 3 else 3 * 4) and len({image.get_clim() for image in images}) == 1
    assert figure.axes[-1].get_title(loc="left") == "uncertainty"
    save(figure, tmp_path / "maps.png")


def test_images_keep_their_proportions() -> None:
    laid = contact_sheet([Row("a", [np.zeros((20, 50))] * 3)])
    box = laid.sheet.figure.axes[0].get_position()
    width, height = laid.sheet.figure.get_size_inches()
    assert box.width * width / (box.height * height) == pytest.approx(2.5)


def test_psnr_curves_leave_gaps_at_infinity_and_name_every_line(tmp_path: Path) -> None:
    curves = {f"method {k}": 30 + k / 10 + RNG.random(9) for k in range(9)}
    curves["truth"] = np.full(9, np.inf)
    figure = psnr_figure(curves, title="per frame")
    save(figure, tmp_path / "curve.pdf")
    assert all(name in words(figure) for name in curves)
    places = sorted(text.get_position()[1] for text in figure.texts if text.get_text() in curves)
    assert np.diff(places).min() > 0.02, "names must not lie on each other"
    save(psnr_figure({"one": [30.0]}), tmp_path / "one.png")


@pytest.mark.parametrize("suffix", [".gif", ".png"])
@pytest.mark.parametrize("video", [VIDEO, COLOUR], ids=["grey", "colour"])
def test_an_animation_has_one_picture_per_frame_and_loops(video: np.ndarray, suffix: str, tmp_path: Path) -> None:
    path = write_animation(tmp_path / f"a{suffix}", {"truth": video, "blurred": video.mean(0, keepdims=True)}, rate=4)
    with Image.open(path) as image:
        assert image.n_frames == 9 and image.info["loop"] == 0 and image.info["duration"] == 250
        assert image.convert("RGB").getpixel((2, 2)) == (255, 255, 255)
        assert image.width == 2 * 31 * 7 + 3 * 8  # 31 pixels, enlarged by the whole factor that brings them near 240


def test_a_grey_gif_keeps_every_level(tmp_path: Path) -> None:
    video = np.stack([np.arange(256).reshape(16, 16), np.arange(256)[::-1].reshape(16, 16)])
    with Image.open(write_animation(tmp_path / "grey.gif", {"levels": video}, white=255)) as image:
        shown = np.asarray(image.convert("L"))[26 + 7 : 26 + 240 : 15, 8 + 7 : 8 + 240 : 15]
    np.testing.assert_array_equal(shown, video[0])


def test_wide_videos_are_reduced(tmp_path: Path) -> None:
    with Image.open(write_animation(tmp_path / "wide.gif", {"wide": RNG.random((2, 200, 1300))})) as image:
        assert image.width == WIDEST + 16


HOLED = np.where(VIDEO[0, 0, 0] == VIDEO, np.nan, VIDEO)


@pytest.mark.parametrize(
    ("draw", "word"),
    [
        (lambda: code_figure(np.zeros((3, 3))), r"should be \(T, p, q\), not \(3, 3\)"),
        (lambda: code_figure(np.zeros((2, 9, 3, 3))), r"should be \(T, p, q\)"),
        (lambda: code_figure(np.zeros((0, 3, 3))), "empty"),
        (lambda: code_figure(np.full((3, 2, 2), 2)), "lies in"),
        (lambda: code_figure(np.full((3, 2, 2), np.nan)), "finite"),
        (lambda: capture_figure(VIDEO[0]), "B, H, W"),
        (lambda: capture_figure(HOLED), "finite"),
        (lambda: capture_figure(VIDEO, at=(20, 0)), "outside the 20x31"),
        (lambda: strip_figure({}), "no video"),
        (lambda: strip_figure({"a": VIDEO, "b": VIDEO[:, 1:]}), "differ in shape"),
        (lambda: strip_figure({"a": HOLED}), "finite"),
        (lambda: strip_figure({"a": VIDEO}, frames=[9]), "choose from 0 to 8"),
        (lambda: error_figure({}, VIDEO), "no video"),
        (lambda: error_figure({"a": VIDEO}, VIDEO[1:]), "differ in shape"),
        (lambda: error_figure({"a": VIDEO}, VIDEO, limit=0), "above 0"),
        (lambda: map_figure(VIDEO[0], "variance"), "N, h, w"),
        (lambda: map_figure(VIDEO * np.nan, "variance"), "not finite"),
        (lambda: psnr_figure({}), "no PSNR"),
        (lambda: psnr_figure({"a": []}), "one number for each frame"),
        (lambda: psnr_figure({"a": [30, np.nan]}), "one number for each frame"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(draw: Callable[[], object], word: str) -> None:
    with pytest.raises(Refusal, match=word) as refusal:
        draw()
    assert "\n" not in str(refusal.value)


def test_nothing_is_written_where_it_cannot_be(tmp_path: Path) -> None:
    figure = code_figure(CODES["flutter"])
    with pytest.raises(Refusal, match=r"\.png or \.svg or \.pdf"):
        save(figure, tmp_path / "code.docx")
    with pytest.raises(Refusal, match="does not exist"):
        save(figure, tmp_path / "absent" / "code.png")
    with pytest.raises(Refusal, match=r"\.gif or \.png"):
        write_animation(tmp_path / "a.mp4", {"a": VIDEO})
    with pytest.raises(Refusal, match="positive rate"):
        write_animation(tmp_path / "a.gif", {"a": VIDEO}, rate=0)
    with pytest.raises(Refusal, match="differ in size"):
        write_animation(tmp_path / "a.gif", {"a": VIDEO, "b": VIDEO[:7]})
    with pytest.raises(Refusal, match="finite"):
        write_animation(tmp_path / "a.gif", {"a": HOLED})
    assert not list(tmp_path.iterdir())
