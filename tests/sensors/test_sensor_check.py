"""The check that anyone may run on a sensor of their own: it passes those that keep the contract, and names what others break."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import sensors
from c2b import codes
from sensors.coded_pixel import CodedPixel
from sensors.refusal import Refusal
from sensors.sensor import Sensor
from sensors.timing import Timing
from sensors.two_bucket import TwoBucket

CODE = codes.make("bernoulli:frames=5,tile=[2,3],seed=1")


@dataclass(frozen=True, eq=False)
class ThreeBuckets(Sensor):
    """Of one's own and in no table: what the code leaves is split between two further buckets."""

    part: float = 0.25

    def share(self, code):
        return np.stack([code, self.part * (1 - code), (1 - self.part) * (1 - code)]).astype(np.float32)


class Squared(CodedPixel):
    def share(self, code):
        return code[None] ** 2


class Amplified(CodedPixel):
    def share(self, code):
        return 1 + code[None]


class WrongAdjoint(TwoBucket):
    def adjoint(self, charge):
        return super().adjoint(charge[..., ::-1, :, :])


class WrongSum(TwoBucket):
    def expose(self, video, out=None):
        return super().expose(video[..., ::-1, :, :])


class WrongInverse(TwoBucket):
    def pseudo_inverse(self, charge):
        return 0.9 * super().pseudo_inverse(charge)


@dataclass(frozen=True, eq=False)
class Forgetful(CodedPixel):
    gain: float = 1.0

    def description(self):
        document, arrays = super().description()
        del document["settings"]["gain"]
        return document, arrays

    def share(self, code):
        return self.gain * code[None]


def test_a_sensor_of_ones_own_passes():
    found = sensors.check(ThreeBuckets(CODE, lag=0.1, parasitic=0.01, cell=2, origin=(3, 1)))
    assert {finding.claim.partition(" of ")[0] for finding in found} == {
        "adjoint", "formula", "inverse", "affinity", "light", "round trip"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sensor", "claim"),
    [
        (Squared(CODE), "affinity"),
        (Amplified(CODE), "light"),
        (WrongAdjoint(CODE), "adjoint"),
        (WrongSum(CODE), "formula of uint8 video"),
        (WrongInverse(CODE), "inverse"),
        (Forgetful(CODE, gain=0.5), "round trip"),
    ],
)
def test_what_a_sensor_breaks_is_named(sensor, claim):
    with pytest.raises(Refusal, match=f"{type(sensor).__name__} does not keep the contract of a sensor: .*{claim}") as refused:
        sensors.check(sensor)
    assert "\n" not in str(refused.value)


def test_small_chips_are_checked_as_far_as_they_go():
    late = Timing(1e-3, 2, "rolling", 5e-4, 0.01, 9)
    assert sensors.check(TwoBucket(CODE, timing=late, leakage=np.full((9, 4), 0.1), origin=(5, 1)))
    with pytest.raises(Refusal, match="lies beyond the chip"):
        sensors.check(TwoBucket(CODE, timing=late, origin=(9, 0)))
