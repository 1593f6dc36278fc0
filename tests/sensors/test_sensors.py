"""Every sensor under every code: one linear model, its adjoint and its inverse, and captures that depend on nothing but the seed."""

from __future__ import annotations

import gc
import json
import pickle
import weakref
from dataclasses import replace

import numpy as np
import pytest

import c2b
import sensors
from c2b import codes
from sensors import kernel, preset
from sensors.exposure import symmetric_inverse
from sensors.readout import Readout
from sensors.refusal import Refusal
from sensors.timing import Timing
from sensors.two_bucket import TwoBucket

H, W = 11, 17  # odd, and no multiple of any tile below
CHIP = (23, 29)
RNG = np.random.default_rng(0)
MAPS = RNG.uniform(0, 0.2, (2, *CHIP))

CODES = {name: codes.make(name if name != "flutter" else "flutter:chips=1101001") for name in c2b.CODES} | {
    "impulse-2x3": codes.make("impulse:tile=[2,3]"),
    "grey": np.random.default_rng(1).random((5, 2, 3)).astype(np.float32),
    "mask": codes.make(f"bernoulli:frames=6,tile=[{H},{W}]"),
    "grey-mask": np.random.default_rng(2).random((4, H, W)).astype(np.float32),
    "single": np.ones((1, 1, 1)),
    "dark": np.zeros((3, 2, 2)),
}
CYCLE = np.stack([codes.make(f"bernoulli:frames=5,tile=[2,3],seed={seed}") for seed in range(3)])

VARIANTS = {
    "leak": ("two-bucket", {"leakage": 0.1}),
    "leak-pair": ("two-bucket", {"leakage": (0.02, 0.2)}),
    "leak-map": ("two-bucket", {"leakage": MAPS[0]}),
    "leak-maps": ("two-bucket", {"leakage": MAPS}),
    "drain": ("two-bucket", {"drain": 0.3}),
    "mismatch": ("two-bucket", {"leakage": 0.05, "drain": 0.1, "mismatch": -0.2}),
}
KINDS = {name: (name, {}) for name in (*sensors.SENSORS, *sensors.PRESETS)} | VARIANTS


def build(kind, code, **settings):
    name, own = KINDS[kind]
    return sensors.make(name, code, **own, **settings)


def pairs():
    for kind in KINDS:
        for name, code in CODES.items():
            one_bit = "constraint" in preset.load(kind).get("code_link", {})
            if (kind != "flutter-shutter" or code.shape[1:] == (1, 1)) and not (one_bit and ((code > 0) & (code < 1)).any()):
                yield pytest.param(kind, name, id=f"{kind}-{name}")


every_sensor_and_code = pytest.mark.parametrize(("kind", "code"), list(pairs()))


def shares_on(sensor, shape=(H, W)):
    """A = M S written out for every pixel, (B, T, H, W), in float64: the formula, and slow."""
    rows, columns = (np.arange(size) + start for size, start in zip(shape, sensor.origin, strict=True))
    share, mixing = sensor.shares.astype(np.float64), sensor.mixing
    share = share[:, :, (rows % share.shape[2])[:, None], columns % share.shape[3]]
    mixing = mixing[:, :, (rows % mixing.shape[2])[:, None], columns % mixing.shape[3]]
    return np.einsum("bcij,ctij->btij", mixing, share)


def light(frames, shape=(H, W), dtype="float64", seed=3):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "u":
        return rng.integers(0, np.iinfo(dtype).max, (frames, *shape), dtype, endpoint=True)
    return rng.random((frames, *shape)).astype(dtype)


# The linear model ------------------------------------------------------------------------------------------------------------


@every_sensor_and_code
def test_a_sensor_keeps_the_contract(kind, code):
    assert sensors.check(build(kind, CODES[code], origin=(4, 5)))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "flutter-shutter"])
