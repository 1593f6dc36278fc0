"""Containers that are only read, and folders with a TIFF, DNG or BMP for each frame."""

from __future__ import annotations

import av
import numpy as np
import pytest
import tifffile
from PIL import Image

from c2b.captures import write_capture
from c2b.cli import main
from c2b.video.recording import open_recording
from sensors.refusal import Refusal

COUNT = 12

CONTAINERS = {
    "x.ts": ("mpeg2video", "mpegts"),
    "x.m2ts": ("libx264", "mpegts"),
    "x.mpg": ("mpeg2video", "mpeg"),
    "x.wmv": ("wmv2", "asf"),
    "x.gif": ("gif", "gif"),
    "x.y4m": ("wrapped_avframe", "yuv4mpegpipe"),
    "x.flv": ("flv1", "flv"),
    "x.mxf": ("mpeg2video", "mxf"),
    "x.webm": ("libvpx-vp9", "webm"),
    "x.3gp": ("h263", "3gp"),
}


def write(path, codec, container):
    """Frames of 96x128, frame t of red 20 t."""
    pixels = "rgb8" if codec == "gif" else "yuv420p"
    with av.open(str(path), "w", format=container, options={"mpegts_m2ts_mode": "1"} if path.suffix == ".m2ts" else {}) as file:
        stream = file.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 96, 128, pixels
        for t in range(COUNT):
            frame = np.zeros((96, 128, 3), np.uint8)
            frame[..., 0] = 20 * t
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=pixels)))
        file.mux(stream.encode(None))


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("called", ["", "nameless"])
def test_containers_are_read_frame_by_frame_in_any_order(tmp_path, name, called):
    if CONTAINERS[name][0] not in av.codecs_available:
        pytest.skip("this FFmpeg cannot write it")
    path = tmp_path / (called or name)
    write(tmp_path / name, *CONTAINERS[name])
    (tmp_path / name).rename(path)
    if called and name in ("x.ts", "x.m2ts"):  # whose first byte says too little
        pytest.skip("told by its suffix")
    with open_recording(path) as video:
        assert video.shape == (COUNT, 96, 128, 3) and video.rate == 25
        frames = video[:]
        assert np.allclose(frames[..., 0].mean((1, 2)), 20 * np.arange(COUNT), atol=6)
        assert all(np.array_equal(video[t], frames[t]) for t in (11, 3, 7, 0))


def test_a_folder_with_a_tiff_a_dng_or_a_bmp_for_each_frame(tmp_path):
    frames = np.random.default_rng(0).integers(0, 4096, (11, 6, 8), np.uint16)
    for name in ("tif", "bmp", "mixed", "several"):
        (tmp_path / name).mkdir()
    for t, frame in enumerate(frames):
        tifffile.imwrite(tmp_path / "tif" / f"frame{t}.tif", frame)
        Image.fromarray(frame.astype(np.uint8)).save(tmp_path / "bmp" / f"frame{t}.bmp")
    (tmp_path / "tif" / "video.json").write_text('{"white": 4095}')
    with open_recording(tmp_path / "tif") as video:
        assert np.array_equal(video[:], frames) and video.white == 4095 and video.format == "frame-folder"
        assert np.array_equal(video[10:2:-3], frames[10:2:-3])
    with open_recording(tmp_path / "bmp") as video:
        assert np.array_equal(video[:], frames.astype(np.uint8)) and video.format == "image-folder"
    tifffile.imwrite(tmp_path / "tif" / "frame3.tif", frames[0, :4])
    with open_recording(tmp_path / "tif") as video, pytest.raises(Refusal, match=r"frame3.tif has shape .* the first frame frame0.tif"):
        video[:]
    tifffile.imwrite(tmp_path / "several" / "0.tif", frames, metadata=None)
    with pytest.raises(Refusal, match="holds 11 frames; in a folder each file is one frame"):
        open_recording(tmp_path / "several")


def test_a_folder_of_dng_is_a_video(tmp_path, monkeypatch):
    import sensors
    from c2b import codes

    monkeypatch.chdir(tmp_path)
    (tmp_path / "shots").mkdir()
    chip = sensors.make("conventional:white=100,bits=12,gain=0.4,full_well=9000", codes.make("long:frames=2"))
    taken = chip.capture(np.random.default_rng(0).random((6, 8, 10)), seed=0)
    for number in range(3):
        write_capture(f"shots/{number}.dng", taken, exposure=number, bucket=0)
    assert main(["convert", "shots", "out.npy"]) == 0
    assert np.load("out.npy").shape == (3, 8, 10)
