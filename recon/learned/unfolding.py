"""Ours: a network on the tile grid where the code repeats every few pixels, a video network for full-resolution masks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from recon.learned.mask_unfolding import MaskUnfolding
from recon.learned.method import Trained
from recon.learned.tile_unfolding import TileUnfolding
from sensors.sensor import Sensor

if TYPE_CHECKING:
    from recon.training.batches import Batches
    from recon.training.learning import Source


class Unfolding(TileUnfolding):
    """Ours: a residual on a classical start, refined in unrolled stages that obey the measurement.

    Chooses between `TileUnfolding` and `MaskUnfolding` by the sensor, or by the network at hand.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {"quick": {"width": 16, "steps": 4_000}}

    def shipped(self, sensor: Sensor) -> str:
        """Noise and full-resolution masks have weights of their own."""
        return self._for(sensor).shipped(sensor)

    def build(self, sensor: Sensor) -> Any:
        """For the sensor's code; one that is told none for full-resolution masks."""
        return self._for(sensor).build(sensor)

    def rebuild(self, settings: Mapping[str, Any]) -> Any:
        """From the settings in a weight file."""
        return self._of(settings).rebuild(settings)

    def learns_any_length(self, sensor: Sensor) -> bool:
        """For full-resolution masks."""
        return self._for(sensor).learns_any_length(sensor)

    def begins_with(self, sensor: Sensor) -> str:
        """The method asked for; else the registered tile video, or for a full-resolution mask the motion-compensated one."""
        return self._for(sensor).begins_with(sensor)

    def unfit(self, trained: Trained, sensor: Sensor) -> str:
        """A network for masks serves any code, one on the tile grid its own."""
        return self._of(trained.network.settings).unfit(trained, sensor)

    def source(self, batches: Batches, network: Any) -> Source:
        """Batches, or captures on their way through the stages."""
        return self._of(network.settings).source(batches, network)

    def _for(self, sensor: Sensor) -> TileUnfolding:
        return self._kind(sensor.masked)

    def _of(self, settings: Mapping[str, Any]) -> TileUnfolding:
        return self._kind("tile" not in settings)

    def _kind(self, mask: bool) -> TileUnfolding:
        kind = MaskUnfolding if mask else TileUnfolding
        return kind(self.weights, self.precision, self.width, self.stages, self.noisy, self.coded, self.start, self.training)