def test_a_sensor_of_several_codes_keeps_the_contract(kind):
    assert sensors.check(build(kind, CYCLE, origin=(1, 2)))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_charge_is_whole_where_it_can_be_and_else_of_the_type_of_the_video(kind, dtype):
    sensor = build(kind, CODES["long"], origin=(4, 5))
    whole = np.dtype(dtype).kind == "u" and sensor.shares.dtype == np.uint8 and not sensor.exposure._mixes
    charge = sensor.expose(light(sensor.frames, dtype=dtype))
    assert charge.dtype.kind == "u" if whole else charge.dtype == (np.float64 if dtype == "float64" else np.float32)


@pytest.mark.parametrize("frames", [1, 9, 300])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("name", ["two-bucket", "coded-pixel", "conventional"])
def test_no_sum_of_whole_numbers_overflows(name, dtype, frames):
    white = np.full((frames, 3, 4), np.iinfo(dtype).max, dtype)
    code = codes.make(f"bernoulli:frames={frames},tile=2,seed=1")
    for one in (code, np.ones_like(code)):
        sensor = sensors.make(name, one)
        charge = sensor.expose(white)
        assert np.array_equal(charge, sensor.expose(white.astype(np.float64)))
        if name != "coded-pixel":
            assert (charge.sum(0, dtype=np.int64) == frames * np.iinfo(dtype).max).all()


@pytest.mark.parametrize("dtype", ["bool", "int32", "int64", "float16", ">u2", ">f4", ">f8"])
def test_other_numbers_are_exposed_as_what_they_are(dtype):
    sensor = build("two-bucket", CODES["impulse"])
    x = (light(9) * 2 if dtype == "bool" else light(9) * 100).astype(dtype)
    assert np.allclose(sensor.expose(x), sensor.expose(x.astype(np.float64)), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_charge_is_written_where_it_is_wanted(kind):
    sensor = build(kind, CODES["long"])
    for dtype in ("uint8", "float32", "float64"):
        x = light(9, dtype=dtype)
        expected = sensor.expose(x)
        out = np.zeros_like(expected)
        assert sensor.expose(x, out=out) is out and np.array_equal(out, expected)
        for wrong in (np.empty((sensor.buckets, H, W + 1), out.dtype), np.empty(out.shape, np.int8)):
            with pytest.raises(Refusal, match="out must be"):
                sensor.expose(x, out=wrong)


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "flutter-shutter"])
def test_codes_are_cycled_over_the_exposures(kind):
    sensor = build(kind, CYCLE, origin=(1, 2))
    assert sensor.codes == 3
    x = light(5 * 7).reshape(7, 5, H, W)
    charge = sensor.expose(x)
    assert charge.shape == (7, sensor.buckets, H, W)
    for n in range(7):
        assert np.array_equal(charge[n], build(kind, CYCLE[n % 3], origin=(1, 2)).expose(x[n]))
    y = light(7 * sensor.buckets, seed=5).reshape(charge.shape)
    assert np.vdot(charge, y) == pytest.approx(np.vdot(x, sensor.adjoint(y)), rel=1e-9)
    assert np.allclose(sensor.expose(sensor.pseudo_inverse(charge)), charge, atol=1e-9)
    out = np.empty_like(charge)
    assert sensor.expose(x, out=out) is out and np.array_equal(out, charge)


def test_leading_axes_are_exposures_of_one_code():
    sensor = build("leak", CODES["impulse"])
    x = light(2 * 3 * 9).reshape(2, 3, 9, H, W)
    assert np.array_equal(sensor.expose(x)[1, 2], sensor.expose(x[1, 2]))
    assert sensor.adjoint(sensor.expose(x)).shape == x.shape


