"""LPIPS with VGG16, by the weights of a file of the user's own; none come with c2b.

R. Zhang, P. Isola, A. Efros, E. Shechtman, O. Wang, "The unreasonable effectiveness of deep features as a perceptual metric", CVPR
2018: features of unit length at each place, their squared differences weighted by channel, mean over the places, summed over five
layers.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from recon.measures.measure import Metric, Outcome, planes
from sensors.refusal import Refusal

#: Convolutions of VGG16, as torchvision numbers them, whose outputs are compared: the last one before each pooling.
LAYERS = (2, 7, 14, 21, 28)

#: Name of the weights of the channels of a layer in the file, as the authors' package has it, and what keeps a length above zero.
LINEAR, LEAST = "lin{}.model.1.weight", 1e-10

#: Smallest side of a frame: four poolings leave one pixel.
SMALLEST = 16


class LearnedSimilarity(Metric):
    """LPIPS (VGG16), mean over frames, with weights of your own; frames of 16x16 pixels and more, grey ones as three equal colours.

    Parameters
    ----------
    weights : str
        A safetensors file with the convolutions of VGG16 by their names of torchvision (``features.0.weight`` ...) and the weights of
        the channels by those of the package lpips (``lin0.model.1.weight`` to ``lin4.model.1.weight``).
    """

    better = "lower"

    def __init__(self, weights: str = "") -> None:
        self.weights = weights

    def refusal(self) -> str:
        """Why it cannot be measured here."""
        if not self.weights:
            return "lpips needs weights, which do not come with c2b: lpips:weights=./FILE.safetensors, VGG16 and lin0 to lin4 of lpips"
        if not find_spec("torch"):
            return "lpips needs torch; install it with: pip install '.[learned]'"
        try:
            _network(self.weights)
        except Refusal as reason:
            return str(reason)
        return ""

    def __call__(self, outcome: Outcome) -> float:
        """LPIPS of one exposure."""
        import torch

        if min(outcome.truth.shape[1:3]) < SMALLEST:
            size = "{}x{}".format(*outcome.truth.shape[1:3])
            raise Refusal(f"lpips compares frames of {SMALLEST}x{SMALLEST} pixels and more, not {size}")
        features, linear = _network(self.weights)
        found = []
        with torch.inference_mode():
            for pair in zip(*outcome.shown, strict=True):
                made, true = (features(torch.from_numpy(np.moveaxis(planes(one[None]), -1, 1).copy())) for one in pair)
                layers = zip(made, true, linear, strict=True)
                found.append(sum(float((weights * (_unit(a) - _unit(b)).square()).sum(1).mean()) for a, b, weights in layers))
        return float(np.mean(found))


def _unit(maps: Any) -> Any:
    """Features (N, C, H, W) of unit length over the channels."""
    return maps / (maps.square().sum(1, keepdim=True).sqrt() + LEAST)


@lru_cache(maxsize=2)
def _network(name: str) -> tuple[Any, list[Any]]:
    """Features, and the weights (1, C, 1, 1) of their channels."""
    from safetensors.torch import load_file

    from recon.training import perceptual

    features = perceptual.make(name, LAYERS)
    tensors = load_file(name)
    if missing := [LINEAR.format(k) for k in range(len(LAYERS)) if LINEAR.format(k) not in tensors]:
        raise Refusal(f"{name} has no {missing[0]}; needed: lin0 to lin4 of the package lpips beside VGG16, in one file")
    linear = [tensors[LINEAR.format(k)].float() for k in range(len(LAYERS))]
    wide = [tensors[f"features.{layer}.bias"].numel() for layer in LAYERS]
    if [tuple(one.shape) for one in linear] != [(1, channels, 1, 1) for channels in wide]:
        raise Refusal(f"{name}: {LINEAR.format('K')} are of other shapes than (1, C, 1, 1) for {wide} channels")
    return features, linear
