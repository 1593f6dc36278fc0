"""Light to charge: two buckets of uint8 video against the two sums one would write in numpy, cold data (rotating over 200 MB)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import sensors
from c2b import codes
from tests.benchmarks.interleaved import Ratio, compare

COLD_BYTES = 200e6


def ratios() -> Iterator[Ratio]:
    """Single exposures, then a stream from disk."""
    yield _single("two-bucket forward 720x1280x9, 3x3 tile", "bernoulli:frames=9,tile=3", (9, 720, 1280), 15)
    yield _single("two-bucket forward 720x1280x9, full random mask", "bernoulli:frames=9,tile=[720,1280]", (9, 720, 1280), 12)
    yield _single("two-bucket forward 1080x1920x16, 8x8 tile", "bernoulli:frames=16,tile=8", (16, 1080, 1920), 15)
    yield _stream("stream of 900 frames 720x1280 from disk, 100 captures", 900, 12)


def _single(name: str, code_name: str, shape: tuple[int, int, int], at_least: float) -> Ratio:
    code = codes.make(code_name)
    sensor = sensors.make("two-bucket", code)
    rng = np.random.default_rng(0)
    clips = [rng.integers(0, 256, shape, np.uint8) for _ in range(max(1, int(COLD_BYTES / np.prod(shape))))]
    plain, full = _plain(code, shape[1:])
    out = sensor.expose(clips[0])
    assert np.array_equal(out, np.stack(plain(clips[0]))) and full.shape == shape
    one, other = cycle(clips), cycle(clips)
    return compare(name, lambda: plain(next(one)), lambda: sensor.expose(next(other), out=out), at_least=at_least, batch=20)


def _stream(name: str, frames: int, at_least: float) -> Ratio:
    code = codes.make("impulse:tile=3")
    sensor = sensors.make("two-bucket", code)
    plain, _ = _plain(code, (720, 1280))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stream.npy"
        film = np.lib.format.open_memmap(path, "w+", np.uint8, (frames, 720, 1280))
        rng = np.random.default_rng(0)
        for t in range(0, frames, 9):
            film[t : t + 9] = rng.integers(0, 256, (9, 720, 1280), np.uint8)
        film = np.load(path, mmap_mode="r")
        charge = sensor.expose(film[:9])

        def ours() -> None:
            for t in range(0, frames, 9):
                sensor.expose(film[t : t + 9], out=charge)

        def reference() -> None:
            for t in range(0, frames, 9):
                plain(film[t : t + 9])

        return compare(name, reference, ours, at_least=at_least, turns=3)


def _plain(code: NDArray, shape: tuple[int, int]) -> tuple[Callable[[NDArray], tuple[NDArray, NDArray]], NDArray]:
    """What a user would write, with the code already laid out over the frame as float32."""
    repeats = [1, *(-(-size // side) for size, side in zip(shape, code.shape[1:], strict=True))]
    full = np.ascontiguousarray(np.tile(code, repeats)[:, : shape[0], : shape[1]], np.float32)
    return (lambda video: ((full * video).sum(0), ((1 - full) * video).sum(0))), full
