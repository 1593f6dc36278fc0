"""The method of Jin, Meishvili and Favaro: what each stage trains, what each order asks for, and where the middle frame comes from."""

from __future__ import annotations

import numpy as np
import pytest

import recon
import sensors
from c2b import codes
from sensors.refusal import Refusal

torch = pytest.importorskip("torch")

from recon.learned.blur_to_video import LUMINANCE  # noqa: E402
from recon.learned.jin_2018 import ORDERS, STAGES, TURN, Jin2018, _in_order_of  # noqa: E402
from recon.training.initialisation import initialise  # noqa: E402
from tests.handmade_learning import batches_of, film, method_of, same, texture  # noqa: E402
from tests.handmade_learning import sensor_of as two_buckets  # noqa: E402

SMALL = {"width": 8, "side_width": 8, "folds": (2, 2), "precision": "float32", "adversarial": 0.0}
TRAINING = {"steps": 3, "batch": 2, "crop": 24, "every": 2, "seed": 3}


def camera(frames=7, **settings):
    return sensors.make("conventional", codes.make(f"long:frames={frames}"), **settings)


def learner(**words):
    return method_of(Jin2018, **{**SMALL, **TRAINING, **words})


def part(method, frames=7, step=0):
    """The network of a method, and a batch."""
    torch.manual_seed(0)
    return method.build(camera(frames)), batches_of(method, camera(frames), film(2, (14, 40, 52))).batch(step)[0]


def trained_by(method, step=0):
    """The parts of the network that have a slope in that step."""
    network, batch = part(method)
    method.loss(network, batch, step).backward()
    slopes = [name for name, one in network.named_parameters() if one.grad is not None and one.grad.abs().max() > 0]
    return {".".join(name.split(".")[: 2 if name.startswith("sides") else 1]) for name in slopes}


def test_without_weights_it_says_how_to_make_them():
    reason = recon.make("jin").refusal(camera())
    assert "no weights of jin" in reason and "c2b train jin" in reason and "\n" not in reason


@pytest.mark.parametrize(
    ("stage", "parts"),
    [("middle", {"middle"}), ("first-pair", {"sides.0"}), ("other-pairs", {"sides.1", "sides.2"})],
)
def test_each_stage_trains_its_networks_alone(stage, parts):
    assert trained_by(learner(stage=stage)) == parts


def test_side_by_side_each_stage_has_its_share_of_the_steps():
    method = learner()
    stages = [method.stage_of(step) for step in range(32)]
    assert {stage: stages.count(stage) for stage in STAGES[1:]} == {stage: 2 * count for stage, count in TURN.items()}
    assert set(stages[:5]) == set(STAGES[1:])


def test_teacher_forcing_shows_the_true_middle_frame_until_it_ends():
    method = learner(stage="first-pair", forced=5)
    network, batch = part(method)
    losses = [method.loss(network, batch, step) for step in (0, 4, 5)]
    with torch.no_grad():
        network.middle.last.weight.mul_(50)
    again = [method.loss(network, batch, step) for step in (0, 4, 5)]
    assert losses[0] == losses[1] == again[0] == again[1] and losses[2] != again[2]


@pytest.mark.parametrize("order", ["pairwise", "sequential", "global"])
def test_the_loss_of_pairs_does_not_know_their_order(order):
    made, true = torch.rand(2, 4, 1, 8, 12), torch.rand(2, 4, 1, 8, 12)
    loss = learner(order=order).order_loss
    assert torch.allclose(loss(made, true), loss(made.flip(1), true)) and loss(made, true) > loss(true, true)
    independent = learner(order="independent").order_loss
    assert not torch.allclose(independent(made, true), independent(made.flip(1), true))


@pytest.mark.parametrize("stage", ["first-pair", "other-pairs"])
def test_in_the_better_order_a_clip_and_its_reverse_have_one_loss(stage):
    """The order is that of all frames that are known, so that pairs do not go different ways."""
    method = learner(order="better")
    network, batch = part(method)
    truth = batch.truth[:, :, None]
    picture = truth.mean(1)
    first, last = (method.pair_losses(network, picture, true, stage, forced=True) for true in (truth, truth.flip(1)))
    assert torch.allclose(first, last, atol=1e-6)
    known = {0: truth[:, 3], -1: truth[:, 4], 1: truth[:, 2], **{k: truth[:, 3 + k] * 0.99 + 0.01 for k in (-2, 2)}}
    turned = _in_order_of({k: known[k] for k in (-1, 0, 1)}, truth)
    assert torch.equal(turned, truth.flip(1)) and torch.equal(_in_order_of({k: truth[:, 3 + k] for k in known}, truth), truth)


@pytest.mark.parametrize(("order", "frames"), [*((order, 7) for order in ORDERS), ("sequential", 3)])
def test_every_order_learns_saves_and_draws_its_frames(order, frames, tmp_path):
    words = {"adversarial": 1e-3, "crop": 40} if order == "sequential" else {}
    method = learner(order=order, steps=5, every=5, **words).fit(film(2, (14, 48, 52)), camera(frames))
    method.save(tmp_path / "w.safetensors")
    capture = camera(frames, origin=(1, 2)).capture(texture((frames, 31, 45)), seed=0)
    video = Jin2018(weights=str(tmp_path / "w.safetensors"), precision="float32").reconstruct(capture)
    assert video.shape == (1, frames, 31, 45) and np.abs(video - capture.charge / frames).max() < 0.5
    assert np.allclose(video, method.reconstruct(capture), atol=2e-2)  # stored in half precision


