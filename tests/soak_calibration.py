"""How often the 95 % intervals of calibration hold the true values: ``python -m tests.soak_calibration [seeds]``, minutes."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

import sensors
from c2b import codes
from sensors import preset
from sensors.calibration.characterisation import Characterisation, Stack, characterise
from sensors.calibration.stack_moments import stack_moments
from sensors.readout import Readout

SHAPE = (48, 56)
SUB_EXPOSURES = 9
DARK_SECONDS = (0.01, 0.1, 1.0)


@dataclass(frozen=True)
class Setting:
    """A sensor on the bench, ``bright`` electrons being the brightest flat; without leakage it has a single bucket."""

    readout: Readout
    leakage: tuple[float, float] | None = None
    mismatch: float = 0.0
    drain: float = 0.0
    bright: float = 9000.0

    def truth(self) -> dict[str, object]:
        """What calibration should find, by name; white is what arrives behind the drain."""
        r = self.readout
        names = ("black_level", "gain", "read_noise", "row_noise", "dark_current", "prnu", "dsnu", "full_well")
        numbers = {name: getattr(r, name) for name in names if getattr(r, name, None) is not None}
        numbers["white"] = r.white * (1 - self.drain)
        return numbers if self.leakage is None else {**numbers, "leakage": self.leakage, "mismatch": self.mismatch}

    def shares(self, duty: float) -> NDArray[np.float64]:
        """What each bucket receives of all light under a code that is open for this part of the time, (B,)."""
        if self.leakage is None:
            return np.array([duty])
        e0, e1 = self.leakage
        strength = (1 - self.drain) * np.array([min(1, 1 + self.mismatch), min(1, 1 - self.mismatch)])
        return strength * [duty * (1 - e0) + (1 - duty) * e1, duty * e0 + (1 - duty) * (1 - e1)]


def settings() -> dict[str, Setting]:
    """Every preset that is not ideal, and three sensors less even."""
    return {name: _of_preset(name) for name in sensors.PRESETS if "readout" in preset.load(name)} | _uneven()


def _of_preset(name: str) -> Setting:
    """As it stands; the brightest flat is a little more than bucket or converter hold."""
    chip = sensors.make(name, codes.make("hadamard"))
    r = chip.readout
    ends = (2**r.bits - 1 - r.black_level) / r.gain
    taps = {"leakage": (chip.leakage,) * 2, "mismatch": chip.mismatch} if chip.buckets == 2 else {}
    return Setting(r, **taps, bright=1.07 * min(ends, r.full_well or ends))


def _uneven() -> dict[str, Setting]:
    lively = replace(
        sensors.make("cep-2019", codes.make("hadamard")).readout,
        dark_current=(50.0, 80.0),
        prnu=0.01,
        dsnu=5.0,
        gain=(0.48, 0.5),
        read_noise=(12.0, 9.0),
        bits=13,
    )
    small = Readout(
        white=40, full_well=3000, read_noise=4, gain=0.9, black_level=40, bits=12, dark_current=20, prnu=0.02, dsnu=2.0
    )
    deep = Readout(
        white=500, full_well=(20000, 19000), read_noise=6, gain=2.5, black_level=400, bits=16, dark_current=200, dsnu=8.0
    )
    return {
        "cep-2019, 13 bits, uneven taps": Setting(lively, (0.02, 0.035), 0.05, 0.1, 11000),
        "small well": Setting(replace(small, row_noise=1.5), (0.06, 0.03), -0.03, 0.0, 4000),
        "deep well": Setting(deep, (0.0, 0.01), 0.0, 0.05, 26000),
    }


def calibrated(setting: Setting, seed: int, *, frames: int = 4, levels: int = 10) -> Characterisation:
    """A specimen of the sensor, its darks, flats and duty ramp, and what calibration makes of them."""
    readout = replace(setting.readout, serial=seed)
    taken = 0

    def stack(light: float, duty: float, seconds: float, count: int) -> Stack:
        nonlocal taken
        charge = (light / readout.white * setting.shares(duty)).astype(np.float32)[:, None, None]
        charge = np.broadcast_to(charge, (len(charge), *SHAPE))
        images = [readout.read_out(charge, seed=seed, number=taken + n, duration=seconds) for n in range(count)]
        taken += count
        top = None if readout.bits is None else 2**readout.bits - 1
        return Stack(stack_moments(np.stack(images), top=top), seconds, light / readout.white / SUB_EXPOSURES, duty)

    lights = np.linspace(0.05, 1, levels) * setting.bright
    darks = [stack(0, 0, seconds, 2 * frames) for seconds in DARK_SECONDS]
    if setting.leakage is None:
        return characterise(
            darks, [stack(light, 1, 0.01, frames) for light in lights], bits=readout.bits, sub_exposures=SUB_EXPOSURES
        )
    flats = [stack(light, duty, 0.01, frames) for light in lights for duty in (1, 0)]
    ramp = [stack(0.5 * setting.bright, m / SUB_EXPOSURES, 0.01, frames) for m in range(0, SUB_EXPOSURES + 1, 3)]
    return characterise(darks, flats, ramp, bits=readout.bits, sub_exposures=SUB_EXPOSURES)


def coverage(setting: Setting, seeds: range, **how: int) -> dict[str, tuple[int, int]]:
    """For each number: how many intervals hold the truth, of how many."""
    hits: dict[str, tuple[int, int]] = {}
    for seed in seeds:
        found = calibrated(setting, seed, **how)
        for name, truth in setting.truth().items():
            measured = found.readout.get(name) or found.sensor.get(name)
            if measured is not None:
                inside = measured.covers(truth)
                before = hits.get(name, (0, 0))
                hits[name] = before[0] + int(inside.sum()), before[1] + inside.size
    return hits


def main() -> None:
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
    for title, setting in settings().items():
        print(f"{title}, {len(seeds)} seeds")
        for name, (inside, count) in coverage(setting, seeds).items():
            rate = 100 * inside / count
            # an interval around nothing cannot lie below nothing: half of the misses are impossible
            most = 99 if np.all(setting.truth()[name]) else 100
            print(
                f"  {name:13} {rate:5.1f} % of {count}{'' if 90 <= rate <= most else f'   <-- outside 90 .. {most} %'}",
                flush=True,
            )


if __name__ == "__main__":
    main()
