"""The tile solve of a 720x1278 capture, 3x3 tiles, against the matrix product and the batched solver one would write in numpy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

import sensors
from c2b import codes
from recon.tile_matrix import solve_periodic, tile_matrix
from recon.tile_solve import solve_each_tile
from tests.benchmarks.interleaved import Ratio, compare

SHAPE = 720, 1278
RIDGE = 0.01


def ratios() -> Iterator[Ratio]:
    """One matrix for all tiles, the impulse code, a system per tile."""
    rng = np.random.default_rng(0)
    charge = rng.random((1, *SHAPE), np.float32)
    yield _periodic("tile solve, periodic: (tiles,9)@(9,9)", "bernoulli:frames=9,tile=3,seed=1", charge, 3.5)
    yield _periodic("tile solve, impulse: (tiles,9)@(9,9)", "impulse:tile=3", charge, 3.5)
    yield _per_tile("tile solve, a system per tile: batched LAPACK", charge, rng, 4)


def _periodic(name: str, code_name: str, charge: NDArray, at_least: float) -> Ratio:
    sensor = sensors.make("coded-pixel", codes.make(code_name))
    solve = tile_matrix(sensor, (0, 0), 1, None, None).solve
    matrix = np.ascontiguousarray(solve.reshape(9, 9).T)
    h, w = SHAPE[0] // 3, SHAPE[1] // 3

    def plain() -> NDArray:
        tiles = charge[0].reshape(h, 3, w, 3).transpose(0, 2, 1, 3).reshape(-1, 9)
        return (tiles @ matrix).reshape(h, w, 9)

    assert np.allclose(plain().transpose(2, 0, 1), solve_periodic(charge, solve), atol=1e-3)
    return compare(name, plain, lambda: solve_periodic(charge, solve), at_least=at_least, turns=15, batch=5)


def _per_tile(name: str, charge: NDArray, rng: np.random.Generator, at_least: float) -> Ratio:
    shares = (rng.random((1, 9, *SHAPE), np.float32) < 0.5).astype(np.float32)
    weight = np.ones_like(charge)
    h, w = SHAPE[0] // 3, SHAPE[1] // 3
    towards_mean = RIDGE * (np.eye(9, dtype=np.float32) - np.float32(1 / 9))

    def plain() -> NDArray:
        A = shares[0].reshape(9, h, 3, w, 3).transpose(1, 3, 2, 4, 0).reshape(-1, 9, 9)
        y = charge[0].reshape(h, 3, w, 3).transpose(0, 2, 1, 3).reshape(-1, 9, 1)
        transposed = A.transpose(0, 2, 1)
        return np.linalg.solve(transposed @ A + towards_mean, transposed @ y).reshape(h, w, 9)

    ours = solve_each_tile(charge, shares, weight, (3, 3), RIDGE)
    difference = np.abs(plain().transpose(2, 0, 1) - ours)
    assert np.median(difference) < 1e-3, np.median(difference)
    return compare(name, plain, lambda: solve_each_tile(charge, shares, weight, (3, 3), RIDGE), at_least=at_least, turns=5)
