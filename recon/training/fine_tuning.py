"""Fine-tuning on one's own captures: there is no truth, and the weights that one has are not given up for worse ones.

What is learnt from are the reconstructions that the network made before, moved by any number of pixels, mirrored, transposed, reversed
in time, and captured anew by the same sensor under its own light and noise: what a network makes of a scene should move with the
scene, whatever the phase of the code (equivariant imaging: D. Chen, J. Tachella, M. Davies, ICCV 2021; there the video that is moved is
that of the network as it learns, here that of the network as it was, which cannot drift).

Whether that has gained anything is asked of captures that are held back: samples of them are held out and predicted from the rest, the
same before and after (`recon.training.held_out`), and the squared error less the noise is compared block by block. Where it has not
fallen by more than `SURE` standard errors, the weights stay as they were.

Learning from the held-out part itself was tried and left: with samples left out the network learns to fill holes, which captures do not
have (predicted 3.2 dB better, the video 0.1 dB worse); with noise split in two (T. Pang and others, Recorrupted-to-Recorrupted, CVPR
2021) it learns the charge and loses what the charge does not tell (4.1 dB better, the video 6.5 dB worse).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recon.learned.network import Given, given
from recon.learned.padding import on_whole_cells
from recon.training.batches import Batch, Batches
from recon.training.held_out import HeldOut, held_out
from recon.training.learning import Outcome, Source, learn
from recon.training.settings import TrainingSettings
from recon.training.validation import Found
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.response import make as make_response
from sensors.sensor import Sensor

#: Standard errors by which the prediction has to be better.
SURE = 1.0

#: Side of the blocks that count as independent.
BLOCK = 24

#: Without captures held back every fifth exposure is; of each the middle is looked at, at most so large.
EVERY, LARGEST = 5, 192

#: So often samples of a capture are held out, each time others: their noise is what blurs the answer most.
TIMES = 5

#: Sets the random numbers of captures held back apart from those of batches.
HELD = 2**42


class Learner(Protocol):
    """What is asked of the method: `recon.learned.method.Learned`."""

    name: ClassVar[str]
    training: TrainingSettings

    def loss(self, network: Any, batch: Batch) -> Tensor:
        """Training loss of a batch."""

    def estimates(self, network: Any, given: Given) -> list[Tensor]:
        """Estimates (N, T, H, W) of the stages, the last one best."""

    def autocast(self) -> Any:
        """The context in which networks are run."""

    def source(self, batches: Batches, network: Any) -> Source:
        """Where the training loop takes its batches from."""


@dataclass(frozen=True)
class Gain:
    """What a fine-tuning has gained on captures that were held back.

    Parameters
    ----------
    before, after : float
        Mean squared error of samples held out, less their noise, each relative to about its noise (`held_out`).
    better, error : float
        By how much it fell, and the standard error of that over blocks.
    captures, samples : int
        How many captures were held back, and samples of them held out.
    kept : bool
        Whether the new weights are kept.
    """

    before: float
    after: float
    better: float
    error: float
    captures: int
    samples: int
    kept: bool

    def __str__(self) -> str:
        told = min(self.before, self.after) > 0 and np.isfinite(self.after)
        decibels = f"{10 * np.log10(self.before / self.after):+.2f} dB, " if told else ""
        return (
            f"{self.samples:,} samples held out of {self.captures} captures held back are predicted {decibels}"
            f"{self.better / max(self.error, 1e-30):+.1f} standard errors better than before: "
            f"{'the new weights are kept' if self.kept else 'too little, the weights stay as they were'}"
        )


def fine_tune(
    method: Learner,
    network: Any,
    start: str,
    captures: Sequence[Capture],
    held: Sequence[Capture],
    *,
    report: Callable[..., None] | None = None,
    checkpoint: Path | None = None,
    stop: Callable[[], bool] | None = None,
) -> tuple[Outcome, Gain]:
    """Go on with a network on captures without truth.

    Parameters
    ----------
    method : Learner
        Its settings say how long and how fast.
    network : Module
        What it goes on from; not changed.
    start : str
        The classical method that the network starts from, or empty.
    captures, held : list of Capture
        Single mono exposures to learn from, and held back; of none every fifth one.
    report, checkpoint, stop
        As `recon.training.learning.learn` takes them.

    Returns
    -------
    (Outcome, Gain)

    Raises
    ------
    Refusal
        If a code tells no frames apart, or captures are too few or too small.
    """
    exposures, back = _split(captures, held, method.training.crop)
    learning = deepcopy(network).requires_grad_(True).train()
    estimates = Estimates(method)
    batches = Batches(
        method.training,
        _reconstructed(estimates, network, start, exposures, method.training.response),
        _drawn_from([one.sensor for one in exposures]),
        start=start,
        multiple=network.multiple,
        loss=method.loss,
    )
    asked = [_asked(one, n, start, method.training) for n, one in enumerate(back)]
    count = max(sum(one.samples for times in asked for one in times), 1)
    before = _errors(estimates, network, asked)
    key = {"method": method.name, "network": network.settings, "data": batches.digest(), "recipe": method.training.key()}
    outcome = learn(
        learning,
        method.source(batches, learning),
        lambda net: Found({"held_out_error": _total(_errors(estimates, net, asked)) / count}, []),
        method.training,
        key=key,
        report=report,
        checkpoint=checkpoint,
        stop=stop,
    )
    return outcome, _gain(before, _errors(estimates, outcome.network.eval(), asked), count)


def _split(captures: Sequence[Capture], held: Sequence[Capture], crop: int) -> tuple[list[Capture], list[Capture]]:
    """What is learnt from, and what is held back."""
    exposures, back = list(captures), list(held)
    if not back:
        back, exposures = exposures[::EVERY], [one for n, one in enumerate(exposures) if n % EVERY]
    if not exposures:
        raise Refusal("there are fewer than two exposures to learn from and to hold back; take more")
    for one in (*exposures, *back):
        if not np.ptp(one.sensor.code, axis=0).any():
            raise Refusal(
                "a code that stays the same for the whole exposure tells no frames apart, so captures alone teach nothing of them"
            )
        if (side := min(one.images.shape[2:4])) < crop:
            raise Refusal(
                f"a capture is only {side} pixels high or wide, and crops of {crop} are learnt from; crop={side} takes smaller ones"
            )
    return exposures, back


def single(capture: Capture) -> list[Capture]:
    """Its exposures and colour planes, each a capture of its own under one code."""
    return [plane for one in capture for plane in Capture(np.asarray(one.images), one.sensor.at(0), one.record).planes()]


class Estimates:
    """The estimates of a method for frames of any size."""

    def __init__(self, method: Learner) -> None:
        self.method = method

    def __call__(self, network: nn.Module, given: Given) -> list[Tensor]:
        with self.method.autocast():
            return self.method.estimates(network, given)

    def best(self, network: Any, given: Given) -> Tensor:
        """The last one, (N, T, H, W), without slope."""
        with torch.inference_mode():
            return on_whole_cells(lambda part: self(network, part)[-1], given, network.multiple, network.reach).float()


def _reconstructed(estimates: Estimates, network: Any, start: str, exposures: Sequence[Capture], response: str) -> list[NDArray]:
    """The videos (T, H, W) of the network as it is, as stored values."""
    encode = make_response(response).encode
    videos = (estimates.best(network, given([one], start))[0].cpu().numpy() for one in exposures)
    return [encode(video.clip(0, 1)).astype(np.float16) for video in videos]


def _drawn_from(sensors: Sequence[Sensor]) -> Sensor | Callable[[np.random.Generator], Sensor]:
    """The sensors of the captures from their first whole tile on, each as often as it comes."""
    starts = [[slice(-place % side, None) for place, side in zip(one.origin, one.grid, strict=True)] for one in sensors]
    chips = [one.crop(*start) for one, start in zip(sensors, starts, strict=True)]
    if len({one.digest for one in chips}) == 1:
        return chips[0]
    return lambda rng: chips[int(rng.integers(len(chips)))]


def _asked(one: Capture, number: int, start: str, settings: TrainingSettings) -> list[HeldOut]:
    """The middle of a capture that is held back, with some samples held out, and others; always the same."""
    rows, columns = (slice((size - min(size, LARGEST)) // 2, (size + min(size, LARGEST)) // 2) for size in one.images.shape[2:4])
    middle = Capture(np.ascontiguousarray(one.images[:, :, rows, columns]), one.sensor.crop(rows, columns), one.record)
    seeds = [(settings.seed, HELD + number, time) for time in range(TIMES)]
    return [held_out(middle, np.random.default_rng(seed), start=start) for seed in seeds]


def _errors(estimates: Estimates, network: nn.Module, asked: Sequence[Sequence[HeldOut]]) -> list[NDArray[np.float64]]:
    """Sums over blocks of w (y - A f)^2 - w v, of each capture held back, over all times."""
    return [np.sum([_blocks(estimates, network, one) for one in times], axis=0) for times in asked]


def _blocks(estimates: Estimates, network: nn.Module, one: HeldOut) -> NDArray[np.float64]:
    field = (one.error(estimates.best(network, one.given)) - one.noise)[0].sum(0).cpu().numpy().astype(np.float64)
    edges = [np.arange(0, size, BLOCK) for size in field.shape]
    return np.add.reduceat(np.add.reduceat(field, edges[0], 0), edges[1], 1).ravel()


def _total(errors: Sequence[NDArray]) -> float:
    return float(np.concatenate(errors).sum())


def _gain(before: Sequence[NDArray], after: Sequence[NDArray], samples: int) -> Gain:
    """The gain by the errors of blocks; a network whose video is not finite has gained nothing."""
    one, other = np.concatenate(before), np.concatenate(after)
    if not np.isfinite(other).all():
        return Gain(float(one.sum()) / samples, float("inf"), float("-inf"), 0.0, len(before), samples, False)
    fallen = one - other
    error = float(fallen.std(ddof=1) * np.sqrt(fallen.size)) if fallen.size > 1 else float("inf")
    better, kept = float(fallen.sum()), bool(fallen.sum() > SURE * error)
    return Gain(_total(before) / samples, _total(after) / samples, better / samples, error / samples, len(before), samples, kept)
