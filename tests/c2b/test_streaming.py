"""From a recording to a capture file and back, exposure by exposure: the same bits as in one go, and aligned with the source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import recon
import sensors
from c2b import codes, streaming
from c2b.alignment import matched
from c2b.captures import read_capture, write_capture
from c2b.scenes.as_recording import SceneRecording
from c2b.video.recording import open_recording
from c2b.video.writing import write_video
from recon.pseudo_inverse import PseudoInverse
from sensors.refusal import Refusal
from sensors.timing import Timing

FRAMES, H, W = 23, 14, 21
NAME = "take.c2b.ome.tif"


def stored(tmp_path, dtype="uint8", colour=False, response="none"):
    """A video file, and what it holds."""
    shape = (FRAMES, H, W) + (3,) * colour
    video = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    write_video(tmp_path / "video.tif", video, response=response)
    return open_recording(tmp_path / "video.tif"), video


def camera(**settings):
    return sensors.make("cep-2019", codes.make("impulse:tile=[2,3]"), **settings)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("settings", [{}, {"timing": Timing(0.01, dead_frames=2)}, {"colour": "rgb"}, {"origin": (3, 4)}])
def test_streaming_gives_the_bits_of_a_capture_in_one_go(tmp_path, settings, dtype):
    recording, video = stored(tmp_path, dtype, colour="colour" in settings)
    sensor = camera(**settings)
    count, _ = streaming.simulate(recording, tmp_path / NAME, sensor, seed=4)
    capture, expected = read_capture(tmp_path / NAME), sensor.capture(video, seed=4)
    assert count == len(capture) == sensor.exposures_in(FRAMES)
    assert np.array_equal(capture.images, expected.images) and capture.sensor.digest == sensor.digest
    for key in ("frame_index", "white", "seed", "first_exposure"):
        assert capture.record[key] == expected.record[key]


def test_stored_values_of_a_response_are_made_linear_first(tmp_path):
    recording, video = stored(tmp_path, response="srgb")
    sensor = sensors.make("two-bucket", codes.make("impulse:tile=[2,3]"))
    streaming.simulate(recording, tmp_path / NAME, sensor, seed=0)
    capture = read_capture(tmp_path / NAME)
    assert capture.record["response"] == "srgb" and capture.white == 1
    v = video[:6] / 255
    linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    assert np.allclose(capture.charge[0], sensor.expose(linear), atol=1e-4)


def test_the_record_says_which_part_of_the_file_was_seen(tmp_path):
    recording, video = stored(tmp_path)
    part = recording.window(frames=slice(2, 22, 2), rows=slice(1, 13), columns=slice(3, 18))
    sensor = sensors.make("two-bucket", codes.make("long:frames=4"))
    assert streaming.simulate(part, tmp_path / NAME, sensor, seed=0, record={"note": "ours"}).exposures == 2
    capture = read_capture(tmp_path / NAME)
    assert capture.record["frame_index"] == [[2, 4, 6, 8], [10, 12, 14, 16]]
    assert capture.record["crop"] == [1, 3, 12, 15] and capture.record["note"] == "ours"
    for n, index in enumerate(capture.record["frame_index"]):
        assert np.array_equal(capture.images[n, 0], video[index, 1:13, 3:18].sum(0, dtype=np.uint32))


def test_a_reconstruction_is_a_recording_that_is_scored_against_its_source(tmp_path):
    recording, video = stored(tmp_path)
    part = recording.window(frames=slice(3, 22), rows=slice(2, 14), columns=slice(0, 20))
    sensor = sensors.make("two-bucket", codes.make("impulse:tile=[2,3]"))
    streaming.simulate(part, tmp_path / NAME, sensor, seed=0)
    capture, method = read_capture(tmp_path / NAME), recon.make("pseudo-inverse")
    made = streaming.Reconstruction(capture, method, "pseudo-inverse", tmp_path / NAME)
    assert made.shape == (18, 12, 20) and made.record["method"] == "pseudo-inverse"
    assert np.array_equal(made[:], method.reconstruct(capture).reshape(18, 12, 20))
    assert np.array_equal(made[17], made[:][17])
    write_video(tmp_path / "out.tif", made)
    ours, truth = matched(open_recording(tmp_path / "out.tif"), recording)
    assert ours.shape == truth.shape == (3, 6, 12, 20)
    assert np.allclose(np.asarray(truth).reshape(18, 12, 20), video[3:21, 2:, :20] / 255, atol=1e-6)
    assert np.allclose(np.asarray(ours).reshape(made.shape), made[:], atol=1e-6)


def test_each_exposure_is_solved_once_when_read_in_order(tmp_path):
    class Counting(type(recon.make("pseudo-inverse"))):
        solved = 0

        def solve(self, capture):
            Counting.solved += 1
            return super().solve(capture)

    capture = camera().capture(np.ones((18, H, W), np.float32), seed=0)
    made = streaming.Reconstruction(capture, Counting(), "x", Path("x"))
    for t in range(len(made)):
        made[t]
    assert Counting.solved == 3


def test_a_reconstruction_knows_its_length_before_it_is_solved():
    class Halved(PseudoInverse):
        def frames_of(self, sensor):
            return sensor.frames // 2

        def solve(self, capture):
            return super().solve(capture)[:kept]

    capture = sensors.make("two-bucket", codes.make("long:frames=4")).capture(np.ones((8, 5, 7), np.float32), seed=0)
    made = streaming.Reconstruction(capture, Halved())
    kept = 2
    assert made.shape == (4, 5, 7) == made[:].shape
    kept = 3
    with pytest.raises(Refusal, match="Halved made 3 frames and says that it makes 2"):
        streaming.Reconstruction(capture, Halved())[:]


def test_memory_does_not_grow_with_the_length(tmp_path):
    """The recording is read one exposure at a time, in order, and each once."""
    recording, _ = stored(tmp_path)
    asked, read = [], recording._read
    recording._read = lambda frames: asked.append((frames.start, len(frames))) or read(frames)
    streaming.simulate(recording, tmp_path / NAME, camera(), seed=0)
    assert asked == [(0, 6), (6, 6), (12, 6)]


def test_progress_counts_exposures(tmp_path):
    recording, _ = stored(tmp_path)
    seen = []

    def progress(items, total, label):
        for item in items:
            seen.append((total, label))
            yield item

    streaming.simulate(recording, tmp_path / NAME, camera(), seed=0, progress=progress)
    assert seen == [(3, "simulate")] * 3


def test_a_scene_is_simulated_like_a_file(tmp_path):
    scene = SceneRecording("rotating-camera:frames=6,height=20,width=30,seed=2")
    streaming.simulate(scene, tmp_path / NAME, camera(), seed=1)
    assert np.array_equal(read_capture(tmp_path / NAME).images, camera().capture(scene[:], seed=1).images)


@pytest.mark.parametrize(
    ("sensor", "name", "says"),
    [
        (camera(), "take.tif", "not named like a capture file"),
        (camera(), "absent/" + NAME, "does not exist"),
        (sensors.make("conventional", codes.make("long:frames=24")), NAME, "23 frames; one exposure of this sensor needs 24"),
        (camera(colour="rgb"), NAME, "rgb sensor cannot take video of shape"),
    ],
)
def test_what_cannot_be_simulated_leaves_nothing_behind(tmp_path, sensor, name, says):
    recording, _ = stored(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(Refusal, match=says) as refused:
        streaming.simulate(recording, tmp_path / name, sensor, seed=0)
    assert "\n" not in str(refused.value)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_a_recording_that_fails_half_way_leaves_nothing_behind(tmp_path):
    video = np.ones((18, H, W), np.float32)
    np.save(tmp_path / "video.npy", video)
    video[13, 2, 3] = np.nan
    np.save(tmp_path / "broken.npy", video)
    with pytest.raises(Refusal, match=r"NaN|finite"):
        streaming.simulate(open_recording(tmp_path / "broken.npy"), tmp_path / NAME, camera(), seed=0)
    assert not (tmp_path / NAME).exists() and len(list(tmp_path.iterdir())) == 2


def test_another_video_is_no_truth(tmp_path):
    recording, _ = stored(tmp_path)
    capture = sensors.make("two-bucket", codes.make("impulse:tile=[2,3]")).capture(np.ones((30, H, W), np.float32), seed=0)
    write_capture(tmp_path / NAME, capture)
    made = streaming.Reconstruction(read_capture(tmp_path / NAME), recon.make("tile"), "tile", tmp_path / NAME)
    with pytest.raises(Refusal, match=r"has 23 frames; .* shows frames up to 29"):
        matched(made, recording)


def test_saturated_samples_are_counted_as_they_pass(tmp_path):
    write_video(tmp_path / "video.tif", np.full((FRAMES, H, W), 250, np.uint8))
    sensor = sensors.make("cep-2019:white=2000,full_well=9000", codes.make("impulse:tile=[2,3]"))
    made = streaming.simulate(open_recording(tmp_path / "video.tif"), tmp_path / NAME, sensor, seed=0)
    assert made.saturated == max(read_capture(tmp_path / NAME)[:1].saturated) > 0.5


@pytest.mark.parametrize("response", ["none", "srgb"])
def test_exposures_by_number_are_those_of_the_whole(tmp_path, response):
    recording, _ = stored(tmp_path, response=response)
    sensor = camera(timing=Timing(0.01, dead_frames=1))
    whole = streaming.expose(recording, sensor, seed=7)
    assert len(whole) == 3
    for numbers in (range(2, 3), range(0, 2), range(2, -1, -1)):
        assert np.array_equal(np.stack([*streaming.images(recording, sensor, seed=7, numbers=numbers)]), whole.images[list(numbers)])
        seen = streaming.exposures(recording, sensor, seed=7, numbers=numbers)
        assert all(np.array_equal(one.images[0], whole.images[n]) for n, (one, _) in zip(numbers, seen, strict=True))
