"""Further figures of merit of a video against the truth, beside PSNR and SSIM (`recon.metrics`): each is chosen by its name.

measure.py              the contract: what a metric is given, what it gives
warping_error.py        how steady a video is along the motion of the truth
tile_flicker.py         the part of the change of the error that repeats from tile to tile
gradient_deviation.py   GMSD
multiscale.py           MS-SSIM and VIF (torchmetrics)
learned_similarity.py   LPIPS, with weights of one's own
coverage.py             how often the truth lies within the intervals that a method claims
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sensors.name_table import NameTable

if TYPE_CHECKING:
    from recon.measures.measure import Metric

METRICS = {
    "warping-error": "recon.measures.warping_error:WarpingError",
    "flicker": "recon.measures.tile_flicker:TileFlicker",
    "gmsd": "recon.measures.gradient_deviation:GradientDeviation",
    "ms-ssim": "recon.measures.multiscale:MultiscaleSsim",
    "vif": "recon.measures.multiscale:VisualInformation",
    "lpips": "recon.measures.learned_similarity:LearnedSimilarity",
    "coverage": "recon.measures.coverage:Coverage",
}
METRICS = NameTable("metrics", METRICS)


def make(names: Iterable[str]) -> dict[str, Metric]:
    """The metrics of that name, with settings such as ``coverage:level=0.8``, by their words.

    Raises
    ------
    Refusal
        If a name or a setting is unknown, or a package that one needs is missing.
    """
    from sensors import spec
    from sensors.refusal import Refusal

    found: dict[str, Metric] = {name: spec.make(METRICS, "metric", name) for name in names}
    for metric in found.values():
        if reason := metric.refusal():
            raise Refusal(reason)
    return found
