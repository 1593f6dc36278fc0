"""Captures of one camera, reconstructed as those of another."""

from __future__ import annotations

import numpy as np
import pytest

import recon
from c2b import camera, streaming
from c2b.belief import believing, displaced
from c2b.camera_grid import CameraGrid
from c2b.comparison import Comparison
from c2b.source import Source, open_video
from recon.metrics import score
from sensors.capture import Capture
from sensors.refusal import Refusal

SCENE = "occluding-objects:frames=12,height=36,width=50"
FILM = open_video(SCENE)
CODE = "bernoulli:frames=4,tile=[2,3]"


def rows(sensor, *, code=CODE, readouts=(), lights=(), methods=("tile+consistent",), folder=None, **beliefs):
    grid = CameraGrid((sensor,), (code,), readouts, lights, **beliefs)
    compared = Comparison({SCENE: Source(SCENE)}, grid, {name: recon.make(name) for name in methods})
    return compared.run(folder), compared


def test_a_method_is_told_the_believed_sensor_and_given_the_stored_numbers():
    """By hand: the same DN, with the sensor exchanged."""
    (true, believed), _ = rows("cep-2019", beliefs=("same:leakage=0.1,black_level=80,gain=0.5",))
    assert (true.belief, believed.belief) == ("", "same:leakage=0.1,black_level=80,gain=0.5")
    assert true.sensor_digest == believed.sensor_digest and true.digest != believed.digest
    taking = camera.make("cep-2019", CODE)
    wrong = camera.make("cep-2019:leakage=0.1,black_level=80,gain=0.5", CODE).chip
    method, video = recon.make("tile+consistent"), FILM
    for row, chip in ((true, taking.chip), (believed, wrong)):
        found = []
        for number, (capture, light) in enumerate(streaming.exposures(video, taking.chip, seed=0)):
            taken = Capture(taking.chip.take(light, seed=0, number=number)[None], chip)
            assert np.array_equal(taken.images, capture.images)
            found.append(score(method.reconstruct(taken)[0], light).psnr)
        assert row.psnr == pytest.approx(np.mean(found), abs=1e-4)
    assert believed.psnr < true.psnr - 1


def test_what_is_true_costs_nothing():
    found, _ = rows(
        "two-bucket:leakage=0.03", beliefs=("two-bucket:leakage=0.03", "same:leakage=0"), believed_codes=("same", CODE)
    )
    assert [row.belief for row in found] == [
        "",
        "two-bucket:leakage=0.03",
        f"two-bucket:leakage=0.03, {CODE}",
        "same:leakage=0",
        f"same:leakage=0, {CODE}",
    ]
    assert found[0].psnr == found[1].psnr == found[2].psnr > found[3].psnr == found[4].psnr


@pytest.mark.parametrize(
    ("readouts", "belief", "changed"),
    [
        ((), "same:white=50", {"white": 50}),
        ((), "same:leakage=0", {"white": 20}),
        (("cep-2023",), "same:black_level=80", {"white": 20, "black_level": 80, "bits": 12}),
        (("cep-2019:gain=0.4",), "two-bucket:leakage=0.1", {"white": 20, "gain": 0.4}),
        ((), "cep-2023", {"white": 20}),
    ],
)
def test_light_and_readout_are_those_of_the_camera_unless_the_belief_states_others(readouts, belief, changed):
    grid = CameraGrid(("cep-2019",), (CODE,), readouts, (20.0,), beliefs=(belief,))
    true, believed = grid.cameras(FILM, print)
    readout = believed.seen_as.readout
    assert {name: getattr(readout, name) for name in changed} == changed
    assert true.chip.digest == believed.chip.digest and true.seen_as is true.chip
    assert true.digest != believed.digest == believing(true, belief, readout=readouts[0] if readouts else None, lit=True).digest


def test_a_dead_time_that_is_believed_places_frames_elsewhere():
    """Frames 0 to 3 are right, 5 to 8 are taken for 4 to 7."""
    (true, believed), compared = rows("two-bucket:dead_frames=1", beliefs=("same:dead_frames=0",), methods=("tile",))
    assert true.exposures == believed.exposures == 2 and believed.psnr < true.psnr
    light = FILM.irradiance(0, 12)
    truth = np.rint(np.stack([light[0:4], light[4:8]]).clip(0, 1) * 255)
    shown, right = (compared.frames(row, (0, 1)) for row in (believed, true))
    assert np.abs(shown.truth - truth).max() <= 1 and np.array_equal(shown.video, right.video)
    assert not np.array_equal(shown.truth[1], right.truth[1])


