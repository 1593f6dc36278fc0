"""Ours for one blurred picture: a displacement field, the sharp middle frame, and that frame moved along the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recon.learned.blur_to_video import BlurToVideo, continued, luminance, pictures
from recon.training.settings import TrainingSettings
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.sensor import Sensor

if TYPE_CHECKING:
    from torch import Tensor

    from recon.networks.displacement_field import Moved
    from recon.training.batches import Batch, Batches
    from recon.training.learning import Source


#: A displacement that is wrong by more pixels pulls no more, nor does it ask for a larger error.
FARTHEST = 20.0

#: Where the field is learnt first its terms weigh so much more.
FIELD_FIRST = 10.0


class Motion(BlurToVideo):
    """A video out of one blurred picture by where each pixel moved (`recon.networks.displacement_field`).

    Any number of frames. Which way time went is not observable: the network may take either, but one for all of a picture.

    Parameters
    ----------
    channels : tuple of int
        Channels of the four levels of the network that finds the field.
    sharpening : int
        Channels of the network that sharpens; 0 moves the blurred picture as it is.
    field_steps : int
        First steps of a network without weights, in which only the displacement is learnt, by the teacher: they take a third of the
        time of others.
    middle : float
        Weight of the error of the middle frame beside that of all frames.
    teacher : float
        Weight of the distance, in pixels, of the displacement from the optical flow of the sharp clip.
    calibration : float
        Weight of the likelihood of that distance under the error that the network tells.
    """

    name: ClassVar[str] = "motion"
    also: ClassVar[tuple[str, ...]] = ("confidence", "displacement")
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "quick": {"channels": (24, 48, 72, 96), "sharpening": 12, "steps": 2_000, "field_steps": 800}
    }

    def __init__(
        self,
        weights: str = "",
        precision: str = "auto",
        channels: tuple[int, ...] = (48, 72, 96, 120),
        sharpening: int = 20,
        field_steps: int = 6000,
        middle: float = 0.5,
        teacher: float = 0.01,
        calibration: float = 0.0003,
        training: TrainingSettings = TrainingSettings(crop=128, betas=(0.9, 0.999), fastest=8.0, shutter=1.0, reversal=False),
    ) -> None:
        super().__init__(weights, precision, training)
        if len(channels) != 4 or min(channels) < 1 or sharpening < 0:
            raise Refusal(f"channels={list(channels)}, sharpening={sharpening}; needed: four numbers above 0, and one not below")
        for name, weight in (("field_steps", field_steps), ("middle", middle), ("teacher", teacher), ("calibration", calibration)):
            if not weight >= 0:
                raise Refusal(f"{name}={weight}; needed: 0 or more")
        self.channels = tuple(channels)
        self.sharpening = sharpening
        self.field_steps = field_steps
        self.middle = middle
        self.teacher = teacher
        self.calibration = calibration

    def build(self, sensor: Sensor) -> Any:
        """The same for all sensors."""
        return self.rebuild({"channels": self.channels, "sharpening": self.sharpening})

    def rebuild(self, settings: Mapping[str, Any]) -> Any:
        """From the settings in a weight file."""
        from recon.networks.displacement_field import DisplacementField

        return DisplacementField(**settings)

    def video(self, network: Any, picture: Tensor, frames: int) -> Tensor:
        """The middle frame, moved."""
        return network(picture, frames).frames

    def follow(self, network: Any, planes: Tensor, luminance: Tensor, frames: int) -> Tensor:
        """Each plane is sharpened as the luminance is, and moved along its field."""
        from recon.networks.displacement_field import moved

        displacement, change, _ = network.fields(luminance)
        middle = planes + (network.middle(luminance, displacement) - luminance)
        v, a = (field.expand(len(planes), -1, -1, -1) for field in (displacement, change))
        return moved(middle, v, a, frames)

    def terms(self) -> dict[str, Any]:
        """What the loss depends on."""
        return {name: getattr(self, name) for name in ("field_steps", "middle", "teacher", "calibration")}

    def source(self, batches: Batches, network: Any) -> Source:
        """Batches that know their step, if the field comes first."""
        from recon.training.numbered_batches import NumberedBatches

        return NumberedBatches(batches, self.loss_at) if self.field_steps and not self.weights else batches

    def loss_at(self, network: Any, batch: Batch, step: int) -> Tensor:
        """Training loss of a batch at a step."""
        if step >= self.field_steps:
            return self.loss(network, batch)
        with self.autocast():
            displacement, _, error = network.fields(pictures(batch.given))
            return FIELD_FIRST * self.field_loss(displacement, error, batch.truth)

    def picture_loss(self, network: Any, picture: Tensor, truth: Tensor) -> Tensor:
        """Root mean square error of the better order and of the middle frame; and the flow of the sharp clip as a teacher."""
        from recon.training.order_losses import better_order, root_mean_square

        made, half = network(picture, truth.shape[1]), truth.shape[1] // 2
        seen = better_order(made.frames, truth, root_mean_square)[0].mean()
        seen = seen + self.middle * root_mean_square(made.middle, truth[:, half : half + 1]).mean()
        return seen + self.field_loss(made.displacement, made.error, truth)

    def field_loss(self, displacement: Tensor, error: Tensor, truth: Tensor) -> Tensor:
        """How far the displacement is from the flow of the sharp clip, and how likely that is under the error that is told."""
        from recon.training.flow_teacher import half_flow

        distance = _nearer(displacement, half_flow(truth)[0]).clamp(max=FARTHEST)
        likelihood = (distance.detach() / error + error.log()).mean()
        return self.teacher * distance.mean() + self.calibration * likelihood

    def confidence(self, capture: Capture) -> NDArray[np.float32]:
        """Probability that the displacement at the end of the exposure is right to a pixel, (N, H, W), as the network tells it.

        Low where the picture does not tell how far, or which way compared with the rest, something moved.
        """
        return self._fields(capture, lambda made: (1 - (-1 / made.error).exp())[0, 0])

    def displacement(self, capture: Capture) -> NDArray[np.float32]:
        """How far each pixel moved in half the exposure, (N, 2, H, W): rows down, columns right."""
        return self._fields(capture, lambda made: made.displacement[0])

    def _fields(self, capture: Capture, of: Any) -> NDArray[np.float32]:
        import torch

        def one(exposure: Capture) -> NDArray[np.float32]:
            if reason := self.refusal(exposure.sensor):
                raise Refusal(reason)
            network = self.trained(exposure.sensor).network
            with torch.inference_mode(), self.autocast():
                picture = luminance(torch.cat([self.seen(plane) for plane in exposure.planes()]))
                made: Moved = network(continued(picture, network.multiple), 1)
            height, width = picture.shape[-2:]
            return of(made)[..., :height, :width].float().cpu().numpy()

        return np.stack([one(exposure) for exposure in capture])


def _nearer(displacement: Tensor, flow: Tensor) -> Tensor:
    """Distance (N, 1, H, W) from the flow of each clip, or from its reverse, whichever is nearer in the mean.

    While a network learns how far and along which line things move, it is not punished for the way.
    """
    import torch

    given, reversed_ = ((displacement - sign * flow).abs().sum(1, keepdim=True) for sign in (1, -1))
    nearer = given.mean((1, 2, 3)) <= reversed_.mean((1, 2, 3))
    return torch.where(nearer[:, None, None, None], given, reversed_)
