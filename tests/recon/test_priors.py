"""Priors: total variation against its definition and against scikit-image, averaging along motion, the optical flow it follows."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from recon import priors
from recon.optical_flow import optical_flow, warp
from recon.priors.motion_compensated import MotionCompensated
from recon.priors.total_variation import TotalVariation, total_variation
from sensors.kernel import threads
from sensors.refusal import Refusal

T, H, W = 4, 23, 38
FORMS = [{}, {"coupled": True}, {"time": 0.5}, {"time": 0.3, "coupled": True}]
forms = pytest.mark.parametrize("form", FORMS, ids=str)


def film(seed=0, shape=(T, H, W)):
    return np.random.default_rng(seed).random(shape, np.float32)


def texture(seed=0, shape=(60, 83), scale=1.5):
    rough = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), scale)
    return (0.5 + 0.15 * rough / rough.std()).astype(np.float32)


def differences(x, time):
    d = np.zeros((3, *x.shape))
    d[0, :, :-1], d[1, :, :, :-1], d[2, :-1] = np.diff(x, axis=1), np.diff(x, axis=2), time * np.diff(x, axis=0)
    return d


def differences_adjoint(p, time):
    x = -p.sum(0, where=np.array([True, True, False])[:, None, None, None]) - time * p[2]
    x[:, 1:] += p[0, :, :-1]
    x[:, :, 1:] += p[1, :, :, :-1]
    x[1:] += time * p[2, :-1]
    return x


def by_the_formula(f, weight, iterations, time=0.0, coupled=False):
    """x and p after projected gradient, in float64, as in the docstring."""
    f = f.astype(np.float64)
    p, tau = np.zeros((3, *f.shape)), 1 / (8 + 4 * time**2)
    for _ in range(iterations):
        p -= tau * differences(differences_adjoint(p, time) - f / weight, time)
        square = p[0] ** 2 + p[1] ** 2
        p[:2] /= np.sqrt(np.maximum(square.sum(0) if coupled else square, 1))
        p[2] = p[2].clip(-1, 1)
    return f - weight * differences_adjoint(p, time), p


@forms
def test_the_kernel_equals_its_formula(form):
    f = film()
    for iterations in (1, 7):
        expected, _ = by_the_formula(f, 0.08, iterations, **form)
        assert np.allclose(TotalVariation(0.08, iterations=iterations, **form)(f, 0), expected, atol=2e-6)


@forms
def test_the_duality_gap_closes_and_the_dual_never_goes_uphill(form):
    """|D^T p - f / w|^2 falls; what the primal exceeds the dual by bounds the distance to the minimiser and goes to zero."""
    f, weight = film().astype(np.float64), 0.08
    energies, gaps = [], []
    for iterations in (1, 2, 4, 8, 16, 32, 64, 128, 512):
        _, p = by_the_formula(f, weight, iterations, **form)
        x = TotalVariation(weight, iterations=iterations, **form)(f.astype(np.float32), 0).astype(np.float64)
        inner = differences_adjoint(p, form.get("time", 0))
        primal = ((x - f) ** 2).sum() / 2 + weight * total_variation(x, **form)
        dual = (f**2).sum() / 2 - ((f - weight * inner) ** 2).sum() / 2
        energies.append(-dual)
        gaps.append(primal - dual)
    assert (np.diff(energies) <= 1e-6).all() and min(gaps) > -1e-3
    assert gaps[-1] < 0.01 * gaps[0]


def test_each_frame_is_the_minimiser_of_scikit_image():
    """denoise_tv_chambolle has the same energy and another iteration; both run until they hardly move."""
    from skimage.restoration import denoise_tv_chambolle

    f = film()
    theirs = denoise_tv_chambolle(f, weight=0.1, eps=0, max_num_iter=2000, channel_axis=0)
    assert np.abs(TotalVariation(0.1, iterations=3000)(f, 0) - theirs).max() < 1e-3


@forms
def test_the_result_has_less_energy_than_anything_near_it(form):
    f, weight, rng = film(), 0.08, np.random.default_rng(1)
    x = TotalVariation(weight, iterations=2000, **form)(f, 0).astype(np.float64)

    def energy(x):
        return ((x - f) ** 2).sum() / 2 + weight * total_variation(x, **form)

    for size in (1e-3, 1e-2, 0.1):
        assert energy(x) < energy(x + size * rng.standard_normal(x.shape))
        assert energy(x) < energy(x + size * (f - x)) and energy(x) < energy(x + size * (x.mean() - x))


@forms
def test_total_variation_keeps_the_mean_and_a_still_wall(form):
    denoise = TotalVariation(0.3, iterations=20, **form)
    wall = np.full((T, H, W), 0.6, np.float32)
    assert np.allclose(denoise(wall, 0), wall, atol=1e-6)
    assert denoise(film(), 0).mean() == pytest.approx(film().mean(), abs=1e-6)


@forms
def test_guided_it_goes_on_where_it_stopped(form):
    guided = TotalVariation(0.08, iterations=5, **form).guided_by(film())
    for _ in range(8):
        x = guided(film(), 0)
    assert np.allclose(x, TotalVariation(0.08, iterations=40, **form)(film(), 0), atol=1e-6)
    cold = TotalVariation(0.08, iterations=5, warm=False, **form).guided_by(film())
    assert np.array_equal(cold(film(), 0), cold(film(), 0))


@forms
def test_threads_change_nothing(form):
    f = film(shape=(6, 300, 217))
    results = []
    for count in (1, 3):
        with threads(count):
            results.append(TotalVariation(0.08, **form)(f, 0))
    assert np.array_equal(*results)


def test_more_noise_asks_for_more_weight():
    denoise = TotalVariation(iterations=200)
    rough = [total_variation(denoise(film(), sigma)) for sigma in (0.0, 0.05, 0.1, 0.2)]
    assert (np.diff(rough) < 0).all() and rough[0] == pytest.approx(total_variation(film()))


@pytest.mark.parametrize("moved", [(0.0, 0.0), (1.3, -0.6), (-4.2, 7.7)])
def test_the_flow_of_a_moved_texture_is_its_motion(moved):
    first = texture(shape=(120, 141), scale=2)
    second = shift(first, moved, order=5, mode="reflect")
    flow = optical_flow(first, second)
    inside = flow[:, 15:-15, 15:-15]
    assert np.abs(inside - np.reshape(moved, (2, 1, 1))).mean() < 0.05
    assert np.abs(warp(second, flow) - first)[15:-15, 15:-15].mean() < 0.004


def test_warping_by_whole_pixels_is_exact_and_stops_at_the_border():
    frame = texture()
    flow = np.zeros((2, *frame.shape), np.float32)
    assert np.array_equal(warp(frame, flow), frame)
    flow[0], flow[1] = 2, -3
    moved = warp(frame, flow)
    assert np.allclose(moved[:-2, 3:], frame[2:, :-3], atol=1e-7) and np.allclose(moved[-1, 3:], frame[-1, :-3], atol=1e-7)


def test_a_flow_without_end_reads_the_border_and_one_that_is_no_number_gives_none():
    frame = texture()
    for value, expected in ((np.inf, frame[-1, -1]), (-1e30, frame[0, 0]), (np.nan, np.nan)):
        moved = warp(frame, np.full((2, *frame.shape), value, np.float32))
        assert np.array_equal(moved, np.full_like(frame, expected), equal_nan=True)


def test_cubic_convolution_is_exact_for_parabolas():
    y, x = np.mgrid[:20, :31].astype(np.float32) / 20
    at = np.full((2, 20, 31), 0.37, np.float32)
    expected = (y + 0.37 / 20) ** 2 - (x + 0.37 / 20) * (y + 0.37 / 20)
    assert np.allclose(warp(y**2 - x * y, at)[2:-3, 2:-3], expected[2:-3, 2:-3], atol=1e-6)


def test_moving_frames_denoise_each_other_and_static_ones_by_the_square_root_of_three():
    clean = np.stack([shift(texture(), (0, 0.7 * t), order=5, mode="reflect") for t in range(5)])
    noisy = clean + np.random.default_rng(0).normal(0, 0.03, clean.shape).astype(np.float32)
    inside = np.s_[1:-1, 8:-8, 8:-8]
    for truth, given in ((clean, noisy), (clean[:1].repeat(5, 0), clean[:1] + noisy - clean)):
        result = MotionCompensated(tolerance=1.0).guided_by(truth)(given, 0.03)
        assert (result - truth)[inside].std() < 0.03 * 0.62


def test_a_frame_that_differs_does_not_count():
    frames = np.stack([texture(0), texture(1), texture(2)])
    assert np.abs(MotionCompensated(tolerance=0.02)(frames, 0) - frames).mean() < 0.004


def test_averaging_keeps_a_still_wall_and_a_single_frame():
    wall = np.full((3, 20, 31), 0.6, np.float32)
    assert np.allclose(MotionCompensated()(wall, 0), wall, atol=1e-6)
    for one in (texture()[None], film(shape=(1, 1, 5)), film(shape=(1, 30, 1))):
        assert np.array_equal(MotionCompensated()(one, 0), one)


@pytest.mark.parametrize("spec", [*priors.PRIORS, "tv:time=0.2,iterations=40"])
def test_every_prior_takes_noise_away(spec):
    clean = texture(scale=4)[None].repeat(3, 0)
    noisy = clean + np.random.default_rng(0).normal(0, 0.05, clean.shape).astype(np.float32)
    given = noisy.copy()
    result = priors.make(spec).guided_by(clean)(noisy, 0.05)
    assert result.dtype == np.float32 and np.array_equal(noisy, given) and not np.shares_memory(result, noisy)
    assert np.square(result - clean).mean() < 0.5 * np.square(noisy - clean).mean()


def test_a_library_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.restoration", None)
    with pytest.raises(Refusal, match=r"pip install scikit-image"):
        priors.make("non-local")


@pytest.mark.parametrize(
    "spec",
    [
        "tv:weight=-1",
        "tv:time=-1",
        "tv:iterations=0",
        "motion:reach=0",
        "motion:tolerance=0",
        "non-local:patch=0",
        "bm3d",
        "tv:x=1",
    ],
)
def test_impossible_settings_are_refused(spec):
    with pytest.raises(Refusal) as refused:
        priors.make(spec)
    assert "\n" not in str(refused.value)