@pytest.mark.parametrize("kind", KINDS)
def test_a_crop_of_the_sensor_sees_a_crop_of_the_charge(kind):
    sensor = build(kind, CODES["flutter" if kind == "flutter-shutter" else "mask"], origin=(3, 1))
    x = light(sensor.frames, dtype="uint8")
    rows, columns = slice(2, 9), slice(5, 16)
    part = sensor.crop(rows, columns)
    assert np.array_equal(part.expose(np.ascontiguousarray(x[:, rows, columns])), sensor.expose(x)[:, rows, columns])
    whole, cut = sensor.pseudo_inverse(sensor.expose(x)), part.pseudo_inverse(sensor.expose(x)[:, rows, columns])
    assert np.array_equal(whole[:, rows, columns], cut)
    for wrong in ((slice(-3, None), columns), (rows, slice(0, 8, 2))):
        with pytest.raises(Refusal, match="a crop is rows"):
            sensor.crop(*wrong)


# The inverse -----------------------------------------------------------------------------------------------------------------


@every_sensor_and_code
def test_the_pseudo_inverse_is_that_of_penrose(kind, code):
    """A A^+ y = y in the range of A, A^+ A is an orthogonal projection, and so A^+ y is the shortest of all that explain y."""
    sensor = build(kind, CODES[code], origin=(2, 3))
    x = light(sensor.frames)
    y = sensor.expose(x)
    shortest = sensor.pseudo_inverse(y)
    assert np.allclose(sensor.expose(shortest), y, rtol=1e-6, atol=1e-7)
    assert np.allclose(sensor.pseudo_inverse(sensor.expose(shortest)), shortest, rtol=1e-6, atol=1e-7)
    assert np.vdot(shortest, x - shortest) == pytest.approx(0, abs=1e-6 * np.vdot(x, x))


@every_sensor_and_code
def test_the_gram_matrix_is_that_of_the_model(kind, code):
    sensor = build(kind, CODES[code], origin=(2, 3))
    A, P = shares_on(sensor), light(sensor.frames).astype(np.float32)
    weighted = np.einsum("btij,tij,ctij->bcij", A, P, A)
    assert np.allclose(sensor.gram(P), weighted, atol=1e-5)
    gram = sensor.gram()
    rows, columns = (np.arange(H) + 2) % gram.shape[2], (np.arange(W) + 3) % gram.shape[3]
    assert np.allclose(gram[:, :, rows[:, None], columns], np.einsum("btij,ctij->bcij", A, A), atol=1e-6)


@pytest.mark.parametrize("buckets", [1, 2, 3])
def test_small_matrices_are_inverted_whatever_their_rank(buckets):
    rng = np.random.default_rng(buckets)
    roots = rng.standard_normal((6, buckets, buckets))
    roots[1:4, :, -1] = 0  # rank below full
    roots[4] = 0
    field = np.moveaxis(roots @ roots.swapaxes(1, 2), 0, -1)[..., None]
    expected = np.linalg.pinv(np.moveaxis(field[..., 0], -1, 0), hermitian=True)
    assert np.allclose(np.moveaxis(symmetric_inverse(field)[..., 0], -1, 0), expected)


# Physics ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", CODES)
def test_the_sum_of_two_buckets_is_the_long_exposure(code):
    x = light(len(CODES[code]))
    both = build("two-bucket", CODES[code]).expose(x)
    assert np.allclose(both.sum(0), build("conventional", CODES[code]).expose(x)[0], rtol=1e-6)
    assert np.allclose(both[0], build("coded-pixel", CODES[code]).expose(x)[0], rtol=1e-12)


@pytest.mark.parametrize("settings", [{}, {"leakage": 0.1}, {"leakage": 0.1, "drain": 0.2}])
def test_the_complement_code_swaps_the_buckets(settings):
    code, x = CODES["bernoulli"], light(9)
    one, other = (TwoBucket(c, **settings).expose(x) for c in (code, 1 - code))
    assert np.allclose(one, other[::-1])


