"""A sharp picture moved by the flow of a recurrent decoder: its stages, another method that deblurs, colour, any number of frames."""

from __future__ import annotations

import numpy as np
import pytest

import recon
import sensors
from c2b import codes
from sensors.capture import Capture
from sensors.refusal import Refusal

torch = pytest.importorskip("torch")
from recon.learned.purohit_2019 import Purohit  # noqa: E402
from recon.training.order_losses import pairwise  # noqa: E402
from tests.handmade_learning import film, method_of, texture  # noqa: E402

SMALL = {
    "width": 0.125,
    "growth": 2,
    "blocks": (1, 1, 1, 1),
    "steps": 2,
    "batch": 2,
    "crop": 32,
    "precision": "float32",
    "seed": 3,
}


def camera(frames=5, **settings):
    return sensors.make("conventional", codes.make(f"long:frames={frames}"), **settings)


def learner(**words):
    return method_of(Purohit, **{**SMALL, **words})


def taken(frames=5, **settings):
    sensor = camera(frames, **settings)
    video = texture((frames, 41, 50))
    if sensor.colour == "rgb":
        video = np.stack([video, 0.5 * video, video], -1)
    return Capture(sensor.take(video, seed=0)[None], sensor)


def test_shipped_weights_serve_any_number_of_frames_of_an_ordinary_camera():
    assert recon.make("purohit").refusal(camera()) == "" == recon.make("purohit").refusal(camera(9))


def test_each_stage_goes_on_from_the_one_before(tmp_path):
    before = ""
    for stage in ("deblurring", "auto-encoder", "blurred"):
        method, path = learner(stage=stage, weights=before), tmp_path / f"{stage}.safetensors"
        begun = method._begun(camera())
        if before:
            known = Purohit().load(before).trained_.network.state_dict()
            kept = begun.state_dict().keys() & known.keys()
            assert {name.partition(".")[0] for name in kept} == (
                {"deblurring"} if stage == "auto-encoder" else {"deblurring", "decoder"}
            )
            for name in kept:
                torch.testing.assert_close(begun.state_dict()[name], known[name])
        method.fit(film(), camera()).save(path)
        before = str(path)
        changed = {
            name.partition(".")[0]
            for name, one in method.trained_.network.named_parameters()
            if not torch.equal(one, dict(begun.named_parameters())[name])
        }
        assert (
            changed
            == {
                "deblurring": {"deblurring"},
                "auto-encoder": {"video_encoder", "decoder"},
                "blurred": {"blurred_encoder", "decoder"},
            }[stage]
        )
    assert Purohit(weights=before).reconstruct(taken()).shape == (1, 5, 41, 50)


def test_joint_training_changes_all_parts_and_none_of_the_video_reaches_the_deblurring():
    method = learner(stage="joint", true_middle=False)
    network, (picture, truth) = method.build(camera()), torch.rand(2, 2, 5, 32, 32)
    assert network.paces == {"deblurring": 0.3}
    picture = picture[:, :1]
    whole = torch.autograd.grad(method.picture_loss(network, picture, truth), list(network.parameters()))
    assert all(one.any() for one in whole)
    alone = torch.autograd.grad((network.deblur(picture) - truth[:, 2:3]).abs().mean(), list(network.deblurring.parameters()))
    names = [name for name, _ in network.named_parameters()]
    for one, other in zip(
        (g for g, name in zip(whole, names, strict=True) if name.startswith("deblurring.")), alone, strict=True
    ):
        torch.testing.assert_close(one, other)


def test_the_last_stage_needs_the_auto_encoder():
    with pytest.raises(Refusal, match="goes on from the auto-encoder"):
        learner(stage="blurred").fit(film(), camera())


def test_weights_of_another_width_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    learner().fit(film(), camera()).save(path)
    with pytest.raises(Refusal, match="cannot go on from"):
        learner(width=0.25, weights=str(path)).fit(film(), camera())


