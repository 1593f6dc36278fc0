"""The networks of Jin, Meishvili and Favaro: what is published of their size, and the identities that hold for any weights."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from recon.networks.jin_2018 import CHAINS, Jin2018  # noqa: E402

SMALL = {"width": 8, "side_width": 8, "folds": (2, 2)}


def network(seed=0, **settings):
    torch.manual_seed(seed)
    return Jin2018(**{**SMALL, **settings})


def pictures(planes=1, count=2, height=16, width=24):
    return torch.rand(count, planes, height, width, generator=torch.Generator().manual_seed(1))


def parameters(module):
    return sum(one.numel() for one in module.parameters())


# What is published ----------------------------------------------------------------------------------------------------------


def test_parameters_are_those_of_the_published_networks():
    net = Jin2018(planes=3)
    assert parameters(net.middle) == pytest.approx(4.97e6, abs=5e3) and parameters(net) == pytest.approx(18.2e6, abs=5e4)
    first, other = net.sides[0][0], net.sides[1][0]
    assert parameters(first) == pytest.approx(3.93e6, abs=5e3) and parameters(other) == pytest.approx(2.69e6, abs=5e3)
    assert [len(one) for one in net.sides] == [2, 1, 1]  # those of a pair after the first share their weights
    assert parameters(Jin2018(planes=3, shared=True)) == parameters(net) - parameters(other)


@pytest.mark.parametrize(("size", "part", "billions"), [((720, 1280), "middle", 918), ((720, 1280), "all", 3029)])
def test_multiplications_are_those_of_the_published_networks(size, part, billions):
    net, blurred = Jin2018(planes=3).to("meta"), torch.empty(1, 3, *size, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(blurred) if part == "all" else net.middle(blurred)
    assert counter.get_total_flops() / 2e9 == pytest.approx(billions, abs=0.5)


def test_sides_are_multiples_of_both_folds():
    assert Jin2018(planes=1, width=8, side_width=8).multiple == (20, 20) and network(folds=(4, 4)).multiple == (4, 4)


def test_published_begin_is_orthogonal():
    net = network()
    assert net.begin_as_published() == ""
    weight = net.middle.groups[0][0].second.weight.flatten(1)
    assert torch.allclose(weight @ weight.T, torch.eye(len(weight)), atol=1e-5)
    assert net.middle.last.weight.square().sum().item() == pytest.approx(1, abs=1e-5)


# Any weights ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.parametrize("frames", [3, 7, 9])
def test_frames_have_the_size_of_the_picture(planes, frames):
    net, blurred = network(planes=planes, frames=frames), pictures(planes)
    made = net(blurred)
    assert made.frames.shape == ((2, frames, 16, 24) if planes == 1 else (2, frames, 3, 16, 24))
    middle = made.frames[:, frames // 2]
    assert torch.equal(middle[:, None] if planes == 1 else middle, made.middle)


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("with_middle", [True, False])
def test_with_last_layers_of_zero_every_frame_is_the_blurred_picture(chain, with_middle):
    net, blurred = network(chain=chain, with_middle=with_middle), pictures()
    for name, weight in net.named_parameters():
        if name.endswith("last.weight"):
            torch.nn.init.zeros_(weight)
    assert torch.equal(net(blurred).frames, blurred.expand(-1, 7, -1, -1))


def test_a_middle_frame_that_is_given_stands_in_the_place_of_its_own():
    net, blurred = network(), pictures()
    true = pictures(count=2).flip(0)
    made, alone = net(blurred, true), net(blurred)
    assert torch.equal(made.frames[:, 3:4], true) and torch.equal(made.middle, alone.middle)
    assert all(not torch.equal(made.frames[:, k], alone.frames[:, k]) for k in range(7))


def test_only_sequential_frames_see_those_of_other_pairs():
    """Another first pair changes the frames further out, or none."""
    blurred = pictures()
    for chain in CHAINS:
        net = network(chain=chain)
        before = net(blurred).frames
        with torch.no_grad():
            net.sides[0][0].last.weight.mul_(-3)
        changed = [k for k in range(7) if not torch.equal(net(blurred).frames[:, k], before[:, k])]
        assert changed == {"sequential": [0, 1, 2, 4, 5, 6], "pairs": [2, 4]}.get(chain, [2])


def test_without_the_middle_frame_it_changes_no_other():
    net, blurred = network(chain="pairs", with_middle=False), pictures()
    made = net(blurred, blurred.flip(0)).frames
    assert all(torch.equal(made[:, k], net(blurred).frames[:, k]) for k in (0, 1, 2, 4, 5, 6))


@pytest.mark.parametrize("chain", CHAINS)
def test_gradients_reach_every_parameter_and_a_step_lowers_the_loss(chain):
    net, blurred = network(chain=chain), pictures()
    target = torch.rand(2, 7, 16, 24, generator=torch.Generator().manual_seed(2))

    def loss():
        return (net(blurred).frames - target).square().mean()

    optimiser = torch.optim.SGD(net.parameters(), 0.05)
    before = loss()
    before.backward()
    assert all(one.grad is not None and one.grad.abs().max() > 0 for one in net.parameters())
    optimiser.step()
    assert loss() < before


def test_planes_are_folded_with_the_same_weights():
    """What stands before the layers at full size treats each plane alike."""
    net, blurred = network(planes=3), pictures(3)
    with torch.no_grad():
        net.middle.join[0].weight.copy_(net.middle.join[0].weight.mean(1, keepdim=True).expand(-1, 3, -1, -1))
        net.middle.last.weight.copy_(net.middle.last.weight.mean(0, keepdim=True).expand(3, -1, -1, -1))
    order = [2, 0, 1]
    made = net.middle(blurred)
    assert torch.allclose(net.middle(blurred[:, order]), made[:, order], atol=1e-5)
