"""Learned methods: what their networks are, and what they promise before and after they have learnt anything, at any size and phase."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import sensors
from c2b import codes
from recon import weight_file
from recon.consistency import data_step
from recon.learned import padding
from recon.learned.method import Trained
from recon.networks.mask_unfolding import MaskUnfolding, UnderWay
from recon.networks.space_to_depth import fold, unfold
from recon.networks.tile_unfolding import TileUnfolding
from recon.networks.video_denoiser import VideoDenoiser
from recon.optical_flow import Neighbours
from recon.tile_solve import TileSolve
from sensors.exposure_torch import Exposure
from sensors.refusal import Refusal
from tests.handmade_learning import CODE, KINDS, MASK, Stands, method_of, sensor_of, shaken, taught, texture

# Networks ---------------------------------------------------------------------------------------------------------------------


def test_folding_is_undone_and_follows_pixel_unshuffle():
    x = torch.rand(2, 5, 12, 18)
    assert torch.equal(unfold(fold(x, (2, 3)), (2, 3)), x)
    assert torch.equal(fold(x, (3, 3)), torch.nn.functional.pixel_unshuffle(x, 3))


@pytest.mark.parametrize("kind", ["two-bucket", "coded-pixel", "cep-2019"])
@pytest.mark.parametrize("noisy", [False, True])
def test_untrained_it_is_the_data_step_on_its_start(kind, noisy):
    """The last layers start at zero: no step but the data steps, and those of the exact kind change nothing after the first."""
    sensor = sensor_of(kind)
    network = TileUnfolding(6, (2, 3), sensor.buckets, width=4, stages=3, noisy=noisy)
    video = texture((6, 24, 36))
    capture = sensor.capture(video, seed=0)
    start = TileSolve().solve(capture)
    given = torch.from_numpy(start)[None], torch.from_numpy(capture.charge), Exposure.of(sensor)
    ideal = sensor.readout.ideal
    if noisy:
        first, *_ = network(*given, None if ideal else torch.from_numpy(capture.variance))
        expected = data_step(start, capture, 0.05**2)
    else:
        first, *_, last = network(*given)
        expected = start + sensor.pseudo_inverse(capture.charge[0] - sensor.expose(start))
        assert torch.allclose(first, last, atol=1e-5)
    assert np.allclose(first[0].detach().numpy(), expected, atol=1e-4)


def test_every_estimate_without_noise_explains_the_capture():
    sensor = sensor_of()
    network = TileUnfolding(6, (2, 3), 2, width=4, stages=2)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0, 0.1, generator=torch.Generator().manual_seed(0))
    charge = torch.from_numpy(sensor.capture(texture((6, 24, 36)), seed=0).charge)
    exposure = Exposure.of(sensor)
    for estimate in network(torch.zeros(1, 6, 24, 36), charge, exposure):
        assert estimate.abs().max() > 0.1
        assert torch.allclose(exposure.expose(estimate), charge, atol=1e-4)


@pytest.mark.parametrize("kind", ["two-bucket", "coded-pixel", "two-bucket:parasitic=0.05"])
@pytest.mark.parametrize("code", ["impulse:tile=[2,3]", "bernoulli:frames=5,tile=[2,3]", "long:frames=4"])
def test_stages_on_the_grid_are_those_on_whole_frames(kind, code):
    """One matrix for all tiles does what the data step of the forward model does, bucket by bucket and frame by frame."""
    sensor = sensor_of(kind, codes.make(code))
    exposure, T = Exposure.of(sensor), sensor.frames
    network = shaken(TileUnfolding(T, (2, 3), sensor.buckets, width=4, stages=2))
    charge, start = exposure.expose(torch.rand(2, T, 24, 36)), torch.rand(2, T, 24, 36)
    x, features = start, []
    means = fold(charge / exposure.counts(24, 36).clamp(min=1e-3), (2, 3))
    for stage in network.stages:
        change, feature = stage([fold(x, (2, 3)), means, *features])
        x, features = exposure.data_step(x + unfold(change, (2, 3)), charge), [feature]
    *_, taught = network(start, charge, exposure)
    with torch.inference_mode():
        (found,) = network(start, charge, exposure)
    assert torch.allclose(taught, x, atol=1e-4) and torch.allclose(found, x, atol=1e-4)


@pytest.mark.parametrize("kind", ["two-bucket", "coded-pixel", "cep-2019"])
def test_plug_and_play_explains_the_capture_whatever_the_denoiser_does(kind):
    """And a denoiser that does nothing, as an untrained one, leaves the start as it is."""
    sensor = sensor_of(kind, MASK)
    video = texture((5, 40, 48))
    capture, exposure = sensor.capture(video, seed=0), Exposure.of(sensor)
    ideal = sensor.readout.ideal
    start = sensor.pseudo_inverse(capture.charge[0])
    given = torch.from_numpy(start)[None], torch.from_numpy(capture.charge), exposure
    given += (None if ideal else torch.from_numpy(capture.variance),)
    network = MaskUnfolding(width=8, stages=9).eval()
    for estimate in network(*given):
        expected = start if ideal else data_step(start, capture, (0.02 / sensor.buckets) ** 2)
        assert np.abs(estimate[0].detach().numpy() - expected).max() < (1e-4 if ideal else 0.1)
    for estimate in shaken(network, scale=0.05)(*given):
        assert np.isfinite(estimate.detach().numpy()).all() and (estimate - given[0]).abs().max() > 0.01
        if ideal:
            assert torch.allclose(exposure.expose(estimate), given[1], atol=2e-3)


def test_stages_of_plug_and_play_see_the_video_mirrored_in_turn():
    """A denoiser that only moves things a pixel down, right and on in time moves them back as often."""
    sensor = sensor_of("coded-pixel", np.zeros((5, 16, 24), np.uint8))  # says nothing, so that nothing is corrected
    video = torch.rand(1, 5, 16, 24)
    for stages, back in ((1, False), (5, False), (8, True)):
        network = MaskUnfolding(width=4, stages=stages)
        network.denoiser = Stands(lambda v, *_: v.roll((1, 1, 1), (1, 2, 3)))
        (estimate,) = network.eval()(video, torch.zeros(1, 1, 16, 24), Exposure.of(sensor))
        assert torch.allclose(estimate, video) == back


def test_however_a_stage_sees_the_video_mirrored_the_same_neighbours_are_beside_each_frame():
    sensor = sensor_of("coded-pixel", np.zeros((5, 16, 24), np.uint8))
    levels, seen = torch.tensor([0, 0.1, 0.3, 0.6, 1]), []
    video = levels[None, :, None, None].expand(1, 5, 16, 24).contiguous()
    network = MaskUnfolding(width=4, stages=8).eval()
    network.denoiser = Stands(lambda v, sigma, beside: seen.append((v, torch.stack(list(beside), 1))) or v)
    network(video, torch.zeros(1, 1, 16, 24), Exposure.of(sensor))
    for shown, beside in seen:
        there = shown.mean((0, 2, 3))
        expected = torch.stack([there[(torch.arange(5) + step).clamp(0, 4)] for step in (-2, -1, 1, 2)])
        assert torch.allclose(beside.mean((0, 3, 4)), expected, atol=1e-6)
    assert len(seen) == 8 and {float(shown[0, 0, 0, 0]) for shown, _ in seen} == {0.0, 1.0}


def test_neighbours_of_a_moving_video_lie_on_its_frames_once_moved_along_the_flow():
    video = texture((6, 48, 64), blur=2.5)
    near = Neighbours(video, 2)
    for step in (-2, -1, 1, 2):
        kept = slice(max(0, -step), 6 - max(0, step))
        moved, inner = near.beside(video, step)[kept], (slice(None), slice(8, -8), slice(8, -8))
        still = np.roll(video, -step, 0)[kept]
        assert np.abs(moved - video[kept])[inner].max() < 0.05 < np.abs(still - video[kept])[inner].max()


def test_a_turn_learns_by_its_own_estimate_alone():
    sensor = sensor_of("coded-pixel", MASK)
    exposure, factors = Exposure.of(sensor), torch.ones(3, requires_grad=True)
    charge = exposure.expose(torch.from_numpy(texture((5, 40, 48)))[None])
    network, way = MaskUnfolding(width=4, stages=3), UnderWay(*[exposure.pseudo_inverse(charge)] * 3)
    network.denoiser = Stands(lambda v, *_: v * factors[way.stage])
    for turn in range(3):
        (slope,) = torch.autograd.grad(network.stage(way, charge, exposure).square().sum(), factors)
        assert slope.nonzero().flatten().tolist() == [turn] and way.stage == turn + 1
        assert not (way.x.requires_grad or way.z.requires_grad or way.guide.requires_grad)


def test_in_the_denoiser_what_is_known_spreads_one_frame_with_each_block_and_one_at_the_input():
    denoiser = shaken(VideoDenoiser(8), 0.02)
    video, sigma, beside = torch.rand(1, 17, 16, 24), torch.tensor([0.05]), torch.rand(4, 1, 17, 16, 24)
    changed = video.clone()
    changed[:, 8] += 0.1
    with torch.no_grad():
        moved = (denoiser(changed, sigma, beside) - denoiser(video, sigma, beside)).abs().amax((0, 2, 3))
    assert (moved[1:16] > 0).all() and moved[0] == moved[16] == 0


def test_a_network_for_masks_learns_from_captures_and_serves_any_mask_length_and_readout(tmp_path):
    settings = {"width": 8, "stages": 2, "steps": 60, "batch": 2, "crop": 24, "rate": 5e-3, "precision": "float32"}
    clip, rows = (texture((14, 40, 52), blur=1.5) * 255).astype(np.uint8), []
    method = method_of("unfolding", **settings, start="pseudo-inverse")
    method.fit([clip], sensor_of("coded-pixel", MASK), held=[clip], report=lambda *news: rows.append(news[-1]))
    scores = [row["psnr"] for row in rows if row]
    assert scores[-1] > scores[0] + 1
    method.save(tmp_path / "w.safetensors")
    again = method_of("unfolding", weights=str(tmp_path / "w.safetensors"))
    for kind, T, shape in (("coded-pixel", 5, (40, 48)), ("two-bucket", 3, (37, 51)), ("cep-2019:white=100", 7, (33, 40))):
        mask = np.random.default_rng(6).integers(0, 2, (T, *shape), np.uint8)
        video = again.reconstruct(sensor_of(kind, mask).capture(texture((T, *shape)), seed=0))
        assert video.shape == (1, T, *shape) and np.isfinite(video).all()


def test_ours_takes_at_most_half_the_operations_and_half_the_parameters_of_the_published_pair():
    from torch.utils.flop_counter import FlopCounterMode

    from recon.networks.coded_blurred_pair import CodedBlurredPair

    ours, theirs = TileUnfolding(9, (3, 3), 2), CodedBlurredPair()
    exposure = Exposure.of(sensors.make("two-bucket", codes.make("impulse:tile=3")))
    video = torch.zeros(1, 9, 144, 288)
    count = {}
    for name, network, given in (("ours", ours, (video,)), ("theirs", theirs, ())):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(*given, exposure.expose(video), exposure)
        count[name] = counter.get_total_flops()
    assert count["ours"] < 0.5 * count["theirs"]
    assert sum(p.numel() for p in ours.parameters()) < 4e6 < 0.5 * sum(p.numel() for p in theirs.parameters())


# The contract -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_a_frame_of_any_size_and_phase_comes_back_at_its_size(name):
    sensor = sensor_of("coded-pixel" if name == "coded" else "two-bucket")
    method = taught(name, sensor)
    for rows, columns in ((2, 3), (13, 29), (24, 36)):
        cropped = sensor.crop(slice(5, None), slice(7, None))
        video = method.reconstruct(cropped.capture(texture((6, rows, columns)), seed=0))
        assert video.shape == (1, 6, rows, columns) and np.isfinite(video).all()


@pytest.mark.parametrize("kind", ["two-bucket", "coded-pixel"])
def test_unfolding_explains_the_capture_at_any_origin_of_the_frame(kind):
    """The data steps see the code in the phase in which the padded frame begins, not in that of the chip."""
    method = taught("unfolding", sensor_of(kind))
    shaken(method.trained_.network, scale=0.05)
    for top, left in ((0, 0), (1, 0), (5, 7)):
        sensor = sensor_of(kind).crop(slice(top, None), slice(left, None))
        capture = sensor.capture(texture((6, 31, 41)), seed=0)
        video = method.reconstruct(capture)
        assert np.abs(sensor.expose(video[0]) - capture.charge[0]).max() < 1e-4
        assert np.abs(video[0] - TileSolve().solve(capture)).max() > 0.01


@pytest.mark.parametrize("name", KINDS)
def test_weights_come_back_from_their_file(name, tmp_path):
    method = taught(name, sensor_of())
    capture = sensor_of().capture(texture((6, 20, 31)), seed=0)
    method.save(tmp_path / "w.safetensors", {"seed": 3})
    again = method_of(name, weights=str(tmp_path / "w.safetensors"), precision="float32")
    assert np.allclose(again.reconstruct(capture), method.reconstruct(capture), atol=2e-3)  # kept in half precision
    assert weight_file.read(tmp_path / "w.safetensors", name)[1]["seed"] == 3


@pytest.mark.parametrize("name", KINDS)
def test_another_code_or_sensor_is_refused_with_what_it_was_trained_for(name):
    method = taught(name, sensor_of())
    refused = [sensor_of(code=codes.make("impulse:tile=3")), sensors.make("conventional", np.ones((4, 1, 1)))]
    refused += [sensor_of(code=CODE[::-1])] * (name != "blurred")  # all codes of two buckets give the same blurred image
    refused += [sensor_of("coded-pixel")] * (name != "coded")
    for other in refused:
        reason = method.refusal(other)
        assert reason and "\n" not in reason
        with pytest.raises(Refusal, match="."):
            method.reconstruct(other.capture(texture((other.frames, 24, 36)), seed=0))
    assert ("2x3" in method.refusal(refused[0]) or name == "blurred") and f"c2b train {name}" in method.refusal(refused[0])
    assert name == "blurred" or "differs from it in 33% of its values" in method.refusal(refused[2])


@pytest.mark.parametrize(
    ("name", "kind", "code"), [("coded", "coded-pixel", CODE), ("blurred", "conventional", np.ones((6, 1, 1)))]
)
def test_a_baseline_serves_any_camera_that_makes_its_image(name, kind, code):
    method = taught(name, sensor_of())
    video = texture((6, 24, 36))
    ours, other = (method.reconstruct(one.capture(video, seed=0)) for one in (sensor_of(), sensors.make(kind, code)))
    assert np.allclose(ours, other, atol=1e-5)


def test_a_noisy_capture_saturated_or_dark_gives_finite_frames():
    preset = sensors.make("cep-2019:white=100", CODE)
    method = taught("unfolding", preset, noisy=True)
    for level in (0.0, 1.0, 40.0):
        video = method.reconstruct(preset.capture(np.full((6, 24, 36), level, np.float32), seed=0))
        assert np.isfinite(video).all()


@pytest.mark.parametrize("damage", ["cut", "foreign", "other method", "empty", "missing", "not finite"])
def test_a_damaged_or_foreign_weight_file_is_refused_in_one_line(damage, tmp_path):
    path = tmp_path / "w.safetensors"
    taught("pair", sensor_of()).save(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "missing":
        path.unlink()
    elif damage == "foreign":
        weight_file.write(path, {"code": CODE, "layer": np.zeros(3, np.float32)}, {"method": "pair", "network": {}, "buckets": 2})
    elif damage == "not finite":
        tensors, document = weight_file.read(path, "pair")
        weight_file.write(path, {**tensors, "unet.head.bias": np.full_like(tensors["unet.head.bias"], np.nan)}, document)
    else:
        weight_file.write(path, {}, {"method": "unfolding"})
    method = method_of("pair", weights=str(path))
    assert "\n" not in method.refusal(sensor_of()) and "w.safetensors" in method.refusal(sensor_of())
    with pytest.raises(Refusal):
        method.load(path)


def test_bands_of_a_large_frame_leave_no_seam(monkeypatch):
    sensor = sensor_of()
    method = taught("unfolding", sensor)
    generator = torch.Generator().manual_seed(1)
    for parameter in method.trained_.network.parameters():
        torch.nn.init.normal_(parameter, 0, 0.08, generator=generator)
    capture = sensor.capture(texture((6, 640, 24)), seed=0)
    whole = method.reconstruct(capture)
    monkeypatch.setattr(padding, "MOST_PIXELS", 96 * 24)
    assert np.allclose(method.reconstruct(capture), whole, atol=1e-5)
    assert np.abs(whole - TileSolve().reconstruct(capture)).max() > 0.01


@pytest.mark.parametrize("kind", ["coded-pixel", "two-bucket"])
def test_bands_of_a_large_frame_behind_a_mask_leave_no_seam(kind, monkeypatch):
    import recon.networks.mask_unfolding as network

    sensor = sensor_of(kind, np.random.default_rng(2).integers(0, 2, (5, 333, 40), np.uint8))
    capture = sensor.capture(texture((5, 333, 40), blur=1.5), seed=0)
    shaken_network = shaken(MaskUnfolding(width=8, stages=3), scale=0.05).eval()
    method = method_of("unfolding", precision="float32")
    method.trained_ = Trained(shaken_network, MASK, 1, "pseudo-inverse")
    whole = method.reconstruct(capture)
    monkeypatch.setattr(network, "MOST_PIXELS", 70 * 40)
    assert np.abs(method.reconstruct(capture) - whole).max() < 1e-5
    monkeypatch.setattr(VideoDenoiser, "reach", 0)
    assert np.abs(method.reconstruct(capture) - whole).max() > 1e-4  # what overlaps is needed
