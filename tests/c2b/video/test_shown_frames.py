"""The frames of a container are those that a player shows, and what is missing of a file is said with its numbers."""

from __future__ import annotations

import json
import re
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from c2b.video import orientation, sidecar
from c2b.video.recording import open_recording
from c2b.video.writing import write_video
from sensors.refusal import Refusal

HEIGHT, WIDTH, RATE = 32, 48, 30
WITH_B_FRAMES = {"x264-params": "keyint=20:min-keyint=20:scenecut=0:bframes=3"}
WITHOUT = {"x264-params": "keyint=20:min-keyint=20:scenecut=0:bframes=0"}
CODECS = {
    "h264": ("libx264", "yuvj420p", WITHOUT),
    "h264 with B-frames": ("libx264", "yuvj420p", WITH_B_FRAMES),
    "mjpeg": ("mjpeg", "yuvj420p", {}),
    "mpeg4": ("mpeg4", "yuv420p", {"qscale": "1"}),
    "raw": ("rawvideo", "yuv420p", {}),
    "ffv1": ("ffv1", "gray", {}),
}


def grey(number):
    return 4 * number + 10


def encode(path, codec="h264", frames=60, *, stamps=None, unit=Fraction(1, RATE), turn=None, flags=None, pixels=None):
    """Flat frames, each grey by its number, at times in ``unit``."""
    name, usual, options = CODECS[codec]
    with av.open(str(path), "w", options={"movflags": flags} if flags else {}) as out:
        stream = out.add_stream(name, rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels or usual
        stream.codec_context.time_base = unit
        if turn:
            stream.set_display_rotation(*turn)
        for number in range(frames):
            flat = np.full((HEIGHT, WIDTH), grey(number), np.uint8)
            flat[: HEIGHT // 4, : WIDTH // 3] = 255  # a corner that tells how it lies
            image = av.VideoFrame.from_ndarray(flat, format="gray").reformat(format=pixels or usual)
            image.pts, image.time_base = stamps[number] if stamps else number, unit
            out.mux(stream.encode(image))
        out.mux(stream.encode(None))
    return path


def numbers(film):
    """Which frames a film shows, by their grey."""
    return [round((float(film.luma(range(k, k + 1))[0, -4:, -4:].mean()) - grey(0)) / 4) for k in range(len(film))]


def boxes(data, start, end):
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        yield kind, start, start + size
        start += size


def edit(path, *edits):
    """Give an MP4 the edits (seconds shown, first frame, or None for nothing); its index lies behind its frames, so it may grow."""
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        unit, first = container.streams.video[0].time_base, 0
    start, end, above = 0, len(data), []
    for name in (b"moov", b"trak", b"edts", b"elst"):
        start, end = next((a, b) for kind, a, b in boxes(data, start, end) if kind == name)
        above.append(start)
        start += 8
    (first,) = struct.unpack_from(">i", data, start + 12)  # of the edit there is: the delay by B-frames
    ticks = int(1 / RATE / unit)
    entries = [(round(1000 * s), -1 if n is None else n * ticks + first) for s, n in edits]
    content = struct.pack(">II", 0, len(edits)) + b"".join(struct.pack(">IiI", *entry, 1 << 16) for entry in entries)
    data[start:end] = content
    for place in above:
        struct.pack_into(">I", data, place, struct.unpack_from(">I", data, place)[0] + len(content) - (end - start))
    path.write_bytes(data)


def shown_by_ffmpeg(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


EDITS = {
    "start trimmed": ([(37 / RATE, 23)], list(range(23, 60))),
    "end trimmed": ([(37 / RATE, 0)], list(range(37))),
    "empty at the start": ([(0.5, None), (2, 0)], list(range(60))),
    "two parts": ([(10 / RATE, 5), (10 / RATE, 40)], [*range(5, 15), *range(40, 50)]),
    "parts swapped": ([(10 / RATE, 40), (10 / RATE, 5)], [*range(40, 50), *range(5, 15)]),
    "a part twice": ([(10 / RATE, 5), (10 / RATE, 5)], [*range(5, 15), *range(5, 15)]),
}


@pytest.mark.parametrize("codec", ["h264", "h264 with B-frames", "mjpeg"])
@pytest.mark.parametrize("case", EDITS)
def test_an_edit_list_says_which_frames_are_shown(tmp_path, case, codec):
    edits, right = EDITS[case]
    path = encode(tmp_path / "clip.mov", codec)
    edit(path, *edits)
    assert shown_by_ffmpeg(path) == len(right)
    with open_recording(path) as film:
        assert len(film) == len(right)
        assert numbers(film) == right
        whole = film[:]
        for k in (len(right) - 1, 0, len(right) // 2, 3):
            np.testing.assert_array_equal(film[k], whole[k])


@pytest.mark.parametrize("codec", ["mjpeg", "mpeg4", "raw", "ffv1"])
def test_dropped_frames_of_an_avi_are_no_frames_but_time(tmp_path, codec):
    """As empty chunks, during which a player goes on showing the frame before; the header counts them."""
    path = encode(tmp_path / "clip.avi", codec, stamps=[k + (k > 10) + 3 * (k > 20) for k in range(60)])
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 64
    with open_recording(path) as film:
        np.testing.assert_allclose(numbers(film), range(60), atol=1)
        assert film.record["timing"] == film.source["timing"] == "variable rate, 7.5 to 30 per second"


def test_frames_shown_in_another_order_than_stored_are_in_the_order_shown_in_an_avi_too(tmp_path):
    with open_recording(encode(tmp_path / "clip.avi", "h264 with B-frames")) as film:
        assert numbers(film) == list(range(60))
        assert "timing" not in film.record


def test_a_sample_of_no_bytes_is_no_frame(tmp_path):
    path = encode(tmp_path / "clip.mp4", "mjpeg")
    data = bytearray(path.read_bytes())
    sizes = data.index(b"stsz") + 16
    before, dropped = struct.unpack_from(">II", data, sizes + 4 * 9)
    struct.pack_into(">II", data, sizes + 4 * 9, before + dropped, 0)  # the decoder ignores what is behind a frame
    path.write_bytes(data)
    with open_recording(path) as film:
        assert numbers(film) == [*range(10), *range(11, 60)]
        assert film.record["timing"] == "variable rate, 15 to 30 per second"


@pytest.mark.parametrize(("name", "codec"), [("x.mp4", "h264 with B-frames"), ("x.mkv", "h264 with B-frames"), ("x.mkv", "ffv1")])
def test_a_variable_rate_is_said(tmp_path, name, codec):
    stamps = np.cumsum([0] + [[20, 50, 20, 25][k % 4] for k in range(59)]).tolist()
    with open_recording(encode(tmp_path / name, codec, stamps=stamps, unit=Fraction(1, 1000))) as film:
        assert numbers(film) == list(range(60))
        assert film.record["timing"] == film.source["timing"] == "variable rate, 20 to 50 per second"
        part = film.window(frames=slice(3, 9))
        assert part.record["timing"] == part.source["timing"] == film.record["timing"]


@pytest.mark.parametrize("name", ["x.mp4", "x.mkv", "x.avi"])
@pytest.mark.parametrize("rate", [24, Fraction(30000, 1001), 30, 60, Fraction(120000, 1001), 240])
def test_rounded_times_are_no_variable_rate(tmp_path, name, rate):
    write_video(tmp_path / name, np.zeros((60, 8, 12), np.uint8), rate=float(rate))
    sidecar.beside(tmp_path / name).unlink()
    with open_recording(tmp_path / name) as film:
        assert len(film) == 60 and not film.record


def test_frames_at_the_same_time_are_all_read(tmp_path):
    stamps = [10 * (k - (k == 5)) for k in range(12)]
    path = encode(tmp_path / "x.mkv", "ffv1", 12, stamps=stamps, unit=Fraction(1, 1000))
    with open_recording(path) as film:
        assert numbers(film) == list(range(12))
        np.testing.assert_array_equal(film[11], film[:][11])
        assert film.record["timing"] == "variable rate, 50 to 100 per second, 2 at the same time as another"


def test_a_long_last_frame_is_shown_and_said(tmp_path):
    """The file is longer than its frames; that does not mean that some are missing."""
    path = encode(tmp_path / "x.mov", "mjpeg", 20)
    data = bytearray(path.read_bytes())
    durations = data.index(b"stts") + 8
    assert struct.unpack_from(">II", data, durations) == (1, 20)
    content = struct.pack(">IIIII", 2, 19, 512, 1, 512 * 60)
    struct.pack_into(">I", data, data.index(b"mdhd") + 20, 512 * (19 + 60))
    end, above, start = len(data), [], 0
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"):
        start, end = next((a, b) for kind, a, b in boxes(data, start, end) if kind == name)
        above.append(start)
        start += 8
    data[start + 4 : end] = content
    for place in above:
        struct.pack_into(">I", data, place, struct.unpack_from(">I", data, place)[0] + 8)
    path.write_bytes(data)
    edit(path, (2 + 19 / RATE, 0))
    with open_recording(path) as film:
        assert numbers(film) == list(range(20))
        assert film.record["timing"] == "variable rate, 0.5 to 30 per second"


def test_a_matroska_whose_last_frame_is_long_is_whole(tmp_path):
    path = encode(tmp_path / "x.mkv", "ffv1", 20)
    data = path.read_bytes()
    told = re.search(rb"00:00:00[.]6[0-9]+", data)
    path.write_bytes(data.replace(told[0], told[0].replace(b"00:00:00", b"00:00:02")))
    with open_recording(path) as film:
        assert numbers(film) == list(range(20))


def test_a_number_of_frames_in_the_header_that_is_not_true_is_not_believed(tmp_path):
    path = encode(tmp_path / "x.avi", "mjpeg", 20)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"avih") + 8 + 16, 100)
    struct.pack_into("<I", data, data.index(b"strh") + 8 + 32, 100)
    path.write_bytes(data)
    with open_recording(path) as film:
        assert numbers(film) == list(range(20))


def test_a_fragmented_file_is_counted(tmp_path):
    path = encode(tmp_path / "x.mp4", "h264 with B-frames", flags="frag_keyframe+empty_moov")
    with open_recording(path) as film:
        assert numbers(film) == list(range(60))


def test_of_several_videos_the_default_one_is_shown(tmp_path):
    path = tmp_path / "x.mkv"
    with av.open(str(path), "w") as out:
        films = [out.add_stream("ffv1", rate=RATE) for _ in range(2)]
        for stream, size, flag in zip(films, (16, 20), (0, 1), strict=True):
            stream.width, stream.height, stream.pix_fmt, stream.disposition = WIDTH, size, "gray", flag
        for number in range(5):
            for stream in films:
                flat = np.full((stream.height, WIDTH), grey(number), np.uint8)
                out.mux(stream.encode(av.VideoFrame.from_ndarray(flat, format="gray")))
    with open_recording(path) as film:
        assert film.shape == (5, 20, WIDTH)
        assert numbers(film) == list(range(5))


# Which way up, and alpha.


TURNS = {(90,): 8, (180,): 3, (-90,): 6, (0, True, False): 2, (0, False, True): 4, (90, True, False): 7, (90, False, True): 5}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize(("name", "codec"), [("x.mp4", "h264 with B-frames"), ("x.mov", "mjpeg"), ("x.mkv", "ffv1")])
def test_video_stands_upright(tmp_path, name, codec, turn):
    path = encode(tmp_path / name, codec, 40, turn=turn)
    plain = open_recording(encode(tmp_path / f"plain-{name}", codec, 40))
    number = TURNS[turn]
    with open_recording(path) as film:
        assert film.shape[:3] == (40, *((WIDTH, HEIGHT) if number >= 5 else (HEIGHT, WIDTH)))
        assert film.record["orientation"] == film.source["orientation"] == f"{orientation.words(number)}, as the display matrix says"
        np.testing.assert_array_equal(film[3:9], orientation.upright(plain[3:9], number))
        np.testing.assert_array_equal(film[38], orientation.upright(plain[38:39], number)[0])
        np.testing.assert_array_equal(film.luma(range(2)), orientation.upright(plain.luma(range(2)), number))
        part = film.window(rows=slice(4, 20), columns=slice(2, 9))
        np.testing.assert_array_equal(part[5], film[5][4:20, 2:9])


def test_the_turns_are_those_of_ffmpeg(tmp_path):
    """A quarter turn counterclockwise takes the marked top left corner to the bottom left."""
    with open_recording(encode(tmp_path / "x.mkv", "ffv1", 2, turn=(90,))) as film:
        assert film[1][-1, 0] == 255 and film[1][0, 0] == film[1][0, -1] == film[1][-1, -1] == grey(1)


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "colour"),
    [
        ("x.mov", "qtrle", "argb", "rgb"),
        ("x.mov", "png", "rgba", "rgb"),
        ("x.mov", "png", "ya8", "mono"),
        ("x.mkv", "ffv1", "yuva420p", "rgb"),
        ("x.avi", "utvideo", "gbrap", "rgb"),
        ("x.mov", "prores_ks", "yuva444p10le", "rgb"),
    ],
)
def test_alpha_in_a_container_is_dropped_and_said(tmp_path, name, codec, pixels, colour):
    rng = np.random.default_rng(1)
    rgba = rng.integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)
    if colour == "mono":
        rgba[..., :3] = rgba[..., :1]
    smooth = rgba if codec in ("qtrle", "png") or pixels == "gbrap" else np.full_like(rgba, [[[90, 120, 60, 30]]])
    with av.open(str(tmp_path / name), "w") as out:
        stream = out.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        for _ in range(3):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(smooth, format="rgba").reformat(format=pixels)))
        out.mux(stream.encode(None))
    with open_recording(tmp_path / name) as film:
        assert film.record["alpha"] == film.source["alpha"] == "dropped"
        assert (film.colour, film.shape) == (colour, (3, HEIGHT, WIDTH) + (3,) * (colour == "rgb"))
        right = smooth[..., :3] if colour == "rgb" else smooth[..., 0]
        assert np.abs(film[2] * (255 / film.white) - right).max() <= 3