def test_leakage_drain_and_gain_are_as_in_the_worked_equation():
    """PHYSICS.md 1.2: w1 = (1-d) (c (1-e0) + (1-c) e1), w0 = (1-d) (c e0 + (1-c) (1-e1))."""
    e0, e1, d, g = 0.03, 0.02, 0.1, 0.05
    code = np.array([1, 0]).reshape(2, 1, 1)
    A = shares_on(TwoBucket(code, leakage=(e0, e1), drain=d, mismatch=g), (1, 1))[:, :, 0, 0]
    assert np.allclose(A[0], [(1 - d) * (1 - e0), (1 - d) * e1])
    assert np.allclose(A[1], [(1 - g) * (1 - d) * e0, (1 - g) * (1 - d) * (1 - e1)])


def test_tap_contrast_is_what_leakage_leaves():
    on, off = (TwoBucket(np.full((1, 1, 1), c), leakage=(0.02, 0.05)).expose(np.ones((1, 1, 1)))[:, 0, 0] for c in (1, 0))
    assert (on[0] - off[0]) / (on[0] + on[1]) == pytest.approx(1 - 0.02 - 0.05)


def test_a_negative_mismatch_weakens_bucket_0():
    for mismatch, stronger in ((0.1, 0), (-0.1, 1)):
        gain = TwoBucket(np.ones((1, 1, 1)), mismatch=mismatch).mixing[[0, 1], [0, 1], 0, 0]
        assert gain[stronger] == 1 and gain[1 - stronger] == pytest.approx(0.9)


def test_photon_transfer_of_the_whole_preset_gives_back_its_numbers():
    """EMVA 1288: gain from the slope of variance over mean, read noise from the dark, full well from the plateau."""
    sensor = sensors.make("cep-2019:leakage=0,mismatch=0", codes.make("long:frames=1"))
    shape, n = (1, 160, 170), 160 * 170
    flats = [sensor.capture(np.repeat(np.full(shape, e / 100, np.float32), 2, 0), seed=k).images[:, 0].astype(float)
             for k, e in enumerate(np.linspace(0, 5000, 11))]  # fmt: skip
    mean = np.array([pair.mean() for pair in flats]) - 64
    variance = np.array([(pair[0] - pair[1]).var() / 2 for pair in flats])
    gain = (variance - variance[0]) @ mean / (mean @ mean)
    assert gain == pytest.approx(0.48, rel=4 * np.sqrt(2 / n))
    assert np.sqrt(variance[0] - 1 / 12) / gain == pytest.approx(12, rel=4 * np.sqrt(2 / n))
    assert mean[0] == pytest.approx(0, abs=4 * 12 * 0.48 / np.sqrt(2 * n))  # dark mean is the black level
    white = np.full(shape, 200, np.float32)
    assert np.isinf(sensor.capture(white, seed=0).variance[:, 0]).mean() > 0.99
    wide = sensors.make("cep-2019:leakage=0,mismatch=0,bits=16", sensor.code)  # the 12 bits end where the well does
    assert (wide.capture(white, seed=0).images[:, 0].mean() - 64) / 0.48 == pytest.approx(8400, abs=4 * 12 / np.sqrt(n))


# Captures by a sensor --------------------------------------------------------------------------------------------------------


def noisy(code="impulse", **settings):
    return sensors.make("cep-2019:white=50", CODES[code] if isinstance(code, str) else code, **settings)


@pytest.mark.parametrize("kind", KINDS)
def test_a_capture_does_not_depend_on_threads_crop_or_order(kind):
    code = codes.make("flutter:chips=110") if kind == "flutter-shutter" else codes.make("impulse:tile=[1,3]")
    sensor = build(kind, code, readout=Readout(white=30, read_noise=3, prnu=0.01, dsnu=2, gain=0.5, black_level=64, bits=10))
    shape = CHIP if "map" in kind else (150, 160)
    x = light(3 * 4, shape, "float32")
    with kernel.threads(1):
        whole = sensor.capture(x, seed=7).images
    for count in (2, 5):
        with kernel.threads(count):
            assert np.array_equal(sensor.capture(x, seed=7).images, whole)
    rows, columns = slice(5, 19), slice(9, 27)
    part = sensor.crop(rows, columns).capture(x[:, rows, columns], seed=7)
    assert np.array_equal(part.images, whole[..., rows, columns])
    blocks = [sensor.capture(x[3 * n : 3 * n + 3 * k], seed=7, first=n).images for n, k in ((2, 2), (0, 2))]
    assert np.array_equal(np.concatenate(blocks[::-1]), whole)
    assert not np.array_equal(sensor.capture(x, seed=8).images, whole)


