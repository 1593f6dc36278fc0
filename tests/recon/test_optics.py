"""Methods that are told of the point spread against the same methods that are not."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import recon
import sensors
from c2b import codes, scenes
from recon.metrics import psnr
from recon.untold import Untold
from sensors.capture import Capture
from sensors.optics import Optics
from sensors.refusal import Refusal

LENS = Optics(blur=1.0, crosstalk=0.02)
SCENE = scenes.make("occluding-objects:frames=6,height=48,width=60,seed=3,optics=0.5")[0:6]
CODE = codes.make("bernoulli:frames=6,tile=3,seed=2")


def taken(**settings):
    return sensors.make("two-bucket", CODE, optics=LENS, **settings).capture(SCENE, seed=0)


def score(method, capture):
    return psnr(recon.make(method).reconstruct(capture)[0], SCENE, data_range=1.0)


@pytest.mark.parametrize("method", ["tikhonov:spatial=0.1,temporal=1", "gap-tv:iterations=40"])
def test_a_method_that_knows_the_lens_beats_the_same_that_does_not(method):
    capture = taken()
    assert score(method, capture) > score(f"{method}+untold", capture) + 0.5


def test_what_takes_pixels_apart_says_what_serves_and_untold_makes_it_serve():
    capture = taken()
    for method in ("tile", "pseudo-inverse", "tikhonov+consistent"):
        with pytest.raises(Refusal, match="tikhonov or gap-tv"):
            recon.make(method).reconstruct(capture)
        made = recon.make(f"{method}+untold")
        assert isinstance(made, Untold) and made.reconstruct(capture).shape == (1, 6, 48, 60)


def test_untold_is_the_method_without_what_the_capture_says_of_optics():
    capture = taken()
    blind = Capture(capture.images, capture.sensor.without_optics(), capture.record)
    assert np.array_equal(recon.make("tile+untold").reconstruct(capture), recon.make("tile").reconstruct(blind))


def test_the_data_step_moves_towards_the_charge_and_never_too_far():
    capture = taken()
    exposure, charge = capture.sensor.exposure, capture.charge[0]
    rng = np.random.default_rng(0)
    for spread in (np.full((1, 48, 60), 0.01), rng.uniform(0.005, 0.02, (6, 48, 60))):
        video = np.zeros_like(SCENE)
        misfit = [float(np.square(charge).sum())]
        for _ in range(4):
            video = exposure.data_step(video, charge, np.full_like(charge, 1e-4), spread)
            misfit.append(float(np.square(charge - exposure.expose(video)).sum()))
        assert all(after < before for before, after in pairwise(misfit))
