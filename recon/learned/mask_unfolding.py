"""Ours for full-resolution masks: a video network alternating with the data step, for any mask, length and number of buckets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from recon.learned.method import Trained
from recon.learned.tile_unfolding import TileUnfolding
from sensors.sensor import Sensor

if TYPE_CHECKING:
    from recon.training.batches import Batches
    from recon.training.learning import Source

#: Stages of the network, and the classical method that it starts from.
STAGES, START = 16, "gap"


class MaskUnfolding(TileUnfolding):
    """`recon.networks.mask_unfolding` behind the verbs of every method; its parameters are those of `TileUnfolding`.

    It is told neither code nor noise, so that ``coded`` and ``noisy`` mean nothing here. Training is on-policy
    (`recon.training.on_policy`).
    """

    usual_error: ClassVar[str] = "rms"

    def shipped(self, sensor: Sensor) -> str:
        """One set of weights for all."""
        return "unfolding-mask"

    def build(self, sensor: Sensor) -> Any:
        """The same for any mask."""
        return self.rebuild({"width": self.width, "stages": self.stages or STAGES})

    def rebuild(self, settings: Mapping[str, Any]) -> Any:
        """From the settings in a weight file."""
        from recon.networks import mask_unfolding

        return mask_unfolding.MaskUnfolding(**settings)

    def learns_any_length(self, sensor: Sensor) -> bool:
        """It does."""
        return True

    def begins_with(self, sensor: Sensor) -> str:
        """The method asked for, else the motion-compensated one."""
        return self.start or START

    def unfit(self, trained: Trained, sensor: Sensor) -> str:
        """It serves any code."""
        return ""

    def source(self, batches: Batches, network: Any) -> Source:
        """Captures that go through the stages of the network."""
        from recon.training.on_policy import OnPolicy

        return OnPolicy(batches, network, new=not self.weights, error=self.error, autocast=self.autocast)
