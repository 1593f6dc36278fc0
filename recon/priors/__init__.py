"""What video looks like, as denoisers: each takes noise of a given strength from a video, whatever the noise came from.

denoiser.py             the contract
total_variation.py      few and short edges: the exact proximal operator, over space and time
motion_compensated.py   what moves keeps its brightness: averaging along the optical flow
non_local_means.py      patches that recur in a frame (scikit-image)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensors.name_table import NameTable

if TYPE_CHECKING:
    from recon.priors.denoiser import Denoiser

PRIORS = {
    "tv": "recon.priors.total_variation:TotalVariation",
    "motion": "recon.priors.motion_compensated:MotionCompensated",
    "non-local": "recon.priors.non_local_means:NonLocalMeans",
}
PRIORS = NameTable("priors", PRIORS)


def make(spec: str) -> Denoiser:
    """A prior from its name: ``priors.make("tv:time=0.3")``.

    Raises
    ------
    Refusal
        If the name or a setting is unknown.
    """
    from sensors import spec as grammar

    return grammar.make(PRIORS, "prior", spec)
