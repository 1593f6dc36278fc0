"""Readout: photon transfer of simulated flats gives back what was put in, and charge comes back from numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sensors import kernel
from sensors.fixed_pattern import dsnu_map, prnu_map
from sensors.readout import Readout, ideal
from sensors.refusal import Refusal

SHAPE = (2, 190, 211)
N = SHAPE[1] * SHAPE[2]
CAMERA = Readout(white=100, full_well=8400, read_noise=12, gain=0.48, black_level=64, bits=12)


def flat(readout: Readout, *levels: float, shape: tuple[int, int] = SHAPE[1:], **where: int) -> np.ndarray:
    """A flat of each bucket at its own level, in electrons, as float64."""
    charge = np.stack([np.full(shape, level / readout.white, np.float32) for level in levels])
    return readout.read_out(charge, seed=where.pop("seed", 1), **where).astype(np.float64)


def test_photon_transfer_gives_back_gain_read_noise_and_full_well() -> None:
    levels = np.linspace(0, 0.7 * 8400, 12)
    pairs = [(flat(CAMERA, level, number=2 * k), flat(CAMERA, level, number=2 * k + 1)) for k, level in enumerate(levels)]
    mean = np.array([(a + b).mean() / 2 for a, b in pairs]) - 64
    variance = np.array([(a - b).var() / 2 for a, b in pairs])
    gain = ((variance - variance[0]) @ mean) / (mean @ mean)
    assert gain == pytest.approx(0.48, rel=0.01)
    assert np.sqrt(variance[0] - 1 / 12) / gain == pytest.approx(12, rel=0.02)
    brightest = flat(replace(CAMERA, bits=16), 20_000, 30_000)
    assert (brightest.mean((1, 2)) - 64) / 0.48 == pytest.approx(8400, abs=5 * 12 / np.sqrt(N))
    assert brightest.std() / 0.48 == pytest.approx(12, rel=0.02)


def test_the_dark_mean_is_the_black_level() -> None:
    """Noise in the dark is not clipped at 0 electrons, only at 0 DN."""
    dark = flat(CAMERA, 0, 0)
    assert dark.mean() == pytest.approx(64, abs=5 * dark.std() / np.sqrt(dark.size))
    assert dark.std() == pytest.approx(np.hypot(12 * 0.48, np.sqrt(1 / 12)), rel=0.02)


def test_rounding_adds_a_twelfth_and_no_bias() -> None:
    fine = Readout(white=100, read_noise=9, gain=0.31, black_level=50)
    rounding = flat(replace(fine, bits=12), 500, 40) - flat(fine, 500, 40)
    assert np.abs(rounding).max() <= 0.5 + 1e-4
    assert rounding.mean() == pytest.approx(0, abs=5 * np.sqrt(1 / 12 / rounding.size))
    assert rounding.var() == pytest.approx(1 / 12, rel=0.02)


@pytest.mark.parametrize(("bits", "dtype"), [(1, np.uint8), (8, np.uint8), (9, np.uint16), (16, np.uint16), (None, np.float32)])
def test_codes_end_at_the_largest_the_converter_has(bits: int | None, dtype: type) -> None:
    readout = Readout(white=100, read_noise=50, bits=bits)
    codes = readout.read_out(np.array([[[0.0] * 50, [5000.0] * 50]]), seed=0)
    assert codes.dtype == readout.dtype == dtype
    if bits is not None:
        assert codes.min() == 0 and codes.max() == 2**bits - 1
    else:
        assert codes.min() < 0 and codes.max() > 400_000


def test_difference_of_buckets_has_the_variance_of_their_sum() -> None:
    """Poisson splitting: Var(q1 - q0) = Q1 + Q0 + 2 sigma^2, and q1 + q0 is Poisson with the mean of the sum."""
    readout = Readout(white=100, read_noise=7)
    q1, q0 = flat(readout, 150, 40)
    assert (q1 - q0).var() == pytest.approx(190 + 2 * 49, rel=0.03)
    q1, q0 = flat(Readout(white=100), 150, 40)
    assert (q1 + q0).var() == pytest.approx(190, rel=0.03) and (q1 + q0).mean() == pytest.approx(190, abs=5 * np.sqrt(190 / N))


def test_exposures_lanes_buckets_and_seeds_have_noise_of_their_own() -> None:
    first, second = flat(CAMERA, 900, 900)
    others = [second, *(flat(CAMERA, 900, 900, **change)[0] for change in ({"number": 1}, {"lane": 1}, {"seed": 2}))]
    for other in others:
        assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(N)


def test_the_same_seed_gives_the_same_bits() -> None:
    assert np.array_equal(flat(CAMERA, 90, 30), flat(CAMERA, 90, 30))


@pytest.mark.parametrize("bits", [12, None])
def test_crops_and_threads_do_not_change_a_bit(bits: int | None) -> None:
    readout = replace(CAMERA, bits=bits, prnu=0.02, dsnu=3, dark_current=(4, 5))
    charge = (40 * np.random.default_rng(0).random((2, 120, 401)) ** 3).astype(np.float32)
    settings = {"seed": 3, "number": 5, "lane": 1, "duration": 0.5}
    with kernel.threads(1):
        whole = readout.read_out(charge, **settings)
    with kernel.threads(3):
        assert np.array_equal(whole, readout.read_out(charge, **settings))
    crop = np.s_[:, 31:77, 100:391]
    assert np.array_equal(whole[crop], readout.read_out(charge[crop], origin=(31, 100), **settings))


def test_charge_inverts_the_mean_and_variance_is_that_of_charge() -> None:
    readout = replace(CAMERA, prnu=0.03, dsnu=4, dark_current=(300, 100), gain=(0.48, 0.3), read_noise=(12, 9))
    image = flat(readout, 3000, 200, duration=0.25)
    charge, variance = (f(image, duration=0.25).astype(np.float64) for f in (readout.charge, readout.variance))
    assert charge.dtype == variance.dtype and charge.shape == variance.shape == SHAPE
    for bucket, white in ((0, 30), (1, 2)):
        assert charge[bucket].mean() == pytest.approx(white, abs=5 * np.sqrt(variance[bucket].mean() / N))
        assert charge[bucket].var() == pytest.approx(variance[bucket].mean(), rel=0.03)


def test_charge_and_variance_of_a_stack_are_those_of_its_images() -> None:
    image = flat(CAMERA, 3000, 200)
    for f in (CAMERA.charge, CAMERA.variance):
        assert np.array_equal(f(np.stack([image, image[::-1]]))[1], f(image[::-1]))
        assert f(image).dtype == np.float32


def test_variance_in_the_dark_is_read_noise_and_rounding() -> None:
    black = np.full((1, 3, 4), 64, np.uint16)
    assert CAMERA.variance(black) == pytest.approx((144 + 1 / 12 / 0.48**2) / 100**2)
    assert CAMERA.variance(black - 30) == pytest.approx((144 + 1 / 12 / 0.48**2) / 100**2)


def test_saturated_samples_carry_no_weight() -> None:
    full = flat(CAMERA, 20_000, 20_000)
    assert np.isinf(CAMERA.variance(full)).mean() > 0.995
    assert np.isfinite(CAMERA.variance(flat(CAMERA, 7000, 100))).all()
    converter = replace(CAMERA, full_well=None, gain=1)
    assert np.isinf(converter.variance(flat(converter, 20_000, 9000))).all()
    quiet = Readout(white=100, full_well=(500, 300), gain=0.37, bits=12)
    assert np.isinf(quiet.variance(flat(quiet, 2000, 2000))).all()


def test_fixed_pattern_stays_from_exposure_to_exposure() -> None:
    readout = Readout(white=100, prnu=0.02, dsnu=5, serial=9)
    dark, bright = (np.mean([flat(readout, level, level, number=n) for n in range(20)], 0) for level in (0, 4000))
    for bucket in (0, 1):
        assert dark[bucket] == pytest.approx(dsnu_map(5, 9, bucket, SHAPE[1:]), abs=1e-4)
        expected = 4000 * prnu_map(0.02, 9, bucket, SHAPE[1:]) + dark[bucket]
        assert np.abs(bright[bucket] - expected).max() < 6 * np.sqrt(4000 / 20)
        assert (bright[bucket] - expected).std() == pytest.approx(np.sqrt(4000 / 20), rel=0.02)


def test_dark_current_is_shot_noise_of_its_own() -> None:
    dark = flat(Readout(white=100, dark_current=80), 0, 0, duration=0.5)
    assert dark.mean() == pytest.approx(40, abs=5 * np.sqrt(40 / dark.size)) and dark.var() == pytest.approx(40, rel=0.03)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.float32])
def test_the_ideal_readout_gives_charge_exactly(dtype: type) -> None:
    charge = np.arange(24).reshape(2, 3, 4).astype(dtype) * 10
    if dtype == np.uint32:
        charge += 2**24 - 300
    out = ideal().read_out(charge, seed=0)
    assert ideal().ideal and out.dtype == ideal().dtype == np.float32 and np.array_equal(out, charge)
    assert np.array_equal(ideal().charge(out), charge) and not ideal().variance(out).any()


def test_integer_and_float_charge_are_read_out_alike() -> None:
    charge = np.random.default_rng(0).integers(0, 50, SHAPE)
    images = [CAMERA.read_out(charge.astype(dtype), seed=0) for dtype in (np.uint8, np.uint16, np.uint32, np.float32, np.float64)]
    assert all(np.array_equal(images[0], other) for other in images)


@pytest.mark.parametrize("bits", [8, 12, None])
def test_out_is_written_wherever_it_lies(bits: int | None) -> None:
    readout = replace(CAMERA, bits=bits)
    charge = np.random.default_rng(0).random((2, 5, 7), np.float32)
    colours = np.zeros((2, 5, 7, 3), readout.dtype)
    assert readout.read_out(charge, seed=0, out=colours[..., 1]).base is colours
    assert np.array_equal(colours[..., 1], readout.read_out(charge, seed=0)) and not colours[..., 0].any()


def test_readouts_compare_and_hash_by_value() -> None:
    assert Readout(white=100, read_noise=[5, 6]) == Readout(white=np.float64(100), read_noise=(5.0, 6.0))
    assert hash(Readout(white=100, gain=(1, 2))) == hash(Readout(white=100.0, gain=(1.0, 2.0)))
    assert Readout() == ideal() != CAMERA


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"white": 0}, "white .* positive number"),
        ({"white": -5}, "white .* positive number"),
        ({"white": np.nan}, "white .* positive number"),
        ({"white": "bright"}, "white .* not 'bright'"),
        ({"white": (1, 2)}, "white .* positive number"),
        ({"full_well": 0}, "full_well .* positive number"),
        ({"full_well": (100, np.inf)}, "full_well .* not inf"),
        ({"dark_current": -1}, "dark_current .* from 0 on"),
        ({"read_noise": (1, -1)}, "read_noise .* from 0 on"),
        ({"read_noise": None}, "read_noise .* not None"),
        ({"read_noise": ()}, "read_noise"),
        ({"prnu": -0.1}, "prnu .* from 0 on"),
        ({"dsnu": True}, "dsnu .* not True"),
        ({"gain": 0}, "gain .* positive number"),
        ({"black_level": -1}, "black_level .* from 0 on"),
        ({"bits": 0}, "bits is a whole number from 1 to 16"),
        ({"bits": 17}, "bits is a whole number from 1 to 16"),
        ({"bits": 12.5}, "bits is a whole number from 1 to 16"),
        ({"serial": -1}, "serial is a whole number from 0 on"),
        ({"white": None, "read_noise": 5}, "read_noise needs white"),
        ({"white": None, "bits": 12}, "bits needs white"),
    ],
)
def test_a_number_out_of_range_is_refused(settings: dict, reason: str) -> None:
    with pytest.raises(Refusal, match=reason) as refusal:
        Readout(**{"white": 100, **settings})
    assert "\n" not in str(refusal.value)


def test_what_does_not_fit_the_charge_is_refused() -> None:
    charge = np.ones((2, 3, 4), np.float32)
    cases = [
        (lambda: Readout(white=100, read_noise=(1, 2, 3)).read_out(charge, seed=0), "read_noise has 3 numbers.*2 here"),
        (lambda: Readout(white=100, gain=(1, 2, 3)).charge(charge), "gain has 3 numbers"),
        (lambda: Readout(white=100, full_well=(1, 2, 3)).variance(charge), "full_well has 3 numbers"),
        (lambda: Readout(white=100, dark_current=5).read_out(charge, seed=0), "timing"),
        (lambda: Readout(white=100, dark_current=5).charge(charge), "timing"),
        (lambda: CAMERA.read_out(charge, seed=0, duration=-1), "0 seconds or more"),
        (lambda: CAMERA.read_out(charge, seed=-1), "from 0 on, not -1"),
        (lambda: CAMERA.read_out(charge[0], seed=0), "bucket, row, column"),
        (lambda: CAMERA.charge(charge[0]), "bucket, row, column"),
        (lambda: CAMERA.read_out(charge, seed=0, out=np.empty((2, 3, 5), np.uint16)), "out must be"),
        (lambda: CAMERA.read_out(charge, seed=0, out=np.empty((2, 3, 4), np.float32)), "out must be"),
    ]
    for attempt, reason in cases:
        with pytest.raises(Refusal, match=reason):
            attempt()
