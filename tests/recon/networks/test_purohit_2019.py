"""The recurrent flow decoder for one blurred picture: sizes, the identities of its paper, and that all of it learns."""

from __future__ import annotations

import pytest
import torch

from recon.networks.purohit_2019 import CHANNELS, STAGES, BatchNorm, FlowDecoder, Purohit2019, RecurrentDecoder, begin_bilinear
from recon.networks.residual_dense_u_net import ResidualDenseUNet
from recon.training.order_losses import pairwise
from sensors.refusal import Refusal

NARROW = {"width": 0.25, "growth": 4, "blocks": (1, 1, 1, 1)}


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def pictures(planes=1, height=32, width=48, clips=2):
    return torch.rand(clips, planes, height, width, generator=torch.Generator().manual_seed(5))


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(1)


@pytest.mark.parametrize(
    ("part", "millions"),
    [("deblurring", 4.776), ("blurred_encoder", 5.543), ("decoder", 1.886), ("video_encoder", 1.665)],
)
def test_published_sizes(part, millions):
    stage = "auto-encoder" if part == "video_encoder" else "blurred"
    network = Purohit2019(frames=9, planes=3, stage=stage, encoder="paper-size")
    assert count(getattr(network, part)) / 1e6 == pytest.approx(millions, abs=1e-3)


def test_small_sizes():
    assert count(Purohit2019(planes=3).blurred_encoder) == 1_649_856  # with the scales and offsets of batch normalisation
    assert count(ResidualDenseUNet(3, growth=32, blocks=(2, 2, 2, 3))) == 2_950_380


