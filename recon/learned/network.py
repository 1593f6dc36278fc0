"""What a network says of itself, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sensors.capture import Capture
from sensors.sensor import Sensor

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from sensors.exposure_torch import Exposure


class Network(Protocol):
    """What the methods and the training ask of a ``torch.nn.Module``, besides calling it; networks inherit what is said here.

    Attributes
    ----------
    settings : mapping
        JSON; the method's ``rebuild(settings)`` makes the network again.
    multiple : (int, int)
        Height and width that it takes are multiples of these, with pixel [0, 0] at the beginning of a tile; (1, 1) for one that takes
        any size at any origin.
    reach : int
        How many pixels in each direction an output pixel depends on, so that larger frames are run in bands; 0: whole frames only.
    any_code : bool
        Weights serve any code of as many frames: the network is told the code, or needs none.
    paces : mapping
        Learning rate of parts of the network, by the name of the attribute, to that of the others.
    output_layer : Conv2d or None
        The layer whose output channels are the frames on the tile grid, ordered (frame, row, column), where there is one.
    """

    settings: Mapping[str, Any]
    multiple: tuple[int, int] = (1, 1)
    reach: int = 0
    any_code: bool = False
    paces: Mapping[str, float] = MappingProxyType({})

    @property
    def output_layer(self) -> nn.Conv2d | None:
        """See above."""
        return None

    def begin_as_classical(self, sensor: Sensor) -> str:
        """Choose initial weights such that the output is the classical answer; returns why it cannot, empty if it could."""
        return "it begins as that of the method it starts from, or has no such form"

    def begin_as_published(self) -> str:
        """Choose initial weights as the paper does; returns why it cannot, empty if it could."""
        return "no paper says how it begins, or it is as torch has it: initial=torch"


class Given(NamedTuple):
    """What a network is given of captures that one sensor took."""

    start: Tensor | None  # (N, T, H, W), the classical start, if the network has one
    charge: Tensor  # (N, B, H, W), in white sub-exposures
    variance: Tensor | None  # (N, B, H, W), of the charge; None for an ideal readout
    exposure: Exposure

    def fields(self, change: Callable[[Tensor], Tensor]) -> Given:
        """The same with another start, charge and variance, such as a part of each."""
        start, charge, variance, exposure = self
        return Given(
            None if start is None else change(start), change(charge), None if variance is None else change(variance), exposure
        )


def given(captures: Sequence[Capture], method: str) -> Given:
    """What a network is given of single exposures of one sensor; ``method`` is the classical method that it starts from, or empty."""
    import recon

    sensor = captures[0].sensor
    solver = recon.make(method) if method else None
    return Given(
        None if solver is None else tensor([solver.solve(one) for one in captures]),
        tensor([one.charge[0] for one in captures]),
        None if sensor.readout.ideal else tensor([one.variance[0] for one in captures]),
        exposure_of(sensor).to(device()),
    )


def tensor(fields: Sequence[NDArray]) -> Tensor:
    """Stacked, where networks are run."""
    import torch

    return torch.from_numpy(np.stack(fields)).to(device())


def device() -> torch.device:
    """Where networks are run: on a graphics card if there is one."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@lru_cache(maxsize=32)
def exposure_of(sensor: Sensor) -> Exposure:
    """The torch twin of a sensor, kept."""
    from sensors.exposure_torch import Exposure

    return Exposure.of(sensor)
