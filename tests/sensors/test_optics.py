"""Lens and pixel: each part has the signature that its closed form says, none makes light, and without any nothing changes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import erf, j1

import sensors
from c2b import codes
from sensors.optics import Optics, crosstalk_kernel, integrated
from sensors.refusal import Refusal

CODE = codes.make("bernoulli:frames=5,tile=[2,3],seed=1")
H, W, CHIP = 11, 17, (23, 29)
SKEWED = np.array([[0.0, 0.1, 0.02], [0.05, 0.6, 0.1], [0.0, 0.13, 0.0]])
FALLOFF = np.random.default_rng(1).uniform(0.5, 1, CHIP)
SETS = {
    "blur": {"optics": Optics(blur=0.8)},
    "diffraction": {"optics": Optics(diffraction=8, pitch=11.2, aperture=1.0)},
    "defocus": {"optics": Optics(defocus=3.3)},
    "crosstalk": {"optics": Optics(crosstalk=0.04)},
    "charge": {"optics": Optics(charge_crosstalk=(0.02, 0.06))},
    "cos4": {"optics": Optics(cos4=40.0, image_size=CHIP)},
    "measured": {"psf": SKEWED, "vignetting": FALLOFF, "charge_kernel": np.stack([SKEWED, SKEWED.T])},
    "all": {"optics": Optics(0.6, crosstalk=0.02, charge_crosstalk=0.01, cos4=60.0, image_size=CHIP), "psf": SKEWED, "parasitic": 0.01},
}
FREQUENCIES = np.array([0.03, 0.1, 0.2, 0.3])


def make(name, kind="two-bucket", code=CODE, **settings):
    return sensors.make(kind, code, **SETS[name], **settings)


@pytest.mark.parametrize("name", SETS)
def test_a_sensor_behind_optics_keeps_the_contract(name):
    assert sensors.check(make(name, origin=(4, 5)))


@pytest.mark.parametrize("kind", ["coded-pixel", "rolling-shutter:delay=2,rows=23,overlap=true"])
def test_so_does_one_of_another_kind(kind):
    sensor = sensors.make(kind, CODE, optics=Optics(blur=0.8, charge_crosstalk=0.03))
    assert sensors.check(sensor) and not sensor.local


def test_without_optics_nothing_is_new():
    plain = sensors.make("two-bucket", CODE)
    for optics in (Optics(), Optics(pitch=11.2, aperture=0.45)):
        same = sensors.make("two-bucket", CODE, optics=optics)
        assert same.digest == plain.digest and same.local and same.exposure.light is same.exposure.charges is None
    assert make("all").without_optics().digest == sensors.make("two-bucket", CODE, parasitic=0.01).digest != plain.digest


@pytest.mark.parametrize("name", SETS)
def test_the_adjoint_is_exact_and_a_description_makes_it_again(name):
    sensor = make(name, origin=(3, 1))
    rng = np.random.default_rng(2)
    x, y = rng.random((5, H, W)), rng.random((2, H, W))
    assert np.vdot(sensor.expose(x), y) == pytest.approx(np.vdot(x, sensor.adjoint(y)), rel=1e-12)
    document, arrays = sensor.description()
    again = sensors.from_description(json.loads(json.dumps(document)), arrays)
    assert again.digest == sensor.digest and np.array_equal(again.expose(x), sensor.expose(x))


@pytest.mark.parametrize("name", ["blur", "diffraction", "defocus", "crosstalk", "charge", "cos4"])
def test_energy_is_kept_and_a_uniform_field_stays_uniform(name):
    sensor, plain = make(name, code=np.ones((5, 1, 1))), sensors.make("two-bucket", np.ones((5, 1, 1)))
    white = np.ones((5, *CHIP))
    assert np.allclose(sensor.expose(white), plain.expose(white), atol=1e-9) == (name != "cos4")
    point = np.zeros((5, *CHIP))
    point[:, 11, 14] = 1
    assert sensor.expose(point).sum() == pytest.approx(5.0, abs=1e-9)  # on the axis cos^4 is 1


def test_crosstalk_spreads_a_point_as_its_kernel():
    taken = make("crosstalk", "conventional", np.ones((1, 1, 1)))
    point = np.zeros((1, 7, 9))
    point[0, 3, 4] = 1
    found = taken.expose(point)[0, 2:5, 3:6]
    assert np.allclose(found, crosstalk_kernel(0.04)) and found[0, 1] == pytest.approx(0.02 * 0.96)
    before = sensors.make("conventional", np.ones((1, 1, 1)), psf=SKEWED).expose(point)[0, 2:5, 3:6]
    assert np.allclose(before, SKEWED, atol=2e-3)


def test_light_is_shared_before_the_code_and_charge_after_it():
    """A bucket that never opens sees its neighbours' charge and not their light."""
    code = np.zeros((1, 1, 2), np.uint8)
    code[..., 1] = 1
    light, charge = (sensors.make("coded-pixel", code, optics=o) for o in (Optics(crosstalk=0.1), Optics(charge_crosstalk=0.1)))
    white = np.ones((1, 4, 8))
    assert (light.expose(white)[0, :, 2::2] == 0).all()
    assert np.allclose(charge.expose(white)[0, :, 2:-1:2], 0.1)