@pytest.mark.parametrize("fold", [1, 2])
@pytest.mark.parametrize("planes", [1, 3])
def test_shapes_of_a_picture_that_is_not_square(planes, fold):
    network = Purohit2019(frames=5, planes=planes, fold=fold, **NARROW)
    made = network(pictures(planes))
    assert made.frames.shape == (2, 5, planes, 32, 48) and made.sharp.shape == (2, planes, 32, 48)
    assert [flow.shape[3:] for flow in made.flows] == [(32 // s, 48 // s) for s in (8 * fold, 4 * fold, 2 * fold, fold)]
    assert [image.shape[3:] for image in made.images[:3]] == [flow.shape[3:] for flow in made.flows[:3]]
    assert made.images[3] is made.frames


def test_unrolled_to_any_number_of_frames():
    network = Purohit2019(frames=7, **NARROW).eval()
    few, many = network(pictures(), frames=2).frames, network(pictures(), frames=11).frames
    assert many.shape[1] == 11
    torch.testing.assert_close(few, many[:, :2])


def test_zero_flow_repeats_the_sharp_picture():
    network = Purohit2019(**NARROW)
    for head in network.decoder.flow_decoder.heads:
        torch.nn.init.zeros_(head.weight)
    sharp = pictures()
    made = network(pictures().flip(0), sharp)
    torch.testing.assert_close(made.frames, sharp[:, None].expand_as(made.frames), atol=1e-5, rtol=0)


@pytest.mark.parametrize("fold", [1, 2])
def test_flow_of_whole_pixels_moves_the_picture(fold):
    network = Purohit2019(frames=1, fold=fold, **NARROW)
    sharp = pictures()
    flow = torch.zeros(2, 1, 2, 32 // fold, 48 // fold)
    flow[:, :, 0], flow[:, :, 1] = 2 / fold, -4 / fold  # two rows down, four columns left, in pixels of the picture
    moved = network.moved(sharp, flow)[:, 0]
    torch.testing.assert_close(moved[:, :, 4:-6, 8:-8], sharp[:, :, 6:-4, 4:-12], atol=1e-4, rtol=0)


def test_a_decoder_begins_with_the_coarser_flow_enlarged():
    decoder = FlowDecoder(2, (4, 8, 16, 32), skips=False, flow=True)
    for head in decoder.heads:
        torch.nn.init.zeros_(head.bias)
    with torch.no_grad():
        decoder.heads[0].bias.copy_(torch.tensor([0.5, -0.25]))
        for head in decoder.heads:
            head.weight[:, 2:] = 0
        decoder.heads[0].weight.zero_()
        found = decoder(torch.rand(1, 32, 6, 5), [None] * 3)
    for scale, flow in enumerate(found):
        inner = flow[:, :, 2**scale : -(2**scale), 2**scale : -(2**scale)]
        wanted = torch.tensor([0.5, -0.25])[:, None, None] * 2**scale
        torch.testing.assert_close(inner, wanted.expand_as(inner[0])[None], atol=1e-5, rtol=0)


def test_bilinear_enlargement():
    layer = torch.nn.ConvTranspose2d(2, 2, 4, 2, 1)
    begin_bilinear(layer, 2.0)
    maps = torch.rand(1, 2, 6, 5)
    wanted = 2 * torch.nn.functional.interpolate(maps, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(layer(maps)[..., 1:-1, 1:-1], wanted[..., 1:-1, 1:-1])


@pytest.mark.parametrize(
    "settings",
    [
        {"stage": "deblurring"},
        {"stage": "auto-encoder"},
        {},
        {"flow": False, "fold": 2},
        {"recurrent": False},
        {"sharp_input": False},
        {"dense": False},
        {"own_deblurring": False},
        {"encoder": "paper-size"},
    ],
    ids=str,
)
def test_gradients_reach_every_parameter_and_a_step_lowers_the_loss(settings):
    network = Purohit2019(frames=5, **{**NARROW, **settings})
    truth = torch.rand(2, 5, 1, 32, 48)
    blurred, middle = truth.mean(1), truth[:, 2]

    def loss():
        if network.video_encoder is not None:
            made = network.auto_encoded(truth, network.deblur(blurred))
        else:
            made = network(blurred, None if network.deblurring is not None else middle)
        return sum(
            (image - torch.nn.functional.interpolate(truth.flatten(0, 1), image.shape[3:]).view_as(image)).square().mean()
            for image in made.images
        )

    before = loss()
    before.backward()
    silent = [name for name, parameter in network.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    assert not silent
    size = sum(parameter.grad.square().sum() for parameter in network.parameters())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter -= 1e-3 * parameter.grad / size.sqrt()
        assert loss() < before


def test_the_loss_of_pairs_does_not_change_when_the_video_is_reversed():
    frames, truth = torch.rand(2, 2, 7, 1, 8, 8)
    assert not torch.allclose(frames, frames.flip(1))
    torch.testing.assert_close(pairwise(frames, truth), pairwise(frames.flip(1), truth))


def test_frames_that_mirror_each_other_differ_from_the_start():
    made = Purohit2019(**NARROW)(pictures())
    assert (made.frames[:, 0] - made.frames[:, -1]).abs().mean() > 1e-4


def test_the_decoder_begins_near_the_sharp_picture():
    smooth = torch.nn.functional.interpolate(pictures(height=8, width=12), (32, 48), mode="bicubic")
    made = Purohit2019(**NARROW).eval()(smooth)
    assert (made.frames - smooth[:, None]).square().mean() < 0.1 * smooth.var()


def test_state_of_a_stage_goes_on_in_the_next():
    shared = Purohit2019(stage="auto-encoder", **NARROW).state_dict().keys() & Purohit2019(**NARROW).state_dict().keys()
    assert any(name.startswith("decoder.") for name in shared) and any(name.startswith("deblurring.") for name in shared)


def test_batch_normalisation_is_that_of_torch():
    ours, theirs = BatchNorm(3), torch.nn.BatchNorm2d(3)
    for _ in range(3):
        x = 2 + 3 * torch.rand(4, 3, 5, 6)
        torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))
    assert {name for name, _ in ours.named_buffers()} == {"mean", "variance"}


def test_a_recurrent_cell_sees_the_frames_before():
    decoder = RecurrentDecoder(2, CHANNELS, True)
    found = decoder(torch.rand(1, 128, 3, 4), 3)
    assert len(found) == 3 and not torch.allclose(found[0][-1], found[1][-1])


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"stage": "last"}, "unknown stage='last'"),
        ({"encoder": "tiny"}, "unknown stage='blurred' or encoder='tiny'"),
        ({"width": 0.01}, "leave no channel"),
    ],
)
def test_what_cannot_be_is_refused(settings, line):
    with pytest.raises(Refusal, match=line):
        Purohit2019(**settings)


def test_parts_that_are_missing_are_named():
    with pytest.raises(Refusal, match="no deblurring module"):
        Purohit2019(own_deblurring=False, **NARROW)(pictures())
    with pytest.raises(Refusal, match="no video encoder"):
        Purohit2019(**NARROW).auto_encoded(pictures()[:, None], pictures())
    with pytest.raises(Refusal, match="makes 7 frames, not 5"):
        Purohit2019(recurrent=False, **NARROW)(pictures(), frames=5)


@pytest.mark.parametrize("stage", STAGES[:2])
def test_before_the_last_stage_the_sharp_picture_is_repeated(stage):
    network = Purohit2019(stage=stage, **NARROW)
    blurred = pictures()
    torch.testing.assert_close(network(blurred).frames, network.deblur(blurred)[:, None].expand(-1, 7, -1, -1, -1))
