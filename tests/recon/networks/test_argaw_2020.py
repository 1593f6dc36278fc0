"""Transformed features and pictures for one blurred picture: sizes, the identities of its paper, and that all of it learns."""

from __future__ import annotations

import pytest
import torch

from recon.networks.argaw_2020 import Argaw2020
from recon.networks.spatial_transformer import Localisation, LocalWarping, affine_displacement, inverse
from recon.networks.warping import warp
from recon.training.multi_scale_losses import mirrored_similarity, multi_scale, scale_weights, transformation_consistency
from recon.training.order_losses import mean_absolute
from sensors.refusal import Refusal

NARROW = {"base": 4, "growth": 4, "scales": 3, "refinement": 4, "localisation": 4}


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def pictures(planes=1, height=32, width=48, clips=2):
    return torch.rand(clips, planes, height, width, generator=torch.Generator().manual_seed(5))


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(1)


@pytest.mark.parametrize(
    ("settings", "millions"),
    [
        ({"frames": 3}, 43.468),
        ({"frames": 7}, 107.719),
        ({"frames": 3, "base": 16, "growth": 16}, 12.213),
        ({"frames": 3, "light": True}, 27.405),
    ],
    ids=str,
)
def test_published_sizes(settings, millions):
    with torch.device("meta"):
        network = Argaw2020(planes=3, **settings)
    assert count(network) / 1e6 == pytest.approx(millions, abs=1e-3)


@pytest.mark.parametrize("fold", [1, 2])
@pytest.mark.parametrize("planes", [1, 3])
def test_shapes_of_a_picture_that_is_not_square(planes, fold):
    made = Argaw2020(5, planes, fold=fold, **NARROW)(pictures(planes))
    assert made.frames.shape == (2, 5, planes, 32, 48) and made.frames is made.images[-1]
    assert [image.shape[3:] for image in made.images] == [(8, 12), (16, 24), (32, 48)]
    assert [[theta.shape for theta in kind] for kind in made.thetas] == [[(2, 4, 2, 3)] * 3] * 2


