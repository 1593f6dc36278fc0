"""Networks that draw a video out of one motion-blurred picture: what they have in common.

They are given the mean of the frames, as an ordinary camera takes it; any camera whose buckets together see all frames alike will do.
Which way time went cannot be observed, so that they are trained and validated in the better of both orders. In colour the video is that
of the luminance, and each plane follows it: planes of their own might go different ways.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recon.learned.light_level import dimmed, light_factor
from recon.learned.method import Learned, Trained
from recon.learned.network import Given, given
from sensors.capture import Capture
from sensors.sensor import Sensor

if TYPE_CHECKING:
    from torch import Tensor

    from recon.training.batches import Batch

#: Luminance of three colour planes: ITU-R BT.601.
LUMINANCE = (0.299, 0.587, 0.114)


class BlurToVideo(Learned):
    """Blurred picture to video; see the subclasses for what each one is."""

    ordered: ClassVar[bool] = False

    # What a method has to define, or may ---------------------------------------------------------------------------------------

    @abstractmethod
    def video(self, network: Any, picture: Tensor, frames: int) -> Tensor:
        """The frames (N, T, H, W) of blurred pictures (N, 1, H, W) in [0, 1]."""

    @abstractmethod
    def picture_loss(self, network: Any, picture: Tensor, truth: Tensor) -> Tensor:
        """Training loss of blurred pictures (N, 1, H, W) whose frames are ``truth`` (N, T, H, W)."""

    def frames_made(self, network: Any) -> int:
        """T, how many frames the network makes; 0 for any number."""
        return 0

    def seen(self, plane: Capture) -> Tensor:
        """What the network sees of one exposure of one plane, (1, C, H, W): its blurred picture, and what a method adds to it."""
        return pictures(given([plane], ""))

    def follow(self, network: Any, planes: Tensor, luminance: Tensor, frames: int) -> Tensor:
        """Videos of colour planes (P, C, H, W) whose luminance is (1, C, H, W): (P, T, H, W).

        Each plane changes as the luminance does.
        """
        return planes[:, :1] + (self.video(network, luminance, frames) - luminance[:, :1])

    # The contract ------------------------------------------------------------------------------------------------------------

    def unfit(self, trained: Trained, sensor: Sensor) -> str:
        """Any camera that makes a blurred picture serves."""
        from recon.networks.tile_video import blurred_refusal

        made = self.frames_made(trained.network)
        if made and made != sensor.frames:
            return f"the network makes {made} frames; an exposure of this sensor has {sensor.frames}; {self.train_others}"
        return blurred_refusal(sensor)

    def estimates(self, network: Any, given: Given) -> list[Tensor]:
        """One, of captures of one colour plane."""
        return [self.video(network, pictures(given), given.exposure.sensor.frames)]

    def loss(self, network: Any, batch: Batch) -> Tensor:
        """Training loss of a batch, of its blurred pictures."""
        with self.autocast():
            return self.picture_loss(network, pictures(batch.given), batch.truth)

    def solve(self, capture: Capture) -> NDArray[np.float32]:
        """The frames (T, H, W) of one exposure."""
        return self.solve_planes([capture])[0]

    def solve_planes(self, planes: list[Capture]) -> list[NDArray[np.float32]]:
        """The frames (T, H, W) of each plane of one exposure."""
        import torch

        sensor = planes[0].sensor
        network, factor = self.trained(sensor).network, light_factor(planes)
        with torch.inference_mode(), self.autocast():
            seen = torch.cat([self.seen(dimmed(plane, factor)) for plane in planes])
            (height, width), padded = seen.shape[-2:], continued(seen, network.multiple)
            if len(planes) == 1:
                videos = self.video(network, padded, sensor.frames)
            else:
                videos = self.follow(network, padded, luminance(padded), sensor.frames)
        return [np.ascontiguousarray((factor * video[:, :height, :width].float()).cpu().numpy()) for video in videos]


def pictures(given: Given) -> Tensor:
    """The blurred pictures of captures, in mean form: (N, 1, H, W)."""
    from recon.networks.tile_video import blurred

    return blurred(given.charge, given.exposure)


def luminance(planes: Tensor) -> Tensor:
    """The luminance (1, C, H, W) of colour planes, or of the phases of a mosaic (P, C, H, W); one plane is its own."""
    weights = planes.new_tensor(LUMINANCE if len(planes) == 3 else [1 / len(planes)] * len(planes))
    return (weights[:, None, None, None] * planes).sum(0, keepdim=True)


def continued(pictures: Tensor, multiple: tuple[int, int]) -> Tensor:
    """Pictures (N, C, H, W) continued down and to the right by their last row and column, to multiples."""
    from torch.nn import functional as F

    down, right = (-size % step for size, step in zip(pictures.shape[-2:], multiple, strict=True))
    return F.pad(pictures, (0, right, 0, down), mode="replicate") if down or right else pictures
