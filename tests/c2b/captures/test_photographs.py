"""A photograph is an exposure of an ordinary camera: of any kind and size, and nothing of it is assumed in silence."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from c2b.captures.photograph import read_photograph
from c2b.cli import main
from c2b.video import colour_profile
from c2b.video.image_folder import write_png
from c2b.video.recording import open_recording
from c2b.video.writing import write_video

H, W = 23, 31
ORIENTATION = 274


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def picture(*shape, top=255, dtype=np.uint8):
    return np.random.default_rng(1).integers(0, top, shape, dtype)


def run(capsys, *words):
    assert main(list(words)) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def refused(capsys, *words):
    assert main(list(words)) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P"])
def test_a_picture_of_any_mode_comes_back_as_it_is_stored(here, capsys, mode):
    colour = Image.fromarray(picture(H, W, 3))
    image = colour.convert(mode.removesuffix("A"))
    if mode.endswith("A"):
        image.putalpha(Image.fromarray(picture(H, W)))
    image.save("p.png")
    told = run(capsys, "reconstruct", "p.png", "out/", "--method", "pseudo-inverse")
    grey = mode in ("L", "LA")
    expected = np.asarray(image.convert("L" if grey else "RGB")) if mode != "LA" else np.asarray(image)[..., 0]
    with open_recording("out") as made:
        assert made.shape == (7, H, W) + (() if grey else (3,))
        whole = np.iinfo(made.dtype).max
        for frame in made[:]:
            assert np.array_equal(np.rint(frame / (whole / 255)), expected)
    assert "assumed of the photograph: 7 frames (--frames states another number), encoded by srgb" in told
    record = json.loads(Path("out/video.json").read_text())["record"]
    assert record["assumed"] and record["encoding"] == "srgb (assumed)" and record["source"]["path"] == "p.png"


@pytest.mark.parametrize("shape", [(H, W), (H, W, 3)])
def test_16_bits_are_kept_up_to_the_output(here, shape):
    stored = picture(*shape, top=65535, dtype=np.uint16)
    write_png(Path("p.png"), stored)
    capture = read_photograph(Path("p.png"))
    assert capture.images.dtype == np.uint16 and capture.sensor.frames == 7 and capture.sensor.code.all()
    assert np.allclose(capture.charge[0, 0] / 7, stored / 65535, atol=1e-6)
    assert not capture.variance.any()


def test_a_jpeg_is_turned_as_exif_says(here, capsys):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    smooth = np.add.outer(np.arange(40), 2 * np.arange(64)).astype(np.uint8)
    Image.fromarray(np.stack([smooth] * 3, -1)).save("p.jpg", exif=exif, quality=95)
    run(capsys, "reconstruct", "p.jpg", "v.mp4", "--method", "pseudo-inverse", "--frames", "3")
    with open_recording("v.mp4") as made:
        assert made.shape == (3, 64, 40, 3)
        assert np.abs(made[1][..., 1].astype(int) - np.rot90(smooth, -1)).mean() < 6
    capture = read_photograph(Path("p.jpg"), frames=3)
    assert capture.images.shape == (1, 1, 64, 40, 3) and "frames" not in capture.record["assumed"][0]


def _profile(name):
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()


def _exif(**tags):
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0xA001: tags["space"]})
    return exif


def _adobe():
    """The sRGB profile with the curve of Adobe RGB, a power of 2.19921875."""
    profile = bytearray(_profile("sRGB"))
    count = int.from_bytes(profile[128:132], "big")
    for number in range(count):
        place = 132 + 12 * number
        if profile[place : place + 4] == b"gTRC":
            start = int.from_bytes(profile[place + 4 : place + 8], "big")
            profile[start : start + 14] = b"curv" + bytes(4) + (1).to_bytes(4, "big") + (563).to_bytes(2, "big")
    return bytes(profile)


def test_the_encoding_is_that_of_the_profile_or_assumed(here):
    image = Image.fromarray(picture(H, W, 3))
    saved = {
        "plain.png": {},
        "srgb.jpg": {"icc_profile": _profile("sRGB")},
        "adobe.png": {"icc_profile": _adobe()},
        "broken.png": {"icc_profile": b"no profile"},
        "exif.jpg": {"exif": _exif(space=1)},
        "exif2.jpg": {"exif": _exif(space=2)},
        "other.jpg": {"exif": _exif(space=65535)},
    }
    for name, how in saved.items():
        image.save(name, **how)
    found = {name: colour_profile.encoding(Path(name)) for name in saved}
    assert found == {
        "plain.png": ("srgb", ""),
        "srgb.jpg": ("srgb", "its ICC profile"),
        "adobe.png": ("gamma:exponent=2.199", "its ICC profile"),
        "broken.png": ("srgb", ""),
        "exif.jpg": ("srgb", "EXIF"),
        "exif2.jpg": ("gamma:exponent=2.199", "EXIF"),
        "other.jpg": ("srgb", ""),
    }
    gamma = PngImagePlugin.PngInfo()
    gamma.add(b"gAMA", (100000).to_bytes(4, "big"))
    image.save("linear.png", pnginfo=gamma)
    assert colour_profile.encoding(Path("linear.png")) == ("none", "its gAMA chunk")
    record = read_photograph(Path("srgb.jpg")).record
    assert record["encoding"] == "srgb, as its ICC profile says" and record["assumed"] == [
        "7 frames (--frames states another number)"
    ]


def _wide(profile):
    """That profile with the red primary of Display P3."""
    place = profile.index(b"rXYZ", 128)
    start = int.from_bytes(profile[place + 4 : place + 8], "big") + 8
    red = b"".join(round(value * 65536).to_bytes(4, "big", signed=True) for value in (0.5151, 0.2412, -0.0011))
    return profile[:start] + red + profile[start + 12 :]


def test_primaries_that_the_video_does_not_have_are_said(here):
    for name, profile in (("srgb.png", _profile("sRGB")), ("wide.png", _wide(_profile("sRGB"))), ("broken.png", b"no profile")):
        Image.fromarray(picture(H, W, 3)).save(name, icc_profile=profile)
    Image.fromarray(picture(H, W)).save("grey.png", icc_profile=_wide(_profile("sRGB")))
    assumed = {path.name: str(read_photograph(path).record["assumed"]) for path in Path().glob("*.png")}
    assert len(assumed) == 4 and {name for name, words in assumed.items() if "primaries" in words} == {"wide.png"}


def test_info_tells_what_a_picture_can_be(here, capsys):
    Image.fromarray(picture(H, W, 3)).save("p.jpg")
    Image.fromarray(picture(3 * W, W, top=2) * np.uint8(255)).save("mask.png")
    told = json.loads(run(capsys, "info", "p.jpg", "--json"))
    assert (told["kind"], told["height"], told["width"], told["colour"]) == ("photograph", H, W, "rgb")
    assert told["encoding"] == "srgb (assumed)" and told["frames of a video out of it"] == 7
    mask = json.loads(run(capsys, "info", "mask.png", "--json"))
    assert mask["kind"] == "code" and mask["shape"] == [3, W, W] and mask["as a photograph"] == "c2b reconstruct mask.png VIDEO"
    Path("broken.jpg").write_bytes(b"no picture")
    assert "is not a readable image" in refused(capsys, "info", "broken.jpg")


def test_a_folder_or_a_video_is_as_many_photographs(here, capsys):
    film = picture(3, 24, 32, 3)
    write_video("film.mkv", film)
    write_video("film/", film)
    for source in ("film.mkv", "film"):
        told = run(capsys, "reconstruct", source, "out.mkv", "--method", "pseudo-inverse", "--frames", "2", "--exposures", "1:3")
        assert "4 frames of 24x32 from 2 exposures" in told
        with open_recording("out.mkv") as made:
            assert np.array_equal(made[:], film[[1, 1, 2, 2]])
    capture = read_photograph(Path("film.mkv"), frames=2)
    assert capture.images.shape == (3, 1, 24, 32, 3) and capture.images.ndim == 5 and len(capture) == 3
    assert np.array_equal(capture.charge, (film / 255 * 2).astype(np.float32)[:, None])
    assert np.array_equal(np.asarray(capture.images[..., 1]), film[:, None, ..., 1])


def test_what_is_no_photograph_is_one_line(here, capsys):
    write_video("grey/", picture(3, 24, 32))
    write_video("film.mkv", picture(9, 24, 32))
    assert "needs its code: --code FILE" in refused(capsys, "reconstruct", "grey", "r.npy")
    assert main(["simulate", "film.mkv", "c.c2b.ome.tif"]) == 0
    assert "--frames is for photographs" in refused(capsys, "reconstruct", "c.c2b.ome.tif", "r.npy", "--frames", "7")
    assert "leave --response out" in refused(
        capsys, "reconstruct", "film.mkv", "r.mkv", "--response", "srgb", "--method", "pseudo-inverse"
    )
    assert "--frames 0" in refused(capsys, "reconstruct", "film.mkv", "r.mkv", "--frames", "0")
    Path("cut.jpg").write_bytes(b"\xff\xd8\xff\xe0nothing")
    assert "cut.jpg is not a readable image" in refused(capsys, "reconstruct", "cut.jpg", "r.mp4")
    assert "absent.jpg does not exist" in refused(capsys, "reconstruct", "absent.jpg", "r.mp4")
    Image.fromarray(picture(H, W)).save("p.png")
    assert "1 of 7 frames" in refused(capsys, "reconstruct", "p.png", "r.mp4", "--method", "tile")


def test_a_method_of_another_number_of_frames_says_so(here, capsys):
    Image.fromarray(picture(48, 48, 3)).save("p.png")
    assert "9" in refused(capsys, "reconstruct", "p.png", "r.mp4", "--method", "blurred")
    assert "9 frames of 48x48" in run(capsys, "reconstruct", "p.png", "r.mp4", "--method", "blurred", "--frames", "9")


def test_the_profile_of_a_stream_need_not_be_whole(here):
    """Every cut of a profile says something known or nothing."""
    whole = _profile("sRGB")
    for length in range(0, len(whole), 97):
        buffer = io.BytesIO()
        Image.fromarray(picture(8, 8, 3)).save(buffer, "png", icc_profile=whole[:length])
        Path("p.png").write_bytes(buffer.getvalue())
        assert colour_profile.encoding(Path("p.png"))[0].startswith(("srgb", "gamma", "none"))
