"""Settings of a training: numbers and words, so that they can be listed, stored and compared without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sensors.refusal import Refusal

#: Words of the settings that take one of a few values.
CHOICES = {"error": ("", "absolute", "rms"), "response": ("none", "srgb"), "initial": ("", "torch", "he", "classical", "published")}

#: Slowest speed of what moves, pixels per frame.
SLOWEST = 0.05

#: Least defocus of a photograph that is out of focus, standard deviation in pixels.
LEAST_DEFOCUS = 0.3

#: Settings on which the state after a step of the plateau does not depend.
NOT_IN_KEY = ("steps", "every", "patience")


@dataclass(frozen=True)
class TrainingSettings:
    """What a training run is, besides its network, its data and its sensor.

    The learning rate rises over ``warm_up`` steps, stays, and falls to zero along half a cosine over the last ``decay`` of the steps.
    A run can be made longer: it goes on from its last state before the decay, to the same weights as if it had been that long from the
    beginning.

    Parameters
    ----------
    steps : int
        Number of optimiser steps (one batch each).
    batch : int
        Clips in a batch of the usual crop; batches of other crops or lengths have as many as cost the same.
    crop : int
        Side of a clip in pixels, rounded up to the grid of the network.
    first_crop : int
        Side of the clips in the first steps; 0 for the usual one.
    first_steps : int
        Number of steps with ``first_crop``.
    last_crop : int
        Side of the clips while the rate decays; 0 for the usual one.
    rate : float
        Largest learning rate of Adam.
    betas : (float, float)
        Decay of Adam's two moments.
    warm_up : int
        Steps over which the rate rises.
    decay : float
        Share of the steps, the last ones, over which the rate falls.
    average : float
        Decay of the moving average of the weights, per step; the average is validated and saved.
    clipping : float
        Largest norm of the gradient.
    initial : str
        Initial weights: ``torch``, the default of torch; ``he``, He et al. 2015 with a small last layer and the mean luminance in its
        bias; ``classical``, He with channels set so that the network begins as the classical answer; ``published``, as a paper says.
        By default the network's own.
    variation : float
        Weight of the total variation of the result in the loss.
    variation_step : int
        Pixels between the differences of the total variation, 1 or 2.
    error : str
        Training loss: ``absolute``, mean absolute error, or ``rms``, root mean square of each video; by default that of the method.
    response : str
        ``srgb`` to learn on linear light, with errors measured after encoding; ``none`` takes stored values for light.
    photographs : float
        Share of the clips that are photographs in motion.
    fastest : float
        Largest speed of a photograph or an object in front of it, pixels per frame.
    skip : int
        Film is run up to so many times faster, by leaving out frames.
    shutter : float
        Largest part of a frame's time for which it is exposed; more blurs what moves fast as a camera does.
    defocus : float
        Largest defocus of photographs behind the objects in front of them, standard deviation in pixels: what is out of focus is not
        blurred by motion. Every second one is; 0 leaves them as they are.
    reversal : bool
        Show clips backwards too. Not where the order of the frames cannot be observed.
    kept : int
        Clips drawn once, kept in memory as 8 bit and cropped, mirrored and brightened anew in each pass; 0 draws new clips for ever.
    distinct : int
        Different batches, each kept in memory with its classical start and shown as it is; 0 for new ones for ever.
    every : int
        Steps between validations, each followed by a checkpoint.
    patience : float
        Begin the decay once the validation gains less than so many dB in an hour of training; 0 never.
    seed : int
        Seed of weights, clips and noise.

    Raises
    ------
    Refusal
        If a setting is out of range.
    """

    steps: int = 20_000
    batch: int = 8
    crop: int = 96
    first_crop: int = 0
    first_steps: int = 0
    last_crop: int = 0
    rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)
    warm_up: int = 400
    decay: float = 0.3
    average: float = 0.999
    clipping: float = 1.0
    initial: str = ""
    variation: float = 0.0
    variation_step: int = 2
    error: str = ""
    response: str = "none"
    photographs: float = 0.5
    fastest: float = 6.0
    skip: int = 3
    shutter: float = 0.0
    defocus: float = 0.0
    reversal: bool = True
    kept: int = 0
    distinct: int = 0
    every: int = 500
    patience: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise Refusal(f"unknown {name} {getattr(self, name)!r}; known: {', '.join(filter(None, known))}")
        for name in ("steps", "batch", "crop", "rate", "clipping", "skip", "every"):
            if not getattr(self, name) > 0:
                raise Refusal(f"{name}={getattr(self, name)} is not above 0")
        if not SLOWEST < self.fastest < float("inf"):
            raise Refusal(f"fastest={self.fastest} px per frame; needed: above {SLOWEST}")
        for name in ("first_crop", "first_steps", "last_crop", "warm_up", "variation", "kept", "distinct", "patience", "seed"):
            if not getattr(self, name) >= 0:
                raise Refusal(f"{name}={getattr(self, name)}; needed: 0 or more")
        if self.defocus and not LEAST_DEFOCUS < self.defocus < float("inf"):
            raise Refusal(f"defocus={self.defocus} px; needed: 0, or above {LEAST_DEFOCUS}")
        for name in ("photographs", "shutter", "decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise Refusal(f"{name}={getattr(self, name)} is a share; needed: 0 to 1")
        for name, values in (("betas", self.betas), ("average", (self.average,))):
            if not all(0 <= value < 1 for value in values):
                raise Refusal(f"{name}={getattr(self, name)}; needed: from 0 to below 1")
        if self.variation_step not in (1, 2):
            raise Refusal(f"variation_step={self.variation_step}; needed: 1 or 2")
        if self.kept and self.distinct:
            raise Refusal(f"kept={self.kept} and distinct={self.distinct} both say what comes again; needed: one of them")
        if self.distinct and (self.first_crop or self.last_crop):
            raise Refusal(f"distinct={self.distinct} batches are shown as they are; leave first_crop and last_crop out")
        if bool(self.first_crop) != bool(self.first_steps):
            raise Refusal(f"first_crop={self.first_crop} and first_steps={self.first_steps} go together; needed: both or none")

    @property
    def largest_crop(self) -> int:
        """The largest side of a clip at any step."""
        return max(self.crop, self.first_crop, self.last_crop)

    def key(self) -> dict[str, Any]:
        """What the weights after a step of the plateau depend on, as JSON has it."""
        return {name: _plain(value) for name, value in asdict(self).items() if name not in NOT_IN_KEY}


def completed(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A key of an earlier version: settings that it does not have yet stand at their default."""
    return {**TrainingSettings().key(), **stored}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
