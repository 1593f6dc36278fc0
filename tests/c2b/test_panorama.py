"""A turning camera in a panorama: its orientations, its motion, and what it sees of the sphere."""

from __future__ import annotations

import json
import math
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation, Slerp

from c2b import scenes
from c2b.cli import main
from c2b.source import Source
from c2b.video.recording import open_recording
from sensors.refusal import Refusal

TURN = "panorama:turn=10,height=48,width=60"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with two small panoramas, whose red tells the longitude and whose green tells the latitude."""
    monkeypatch.chdir(tmp_path)
    Path("panoramas").mkdir()
    i, j = np.indices((128, 256))
    for number in range(2):
        values = np.stack([127 + 120 * np.sin(2 * math.pi * (j + 0.5) / 256), 2 * i - 128 * number % 3, 0 * i], -1)
        Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(f"panoramas/p{number}.png")
    return tmp_path


def rotations(film):
    return [film.orientation(t * film.step) for t in range(len(film))]


@pytest.mark.parametrize("seed", range(3))
def test_the_turn_is_a_slerp_of_two_orientations_by_euler_angles(seed):
    film = scenes.make(f"{TURN},seed={seed}")
    turned = rotations(film)
    angles = (turned[0].inv() * turned[-1]).as_euler("YXZ", degrees=True)
    assert np.abs(angles).max() <= 10 and np.abs(angles).max() > 1
    slerp = Slerp([0, len(film) - 1], Rotation.concatenate([turned[0], turned[-1]]))
    for t, found in enumerate(turned):
        assert (slerp(t).inv() * found).magnitude() < 1e-9


def test_the_angular_speed_is_constant():
    for spec in (f"{TURN},seed=2", "panorama:frames=20,height=48,width=60,speed=2,seed=5"):
        turned = rotations(scenes.make(spec))
        steps = [(a.inv() * b).magnitude() for a, b in pairwise(turned)]
        np.testing.assert_allclose(steps, steps[0], rtol=1e-6)
        assert steps[0] > 1e-4


@pytest.mark.parametrize("seed", range(4))
def test_no_pixel_moves_by_more_than_one_and_no_frame_is_too_many(seed):
    film = scenes.make(f"{TURN},seed={seed}")
    motion = np.hypot(*film.flow(0)).max()
    assert motion <= 1.0001
    assert motion * (len(film) - 1) / (len(film) - 2) > 0.97  # with one frame less some pixel would
    half = scenes.make(f"{TURN},seed={seed},step=0.5")
    np.testing.assert_allclose(half[len(half) - 1], film[len(film) - 1], atol=1e-5)


def test_a_turn_of_no_angle_is_one_sharp_frame():
    still = scenes.make(f"{TURN},speed=0")
    assert len(still) == 1
    np.testing.assert_array_equal(still[:].mean(0), scenes.make(f"{TURN}")[0])


def test_speed_is_the_motion_over_the_frame():
    for speed in (0.5, 3.0):
        film = scenes.make(f"panorama:frames=4,height=90,width=124,speed={speed},seed=3")
        assert np.sqrt(np.square(film.flow(1)).sum(0).mean()) == pytest.approx(speed, rel=0.02)


def test_the_camera_sees_the_sphere_where_it_looks(here):
    """The longitude and latitude of a pixel, told by the colours of the panorama, are those of its ray."""
    film = scenes.make("panorama:frames=3,height=48,width=60,image=panoramas/p0.png,stored=true,colour=rgb,optics=0,seed=4")
    seen = film[2].astype(float)
    f = 30 / math.tan(math.radians(30))
    i, j = np.indices((48, 60))
    rays = np.stack([j - 29.5, i - 23.5, np.full(i.shape, f)], -1)
    world = film.orientation(2).apply((rays / np.linalg.norm(rays, axis=-1, keepdims=True)).reshape(-1, 3)).reshape(rays.shape)
    longitude = np.arctan2(world[..., 0], world[..., 2]) + math.pi
    latitude = np.arcsin(world[..., 1]) + math.pi / 2
    np.testing.assert_allclose(seen[..., 0] * 255, 127 + 120 * np.sin(longitude), atol=2)
    inside = (latitude > 0.2) & (latitude < math.pi - 0.2)
    np.testing.assert_allclose((seen[..., 1] * 255)[inside], (latitude / math.pi * 256 - 1)[inside], atol=2)


def test_the_sphere_closes(here):
    """No seam where the last column meets the first."""
    flat = np.full((64, 128, 3), 100, np.uint8)
    Image.fromarray(flat).save("flat.png")
    for seed in range(5):
        seen = scenes.make(f"panorama:image=flat.png,frames=1,height=40,width=60,field_of_view=120,stored=true,seed={seed}")[0]
        np.testing.assert_allclose(seen, 100 / 255, atol=1e-4)


def test_blur_is_the_mean_and_keeps_the_light(here, capsys):
    scene = f"{TURN},seed=1,stored=true,colour=rgb,image=panoramas"
    frames = scenes.make(scene)[:]
    assert main(["blur", scene, "out.npy", "--average", "all"]) == 0
    with open_recording("out.npy") as made:
        np.testing.assert_allclose(made[0], frames.mean(0), atol=1e-6)
        assert made.record["frame_index"] == [[*range(len(frames))]]
    assert main(["blur", scene, "out/", "--average", "all"]) == 0
    assert main(["reconstruct", "out", "three.npy", "--method", "pseudo-inverse", "--frames", "3"]) == 0
    capsys.readouterr()
    assert main(["score", "three.npy", scene, "--order", "best", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["per_frame"]) == 3  # initial, middle, last
    index = json.loads(Path("three.npy.json").read_text())["record"]["frame_index"]
    assert index == [[0, round((len(frames) - 1) / 2), len(frames) - 1]]


def test_stored_values_are_those_of_the_picture_and_light_is_not(here):
    spec = "panorama:frames=1,height=40,width=50,image=panoramas/p0.png,colour=rgb,optics=0,seed={}"
    stored, light = (scenes.make(spec.format(f"2{also}"))[0] for also in (",stored=true", ""))
    from sensors.response import make

    assert np.abs(make("srgb").decode(stored) - light).max() < 0.02 < np.abs(stored - light).max()


def test_the_seed_chooses_the_picture_and_the_picture_decides_the_digest(here):
    names = {seed: scenes.make(f"{TURN},image=panoramas,seed={seed}").files[0].name for seed in range(3)}
    assert names == {0: "p0.png", 1: "p1.png", 2: "p0.png"}
    source = Source(f"{TURN},image=panoramas,seed=1")
    before = source.digest
    os.utime("panoramas/p1.png", (1, 1))
    assert source.digest != before
    before = source.digest
    os.utime("panoramas/p0.png", (1, 1))
    assert source.digest == before


def test_a_scene_for_simulation_and_comparison(here, capsys):
    spec = "panorama:frames=9,height=36,width=45,speed=2,image=panoramas"
    assert main(["compare", spec, "--sensor", "two-bucket", "--method", "pseudo-inverse", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["exposures"] == 1


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("field_of_view=180", "no angle of a pinhole camera"),
        ("turn=-1", "not an angle"),
        ("image=absent.jpg", "no such picture"),
        ("image=empty", "holds no JPEG or PNG"),
        ("image=square.png", "twice as wide as high"),
    ],
)
def test_what_cannot_be_is_one_line(here, settings, says):
    Path("empty").mkdir()
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save("square.png")
    with pytest.raises(Refusal, match=says):
        scenes.make(f"panorama:height=20,width=20,{settings}")[0]
