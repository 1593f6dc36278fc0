"""Frames decoded from transformed features and pictures: the terms of its loss, colour, presets."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import recon
import sensors
from c2b import codes
from sensors.capture import Capture
from sensors.refusal import Refusal

torch = pytest.importorskip("torch")
from recon.learned.argaw_2020 import Argaw  # noqa: E402
from tests.handmade_learning import film, method_of, texture  # noqa: E402

SMALL = {
    **{"base": 4, "growth": 4, "scales": 3, "refinement": 4, "localisation": 4},
    **{"steps": 2, "batch": 2, "crop": 32, "precision": "float32", "seed": 3},
}


def camera(frames=5, **settings):
    return sensors.make("conventional", codes.make(f"long:frames={frames}"), **settings)


def learner(**words):
    return method_of(Argaw, **{**SMALL, **words})


def taken(frames=5, **settings):
    sensor = camera(frames, **settings)
    video = texture((frames, 41, 50))
    if sensor.colour == "rgb":
        video = np.stack([video, 0.5 * video, video], -1)
    return Capture(sensor.take(video, seed=0)[None], sensor)


def test_without_weights_it_says_how_to_train():
    assert recon.make("argaw").refusal(camera()).startswith("no weights of argaw for such captures come with c2b; train your own")


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"light": True, "drawn": 1},
        {"light": True, "residual": True, "better": True, "turned": True, "error": "rms", "fold": 2},
        {"affine": False},
        {"local": False},
        {"pictures": False},
        {"multiple_scales": False},
        {"consistency": 0.0, "penalty": 0.0},
    ],
    ids=str,
)
def test_every_ablation_learns_and_is_read_back(words, tmp_path):
    path = tmp_path / "w.safetensors"
    method = learner(**words).fit(film(), camera())
    method.save(path)
    capture = taken()
    video = Argaw(weights=str(path), precision="float32").reconstruct(capture)
    assert video.shape == (1, 5, 41, 50) and np.isfinite(video).all()
    np.testing.assert_allclose(video, method.reconstruct(capture), atol=5e-3)  # half precision


def test_the_terms_of_the_loss_are_those_of_the_paper():
    torch.manual_seed(0)
    truth = torch.rand(2, 5, 32, 32)
    picture = truth.mean(1, keepdim=True)
    network = learner().build(camera())

    def loss(**words):
        return learner(**words).picture_loss(network, picture, truth)

    made = network(picture)
    frames, plain = made.frames[:, :, 0], loss(consistency=0.0, penalty=0.0, multiple_scales=False)
    torch.testing.assert_close(plain, 5 * (frames - truth).abs().mean())
    norms = sum(
        (a - b).square().sum((2, 3)).sqrt().sum(1).mean() for kind in made.thetas for a, b in pairwise(kind)
    )
    torch.testing.assert_close(
        loss(consistency=2000.0, penalty=0.0, multiple_scales=False) - plain, 2000 / 32**2 * norms, atol=1e-3, rtol=1e-3
    )
    assert loss(consistency=0.0, penalty=0.5, multiple_scales=False) < plain < loss(consistency=0.0, penalty=0.0)


def test_the_loss_of_the_better_order_does_not_know_it():
    truth, method = torch.rand(2, 5, 32, 32), learner(better=True)
    network, picture = method.build(camera()), truth.mean(1, keepdim=True)
    torch.testing.assert_close(method.picture_loss(network, picture, truth), method.picture_loss(network, picture, truth.flip(1)))
    given = learner().picture_loss
    assert not torch.isclose(given(network, picture, truth), given(network, picture, truth.flip(1)))


def test_pairs_of_frames_take_turns():
    method, seen = learner(drawn=1), []
    network = method.build(camera(7))
    method.places_loss = lambda network, picture, truth, places: seen.append(places) or picture.sum()
    sensor, clip = camera(7), texture((7, 32, 32))
    from recon.learned.network import given
    from recon.training.batches import Batch

    batch = Batch(torch.from_numpy(clip[None]), given([Capture(sensor.take(clip, seed=0)[None], sensor)], ""))
    for step in range(4):
        method.loss_at(network, batch, step)
    assert seen == [[0, 6], [1, 5], [2, 4], [0, 6]]


def test_another_number_of_frames_is_refused():
    method = learner().fit(film(), camera())
    with pytest.raises(Refusal, match="makes 5 frames; an exposure of this sensor has 7"):
        method.reconstruct(taken(7))
    with pytest.raises(Refusal, match="as many on both sides"):
        learner().fit(film(), camera(4))


def test_planes_of_a_colour_picture_change_alike():
    video = learner().fit(film(), camera()).reconstruct(taken(colour="rgb"))
    assert video.shape == (1, 5, 41, 50, 3)
    np.testing.assert_allclose(video[..., 0], video[..., 2], atol=1e-5)


def test_what_cannot_be_is_refused():
    with pytest.raises(Refusal, match="base=0"):
        learner(base=0)
    with pytest.raises(Refusal, match="better=true compares whole videos"):
        learner(better=True, drawn=1)  # each pair would choose its own order
    with pytest.raises(Refusal, match="penalty=-1"):
        learner(penalty=-1.0)


@pytest.mark.parametrize("preset", Argaw.presets)
def test_presets_are_settings(preset):
    method = method_of(Argaw, **Argaw.presets[preset])
    with torch.device("meta"):
        size = sum(parameter.numel() for parameter in method.build(camera(7)).parameters())
    if preset == "compact":
        assert 2 * size < 3e6  # bytes, in half precision
