"""Learned methods: what they promise before and after they have learnt anything, at any size and phase, and the loop that teaches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import recon
import sensors
from c2b import codes
from recon import learned, weight_file
from recon.consistency import data_step
from recon.networks.mask_unfolding import MaskUnfolding, UnderWay
from recon.networks.space_to_depth import fold, unfold
from recon.networks.tile_unfolding import TileUnfolding
from recon.networks.video_denoiser import VideoDenoiser
from recon.optical_flow import Neighbours
from recon.tile_solve import TileSolve
from recon.training import light
from recon.training.batches import Batches
from recon.training.clips import Clips
from recon.training.learning import Recipe, learn
from recon.training.losses import Loss, total_variation
from recon.training.turns import Turns
from sensors.exposure_torch import Exposure
from sensors.refusal import Refusal

CODE = codes.make("impulse:tile=[2,3]")
KINDS = {
    "unfolding": learned.Unfolding,
    "pair": learned.CodedBlurredPair,
    "coded": learned.SingleCoded,
    "blurred": learned.SingleBlurred,
}
SMALL = {
    "unfolding": {"width": 4, "stages": 2},
    **{name: {"width": 1 / 16, "residual": True} for name in ("pair", "coded", "blurred")},
}


def film(count=3, shape=(14, 40, 52), seed=0):
    rng = np.random.default_rng(seed)
    return [(rng.random(shape) * 255).astype(np.uint8) for _ in range(count)]


def texture(shape, seed=0, blur=2.0):
    """A random picture that drifts."""
    from scipy.ndimage import gaussian_filter

    wide = gaussian_filter(np.random.default_rng(seed).random((shape[1] + 2 * shape[0], shape[2])), blur)
    wide = ((wide - wide.min()) / np.ptp(wide)).astype(np.float32)
    return np.stack([wide[t : t + shape[1]] for t in range(shape[0])])


def sensor_of(kind="two-bucket", code=CODE):
    return sensors.make(kind, code)


def taught(name, sensor, **settings):
    method = KINDS[name](**SMALL[name], steps=2, batch=2, crop=24, seed=3, precision="float32", **settings)
    return method.fit(film(), sensor)


def shaken(network, mean=0.0, scale=0.1):
    """The same with random weights."""
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, mean, scale, generator=generator)
    return network


class Stands(torch.nn.Module):
    """A function in the place of a network."""

    def __init__(self, function):
        super().__init__()
        self.forward = function


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


MASK = np.random.default_rng(5).integers(0, 2, (5, 40, 48), np.uint8)


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
    network.denoiser = Stands(lambda v, *_: v * factors[way.turn])
    for turn in range(3):
        (slope,) = torch.autograd.grad(network.turn(way, charge, exposure).square().sum(), factors)
        assert slope.nonzero().flatten().tolist() == [turn] and way.turn == turn + 1
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
    method = learned.Unfolding(**settings, start="pseudo-inverse")
    method.fit([clip], sensor_of("coded-pixel", MASK), held=[clip], report=lambda *news: rows.append(news[-1]))
    scores = [row["psnr"] for row in rows if row]
    assert scores[-1] > scores[0] + 1
    method.save(tmp_path / "w.safetensors")
    again = learned.Unfolding(weights=str(tmp_path / "w.safetensors"))
    for kind, T, shape in (("coded-pixel", 5, (40, 48)), ("two-bucket", 3, (37, 51)), ("cep-2019:white=100", 7, (33, 40))):
        mask = np.random.default_rng(6).integers(0, 2, (T, *shape), np.uint8)
        video = again.reconstruct(sensor_of(kind, mask).capture(texture((T, *shape)), seed=0))
        assert video.shape == (1, T, *shape) and np.isfinite(video).all()


def turns(stages, **settings):
    settings = {"width": 4, "stages": stages, "batch": 4, "crop": 24, "start": "pseudo-inverse", "steps": 1, **settings}
    method = learned.Unfolding(**settings)
    return Turns(Batches(method, film(), sensor_of("coded-pixel", MASK), []), stages)


@pytest.mark.parametrize("stages", [1, 2, 3, 16])
def test_captures_under_way_take_turn_after_turn_and_make_room_after_the_last(stages, monkeypatch):
    store, taken = turns(stages), {}
    monkeypatch.setattr(store.batches, "drawn", lambda number, count: number)
    steps = [store.batch(number) for number in range(4 * stages * stages)]
    for visit in (visit for step in steps for visit in step):
        taken.setdefault((visit.place, visit.batch), []).append(visit.turn)
    last = {place: max(capture for at, capture in taken if at == place) for place, _ in taken}
    for (place, capture), turns_taken in taken.items():
        assert turns_taken == list(range(len(turns_taken)))
        # the first of a place is cut short, so that turns spread; the last is still under way
        assert len(turns_taken) == stages or capture in (place, last[place])
    assert len({capture for _, capture in taken}) == len(taken)  # none in two places
    late = np.bincount([visit.turn for step in steps[stages * stages :] for visit in step], minlength=stages)
    assert (late == late[0]).all()  # each turn is learnt from as often as another
    assert all(len({visit.turn for visit in step}) == min(stages, len(step)) for step in steps[stages * stages :])


def test_what_is_under_way_is_what_the_network_makes_of_the_capture():
    store = turns(3)
    network = shaken(MaskUnfolding(width=4, stages=3), scale=0.1)
    with torch.no_grad():
        for number in range(18):
            for visit in store.batch(number):
                (estimate,), truth = store.estimates(network, visit)
                if visit.turn == 2:
                    start, charge, variance, exposure = visit.batch[1:]
                    assert torch.equal(truth, visit.batch[0]) and (estimate - start).abs().max() > 0.01
                    assert torch.equal(exposure.data_step(estimate, charge), network(start, charge, exposure, variance)[-1])


def test_a_new_network_begins_with_white_noise_along_the_flow_of_the_truth():
    store, strengths, whites = turns(3, steps=60), [], []
    network = MaskUnfolding(width=4, stages=3)  # says nothing yet, so that the noise comes back
    with torch.no_grad():
        for number in range(24):
            visits = store.batch(number)
            whites.append(sum(visit.white for visit in visits))
            for visit in filter(lambda visit: visit.white, visits):
                (noisy,), truth = store.estimates(network, visit)
                assert torch.equal(noisy, store.estimates(network, visit)[0][0])
                assert torch.equal(truth, visit.batch[0]) and torch.equal(store._ways[visit.place].guide, truth)
                strengths.append(float((noisy - truth).std()))
    assert whites[:12] == [4] * 12 and whites[-6:] == [0] * 6 and not any(np.diff(whites) > 2)
    assert 0.005 < min(strengths) < 0.02 < 0.1 < max(strengths) < 0.25 and len(set(strengths)) == len(strengths)
    assert not turns(3, steps=60, weights="unfolding-mask").batch(0)[0].white


def test_clips_are_captured_behind_any_part_of_a_mask_larger_than_they_are():
    method = learned.Unfolding(width=4, crop=24, start="pseudo-inverse")
    batches = Batches(method, film(), sensor_of("coded-pixel", MASK), [])
    places = {batches.drawn(number, 1)[-1].sensor.origin for number in range(200)}
    assert places <= {(top, left) for top in range(17) for left in range(25)} and len(places) > 100
    truth, _, charge, _, exposure = batches.drawn(7, 1)
    top, left = exposure.sensor.origin
    assert np.allclose((MASK[:, top : top + 24, left : left + 24] * truth[0].numpy()).sum(0), charge[0, 0], atol=1e-5)


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


@pytest.mark.parametrize("name", KINDS)
def test_weights_come_back_from_their_file(name, tmp_path):
    method = taught(name, sensor_of())
    capture = sensor_of().capture(texture((6, 20, 31)), seed=0)
    method.save(tmp_path / "w.safetensors", {"seed": 3})
    again = KINDS[name](weights=str(tmp_path / "w.safetensors"), precision="float32")
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
    method = learned.CodedBlurredPair(weights=str(path))
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
    monkeypatch.setattr(learned, "MOST_PIXELS", 96 * 24)
    assert np.allclose(method.reconstruct(capture), whole, atol=1e-5)
    assert np.abs(whole - TileSolve().reconstruct(capture)).max() > 0.01


@pytest.mark.parametrize("kind", ["coded-pixel", "two-bucket"])
def test_bands_of_a_large_frame_behind_a_mask_leave_no_seam(kind, monkeypatch):
    import recon.networks.mask_unfolding as network

    sensor = sensor_of(kind, np.random.default_rng(2).integers(0, 2, (5, 333, 40), np.uint8))
    capture = sensor.capture(texture((5, 333, 40), blur=1.5), seed=0)
    shaken_network = shaken(MaskUnfolding(width=8, stages=3), scale=0.05).eval()
    method = learned.Unfolding(precision="float32")
    method.trained_ = learned.Trained(shaken_network, MASK, 1, "pseudo-inverse")
    whole = method.reconstruct(capture)
    monkeypatch.setattr(network, "MOST_PIXELS", 70 * 40)
    assert np.abs(method.reconstruct(capture) - whole).max() < 1e-5
    monkeypatch.setattr(VideoDenoiser, "reach", 0)
    assert np.abs(method.reconstruct(capture) - whole).max() > 1e-4  # what overlaps is needed


# Learning ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_learning_makes_the_loss_smaller(name):
    clip = (texture((14, 40, 52), blur=0.8) * 255).astype(np.uint8)
    rows = []
    wider = SMALL[name] | ({"width": 12} if name == "unfolding" else {"residual": False})
    method = KINDS[name](**wider, steps=80, batch=4, crop=24, rate=5e-3, precision="float32", variation=0.0)
    method.fit([clip], sensor_of(), held=[clip], report=lambda done, total, said, row: rows.append(row))
    scores = [row["psnr"] for row in rows if row]
    assert scores[-1] > scores[0] + 0.2 and rows[-1]["step"] == 80


@pytest.mark.parametrize("error", ["", "absolute", "rms"])
def test_a_training_makes_small_the_error_that_is_asked_for(error):
    """The loss of a step that changes nothing is that error of the start."""
    rows, settings = [], {**SMALL["pair"], "steps": 1, "batch": 3, "crop": 24, "variation": 0.0, "error": error}
    method = learned.CodedBlurredPair(**settings, precision="float32")
    method.fit(film(), sensor_of(), report=lambda done, total, said, row: rows.append(row))
    batches = Batches(method, film(), sensor_of(), [])
    (batch,) = batches.batch(0)
    estimates, truth = batches.estimates(learned.CodedBlurredPair(**SMALL["pair"]).build(sensor_of()), batch)
    assert rows[-1]["loss"] == pytest.approx(Loss(error=error or "absolute")(estimates, truth).item(), rel=1e-5)


RUNS = {
    "unfolding": (SMALL["unfolding"], sensor_of()),
    "pair": (SMALL["pair"], sensor_of()),
    "unfolding for masks": ({"width": 4, "stages": 3, "start": "pseudo-inverse"}, sensor_of("coded-pixel", MASK)),
}


@pytest.mark.parametrize("run", RUNS)
def test_an_interrupted_run_goes_on_bit_by_bit(run, tmp_path, monkeypatch):
    import recon.training.learning as loop

    monkeypatch.setattr(loop.Recipe, "__init__", _every(loop.Recipe, 4))
    (settings, sensor), kind = RUNS[run], KINDS[run.partition(" ")[0]]
    settings = {**settings, "steps": 12, "batch": 2, "crop": 24, "seed": 1, "precision": "float32"}
    straight = kind(**settings).fit(film(), sensor)
    path = tmp_path / "run.checkpoint.safetensors"

    def stop(done, total, said, row):
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kind(**settings).fit(film(), sensor, checkpoint=path, report=stop)
    resumed = kind(**settings).fit(film(), sensor, checkpoint=path)
    pairs = zip(straight.trained_.network.parameters(), resumed.trained_.network.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    for other in ({"rate": 1e-4}, {"distinct": 2}):
        with pytest.raises(Refusal, match="another run"):
            kind(**{**settings, **other}).fit(film(), sensor, checkpoint=path)


@pytest.mark.parametrize("name", KINDS)
def test_a_training_goes_on_from_weights_that_are_named(name, tmp_path):
    first = taught(name, sensor_of())
    first.save(tmp_path / "w.safetensors")
    settings = {**SMALL[name], "weights": str(tmp_path / "w.safetensors"), "steps": 1, "batch": 2, "crop": 24, "rate": 1e-12}
    again = KINDS[name](**settings).fit(film(), sensor_of())
    pairs = zip(first.trained_.network.parameters(), again.trained_.network.parameters(), strict=True)
    assert all(torch.allclose(a, b, atol=1e-3) for a, b in pairs)
    with pytest.raises(Refusal, match="cannot go on"):
        KINDS[name](**{**settings, "width": 2 * SMALL[name]["width"]}).fit(film(), sensor_of())


@pytest.mark.parametrize("kind", [learned.Unfolding, learned.CodedBlurredPair])
@pytest.mark.parametrize(
    "setting",
    [
        *({"width": 0}, {"steps": 0}, {"rate": -1.0}, {"precision": "int4"}, {"seed": -1}, {"variation": -1.0}, {"distinct": -1}),
        *({"photographs": 2.0}, {"photographs": -0.1}, {"crop": 0}, {"response": "film"}, {"error": "huber"}),
    ],
    ids=str,
)
def test_a_setting_out_of_range_is_refused(kind, setting):
    with pytest.raises(Refusal, match=next(iter(setting))):
        kind(**setting)


def test_a_network_of_no_stages_is_not_unrolled():
    with pytest.raises(Refusal, match="stages"):
        learned.Unfolding(stages=0)


@pytest.mark.parametrize(
    ("name", "other"), [("unfolding", {"width": 5}), ("unfolding", {"start": "gap-tv"}), ("pair", {"width": 0.5})]
)
def test_settings_that_the_weights_do_not_have_are_refused(name, other, tmp_path):
    path = str(tmp_path / "w.safetensors")
    taught(name, sensor_of()).save(path)
    assert KINDS[name](weights=path).refusal(sensor_of()) == ""
    assert KINDS[name](**SMALL[name], weights=path).refusal(sensor_of()) == ""
    ((setting, value),) = other.items()
    reason = KINDS[name](weights=path, **other).refusal(sensor_of())
    assert reason.startswith(f"{setting}={value}, but these weights of {name} are of {setting}=") and "\n" not in reason


def test_kept_batches_come_again():
    batches = Batches(learned.Unfolding(**SMALL["unfolding"], batch=2, crop=24, distinct=3), film(), sensor_of(), [])
    (again,) = zip(*(batches.batch(n) for n in range(7)), strict=True)
    assert again[0] is again[3] is again[6] and again[2] is not again[3]


def test_without_torch_learned_methods_say_what_to_install(monkeypatch):
    monkeypatch.setattr(learned.importlib.util, "find_spec", lambda name: None)
    for kind in KINDS.values():
        assert "pip install torch" in kind().refusal(sensor_of())
        with pytest.raises(Refusal, match="needs torch"):
            kind().fit(film(), sensor_of())


def test_any_classical_method_can_be_the_start():
    sensor = sensor_of()
    method = learned.Unfolding(**SMALL["unfolding"], steps=1, batch=1, crop=24, start="gap-tv:iterations=9", precision="float32")
    assert method.fit(film(), sensor).trained_.start == "gap-tv:iterations=9"
    for parameter in method.trained_.network.parameters():
        parameter.data.zero_()
    capture = sensor.capture(texture((6, 24, 36)), seed=0)
    assert np.allclose(method.reconstruct(capture), recon.make("gap-tv:iterations=9").reconstruct(capture), atol=1e-4)


def _every(recipe, every):
    before = recipe.__init__

    def init(self, *args, **settings):
        before(self, *args, **{"every": every, **settings})

    return init


class NoNumbers:
    def batch(self, number):
        return [torch.full((1, 1), np.nan)]

    def estimates(self, network, part):
        return [network(part)], part


def test_a_loss_that_is_no_number_stops_the_run():
    network = torch.nn.Linear(1, 1)
    with pytest.raises(Refusal, match="no number any more at step 1"):
        learn(network, NoNumbers(), Loss(), Recipe(3))


@pytest.mark.parametrize("kind", ["two-bucket", "cep-2019"])
def test_a_batch_of_a_number_is_always_the_same_and_is_what_the_sensor_makes(kind):
    sensor = sensor_of(kind)
    batches = Batches(learned.Unfolding(**SMALL["unfolding"], batch=2, crop=24, seed=5), film(), sensor, [])
    ((truth, start, charge, variance, exposure),) = batches.batch(7)
    for one, other in zip(batches.batch(7)[0][:3], (truth, start, charge), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(batches.batch(8)[0][0], truth)
    assert (variance is None) == sensor.readout.ideal
    error = charge - exposure.expose(truth)
    if variance is None:
        assert error.abs().max() < 1e-5
    else:
        assert 0.5 < float((error / variance.sqrt()).std()) < 1.5


def test_light_is_encoded_as_srgb_and_back():
    from c2b.video.response import make

    stored = np.linspace(0, 1, 1001, dtype=np.float32)
    assert np.allclose(light.decode(stored, "srgb"), make("srgb").decode(stored), atol=1e-6)
    assert np.allclose(light.encode(torch.from_numpy(light.decode(stored, "srgb")), "srgb").numpy(), stored, atol=1e-5)
    beyond = torch.tensor([-0.1, 1.2], requires_grad=True)
    light.encode(beyond, "srgb").sum().backward()
    assert (beyond.grad > 0).all()


def test_the_loss_of_the_paper():
    """L1 + 0.1 TV by central differences of step 2, on a ramp whose variation is known."""
    ramp = torch.arange(8.0).expand(1, 2, 6, 8) / 10
    assert total_variation(ramp) == pytest.approx(0.2)
    assert Loss(variation=0.1)([ramp + 0.05], ramp) == pytest.approx(0.05 + 0.02)
    assert Loss(stages=0.5)([ramp + 0.4, ramp], ramp) == pytest.approx(0.2)


def test_the_root_mean_square_is_that_of_each_video():
    truth, sign = torch.rand(2, 3, 6, 8), torch.tensor([1.0, -1]).repeat(4)
    estimate = truth + torch.tensor([0.1, 0.3])[:, None, None, None] * sign
    assert Loss(error="rms")([estimate], truth) == pytest.approx(0.2, rel=1e-3)
    assert Loss(error="rms")([truth], truth) < 2e-3


# Clips ------------------------------------------------------------------------------------------------------------------------


def test_clips_of_film_are_runs_of_it():
    """Every clip is found in the film: some frames in a row, or every second or third, perhaps mirrored, turned, reversed."""
    film = np.random.default_rng(0).random((20, 12, 12)).astype(np.float32)
    clips = Clips([film], 4, (12, 12))
    for seed in range(20):
        rng = np.random.default_rng(seed)
        clip = clips.draw(rng)
        assert clip.shape == (4, 12, 12) and clip.dtype == np.float32 and clip.min() >= 0 and clip.max() <= 1
        sums = clip.mean((1, 2)) / film.mean()
        runs = [film[a : a + 3 * s + 1 : s].mean((1, 2)) for s in (1, 2, 3) for a in range(20 - 3 * s)]
        runs += [run[::-1] for run in runs]
        assert min(np.ptp(sums / (run / film.mean())) for run in runs) < 0.12


def test_a_photograph_moves_smoothly_and_keeps_its_texture():
    picture = texture((1, 120, 160))[:1]
    clips = Clips([picture], 9, (32, 48))
    for seed in range(20):
        clip = clips.draw(np.random.default_rng(seed))
        assert clip.shape == (9, 32, 48) and np.isfinite(clip).all()
    still = texture((1, 120, 160))[:1] * 0 + 0.5
    grey = Clips([still], 5, (16, 16)).draw(np.random.default_rng(0))
    assert np.ptp(grey) < 1e-6


def test_nothing_to_draw_from_is_said():
    with pytest.raises(Refusal, match="no video of 9 frames or more"):
        Clips(film(shape=(8, 40, 52)), 9, (24, 24))
    with pytest.raises(Refusal, match="64 pixels"):
        Clips(film(), 9, (24, 64))
