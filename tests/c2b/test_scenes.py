"""Scenes: a film that knows its own motion, whichever frames are asked for."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, map_coordinates

from c2b import scenes
from sensors.kernel import threads
from sensors.refusal import Refusal

NAMES = sorted(scenes.SCENES)
LAYERED = [name for name in NAMES if name != "panorama"]  # the others: a sphere is no flat layer
SMALL = {"frames": 12, "height": 90, "width": 124}


@pytest.fixture(scope="module", params=NAMES)
def scene(request):
    return scenes.make(request.param, **SMALL, seed=3)


def test_a_scene_has_the_shape_and_range_of_linear_video(scene):
    video = scene[:]
    assert len(scene) == 12 and scene.shape == video.shape == (12, 90, 124)
    assert video.dtype == scene.dtype == np.float32
    assert video.min() >= 0 and video.max() <= 1
    assert video.std() > 0.15 and video.max() > 0.7 and video.min() < 0.05  # contrast from shadow to white


def test_every_way_to_slice_gives_the_same_bits(scene):
    video = np.asarray(scene)
    np.testing.assert_array_equal(scene[::-1], video[::-1])
    np.testing.assert_array_equal(scene[7:2:-2], video[7:2:-2])
    np.testing.assert_array_equal(scene[-3:], video[-3:])
    np.testing.assert_array_equal(scene[np.int64(5)], video[5])
    np.testing.assert_array_equal(scene[-1], video[11])
    np.testing.assert_array_equal(np.stack(list(scene)), video)
    assert scene[4:4].shape == (0, 90, 124)


def test_the_seed_fixes_the_bits_in_another_object_process_and_thread_count(scene):
    again = scenes.make(f"{_name(scene)}:seed=3", **SMALL)
    np.testing.assert_array_equal(again[8], scene[8])
    travelled = pickle.loads(pickle.dumps(scene))
    assert "layers" not in vars(travelled)
    with threads(3):
        np.testing.assert_array_equal(travelled[8], scene[8])


def test_another_seed_is_another_film(scene):
    other = scenes.make(f"{_name(scene)}:seed=4", **SMALL)
    assert np.abs(other[0] - scene[0]).mean() > 0.02


@pytest.mark.parametrize("name", NAMES)
def test_one_frame_of_a_million_costs_one_frame(name, monkeypatch):
    film = scenes.make(f"{name}:frames=1000000,height=24,width=32")
    asked = []
    at = type(film).at
    monkeypatch.setattr(type(film), "at", lambda self, time: asked.append(time) or at(self, time))
    assert film[900].shape == (24, 32) and asked == [900]
    assert film[999_990::5].shape == (2, 24, 32) and asked == [900, 999_990, 999_995]


@pytest.mark.parametrize("name", NAMES)
def test_mono_is_the_luminance_of_rgb(name):
    rgb = scenes.make(f"{name}:colour=rgb", **SMALL)
    mono = scenes.make(f"{name}:colour=mono", **SMALL)
    assert rgb.shape == rgb[:].shape == (12, 90, 124, 3)
    np.testing.assert_allclose(rgb[6] @ [0.2126, 0.7152, 0.0722], mono[6], atol=2e-6)
    assert np.ptp(rgb[6], axis=-1).mean() > 0.05  # and rgb is not grey


def test_step_is_the_time_between_frames(scene):
    slow = scenes.make(f"{_name(scene)}:seed=3,step=0.25,frames=9,height=90,width=124")
    np.testing.assert_array_equal(slow[8], scene[2])
    np.testing.assert_array_equal(slow[3], scene.at(0.75))


@pytest.mark.parametrize("name", NAMES)
def test_no_speed_is_a_still(name):
    still = scenes.make(f"{name}:speed=0", **SMALL)
    np.testing.assert_array_equal(still[0], still[11])
    np.testing.assert_allclose(still.flow(3), 0, atol=1e-4)


def test_an_open_shutter_averages_instants_about_the_frame(scene):
    name = _name(scene)
    open_shutter = scenes.make(f"{name}:seed=3,shutter=0.5,samples=2", **SMALL)
    np.testing.assert_allclose(open_shutter[4], (scene.at(3.875) + scene.at(4.125)) / 2, atol=1e-6)


def test_masks_share_out_every_pixel(scene):
    masks = scene.masks(5)
    assert masks.shape == (len(scene.names), 90, 124)
    assert masks.min() >= 0
    np.testing.assert_allclose(masks.sum(0), 1, atol=1e-5)
    assert (masks > 0.99).any(0).mean() > 0.75  # most pixels belong to one thing


@pytest.mark.parametrize("name", NAMES)
def test_flow_carries_each_frame_into_the_next(name):
    """Brightness constancy: what is not occluded, nor mixed at an edge, is found again where the flow says."""
    scene = scenes.make(f"{name}:seed=3")
    for t in (0, 61):
        flow, pure = scene.flow(t), ~scene.occluded(t) & _pure(scene.masks(t))
        there = np.indices(pure.shape) + flow
        pure &= map_coordinates(_pure(scene.masks(t + 1)).astype(float), there, order=1) > 0.99
        now, later = scene[t], map_coordinates(scene[t + 1], there, order=3, mode="nearest")
        assert pure.mean() > 0.4
        with_flow, without = (np.sqrt(np.mean((now - image)[pure] ** 2)) for image in (later, scene[t + 1]))
        assert with_flow < 0.02 and with_flow < 0.25 * without  # what is left is the interpolation of the finest detail
        slope = np.stack(np.gradient(now))[:, pure].T
        unexplained = np.linalg.lstsq(slope, (now - later)[pure], rcond=None)[0]
        assert np.abs(unexplained).max() < 0.01  # px: no motion is left in it


@pytest.mark.parametrize("name", NAMES)
def test_motion_is_that_of_film_at_240_frames_per_second(name):
    magnitude = np.hypot(*scenes.make(f"{name}:seed=3").flow(0))
    assert 0.5 < np.median(magnitude) < 2
    assert magnitude.max() < 9


def test_speed_is_the_motion_of_the_background_in_pixels_per_frame():
    for name in LAYERED:
        film = scenes.make(f"{name}:frames=400,height=180,width=240,speed=1.5,step=4")
        middle = [film.layers[0].carried((180, 240), 4 * t, 4 * t + 1) @ [89.5, 119.5, 1] for t in range(400)]
        moved = [p[:2] / p[2] - [89.5, 119.5] for p in middle]
        assert math.sqrt(np.mean(np.square(moved)) * 2) == pytest.approx(1.5, rel=0.1)


def test_a_rotating_camera_moves_the_world_by_one_homography():
    film = scenes.make("rotating-camera", **SMALL)
    flow = film.flow(2)
    rows, columns = np.indices((90, 124))
    p = np.stack([rows, columns, np.ones_like(rows)], -1).reshape(-1, 3).astype(float)[::37]
    q = (np.stack([rows, columns]) + flow).reshape(2, -1).T[::37]
    none = np.zeros_like(p)
    equations = np.concatenate([np.hstack([p, none, -q[:, :1] * p]), np.hstack([none, p, -q[:, 1:] * p])])
    singular = np.linalg.svd(equations / np.linalg.norm(equations, axis=0), compute_uv=False)
    assert singular[-1] < 1e-6 < 1e-3 * singular[-2]  # one null vector, and only one, is the homography
    assert np.hypot(flow[0].std(), flow[1].std()) > 0.1  # it rolls, it does not only shift


def test_nearer_objects_hide_farther_ones():
    film = scenes.make("occluding-objects:seed=0")
    size = film.shape[1:]
    covered = np.stack([layer.coverage(size, 0.0) for layer in film.layers])
    visible = film.masks(0)
    both = (covered[1:] > 0.999).sum(0) >= 2
    assert both.sum() > 100  # objects do overlap
    nearest = len(covered) - 1 - (covered > 0.999)[::-1].argmax(0)
    clear = both & ((covered > 0.999) | (covered == 0)).all(0)
    assert clear.sum() > 100
    np.testing.assert_array_equal(visible.argmax(0)[clear], nearest[clear])
    assert visible[0][covered[1:].max(0) > 0.999].max() < 0.001  # the background does not shine through an object


def test_occlusion_marks_what_an_object_is_about_to_cover():
    film = scenes.make("occluding-objects:frames=6,seed=1")
    occluded, masks, later = film.occluded(0), film.masks(0), film.masks(1)
    ball = film.names.index("ball")
    covered_by_ball = (masks[0] > 0.99) & (later[ball] > 0.99)
    assert covered_by_ball.sum() > 5 and occluded[covered_by_ball].mean() > 0.9
    assert 0.001 < occluded.mean() < 0.1
    assert not occluded[binary_erosion((masks[0] > 0.99) & (later[0] > 0.99), iterations=4)].any()


def test_edges_are_soft():
    film = scenes.make("occluding-objects")
    edge = film.layers[film.names.index("ball")].coverage(film.shape[1:], 0.0)
    partly = (edge > 0.02) & (edge < 0.98)
    radius = 0.055 * 240
    assert 1 < partly.sum() / (2 * math.pi * radius) < 3  # 1 to 3 pixels wide, all around
    assert edge.sum() == pytest.approx(math.pi * radius**2, rel=0.02)


def test_fine_texture_does_not_sparkle():
    """The contrast of neighbours stays while things move by parts of a pixel; point sampling would make it flicker."""
    film = scenes.make("occluding-objects:frames=8,step=0.25")
    video = film[:]
    energy = np.square(np.diff(video, axis=2)).mean((1, 2))
    assert energy.std() < 0.02 * energy.mean()


@pytest.mark.parametrize(("name", "least", "most"), [("occluding-objects", 15, 22), ("rotating-camera", 21, 31)])
def test_nine_frames_summed_are_visibly_blurred(name, least, most):
    for seed in range(3):
        video = scenes.make(f"{name}:frames=9,seed={seed}")[:]
        psnr = -10 * math.log10(np.square(video.mean(0) - video[4]).mean())
        assert least < psnr < most


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(8, 8), (8, 61), (57, 9)])
def test_any_size_of_eight_and_more_will_do(name, size):
    film = scenes.make(name, height=size[0], width=size[1], frames=2)
    assert film[:].shape == (2, *size) and np.isfinite(film.flow(0)).all() and film.occluded(0).shape == size


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("frames=0", "frames=0"),
        ("frames=2.5", "frames=2.5 is not a whole number"),
        ("height=7", "8 or more"),
        ("width=-320", "8 or more"),
        ("seed=-1", "seed=-1"),
        ("colour=sepia", "mono, rgb"),
        ("speed=nan", "speed=nan is no number that can be meant"),
        ("step=inf", "step=inf"),
        ("shutter=1.5", "0 .* to 1"),
        ("samples=0", "samples=0"),
        ("velocity=2", "unknown setting"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(settings, says):
    for name in NAMES:
        with pytest.raises(Refusal, match=says) as refusal:
            scenes.make(f"{name}:{settings}")
        assert "\n" not in str(refusal.value)


def test_settings_from_python_are_checked_like_those_from_text():
    from c2b.scenes.rotating_camera import RotatingCamera

    for settings in ({"frames": 2.0}, {"height": True}, {"colour": "RGB"}, {"speed": "fast"}, {"photograph": "cat"}):
        with pytest.raises(Refusal):
            RotatingCamera(**settings)


def test_unknown_scenes_and_times_are_refused():
    with pytest.raises(Refusal, match="did you mean rotating-camera"):
        scenes.make("rotating-camra")
    film = scenes.make("rotating-camera:frames=3,height=8,width=8")
    with pytest.raises(Refusal, match="time=nan"):
        film.at(float("nan"))
    with pytest.raises(IndexError, match="frame 3 of a scene of 3 frames"):
        film[3]


def _name(scene):
    return next(name for name, target in scenes.SCENES.items() if target.endswith(":" + type(scene).__name__))


def _pure(masks):
    """Where a pixel and its neighbours show one layer only."""
    return np.any([binary_erosion(mask > 0.999, iterations=2, border_value=1) for mask in masks], 0)


def test_before_a_standing_camera_only_the_objects_move():
    words = "occluding-objects:frames=9,seed=1"
    still, drifting = scenes.make(f"{words},standing=true"), scenes.make(words)
    assert np.array_equal(still.layers[0].pose(0), still.layers[0].pose(8))
    assert not np.array_equal(drifting.layers[0].pose(0), drifting.layers[0].pose(8))
    moves = np.ptp(still[:], axis=0) > 0
    assert 0.2 < moves.mean() < 0.7 < (np.ptp(drifting[:], axis=0) > 0).mean()
    assert all(not np.array_equal(layer.pose(0), layer.pose(8)) for layer in still.layers[1:])


def test_mains_light_flickers_as_its_cosine_and_a_whole_period_of_shutter_hides_it():
    steady = scenes.make("rotating-camera:frames=12,height=16,width=24,speed=0")[0:12]
    lit = scenes.make("rotating-camera:frames=12,height=16,width=24,speed=0,flicker=0.4,flicker_period=8")[0:12]
    light = 1 - 0.4 * (1 - np.cos(2 * np.pi * np.arange(12) / 8)) / 2
    assert np.allclose(lit, steady * light[:, None, None], atol=1e-6)
    long = scenes.make("rotating-camera:frames=3,height=16,width=24,speed=0,flicker=0.4,flicker_period=8,step=8,shutter=1")[0:3]
    assert np.allclose(long, 0.8 * steady[:1], atol=1e-6)
    with pytest.raises(Refusal, match="modulation"):
        scenes.make("rotating-camera:flicker=1.5")
