"""MS-SSIM and VIF by torchmetrics, frame by frame, colour by colour; neither needs weights.

Z. Wang, E. P. Simoncelli, A. C. Bovik, "Multiscale structural similarity for image quality assessment", Asilomar 2003: five scales.
H. R. Sheikh, A. C. Bovik, "Image information and visual quality", IEEE TIP 15(2), 2006, in the pixel domain.
"""

from __future__ import annotations

from abc import abstractmethod
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recon.measures.measure import Metric, Outcome, planes
from sensors.refusal import Refusal


class _ByTorchmetrics(Metric):
    name: ClassVar[str]
    smallest: ClassVar[int]

    def refusal(self) -> str:
        """Why it cannot be measured here."""
        here = find_spec("torch") and find_spec("torchmetrics")
        return "" if here else f"{self.name} needs torchmetrics and torch; install them with: pip install '.[perceptual]'"

    def __call__(self, outcome: Outcome) -> float:
        if min(outcome.truth.shape[1:3]) < self.smallest:
            size = "{}x{}".format(*outcome.truth.shape[1:3])
            raise Refusal(f"{self.name} compares frames of {self.smallest}x{self.smallest} pixels and more, not {size}")
        pairs = zip(*(_one_by_one(clip) for clip in outcome.shown), strict=True)
        return float(np.mean([self.of_image(*pair) for pair in pairs]))

    @abstractmethod
    def of_image(self, video: Any, truth: Any) -> float:
        """The number of one colour of one frame, tensors (1, 1, H, W) within 0 and 1."""


class MultiscaleSsim(_ByTorchmetrics):
    """MS-SSIM over five scales, mean over frames and colours; frames of 176x176 pixels and more."""

    name: ClassVar[str] = "ms-ssim"
    smallest: ClassVar[int] = 176

    def of_image(self, video: Any, truth: Any) -> float:
        """MS-SSIM of one colour of one frame."""
        from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as ms_ssim

        return float(ms_ssim(video, truth, data_range=1.0))


class VisualInformation(_ByTorchmetrics):
    """VIF in the pixel domain, mean over frames and colours; above 1 where contrast was added. Frames of 41x41 pixels and more."""

    name: ClassVar[str] = "vif"
    smallest: ClassVar[int] = 41

    def of_image(self, video: Any, truth: Any) -> float:
        """VIF of one colour of one frame."""
        from torchmetrics.functional.image import visual_information_fidelity as vif

        return float(vif(255 * video, 255 * truth))  # its noise is meant for values of 8 bit


def _one_by_one(frames: NDArray[np.float32]) -> Any:
    """Each colour of each frame as (1, 1, H, W)."""
    import torch

    apart = np.moveaxis(planes(frames), -1, 1)
    return torch.from_numpy(np.ascontiguousarray(apart)).flatten(0, 1)[:, None, None]
