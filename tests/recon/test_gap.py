"""Plug-and-play: the data step is exact, the iterations go to the most probable video, and the numbers of the benchmark are reached."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

import recon
import sensors
from c2b import codes
from c2b.source import open_video
from c2b.streaming import Reconstruction, expose, neighbourhood
from c2b.video.recording import open_recording
from recon.gap import AdmmTV, GapTV, PlugAndPlay
from recon.metrics import psnr, score
from recon.priors.denoiser import Denoiser
from recon.priors.total_variation import TotalVariation, total_variation
from sensors.capture import Capture
from sensors.readout import Readout
from sensors.refusal import Refusal
from tests.stored_data import data

CODE = "impulse:tile=[2,3]"
RANDOM = "bernoulli:frames=6,tile=[48,66],seed=1"
H, W = 48, 66


def moving(frames=6, step=(0.4, -0.8), seed=0):
    """A soft texture with hard-edged squares on it, moving by ``step`` pixels a frame; in [0, 1]."""
    rng = np.random.default_rng(seed)
    field = gaussian_filter(rng.standard_normal((H + 40, W + 40)), 3)
    field = 0.5 + 0.1 * field / field.std()
    for _ in range(12):
        i, j, side = rng.integers(0, H + 30), rng.integers(0, W + 30), rng.integers(5, 14)
        field[i : i + side, j : j + side] = rng.random()
    film = [shift(field, np.multiply(t, step), order=1, mode="reflect")[20:-20, 20:-20] for t in range(frames)]
    return np.stack(film).clip(0, 1).astype(np.float32)


def taken(kind="two-bucket", code=CODE, video=None, **settings):
    video = moving() if video is None else video
    return video, sensors.make(kind, codes.make(code), **settings).capture(video, seed=0)


def decibel(method, video, capture):
    return psnr(method.reconstruct(capture)[0], video, data_range=1)


class Nothing(Denoiser):
    """Takes nothing away."""

    def __call__(self, video, sigma):
        return video.copy()


class Darker(Denoiser):
    """A denoiser that fights the data."""

    def __call__(self, video, sigma):
        return video * np.float32(0.5)


@pytest.mark.parametrize(("code", "kind"), [(CODE, "two-bucket"), (RANDOM, "coded-pixel"), (RANDOM, "conventional")])
@pytest.mark.parametrize("spec", ["gap-tv", "admm-tv", "gap", "gap:denoiser=tv,denoiser.weight=0.05", "gap:denoiser=non-local"])
def test_without_noise_the_result_explains_the_capture(spec, code, kind):
    _, capture = taken(kind, code)
    explained = capture.sensor.expose(recon.make(spec).reconstruct(capture)[0])
    assert np.abs(explained - capture.charge[0]).max() < 2e-5


@pytest.mark.parametrize("kind", ["coded-pixel", "two-bucket"])
def test_one_turn_without_a_denoiser_is_the_projection(kind):
    """x + A^+ (y - A x) from any start, and not a step further on the second turn."""
    _, capture = taken(kind)
    start = recon.make("tile").reconstruct(capture)[0]
    expected = start + capture.sensor.pseudo_inverse(capture.charge[0] - capture.sensor.expose(start))
    for iterations in (1, 4):
        found = PlugAndPlay(Nothing(), "tile", iterations).reconstruct(capture)[0]
        assert np.allclose(found, expected, atol=1e-5)


def test_any_denoiser_can_be_plugged_in_but_not_against_the_data():
    _, capture = taken()
    for accelerated in (False, True):
        result = PlugAndPlay(Darker(), iterations=3, accelerated=accelerated).reconstruct(capture)[0]
        assert np.abs(capture.sensor.expose(result) - capture.charge[0]).max() < 2e-5


@pytest.mark.parametrize("kind", ["coded-pixel", "two-bucket"])
@pytest.mark.parametrize("code", [CODE, RANDOM])
def test_the_turns_go_to_the_most_probable_video(kind, code, monkeypatch):
    """(y - A x)^T Sigma^-1 (y - A x) / 2 + TV(x) / gradient is least there, whatever the step: less than at any video near it."""
    monkeypatch.setattr("recon.gap.data_step", lambda video, capture: video)
    _, capture = taken(kind, code, readout=Readout(white=400, full_well=20_000, read_noise=12))
    gradient, rng = 0.2, np.random.default_rng(1)

    def energy(video):
        residual = capture.charge[0] - capture.sensor.expose(video)
        return (residual**2 / capture.variance[0]).sum(dtype=np.float64) / 2 + total_variation(video, 0.3) / gradient

    found = [GapTV(w, gradient, 0.3, inner=4, iterations=800, tolerance=0).reconstruct(capture)[0] for w in (0.03, 0.1)]
    least = energy(found[0])
    assert energy(found[1]) == pytest.approx(least, rel=0.003) and np.abs(found[0] - found[1]).mean() < 0.005
    noise = rng.standard_normal(found[0].shape).astype(np.float32)
    for near in (found[0] + 0.003 * noise, found[0] + 0.03 * noise, 0.97 * found[0], 1.03 * found[0]):
        assert energy(near) > least


def test_the_relative_change_falls_and_stops_the_iterations():
    _, capture = taken()
    calls = []

    class Counted(TotalVariation):
        def guided_by(self, video):
            return self

        def __call__(self, video, sigma):
            calls.append(1)
            return super().__call__(video, sigma)

    for tolerance in (0, 1e-2, 1e-3):
        calls.append(0)
        PlugAndPlay(Counted(0.1, warm=False), "tile", 50, 1, tolerance=tolerance).reconstruct(capture)
    runs = [sum(part) for part in np.split(calls, np.flatnonzero(np.equal(calls, 0)))[1:]]
    assert runs[0] == 50 and runs[1] < runs[2] < 50


def test_gap_is_admm_without_damping():
    _, capture = taken()
    one, other = GapTV(), AdmmTV(damping=0.0)
    assert np.array_equal(one.reconstruct(capture), other.reconstruct(capture))
    assert not np.array_equal(one.reconstruct(capture), AdmmTV(damping=0.5).reconstruct(capture))


@pytest.mark.parametrize("code", [CODE, RANDOM])
@pytest.mark.parametrize("readout", [Readout(), Readout(white=200, full_well=20_000, read_noise=12)], ids=["ideal", "noisy"])
def test_two_buckets_serve_better_than_one(code, readout):
    for spec in ("gap-tv", "gap"):
        one, two = (decibel(recon.make(spec), *taken(kind, code, readout=readout)) for kind in ("coded-pixel", "two-bucket"))
        assert two > one + 0.5


@pytest.mark.parametrize("code", [CODE, RANDOM])
def test_total_variation_beats_the_tile_solve_and_motion_beats_both(code):
    video, capture = taken(code=code)
    tile, tv, motion = (decibel(recon.make(name, consistent=True), video, capture) for name in ("tile", "gap-tv", "gap"))
    assert tv > tile + 0.5 and motion > tv + 0.5


@pytest.mark.parametrize("white", [20, 100, 800])
def test_noise_sets_the_weight(white):
    """By itself total variation does as well as with the best weight by hand, and better than the tile solve."""
    video, capture = taken(readout=Readout(white=white, full_well=8400, read_noise=12))
    found = decibel(GapTV(), video, capture)
    by_hand = [decibel(GapTV(gradient=gradient), video, capture) for gradient in (0.05, 0.1, 0.2, 0.4, 0.8)]
    assert max(by_hand) - 0.3 < found and min(by_hand) + 0.3 < found
    assert found > decibel(recon.make("tile", consistent=True), video, capture)


def test_a_saturated_sample_carries_no_weight():
    video, capture = taken(readout=Readout(white=400, full_well=8400, read_noise=12, gain=0.48, black_level=64, bits=12))
    images = capture.images.copy()
    images[:, :, 10:13, 20:23] = 4095
    spoiled = Capture(images, capture.sensor, capture.record)
    assert np.isinf(spoiled.variance[0, :, 10:13, 20:23]).all()
    result = GapTV().reconstruct(spoiled)[0]
    assert np.abs(result - video)[:, 10:13, 20:23].mean() < 0.15


@pytest.mark.parametrize("spec", ["gap-tv", "gap", "gap-tv:coupled=true,time=0"])
def test_a_still_film_stays(spec):
    """Every sample of a still film belongs to every frame: two buckets then give it back nearly as it was."""
    video = moving(step=(0, 0))
    _, capture = taken(video=video)
    result = recon.make(spec).reconstruct(capture)[0]
    assert psnr(result, video, data_range=1) > decibel(recon.make("tile", consistent=True), video, capture) + 1


@pytest.mark.parametrize(
    "spec",
    [
        *(
            "gap:iterations=0",
            "gap:rounds=0",
            "gap:sigma=0",
            "gap:damping=-1",
            "gap:tolerance=-1",
            "gap:neighbours=-1",
            "gap:denoiser=dncnn",
            "gap:start=x",
        ),
        *(
            "gap-tv:weight=0",
            "gap-tv:gradient=0",
            "gap-tv:inner=0",
            "gap-tv:time=-1",
            "admm-tv:damping=-1",
            "gap:denoiser.weight=1",
        ),
    ],
)
def test_impossible_settings_are_refused(spec):
    with pytest.raises(Refusal) as refused:
        recon.make(spec)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("spec", "scene", "decibels", "similarity"),
    [
        ("gap-tv", "kobe32", 26.85, 0.833),
        ("gap-tv", "runner40", 29.80, 0.91),
        ("gap-tv", "crash32", 24.43, 0.811),
        ("gap", "runner40", 31.9, 0.935),
        ("gap", "crash32", 25.4, 0.86),
    ],
)
def test_the_snapshot_compressive_scenes_come_out_as_measured_before(spec, scene, decibels, similarity):
    """GAP-TV of a numpy and scikit-image reference: 26.92 / 0.836, 29.81 / 0.895 and 24.48 / 0.798 on these files."""
    from scipy.io import loadmat

    file = loadmat(data(f"sci/{scene}_cacti.mat"))
    mask, orig = (np.ascontiguousarray(np.moveaxis(file[key], 2, 0)) for key in ("mask", "orig"))
    orig = (orig[: len(mask)] if scene == "runner40" else orig).astype(np.float32) / 255
    capture = sensors.make("coded-pixel", mask).capture(orig, seed=0)
    found = score(recon.make(spec).reconstruct(capture).reshape(orig.shape), orig, protocol="cacti")
    assert found.psnr >= decibels and found.ssim >= similarity


@pytest.mark.parametrize(
    ("clip", "spec", "expected"),
    [
        ("highspeed/devtest/d10_udacity-lane", "gap-tv", 34.32),
        ("highspeed/devtest/d10_udacity-lane", "gap", 34.30),
        ("highspeed/devtest/t15_hevc-basketballpass-a", "gap", 31.11),
    ],
)
def test_a_pair_of_real_film_comes_out_as_measured_before(clip, spec, expected):
    """Nine frames as stored under the 3x3 impulse code, no noise; the tile solve reaches 32.67, 32.67 and 27.82 dB."""
    recording = open_recording(data(f"{clip}.mkv"))
    height, width = recording.shape[1:3]
    recording = recording.window(rows=slice(0, height // 3 * 3), columns=slice(0, width // 3 * 3), channels="luma")
    video = recording[0:9]
    capture = sensors.make("two-bucket", codes.make("impulse")).capture(video, seed=0)
    assert decibel(recon.make(spec), video.astype(np.float32) / 255, capture) == pytest.approx(expected, abs=0.1)


def test_a_part_of_a_mask_that_is_smaller_than_it_starts_from_the_method_asked_for():
    """Its tile is larger than the frame, which is no reason to fall back to the pseudo-inverse."""
    mask = np.random.default_rng(0).integers(0, 2, (8, 90, 120), np.uint8)
    video = moving(8)
    capture = sensors.make("coded-pixel", mask).crop(slice(17, None), slice(30, None)).capture(video, seed=0)
    found, start = (recon.make(name).reconstruct(capture)[0] for name in ("gap", "gap-tv:time=0.3"))
    assert psnr(found, video, data_range=1) > psnr(start, video, data_range=1) > 15


def noisy_row(code=CODE, count=3):
    """Exposures in a row of something that moves slowly, and its film."""
    return taken("two-bucket", code, moving(6 * count, (0.2, -0.3)), readout=Readout(white=150, read_noise=5))


def test_exposures_help_each_other():
    video, capture = noisy_row()
    alone, together = (recon.make(f"gap:neighbours={n}").reconstruct_one(capture, 1) for n in (0, 1))
    gain = [psnr(b, v, data_range=1) - psnr(a, v, data_range=1) for a, b, v in zip(alone, together, video[6:12], strict=True)]
    assert min(gain) > 0 and np.mean(gain) > 0.15


def test_each_exposure_of_a_row_is_under_its_own_code():
    base = codes.make(CODE)
    turns = np.stack([base, np.roll(base, 2, 0), np.roll(base, 4, 0)])
    sensor = sensors.make("coded-pixel", turns)
    capture = sensor.capture(moving(18), seed=0)
    method = recon.make("gap:neighbours=1,iterations=2,rounds=1,start=tile")
    row = method.reconstruct(capture)
    for number in range(3):
        assert np.array_equal(method.reconstruct_one(capture, number), row[number])
        assert np.allclose(sensor.at(number).expose(row[number]), capture.charge[number], atol=1e-4)
    beside = method.solve_among(capture[1:], 0)
    assert not np.allclose(beside, row[1]) and np.array_equal(beside, method.reconstruct_one(capture[1:], 0))


def test_a_row_is_what_a_file_and_a_comparison_reconstruct():
    _, capture = noisy_row()
    method = recon.make("gap:neighbours=1,iterations=2,rounds=1,start=tile+consistent")
    assert method.neighbours == 1
    whole = method.reconstruct(capture)
    assert np.array_equal(Reconstruction(capture, method)[:], whole.reshape(-1, H, W))
    with open_video("occluding-objects:frames=18,height=48,width=66") as film:
        row, place = neighbourhood(film, capture.sensor, 2, 1, seed=3)
        every = expose(film, capture.sensor, seed=3)
    assert place == 1 and np.array_equal(row.images, every.images[1:])
    assert row.record["frame_index"] == every.record["frame_index"][1:]
