"""The method of Zhang and others: the terms of its three stages, and slow motion."""

from __future__ import annotations

import numpy as np
import pytest

import recon
import sensors
from c2b import codes
from sensors.refusal import Refusal

torch = pytest.importorskip("torch")

from recon.learned.zhang_2020 import Zhang2020, cycle_flow, squared_pairs  # noqa: E402
from recon.networks.zhang_2020 import reblurred  # noqa: E402
from tests.handmade_learning import Stands, batches_of, film, method_of, same, texture  # noqa: E402

SMALL = {"width": 4, "precision": "float32", "adversarial": 0.0}
TRAINING = {"steps": 3, "batch": 2, "crop": 24, "every": 2, "seed": 3}


def camera(frames=7, **settings):
    return sensors.make("conventional", codes.make(f"long:frames={frames}"), **settings)


def learner(**words):
    return method_of(Zhang2020, **{**SMALL, **TRAINING, **words})


def part(method):
    torch.manual_seed(0)
    return method.build(camera()), batches_of(method, camera(), film(2, (14, 40, 52))).batch(0)[0]


def moving(count=2):
    """Clips (N, 7, 48, 64) that drift by a pixel a frame."""
    return torch.from_numpy(np.stack([texture((7, 48, 64), seed) for seed in range(count)]))


def returns(frames):
    """A network that makes these frames of any picture."""
    network = Stands(lambda picture: type("Made", (), {"frames": frames})())
    network.critic = None
    return network


def test_its_weights_serve_exposures_of_seven_frames():
    assert recon.make("zhang").refusal(camera()) == ""
    assert "the network makes 7 frames; an exposure of this sensor has 9" in recon.make("zhang").refusal(camera(9))


def test_squared_pairs_do_not_know_the_order():
    made, true = torch.rand(2, 7, 8, 12), torch.rand(2, 7, 8, 12)
    assert torch.allclose(squared_pairs(made, true), squared_pairs(made.flip(1), true))
    swapped = made[:, [6, 1, 2, 3, 4, 5, 0]]  # each pair by itself
    assert torch.allclose(squared_pairs(made, true), squared_pairs(swapped, true))
    assert squared_pairs(true, true) == 0 < squared_pairs(made, true)


def test_the_flow_ties_the_frames_to_the_order_of_the_truth():
    truth = moving()
    assert 4 * cycle_flow(truth, truth) < cycle_flow(truth.flip(1), truth)
    made = truth.clone().requires_grad_()
    cycle_flow(made, truth.flip(1)).backward()
    slopes = made.grad.abs().amax((0, 2, 3))
    assert slopes[0] > 0 and slopes[6] > 0 and slopes[1:6].max() == 0


def test_losses_of_frames_that_are_true():
    truth, method = moving(), learner(order="better", flow=0.0)
    network = returns(truth)
    assert method.base_loss(network, truth, truth) == method.base_loss(network, truth.flip(1), truth) < 2e-3
    assert method.cycle_loss(network, truth) == 0
    assert method.gram_loss(network, truth, truth) == method.gram_loss(network, truth, truth.flip(1)) == 0
    assert method.gram_loss(returns(truth.flip(1)), truth, truth) > 0.01  # the frames that were used come out in another order


def test_the_taught_order_is_that_of_the_video_that_motion_makes():
    from recon.training.order_teacher import ordered

    truth = moving()
    picture = truth.mean(1, keepdim=True)
    once = ordered(picture, truth)
    assert torch.equal(once, ordered(picture, truth.flip(1))) and (torch.equal(once, truth) or torch.equal(once, truth.flip(1)))


def test_terms_begin_with_their_steps_and_stages_add_terms():
    losses = {}
    for stages in ("B", "BG", "BGH"):
        method = learner(stages=stages, gram_from=2, cycle_from=4)
        network, batch = part(method)
        losses[stages] = [method.loss(network, batch, step).item() for step in (1, 2, 4)]
    assert losses["B"][0] == losses["B"][1] == losses["B"][2] == losses["BG"][0] == losses["BGH"][0]
    assert losses["BG"][1] == losses["BG"][2] == losses["BGH"][1] > losses["B"][0] and losses["BGH"][2] > losses["BG"][2]


@pytest.mark.parametrize("order", ["pairwise", "better", "taught"])
def test_a_step_lowers_the_loss_of_all_terms_together(order):
    method = learner(order=order, gram_from=0, cycle_from=0)
    network, batch = part(method)
    optimiser = torch.optim.SGD(network.parameters(), 1e-4)
    before = method.loss(network, batch, 0)
    before.backward()
    assert all(one.grad is not None and one.grad.abs().max() > 0 for one in network.parameters())
    optimiser.step()
    assert method.loss(network, batch, 0) < before


def test_it_learns_with_its_adversary_saves_and_slows_down(tmp_path):
    words = {"adversarial": 5e-4, "crop": 40, "gram_from": 1, "cycle_from": 2}
    method = learner(**words).fit(film(2, (14, 48, 52)), camera())
    method.save(tmp_path / "w.safetensors")
    capture = camera(origin=(1, 2)).capture(texture((7, 31, 45)), seed=0)
    again = Zhang2020(weights=str(tmp_path / "w.safetensors"), precision="float32")
    video = again.reconstruct(capture)
    assert video.shape == (1, 7, 31, 45) and np.allclose(video, method.reconstruct(capture), atol=2e-2)
    slow = again.slow_motion(capture)
    assert slow.shape == (1, 42, 31, 45) and np.abs(slow - capture.charge[:, 0, None] / 7).max() < 0.5
    twice = Zhang2020(weights=str(tmp_path / "w.safetensors"), precision="float32", passes=2).slow_motion(capture)
    assert twice.shape == (1, 287, 31, 45)


def test_slow_motion_of_a_generator_that_keeps_the_blur_keeps_it():
    """Each seven frames have their picture as mean; that of all 42 leaves out half a frame at each end."""
    frames = torch.from_numpy(texture((7, 32, 40)))
    spread = torch.linspace(-1, 1, 7)[:, None, None] * 0.02

    def generate(blurred):
        return blurred[:, None] + spread

    from recon.networks.zhang_2020 import slow_motion

    slow = slow_motion(generate, frames)
    assert all(reblurred(slow[7 * k : 7 * k + 7], (frames[k] + frames[k + 1]) / 2) > 100 for k in range(6))
    assert reblurred(slow, frames.mean(0)) > reblurred(frames[3][None], frames.mean(0)) + 10
    assert torch.allclose(slow.mean(0), (frames.sum(0) - (frames[0] + frames[6]) / 2) / 6, atol=1e-6)


def test_a_training_resumes_with_the_same_bits(tmp_path):
    words = {"order": "better", "gram_from": 2, "cycle_from": 4, "steps": 6, "every": 3}
    whole = learner(**words).fit(film(2), camera(), checkpoint=tmp_path / "a.safetensors")
    count = iter(range(100))
    learner(**words).fit(film(2), camera(), checkpoint=tmp_path / "b.safetensors", stop=lambda: next(count) == 3)
    assert same(whole, learner(**words).fit(film(2), camera(), checkpoint=tmp_path / "b.safetensors"))


@pytest.mark.parametrize("words", [{"stages": "GH"}, {"order": "unknown"}, {"width": 0}, {"gram": -1.0}, {"cycle_from": -1}])
def test_settings_that_cannot_be_are_refused(words):
    with pytest.raises(Refusal):
        learner(**words)


def test_another_number_of_frames_is_refused():
    with pytest.raises(Refusal, match="seven|7"):
        learner().build(camera(9))
