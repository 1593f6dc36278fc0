"""The coded-blurred pair network: what the paper and its code say of size, reach, cost and inputs; any code, size and origin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import recon
import sensors
from c2b import codes, scenes
from sensors.refusal import Refusal

torch = pytest.importorskip("torch")
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from recon.networks import tile_video  # noqa: E402
from recon.networks.coded_blurred_pair import VARIANTS, CodedBlurredPair  # noqa: E402
from recon.networks.tile_unfolding import fold  # noqa: E402
from sensors.exposure_torch import Exposure  # noqa: E402

NARROW = 1 / 16
every_variant = pytest.mark.parametrize("variant", VARIANTS)
either_recipe = pytest.mark.parametrize("residual", [False, True], ids=["published", "residual"])


def camera(kind="two-bucket", code="impulse", **settings):
    return sensors.make(kind, codes.make(code), **settings)


def film(frames, height, width, seed=0):
    return np.random.default_rng(seed).random((frames, height, width), np.float32)


def tensor(capture):
    return torch.from_numpy(capture.charge)


def network(variant="pair", seed=0, **settings):
    torch.manual_seed(seed)
    return CodedBlurredPair(variant=variant, **{"width": NARROW, **settings})


def moving_bar(height=48, width=63):
    """A static texture, in front of which a bright bar moves to the right in the upper half."""
    video = np.tile(0.3 + 0.2 * film(1, height, width), (9, 1, 1))
    for t, frame in enumerate(video):
        frame[: height // 2, 12 + 4 * t : 18 + 4 * t] = 1
    return video


# What is published ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("variant", "parameters"), [("pair", 8.866e6), ("coded", 8.608e6), ("blurred", 8.608e6)])
def test_parameters_are_those_of_the_published_networks(variant, parameters):
    net = CodedBlurredPair(variant=variant)
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(parameters, abs=500)
    if variant == "pair":
        assert sum(p.numel() for p in net.encoder.parameters()) == 116_032


@pytest.mark.parametrize(("variant", "billions"), [("pair", 122.2), ("coded", 83.7), ("blurred", 83.7)])
def test_multiplications_are_those_of_the_published_networks(variant, billions):
    """At 720x1278, counted on tensors without content."""
    net, image = CodedBlurredPair(variant=variant).to("meta"), torch.empty(1, 9, 720 // 3, 1278 // 3, device="meta")
    with FlopCounterMode(display=False) as counter:
        net.unet(torch.cat(net.encoder(image, image), 1) if variant == "pair" else image)
    assert counter.get_total_flops() / 2e9 == pytest.approx(billions, abs=0.05)


@pytest.mark.parametrize(("variant", "pixels"), [("pair", 354), ("coded", 336), ("blurred", 336)])
def test_receptive_field_is_that_of_the_published_networks(variant, pixels):
    """Positive weights hide nothing: light in one row of tiles changes exactly the rows of the video in whose field it lies. By the
    place of a row between the poolings the field is four tiles more or less than the nominal one."""
    tiles, nominal = 176, pixels // 3
    net = network(variant, width=1 / 64)
    for name, weight in net.named_parameters():
        torch.nn.init.constant_(weight, 0 if name.endswith("bias") else 0.1)
    charge = torch.eye(tiles).repeat_interleave(3, 1)[:, None, :, None].expand(tiles, 2, 3 * tiles, 24)
    with torch.no_grad():
        reached = net(charge, Exposure.of(camera())).amax((1, 3)) > 0  # (row of light, row of the video)
    first, last = reached.int().argmax(0), tiles - 1 - reached.flip(0).int().argmax(0)
    seen = (last - first + 1)[3 * tiles // 2 :][: 3 * 8].double()
    assert seen.mean() == nominal and set(seen.tolist()) == {nominal - 4, nominal + 4}


def test_the_solve_of_the_pair_is_that_of_the_released_code():
    """From the coded image b1 and that of the complement b0, both as means: four coefficients, printed to five digits."""
    sensor = camera()
    charge = tensor(sensor.capture(film(9, 24, 33), seed=0))
    b1, b0 = fold(charge[:, :1], (3, 3)), fold(charge[:, 1:] / 8, (3, 3))
    published = 0.98462 * b1 - 0.05385 * b1.sum(1, True) - 0.12308 * b0 + 0.06923 * b0.sum(1, True)
    assert torch.allclose(tile_video.low_resolution(charge, Exposure.of(sensor)), published, atol=5e-5)
    assert torch.allclose(tile_video.low_resolution(charge, Exposure.of(sensor), 1), b1, atol=1e-6)


def test_of_a_still_scene_code_and_blur_tell_the_same_and_attention_is_one():
    """With the coded solve exactly; with that of the pair Xc = 0.8615 Xf + 0.1385 of the mean of its tile."""
    sensor = camera()
    exposure, charge = Exposure.of(sensor), tensor(sensor.capture(np.tile(film(1, 24, 48), (9, 1, 1)), seed=0))
    blurred = fold(tile_video.blurred(charge, exposure), (3, 3))
    coded = tile_video.low_resolution(charge, exposure, 1)
    assert torch.allclose(coded, blurred, atol=1e-6)
    features, attention = network()._encoded(coded, blurred)
    assert torch.allclose(attention, torch.ones(()), atol=1e-5) and ((1 - attention) * features[0]).abs().max() < 1e-5
    both = tile_video.low_resolution(charge, exposure, 2)
    assert torch.allclose(both, 0.8615 * blurred + 0.1385 * blurred.mean(1, True), atol=1e-4)


def test_attention_is_lower_where_something_moves_whatever_the_weights():
    sensor = camera()
    charge = tensor(sensor.capture(moving_bar(), seed=0))
    with torch.no_grad():
        attention = network(width=0.5).attention(charge, Exposure.of(sensor))
    assert attention.shape == (1, 1, 16, 21) and attention.min() >= 0 and attention.max() <= 1
    still, path = attention[..., 10:, :], attention[..., 1:7, 5:16]
    assert still.mean() > 0.95 and path.mean() < still.min()


# The inputs -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(24, 36), (20, 31)])
@pytest.mark.parametrize("origin", [(0, 0), (4, 5)])
@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("two-bucket", "impulse"),
        ("two-bucket:leakage=[0.02,0.05],parasitic=0.01", "impulse:tile=[2,3]"),
        ("two-bucket:lag=0.1", "bernoulli:tile=4,frames=8,seed=2"),
        ("coded-pixel", "impulse:tile=[2,3]"),
        ("coded-pixel", "bernoulli:tile=4,frames=5,seed=2"),
    ],
)
def test_tile_video_is_that_of_the_tile_solve(kind, code, origin, size):
    sensor = camera(kind, code, origin=origin)
    capture = sensor.capture(film(2 * sensor.frames, *size), seed=0)
    exposure = Exposure.of(sensor)
    for used, name in ((1, "coded"), (sensor.buckets, "both")):
        method = recon.make(f"tile:buckets={name}")
        if method.refusal(sensor):
            continue
        low = tile_video.low_resolution(tensor(capture), exposure, used)
        assert low.dtype == torch.float32 and np.allclose(low, method.low_resolution(capture), atol=1e-5)
        assert np.allclose(tile_video.registered(tensor(capture), exposure, used), method.reconstruct(capture), atol=2e-5)


def test_where_the_tile_does_not_tell_all_frames_a_small_ridge_does():
    sensor = camera("coded-pixel", "bernoulli:tile=2,frames=9,seed=1")
    assert recon.make("tile").refusal(sensor)
    capture = sensor.capture(film(9, 20, 31), seed=0)
    expected = recon.make("tile:ridge=0.01").low_resolution(capture)
    assert np.allclose(tile_video.low_resolution(tensor(capture), Exposure.of(sensor)), expected, atol=1e-5)


def test_aligned_a_frame_is_sampled_at_the_same_pixels_at_every_origin():
    """The aligned video of a part is part of the aligned video of the whole, but for the tiles that the part cuts."""
    sensor = camera(code="impulse:tile=[2,3]")
    whole = tensor(sensor.capture(film(6, 20, 36), seed=0))
    part = Exposure.of(sensor.crop(slice(3, None), slice(4, None)))
    low = tile_video.low_resolution(whole, Exposure.of(sensor), aligned=True)
    cut = tile_video.low_resolution(whole[..., 3:, 4:], part, aligned=True)
    assert torch.allclose(cut[..., 1:, 1:], low[..., 2:, 2:], atol=1e-6)


def test_what_is_missing_of_a_tile_is_taken_from_its_neighbour_at_the_same_phase():
    row, column = torch.arange(7)[:, None] + 4, torch.arange(11) + 5
    phase = 10 * (row % 3) + column % 4 + torch.zeros(7, 11, dtype=torch.int64)
    whole = tile_video.whole_tiles(phase, (3, 4), (4, 5))
    assert whole.shape == (9, 12)
    assert torch.equal(whole, 10 * (torch.arange(9)[:, None] % 3) + torch.arange(12) % 4)
    assert torch.equal(whole[1:8, 1:12], phase)


# The network ----------------------------------------------------------------------------------------------------------------


@either_recipe
@every_variant
@pytest.mark.parametrize(
    ("code", "size"),
    [("impulse", (50, 64)), ("impulse:tile=[2,3]", (16, 25)), ("bernoulli:tile=[3,4],frames=8,seed=1", (25, 30))],
)
def test_any_code_and_any_size_at_any_origin_are_served(code, size, variant, residual):
    sensor = camera(code=code, origin=(1, 2))
    net = network(variant, frames=sensor.frames, tile=sensor.tile, residual=residual)
    video = net(tensor(sensor.capture(film(2 * sensor.frames, *size), seed=0)), Exposure.of(sensor))
    assert video.shape == (2, sensor.frames, *size) and torch.isfinite(video).all()
    video.square().sum().backward()
    silent = [name for name, p in net.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert not silent


@every_variant
def test_the_published_networks_have_no_skip_and_make_no_negative_light(variant):
    net, sensor = network(variant), camera()
    torch.nn.init.zeros_(net.unet.head.weight)
    torch.nn.init.constant_(net.unet.head.bias, -1)
    assert net(tensor(sensor.capture(film(9, 24, 48), seed=0)), Exposure.of(sensor)).abs().max() == 0


@pytest.mark.parametrize("origin", [(0, 0), (1, 2)])
@every_variant
def test_the_residual_twin_starts_at_the_classical_video(variant, origin):
    sensor = camera(origin=origin)
    capture = sensor.capture(film(18, 26, 49), seed=0)
    video = network(variant, residual=True)(tensor(capture), Exposure.of(sensor)).detach()
    if variant == "blurred":
        expected = np.broadcast_to(capture.charge.sum(1, keepdims=True) / 9, video.shape)
    else:
        expected = recon.make("tile:buckets=coded" if variant == "coded" else "tile").reconstruct(capture)
    assert np.allclose(video, expected, atol=2e-5)


@every_variant
def test_the_origin_moves_the_frame_and_nothing_else(variant):
    """A frame that cuts its first tiles is reconstructed as the same frame continued to whole tiles."""
    sensor, net = camera(), network(variant)
    moved = Exposure.of(replace(sensor, origin=(7, 2)))
    charge = tensor(moved.sensor.capture(film(9, 29, 40), seed=0))
    whole = tile_video.whole_tiles(charge, (3, 3), (7, 2))
    assert torch.allclose(net(charge, moved), net(whole, Exposure.of(sensor))[..., 1:30, 2:42], atol=1e-6)


def test_a_code_is_learnt_through_the_network_also_after_it_only_looked():
    sensor, net = camera(), network(residual=True)
    exposure, video = Exposure.of(sensor), torch.from_numpy(film(9, 24, 33))[None]
    with torch.inference_mode():
        net(exposure.expose(video), exposure)
    learnt = replace(exposure, shares=exposure.shares.clone().requires_grad_())
    net(learnt.expose(video), learnt).sum().backward()
    assert learnt.shares.grad.abs().min() > 0


@every_variant
def test_settings_make_the_network_again(variant):
    net = network(variant, frames=8, tile=(2, 3), residual=True)
    twin = CodedBlurredPair(**net.settings)
    twin.load_state_dict(net.state_dict())
    assert twin.settings == net.settings and len({p.data_ptr() for p in net.parameters()}) == len(net.state_dict())


def test_one_bucket_is_enough_for_one_input():
    for kind, variant in (("coded-pixel", "coded"), ("conventional", "blurred")):
        sensor = camera(kind)
        assert network(variant)(tensor(sensor.capture(film(9, 24, 33), seed=0)), Exposure.of(sensor)).shape == (1, 9, 24, 33)


def test_no_variant_is_told_the_noise():
    sensor, net = camera(), network()
    charge = tensor(sensor.capture(film(9, 24, 33), seed=0))
    assert torch.equal(net(charge, Exposure.of(sensor)), net(charge, Exposure.of(sensor), torch.ones_like(charge)))


def test_autocast_leaves_the_classical_video_exact():
    sensor, net = camera(), network(residual=True)
    charge = tensor(sensor.capture(film(9, 24, 33), seed=0))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(net(charge, Exposure.of(sensor)), net.eval()(charge, Exposure.of(sensor)).float())
        coarse = network()(charge, Exposure.of(sensor)).float()
    assert torch.allclose(coarse, network()(charge, Exposure.of(sensor)), atol=0.02)


def test_the_residual_pair_learns_what_the_classical_video_lacks():
    """From the first steps on, though slowly: nothing but the loss tells it that the code is worth looking at."""
    motion = [scenes.make(f"rotating-camera:frames=9,height=36,width=45,seed={seed}")[0:9] for seed in range(2)]
    truth, exposure, net = torch.from_numpy(np.stack(motion)), Exposure.of(camera()), network(residual=True, width=0.25)
    charge = exposure.expose(truth)
    optimiser = torch.optim.Adam(net.parameters(), 1e-3)
    errors = []
    for _ in range(60):
        error = (net(charge, exposure) - truth).abs().mean()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        errors.append(error.item())
    assert errors[-1] < 0.97 * errors[0]


@pytest.mark.parametrize("code", ["impulse", "impulse:tile=[2,3]", "bernoulli:tile=[3,4],frames=8,seed=1"])
@every_variant
def test_the_published_form_can_begin_as_the_classical_answer(variant, code):
    """Without a single step: a still ramp exactly, and noise exactly where each frame was sampled. (Samples of the random code under a
    single bucket lie outside of their tile, which bilinear interpolation does not reach.)"""
    sensor = camera(code=code)
    T, (p, q) = sensor.frames, sensor.tile
    net = network(variant, frames=T, tile=sensor.tile, width=0.625)
    assert net.begin_as_classical(sensor) == ""
    exposure, inner = Exposure.of(sensor), (..., slice(2 * p, -2 * p), slice(2 * q, -2 * q))
    rows, columns = np.mgrid[: 16 * p, : 16 * q] / (40 * p)
    charge = tensor(sensor.capture(np.tile(rows + columns, (T, 1, 1)).astype(np.float32), seed=0))
    with torch.no_grad():
        ramp = net(charge, exposure)
    if (variant, code[0]) != ("coded", "b"):
        assert torch.allclose(ramp[inner], torch.from_numpy(rows + columns).float()[inner].expand(1, T, -1, -1), atol=0.02)
    video = film(T, 8 * p, 8 * q)
    charge = tensor(sensor.capture(video, seed=0))
    with torch.no_grad():
        found = net(charge, exposure)[0].numpy()
    if variant == "blurred":
        assert np.allclose(found, np.broadcast_to(video.mean(0), found.shape), atol=1e-5)
    elif variant == "coded" and code.startswith("impulse"):
        for t in range(T):  # each frame is exact where it was sampled
            assert np.allclose(found[t, t // q :: p, t % q :: q], video[t, t // q :: p, t % q :: q], atol=1e-5)


def test_a_form_that_is_too_narrow_or_a_twin_says_why_it_cannot_begin_as_the_classical_answer():
    assert network(width=0.25).begin_as_classical(camera()) == (
        "18 channels have to pass, and at width=0.25 there are 16; needed: width=0.28125"
    )
    assert network(width=0.28125).begin_as_classical(camera()) == ""
    assert "adds to it already" in network(residual=True).begin_as_classical(camera())
    with pytest.raises(Refusal, match="cannot begin as the classical answer: 18 channels"):
        recon.make("pair:initial=classical,width=0.25").fit([np.zeros((9, 96, 96), np.uint8)], camera())


def test_a_pair_that_begins_as_the_classical_answer_sees_where_something_moves():
    """Before any training: of the published start with random weights the attention is above 0.95 everywhere."""
    sensor, net = camera(), network(width=0.3125)
    net.begin_as_classical(sensor)
    with torch.no_grad():
        attention = net.attention(tensor(sensor.capture(moving_bar(), seed=0)), Exposure.of(sensor))
    still, path = attention[..., 10:, :], attention[..., 1:7, 5:16]
    assert path.mean() < still.mean() - 0.1


@pytest.mark.parametrize("initial", ["torch", "he", "classical"])
def test_initial_weights_by_name(initial):
    """With those of torch a third of the outputs is zero at the first step, with the others none."""
    method, sensor = recon.make(f"pair:width=0.3125,initial={initial}"), camera()
    torch.manual_seed(0)
    net, video = method._begun(sensor), texture_in_motion(72)
    with torch.no_grad():
        shown = net(tensor(sensor.capture(video, seed=0)), Exposure.of(sensor))[0].numpy()
    silent = sum(not shown[t, i::3, j::3].any() for t in range(9) for i in range(3) for j in range(3))
    assert silent == 0 if initial != "torch" else silent > 20


def texture_in_motion(side):
    wide = film(1, side, side + 9)[0]
    return np.stack([wide[:, t : t + side] for t in range(9)])


def test_mistakes_are_refused():
    with pytest.raises(Refusal, match="pair, coded, blurred"):
        CodedBlurredPair(variant="both")
    with pytest.raises(Refusal, match="no channel"):
        CodedBlurredPair(width=0.001)
    refused = {
        ("two-bucket", "impulse:tile=[2,3]"): (network(), "9 frames"),
        ("two-bucket", "bernoulli:tile=4,frames=9,seed=1"): (network(), "3x3"),
        ("two-bucket", "bernoulli:tile=[48,48],frames=9,seed=1"): (network(), "repeats"),
        ("coded-pixel", "impulse"): (network(), "two-bucket"),
        ("conventional", "impulse"): (network(), "one bucket"),
        ("coded-pixel", "bernoulli:tile=3,frames=9,seed=1"): (network("blurred"), "no blurred"),
    }
    for (kind, code), (net, reason) in refused.items():
        with pytest.raises(Refusal, match=reason):
            net(torch.zeros(1, camera(kind, code).buckets, 48, 48), Exposure.of(camera(kind, code)))
    with pytest.raises(Refusal, match="no attention"):
        network("coded").attention(torch.zeros(1, 2, 24, 24), Exposure.of(camera()))
    with pytest.raises(Refusal, match="smaller than the tile"):
        network()(torch.zeros(1, 2, 2, 24), Exposure.of(camera()))