# Broken off.


def test_a_movie_that_is_cut_short_says_so_at_opening(tmp_path):
    path = encode(tmp_path / "x.mp4", "mjpeg", flags="faststart")
    content = path.read_bytes()
    for share in (0.5, 0.9):
        path.write_bytes(content[: int(len(content) * share)])
        with av.open(str(path)) as container:
            there = sum(e.pos + e.size <= path.stat().st_size for e in container.streams.video[0].index_entries)
        with pytest.raises(Refusal, match=rf"x\.mp4 is cut short: it holds {there} of 60 frames; to use what is there"):
            open_recording(path)
        (tmp_path / "x.mp4.json").write_text(json.dumps({"frames": there}))
        with open_recording(path) as film:
            assert numbers(film) == list(range(there))
        (tmp_path / "x.mp4.json").unlink()


@pytest.mark.parametrize(
    ("name", "codec"), [("x.mp4", "h264 with B-frames"), ("x.avi", "mjpeg"), ("x.avi", "mpeg4"), ("x.mkv", "ffv1")]
)
def test_what_is_there_of_a_cut_container_can_be_used(tmp_path, name, codec):
    path = encode(tmp_path / name, codec, flags="faststart" if name.endswith("mp4") else None)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(Refusal, match=r"it holds \d+ of (about )?60 frames") as told:
        open_recording(path)
    there = int(str(told.value).partition("it holds ")[2].split()[0])
    assert 0 < there < 60
    (tmp_path / f"{name}.json").write_text(json.dumps({"frames": there}))
    with open_recording(path) as film:
        found = numbers(film)
        assert len(found) == there and found == sorted(set(found)) and found[: there - 4] == list(range(there - 4))
