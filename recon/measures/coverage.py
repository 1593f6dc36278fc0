"""Coverage: how often the truth lies within the interval that a method claims, whose share is known if its variance is right."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.stats import norm

from recon.measures.measure import Metric, Outcome
from sensors.refusal import Refusal


class Coverage(Metric):
    """Share of the true values within video -+ z sqrt(variance), in light, where z makes it ``level`` under a normal error.

    Parameters
    ----------
    level : float
        Share that is claimed, above 0 and below 1. Less than that covered: the method is too sure of itself.
    """

    better: ClassVar[str] = "its level, 0.95 by default"
    needs: ClassVar[str] = "a method that tells its variance, such as gmm, in a comparison"

    def __init__(self, level: float = 0.95) -> None:
        if not 0 < level < 1:
            raise Refusal(f"level={level:g} is no share; needed: above 0 and below 1")
        self.level = level

    def __call__(self, outcome: Outcome) -> float | None:
        if outcome.variance is None:
            return None
        if outcome.truth.ndim != 3:
            raise Refusal("coverage is measured of grey video; the variance of a method is one for all colours")
        error = np.abs(outcome.response.decode(outcome.video) - outcome.response.decode(outcome.truth))
        within = error <= norm.ppf((1 + self.level) / 2) * np.sqrt(outcome.variance())
        return float(within.mean())