def test_exposures_differ_in_noise():
    x = np.full((18, 30, 31), 0.5, np.float32)
    images = noisy().capture(x, seed=1).images.astype(float)
    first, second = (images[n] - images[n].mean((1, 2), keepdims=True) for n in range(2))
    assert abs(np.vdot(first, second)) < 4 * np.sqrt(np.vdot(first, first) * np.vdot(second, second) / first.size)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("name", sensors.SENSORS)
def test_an_ideal_capture_keeps_whole_numbers(name, dtype):
    sensor = sensors.make(name, CODES["long" if name == "flutter-shutter" else "impulse"])
    x = light(9, dtype=dtype)
    capture = sensor.capture(x, seed=0)
    assert np.array_equal(capture.images[0], sensor.expose(x.astype(np.float64)))
    assert capture.white == np.iinfo(dtype).max == capture.record["white"]
    assert np.allclose(capture.charge[0], sensor.expose(x / np.iinfo(dtype).max), atol=1e-5)
    assert not capture.variance.any()


def test_whole_numbers_and_their_irradiance_give_the_same_noisy_capture():
    x = light(9, dtype="uint8")
    a = noisy().capture(x, seed=3).images.astype(int)
    b = noisy().capture((x / 255).astype(np.float32), seed=3).images.astype(int)
    assert np.abs(a - b).max() <= 1 and (a == b).mean() > 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_colour_is_three_planes(kind):
    code = CODES["long" if kind == "flutter-shutter" else "impulse"]
    x = np.stack([light(18, dtype="float32", seed=s) for s in range(3)], -1)
    colour = build(kind, code, colour="rgb").capture(x, seed=2)
    assert colour.images.shape == (2, colour.sensor.buckets, H, W, 3)
    planes = colour.planes()
    assert [np.array_equal(plane.charge, colour.charge[..., c]) for c, plane in enumerate(planes)] == [True] * 3
    mono = build(kind, code).capture(x[..., 0], seed=2)
    assert np.array_equal(planes[0].images, mono.images) and planes[0].sensor.digest == mono.sensor.digest
    assert colour.variance.shape == colour.charge.shape


def test_colour_planes_of_one_light_differ_in_noise_only():
    x = np.repeat(light(9, dtype="float32")[..., None], 3, -1)
    ideal = build("two-bucket", CODES["impulse"], colour="rgb").capture(x, seed=0).images
    assert np.array_equal(ideal[..., 0], ideal[..., 2])
    images = noisy(colour="rgb").capture(x, seed=0).images
    assert not np.array_equal(images[..., 0], images[..., 1])


@pytest.mark.parametrize(
    ("video", "says"),
    [
        (np.ones((8, H, W)), "the video has 8 frames; one exposure of this sensor needs 9"),
        (np.ones((1, H, W)), "the video has 1 frame;"),
        (np.full((9, H, W), np.nan), "not finite"),
        (np.where(np.arange(9 * H * W).reshape(9, H, W) == 77, np.inf, 1), "not finite"),
        (np.where(np.arange(9 * H * W).reshape(9, H, W) == 77, np.nan, 1).astype(np.float32), "not finite"),
        (np.ones((9, H, W, 3)), "a mono sensor cannot take video of shape"),
        (np.ones((9, H)), "a mono sensor cannot take video of shape"),
        (np.ones((9, H, 0)), "cannot be exposed"),
        (np.full((9, H, W), "a"), "cannot be exposed"),
        (np.ones((9, H, W), complex), "cannot be exposed"),
    ],
)
def test_what_cannot_be_captured_is_refused_in_one_line(video, says):
    for sensor in (build("two-bucket", CODES["impulse"]), noisy()):
        with pytest.raises(Refusal, match=says) as refused:
            sensor.capture(video, seed=0)
        assert "\n" not in str(refused.value)


