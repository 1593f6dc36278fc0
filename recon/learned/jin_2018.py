"""The published networks of Jin and others behind the verbs of every method: the middle frame of a blurred picture, then pairs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from recon.learned.blur_to_video import BlurToVideo, pictures
from recon.learned.network import given, tensor
from recon.training.settings import TrainingSettings
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.sensor import Sensor

if TYPE_CHECKING:
    from torch import Tensor

    from recon.training.batches import Batch, Batches
    from recon.training.learning import Source

#: How the frames beside the middle are bound together, and which others each of their networks sees. The last is ours, the others are
#: the ablation of the paper.
ORDERS = {"independent": "none", "global": "none", "pairwise": "pairs", "sequential": "sequential", "better": "sequential"}

#: What a run trains.
STAGES = ("all", "middle", "first-pair", "other-pairs")

#: Where all stages are trained in one run: how many of the steps, in turn, are for each.
TURN = {"middle": 6, "first-pair": 4, "other-pairs": 6}

#: Convolutions of VGG16 whose features the paper compares: relu2_2 and relu3_3.
VGG_LAYERS = (7, 14)

#: Stands for the middle frame that the network itself makes.
OWN = "own"


class Jin2018(BlurToVideo):
    """Video out of one blurred picture, by M. Jin, G. Meishvili, P. Favaro, CVPR 2018 (`recon.networks.jin_2018`).

    The settings are those of the paper; preset ``compact`` is a small form of it. Where the paper says nothing (weights of the terms,
    the discriminator, rates) the numbers are ours. Its perceptual term compares features of VGG16; a substitute is in its place unless
    ``features`` names a file of weights (`recon.training.perceptual`). The adversarial term trains its discriminator by the same
    optimiser (`recon.networks.patch_discriminator.adversarial_loss`).

    Stages can be trained one after another as in the paper, each from the weights of the one before (``stage``, ``weights``), or, as it
    says teacher forcing allows, side by side: in one run the steps are in turn for each of them.

    Parameters
    ----------
    width, side_width : int
        Channels of the network of the middle frame, and of the others.
    folds : (int, int)
        Factors of their space to depth.
    shared : bool
        One set of weights for all pairs but the first, as the text of the paper has it; its code has one for each pair.
    order : str
        ``sequential``: pairs outwards, each from the one before, by the pairwise order-invariant loss; ``pairwise``: without frames of
        other pairs; ``global``: by the loss of the sum of all frames; ``independent``: each by its own error in the order of the clip;
        ``better``: sequential, by the error in the better of both orders of clips turned such that most moves down or right.
    with_middle : bool
        Whether other frames than the middle see it; always where they are sequential.
    middle : str
        The middle frame from which the others are made: ``own``, the name of another method, or a file (.npy, (H, W), 1 = white).
    stage : str
        What is trained: ``middle``, ``first-pair``, ``other-pairs``, or ``all``.
    forced : int
        Steps in which the true middle frame stands in the place of the network's own (teacher forcing); -1: all, as published.
    taught_steps : int
        First steps in which the video that `motion` makes of the picture is the truth; then the clip in the order nearer to that
        video (`recon.training.order_teacher`). -1: neither.
    perceptual : float
        Weight of the perceptual term of the middle frame.
    features : str
        ``gradients``, or a file of VGG16 weights.
    adversarial : float
        Weight of the adversarial term of the other frames.
    """

    name: ClassVar[str] = "jin"
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "compact": {
            **{"width": 48, "side_width": 36, "folds": (4, 4), "shared": True, "order": "better", "forced": 20_000},
            **{
                "adversarial": 0.0,
                "perceptual": 0.0,
                "crop": 128,
                "batch": 8,
                "steps": 40_000,
                "rate": 1e-3,
                "betas": (0.9, 0.999),
            },
        },
        "quick": {
            **{"width": 24, "side_width": 20, "folds": (4, 4), "shared": True, "order": "better", "adversarial": 0.0},
            **{"perceptual": 0.0, "crop": 96, "steps": 2_000},
        },
    }

    def __init__(
        self,
        weights: str = "",
        precision: str = "auto",
        width: int = 144,
        side_width: int = 128,
        folds: tuple[int, int] = (4, 5),
        shared: bool = False,
        order: str = "sequential",
        with_middle: bool = True,
        middle: str = OWN,
        stage: str = "all",
        forced: int = -1,
        taught_steps: int = -1,
        perceptual: float = 0.1,
        features: str = "gradients",
        adversarial: float = 1e-3,
        training: TrainingSettings = TrainingSettings(crop=128, fastest=8.0, shutter=1.0),
    ) -> None:
        super().__init__(weights, precision, training)
        for word, value, known in (("order", order, ORDERS), ("stage", stage, STAGES)):
            if value not in known:
                raise Refusal(f"unknown {word} {value!r}; known: {', '.join(known)}")
        if len(folds) != 2 or min(folds) < 1 or min(width, side_width) < 4:
            raise Refusal(f"width={width}, side_width={side_width}, folds={list(folds)}; needed: 4 or more, two numbers above 0")
        if min(perceptual, adversarial) < 0:
            raise Refusal(f"perceptual={perceptual}, adversarial={adversarial}; needed: 0 or more")
        if not with_middle and ORDERS[order] == "sequential":
            raise Refusal(f"with_middle=false, but order={order} begins with the middle frame; try order=pairwise")
        self.width, self.side_width, self.folds, self.shared = width, side_width, tuple(folds), shared
        self.order, self.with_middle, self.middle, self.stage, self.forced = order, with_middle, middle, stage, forced
        self.perceptual, self.features, self.adversarial, self.taught_steps = perceptual, features, adversarial, taught_steps

    # The contract ------------------------------------------------------------------------------------------------------------

    def build(self, sensor: Sensor) -> Any:
        """For the number of frames of the sensor, which is odd."""
        if sensor.frames % 2 == 0 or sensor.frames < 3:
            raise Refusal(f"{self.name} makes pairs of frames about a middle one; an exposure of this sensor has {sensor.frames}")
        return self.rebuild(
            {
                **{"frames": sensor.frames, "width": self.width, "side_width": self.side_width, "folds": self.folds},
                **{"chain": ORDERS[self.order], "with_middle": self.with_middle, "shared": self.shared},
                "critic": self.adversarial > 0,
            }
        )

    def rebuild(self, settings: Mapping[str, Any]) -> Any:
        """From the settings in a weight file."""
        from recon.networks import jin_2018

        return jin_2018.Jin2018(**settings)

    def terms(self) -> dict[str, Any]:
        """What the loss depends on."""
        own = {"order": self.order, "stage": self.stage, "forced": self.forced, "perceptual": self.perceptual}
        return {**own, "features": self.features, "adversarial": self.adversarial, "taught_steps": self.taught_steps}

    def frames_made(self, network: Any) -> int:
        """As many as it was trained for."""
        return network.settings["frames"]

    def video(self, network: Any, picture: Tensor, frames: int) -> Tensor:
        """The frames of blurred pictures (N, 1, H, W), or (N, 2, H, W) with the middle frame from which the others are to be made."""
        return network(picture[:, :1], picture[:, 1:] if picture.shape[1] > 1 else None).frames

    def seen(self, plane: Capture) -> Tensor:
        """The blurred picture, and the middle frame that ``middle`` names."""
        import torch

        picture = pictures(given([plane], ""))
        if self.middle == OWN:
            return picture
        return torch.cat([picture, tensor([self._middle_of(plane)])[:, None]], 1)

    def refusal(self, sensor: Sensor) -> str:
        """The method of the middle frame must serve the sensor too."""
        return super().refusal(sensor) or next((reason for part in self.parts(sensor) if (reason := part.refusal(sensor))), "")

    def parts(self, sensor: Sensor) -> tuple[Any, ...]:
        """The method of the middle frame."""
        import recon

        return () if self.middle == OWN or _is_file(self.middle) else (recon.make(self.middle),)

    def learnt(self, sensor: Sensor) -> tuple[Any, ...]:
        """The weights, and the file of the middle frame."""
        return (*super().learnt(sensor), *([Path(self.middle)] if _is_file(self.middle) else []))

    # Training ----------------------------------------------------------------------------------------------------------------

    def source(self, batches: Batches, network: Any) -> Source:
        """Batches with their number."""
        from recon.training.numbered_batches import NumberedBatches

        return NumberedBatches(batches, self.loss)

    def loss(self, network: Any, batch: Batch, step: int = 0) -> Tensor:
        """Training loss of a batch in that step: that of the stage whose turn it is."""
        from recon.training.flow_teacher import turned
        from recon.training.order_teacher import lesson

        stage = self.stage_of(step)
        with self.autocast():
            picture = pictures(batch.given)
            truth = lesson(picture, batch.truth, step, self.taught_steps)[:, :, None]
            if self.order == "better" and self.taught_steps < 0:
                truth = turned(truth)
            if stage == "middle":
                return self.middle_loss(network.middle(picture), truth[:, truth.shape[1] // 2])
            return self.pair_losses(network, picture, truth, stage, forced=self.forced < 0 or step < self.forced)

    def picture_loss(self, network: Any, picture: Tensor, truth: Tensor) -> Tensor:
        """That of the middle frame alone; see `loss`."""
        return self.middle_loss(network.middle(picture), truth[:, truth.shape[1] // 2][:, None])

    def stage_of(self, step: int) -> str:
        """The stage that learns in a step."""
        if self.stage != "all":
            return self.stage
        turns = [stage for stage, count in TURN.items() for _ in range(count)]
        return turns[step * 7 % len(turns)]  # evenly mixed: 7 and 16 have no divisor in common

    def middle_loss(self, middle: Tensor, true: Tensor) -> Tensor:
        """Root mean square error and perceptual term of middle frames (N, 1, H, W)."""
        from recon.training import perceptual
        from recon.training.order_losses import root_mean_square

        loss = root_mean_square(middle.float(), true).mean()
        if self.perceptual:
            features = perceptual.make(self.features, VGG_LAYERS)
            loss = loss + self.perceptual * perceptual.perceptual_loss(features, middle.float(), true)
        return loss

    def pair_losses(self, network: Any, picture: Tensor, truth: Tensor, stage: str, *, forced: bool) -> Tensor:
        """The loss of the first pair, or of the others, whose networks see frames of the first one but do not change them."""
        import torch

        from recon.networks.patch_discriminator import adversarial_loss

        half, pairs = truth.shape[1] // 2, network.pairs
        learnt = [1] if stage == "first-pair" or pairs == 1 else [*range(2, pairs + 1)]
        if self.order == "global":  # its loss is of all of them
            learnt = [*range(1, pairs + 1)]
        with torch.no_grad():
            known = {0: truth[:, half] if forced else network.middle(picture)}
            for distance in range(1, learnt[0]):
                known |= network.pair(distance, picture, known)
        for distance in learnt:
            known |= network.pair(distance, picture, known)
        if self.order == "better":  # of all that is known: pairs may not go different ways
            truth = _in_order_of(known, truth)
        places = sorted(place for place in known if abs(place) in learnt)
        made, true = torch.stack([known[k].float() for k in places], 1), truth[:, [half + k for k in places]]
        loss = self.order_loss(made, true)
        if network.critic is not None:
            loss = loss + adversarial_loss(network.critic, made.flatten(0, 1), true.flatten(0, 1), self.adversarial)
        return loss

    def order_loss(self, made: Tensor, true: Tensor) -> Tensor:
        """The loss of pairs (N, 2 K, 1, H, W), first and last frame outermost, that the order asks for."""
        from recon.training import order_losses

        if self.order == "independent":
            return order_losses.root_mean_square(made.flatten(0, 1), true.flatten(0, 1)).mean()
        if self.order == "global":
            return order_losses.globally(made, true)
        if self.order == "better":
            return order_losses.root_mean_square(made, true).mean()
        return order_losses.pairwise(made, true, middle=False)

    # ------------------------------------------------------------------------------------------------------------------------

    def _middle_of(self, plane: Capture) -> np.ndarray:
        """The middle frame (H, W) of one exposure of one plane, from another method or a file."""
        for method in self.parts(plane.sensor):
            frames = method.reconstruct(plane)[0]
            return frames[len(frames) // 2]
        try:
            frame = np.load(self.middle, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise Refusal(f"middle={self.middle}: {error}") from error
        if frame.shape != plane.charge.shape[-2:]:
            raise Refusal(f"{self.middle} holds {frame.shape}, the picture is {plane.charge.shape[-2:]}")
        return frame.astype(np.float32) / np.float32(plane.record.get("dimmed", 1.0))


def _is_file(name: str) -> bool:
    return "/" in name or bool(Path(name).suffix == ".npy")


def _in_order_of(known: Mapping[int, Tensor], truth: Tensor) -> Tensor:
    """Clips (N, T, 1, H, W) in that of both orders which the frames known by their distance from the middle are closer to."""
    import torch

    from recon.training.order_losses import better_order, root_mean_square

    places = sorted(known)
    half = truth.shape[1] // 2
    made = torch.stack([known[k].detach().float() for k in places], 1)
    backwards = better_order(made, truth[:, [half + k for k in places]], root_mean_square)[1]
    return torch.where(backwards[:, None, None, None, None], truth.flip(1), truth)
