"""A design on disk: the code, a card that says what it is for and how good, a log and its curve; an interrupted one goes on.

===================  ===================================================================================================
NAME.npy             the best code so far, or in another format that `c2b.code_files` writes
NAME.design.json     the card: settings, where the search is, bounds; what a search goes on from
NAME.design.csv      bound of every step, dB
===================  ===================================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import c2b
from c2b import camera, code_files, codes
from c2b.design.moves import Space, space
from c2b.design.objective import Objective
from c2b.design.search import State, begin, search
from c2b.training_log import TrainingLog
from c2b.training_run import alone
from recon import weight_file
from recon.gaussian_mixture import GaussianMixture
from sensors.atomic_file import atomic_file
from sensors.code_link import CONSTRAINTS, CodeLink
from sensors.exposure import LARGEST_TILE
from sensors.refusal import Refusal

Progress = Callable[[Iterable[State], int, str], Iterable[State]]


@dataclass(frozen=True)
class CodeDesign:
    """What is designed, and how.

    Parameters
    ----------
    sensor : str
        Sensor, preset or sensor file.
    readout : str, optional
        In place of the sensor's own.
    light : float, optional
        Electrons at white per sub-exposure.
    frames : int
        T.
    tile : (int, int)
    prior : str
        A Gaussian mixture: shipped, or a file.
    constraint : tuple of str
        Names of `sensors.code_link.CONSTRAINTS`.
    same_light : bool
        All pixels are open equally long.
    opened : int
        Sub-exposures in which a pixel is open at the beginning; 0: about a third.
    start : str
        A code to begin with; empty: a random one.
    seed : int

    Raises
    ------
    Refusal
        If a setting is unknown or out of range.
    """

    sensor: str = "two-bucket"
    readout: str | None = None
    light: float | None = None
    frames: int = 8
    tile: tuple[int, int] = (8, 8)
    prior: str = "gmm"
    constraint: tuple[str, ...] = ()
    same_light: bool = False
    opened: int = 0
    start: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        if unknown := [name for name in self.constraint if name not in CONSTRAINTS]:
            raise Refusal(f"unknown constraint {unknown[0]!r}; known: {', '.join(CONSTRAINTS)}")
        if not (len(self.tile) == 2 and min(self.tile) >= 1 and max(self.tile) <= LARGEST_TILE):
            raise Refusal(f"--tile {'x'.join(map(str, self.tile))}: sides of 1 to {LARGEST_TILE} pixels can be designed")
        if not 0 <= self.opened <= self.frames:
            raise Refusal(f"--open {self.opened}: a pixel is open in 0 to {self.frames} of {self.frames} sub-exposures")
        if self.light is not None and not 0 < self.light < float("inf"):
            raise Refusal(f"--light {self.light:g} is no number of electrons at white; needed: above 0")
        if "shared" in self.constraint and tuple(self.tile) != (1, 1):
            raise Refusal("constraint shared asks for --tile 1")

    def objective(self) -> Objective:
        """The bound that is to be high.

        Raises
        ------
        Refusal
            If the sensor or the prior cannot be had, or serve no such exposure.
        """
        prior = GaussianMixture.load(weight_file.locate(self.prior)).marginal(self.frames)
        made = camera.make(self.sensor, f"long:frames={self.frames}", self.readout)
        return Objective((made if self.light is None else made.lit(self.light)).chip, prior)

    def beginning(self, allowed: Space) -> NDArray[np.uint8]:
        """The code of the first step.

        Raises
        ------
        Refusal
            If the sensor, or a constraint, does not allow it.
        """
        if self.start:
            code = codes.make(self.start)
            if code.shape != (self.frames, *self.tile) or not np.isin(code, (0, 1)).all():
                size = "x".join(map(str, (self.frames, *self.tile)))
                raise Refusal(
                    f"--start {self.start} is of shape {'x'.join(map(str, code.shape))}; needed: {size} of zeros and ones"
                )
            code = code.astype(np.uint8)
        else:
            opened = self.opened or max(1, round(self.frames / 3))
            code = allowed.beginning(self.frames, self.tile, opened, np.random.default_rng(self.seed))
        if reason := CodeLink(constraint=self.constraint).refusal(code):
            raise Refusal(f"the first code: {reason}")
        camera.sensor_of(self.sensor, code)  # a preset says what its chip cannot do
        return code

    def run(self, out: Path, steps: int, progress: Progress | None = None) -> State:
        """Search, or go on with a search of that name, until so many steps are done.

        Raises
        ------
        Refusal
            If another design has that name.
        """
        with alone(out):
            objective, allowed = self.objective(), space(self.constraint, same_light=self.same_light)
            known = self._known(out)
            state = known or begin(objective, self.beginning(allowed))
            log = TrainingLog(log_of(out), resumed=known is not None)
            if known is None:
                self._keep(out, state, log)
            found: Iterable[State] = search(objective, allowed, state, steps, self.seed)
            for now in progress(found, max(steps - state.step, 0), "design") if progress else found:
                self._keep(out, state := now, log)
        return state

    def _known(self, out: Path) -> State | None:
        card = card_of(out)
        if not card.exists():
            return None
        try:
            told = json.loads(card.read_text(encoding="utf-8"))
            settings, where = told["settings"], told["search"]
            state = State(
                where["step"],
                self._array(where["code"]),
                where["psnr"],
                self._array(where["best"]),
                where["best_psnr"],
                where["sites"],
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Refusal(f"{card} is no card of a design ({type(error).__name__}); remove it, or choose another name") from None
        if settings != json.loads(json.dumps(asdict(self))):
            other = [name for name, value in json.loads(json.dumps(asdict(self))).items() if settings.get(name) != value]
            raise Refusal(f"{out} is a design of other settings ({', '.join(other)}); choose another name, or remove {card}")
        return state

    def _array(self, words: list[str]) -> NDArray[np.uint8]:
        return np.array([[int(bit) for bit in word] for word in words], np.uint8).reshape(self.frames, *self.tile)

    def _keep(self, out: Path, state: State, log: TrainingLog) -> None:
        """Code and log first, the card last: what it says is there."""
        code_files.write_code(out, state.best)
        log.add({"step": state.step, "psnr": round(state.psnr, 4), "best": round(state.best_psnr, 4), "sites": state.sites})
        where = {name: value if not isinstance(value, np.ndarray) else _words(value) for name, value in vars(state).items()}
        card: dict[str, Any] = {"c2b": c2b.__version__, "settings": asdict(self), "search": where}
        with atomic_file(card_of(out)) as partial:
            partial.write_text(json.dumps(card, indent=1), encoding="utf-8")


def card_of(out: Path) -> Path:
    """The card of a design."""
    return out.with_name(f"{out.stem}.design.json")


def log_of(out: Path) -> Path:
    """The log of a design."""
    return out.with_name(f"{out.stem}.design.csv")


def _words(code: NDArray[np.uint8]) -> list[str]:
    """A word of zeros and ones for each frame, its rows one after the other."""
    return ["".join(map(str, frame.ravel())) for frame in code]
