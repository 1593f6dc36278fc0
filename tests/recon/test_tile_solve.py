"""Tile solve: exact where its model holds, the published closed form for the pair, and honest about what a code cannot tell."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

import sensors
from c2b import codes, scenes
from recon.tile_solve import TileSolve, solve_each_tile
from recon.upsampling import tile_starts, upsample
from sensors.refusal import Refusal

H, W = 24, 36
INVERTIBLE = ["impulse", "impulse:tile=[2,3]", "s-matrix:order=7", "s-matrix:order=3", "hadamard:order=4", "hadamard:order=12",
              "bernoulli:frames=7,tile=[3,5],seed=2", "long:frames=1"]  # fmt: skip
#: One bucket of six pixels cannot tell seven frames, nor windows of two frames nine.
TWO_ONLY = ["bernoulli:frames=7,tile=[2,3],seed=9", "bump:frames=9,tile=4,length=2"]
SENSORS = {
    "two-bucket": {},
    "coded-pixel": {},
    "leak": {"leakage": (0.02, 0.1), "drain": 0.1, "mismatch": 0.05},
}


def build(kind, code, **settings):
    return sensors.make("two-bucket" if kind == "leak" else kind, codes.make(code), **SENSORS[kind], **settings)


def blocks(frames, tile, seed=0, shape=(H, W)):
    """A film whose every tile is uniform and changes at random from frame to frame."""
    p, q = tile
    low = np.random.default_rng(seed).random((frames, shape[0] // p, shape[1] // q), np.float32)
    return low, low.repeat(p, 1).repeat(q, 2)


@pytest.mark.parametrize("origin", [(0, 0), (1, 2)])
@pytest.mark.parametrize(
    ("kind", "code"), [(kind, code) for kind in SENSORS for code in INVERTIBLE + TWO_ONLY * (kind != "coded-pixel")]
)
def test_scenes_uniform_in_each_tile_are_solved_exactly(kind, code, origin):
    sensor = build(kind, code, origin=origin)
    p, q = sensor.code.shape[1:]
    low, video = blocks(sensor.frames, (p, q), shape=(H // p * p, W // q * q))
    assert TileSolve().refusal(sensor) == ""
    solved = TileSolve().low_resolution(sensor.capture(video, seed=0))
    assert solved.shape == (1, *low.shape)
    assert np.abs(solved[0] - low).max() < 1e-4


@pytest.mark.parametrize("shape", [(25, 37), (26, 38), (3, 3), (5, 40), (24, 37)])
@pytest.mark.parametrize("origin", [(0, 0), (2, 1)])
@pytest.mark.parametrize("kind", SENSORS)
def test_any_size_from_one_tile_on_is_solved(kind, origin, shape):
    sensor = build(kind, "impulse", origin=origin)
    levels = np.random.default_rng(1).random((9, 1, 1), np.float32)
    capture = sensor.capture(np.broadcast_to(levels, (9, *shape)), seed=0)
    low = TileSolve().low_resolution(capture)[0]
    assert low.shape == (9, -(-shape[0] // 3), -(-shape[1] // 3))
    assert np.abs(low - levels).max() < 1e-4
    assert np.abs(TileSolve().reconstruct(capture)[0] - levels).max() < 1e-4


def test_the_pair_is_solved_by_the_published_closed_form():
    """NETWORKS.md 1.2: Xc_t = 0.98462 b1_t - 0.05385 sum b1 - 0.12308 b0_t + 0.06923 sum b0, in mean units."""
    sensor = build("two-bucket", "impulse")
    video = np.random.default_rng(0).random((9, H, W), np.float32)
    coded, rest = sensor.expose(video) / np.array([1, 8], np.float32)[:, None, None]
    one, zero = (b.reshape(H // 3, 3, W // 3, 3).transpose(1, 3, 0, 2).reshape(9, H // 3, W // 3) for b in (coded, rest))
    expected = 0.98462 * one - 0.05385 * one.sum(0) - 0.12308 * zero + 0.06923 * zero.sum(0)
    solved = TileSolve().low_resolution(sensor.capture(video, seed=0))[0]
    assert np.abs(solved - expected).max() < 1e-4


def test_the_coded_bucket_alone_is_solved_as_by_the_single_coded_sensor():
    video = np.random.default_rng(0).random((9, H, W), np.float32)
    pair, single = (TileSolve(b).reconstruct(build(k, "impulse").capture(video, seed=0))
                    for b, k in (("coded", "two-bucket"), ("both", "coded-pixel")))  # fmt: skip
    assert np.array_equal(pair, single)


@pytest.mark.parametrize(("p", "q"), [(2, 2), (2, 3), (1, 4)])
def test_two_buckets_determine_one_frame_more_than_pixels_and_the_refusal_says_so(p, q):
    for frames in (p * q + 2, 4 * p * q):
        code = f"bernoulli:frames={frames},tile=[{p},{q}],seed=7"
        rank = np.linalg.matrix_rank(np.concatenate([(c := codes.make(code).reshape(frames, -1)), 1 - c], 1))
        says = TileSolve().refusal(build("two-bucket", code))
        assert rank <= p * q + 1
        assert f"a {p}x{q} tile determines {rank} of {frames} frames" in says and "condition" in says and "ridge" in says
        with pytest.raises(Refusal, match=f"determines {rank} of {frames}"):
            TileSolve().reconstruct(build("two-bucket", code).capture(np.ones((frames, H, W)), seed=0))


@pytest.mark.parametrize("kind", ["conventional", "coded-pixel"])
def test_what_sees_no_difference_between_frames_is_refused(kind):
    for code, rank in ((np.ones((9, 3, 3)), 1), (np.zeros((9, 3, 3)), int(kind == "conventional"))):
        assert f"determines {rank} of 9 frames" in TileSolve().refusal(sensors.make(kind, code))


@pytest.mark.parametrize("code", ["bernoulli:frames=30,tile=3,seed=1", "bernoulli:frames=40,tile=[24,36],seed=1"])
@pytest.mark.parametrize("kind", SENSORS)
def test_a_ridge_serves_more_frames_and_does_not_dim_them(kind, code):
    sensor = build(kind, code)
    still = np.full((sensor.frames, H, W), 0.7, np.float32)
    assert np.abs(TileSolve(ridge=0.01).reconstruct(sensor.capture(still, seed=0)) - 0.7).max() < 1e-3


def test_a_dark_code_gives_dark_frames():
    sensor = sensors.make("coded-pixel", np.zeros((4, 2, 3)))
    assert not TileSolve(ridge=0.1).reconstruct(sensor.capture(np.ones((4, H, W)), seed=0)).any()


@pytest.mark.parametrize("origin", [(0, 0), (1, 2)])
@pytest.mark.parametrize("shape", [(H, W), (25, 34), (26, 35)])
@pytest.mark.parametrize(("kind", "code"), [("coded-pixel", "impulse"), ("coded-pixel", "impulse:tile=[2,5]"),
                                            ("two-bucket", "impulse"), ("two-bucket", "hadamard:order=4")])  # fmt: skip
def test_a_still_gradient_is_registered_exactly_inside_its_outermost_samples(kind, code, origin, shape):
    """Also where the size is no multiple of the tile, so that the last tile lies at another phase of the code."""
    sensor = build(kind, code, origin=origin)
    row, column = np.mgrid[: shape[0], : shape[1]]
    gradient = (0.2 + row / 100 + column / 70).astype(np.float32)
    video = TileSolve().reconstruct(sensor.capture(np.broadcast_to(gradient, (sensor.frames, *shape)), seed=0))[0]
    p, q = sensor.code.shape[1:]
    inside = slice(p, -p), slice(q, -q)
    assert np.abs(video - gradient)[:, *inside].max() < 1e-4


def test_frames_come_from_where_their_samples_lie():
    """Centring the samples of the impulse code in the tile would shift the frames against each other."""
    low = np.random.default_rng(0).random((9, 5, 7), np.float32)
    where = np.stack(np.divmod(np.arange(9), 3), 1).astype(float)
    video = upsample(low, (15, 21), (3, 3), where)
    for t, (i, j) in enumerate(where.astype(int)):
        assert np.allclose(video[t, i::3, j::3], low[t], atol=1e-5)
        assert np.ptp(video[t, : i + 1], 0).max() < 1e-5  # constant beyond the outermost sample


@pytest.mark.parametrize(("size", "tile", "starts"), [(9, 3, [0, 3, 6]), (10, 3, [0, 3, 6, 7]), (3, 3, [0]), (4, 3, [0, 1])])
def test_the_last_tile_is_moved_back_to_fit(size, tile, starts):
    assert tile_starts(size, tile).tolist() == starts


@pytest.mark.parametrize("kind", SENSORS)
@pytest.mark.parametrize("noisy", [False, True])
def test_masks_are_solved_by_the_normal_equations_of_each_tile(kind, noisy):
    """In float64, for a mask as large as the frame."""
    frames, tile, ridge = 6, (4, 5), 0.1
    shape = (13, 17)
    sensor = build(kind, f"bernoulli:frames={frames},tile=[{shape[0]},{shape[1]}],seed=3")
    A = np.einsum("bc,ctij->btij", sensor.mixing[..., 0, 0], sensor.shares.astype(float))
    rng = np.random.default_rng(0)
    y = rng.random((sensor.buckets, *shape)).astype(np.float32)
    weight = rng.random(y.shape) if noisy else np.ones(y.shape)
    low = solve_each_tile(y, A.astype(np.float32), weight.astype(np.float32), tile, ridge)
    top, left = tile_starts(shape[0], tile[0]), tile_starts(shape[1], tile[1])
    assert low.shape == (frames, len(top), len(left)) == (6, 4, 4)
    for i, r in enumerate(top):
        for j, c in enumerate(left):
            part = (slice(None), slice(r, r + tile[0]), slice(c, c + tile[1]))
            rows = A[:, :, r : r + tile[0], c : c + tile[1]].transpose(0, 2, 3, 1).reshape(-1, frames)
            normal = (rows.T * weight[part].ravel()) @ rows + ridge * (np.eye(frames) - 1 / frames)
            normal += 1e-6 * np.trace(normal) * np.eye(frames)
            expected = np.linalg.solve(normal, (rows.T * weight[part].ravel()) @ y[part].ravel())
            assert np.allclose(low[:, i, j], expected, atol=2e-3 * np.abs(expected).max())


@pytest.mark.parametrize("kind", ["two-bucket", "coded-pixel"])
def test_a_large_mask_of_a_periodic_code_is_solved_as_the_periodic_code(kind):
    periodic = build(kind, "bernoulli:frames=5,tile=4,seed=2")
    repeated = replace(periodic, code=np.tile(periodic.code, (1, 12, 13)))
    low, video = blocks(5, (4, 4), shape=(48, 52))
    method = TileSolve(ridge=1e-4, tile=4)
    a, b = (method.low_resolution(sensor.capture(video, seed=0))[0] for sensor in (periodic, repeated))
    assert max(repeated.code.shape[1:]) > 32 and np.abs(a - low).max() < 1e-3 and np.abs(b - low).max() < 1e-2


def test_a_leakage_map_is_part_of_the_system():
    leakage = np.random.default_rng(0).uniform(0, 0.3, (H, W))
    sensor = sensors.make("two-bucket", codes.make("impulse"), leakage=leakage)
    low, video = blocks(9, (3, 3))
    solved = TileSolve(ridge=1e-5, tile=3).low_resolution(sensor.capture(video, seed=0))[0]
    assert np.abs(solved - low).max() < 1e-2


@pytest.mark.parametrize("code", ["impulse", "bernoulli:tile=4,seed=2", "bernoulli:tile=[60,81]"])
def test_weights_pay_where_noise_rules(code):
    video = scenes.make("rotating-camera:frames=9,height=60,width=81,seed=1")[0:9]
    capture = sensors.make("cep-2019:white=20", codes.make(code)).capture(video, seed=0)
    weighted, plain = (np.square(TileSolve(ridge=0.3, weighted=w).reconstruct(capture)[0] - video).mean() for w in (True, False))
    assert 10 * np.log10(plain / weighted) > 1


def test_saturated_samples_do_not_reach_a_solve_per_tile():
    """One pixel of a mask is full; its neighbours tell the tile all the same."""
    code = codes.make("bernoulli:frames=4,tile=[24,36],seed=3")
    sensor = sensors.make("cep-2019:white=4000,full_well=40000,bits=16,gain=1", code)
    capture = sensor.capture(np.full((4, H, W), 0.5, np.float32), seed=0)
    images = capture.images.copy()
    images[0, :, 8, 9] = 65535
    solved = TileSolve().reconstruct(replace(capture, images=images))
    assert np.abs(solved - 0.5).max() < 0.05


def test_a_frame_smaller_than_the_tile_is_refused():
    sensor = build("two-bucket", "impulse")
    for shape in ((2, 30), (30, 2)):
        with pytest.raises(Refusal, match="smaller than the tile of 3x3"):
            TileSolve().reconstruct(sensor.capture(np.ones((9, *shape)), seed=0))


@pytest.mark.parametrize("settings", [{"buckets": "third"}, {"ridge": -1.0}, {"ridge": float("nan")}, {"tile": 0}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(Refusal):
        TileSolve(**settings)


def test_a_used_method_can_be_sent_to_another_process():
    method, sensor = TileSolve(ridge=0.1), build("two-bucket", "impulse")
    capture = sensor.capture(np.random.default_rng(0).random((9, H, W)), seed=0)
    before = method.reconstruct(capture)
    assert np.array_equal(pickle.loads(pickle.dumps(method)).reconstruct(capture), before)