def test_colour_that_does_not_fit_is_refused():
    sensor = build("two-bucket", CODES["impulse"], colour="rgb")
    for wrong in (np.ones((9, H, W)), np.ones((9, H, W, 4)), np.ones((9, H, W, 2))):
        with pytest.raises(Refusal, match="rgb sensor"):
            sensor.capture(wrong, seed=0)
    with pytest.raises(Refusal, match="white=0"):
        build("two-bucket", CODES["impulse"]).capture(np.ones((9, H, W)), seed=0, white=0)


def test_dead_frames_are_skipped():
    sensor = build("two-bucket", codes.make("long:frames=3"), timing=Timing(dead_frames=2))
    x = light(14)
    capture = sensor.capture(x, seed=0)
    assert sensor.period == 5 and len(capture) == 3
    assert capture.record["frame_index"] == [[0, 1, 2], [5, 6, 7], [10, 11, 12]]
    for n, index in enumerate(capture.record["frame_index"]):
        assert np.array_equal(capture.images[n], sensor.expose(x[index]).astype(np.float32))


def test_timing_gives_the_duration_that_dark_current_needs():
    readout = Readout(white=100, dark_current=50)
    with pytest.raises(Refusal, match="sub-exposure"):
        build("conventional", CODES["impulse"], readout=readout).capture(np.zeros((9, H, W)), seed=0)
    sensor = build("conventional", CODES["impulse"], readout=readout, timing=Timing(sub_exposure=0.2))
    assert sensor.duration == pytest.approx(1.8)
    images = sensor.capture(np.zeros((9, 60, 61), np.float32), seed=0).images
    assert images.mean() == pytest.approx(90, abs=4 * np.sqrt(90 / images.size))


# Identity --------------------------------------------------------------------------------------------------------------------


def specimens():
    """Sensors that all differ."""
    code = codes.make("long:frames=4")
    for kind in KINDS:
        if kind != "sci-bench":  # another name of the ideal coded pixel
            yield build(kind, code)
    base = TwoBucket(code)
    yield from (replace(base, code=1 - code), replace(base, code=code[:3]), replace(base, code=code * 0.5))
    yield replace(base, code=np.stack([code, code]))
    yield from (replace(base, colour="rgb"), replace(base, origin=(0, 1)), replace(base, origin=(1, 0)))
    yield from (replace(base, timing=Timing(0.1)), replace(base, timing=Timing(0.1, 1)))
    yield from (replace(base, readout=Readout(white=w, serial=s)) for w, s in ((1, 0), (2, 0), (1, 1)))
    yield replace(base, readout=Readout(white=1, read_noise=(1, 2)))
    yield replace(base, leakage=MAPS + 1e-9)


def test_the_digest_is_equal_for_equal_sensors_and_only_for_them():
    digests = [sensor.digest for sensor in specimens()]
    assert len(set(digests)) == len(digests)
    assert [sensor.digest for sensor in specimens()] == digests


def test_the_digest_knows_values_not_how_they_were_written():
    code = CODES["impulse"]
    same = [
        TwoBucket(code, leakage=leakage, timing=timing, readout=Readout(white=white, bits=bits))
        for leakage, timing, white, bits in (
            ((0.0, 0.25), Timing(1.0), 10.0, 12),
            ([0, 0.25], Timing(1), 10, np.int64(12)),
            (np.array([0, 0.25], np.float32), Timing(np.float32(1), np.int64(0)), np.float32(10), np.uint8(12)),
        )
    ]
    assert len({sensor.digest for sensor in same}) == 1
    assert TwoBucket(code.astype(float)).digest == TwoBucket(code.astype(bool)).digest == TwoBucket(code.tolist()).digest