def test_a_displaced_code_is_what_a_camera_with_another_origin_sees():
    code = camera.make("two-bucket", CODE).chip
    video = np.random.default_rng(0).random((4, 8, 9), np.float32)
    moved = camera.make("two-bucket", CODE)
    believed = believing(moved, code="same:rows=1,columns=1").seen_as
    assert np.array_equal(believed.crop(slice(1, None), slice(1, None)).expose(video), code.expose(video))


def test_code_displacements():
    code = np.random.default_rng(1).integers(0, 2, (4, 2, 3)).astype(np.uint8)
    assert np.array_equal(displaced(code, 3, -1), np.roll(code, (1, -1), (1, 2)))
    assert np.allclose(displaced(code, columns=0.25), 0.75 * code + 0.25 * np.roll(code, 1, 2))
    assert np.allclose(displaced(code, rows=-0.25), 0.75 * code + 0.25 * np.roll(code, -1, 1))
    assert np.array_equal(displaced(code, reversed=True, exchanged=True), 1 - code[::-1])
    assert np.array_equal(displaced(code, turned="transposed"), code.transpose(0, 2, 1))
    assert np.array_equal(displaced(code[None], 1, turned="mirrored")[0], displaced(code, 1, turned="mirrored"))


@pytest.mark.parametrize(
    ("sensor", "belief", "code", "line"),
    [
        ("cep-2019", ("same",), (), "say what differs"),
        ("cep-2019", ("same:leakge=0",), (), "did you mean leakage"),
        ("cep-2019", ("coded-pixel",), (), "buckets: 1 believed, 2 taken"),
        ("cep-2019", ("same:colour=rggb",), (), "add --channels rgb"),
        ("cep-2019", (), ("long:frames=3",), "frames of an exposure: 3 believed, 4 taken"),
        ("cep-2019", (), ("same:rows=inf",), "no displacement|no number that can be meant"),
        ("cep-2019", (), ("same:turned=left",), "unknown turn"),
        ("cep-2019", (), ("none.npy",), "does not exist"),
        ("two-bucket", ("cep-2019",), (), "the camera gives ideal charge"),
        ("two-bucket", ("same:black_level=3",), (), "needs white"),
    ],
)
def test_a_belief_that_goes_with_no_camera_is_refused(sensor, belief, code, line):
    with pytest.raises(Refusal, match=line):
        CameraGrid((sensor,), (CODE,), beliefs=belief, believed_codes=code).cameras(FILM, print)


def test_one_that_goes_with_some_cameras_is_left_out_of_the_others(tmp_path):
    grid = CameraGrid(("coded-pixel", "two-bucket"), (CODE,), beliefs=("two-bucket:leakage=0.1",))
    compared = Comparison({SCENE: Source(SCENE)}, grid, {"pseudo-inverse": recon.make("pseudo-inverse")})
    found = compared.run(tmp_path)
    assert [(row.sensor, row.belief) for row in found] == [
        ("coded-pixel", ""),
        ("two-bucket", ""),
        ("two-bucket", "two-bucket:leakage=0.1"),
    ]
    assert "believed two-bucket:leakage=0.1" in next(iter(compared.left_out))[0]
    again = Comparison({SCENE: Source(SCENE)}, grid, {"pseudo-inverse": recon.make("pseudo-inverse")})
    assert again.run(tmp_path) == found and again.computed == 0


def test_numbers_beyond_the_believed_converter_are_refused():
    found, compared = rows("cep-2019", lights=(800.0,), beliefs=("same:bits=8", "same:bits=8,companded_bits=6"))
    assert [row.belief for row in found] == [""]
    assert [why.partition(", and")[2] for _, why in compared.left_out] == [
        " the believed sensor stores 8 bits, at most 255",
        " the believed sensor stores 6 bits, at most 63",
    ]
