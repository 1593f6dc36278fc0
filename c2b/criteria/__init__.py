"""What a sensor under a code is worth before any picture is taken with it; each criterion is chosen by its name.

criterion.py            the contract: a sensor goes in, a number comes out
judged.py               every code under every sensor and light, a number for each criterion
tile_system.py          light, rank, condition and noise gain of a tile; the table of codes
collected.py            what a tile collects, and the noise of it
linear_error.py         condition, noise gain, Cramer-Rao bound, gain over the impulse code
temporal_transfer.py    which rhythms survive, and the speeds that alias
flutter_transfer.py     the transfer function of a flutter shutter, all buckets together
coherence.py            mutual coherence with cosines
patch_posterior.py      the error that a Gaussian prior leaves of a patch, in closed form
moving_texture.py       the same under moving texture
mixture_error.py        the same under a Gaussian mixture: a bound, and by sampling
exposure_range.py       light, saturation, dynamic range
code_rate.py            bits that go to the chip
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sensors.name_table import NameTable

if TYPE_CHECKING:
    from c2b.criteria.criterion import Criterion

CRITERIA = {
    "light": "c2b.criteria.exposure_range:Light",
    "condition": "c2b.criteria.linear_error:Condition",
    "noise-gain": "c2b.criteria.linear_error:NoiseGain",
    "cramer-rao": "c2b.criteria.linear_error:CramerRao",
    "snr-gain": "c2b.criteria.linear_error:SnrGain",
    "coherence": "c2b.criteria.coherence:Coherence",
    "shortest-period": "c2b.criteria.temporal_transfer:ShortestPeriod",
    "fastest-motion": "c2b.criteria.temporal_transfer:FastestMotion",
    "flutter-minimum": "c2b.criteria.flutter_transfer:FlutterMinimum",
    "flutter-gain": "c2b.criteria.flutter_transfer:FlutterGain",
    "moving-texture": "c2b.criteria.moving_texture:MovingTexture",
    "mixture-bound": "c2b.criteria.mixture_error:MixtureBound",
    "mixture-error": "c2b.criteria.mixture_error:MixtureError",
    "saturation": "c2b.criteria.exposure_range:Saturation",
    "dynamic-range": "c2b.criteria.exposure_range:DynamicRange",
    "code-rate": "c2b.criteria.code_rate:CodeRate",
}
CRITERIA = NameTable("criteria", CRITERIA)


def make(names: Iterable[str] = ()) -> dict[str, Criterion]:
    """The criteria of that name, with settings such as ``moving-texture:speed=2``, by their words; without names all that are quick.

    Raises
    ------
    Refusal
        If a name or a setting is unknown.
    """
    from sensors import spec

    chosen = [*names]
    found: dict[str, Criterion] = {name: spec.make(CRITERIA, "criterion", name) for name in chosen or CRITERIA}
    return found if chosen else {name: one for name, one in found.items() if one.quick}
