"""The published network for a coded and a blurred image, its two baselines, and the residual twin of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recon.learned.light_level import dimmed, light_factor
from recon.learned.method import Learned, Trained, opens_like
from recon.learned.network import Given, Network, given
from recon.reconstructor import apply_to_exposures
from recon.training.settings import TrainingSettings
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.sensor import Sensor

if TYPE_CHECKING:
    from torch import Tensor


class CodedBlurredPair(Learned):
    """The published architecture for a coded and a blurred image, trained by a recipe of ours; or its residual twin.

    See `recon.networks.coded_blurred_pair`.

    Parameters
    ----------
    width : float
        Factor on the channel numbers; 1 is the published network.
    residual : bool
        The twin: adds to the registered tile video.
    """

    name: ClassVar[str] = "pair"
    also: ClassVar[tuple[str, ...]] = ("attention",)
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "quick": {"residual": True, "variation": 0.0, "crop": 72, "batch": 16, "steps": 4_000},
        "paper": {
            **{"width": 1.0, "crop": 240, "batch": 64, "rate": 1e-4, "steps": 57_000, "betas": (0.9, 0.999), "initial": "torch"},
            **{"warm_up": 0, "decay": 0.0, "average": 0.0, "clipping": 1e9, "variation_step": 1, "photographs": 0.0},
        },
    }

    def __init__(
        self,
        weights: str = "",
        precision: str = "auto",
        width: float = 0.25,
        residual: bool = False,
        training: TrainingSettings = TrainingSettings(batch=16, variation=0.1),
    ) -> None:
        super().__init__(weights, precision, training)
        if not width > 0:
            raise Refusal(f"width={width} is not above 0")
        self.width = width
        self.residual = residual

    def shipped(self, sensor: Sensor) -> str:
        """The residual twin has weights of its own."""
        return self.name + "-residual" * self.residual

    def build(self, sensor: Sensor) -> Any:
        """For the code of the sensor."""
        network = self.rebuild(
            {"frames": sensor.frames, "tile": sensor.tile, "variant": self.name, "width": self.width, "residual": self.residual}
        )
        if reason := network.refusal(sensor):
            raise Refusal(str(reason))
        return network

    def rebuild(self, settings: Mapping[str, Any]) -> Any:
        """From the settings in a weight file."""
        from recon.networks import coded_blurred_pair

        return coded_blurred_pair.CodedBlurredPair(**settings)

    def initial(self, network: Network) -> str:
        """He, with the mean luminance in the last bias, for the published form; the twin begins as its start."""
        return "" if self.residual else "he"

    def unfit(self, trained: Trained, sensor: Sensor) -> str:
        """The coded image has to be of the same code; any camera that makes a blurred one serves the network that sees only that."""
        if self.name != "blurred" and not opens_like(sensor, trained.code):
            return self.another_code(trained, sensor)
        reason = trained.network.refusal(sensor)
        return reason and f"{reason}; {self.train_others}"

    def estimates(self, network: Any, given: Given) -> list[Tensor]:
        """One."""
        return [network(given.charge, given.exposure)]

    def attention(self, capture: Capture) -> NDArray[np.float32]:
        """How much of the blurred image each tile takes, (N, h, w): near 1 where nothing moves."""
        import torch

        def one(exposure: Capture) -> NDArray[np.float32]:
            if reason := self.refusal(exposure.sensor):
                raise Refusal(reason)
            with torch.inference_mode():
                shown = given([dimmed(exposure, light_factor([exposure]))], "")
                return self.trained(exposure.sensor).network.attention(shown.charge, shown.exposure)[0, 0].cpu().numpy()

        return apply_to_exposures(one, capture)


class SingleCoded(CodedBlurredPair):
    """The published baseline that sees the coded image alone, trained by a recipe of ours; or its residual twin."""

    name: ClassVar[str] = "coded"
    also: ClassVar[tuple[str, ...]] = ()


class SingleBlurred(CodedBlurredPair):
    """The published baseline that sees the blurred image alone, trained by a recipe of ours; or its residual twin."""

    name: ClassVar[str] = "blurred"
    also: ClassVar[tuple[str, ...]] = ()
