"""How often the 95 % intervals of calibration hold the true values: ``python -m tests.soak_calibration [seeds]``, minutes."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import numpy as np

import sensors
from c2b import codes
from sensors.calibration.characterisation import Characterisation, Stack, characterise
from sensors.calibration.stack_moments import stack_moments
from sensors.readout import Readout

SHAPE = (48, 56)
SUB_EXPOSURES = 9
DARK_SECONDS = (0.01, 0.1, 1.0)


@dataclass(frozen=True)
class Setting:
    """A two-bucket sensor on the bench, ``bright`` electrons being the brightest flat."""

    readout: Readout
    leakage: tuple[float, float]
    mismatch: float
    drain: float = 0.0
    bright: float = 9000.0

    def truth(self) -> dict[str, object]:
        """What calibration should find, by name; white is what arrives behind the drain."""
        r = self.readout
        names = ("black_level", "gain", "read_noise", "row_noise", "dark_current", "prnu", "dsnu", "full_well")
        numbers = {name: getattr(r, name) for name in names if getattr(r, name, None) is not None}
        return {**numbers, "white": r.white * (1 - self.drain), "leakage": self.leakage, "mismatch": self.mismatch}


def settings() -> dict[str, Setting]:
    """cep-2019 as it stands, and three others."""
    preset = sensors.make("cep-2019", codes.make("hadamard"))
    plain = Setting(preset.readout, (preset.leakage,) * 2, preset.mismatch)
    lively = replace(
        preset.readout, dark_current=(50.0, 80.0), prnu=0.01, dsnu=5.0, gain=(0.48, 0.5), read_noise=(12.0, 9.0), bits=13
    )
    small = Readout(
        white=40, full_well=3000, read_noise=4, gain=0.9, black_level=40, bits=12, dark_current=20, prnu=0.02, dsnu=2.0
    )
    deep = Readout(
        white=500, full_well=(20000, 19000), read_noise=6, gain=2.5, black_level=400, bits=16, dark_current=200, dsnu=8.0
    )
    return {
        "cep-2019": plain,
        "cep-2019, 13 bits, uneven taps": Setting(lively, (0.02, 0.035), 0.05, 0.1, 11000),
        "small well": Setting(replace(small, row_noise=1.5), (0.06, 0.03), -0.03, 0.0, 4000),
        "deep well": Setting(deep, (0.0, 0.01), 0.0, 0.05, 26000),
    }


def calibrated(setting: Setting, seed: int, *, frames: int = 4, levels: int = 10) -> Characterisation:
    """A specimen of the sensor, its darks, flats and duty ramp, and what calibration makes of them."""
    readout = replace(setting.readout, serial=seed)
    strength = (1 - setting.drain) * np.array([min(1, 1 + setting.mismatch), min(1, 1 - setting.mismatch)])
    e0, e1 = setting.leakage
    taken = 0

    def stack(light: float, duty: float, seconds: float, count: int) -> Stack:
        nonlocal taken
        shares = strength * [duty * (1 - e0) + (1 - duty) * e1, duty * e0 + (1 - duty) * (1 - e1)]
        charge = np.broadcast_to((light * shares / readout.white).astype(np.float32)[:, None, None], (2, *SHAPE))
        images = [readout.read_out(charge, seed=seed, exposure=taken + n, duration=seconds) for n in range(count)]
        taken += count
        top = None if readout.bits is None else 2**readout.bits - 1
        return Stack(stack_moments(np.stack(images), top=top), seconds, light / readout.white / SUB_EXPOSURES, duty)

    darks = [stack(0, 0, seconds, 2 * frames) for seconds in DARK_SECONDS]
    flats = [stack(light, duty, 0.01, frames) for light in np.linspace(0.05, 1, levels) * setting.bright for duty in (1, 0)]
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
            print(f"  {name:13} {rate:5.1f} % of {count}{'' if 90 <= rate <= 99 else '   <-- outside 90 .. 99 %'}", flush=True)


if __name__ == "__main__":
    main()
