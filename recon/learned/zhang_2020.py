"""The published network of Zhang and others behind the verbs of every method: seven frames at once, and slow motion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recon.learned.blur_to_video import BlurToVideo, continued, pictures
from recon.learned.light_level import dimmed, light_factor
from recon.learned.network import given
from recon.reconstructor import apply_to_exposures
from recon.training.settings import TrainingSettings
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.sensor import Sensor

if TYPE_CHECKING:
    from torch import Tensor

    from recon.training.batches import Batch, Batches
    from recon.training.learning import Source

#: BaseGAN, GramGAN, HeptaGAN: each keeps the losses of the one before.
STAGES = ("B", "BG", "BGH")

#: What binds frames to their order: the pairs of the paper; or, ours, the better of both orders, or that which `motion` sees.
ORDERS = ("pairwise", "better", "taught")

#: Frames that it makes, and those of them of which GramGAN makes a new blurred picture.
FRAMES, USED = 7, (0, 3, 6)


class Zhang2020(BlurToVideo):
    """Seven frames out of one blurred picture, by K. Zhang and others, ACM Multimedia 2020 (`recon.networks.zhang_2020`).

    The settings are those of the paper; preset ``compact`` is a small form of it. What the paper does with networks that do not come
    with c2b is done otherwise: flow is that of `recon.optical_flow` (it has PWC-Net), measured on the frames that were made; features
    are gradients at three scales (it has VGG19) unless ``features`` names a file of weights. Its pair losses lack a norm in
    print: they are mean absolute values here. Of the nine triples that GramGAN compares with the true frames only frames 1, 4 and 7 are
    its input: the seven frames made of their mean are compared with the seven true ones, in the better of both orders. The
    discriminator is trained by the same optimiser (`recon.networks.patch_discriminator.adversarial_loss`).

    Parameters
    ----------
    width : int
        Channels at the finest scale.
    fold : int
        Space to depth before the first convolution.
    stages : str
        ``B``, ``BG`` or ``BGH``: the terms of the loss.
    gram_from, cycle_from : int
        The steps with which the terms of GramGAN and of HeptaGAN begin.
    order : str
        ``pairwise``: the middle frame, and sums and differences of pairs about it, squared; ``better``: the error in the better of both
        orders of clips turned such that most moves down or right, and half that of the middle frame; ``taught``: the same error in the
        order of the video that `motion` makes of the picture (`recon.training.order_teacher`).
    taught_steps : int
        First steps in which, with ``order=taught``, that video itself is the truth: unlike the clip it follows from the picture.
    perceptual, adversarial, flow, gram, cycle : float
        Weights of the terms.
    features : str
        ``gradients``, or a file of VGG19 weights.
    passes : int
        How often `slow_motion` slows down.
    """

    name: ClassVar[str] = "zhang"
    also: ClassVar[tuple[str, ...]] = ("slow_motion",)
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "compact": {
            **{
                "width": 16,
                "fold": 2,
                "order": "taught",
                "adversarial": 0.0,
                "perceptual": 0.0,
                "gram_from": 18_750,
                "crop": 128,
            },
            **{"taught_steps": 10_000, "cycle_from": 22_500, "batch": 8, "steps": 26_250, "rate": 2.5e-4, "betas": (0.9, 0.999)},
        },
        "quick": {"width": 8, "fold": 2, "stages": "B", "order": "better", "adversarial": 0.0, "crop": 96, "steps": 2_000},
    }

    def __init__(
        self,
        weights: str = "",
        precision: str = "auto",
        width: int = 64,
        fold: int = 1,
        stages: str = "BGH",
        gram_from: int = 10_000,
        cycle_from: int = 15_000,
        order: str = "pairwise",
        taught_steps: int = 0,
        perceptual: float = 1.0,
        adversarial: float = 5e-4,
        flow: float = 1e-3,
        gram: float = 1.0,
        cycle: float = 1.0,
        features: str = "gradients",
        passes: int = 1,
        training: TrainingSettings = TrainingSettings(crop=128, fastest=8.0, shutter=1.0, reversal=False),
    ) -> None:
        super().__init__(weights, precision, training)
        for word, value, known in (("stages", stages, STAGES), ("order", order, ORDERS)):
            if value not in known:
                raise Refusal(f"unknown {word} {value!r}; known: {', '.join(known)}")
        counts = {"gram_from": gram_from, "cycle_from": cycle_from, "passes": passes, "taught_steps": taught_steps}
        if min(width, fold) < 1 or min(counts.values()) < 0:
            raise Refusal(f"{', '.join(f'{k}={v}' for k, v in {'width': width, 'fold': fold, **counts}.items())} is too small")
        if min(perceptual, adversarial, flow, gram, cycle) < 0:
            raise Refusal("the weight of a term of the loss is below 0")
        self.width, self.fold, self.stages, self.gram_from, self.cycle_from = width, fold, stages, gram_from, cycle_from
        self.taught_steps = taught_steps
        self.order, self.perceptual, self.adversarial, self.flow = order, perceptual, adversarial, flow
        self.gram, self.cycle, self.features, self.passes = gram, cycle, features, passes

    # The contract ------------------------------------------------------------------------------------------------------------

    def build(self, sensor: Sensor) -> Any:
        """The same for all sensors of seven frames."""
        if sensor.frames != FRAMES:
            raise Refusal(
                f"{self.name} makes {FRAMES} frames; an exposure of this sensor has {sensor.frames}; code: long:frames={FRAMES}"
            )
        return self.rebuild({"width": self.width, "fold": self.fold, "critic": self.adversarial > 0})

    def rebuild(self, settings: Mapping[str, Any]) -> Any:
        """From the settings in a weight file."""
        from recon.networks import zhang_2020

        return zhang_2020.Zhang2020(**settings)

    def terms(self) -> dict[str, Any]:
        """What the loss depends on."""
        steps = ("stages", "gram_from", "cycle_from", "order", "taught_steps")
        return {word: getattr(self, word) for word in (*steps, "perceptual", "adversarial", "flow", "gram", "cycle", "features")}

    def frames_made(self, network: Any) -> int:
        """Seven."""
        return network.settings["frames"]

    def video(self, network: Any, picture: Tensor, frames: int) -> Tensor:
        """All at once."""
        return network(picture).frames

    def slow_motion(self, capture: Capture) -> NDArray[np.float32]:
        """The video slowed down ``passes`` times, (N, 42, H, W) for once: frames of the mean of each two neighbouring ones.

        Seen as an exposure of its own, it still makes the picture that was blurred: `recon.networks.zhang_2020.reblurred`.
        """
        import torch

        from recon.networks.zhang_2020 import slow_motion

        def one(exposure: Capture) -> NDArray[np.float32]:
            if reason := self.refusal(exposure.sensor):
                raise Refusal(reason)
            network = self.trained(exposure.sensor).network
            with torch.inference_mode(), self.autocast():
                factor = light_factor([exposure])
                picture = pictures(given([dimmed(exposure, factor)], ""))
                frames = network(continued(picture, network.multiple)).frames[0]
                slow = slow_motion(lambda blurred: network(blurred[:, None]).frames, frames, self.passes)
            return (factor * slow[:, : picture.shape[2], : picture.shape[3]].float()).cpu().numpy()

        return apply_to_exposures(one, capture)

    # Training ----------------------------------------------------------------------------------------------------------------

    def source(self, batches: Batches, network: Any) -> Source:
        """Batches with their number."""
        from recon.training.numbered_batches import NumberedBatches

        return NumberedBatches(batches, self.loss)

    def loss(self, network: Any, batch: Batch, step: int = 0) -> Tensor:
        """Training loss of a batch in that step: the terms that have begun."""
        from recon.training.flow_teacher import turned
        from recon.training.order_teacher import ordered, taught

        with self.autocast():
            picture, truth = pictures(batch.given), batch.truth
            if self.order == "better":
                truth = turned(truth)
            elif self.order == "taught":
                truth = taught(picture, FRAMES) if step < self.taught_steps else ordered(picture, truth)
            frames = network(picture).frames.float()
            loss = self.base_loss(network, frames, truth)
            if "G" in self.stages and step >= self.gram_from:
                loss = loss + self.gram * self.gram_loss(network, frames.detach(), truth)
            if "H" in self.stages and step >= self.cycle_from:
                loss = loss + self.cycle * self.cycle_loss(network, frames.detach())
        return loss

    def picture_loss(self, network: Any, picture: Tensor, truth: Tensor) -> Tensor:
        """That of BaseGAN."""
        return self.base_loss(network, network(picture).frames.float(), truth)

    def base_loss(self, network: Any, frames: Tensor, truth: Tensor) -> Tensor:
        """BaseGAN: the frames (N, 7, H, W) themselves, the middle one in features, the adversary, and the flow from end to end."""
        import torch

        from recon.networks.patch_discriminator import adversarial_loss
        from recon.training import perceptual
        from recon.training.order_losses import better_order, root_mean_square

        if self.order == "better":
            errors, backwards = better_order(frames, truth, root_mean_square)
            truth = torch.where(backwards[:, None, None, None], truth.flip(1), truth)
            loss = errors.mean() + 0.5 * root_mean_square(frames[:, 3], truth[:, 3]).mean()
        elif self.order == "taught":
            loss = root_mean_square(frames, truth).mean() + 0.5 * root_mean_square(frames[:, 3], truth[:, 3]).mean()
        else:
            loss = (frames[:, 3] - truth[:, 3]).square().mean() + squared_pairs(frames, truth)
        if self.perceptual:
            features = perceptual.make(self.features)
            loss = loss + self.perceptual * perceptual.perceptual_loss(features, frames[:, 3:4], truth[:, 3:4])
        if self.flow:
            loss = loss + self.flow * cycle_flow(frames, truth)
        if network.critic is not None:
            made, true = (video.flatten(0, 1)[:, None] for video in (frames, truth))
            loss = loss + adversarial_loss(network.critic, made, true, self.adversarial)
        return loss

    def gram_loss(self, network: Any, frames: Tensor, truth: Tensor) -> Tensor:
        """GramGAN: of the mean of frames 1, 4 and 7 these come out again, and all seven correlate as the true ones do.

        Parameters
        ----------
        frames : Tensor, (N, 7, H, W)
            What was made, without its slope.
        """
        import torch

        from recon.networks import zhang_2020
        from recon.training import perceptual

        used = frames[:, USED]
        again = network(used.mean(1, keepdim=True)).frames.float()
        features = perceptual.make(self.features)
        made, true = (
            [maps.unflatten(0, (-1, FRAMES)) for maps in features(video.flatten(0, 1)[:, None])] for video in (again, truth)
        )
        gram = torch.minimum(*(zhang_2020.gram_loss(made, one) for one in (true, [maps.flip(1) for maps in true])))
        return (again[:, USED] - used).abs().mean() + gram.mean()

    def cycle_loss(self, network: Any, frames: Tensor) -> Tensor:
        """HeptaGAN: of the mean of frames (N, 7, H, W) these come out again."""
        from recon.networks import zhang_2020

        return zhang_2020.cycle_loss(frames, network(frames.mean(1, keepdim=True)).frames.float())


def squared_pairs(frames: Tensor, truth: Tensor) -> Tensor:
    """Absolute differences of |a + b|^2 and of |a - b|^2 of the frames a and b of each pair about the middle, whichever comes first.

    Mean per pixel of videos (N, T, H, W), summed over the pairs.
    """
    total = frames.new_zeros(())
    for k in range(frames.shape[1] // 2):
        (a, b), (x, y) = ((video[:, k], video[:, -1 - k]) for video in (frames, truth))
        for sign in (1, -1):
            total = total + ((a + sign * b).square() - (x + sign * y).square()).abs().mean()
    return total


def cycle_flow(frames: Tensor, truth: Tensor) -> Tensor:
    """|x_1 - W(x'_7)|^2 + |x_7 - W(x'_1)|^2, W along the flow between the ends x'_1 and x'_7 of what was made.

    So the order is that of the truth. The flow is measured (`recon.optical_flow`) and has no slope; the frames that are moved have one.
    """
    import torch

    from recon.networks.warping import warp
    from recon.optical_flow import flow_between, pyramid

    ends = frames.detach()[:, [0, -1]].cpu().numpy()
    scales = [tuple(map(pyramid, pair)) for pair in ends]
    total = frames.new_zeros(())
    for near, far in ((0, -1), (-1, 0)):
        flow = torch.from_numpy(np.stack([flow_between(pair[near], pair[far]) for pair in scales])).to(frames.device)
        total = total + (truth[:, [near]] - warp(frames[:, [far]], flow)).square().mean()
    return total