def test_sensors_are_made_again_from_pickles_and_descriptions():
    for sensor in specimens():
        x = light(sensor.frames * sensor.codes).reshape((*sensor.code.shape[:-2], H, W))
        sensor.expose(x)  # fills what is cached
        document, arrays = sensor.description()
        again = sensors.from_description(json.loads(json.dumps(document)), arrays)
        pickled = pickle.loads(pickle.dumps(sensor))
        assert again.digest == pickled.digest == sensor.digest
        assert type(again) is type(pickled) is type(sensor)
        assert np.array_equal(again.expose(x), sensor.expose(x)) and np.array_equal(pickled.expose(x), sensor.expose(x))


def test_a_pickle_is_no_larger_than_code_and_maps():
    sensor = build("two-bucket", np.random.default_rng(0).random((50, 40, 41)))
    before = len(pickle.dumps(sensor))
    sensor.pseudo_inverse(sensor.expose(light(50, (40, 41))))
    assert len(pickle.dumps(sensor)) == before


def test_a_description_of_another_version_is_refused():
    document, arrays = build("leak", CODES["impulse"]).description()
    for change in (
        {"sensor": "sensors.unheard:Of"},
        {"settings": {"unheard": 1}},
        {"readout": {"unheard": 1}},
        {"timing": {"unheard": 1}},
        {"sensor": ""},
        {"settings": {"leakage": 0.9}},
    ):
        with pytest.raises(Refusal):
            sensors.from_description(document | change, arrays)
    with pytest.raises(Refusal, match="damaged or of another version"):
        sensors.from_description({k: v for k, v in document.items() if k != "origin"}, arrays)


def test_a_sensor_cannot_be_changed():
    given = np.full(CHIP, 0.1)
    sensor = TwoBucket(CODES["impulse"].copy(), leakage=given)
    digest = sensor.digest
    given[:] = 0.4
    assert sensor.digest == digest and sensor.leakage.max() == 0.1
    for array in (sensor.code, sensor.leakage):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


# Refusals --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "settings", "says"),
    [
        (np.ones((3, 3)), {}, r"is not \(T, p, q\)"),
        (np.ones((0, 3, 3)), {}, r"is not \(T, p, q\)"),
        (np.full((1, 1, 1), 1.1), {}, "code values lie in 1.1"),
        (np.full((1, 1, 1), -0.1), {}, "code values lie in -0.1"),
        (np.full((1, 1, 1), np.nan), {}, "code values lie in nan"),
        (np.full((1, 1, 1), "x"), {}, "not numbers"),
        (np.ones((1, 1, 1)), {"leakage": 0.5}, "0 <= leakage < 0.5"),
        (np.ones((1, 1, 1)), {"leakage": -0.1}, "0 <= leakage < 0.5"),
        (np.ones((1, 1, 1)), {"leakage": float("nan")}, "0 <= leakage < 0.5"),
        (np.ones((1, 1, 1)), {"leakage": (0.1, 0.1, 0.1)}, "not one number"),
        (np.ones((1, 1, 1)), {"leakage": np.zeros((3, 4, 5))}, "not one number"),
        (np.ones((1, 1, 1)), {"drain": 1.0}, "drain=1"),
        (np.ones((1, 1, 1)), {"drain": float("nan")}, "drain=nan"),
        (np.ones((1, 1, 1)), {"mismatch": -1.0}, "mismatch=-1"),
        (np.ones((1, 1, 1)), {"colour": "red"}, "unknown colour 'red'"),
        (np.ones((1, 1, 1)), {"origin": (-1, 0)}, "not a chip address"),
        (np.ones((1, 1, 1)), {"origin": (1, 2, 3)}, "not a chip address"),
    ],
)  # fmt: skip
def test_an_impossible_sensor_is_refused_in_one_line(code, settings, says):
    with pytest.raises(Refusal, match=says) as refused:
        TwoBucket(code, **settings)
    assert "\n" not in str(refused.value)