def test_one_step_lowers_the_loss_of_every_stage():
    for stage in STAGES[1:]:
        method = learner(stage=stage, order="better")
        network, batch = part(method)
        optimiser = torch.optim.Adam(network.parameters(), 1e-3)
        before = method.loss(network, batch, 0)
        before.backward()
        optimiser.step()
        assert method.loss(network, batch, 0) < before


def test_the_adversary_and_the_frames_learn_from_one_loss():
    method = learner(stage="first-pair", adversarial=1e-3, crop=40)
    network, batch = part(method)
    method.loss(network, batch, 0).backward()
    for module in (network.critic, network.sides[0]):
        assert all(one.grad is not None and one.grad.abs().max() > 0 for one in module.parameters())


def test_the_middle_frame_may_come_from_another_method_or_a_file(tmp_path):
    truth = texture((7, 32, 44))
    capture = camera().capture(truth, seed=0)
    learner(steps=2).fit(film(2), camera()).save(tmp_path / "w.safetensors")
    np.save(tmp_path / "middle.npy", truth[3])
    words = {"weights": str(tmp_path / "w.safetensors"), "precision": "float32"}
    own, other, file = (
        Jin2018(middle=middle, **words).reconstruct(capture)[0] for middle in ("own", "tikhonov", str(tmp_path / "middle.npy"))
    )
    assert np.allclose(file[3], truth[3], atol=1e-6)
    assert np.allclose(other[3], recon.make("tikhonov").reconstruct(capture)[0][3], atol=1e-6)
    assert np.abs(own[3] - file[3]).max() > 1e-3
    assert tmp_path / "middle.npy" in Jin2018(middle=str(tmp_path / "middle.npy"), **words).learnt(camera())
    assert not Jin2018(middle="tikhonov", **words).refusal(camera())
    assert "weights of pair" in Jin2018(middle="pair", **words).refusal(camera())
    np.save(tmp_path / "middle.npy", truth[3, :8])
    with pytest.raises(Refusal, match="holds"):
        Jin2018(middle=str(tmp_path / "middle.npy"), **words).reconstruct(capture)


def test_a_training_resumes_with_the_same_bits(tmp_path):
    words = {"order": "better", "forced": 3, "steps": 6, "every": 3}
    whole = learner(**words).fit(film(2), camera(), checkpoint=tmp_path / "a.safetensors")
    count = iter(range(100))
    first = learner(**words).fit(film(2), camera(), checkpoint=tmp_path / "b.safetensors", stop=lambda: next(count) == 3)
    assert not first.outcome_.finished
    assert same(whole, learner(**words).fit(film(2), camera(), checkpoint=tmp_path / "b.safetensors"))
    with pytest.raises(Refusal):
        learner(**{**words, "forced": 4}).fit(film(2), camera(), checkpoint=tmp_path / "b.safetensors")


@pytest.mark.parametrize(
    "words",
    [
        {"order": "unknown"},
        {"stage": "last"},
        {"with_middle": False},
        {"width": 2},
        {"folds": (4,)},
        {"perceptual": -1.0},
        {"features": "nowhere.safetensors", "perceptual": 1.0, "stage": "middle"},
    ],
)
def test_settings_that_cannot_be_are_refused(words):
    with pytest.raises(Refusal):
        learner(**words).fit(film(2), camera())


def test_an_even_number_of_frames_is_refused():
    with pytest.raises(Refusal, match="middle"):
        learner().build(camera(8))


@pytest.mark.parametrize("kind", ["torch", "he", "published"])
def test_initial_weights_can_be_named(kind):
    network = learner().build(camera())
    before = network.middle.last.weight.clone()
    initialise(network, kind, camera())
    assert not torch.equal(network.middle.last.weight, before)
    assert torch.isfinite(network(torch.rand(1, 1, 16, 20)).frames).all()


def test_a_network_without_a_published_beginning_says_so():
    method = method_of("unfolding", width=4, stages=2)
    with pytest.raises(Refusal, match="published"):
        initialise(method.build(two_buckets()), "published", two_buckets())


def test_planes_of_a_colour_picture_change_as_its_luminance(tmp_path):
    """Also where the middle frame is another one."""
    truth = np.stack([texture((7, 32, 44), seed) for seed in range(3)], -1)
    sensor = camera(colour="rgb")
    learner(steps=1).fit(film(2), camera()).save(tmp_path / "w.safetensors")
    luminance = truth @ np.array(LUMINANCE, np.float32)
    np.save(tmp_path / "middle.npy", luminance[3])
    for middle in ("own", str(tmp_path / "middle.npy")):
        method = Jin2018(weights=str(tmp_path / "w.safetensors"), precision="float32", middle=middle)
        video = method.reconstruct(sensor.capture(truth, seed=0))[0]
        grey = method.reconstruct(camera().capture(luminance, seed=0))[0]
        changes = video - truth.mean(0)
        assert video.shape == truth.shape and np.allclose(changes, (grey - luminance.mean(0))[..., None], atol=1e-4)
