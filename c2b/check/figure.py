"""One figure of a check-up: its value, what is normal, and what usually causes it otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Figure:
    """A number out of a capture.

    Parameters
    ----------
    name : str
        Key in JSON, such as ``saturated``.
    about : str
        What the number is, in words.
    value : float, optional
        None where it cannot be told; ``remark`` says why.
    low, high : float
        Limits of what is normal, both included.
    cause : str
        What usually causes a value outside.
    where : str
        Bucket or exposure it is of.
    remark : str
        What else is to be said.
    percent : bool
        Whether it is shown in per cent.
    picture : ndarray, (H, W), optional
        Where in the frame it comes from.
    """

    name: str
    about: str
    value: float | None
    low: float
    high: float
    cause: str
    where: str = ""
    remark: str = ""
    percent: bool = False
    picture: NDArray | None = field(default=None, repr=False)

    @property
    def told(self) -> bool:
        """Whether it could be told."""
        return self.value is not None

    @property
    def normal(self) -> bool:
        """Whether it is within its limits; what cannot be told is not outside them."""
        return self.value is None or bool(self.low <= self.value <= self.high)

    @property
    def excess(self) -> float:
        """How far it lies beyond its limits, in units of them; 0 within."""
        if self.value is None or self.normal:
            return 0.0
        limit = self.high if self.value > self.high else self.low
        return abs(self.value - limit) / max(abs(limit), 1e-3 if self.percent else 1e-2)

    @property
    def shown(self) -> str:
        """The value as text."""
        return "-" if self.value is None else self._text(self.value)

    @property
    def limits(self) -> str:
        """What is normal, as text."""
        if np.isneginf(self.low):
            return f"at most {self._text(self.high)}"
        if np.isposinf(self.high):
            return f"at least {self._text(self.low)}"
        return self._text(self.low) if self.low == self.high else f"{self._text(self.low)} to {self._text(self.high)}"

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "name": self.name,
            "where": self.where,
            "about": self.about,
            "value": self.value,
            "normal": [one if np.isfinite(one) else None for one in (self.low, self.high)],
            "ok": self.normal if self.told else None,
            "cause": "" if self.normal else self.cause,
            "remark": self.remark,
        }

    def _text(self, value: float) -> str:
        return f"{100 * value:.3g} %" if self.percent else f"{value:.3g}"


@dataclass(frozen=True, eq=False)
class Report:
    """All figures of a capture."""

    figures: tuple[Figure, ...]

    @property
    def findings(self) -> tuple[Figure, ...]:
        """Those outside their limits, the farthest first."""
        return tuple(sorted((one for one in self.figures if not one.normal), key=lambda one: -one.excess))

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """A line each: what, where, value, normal, verdict."""
        verdict = {True: "ok", False: "LOOK"}
        return [
            (one.about, one.where, one.shown, one.limits, verdict[one.normal] if one.told else f"not told: {one.remark}")
            for one in self.figures
        ]

    def causes(self) -> list[str]:
        """A line for each finding."""
        return [
            f"{one.about}{f' ({one.where})' if one.where else ''}: {one.shown}, normal {one.limits}. Usually: {one.cause}"
            + (f" [{one.remark}]" if one.remark else "")
            for one in self.findings
        ]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"ok": not self.findings, "figures": [one.document() for one in self.figures]}
