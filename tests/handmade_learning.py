"""Small methods, sensors and films for tests of what is learnt."""

from __future__ import annotations

import inspect
from dataclasses import fields, replace

import numpy as np
import torch

import sensors
from c2b import codes
from recon.learned.coded_blurred_pair import CodedBlurredPair, SingleBlurred, SingleCoded
from recon.learned.unfolding import Unfolding
from recon.training.settings import TrainingSettings

CODE = codes.make("impulse:tile=[2,3]")
MASK = np.random.default_rng(5).integers(0, 2, (5, 40, 48), np.uint8)
KINDS = {"unfolding": Unfolding, "pair": CodedBlurredPair, "coded": SingleCoded, "blurred": SingleBlurred}
SMALL = {
    "unfolding": {"width": 4, "stages": 2},
    **{name: {"width": 1 / 16, "residual": True} for name in ("pair", "coded", "blurred")},
}
WORDS = {f.name for f in fields(TrainingSettings)}


def method_of(kind, **words):
    """A method of a kind or a name, with words for itself and for its training."""
    kind = KINDS.get(kind, kind)
    training = {key: words.pop(key) for key in tuple(words) if key in WORDS}
    return kind(**words, training=replace(inspect.signature(kind).parameters["training"].default, **training))


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


def taught(name, sensor, **words):
    method = method_of(name, **SMALL[name], steps=2, batch=2, crop=24, seed=3, precision="float32", **words)
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


def batches_of(method, sensor, clips=None):
    """Batches as the method itself would draw them."""
    from recon.training.batches import Batches, first_of

    first = first_of(sensor, method.training.seed)
    network = method.build(first)
    clips = film() if clips is None else clips
    start = method.begins_with(first)
    return Batches(method.training, clips, sensor, start=start, multiple=network.multiple, loss=method.loss)


def same(first, second):
    """Whether two trained methods have the same weights, bit for bit."""
    states = (one.trained_.network.state_dict().values() for one in (first, second))
    return all(torch.equal(a, b) for a, b in zip(*states, strict=True))
