"""Ours for a code that repeats every few pixels: a residual on a classical start, in unrolled stages that obey the measurement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from recon.learned.method import Learned
from recon.learned.network import Given
from recon.training.settings import TrainingSettings
from sensors.refusal import Refusal
from sensors.sensor import Sensor

if TYPE_CHECKING:
    from torch import Tensor

STAGES = 3


class TileUnfolding(Learned):
    """`recon.networks.tile_unfolding` behind the verbs of every method.

    Parameters
    ----------
    width, stages : int
        Channels of the first level of the network, and number of its stages.
    noisy : bool
        Train for captures with noise: its level is an input, and the data steps weigh it.
    coded : bool
        Train for a family of codes: the code is an input.
    start : str
        The classical method to start from.
    """

    name: ClassVar[str] = "unfolding"

    def __init__(
        self,
        weights: str = "",
        precision: str = "auto",
        width: int = 32,
        stages: int | None = None,
        noisy: bool = False,
        coded: bool = False,
        start: str = "",
        training: TrainingSettings = TrainingSettings(),
    ) -> None:
        super().__init__(weights, precision, training)
        if width < 1 or (stages is not None and stages < 1):
            raise Refusal(f"width={width} and stages={stages}; needed: 1 or more of each")
        self.width = width
        self.stages = stages
        self.noisy = noisy
        self.coded = coded
        self.start = start

    def shipped(self, sensor: Sensor) -> str:
        """Noise has weights of its own."""
        return "unfolding" if sensor.readout.ideal else "unfolding-noisy"

    def build(self, sensor: Sensor) -> Any:
        """For the tile of the sensor's code."""
        return self.rebuild(
            {
                "frames": sensor.frames,
                "tile": sensor.tile,
                "buckets": sensor.buckets,
                "width": self.width,
                "stages": self.stages or STAGES,
                "noisy": self.noisy,
                "coded": self.coded,
            }
        )

    def rebuild(self, settings: Mapping[str, Any]) -> Any:
        """From the settings in a weight file."""
        from recon.networks import tile_unfolding

        return tile_unfolding.TileUnfolding(**settings)

    def begins_with(self, sensor: Sensor) -> str:
        """The method asked for, else the registered tile video."""
        return self.start or "tile"

    def estimates(self, network: Any, given: Given) -> list[Tensor]:
        """Estimates of all stages."""
        return network(given.start, given.charge, given.exposure, given.variance)