def test_a_measured_charge_kernel_is_of_each_bucket():
    sensor, plain = make("measured"), sensors.make("two-bucket", CODE, psf=SKEWED, vignetting=FALLOFF)
    light = np.random.default_rng(3).random((5, H, W))
    before, after = plain.expose(light), sensor.expose(light)
    for b, kernel in enumerate((SKEWED, SKEWED.T)):
        inside = sum(kernel[m, n] * before[b, 2 - m : H - m, 2 - n : W - n] for m in range(3) for n in range(3))
        assert np.allclose(after[b, 1:-1, 1:-1], inside, atol=3e-3)


def test_vignetting_is_cos4_of_the_angle_and_stays_local():
    sensor = make("cos4", "conventional", np.ones((1, 1, 1)), origin=(1, 2))
    seen = sensor.expose(np.ones((1, H, W)))[0]
    for row, column in ((0, 0), (10, 16), (4, 9)):
        r = np.hypot(row + 1 - 11, column + 2 - 14)
        assert seen[row, column] == pytest.approx(np.cos(np.arctan(r / 40)) ** 4)
    assert sensor.local and np.allclose(sensor.expose(sensor.pseudo_inverse(seen[None])), seen)


def disc_overlap(v):
    return 2 / np.pi * (np.arccos(v) - v * np.sqrt(1 - v**2))


@pytest.mark.parametrize(
    ("optics", "closed"),
    [
        (Optics(blur=1.3), lambda f: np.exp(-2 * (np.pi * 1.3 * f) ** 2)),
        (Optics(blur=1.1, aperture=1.0), lambda f: np.exp(-2 * (np.pi * 1.1 * f) ** 2) * np.sinc(f)),
        (Optics(blur=0.9, defocus=4), lambda f: np.exp(-2 * (np.pi * 0.9 * f) ** 2) * 2 * j1(4 * np.pi * f) / (4 * np.pi * f)),
        (Optics(diffraction=22, pitch=5.0), lambda f: disc_overlap(f * 22 * 0.55 / 5)),
    ],
    ids=["gaussian", "aperture", "defocus", "diffraction"],
)
def test_the_spectrum_of_the_kernel_is_the_product_of_the_parts(optics, closed):
    kernel = optics.lens_kernel()
    offsets = np.arange(kernel.shape[1]) - kernel.shape[1] // 2
    found = (kernel.sum(0) * np.exp(-2j * np.pi * FREQUENCIES[:, None] * offsets)).sum(1).real
    assert np.allclose(found, closed(FREQUENCIES), atol=0.02 if optics.diffraction else 0.003)
    assert kernel.sum() == pytest.approx(1) and kernel.min() >= 0


