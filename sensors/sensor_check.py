"""Whether a sensor keeps the contract of `Sensor`: the check that the tests run on every sensor of the table, for one of your own.

==============  ===================================================================================
claim           what is compared
==============  ===================================================================================
adjoint         <A x, y> and <x, A^T y>
formula         `Sensor.expose` and y = sum_t (M S)[t] x[t], after and before what neighbours share; whole numbers have to be exact
inverse         A A^+ A x and A x, where pixels stay apart
affinity        S under a mixture of two grey codes, and the mixture of both S
light           the sum of A over the buckets, without parasitic light, which lies in 0 .. 1: no light is made
round trip      digest and charge of the sensor, and of what its description and its pickle make again
==============  ===================================================================================
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import sensors
from sensors.exposure import periodic
from sensors.neighbour_spread import Spread
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: Largest frame that is exposed: odd, and no multiple of usual tiles.
FRAME = (11, 17)

#: Rounding of sums of float64 and float32, relative to the charge of a white video.
DOUBLE, SINGLE = 1e-9, 1e-6


class Finding(NamedTuple):
    """A claim about a sensor, by how much it misses it, and how much is rounding."""

    claim: str
    error: float
    limit: float

    @property
    def holds(self) -> bool:
        """Whether the claim is true."""
        return self.error <= self.limit

    def __str__(self) -> str:
        return f"{self.claim}: {self.error:.1e}, at most {self.limit:.0e}"


def check(sensor: Sensor, *, seed: int = 0) -> list[Finding]:
    """Everything that the contract claims of a sensor, tried on random video, charge and codes.

    Parameters
    ----------
    sensor : Sensor
        Under one code or several; with its origin, of which a few pixels from there on are exposed.
    seed : int

    Returns
    -------
    list of Finding

    Raises
    ------
    Refusal
        If a claim does not hold; the line says which, and by how much.
    """
    rng = np.random.default_rng(seed)
    found = [finding for number in range(sensor.codes) for finding in _findings(sensor.at(number), rng)]
    found.append(_round_trip(sensor, rng))
    if broken := [finding for finding in found if not finding.holds]:
        raise Refusal(f"{type(sensor).__name__} does not keep the contract of a sensor: {'; '.join(map(str, broken))}")
    return found


def _findings(sensor: Sensor, rng: np.random.Generator) -> Iterator[Finding]:
    shape = _frame(sensor)
    share, mixing = (periodic(part, sensor.origin, shape).astype(np.float64) for part in (sensor.shares, sensor.mixing))
    A = np.einsum("bcij,ctij->btij", mixing, share)
    own = np.einsum("bcij,ctij->btij", mixing[:, : sensor.buckets], share[: sensor.buckets])
    light, charge = rng.random((sensor.frames, *shape)), rng.random((sensor.buckets, *shape))
    seen = sensor.expose(light)
    scale = sensor.frames * seen.size
    yield Finding("adjoint", abs(float(np.vdot(seen, charge) - np.vdot(light, sensor.adjoint(charge)))) / scale, DOUBLE)
    for dtype in (np.uint8, np.uint16, np.float32, np.float64):
        yield _formula(sensor, A, light, np.dtype(dtype))
    if sensor.pixels_apart:
        yield Finding("inverse", _apart(sensor.expose(sensor.pseudo_inverse(seen)), seen) / sensor.frames, SINGLE)
    yield Finding("affinity", _affinity(sensor, rng), SINGLE)
    yield Finding("light", max(float(own.sum(0).max()) - 1, -float(own.min()), 0.0), SINGLE)


def _formula(sensor: Sensor, A: NDArray, light: NDArray, dtype: np.dtype) -> Finding:
    white = np.iinfo(dtype).max if dtype.kind == "u" else 1
    video = (light * white).astype(dtype)
    exposure = sensor.exposure
    seen = _shared(video.astype(np.float64), [exposure.light] * len(video))
    found, expected = sensor.expose(video), _shared(np.einsum("btij,tij->bij", A, seen), exposure.charges)
    limit = 0.0 if found.dtype.kind == "u" else DOUBLE if found.dtype == np.float64 else SINGLE
    return Finding(f"formula of {dtype} video", _apart(found, expected) / (white * sensor.frames), limit)


def _shared(frames: NDArray, spreads: Sequence[Spread | None] | None) -> NDArray:
    """Frames (n, H, W), each with what neighbours get of its pixels by the kernel itself."""
    from scipy.ndimage import convolve

    each = zip(frames, spreads or [None] * len(frames), strict=True)
    return np.stack([frame if one is None else convolve(frame, one.kernel, mode="nearest") for frame, one in each])


def _affinity(sensor: Sensor, rng: np.random.Generator) -> float:
    one, other = rng.random((2, *sensor.code.shape)).astype(np.float32)
    part = np.float32(0.25)
    mixed = sensor.shares_under(part * one + (1 - part) * other)
    return _apart(mixed, part * sensor.shares_under(one) + (1 - part) * sensor.shares_under(other))


def _round_trip(sensor: Sensor, rng: np.random.Generator) -> Finding:
    document, arrays = sensor.description()
    again = sensors.from_description(json.loads(json.dumps(document)), arrays, type(sensor))
    light = rng.random((*sensor.code.shape[:-3], sensor.frames, *_frame(sensor.at(0))))
    seen = sensor.expose(light)
    made = (again, pickle.loads(pickle.dumps(sensor)))
    lost = max(_apart(one.expose(light), seen) if one.digest == sensor.digest else np.inf for one in made)
    return Finding("round trip", lost, 0.0)


def _frame(sensor: Sensor) -> tuple[int, int]:
    """A frame that fits the rows and the maps of the chip."""
    exposure = sensor.exposure
    chip = zip((exposure.rows, 0), exposure.mixing.shape[2:], exposure.origin, FRAME, strict=True)
    height, width = (min([most, *(size - start for size in (rows, maps) if size > 1)]) for rows, maps, start, most in chip)
    if min(height, width) < 1:
        raise Refusal(f"the origin {list(sensor.origin)} lies beyond the chip; check the sensor at another one")
    return height, width


def _apart(one: NDArray, other: NDArray) -> float:
    return float(np.abs(np.subtract(one, other, dtype=np.float64)).max())
