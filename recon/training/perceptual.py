"""Features of pictures by which training losses compare them, beside their values.

Papers take the features of a network that names what pictures show: VGG, of K. Simonyan, A. Zisserman, ICLR 2015. Its weights do not
come with c2b. In their place stand the gradients of a picture at three scales; who has the weights as safetensors, with the names of
torchvision (``features.0.weight`` ...), names that file, of VGG16 or VGG19.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recon.learned.network import device
from sensors.refusal import Refusal

#: The substitute for weights that cannot be had.
GRADIENTS = "gradients"

#: Means over so many pixels, of which the gradients are taken.
SCALES = (1, 2, 4)

#: Mean and standard deviation of the pictures that VGG was trained on, red, green, blue.
VGG_MEAN, VGG_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

#: Pictures (N, 1, H, W) to maps (N, C, h, w).
Features = Callable[[Tensor], list[Tensor]]


def make(name: str, layers: Sequence[int] = ()) -> Features:
    """Features by their name.

    Parameters
    ----------
    name : str
        ``gradients``, or a file of VGG weights (.safetensors).
    layers : sequence of int
        The convolutions of VGG whose outputs, after the ReLU, are the features, as torchvision numbers them; the last one if empty.

    Raises
    ------
    Refusal
        If there is no such file, or it holds something else.
    """
    return gradients if name == GRADIENTS else _vgg(name, tuple(layers))


def gradients(pictures: Tensor) -> list[Tensor]:
    """Differences of neighbours down and across, (N, 2, h - 1, w - 1), at each of `SCALES` that leaves two pixels."""
    found = []
    for scale in SCALES:
        if min(pictures.shape[-2:]) >= 2 * scale:
            mean = F.avg_pool2d(pictures, scale)
            found.append(torch.cat([mean[..., 1:, :-1] - mean[..., :-1, :-1], mean[..., :-1, 1:] - mean[..., :-1, :-1]], 1))
    return found


def perceptual_loss(features: Features, made: Tensor, true: Tensor) -> Tensor:
    """Mean absolute difference of the features of pictures (N, 1, H, W), summed over the maps."""
    with torch.no_grad():
        theirs = features(true)
    return torch.stack([(a - b).abs().mean() for a, b in zip(features(made), theirs, strict=True)]).sum()


class Vgg(nn.Module):
    """The convolutions of VGG16 or VGG19 up to the last one asked for; pictures of one plane are shown as grey.

    Parameters
    ----------
    tensors : mapping
        ``features.N.weight`` and ``features.N.bias``, N as torchvision numbers the layers: a step of three has a pooling in it.
    layers : tuple of int
        See `make`.
    """

    def __init__(self, tensors: dict[str, Tensor], layers: tuple[int, ...]) -> None:
        super().__init__()
        numbers = sorted(int(name.split(".")[1]) for name in tensors if name.startswith("features.") and name.endswith(".weight"))
        self.layers = layers or numbers[-1:]
        self.numbers = [number for number in numbers if number <= max(self.layers)]
        for number in self.numbers:
            for part in ("weight", "bias"):
                self.register_buffer(f"{part}{number}", tensors[f"features.{number}.{part}"].float())
        self.register_buffer("mean", torch.tensor(VGG_MEAN)[:, None, None])
        self.register_buffer("deviation", torch.tensor(VGG_DEVIATION)[:, None, None])

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """The features."""
        x, found, before = (pictures - self.get_buffer("mean")) / self.get_buffer("deviation"), [], -2
        for number in self.numbers:
            if number - before > 2:
                x = F.max_pool2d(x, 2)
            x = torch.relu(F.conv2d(x, self.get_buffer(f"weight{number}"), self.get_buffer(f"bias{number}"), padding=1))
            if number in self.layers:
                found.append(x)
            before = number
        return found


@lru_cache(maxsize=4)
def _vgg(name: str, layers: tuple[int, ...]) -> Features:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(name)
    if not path.is_file():
        raise Refusal(f"no features {name}; known: {GRADIENTS}, or a file of VGG weights (.safetensors, names of torchvision)")
    try:
        network = Vgg(load_file(path), layers)
        network(torch.zeros(1, 1, 32, 32))
    except (SafetensorError, KeyError, ValueError, IndexError, RuntimeError) as error:
        raise Refusal(
            f"{path.name} does not hold VGG weights with the names of torchvision: {str(error).splitlines()[0]}"
        ) from error
    if missing := set(layers or (0,)) - set(network.numbers):
        raise Refusal(f"{path.name} has no convolution {', '.join(map(str, sorted(missing)))} of VGG")
    return network.to(device()).eval()