@pytest.mark.parametrize(
    "words",
    [
        {"flow": False},
        {"recurrent": False},
        {"sharp_input": False},
        {"dense": False},
        {"order": "better", "true_middle": False, "teacher": 0.01, "error": "rms"},
        {"order": "given", "smoothness": 0.0},
        {"fold": 2},
    ],
    ids=str,
)
def test_every_ablation_learns_and_is_read_back(words, tmp_path):
    path = tmp_path / "w.safetensors"
    method = learner(**words).fit(film(), camera())
    method.save(path)
    again, capture = Purohit(weights=str(path), precision="float32"), taken()
    video = again.reconstruct(capture)
    assert video.shape == (1, 5, 41, 50) and np.isfinite(video).all()
    np.testing.assert_allclose(video, method.reconstruct(capture), atol=5e-3)  # half precision


def test_any_number_of_frames_comes_out():
    method = learner().fit(film(), camera())
    assert method.reconstruct(taken(9)).shape == (1, 9, 41, 50)
    with pytest.raises(Refusal, match="makes 5 frames; an exposure of this sensor has 9"):
        learner(recurrent=False).fit(film(), camera()).reconstruct(taken(9))


def test_another_method_deblurs_in_training():
    method = learner(deblurring="pseudo-inverse").fit(film(), camera())
    assert method.trained_.start == "pseudo-inverse" and method.trained_.network.deblurring is None
    assert method.reconstruct(taken()).shape == (1, 5, 41, 50)
    with pytest.raises(Refusal, match="is to replace it"):
        learner(deblurring="pseudo-inverse", stage="deblurring").fit(film(), camera())


@pytest.mark.parametrize("colour", ["mono", "rgb"])
def test_another_method_deblurs_in_its_place(colour, tmp_path):
    """The pseudo-inverse of a blurred picture is that picture."""
    path, capture = tmp_path / "w.safetensors", taken(colour=colour)
    learner(steps=4, rate=0.01).fit(film(), camera()).save(path)
    replaced = Purohit(weights=str(path), deblurring="pseudo-inverse", precision="float32")
    own = Purohit(weights=str(path), precision="float32")
    assert replaced.parts(capture.sensor) and not own.parts(capture.sensor)
    network = own.trained(capture.sensor).network
    assert not np.allclose(replaced.reconstruct(capture), own.reconstruct(capture), atol=1e-3)
    network.deblurring.forward = lambda blurred: blurred
    try:
        np.testing.assert_allclose(replaced.reconstruct(capture), own.reconstruct(capture), atol=1e-4)
    finally:
        del network.deblurring.forward


def test_planes_of_a_colour_picture_move_alike():
    method = learner().fit(film(), camera())
    capture = taken(colour="rgb")
    video = method.reconstruct(capture)
    assert video.shape == (1, 5, 41, 50, 3)
    np.testing.assert_allclose(video[..., 0], video[..., 2], atol=1e-5)
    assert np.ptp(video[0], axis=0)[..., 1].max() > 0  # moves at all


def test_the_published_error_of_a_video_does_not_know_its_order():
    method = learner(order="pairwise", teacher=0.0)
    frames, truth = torch.rand(2, 2, 5, 8, 8)
    error = method._video_error()
    torch.testing.assert_close(error(frames, truth), pairwise(frames, truth) / 5)
    torch.testing.assert_close(error(frames, truth), error(frames.flip(1), truth))
    assert not torch.isclose(learner(order="given")._video_error()(frames, truth), error(frames, truth)).any()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ({"stage": "third"}, "unknown stage 'third'; known: deblurring, auto-encoder, blurred, joint"),
        ({"order": "any"}, "unknown order 'any'; known: pairwise, better, given"),
        ({"smoothness": -1.0}, "smoothness=-1.0"),
    ],
)
def test_what_cannot_be_is_refused(words, line):
    with pytest.raises(Refusal, match=line):
        learner(**words)


@pytest.mark.parametrize("preset", Purohit.presets)
def test_presets_are_settings(preset):
    method = method_of(Purohit, **Purohit.presets[preset])
    size = sum(parameter.numel() for parameter in method.build(camera(7)).parameters())
    if preset == "compact":
        assert 2 * size < 3e6  # bytes, in half precision
