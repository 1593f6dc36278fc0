"""Features that losses compare: gradients, and VGG from a file of one's own."""

from __future__ import annotations

import pytest

from sensors.refusal import Refusal

torch = pytest.importorskip("torch")
from safetensors.torch import save_file  # noqa: E402

from recon.training import perceptual  # noqa: E402

#: Convolutions of VGG16 by the numbers of torchvision, and a few channels for each.
VGG16 = {0: (3, 4), 2: (4, 4), 5: (4, 6), 7: (6, 6), 10: (6, 8), 12: (8, 8), 14: (8, 8)}


def vgg(seed=0):
    torch.manual_seed(seed)
    layers = {number: torch.nn.Conv2d(*channels, 3, padding=1) for number, channels in VGG16.items()}
    return layers, {
        f"features.{n}.{part}": getattr(layer, part).detach() for n, layer in layers.items() for part in ("weight", "bias")
    }


def test_gradients_tell_edges_at_three_scales_and_no_brightness():
    picture = torch.rand(2, 1, 16, 24)
    maps = perceptual.gradients(picture)
    assert [tuple(one.shape) for one in maps] == [(2, 2, 15, 23), (2, 2, 7, 11), (2, 2, 3, 5)]
    assert torch.allclose(maps[0][:, 0], picture[:, 0, 1:, :-1] - picture[:, 0, :-1, :-1])
    assert perceptual.perceptual_loss(perceptual.gradients, picture + 0.25, picture) < 1e-6
    assert perceptual.perceptual_loss(perceptual.gradients, picture.flip(-1), picture) > 0.1
    assert perceptual.make("gradients") is perceptual.gradients


def test_vgg_of_a_file_is_that_of_its_layers(tmp_path):
    layers, tensors = vgg()
    save_file(tensors, tmp_path / "vgg.safetensors")
    picture = torch.rand(2, 1, 16, 24)
    x = (picture - torch.tensor(perceptual.VGG_MEAN)[:, None, None]) / torch.tensor(perceptual.VGG_DEVIATION)[:, None, None]
    for number in (0, 2, "pool", 5, 7):
        x = torch.nn.functional.max_pool2d(x, 2) if number == "pool" else torch.relu(layers[number](x))
    found = perceptual.make(str(tmp_path / "vgg.safetensors"), (7, 14))(picture)
    assert len(found) == 2 and torch.allclose(found[0], x, atol=1e-5) and found[1].shape == (2, 8, 4, 6)
    assert perceptual.make(str(tmp_path / "vgg.safetensors"))(picture)[0].shape == (2, 8, 4, 6)  # the last one


def test_files_that_hold_something_else_are_refused(tmp_path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    save_file(vgg()[1], tmp_path / "vgg.safetensors")
    (tmp_path / "text.safetensors").write_text("nothing")
    for name, layers in (("other", ()), ("text", ()), ("none", ()), ("vgg", (99,))):
        with pytest.raises(Refusal):
            perceptual.make(str(tmp_path / f"{name}.safetensors"), layers)
