"""The generator of Zhang and others, its discriminator, and what the stages compare."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from recon.networks.patch_discriminator import PatchDiscriminator, adversarial_loss  # noqa: E402
from recon.networks.zhang_2020 import TRIPLES, Zhang2020, cycle_loss, gram_loss, gram_matrix, slow_motion  # noqa: E402


def network(seed=0, **settings):
    torch.manual_seed(seed)
    return Zhang2020(**{"width": 4, **settings})


def random(*shape, seed=1):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


# What is published ----------------------------------------------------------------------------------------------------------


def test_the_generator_has_30_convolutions_and_15_million_parameters():
    net = Zhang2020()
    assert sum(isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) for layer in net.modules()) == 30
    assert sum(one.numel() for one in net.parameters()) == pytest.approx(15.2e6, abs=5e4)


def test_published_begin_is_normal_of_a_hundredth():
    net = network(width=16)
    assert net.begin_as_published() == ""
    assert net.blocks[3].first.weight.std().item() == pytest.approx(0.01, rel=0.05)


def test_what_the_discriminator_says_is_of_70x70_pixels():
    critic = PatchDiscriminator().double()
    for layer in critic.layers:  # normalisation sees the whole frame
        if isinstance(layer, nn.InstanceNorm2d):
            layer.forward = lambda x: x
    frame = random(1, 1, 192, 192).double().requires_grad_()
    said = critic(frame)
    said[0, 0, said.shape[2] // 2, said.shape[3] // 2].backward()
    seen = frame.grad[0, 0].abs().amax(1).nonzero()
    assert int(seen.max() - seen.min()) + 1 == 70
    assert sum(isinstance(layer, nn.Conv2d) for layer in critic.modules()) == 5


# Any weights ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("planes", "frames", "fold"), [(1, 7, 1), (3, 7, 1), (1, 5, 2)])
def test_frames_have_the_size_of_the_picture(planes, frames, fold):
    net, blurred = network(planes=planes, frames=frames, fold=fold), random(2, planes, 16, 24)
    made = net(blurred).frames
    assert made.shape == ((2, frames, 16, 24) if planes == 1 else (2, frames, 3, 16, 24)) and net.multiple == (4 * fold, 4 * fold)
    assert 0 < (made - (blurred if planes == 1 else blurred[:, None])).std() < 0.2
    nn.init.zeros_(net.last.weight), nn.init.zeros_(net.last.bias)
    frames_of = blurred.expand(-1, frames, -1, -1) if planes == 1 else blurred[:, None].expand(-1, frames, -1, -1, -1)
    assert torch.equal(net(blurred).frames, frames_of)


@pytest.mark.parametrize("fold", [1, 2])
def test_an_output_sees_no_further_than_the_reach(fold):
    net = network(fold=fold).double()
    for name, weight in net.named_parameters():  # positive weights hide nothing
        nn.init.constant_(weight, 0 if name.endswith("bias") else 1e-2)
    farthest = []
    for place in range(296, 304):
        blurred = random(1, 1, 8, 600).double().requires_grad_()
        net(blurred).frames[0, :, :, place].sum().backward()
        seen = blurred.grad[0, 0].abs().amax(0).nonzero()
        farthest += [place - int(seen.min()), int(seen.max()) - place]
    assert net.reach - 2 * fold <= max(farthest) <= net.reach


def test_gradients_reach_every_parameter_and_a_step_lowers_the_loss():
    net, blurred, target = network(), random(2, 1, 16, 24), random(2, 7, 16, 24, seed=2)

    def loss():
        return (net(blurred).frames - target).square().mean()

    optimiser = torch.optim.SGD(net.parameters(), 0.01)
    before = loss()
    before.backward()
    assert all(one.grad is not None and one.grad.abs().max() > 0 for one in net.parameters())
    optimiser.step()
    assert loss() < before


def test_the_adversaries_pull_apart():
    """The discriminator follows the slope of its loss, the frames go against it by their weight."""
    torch.manual_seed(0)
    critic = PatchDiscriminator(widths=(4, 8, 8, 8))
    made, true = random(2, 1, 40, 32).requires_grad_(), random(2, 1, 40, 32, seed=2)
    adversarial_loss(critic, made, true, 0.5).backward()
    assert all(one.grad is not None and one.grad.abs().max() > 0 for one in critic.parameters())
    plain = made.detach().clone().requires_grad_()
    nn.functional.softplus(critic(plain)).mean().backward()  # -log(1 - D)
    assert torch.allclose(made.grad, -0.5 * plain.grad, atol=1e-9)


# What the stages compare ----------------------------------------------------------------------------------------------------


def test_gram_matrix_is_symmetric_with_those_of_the_frames_on_its_diagonal():
    features = random(2, 3, 5, 6, 8)
    gram = gram_matrix(features)
    assert gram.shape == (2, 15, 15) and torch.allclose(gram, gram.transpose(1, 2))
    for k in range(3):
        alone = torch.einsum("nchw,ndhw->ncd", features[:, k], features[:, k]) / (5 * 6 * 8)
        assert torch.allclose(gram[:, 5 * k : 5 * k + 5, 5 * k : 5 * k + 5], alone, atol=1e-6)


def test_triples_are_the_nine_of_equal_spacing():
    found = [(a, a + step, a + 2 * step) for step in (1, 2, 3) for a in range(7 - 2 * step)]
    assert len(TRIPLES) == 9 and set(TRIPLES) == set(found)


def test_gram_loss_tells_the_order_of_the_frames():
    features = [random(2, 7, 3, 6, 8), random(2, 7, 3, 3, 4, seed=2)]
    assert gram_loss(features, features).abs().max() == 0
    assert gram_loss(features, [one.flip(1) for one in features]).min() > 0


def test_cycle_loss_is_zero_when_the_generator_returns_the_frames():
    frames = random(2, 7, 6, 8)
    assert cycle_loss(frames, frames.clone()) == 0
    assert cycle_loss(frames, frames.flip(1)) > 0  # the mean is the same, the frames are not


def test_slow_motion_makes_42_frames_of_the_means_of_neighbours():
    frames = random(7, 6, 8)
    asked = []

    def generate(blurred):
        asked.append(blurred)
        return blurred[:, None].expand(-1, 7, -1, -1)

    slow = slow_motion(generate, frames)
    assert slow.shape == (42, 6, 8) and len(asked) == 6
    assert torch.equal(slow[7:14], ((frames[1] + frames[2]) / 2).expand(7, -1, -1))
    assert len(slow_motion(generate, frames, 2)) == 7 * 41 and torch.equal(slow_motion(generate, frames, 0), frames)
