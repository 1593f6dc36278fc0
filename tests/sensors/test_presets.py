"""Presets: every number says where it comes from and is the number one measures; what the chip cannot do is refused."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from importlib.resources import files

import numpy as np
import pytest

import sensors
from c2b import codes
from sensors import preset, spec
from sensors.code_link import CONSTRAINTS, CodeLink, monotone, one_bit, separable, shared, single_bump
from sensors.noise_field import tukey_deviation
from sensors.refusal import Refusal

IMPULSE = codes.make("impulse:tile=[2,3]")
NOISY = [name for name in sensors.PRESETS if name != "sci-bench"]
every_preset = pytest.mark.parametrize("name", sensors.PRESETS)


@every_preset
def test_a_preset_makes_the_sensor_of_its_numbers_and_says_where_they_come_from(name: str) -> None:
    document, sensor = preset.load(name), sensors.make(name, IMPULSE)
    assert isinstance(sensor, spec.find(sensors.SENSORS, "sensor", document["sensor"]))
    owners = {"sensor_settings": sensor, "readout": sensor.readout, "timing": sensor.timing, "optics": sensor.optics}
    known = {group: {f.name for f in fields(part)} for group, part in {**owners, **preset.BESIDE}.items()}
    assert document.keys() <= {"title", "sensor", *known}
    for group in document.keys() & known.keys():
        for key, entry in document[group].items():
            assert entry.keys() == {"value", "provenance", "source"} and key in known[group]
            assert entry["provenance"] in ("published", "measured", "assumed") and len(entry["source"]) > 5
            if group in owners:
                assert getattr(owners[group], key) == entry["value"]


@every_preset
def test_a_preset_survives_its_description(name: str) -> None:
    sensor = sensors.make(name, IMPULSE)
    assert sensors.from_description(*sensor.description()).digest == sensor.digest


def test_every_preset_file_is_registered() -> None:
    there = {
        f"sensors/presets/{path.name}" for path in files("sensors").joinpath("presets").iterdir() if path.name.endswith("toml")
    }
    assert there == set(sensors.PRESETS.values())


def test_the_reference_camera_keeps_its_numbers() -> None:
    text = files("sensors").joinpath("presets/cep-2019.toml").read_text(encoding="utf-8")
    numbers = {key: entry["value"] for key, entry in tomllib.loads(text)["readout"].items()}
    assert numbers == {"white": 100, "full_well": 8400, "read_noise": 12, "gain": 0.48, "black_level": 64, "bits": 12}


@pytest.mark.parametrize("name", NOISY)
def test_photon_transfer_of_flats_gives_back_the_numbers(name: str) -> None:
    """Pairs of flats in the light of 0 .. 3,000 e-; then far too bright."""
    kind = preset.load(name)["sensor"]
    exact = "leakage=0,mismatch=0," * (kind == "two-bucket") + "prnu=0,hot_pixels=0,white=100"
    sensor = sensors.make(f"{name}:{exact}", codes.make("long:frames=1"))
    readout, shape = sensor.readout, (1, 180, 201)
    n = shape[1] * shape[2]
    flats = [sensor.capture(np.repeat(np.full(shape, level / 100, np.float32), 2, 0), seed=k).images[:, 0].astype(float)
             for k, level in enumerate(np.linspace(0, 3000, 9))]  # fmt: skip
    dark = float(readout.dark_current) * sensor.duration
    mean = np.array([pair.mean() for pair in flats]) - readout.black_level
    variance = np.array([(pair[0] - pair[1]).var() / 2 for pair in flats])
    gain = (variance - variance[0]) @ (mean - mean[0]) / ((mean - mean[0]) @ (mean - mean[0]))
    assert gain == pytest.approx(readout.gain, rel=4 * np.sqrt(2 / n))
    rounding = 1 / 12 / readout.gain**2
    expected = readout.read_noise**2 + readout.row_noise**2 + rounding + dark
    tails = 1 if readout.tukey_lambda is None else 4  # a variance of heavy tails is known less well
    rows = readout.row_noise**2 / expected * np.sqrt(1 / shape[1])  # so few rows tell the row noise
    assert variance[0] / readout.gain**2 == pytest.approx(expected, rel=4 * (np.sqrt(tails / n) + rows))
    assert mean[0] / readout.gain == pytest.approx(
        dark, abs=4 * np.sqrt((expected + readout.dsnu**2) / n) + 4 * readout.row_noise / 13
    )
    bright = sensor.capture(np.full(shape, 5000, np.float32), seed=0)
    assert np.isinf(bright.variance[:, 0]).mean() > 0.99
    if readout.full_well is not None:
        wide = (
            sensors.make(f"{name}:{exact},bits=none", sensor.code).capture(np.full(shape, 5000, np.float32), seed=0).images[0, 0]
        )
        assert (wide.mean() - readout.black_level) / readout.gain == pytest.approx(readout.full_well, abs=1)


@pytest.mark.parametrize(
    ("name", "scale", "gaussian"), [("sony-a7s2", 1.761, 3.381), ("canon-5d4", 2.982, 4.537), ("nikon-d850", 0.914, 2.224)]
)
def test_eld_read_noise_is_the_scale_times_the_deviation_and_near_the_gaussian_fit(
    name: str, scale: float, gaussian: float
) -> None:
    readout = sensors.make(name, IMPULSE).readout
    assert readout.read_noise == pytest.approx(scale * tukey_deviation(readout.tukey_lambda), rel=0.002)
    assert readout.read_noise == pytest.approx(gaussian, rel=0.07)


# The code link -------------------------------------------------------------------------------------------------------------------


def test_bandwidth_sets_the_shortest_sub_exposure() -> None:
    assert CodeLink(bandwidth_bps=160e6, chip=(60, 80)).shortest_sub_exposure == pytest.approx(30e-6)
    assert CodeLink(bandwidth_bps=3.84e9, chip=(480, 640)).shortest_sub_exposure == pytest.approx(80e-6)
    assert CodeLink(chip=(480, 640)).shortest_sub_exposure == 0
    assert sensors.make("cep-vga-2026:sub_exposure=80e-6", IMPULSE).timing.sub_exposure == 80e-6
    with pytest.raises(Refusal, match="480x640 pixels takes 8e-05 s over a link of 3.84e.09 bit/s; needed: sub_exposure"):
        sensors.make("cep-vga-2026:sub_exposure=79e-6", IMPULSE)
    assert sensors.make("cep-vga-2026:sub_exposure=40e-6,bandwidth_bps=8e9", IMPULSE).timing.sub_exposure == 40e-6


def pixel(*values: float) -> np.ndarray:
    """A code of one pixel."""
    return np.array(values)[:, None, None]


def test_predicates_know_their_codes() -> None:
    rows, columns = np.random.default_rng(0).integers(0, 2, (2, 4, 5))
    wires = rows[:, :, None] * columns[:, None, :]
    truth = {
        one_bit: ([pixel(0, 1)], [pixel(0, 0.5)]),
        single_bump: ([pixel(0, 1, 1, 0), pixel(0, 0), pixel(1, 1), IMPULSE], [pixel(1, 0, 1), pixel(1, 0, 0.5)]),
        monotone: ([pixel(0, 0, 1), pixel(1, 0, 0), pixel(1, 1), np.stack([np.eye(2), np.ones((2, 2))])], [pixel(0, 1, 0), IMPULSE]),
        separable: ([wires, IMPULSE, np.zeros((2, 3, 4)), 0.5 * np.ones((1, 2, 3))], [np.eye(3)[None]]),
        shared: ([pixel(0, 1, 1), np.ones((3, 2, 2))], [IMPULSE]),
    }  # fmt: skip
    assert set(truth) == {holds for holds, _ in CONSTRAINTS.values()}
    for holds, (these, others) in truth.items():
        assert all(holds(code) for code in these) and not any(holds(code) for code in others)


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        ("pdc-2017:sub_exposure=2e-5", IMPULSE, "60x80 pixels takes 3e-05 s"),
        ("pdc-2017", np.zeros((2, 61, 2)), "its chip has 60x80 pixels; this code has a tile of 61x2"),
        ("cep-2023:largest_tile=[4,4]", np.zeros((2, 2, 5)), "its largest tile is 4x4 pixels; this code has a tile of 2x5"),
        ("cep-2023", IMPULSE * 0.5, "one bit: values are 0 or 1; this code is not one-bit"),
        ("c2b-2018:most_frames=4", IMPULSE, "at most 4 sub-exposures in one exposure; this code has 6"),
        ("c2b-2018", np.zeros((121, 1, 1)), "at most 120 sub-exposures"),
        ("coded-pixel:constraint=[single-bump]", pixel(1, 0, 1), "this code is not single-bump"),
        ("coded-pixel:constraint=[separable,monotone]", IMPULSE, "this code is not monotone"),
        ("coded-pixel:constraint=[separable]", np.stack([np.ones((1, 2, 2)), np.eye(2)[None]]), "this code is not separable"),
        ("coded-pixel:constraint=[shared]", IMPULSE, "this code is not shared"),
        ("coded-pixel:constraint=[bump]", IMPULSE, "unknown constraint 'bump'; known: one-bit"),
        ("coded-pixel:bandwidth_bps=1e9", IMPULSE, "bandwidth_bps needs chip"),
        ("coded-pixel:bandwidth_bps=0,chip=[4,4]", IMPULSE, "bandwidth_bps=0.0 is not a positive number"),
        ("coded-pixel:chip=[4,0]", IMPULSE, r"chip=\[4, 0\] is not \[rows, columns\]"),
    ],
)
def test_what_the_chip_cannot_do_is_refused_with_the_reason(words: str, code: np.ndarray, reason: str) -> None:
    with pytest.raises(Refusal, match=reason) as refusal:
        sensors.make(words, code)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["pdc-2017", "c2b-2018", "cep-2023", "cep-vga-2026"])
@pytest.mark.parametrize("code", ["impulse", "bernoulli:frames=16,tile=4", "hadamard"])
def test_per_pixel_chips_take_every_one_bit_tile(name: str, code: str) -> None:
    assert sensors.make(name, codes.make(code)).code.dtype == np.uint8


def test_a_link_without_settings_refuses_nothing() -> None:
    assert not CodeLink().refusal(np.random.default_rng(0).random((50, 9, 8)), 1e-9)
