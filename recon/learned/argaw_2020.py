"""A video out of one blurred picture by transformations of features and pictures: Argaw, Kim, Rameau, Zhang, Kweon, 2020."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from recon.learned.blur_to_video import BlurToVideo, pictures
from recon.training.settings import TrainingSettings
from sensors.refusal import Refusal
from sensors.sensor import Sensor

if TYPE_CHECKING:
    from torch import Tensor

    from recon.training.batches import Batch, Batches
    from recon.training.learning import Source

#: Learning rates of the decoders of the residual form, to that of the encoder and the transformations: motion comes first.
PACES = {"middle": 0.3, "sides": 0.3}


#: Settings of the order that is learnt.
ORDER = ("better", "turned", "taught_steps")


class Argaw(BlurToVideo):
    """Frames decoded from transformed features and a transformed middle frame (`recon.networks.argaw_2020`).

    Parameters
    ----------
    base : int
        Channels of the finest features; the published number is not known, 32 is likely.
    growth : int
        Channels that each convolution of a dense block adds.
    scales : int
        Levels of the encoder; 5 in the published network.
    fold : int
        Side of the tiles by which the picture is folded; 1 is the published network.
    light : bool
        One decoder for all frames but the middle one, and inverse motion for frames that mirror each other.
    affine : bool
        Features are transformed by an affine map (STN).
    local : bool
        Features are warped locally (LW).
    pictures : bool
        The decoded middle frame is transformed and shown to the decoders (ITN).
    residual : bool
        Frames are added to the blurred picture, and to the middle frame moved by these transformations.
    refinement : int
        Channels of the refinement at the end.
    localisation : int
        Channels of the networks that find affine maps.
    better : bool
        The error is that of the better order of the video; otherwise of the order of the clip, as published.
    turned : bool
        Clips are turned such that most moves down or right.
    taught_steps : int
        First steps in which the video that `motion` makes of the picture is the truth; then the clip in the order nearer to that
        video (`recon.training.order_teacher`). -1: neither.
    multiple_scales : bool
        Errors are measured at all scales, otherwise in full size.
    consistency : float
        Weight of the difference between the affine maps of adjacent scales, per pixel of a frame.
    penalty : float
        Weight of the similarity of a frame to the one that mirrors it.
    drawn : int
        How many pairs of frames that mirror each other a step learns from, in turn; 0 for all. Each pair by itself may run either
        way, so that the order has to be that of the clip.
    """

    name: ClassVar[str] = "argaw"
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "compact": {
            **{"base": 12, "growth": 12, "scales": 4, "fold": 2, "light": True, "residual": True, "refinement": 24},
            **{"localisation": 16, "turned": True, "drawn": 1, "error": "rms"},
        },
        "paper": {
            **{"crop": 256, "batch": 4, "rate": 1e-4, "steps": 400_000, "warm_up": 0, "average": 0.0, "clipping": 1e9},
            **{"photographs": 0.0, "decay": 0.5, "reversal": False},
        },
    }

    def __init__(
        self,
        weights: str = "",
        precision: str = "auto",
        base: int = 32,
        growth: int = 32,
        scales: int = 5,
        fold: int = 1,
        light: bool = False,
        affine: bool = True,
        local: bool = True,
        pictures: bool = True,
        residual: bool = False,
        refinement: int = 64,
        localisation: int = 64,
        better: bool = False,
        turned: bool = False,
        taught_steps: int = -1,
        multiple_scales: bool = True,
        consistency: float = 1e3,
        penalty: float = 0.5,
        drawn: int = 0,
        training: TrainingSettings = TrainingSettings(crop=128, betas=(0.9, 0.999), fastest=8.0, shutter=1.0),
    ) -> None:
        super().__init__(weights, precision, training)
        for setting, value in (("base", base), ("growth", growth), ("scales", scales), ("fold", fold)):
            if value < 1:
                raise Refusal(f"{setting}={value}; needed: 1 or more")
        for setting, weight in (("consistency", consistency), ("penalty", penalty), ("drawn", drawn)):
            if not weight >= 0:
                raise Refusal(f"{setting}={weight}; needed: 0 or more")
        if better and drawn:
            raise Refusal(f"better=true compares whole videos, and drawn={drawn} learns from some frames of them; take turned=true")
        self.base, self.growth, self.scales, self.fold, self.light = base, growth, scales, fold, light
        self.affine, self.local, self.pictures, self.residual = affine, local, pictures, residual
        self.refinement, self.localisation = refinement, localisation
        self.better, self.turned, self.taught_steps, self.multiple_scales = better, turned, taught_steps, multiple_scales
        self.consistency, self.penalty, self.drawn = consistency, penalty, drawn

    def build(self, sensor: Sensor) -> Any:
        """For the number of frames of the sensor."""
        names = (
            "base",
            "growth",
            "scales",
            "fold",
            "light",
            "affine",
            "local",
            "pictures",
            "residual",
            "refinement",
            "localisation",
        )
        network = self.rebuild({"frames": sensor.frames} | {name: getattr(self, name) for name in names})
        network.paces = PACES if self.residual else {}
        return network

    def rebuild(self, settings: Mapping[str, Any]) -> Any:
        """From the settings in a weight file."""
        from recon.networks.argaw_2020 import Argaw2020

        return Argaw2020(**settings)

    def frames_made(self, network: Any) -> int:
        """As many as it has decoders for."""
        return network.settings["frames"]

    def video(self, network: Any, picture: Tensor, frames: int) -> Tensor:
        """All frames."""
        return network(picture).frames[:, :, 0]

    def terms(self) -> dict[str, Any]:
        """By which loss it is trained."""
        return {name: getattr(self, name) for name in (*ORDER, "multiple_scales", "consistency", "penalty", "drawn")}

    def source(self, batches: Batches, network: Any) -> Source:
        """Batches and their step, which says the pairs of frames whose turn it is."""
        from recon.training.numbered_batches import NumberedBatches

        return NumberedBatches(batches, self.loss_at)

    def loss_at(self, network: Any, batch: Batch, step: int) -> Tensor:
        """Training loss of a batch, of the middle frame and the pairs whose turn it is."""
        from recon.training.order_teacher import lesson

        last = batch.truth.shape[1] - 1
        pairs = [(step * self.drawn + k) % (last // 2) for k in range(min(self.drawn, last // 2))]
        with self.autocast():
            picture = pictures(batch.given)
            truth = lesson(picture, batch.truth, step, self.taught_steps)
            return self.places_loss(network, picture, truth, [one for k in pairs for one in (k, last - k)])

    def picture_loss(self, network: Any, picture: Tensor, truth: Tensor) -> Tensor:
        """Training loss of all frames."""
        return self.places_loss(network, picture, truth, [])

    def places_loss(self, network: Any, picture: Tensor, truth: Tensor, places: list[int]) -> Tensor:
        """Photometric error at all scales, consistency and penalty, of the middle frame and those at some places; by default all.

        The published terms are sums over pixels; these are means, and the weight of the consistency is divided by the number of pixels.
        """
        import torch

        from recon.training.flow_teacher import turned
        from recon.training.multi_scale_losses import mirrored_similarity, multi_scale, transformation_consistency
        from recon.training.order_losses import better_order, mean_absolute, root_mean_square

        error = root_mean_square if self.training.error == "rms" else mean_absolute
        if self.turned and self.taught_steps < 0:
            truth = turned(truth)
        made = network(picture, places)
        frames, truth = made.frames[:, :, 0], truth[:, made.places]
        if self.better:
            reversed_ = better_order(frames, truth, error)[1]
            truth = torch.where(reversed_[:, None, None, None], truth.flip(1), truth)
        images = [image[:, :, 0] for image in made.images] if self.multiple_scales else [frames]
        loss = multi_scale(images, truth, error) * len(made.places)
        if self.consistency:
            loss = loss + self.consistency / truth[0, 0].numel() * transformation_consistency(made.thetas)
        return loss + self.penalty * mirrored_similarity(frames, truth) if self.penalty else loss