def test_a_global_shutter_has_one_code_for_all_pixels():
    with pytest.raises(Refusal, match="not a 3x3 tile"):
        sensors.make("flutter-shutter", CODES["impulse"])


def test_charge_and_video_of_other_shapes_are_refused():
    sensor = build("two-bucket", CODES["impulse"])
    for wrong in (np.ones((8, H, W)), np.ones((H, W))):
        with pytest.raises(Refusal, match="does not fit an exposure of 9"):
            sensor.expose(wrong)
    for wrong in (np.ones((1, H, W)), np.ones((H, W))):
        with pytest.raises(Refusal, match="does not fit a sensor of 2"):
            sensor.adjoint(wrong)
    with pytest.raises(Refusal, match="a sensor of 3 codes needs video"):
        build("two-bucket", CYCLE).expose(np.ones((5, H, W)))


def test_a_frame_outside_the_maps_is_refused():
    with pytest.raises(Refusal, match="the sensor's maps are 23x29"):
        build("leak-map", CODES["impulse"], origin=(20, 0)).expose(np.ones((9, H, W)))


def test_timing_is_checked():
    for wrong in ({"sub_exposure": -1.0}, {"sub_exposure": float("inf")}, {"dead_frames": -1}):
        with pytest.raises(Refusal):
            Timing(**wrong)


# Presets ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sensors.PRESETS)
def test_every_number_of_a_preset_says_where_it_comes_from(name):
    from sensors import preset

    document = preset.load(name)
    groups = ("sensor_settings", *preset.GROUPS, *preset.BESIDE)
    entries = [entry for group in groups for entry in document.get(group, {}).values()]
    assert (entries or name == "sci-bench") and all(
        entry["provenance"] in ("published", "measured", "assumed") and entry["source"] for entry in entries
    )


def test_numbers_of_a_preset_are_changed_wherever_they_belong():
    from sensors import preset

    code = CODES["impulse"]
    sensor = sensors.make("cep-2019:white=20,leakage=[0.1,0.2],sub_exposure=0.5,bits=10", code)
    assert (sensor.readout.white, sensor.readout.bits, sensor.leakage, sensor.timing.sub_exposure) == (20, 10, (0.1, 0.2), 0.5)
    assert sensor.readout.full_well == sensors.make("cep-2019", code).readout.full_well == 8400
    assert sensors.make("cep-2019", code, readout=Readout()).readout.ideal
    assert preset.provenance("cep-2019", {"white": "20"})["white"] == "given"
    with pytest.raises(Refusal, match="did you mean white"):
        sensors.make("cep-2019:wite=20", code)
    with pytest.raises(Refusal, match="replaced as a whole"):
        sensors.make("cep-2019:white=20", code, readout=Readout())


def test_any_sensor_takes_settings_of_readout_and_timing():
    sensor = sensors.make("coded-pixel:white=50,read_noise=3,dead_frames=2", CODES["impulse"])
    assert (sensor.readout.white, sensor.readout.read_noise, sensor.period) == (50, 3, sensor.frames + 2)


def test_a_sensor_that_is_no_longer_needed_gives_its_memory_back_at_once():
    """A training takes a new part of a mask for each batch; a cycle of references would keep megabytes of each for long."""
    sensor = sensors.make("two-bucket", np.ones((2, 4, 4)))
    sensor.capture(np.full((2, 8, 8), 0.5, np.float32), seed=0)
    sensor.pseudo_inverse(sensor.expose(np.ones((2, 8, 8), np.float32)))
    kept = weakref.ref(sensor.exposure._kernels)
    gc.disable()
    try:
        del sensor
        assert kept() is None
    finally:
        gc.enable()
