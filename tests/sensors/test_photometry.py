"""Photometry: lux, lens and pixel to electrons, against the photon budget written out, and as a way to say how bright white is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import sensors
from c2b import codes
from sensors import preset
from sensors.photometry import PHOTONS_PER_LUX, Photometry
from sensors.readout import Readout
from sensors.refusal import Refusal
from sensors.timing import Timing

OFFICE = Photometry(lux=1000, reflectance=0.18, f_number=2, transmission=0.9, pixel_pitch=11.2, quantum_efficiency=0.27)
CODE = codes.make("impulse:tile=[2,3]")


def test_a_lux_of_green_light_is_4090_photons_per_second_and_square_micrometre() -> None:
    """One watt at 555 nm is 683 lm; a photon of it has h c / lambda = 3.579e-19 J."""
    assert pytest.approx(1 / 683 / 3.5792e-19 / 1e12, rel=1e-4) == PHOTONS_PER_LUX


def test_the_photon_budget_of_an_office() -> None:
    assert OFFICE.sensor_lux == pytest.approx(10.1, abs=0.05)
    assert OFFICE.photon_rate == pytest.approx(4.1e4, abs=500)
    assert OFFICE.electron_rate == pytest.approx(1.4e6, rel=0.01)
    for sub_exposure, electrons in ((80e-6, 112), (170e-6, 238)):
        assert OFFICE.white(sub_exposure) == pytest.approx(electrons, rel=0.005)
    small = Photometry(lux=1000, reflectance=0.18, pixel_pitch=7, quantum_efficiency=0.46, fill_factor=0.5)
    assert small.white(80e-6) == pytest.approx(37, abs=0.5) and small.white(170e-6) == pytest.approx(80, rel=0.01)


def test_two_stops_are_a_quarter_of_the_light_each_way() -> None:
    assert replace(OFFICE, f_number=4).white(1e-3) == pytest.approx(OFFICE.white(1e-3) / 4)
    assert replace(OFFICE, pixel_pitch=22.4).white(1e-3) == pytest.approx(4 * OFFICE.white(1e-3))
    assert replace(OFFICE, lux=250).white(4e-3) == pytest.approx(OFFICE.white(1e-3))


def test_lux_says_how_bright_white_is() -> None:
    sensor = sensors.make("cep-2019:lux=10,f_number=4,sub_exposure=0.001", CODE)
    expected = Photometry(lux=10, f_number=4, pixel_pitch=11.2, quantum_efficiency=0.27).white(0.001)
    assert sensor.readout == Readout(white=expected, full_well=8400, read_noise=12, gain=0.48, black_level=64, bits=12)
    assert sensors.make("cep-2019:lux=10,f_number=4", CODE, timing=Timing(0.001)).readout == sensor.readout
    pixel = "pixel_pitch=11.2,quantum_efficiency=0.27,sub_exposure=0.001"
    plain = sensors.make(f"two-bucket:lux=10,f_number=4,{pixel},read_noise=3", CODE)
    assert plain.readout == Readout(white=expected, read_noise=3)


def test_a_flat_of_the_office_has_the_electrons_of_the_budget() -> None:
    sensor = sensors.make(
        "cep-2019:lux=1000,reflectance=0.18,sub_exposure=80e-6,leakage=0,mismatch=0", codes.make("long:frames=9")
    )
    charge = sensor.capture(np.ones((9, 90, 101), np.float32), seed=0).images[0, 0].astype(float)
    electrons = (charge - 64) / 0.48
    assert electrons.mean() == pytest.approx(9 * 112, rel=0.005)
    assert electrons.var() == pytest.approx(9 * 112 + 144 + 1 / 12 / 0.48**2, rel=4 * np.sqrt(2 / charge.size))


def test_white_from_lux_counts_as_given() -> None:
    assert preset.provenance("cep-2019", {})["white"] == "assumed"
    told = preset.provenance("cep-2019", {"lux": "10"})
    assert told["white"] == told["lux"] == "given" and told["pixel_pitch"] == "published"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("cep-2019:lux=10,white=20", "white=20 and lux=10 both say how bright white is"),
        ("cep-2019:f_number=4", "f_number=4 needs lux"),
        ("cep-2019:lux=0", "lux is a positive number, not 0.0"),
        ("cep-2019:lux=bright", "lux=bright is not a number"),
        ("cep-2019:lux=10,transmission=1.5", r"transmission lies in \(0, 1\], not 1.5"),
        ("cep-2019:lux=10,quantum_efficiency=nan", "quantum_efficiency=nan is no number that can be meant"),
        ("cep-2019:lux=10,quantum_efficiency=1.5", r"quantum_efficiency lies in \(0, 1\]"),
        ("cep-2019:lux=10,sub_exposure=0", "give sub_exposure"),
        ("two-bucket:lux=10,sub_exposure=0.001", "give pixel_pitch and quantum_efficiency"),
        ("two-bucket:lux=10,pixel_pitch=3,sub_exposure=0.001", "give quantum_efficiency"),
    ],
)
def test_light_that_cannot_be_reckoned_is_refused(words: str, reason: str) -> None:
    with pytest.raises(Refusal, match=reason) as refusal:
        sensors.make(words, CODE)
    assert "\n" not in str(refusal.value)


def test_lux_and_a_readout_of_ones_own_are_refused_together() -> None:
    with pytest.raises(Refusal, match="set white there"):
        sensors.make("cep-2019:lux=10", CODE, readout=Readout())


def test_lux_is_needed_for_light() -> None:
    with pytest.raises(Refusal, match="lux is not given"):
        _ = Photometry().sensor_lux