def test_a_slanted_edge_has_the_product_of_film_lens_and_aperture():
    """ISO 12233: the edge over all sub-pixel places, its derivative, the modulus of the spectrum of that."""
    film, slope, optics = 4, 0.1, Optics(blur=0.5, aperture=0.5)
    height, width = 20, 48
    places = (np.arange(width * film) + 0.5) / film - width / 2
    lens = sensors.make("conventional", np.ones((1, 1, 1)), psf=Optics(blur=0.5).lens_kernel(film))
    rows = (np.arange(height * film) + 0.5) / film
    edge = np.stack([film * (cdf(places + 0.5 / film - s) - cdf(places - 0.5 / film - s)) for s in slope * (rows - rows.mean())])
    seen = integrated(lens.expose(edge[None])[0], film, optics.aperture).astype(np.float64)
    at = np.arange(width) + 0.5 - width / 2 - (slope * (np.arange(height) + 0.5 - height / 2))[:, None]
    order = np.argsort(at, axis=None)
    grid = np.arange(-12, 12, 0.1)
    spread = np.diff(np.interp(grid, at.ravel()[order], seen.ravel()[order]))
    found = np.abs((spread * np.exp(-2j * np.pi * FREQUENCIES[:, None] * grid[1:])).sum(1))
    # over two pixels of the film the sinc of a pixel of the film cancels
    product = np.exp(-2 * (np.pi * 0.5 * FREQUENCIES) ** 2) * np.sinc(0.5 * FREQUENCIES)
    assert np.allclose(found, product, atol=0.01), (found, product)


def cdf(x):
    """The integral of an edge from 0 to 1 at 0."""
    return np.maximum(x, 0)



def test_film_finer_than_the_pixel_is_averaged_and_a_small_aperture_takes_its_middle():
    light = np.random.default_rng(4).random((2, 12, 20)).astype(np.float32)
    assert np.allclose(integrated(light, 4), light.reshape(2, 3, 4, 5, 4).mean((2, 4)), atol=1e-6)
    assert np.allclose(integrated(light, 4, 0.5), light.reshape(2, 3, 4, 5, 4)[:, :, 1:3, :, 1:3].mean((2, 4)), atol=1e-6)
    assert np.array_equal(integrated(light, 1, 0.3), light)
    with pytest.raises(Refusal, match="multiples of 8"):
        integrated(light, 8)


def test_the_torch_twin_spreads_alike():
    torch = pytest.importorskip("torch")
    from sensors import exposure_torch

    rng = np.random.default_rng(5)
    x, y = rng.random((2, 5, H, W)), rng.random((2, 2, H, W))
    for name in ("all", "charge", "measured"):
        sensor = make(name, origin=(3, 1))
        twin = exposure_torch.Exposure.of(sensor, dtype=torch.float64)
        assert np.allclose(twin.expose(torch.from_numpy(x)), sensor.expose(x), atol=1e-12)
        assert np.allclose(twin.adjoint(torch.from_numpy(y)), sensor.adjoint(y), atol=1e-12)
        assert np.allclose(twin.counts(H, W), sensor.exposure.counts(H, W), atol=1e-6)
        with pytest.raises(Refusal, match="no closed inverse"):
            twin.pseudo_inverse(torch.from_numpy(y))


def test_the_gaussian_over_an_aperture_is_a_difference_of_error_functions():
    kernel = Optics(blur=0.7, aperture=1.0).lens_kernel()
    edges = np.arange(-2.5, 3) / (0.7 * np.sqrt(2))
    assert np.allclose(kernel.sum(0), np.diff(erf(edges)) / 2, atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"optics": "blur=-1"}, "blur=-1.0 is out of range"),
        ({"optics": "diffraction=8"}, "needs pitch"),
        ({"optics": "cos4=300"}, "needs image_size"),
        ({"optics": "charge_crosstalk=[0.1,0.1,0.1]"}, "one of each of 2"),
        ({"psf": np.ones((2, 3))}, "odd sides"),
        ({"psf": np.ones((3, 3))}, "divide it by its sum"),
        ({"vignetting": np.full((3, 3), 2.0)}, "not a map"),
        ({"optics": "blur=1", "colour": "rggb"}, "would mix"),
    ],
)
def test_what_cannot_be_is_refused(settings, line):
    words = settings.pop("optics", "")
    with pytest.raises(Refusal, match=line):
        sensors.make(f"two-bucket:{words}" if words else "two-bucket", CODE, **settings).exposure  # noqa: B018


def test_every_number_is_a_word_of_a_sensor():
    words = "blur=1,diffraction=4,wavelength=0.5,pitch=9,"
    words += "defocus=2,aperture=0.5,crosstalk=0.1,charge_crosstalk=0.2,cos4=90"
    made = sensors.make(f"cep-2019:{words},image_size=[9,8]", CODE)
    assert made.optics == Optics(1.0, 4.0, 0.5, 9.0, 2.0, 0.5, 0.1, 0.2, 90.0, (9, 8))
