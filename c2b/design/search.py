"""Search for the code of the highest bound: ascent along the gradient, by many sites at once, with annealing.

Each step changes the sites that promise most by the gradient, as many as the last steps let it: twice as many after a step that
helped, half as many after one that did not. A step that lowers the bound by D dB is taken all the same with probability exp(-D /
temperature), and the temperature falls to zero (S. Kirkpatrick, C. Gelatt, M. Vecchi, "Optimization by simulated annealing", Science
220, 1983). The numbers of a step depend on the seed and its number alone, so that an interrupted search goes on as if it had not
been.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from c2b.design.moves import Space
from c2b.design.objective import Objective

#: Temperature at the beginning, dB; noise on what sites promise, relative to its spread over them.
HOT, DOUBT = 0.01, 0.3


@dataclass(frozen=True, eq=False)
class State:
    """Where a search is.

    Parameters
    ----------
    step : int
    code, best : ndarray of uint8, (T, p, q)
        The present one, and the best so far.
    psnr, best_psnr : float
        Their bounds, dB.
    sites : int
        How many sites the next step changes.
    """

    step: int
    code: NDArray[np.uint8]
    psnr: float
    best: NDArray[np.uint8]
    best_psnr: float
    sites: int


def begin(objective: Objective, code: NDArray[np.uint8]) -> State:
    """Before the first step."""
    psnr = objective.psnr(code)
    return State(0, code, psnr, code, psnr, max(1, code[0].size // 4))


def search(objective: Objective, space: Space, state: State, steps: int, seed: int) -> Iterator[State]:
    """The state after each step, until so many are done."""
    psnr, gradient = objective.gradient(state.code)
    while state.step < steps:
        rng = np.random.default_rng((seed, state.step))
        promised, after = space.propose(state.code, gradient)
        doubt = DOUBT * float(np.std(promised)) * rng.gumbel(size=promised.size)
        chosen = np.argsort(-(promised + doubt))[: min(state.sites, promised.size)]
        tried = after(chosen)
        new = objective.psnr(tried)
        temperature = HOT * (1 - state.step / steps)
        taken = new > psnr or rng.random() < math.exp(max((new - psnr) / max(temperature, 1e-12), -700.0))
        sites = min(2 * state.sites, promised.size) if new > psnr else max(1, state.sites // 2)
        if taken:
            psnr, gradient = objective.gradient(tried)
            state = replace(state, code=tried, psnr=psnr)
        better = state.psnr > state.best_psnr
        best = (state.code, state.psnr) if better else (state.best, state.best_psnr)
        state = replace(state, step=state.step + 1, sites=sites, best=best[0], best_psnr=best[1])
        yield state
