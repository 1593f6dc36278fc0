"""A video out of one blurred picture by a recurrent flow decoder: Purohit, Shah, Rajagopalan, CVPR 2019."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from recon.learned.blur_to_video import BlurToVideo, pictures
from recon.learned.network import Given, given
from recon.training.settings import TrainingSettings
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.sensor import Sensor

if TYPE_CHECKING:
    from torch import Tensor

    from recon.networks.purohit_2019 import Unrolled
    from recon.training.batches import Batch, Batches
    from recon.training.learning import Source

#: Stages of the training: the three of the paper, each of which goes on from the weights of the one before; or the first and the third
#: at once, from scratch.
STAGES = ("deblurring", "auto-encoder", "blurred", "joint")

#: Errors of a video: that of its pairs whatever their order, of the better order of the whole, of the order of the clip.
ORDERS = ("pairwise", "better", "given")

#: Learning rates, to that of the encoder: of the decoder in the third stage, 2e-5 to 1e-4 in the paper; and of the deblurring module
#: where all is trained at once, so that motion comes first.
PACES = {"blurred": {"decoder": 0.2}, "joint": {"deblurring": 0.3}}


class Purohit(BlurToVideo):
    """A sharp picture moved by the flow of a recurrent decoder (`recon.networks.purohit_2019`); any number of frames.

    Parameters
    ----------
    stage : str
        What is trained: ``deblurring``, the deblurring module alone; ``auto-encoder``, video encoder and decoder on sharp clips;
        ``blurred``, the encoder of blurred pictures through that decoder; ``joint``, deblurring module, encoder and decoder at
        once. Each but the last goes on from the ``weights`` of the one before.
    deblurring : str
        A method whose middle frame is moved, in place of the deblurring module, such as ``blurred``.
    width : float
        Factor on the channel numbers; 1 is the published network.
    fold : int
        Side of the tiles by which the motion part sees the picture folded; 1 is the published network.
    encoder : str
        That of blurred pictures: ``small`` or ``paper-size``.
    flow : bool
        Otherwise intensities are decoded instead of flow.
    recurrent : bool
        Otherwise the flow of all frames is decoded at once.
    sharp_input : bool
        The encoder sees the sharp picture beside the blurred one.
    dense : bool
        The deblurring module has dense blocks, otherwise residual ones.
    growth : int
        Channels that each convolution of a dense block adds.
    blocks : tuple of int
        Blocks of the four levels of the deblurring module.
    order : str
        Error of a video: ``pairwise``, of pairs whatever their order, as published; ``better``, in the better of both orders; or
        ``given``, in the order of the clip.
    smoothness : float
        Weight of the total variation of the flow.
    coarse_steps : int
        Steps in which the weights of the scales go from coarse to fine.
    true_middle : bool
        The true middle frame is moved while the encoder is trained, as published; otherwise the deblurred one.
    teacher : float
        Weight of the distance, in pixels, of the flow from that of the sharp clip; clips are then turned such that most moves
        down or right.
    taught_steps : int
        First steps in which the video that `motion` makes of the picture is the truth; then the clip in the order nearer to that
        video (`recon.training.order_teacher`). -1: neither.
    """

    name: ClassVar[str] = "purohit"
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "compact": {
            **{"width": 0.5, "fold": 2, "growth": 16, "blocks": (1, 1, 2, 2), "order": "better", "true_middle": False},
            **{"teacher": 0.003, "smoothness": 0.002, "error": "rms"},
        },
        "paper": {
            **{"encoder": "paper-size", "stage": "auto-encoder", "crop": 256, "batch": 10, "rate": 1e-4, "steps": 50_000},
            **{"warm_up": 0, "decay": 0.0, "average": 0.0, "clipping": 1e9, "photographs": 0.0, "coarse_steps": 17_000},
        },
    }

    def __init__(
        self,
        weights: str = "",
        precision: str = "auto",
        stage: str = "joint",
        deblurring: str = "",
        width: float = 1.0,
        fold: int = 1,
        encoder: str = "small",
        flow: bool = True,
        recurrent: bool = True,
        sharp_input: bool = True,
        dense: bool = True,
        growth: int = 40,
        blocks: tuple[int, ...] = (2, 3, 3, 4),
        order: str = "pairwise",
        smoothness: float = 0.02,
        coarse_steps: int = 2000,
        true_middle: bool = True,
        teacher: float = 0.0,
        taught_steps: int = -1,
        training: TrainingSettings = TrainingSettings(crop=128, betas=(0.9, 0.999), fastest=8.0, shutter=1.0),
    ) -> None:
        super().__init__(weights, precision, training)
        for setting, word, known in (("stage", stage, STAGES), ("order", order, ORDERS)):
            if word not in known:
                raise Refusal(f"unknown {setting} {word!r}; known: {', '.join(known)}")
        for setting, weight in (("smoothness", smoothness), ("coarse_steps", coarse_steps), ("teacher", teacher)):
            if not weight >= 0:
                raise Refusal(f"{setting}={weight}; needed: 0 or more")
        self.stage, self.deblurring, self.width, self.fold, self.encoder = stage, deblurring, width, fold, encoder
        self.flow, self.recurrent, self.sharp_input = flow, recurrent, sharp_input
        self.dense, self.growth, self.blocks = dense, growth, tuple(blocks)
        self.order, self.smoothness, self.coarse_steps = order, smoothness, coarse_steps
        self.true_middle, self.teacher, self.taught_steps = true_middle, teacher, taught_steps

    # Network and weights -------------------------------------------------------------------------------------------------------

    def build(self, sensor: Sensor) -> Any:
        """For the number of frames of the sensor."""
        names = ("width", "fold", "encoder", "flow", "recurrent", "sharp_input", "dense", "growth", "blocks")
        settings = {name: getattr(self, name) for name in names} | {
            "frames": sensor.frames,
            "own_deblurring": not self.deblurring,
        }
        if self.stage == "deblurring" and self.deblurring:
            raise Refusal(f"stage=deblurring trains the network's own module, and deblurring={self.deblurring} is to replace it")
        network = self.rebuild(settings | {"stage": "blurred" if self.stage == "joint" else self.stage})
        if self.stage == "blurred" and not self.weights:
            raise Refusal("stage=blurred goes on from the auto-encoder: weights=FILE; or train from scratch with stage=joint")
        network.paces = PACES.get(self.stage, {})
        return network

    def rebuild(self, settings: Mapping[str, Any]) -> Any:
        """From the settings in a weight file."""
        from recon.networks.purohit_2019 import Purohit2019

        return Purohit2019(**settings)

    def take_over(self, network: Any, known: Any) -> None:
        """All that both networks have, since those of the stages have different parts."""
        ours, theirs = network.state_dict(), known.state_dict()
        both = ours.keys() & theirs.keys()
        if not both or any(ours[name].shape != theirs[name].shape for name in both):
            raise Refusal(f"cannot go on from {self.weights}: it holds a network of {known.settings}, not {network.settings}")
        network.load_state_dict({**ours, **{name: theirs[name] for name in both}})

    def begins_with(self, sensor: Sensor) -> str:
        """The method that is to deblur."""
        return self.deblurring

    def refusal(self, sensor: Sensor) -> str:
        """It also needs the method that deblurs."""
        return super().refusal(sensor) or next((part.refusal(sensor) for part in self.parts(sensor)), "")

    def parts(self, sensor: Sensor) -> tuple[Any, ...]:
        """The method that deblurs, if one is named."""
        import recon

        return (recon.make(self.deblurring),) if self.deblurring else ()

    def frames_made(self, network: Any) -> int:
        """Any, by recurrence."""
        return 0 if network.settings["recurrent"] else network.settings["frames"]

    # Video ---------------------------------------------------------------------------------------------------------------------

    def seen(self, plane: Capture) -> Tensor:
        """The blurred picture, and the sharp one of the method that is named, or with which the network was trained."""
        return _shown(given([plane], self.deblurring or self.trained(plane.sensor).start))

    def estimates(self, network: Any, given: Given) -> list[Tensor]:
        """One, of captures of one colour plane."""
        return [self.video(network, _shown(given), given.exposure.sensor.frames)]

    def video(self, network: Any, picture: Tensor, frames: int) -> Tensor:
        """The sharp picture, moved."""
        return _made(network, picture, frames).frames[:, :, 0]

    def follow(self, network: Any, planes: Tensor, luminance: Tensor, frames: int) -> Tensor:
        """Each plane is sharpened as the luminance is, or by the other method, and moved along its flow."""
        made = _made(network, luminance, frames)
        if not made.flows:
            return planes[:, :1] + (made.frames[:, :, 0] - luminance[:, :1])
        sharp = planes[:, 1:2] if planes.shape[1] > 1 else planes + (made.sharp - luminance)
        return network.moved(sharp, made.flows[-1].expand(len(planes), -1, -1, -1, -1))[:, :, 0]

    def terms(self) -> dict[str, Any]:
        """What is trained, and by which loss."""
        names = ("stage", "order", "smoothness", "coarse_steps", "true_middle", "teacher", "taught_steps")
        return {name: getattr(self, name) for name in names}

    # Training ------------------------------------------------------------------------------------------------------------------

    def source(self, batches: Batches, network: Any) -> Source:
        """Batches and their step, by which scales are weighted."""
        from recon.training.numbered_batches import NumberedBatches

        return NumberedBatches(batches, self.loss_at)

    def loss_at(self, network: Any, batch: Batch, step: int) -> Tensor:
        """Training loss of a batch in the stage of the run."""
        from recon.training.order_teacher import lesson

        with self.autocast():
            picture = _shown(batch.given)
            return self.stage_loss(network, picture, lesson(picture[:, :1], batch.truth, step, self.taught_steps), step)

    def picture_loss(self, network: Any, picture: Tensor, truth: Tensor) -> Tensor:
        """At the end of the schedule of the scales."""
        return self.stage_loss(network, picture, truth, self.coarse_steps)

    def stage_loss(self, network: Any, picture: Tensor, truth: Tensor, step: int) -> Tensor:
        """Training loss at a step of blurred pictures (N, 1 or 2, H, W) whose frames are ``truth`` (N, T, H, W)."""
        import torch

        half = truth.shape[1] // 2
        middle, loss, flow = truth[:, half : half + 1], truth.new_zeros(()), None
        if self.stage in ("deblurring", "joint") and network.deblurring is not None:
            sharp = network.deblur(picture[:, :1])
            loss, picture = self._error()(sharp, middle).mean(), torch.cat([picture[:, :1], sharp.detach()], 1)
        if self.stage == "deblurring":
            return loss
        if self.teacher:
            from recon.training.flow_teacher import half_flow

            flow, backwards = half_flow(truth)
            if self.taught_steps < 0:
                truth = torch.where(backwards[:, None, None, None], truth.flip(1), truth)
        if self.stage == "auto-encoder":
            made = network.auto_encoded(truth[:, :, None], middle)
        else:
            made = self._through_encoder(network, picture, middle, truth.shape[1])
        return loss + self.video_loss(made, truth, flow, step)

    def video_loss(self, made: Unrolled, truth: Tensor, flow: Tensor | None, step: int) -> Tensor:
        """Errors at all scales, the variation of the flow there, and its distance from that in half an exposure, (N, 2, H, W)."""
        from recon.training.losses import total_variation
        from recon.training.multi_scale_losses import multi_scale, scale_weights

        weights = scale_weights(step, self.coarse_steps)
        loss = multi_scale([image[:, :, 0] for image in made.images], truth, self._video_error(), weights)
        if made.flows:
            variation = [total_variation(each.float(), 1) for each in made.flows]
            loss = loss + self.smoothness * sum(weight * each for weight, each in zip(weights, variation, strict=True))
            if flow is not None:
                loss = loss + self.teacher * _distance(made.flows[-1], flow)
        return loss

    def _through_encoder(self, network: Any, picture: Tensor, middle: Tensor, frames: int) -> Unrolled:
        """The video of blurred pictures by the true middle frame or a deblurred one, from which no gradient comes."""
        import torch

        if self.true_middle:
            return network(picture[:, :1], middle, frames)
        if picture.shape[1] > 1:
            return network(picture[:, :1], picture[:, 1:], frames)
        with torch.no_grad():
            sharp = network.deblur(picture)
        return network(picture, sharp, frames)

    def _error(self) -> Any:
        """Error of each clip, (frames, truth) -> (N,)."""
        from recon.training.order_losses import mean_absolute, root_mean_square

        return root_mean_square if self.training.error == "rms" else mean_absolute

    def _video_error(self) -> Any:
        """Error of videos in the order that the settings name, (frames, truth) -> (N,) or ()."""
        from recon.training.order_losses import better_order, pairwise

        error = self._error()
        if self.stage == "auto-encoder" or self.order == "given":
            return error
        if self.order == "better":
            return lambda frames, truth: better_order(frames, truth, error)[0]
        return lambda frames, truth: pairwise(frames, truth) / frames.shape[1]


def _shown(given: Given) -> Tensor:
    """The blurred picture, and the sharp one where another method makes it: (N, 1 or 2, H, W)."""
    import torch

    blurred = pictures(given)
    if given.start is None:
        return blurred
    middle = given.start.shape[1] // 2
    return torch.cat([blurred, given.start[:, middle : middle + 1]], 1)


def _made(network: Any, picture: Tensor, frames: int) -> Unrolled:
    """What a network makes of blurred pictures (N, 1 or 2, H, W), the second plane of which is the sharp picture."""
    return network(picture[:, :1], picture[:, 1:2] if picture.shape[1] > 1 else None, frames)


def _distance(flows: Tensor, half: Tensor) -> Tensor:
    """Mean distance, at most 20 pixels each, of flows (N, T, 2, h, w) in their pixels from those of uniform motion (N, 2, H, W)."""
    import torch
    from torch.nn import functional as F

    from recon.networks.warping import times

    factor = half.shape[-1] // flows.shape[-1]
    at = torch.tensor(times(flows.shape[1]), device=flows.device)[:, None, None, None]
    wanted = at * F.avg_pool2d(half, factor)[:, None]
    apart = (factor * flows - wanted).abs().sum(2).clamp(max=20).flatten(1).mean(1)
    other = (factor * flows + wanted).abs().sum(2).clamp(max=20).flatten(1).mean(1)
    return torch.minimum(apart, other).mean()
