"""How a code lies is told by what moves, is unsure where nothing does, and is refused where nothing explains the capture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import sensors
from c2b import codes, scenes
from recon.arrangement_evidence import log_evidence
from recon.code_arrangement import TURNS, align, arrangements
from recon.gaussian_mixture import GaussianMixture
from sensors.capture import Capture
from sensors.refusal import Refusal

CODE = codes.make("impulse:tile=2")


@pytest.fixture(scope="module")
def moving() -> Capture:
    film = np.asarray(scenes.make("occluding-objects:frames=12,height=74,width=97,seed=4")[0:12])
    return sensors.make("cep-2019:white=400", CODE).capture(film, seed=1)


def believed(capture: Capture, code: np.ndarray) -> Capture:
    return replace(capture, sensor=replace(capture.sensor, code=np.ascontiguousarray(code)))


def over_chip(code: np.ndarray) -> np.ndarray:
    return np.tile(code, (1, 6 // code.shape[1], 6 // code.shape[2]))


def test_evidence_is_that_of_the_mixture():
    rng = np.random.default_rng(0)
    mixture = GaussianMixture(
        np.array([0.3, 0.7]), rng.random((2, 12)), rng.normal(size=(2, 12, 3)), np.array([0.1, 0.2]), (3, 2, 2)
    )
    collected, patches, noise = rng.random((2, 3, 2, 2)), rng.random((5, 2, 2, 2)), np.array([0.05, 0.3])
    A = np.zeros((2, 2, 2, 3, 2, 2))
    for b, t, i, j in np.ndindex(2, 3, 2, 2):
        A[b, i, j, t, i, j] = collected[b, t, i, j]
    A, y = A.reshape(8, 12), patches.reshape(5, 8)
    parts = [
        w * multivariate_normal(A @ m, A @ mixture.covariance(k) @ A.T + np.diag(np.repeat(noise, 4))).pdf(y)
        for k, (w, m) in enumerate(zip(mixture.weights, mixture.means, strict=True))
    ]
    ours, distance = log_evidence(mixture, collected, patches, noise)
    constant = 0.5 * 8 * np.log(2 * np.pi)
    assert np.allclose(ours - constant, np.log(sum(parts)), atol=1e-4)
    assert distance.shape == (5,) and (distance > 0).all()


def test_arrangements_that_are_one_array_are_one():
    impulse = arrangements(codes.make("impulse:tile=3"), (False,))
    assert len(impulse) == 36 and sum(len(one.names) for one in impulse) == 72  # turned by 180 degrees is reversed in time
    assert arrangements(codes.make("flutter:chips=1101"), (False,))[0].names[0] == ""
    assert len(arrangements(np.ones((3, 2, 2), np.uint8), (False, True))) == 2


@pytest.mark.parametrize(("turn", "moved", "backward"), [("mirrored", (1, 0), False), ("transposed", (0, 1), True)])
def test_a_code_that_was_turned_and_moved_is_found(moving, turn, moved, backward):
    wrong = np.roll(TURNS[turn](CODE), moved, (1, 2))
    found = align(believed(moving, wrong[::-1] if backward else wrong))
    assert found.sure and found.order == "told"
    assert np.array_equal(over_chip(found.capture.sensor.code), over_chip(CODE))


def test_exchanged_buckets_are_told_by_their_light(moving):
    found = align(believed(moving, 1 - CODE))
    assert found.sure and "buckets exchanged" in found.how and np.array_equal(found.capture.sensor.code, CODE)


def test_the_right_code_is_kept_and_one_exposure_does_not_tell_the_order(moving):
    found = align(moving[:1])
    assert found.order == "unknown" and any("may be reversed" in line for line in found.lines)
    assert np.array_equal(found.capture.sensor.code, CODE)


def test_what_stands_still_is_unsure():
    still = np.repeat(np.asarray(scenes.make("occluding-objects:frames=1,height=74,width=97,seed=4")[0:1]), 8, 0)
    found = align(sensors.make("cep-2019:white=400", CODE).capture(still, seed=1))
    assert not found.sure and not found.how and len(found.rivals) == 3 and "UNSURE" in found.lines[0]


def test_another_code_is_refused_by_its_light(moving):
    with pytest.raises(Refusal, match="no arrangement of this code explains"):
        align(believed(moving, codes.make("bernoulli:frames=4,tile=2,probability=0.5,seed=1")))


def test_a_mask_is_left_to_registration():
    mask = sensors.make("two-bucket", codes.make("bernoulli:frames=4,tile=70"))
    with pytest.raises(Refusal, match="--calibrate-mask"):
        align(Capture(np.zeros((1, 2, 70, 70), np.float32), mask))
