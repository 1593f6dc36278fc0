"""Validation: how good a network is on clips held back, frame by frame, and which of its outputs never change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recon.learned.constant_outputs import Output, constant_outputs, variance_ratios
from recon.learned.network import Given, given
from recon.metrics import psnr
from recon.training.batches import Batches, first_of
from recon.training.losses import encode
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.response import make as make_response
from sensors.sensor import white_of

#: Rows and columns of the middle of a held clip that are looked at, at most.
HELD_SIZE = (192, 256)

#: Clips of the training that are looked at where none are held back.
WITHOUT_HELD = 4

#: Sets the random numbers of validation apart from those of batches.
VALIDATION = 2**40


class Found(NamedTuple):
    """What a validation found."""

    figures: dict[str, Any]
    constant: list[Output]
    outputs: int = 0  # how many there are


class Validation:
    """The same cases at each time.

    Parameters
    ----------
    batches : Batches
        Sensors, classical start and light.
    estimate : callable, (network, Given) -> Tensor, (1, T, H, W)
    held : list of ndarray, (F, H, W)
        Clips held back; without them some of the training are looked at, and their figures are called so.
    ordered : bool
        Whether the order of the frames can be observed; otherwise they are looked at in the better of both orders.

    Raises
    ------
    Refusal
        If clips are held back, and none is long and large enough.
    """

    def __init__(
        self,
        batches: Batches,
        estimate: Callable[[nn.Module, Given], Tensor],
        held: Sequence[NDArray] = (),
        *,
        ordered: bool = True,
    ) -> None:
        self.batches = batches
        self.estimate = estimate
        self.ordered = ordered
        frames, cell = batches.sensor.frames, batches.cell
        self.held = [clip for clip in held if len(clip) >= frames and all(np.greater_equal(clip.shape[1:3], cell))]
        if len(held) and not self.held:
            raise Refusal(f"no clip for validation has {frames} frames of {cell[0]}x{cell[1]} pixels or more")

    def __call__(self, network: nn.Module) -> Found:
        """PSNR in the encoding that the loss looks at, mean over clips (volume, middle and worst frame), and the worst output."""
        response, before = self.batches.settings.response, "" if self.held else "training_"
        volumes, frames, ratios = [], [], []
        for truth, case in self._cases:
            with torch.inference_mode():
                video = self.estimate(network, case)[0].float().cpu()
            shown, true = (encode(one, response).numpy() for one in (video, torch.from_numpy(truth)))
            if not self.ordered and np.square(shown[::-1] - true).sum() < np.square(shown - true).sum():
                shown = shown[::-1]
            volumes.append(psnr(shown, true, data_range=1.0))
            frames.append([psnr(*pair, data_range=1.0) for pair in zip(shown, true, strict=True)])
            ratios.append(variance_ratios(video.numpy(), truth, case.exposure.sensor.grid))
        figures = {f"{before}psnr": float(np.mean(volumes))}
        if len({len(one) for one in frames}) > 1:  # captures of several lengths
            return Found(figures, [])
        mean = np.mean(frames, 0)
        figures |= {f"{before}middle": float(mean[len(mean) // 2]), f"{before}worst": float(mean.min())}
        figures["worst_frame"] = int(mean.argmin())
        if len({one.shape for one in ratios}) > 1:
            return Found(figures, [])
        return Found(figures | _worst_output(ratios), constant_outputs(ratios), ratios[0].size)

    @cached_property
    def _cases(self) -> list[tuple[NDArray, Given]]:
        """The truth of the middle of each clip, and what a network is given."""
        if not self.held:
            return self._drawn()
        cases, batches = [], self.batches
        for number, clip in enumerate(self.held):
            rng = np.random.default_rng((batches.settings.seed, VALIDATION + number))
            shape = [
                min(most, whole) // step * step for most, whole, step in zip(HELD_SIZE, clip.shape[1:], batches.cell, strict=True)
            ]
            top, left = ((whole - part) // 2 for whole, part in zip(clip.shape[1:], shape, strict=True))
            sensor = batches.placed(rng, batches.size(batches.settings.crop))
            sensor = sensor if len(clip) >= sensor.frames else first_of(batches.sensors, batches.settings.seed)
            first = (len(clip) - sensor.frames) // 2
            run = np.asarray(clip[first : first + sensor.frames, top : top + shape[0], left : left + shape[1]])
            truth = make_response(batches.settings.response).decode(run.astype(np.float32) / np.float32(white_of(run)))
            cases.append((truth, given([Capture(sensor.take(truth, seed=number)[None], sensor)], batches.start)))
        return cases

    def _drawn(self) -> list[tuple[NDArray, Given]]:
        drawn = [self.batches.drawn(VALIDATION + number, self.batches.settings.crop, 1) for number in range(WITHOUT_HELD)]
        return [(batch.truth[0].cpu().numpy(), batch.given.fields(lambda field: field[:1])) for batch in drawn]


def _worst_output(ratios: Sequence[NDArray]) -> dict[str, Any]:
    """The output that varies least, and how much compared with the truth."""
    most = np.max(ratios, 0)
    place = np.unravel_index(int(most.argmin()), most.shape)
    return {"worst_output": " ".join(map(str, map(int, place))), "worst_output_variance": float(most.min())}