def test_some_of_the_frames_are_those_of_all():
    network = Argaw2020(7, light=True, **NARROW)
    every, some = network(pictures()), network(pictures(), [1, 5])
    assert some.places == [1, 3, 5] and every.places == list(range(7))
    torch.testing.assert_close(some.frames, every.frames[:, [1, 3, 5]])
    assert some.thetas[0][0].shape[1] == 2


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("light", [False, True])
def test_gradients_reach_every_parameter_and_a_step_lowers_the_loss(light, residual):
    network, truth = Argaw2020(5, light=light, residual=residual, fold=2, **NARROW), torch.rand(2, 5, 32, 48)

    def loss():
        made = network(truth.mean(1, keepdim=True))
        images = [image[:, :, 0] for image in made.images]
        total = multi_scale(images, truth, mean_absolute) + 1e-2 * transformation_consistency(made.thetas)
        return total + 0.5 * mirrored_similarity(images[-1], truth)

    before = loss()
    before.backward()
    silent = [name for name, parameter in network.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    assert not silent
    size = sum(parameter.grad.square().sum() for parameter in network.parameters())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter -= 1e-3 * parameter.grad / size.sqrt()
        assert loss() < before


def still(network):
    """A network whose transformations are the identity, and whose local displacements are zero."""
    for module in network.modules():
        if isinstance(module, Localisation):
            torch.nn.init.zeros_(module.affine.weight)
        if isinstance(module, LocalWarping):
            torch.nn.init.zeros_(module.layers[-1].weight)
    return network


def test_without_motion_the_features_are_given_back():
    network = still(Argaw2020(3, **NARROW))
    features = [torch.rand(2, 4 * 2**level, 16 // 2**level, 24 // 2**level) for level in range(3)]
    pictures_ = [torch.rand(2, 1, 8 * 2**level, 12 * 2**level) for level in range(3)]
    moved = network.transformers[0](features, pictures_, False)
    for found, given in zip(moved.features, features, strict=True):
        torch.testing.assert_close(found, given.repeat(1, 3, 1, 1), atol=1e-5, rtol=0)
    for found in (moved.pictures, moved.along):
        for one, given in zip(found, pictures_, strict=True):
            torch.testing.assert_close(one, given, atol=1e-5, rtol=0)


def test_a_residual_network_without_motion_begins_near_the_blurred_picture():
    smooth = torch.nn.functional.interpolate(pictures(height=8, width=12), (32, 48), mode="bicubic")
    made = still(Argaw2020(5, residual=True, **NARROW))(smooth)
    assert (made.frames - smooth[:, None]).square().mean() < 0.1 * smooth.var()


def test_mirrored_frames_have_inverse_transformations():
    network = Argaw2020(7, light=True, **NARROW)
    for module in network.modules():
        if isinstance(module, Localisation):
            torch.nn.init.normal_(module.affine.weight, std=0.1)
    whole = torch.eye(3)
    for kind in network(pictures()).thetas:
        for theta in kind:
            rows = torch.tensor([0.0, 0.0, 1.0]).expand(2, 1, 3)
            for before, after in ((0, 5), (1, 4), (2, 3)):  # without the middle frame
                product = torch.cat([theta[:, before], rows], 1) @ torch.cat([theta[:, after], rows], 1)
                assert not torch.allclose(theta[:, before], whole[:2])
                torch.testing.assert_close(product, whole.expand(2, 3, 3), atol=1e-5, rtol=0)


def test_the_inverse_undoes_a_warp():
    theta = torch.tensor([[[1.0, 0.05, 0.1], [-0.03, 1.0, -0.05]]])
    smooth = torch.nn.functional.interpolate(pictures(height=4, width=6, clips=1), (64, 96), mode="bicubic")
    moved = warp(smooth, affine_displacement(theta, (64, 96)))
    back = warp(moved, affine_displacement(inverse(theta), (64, 96)))
    assert (moved - smooth)[..., 12:-12, 12:-12].abs().max() > 0.05
    torch.testing.assert_close(back[..., 12:-12, 12:-12], smooth[..., 12:-12, 12:-12], atol=0.01, rtol=0)


def test_a_warp_by_nothing_that_is_a_number_is_survived():
    """A training that diverges ends with a refusal, not with the process."""
    image, field = torch.rand(2, 1, 24, 40, requires_grad=True), torch.zeros(2, 2, 24, 40)
    field[:, :, 3:9, 5:30] = float("nan")
    field.requires_grad_()
    warp(image, field).square().sum().backward()
    assert image.grad is not None and torch.isfinite(image.grad).all()


def test_an_affine_map_does_not_depend_on_the_scale():
    theta = torch.tensor([[[1.1, 0.05, 0.1], [-0.03, 0.9, -0.05]]])
    coarse, fine = (affine_displacement(theta, (8 * k, 12 * k)) for k in (1, 4))
    torch.testing.assert_close(4 * coarse, torch.nn.functional.avg_pool2d(fine, 4), atol=1e-4, rtol=0)


def test_an_affine_shift_is_in_pixels():
    theta = torch.tensor([[[1.0, 0.0, 2 * 3 / 12], [0.0, 1.0, -2 * 2 / 8]]])  # three columns of 12, two rows of 8
    displacement = affine_displacement(theta, (8, 12))
    torch.testing.assert_close(
        displacement, torch.tensor([-2.0, 3.0])[None, :, None, None].expand(1, 2, 8, 12), atol=1e-5, rtol=0
    )


def test_localisation_learns_in_bfloat16_too():
    """There oneDNN's gradient of a convolution of stride 2 on a single pixel is not a number."""
    find, seen = Localisation(16, 64), torch.rand(2, 16, 2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        (find(seen) * torch.arange(6.0).view(2, 3)).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in find.parameters())


@pytest.mark.parametrize("off", ["affine", "local", "pictures"])
def test_each_transformation_can_be_switched_off(off):
    whole, less = Argaw2020(3, **NARROW), Argaw2020(3, **NARROW, **{off: False})
    assert count(less) < count(whole)
    made = less(pictures())
    assert made.frames.shape == (2, 3, 1, 32, 48)
    assert [len(kind) for kind in made.thetas] == [0 if off == "affine" else 3, 0 if off == "pictures" else 3]


def test_what_cannot_be_is_refused():
    with pytest.raises(Refusal, match="as many on both sides"):
        Argaw2020(4)
    with pytest.raises(Refusal, match="equal"):
        Argaw2020(3, light=True, affine=False, local=False, pictures=False)


def test_the_penalty_is_bounded_by_the_motion():
    truth = torch.rand(2, 5, 8, 8)
    bound = -(truth - truth.flip(1)).abs().mean((0, 2, 3)).sum()
    assert mirrored_similarity(100 * torch.rand(2, 5, 8, 8), truth) >= bound
    torch.testing.assert_close(mirrored_similarity(truth, truth), bound)
    assert mirrored_similarity(truth.flip(1), truth) == 0


def test_consistency_is_zero_for_equal_maps():
    theta = torch.rand(2, 4, 2, 3)
    assert transformation_consistency([[theta, theta.clone(), theta.clone()], []]) < 1e-4
    apart = torch.zeros(2, 4, 2, 3)
    apart[..., 0, 2] = 0.5
    torch.testing.assert_close(transformation_consistency([[theta, theta + apart]]), torch.tensor(4 * 0.5))


def test_scales_are_weighted_from_coarse_to_fine():
    assert scale_weights(0, 100) == [1.0, 0.5, 0.2, 0.1] and scale_weights(100, 100) == scale_weights(7, 0) == [
        0.0,
        0.0,
        0.2,
        1.0,
    ]
    assert scale_weights(50, 100) == pytest.approx([0.5, 0.25, 0.2, 0.55])
