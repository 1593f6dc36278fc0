"""The torch twin: equal to the kernels over every sensor, an adjoint pair, differentiable twice over, unmoved by autocast."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

import sensors
import sensors.exposure
from c2b import codes
from recon.consistency import data_step
from sensors.capture import Capture
from sensors.coded_pixel import CodedPixel
from sensors.flutter_shutter import FlutterShutter
from sensors.refusal import Refusal
from sensors.timing import Timing

torch = pytest.importorskip("torch")
from sensors.exposure_torch import Exposure, symmetric_inverse  # noqa: E402

H, W, N = 20, 31, 2
MAPS = np.random.default_rng(9).uniform(0.01, 0.3, (2, 40, 50))
CAMERAS = [
    *sensors.SENSORS,
    *sensors.PRESETS,
    "two-bucket:leakage=[0.02,0.07],drain=0.1,mismatch=0.2,parasitic=0.01",
    "two-bucket:lag=0.1,readout_time=1e-3,sub_exposure=1e-3,rows=40,parasitic=0.02",
    "rolling-shutter:delay=3.5,rows=40",
]
every_camera = pytest.mark.parametrize("kind", [*CAMERAS, "maps"])
both = pytest.mark.parametrize("kind", ["two-bucket:leakage=0.05", "coded-pixel"])


def build(kind, code="bernoulli:tile=[2,3],frames=6,seed=1", origin=(0, 0)):
    if kind.startswith("flutter"):
        code = "flutter:chips=1101"
    if kind == "maps":
        return sensors.make("two-bucket", codes.make(code), leakage=MAPS, origin=origin)
    return sensors.make(kind, codes.make(code), origin=origin)


def normal(*shape, seed=0):
    return torch.as_tensor(np.random.default_rng(seed).normal(size=shape))


def film(sensor, seed=0, **kind):
    return torch.as_tensor(np.random.default_rng(seed).random((N, sensor.frames, H, W)), **kind)


@pytest.mark.parametrize("origin", [(0, 0), (4, 5)])
@every_camera
def test_the_twin_is_equal_to_the_kernels(kind, origin):
    sensor = build(kind, origin=origin)
    exposure, video = Exposure.of(sensor), film(sensor, dtype=torch.float32)
    charge = exposure.expose(video)
    assert charge.dtype == torch.float32 and charge.shape == (N, exposure.buckets, H, W)
    assert exposure.frames == sensor.frames and exposure.buckets == sensor.buckets
    assert np.allclose(charge, sensor.expose(video.numpy()), atol=1e-6 * sensor.frames)
    assert np.allclose(exposure.adjoint(charge), sensor.adjoint(charge.numpy()), atol=1e-6 * sensor.frames)
    back = [sensor.pseudo_inverse(one) for one in charge.numpy()]  # one by one: also where exposures share frames
    assert np.allclose(exposure.pseudo_inverse(charge), back, atol=2e-5)
    still = np.ones((sensor.frames, H, W), np.float32)
    assert np.allclose(exposure.counts(H, W), sensor.expose(still), atol=1e-6 * sensor.frames)


@every_camera
def test_in_double_precision_the_twin_is_equal_to_the_last_digits(kind):
    sensor = build(kind, origin=(1, 2))
    exposure, video = Exposure.of(sensor, dtype=torch.float64), film(sensor)
    charge = exposure.expose(video)
    assert np.allclose(charge, sensor.expose(video.numpy()), rtol=0, atol=1e-12)
    assert np.allclose(exposure.pseudo_inverse(charge), [sensor.pseudo_inverse(one) for one in charge.numpy()], atol=1e-10)


@every_camera
def test_forward_and_adjoint_are_a_pair(kind):
    exposure = Exposure.of(build(kind, origin=(1, 2)), dtype=torch.float64)
    x, y = normal(N, exposure.frames, H, W), normal(N, exposure.buckets, H, W, seed=1)
    assert torch.isclose((exposure.expose(x) * y).sum(), (x * exposure.adjoint(y)).sum(), rtol=1e-11)


@both
def test_gathered_pixels_are_exposed_as_they_were(kind):
    exposure, video = Exposure.of(build(kind, origin=(1, 1))), film(Exposure.of(build(kind)), dtype=torch.float32)
    rows, columns = np.r_[1:H, H - 2], np.r_[2, 0:W, 3]
    part = exposure.gathered((H, W), rows, columns)
    assert torch.equal(part.expose(video[..., rows[:, None], columns]), exposure.expose(video)[..., rows[:, None], columns])
    charge = exposure.expose(video)
    seen = exposure.pseudo_inverse(charge)[..., rows[:, None], columns]
    assert torch.equal(part.pseudo_inverse(charge[..., rows[:, None], columns]), seen)


def test_a_mask_of_the_whole_frame_is_a_code_too():
    sensor = build("two-bucket:leakage=0.02", f"bernoulli:tile=[{H},{W}],frames=5,seed=3")
    video = film(sensor, dtype=torch.float32)
    assert np.allclose(Exposure.of(sensor).expose(video), sensor.expose(video.numpy()), atol=1e-5)


@pytest.mark.parametrize("spread", ["scalar", "pixel", "frame"])
@pytest.mark.parametrize("noise", ["none", "noise", "saturated"])
@pytest.mark.parametrize("kind", ["two-bucket:leakage=0.05", "coded-pixel", "cep-2019", "maps"])
def test_the_data_step_is_that_of_the_reconstructions(kind, noise, spread):
    """`recon.consistency.data_step`, whose variance a capture of prescribed charge and variance stands in for."""
    sensor, rng = build(kind, origin=(1, 2)), np.random.default_rng(4)
    guess = film(sensor, seed=5, dtype=torch.float32)
    charge = Exposure.of(sensor).expose(film(sensor, dtype=torch.float32)).numpy()
    variance = np.zeros_like(charge) if noise == "none" else rng.uniform(0.01, 0.2, charge.shape).astype(np.float32)
    if noise == "saturated":
        variance[rng.random(variance.shape) < 0.2] = np.inf
    shape = {"scalar": (), "pixel": (N, 1, H, W), "frame": guess.shape}[spread]
    error = np.asarray(rng.uniform(0.01, 0.1, shape), np.float32)
    error_of = lambda n: float(error) if spread == "scalar" else error[n, 0] if spread == "pixel" else error[n]  # noqa: E731
    expected = [
        data_step(guess[n].numpy(), Measured(sensor, charge[n : n + 1], variance[n : n + 1]), error_of(n)) for n in range(N)
    ]
    found = Exposure.of(sensor).data_step(
        guess, torch.as_tensor(charge), None if noise == "none" else torch.as_tensor(variance), torch.as_tensor(error)
    )
    assert np.allclose(found, expected, atol=2e-5)


class Measured(Capture):
    """A capture whose charge and variance are given."""

    charge = variance = None  # type: ignore[assignment]

    def __init__(self, sensor, charge, variance):
        for name, value in {"images": charge, "sensor": sensor, "record": {}, "charge": charge, "variance": variance}.items():
            object.__setattr__(self, name, value)


@every_camera
def test_without_noise_the_data_step_explains_the_charge_and_moves_no_further(kind):
    exposure = Exposure.of(build(kind), dtype=torch.float64)
    truth, guess = film(exposure, seed=0), film(exposure, seed=1)
    charge = exposure.expose(truth)
    moved = exposure.data_step(guess, charge)
    assert torch.allclose(exposure.expose(moved), charge, atol=1e-9)
    assert torch.allclose(exposure.data_step(moved, charge), moved, atol=1e-9)  # a projection
    assert abs(((moved - guess) * (moved - truth)).sum()) < 1e-9 * (moved - guess).square().sum()  # orthogonal


@both
def test_the_data_step_under_noise_lies_between_estimate_and_projection(kind):
    """More noise, less movement; noise without end, none at all."""
    exposure = Exposure.of(build(kind), dtype=torch.float64)
    truth, guess = film(exposure, seed=0), film(exposure, seed=1)
    charge = exposure.expose(truth)
    moves = [
        (exposure.data_step(guess, charge, torch.full_like(charge, variance), 0.1) - guess).norm().item()
        for variance in (1e-9, 0.1, 1.0, 1e9)
    ]
    assert moves[0] > moves[1] > moves[2] > 1e6 * moves[3]
    assert moves[0] == pytest.approx((exposure.data_step(guess, charge) - guess).norm().item(), rel=1e-6)


@pytest.mark.parametrize("kind", ["two-bucket:leakage=0.05", "coded-pixel", "maps"])
def test_gradients_in_video_and_shares_are_exact_and_so_are_those_of_gradients(kind):
    sensor = build(kind, "bernoulli:tile=[2,3],frames=4,seed=1", origin=(1, 1))
    exposure = Exposure.of(sensor, dtype=torch.float64)
    video, charge = normal(2, 4, 3, 4).requires_grad_(), normal(2, exposure.buckets, 3, 4, seed=1).requires_grad_()
    shares = (0.8 * exposure.shares + 0.1).requires_grad_()
    for inputs, of in (((video, shares), "expose"), ((charge, shares), "adjoint"), ((charge, shares), "pseudo_inverse")):
        call = lambda x, s, of=of: getattr(replace(exposure, shares=s), of)(x)  # noqa: E731
        assert torch.autograd.gradcheck(call, inputs)
        assert torch.autograd.gradgradcheck(call, inputs)


@pytest.mark.parametrize("spread", [(1, 1, 1, 1), (2, 1, 3, 4), (1, 4, 1, 1), (2, 4, 3, 4)])
@both
def test_the_data_step_is_differentiable_in_all_it_depends_on(kind, spread):
    exposure = Exposure.of(build(kind, "bernoulli:tile=[2,3],frames=4,seed=1"), dtype=torch.float64)
    video, charge = normal(2, 4, 3, 4), normal(2, exposure.buckets, 3, 4, seed=1)
    variance, error, shares = 0.1 + charge.square(), 0.2 + normal(*spread, seed=2).square(), 0.8 * exposure.shares + 0.1
    inputs = [part.clone().requires_grad_() for part in (video, charge, variance, error, shares)]
    assert torch.autograd.gradcheck(lambda x, y, v, p, s: replace(exposure, shares=s).data_step(x, y, v, p), inputs)


def test_a_code_is_learnt_through_the_twin():
    """Descent on the error of the pseudo-inverse makes a code that explains its clips better than the one it began with."""
    sensor = build("two-bucket")
    exposure, video = Exposure.of(sensor), film(sensor, dtype=torch.float32).cumsum(1) / sensor.frames
    logits = torch.as_tensor(np.random.default_rng(0).normal(size=(6, 2, 3)), dtype=torch.float32).requires_grad_()
    errors = []
    optimiser = torch.optim.Adam([logits], lr=0.1)
    for _ in range(30):
        code = torch.sigmoid(logits)
        learnt = exposure.under(code)
        loss = (learnt.pseudo_inverse(learnt.expose(video)) - video).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        errors.append(loss.item())
    assert errors[-1] < 0.9 * errors[0]


@both
def test_autocast_does_not_coarsen_the_sums(kind):
    exposure = Exposure.of(build(kind))
    video = film(exposure, dtype=torch.float32)
    charge = exposure.expose(video)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(exposure.expose(video), charge)
        assert torch.equal(exposure.pseudo_inverse(charge), exposure.pseudo_inverse(charge.clone()))
        coarse = exposure.expose(video.bfloat16())
    assert coarse.dtype == torch.float32 and torch.equal(coarse, exposure.expose(video.bfloat16().float()))


def test_what_is_kept_while_only_looking_serves_a_training_later():
    exposure = Exposure.of(build("two-bucket:leakage=0.05"))
    learnt = replace(exposure, shares=exposure.shares.clone().requires_grad_())
    video = film(exposure, dtype=torch.float32)
    with torch.inference_mode():
        exposure.expose(video)
    with torch.no_grad():
        learnt.expose(video)
    video.requires_grad_()
    exposure.expose(video).sum().backward()
    assert torch.allclose(video.grad, exposure.adjoint(torch.ones(N, 2, H, W)))
    learnt.expose(video.detach()).sum().backward()
    assert learnt.shares.grad.sum().item() == pytest.approx(2 * video.sum().item(), rel=1e-5)


def test_the_inverse_of_a_field_of_matrices_is_that_of_moore_and_penrose():
    for buckets in (1, 2, 3):
        factor = normal(5, buckets, 2, 3, 4, seed=buckets).numpy()  # rank 2 at most
        factor[..., 0, 0] = 0
        factor[:, :, 0, :, 1] = factor[:, :, 1, :, 1] = 0 if buckets == 1 else factor[:, :, 0, :, 1]
        gram = np.einsum("nbkij,nckij->nbcij", factor, factor)
        expected = np.moveaxis(np.linalg.pinv(np.moveaxis(gram, (1, 2), (-2, -1)), rcond=1e-9, hermitian=True), (-2, -1), (1, 2))
        assert np.allclose(symmetric_inverse(torch.as_tensor(gram)), expected)


SETTINGS = {"lag": 0.1, "parasitic": 0.02, "cell": 2, "timing": Timing(1e-3, 2, "rolling", 5e-4, 0.01, 40)}


def grey(sensor, tile=(2, 3)):
    shape = (1, 1) if isinstance(sensor, FlutterShutter) else tile
    return np.random.default_rng(7).random((sensor.code.shape[-3], *shape)).astype(np.float32)


@pytest.mark.parametrize("settings", [{}, SETTINGS], ids=["plain", "lag-light-cells-rows"])
@every_camera
def test_the_chain_from_the_code_is_that_of_the_sensor(kind, settings):
    """The twin of one sensor under the code of another is the twin of the other, whatever happens between code and charge."""
    if kind.startswith("rolling"):
        settings = {key: value for key, value in settings.items() if key != "parasitic"}
        settings |= {"timing": replace(settings["timing"], readout_time=0.0)} if settings else {}
    sensor = replace(build(kind, origin=(1, 2)), **settings)
    other = replace(sensor, code=grey(sensor, (3, 2)))
    moved = Exposure.of(sensor, dtype=torch.float64).under(torch.tensor(other.code, dtype=torch.float64))
    assert np.allclose(moved.on_pixels(H, W), other.exposure.on_pixels(H, W, np.float64), rtol=0, atol=1e-6)
    video = film(other)
    assert np.allclose(moved.expose(video), other.expose(video.numpy()), rtol=0, atol=1e-6 * other.frames)


@pytest.mark.parametrize("kind", ["two-bucket:leakage=0.05", "maps"])
def test_the_chain_is_differentiable_in_the_code(kind):
    sensor = replace(build(kind, "bernoulli:tile=[2,3],frames=4,seed=1", origin=(1, 1)), **SETTINGS)
    exposure, video = Exposure.of(sensor, dtype=torch.float64), normal(4, 5, 6)
    code = torch.as_tensor(grey(sensor), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda c: exposure.under(c).expose(video), code)


def test_shares_that_mix_pixels_have_no_such_chain():
    @dataclass(frozen=True, eq=False)
    class Blurred(CodedPixel):
        def share(self, code):
            return (code[None] + np.roll(code, 1, -1)[None]) / 2

    sensor = Blurred(grey(build("two-bucket")))
    with pytest.raises(Refusal, match="the shares of Blurred are not affine in the code, pixel by pixel"):
        Exposure.of(sensor).under(torch.tensor(sensor.code))


def test_both_exposures_have_the_same_verbs_in_the_same_order_and_say_the_same_of_them():
    verbs = ["on_pixels", "expose", "adjoint", "counts", "gram", "pseudo_inverse", "residual_precision", "data_step"]
    verbs += ["repeats", "on_tile"]
    for kind in (sensors.exposure.Exposure, Exposure):
        public = [name for name in vars(kind) if name in verbs]
        assert public == verbs
    for name in (*verbs, "frames", "buckets"):
        assert getattr(Exposure, name).__doc__ == getattr(sensors.exposure.Exposure, name).__doc__


@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
@pytest.mark.parametrize("kind", ["two-bucket:leakage=0.05", "maps", "rolling-shutter:delay=3.5,rows=40"])
def test_every_verb_is_that_of_the_other_exposure(kind, lead):
    sensor, rng = build(kind, origin=(1, 2)), np.random.default_rng(4)
    ours, theirs = sensor.exposure, Exposure.of(sensor, dtype=torch.float64)
    video, error = rng.random((*lead, ours.frames, H, W)), rng.uniform(0.01, 0.1, (*lead, ours.frames, H, W))
    charge, variance = rng.random((2, *lead, ours.buckets, H, W))
    variance[..., :3, :] = np.inf
    for verb, given in {
        "expose": [video],
        "adjoint": [charge],
        "gram": [error],
        "pseudo_inverse": [charge],
        "residual_precision": [variance, error],
        "data_step": [video, charge, variance, error],
    }.items():
        found = getattr(theirs, verb)(*map(torch.as_tensor, given))
        expected = getattr(ours, verb)(*given)
        assert found.shape == expected.shape and np.allclose(found, expected, rtol=1e-6, atol=1e-6), verb
    given = [torch.as_tensor(part) for part in (video, charge, variance)]
    assert np.allclose(ours.data_step(video, charge, variance, 0.1), theirs.data_step(*given, 0.1))
    assert np.allclose(ours.data_step(video, charge), theirs.data_step(*given[:2]))
    assert np.allclose(ours.counts(H, W), theirs.counts(H, W), rtol=1e-6)
    assert np.allclose(ours.on_pixels(H, W, np.float64), theirs.on_pixels(H, W))
    assert np.allclose(ours.gram(), theirs.gram()) and ours.repeats == theirs.repeats == (kind == "two-bucket:leakage=0.05")


def test_mistakes_are_refused():
    sensor = build("two-bucket")
    exposure = Exposure.of(sensor)
    with pytest.raises(Refusal, match=r"needed: \(..., 6, H, W\)"):
        exposure.expose(torch.zeros(1, 5, H, W))
    with pytest.raises(Refusal, match=r"needed: \(..., 2, H, W\)"):
        exposure.adjoint(torch.zeros(3, H, W))
    with pytest.raises(Refusal, match="error_variance"):
        exposure.data_step(torch.zeros(1, 6, H, W), torch.zeros(1, 2, H, W), torch.ones(1, 2, H, W))
    with pytest.raises(Refusal, match="at\\(n\\)"):
        Exposure.of(sensors.make("two-bucket", np.stack([sensor.code, sensor.code])))
    for kind in ("maps", "rolling-shutter:delay=3.5,rows=40"):
        with pytest.raises(Refusal, match="fit"):
            Exposure.of(build(kind, origin=(30, 0))).counts(H, W)
