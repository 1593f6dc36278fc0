"""A trained method as the teacher of others: what they are given as the truth, and that all of them can be taught."""

from __future__ import annotations

import numpy as np
import pytest

import sensors
from c2b import codes

torch = pytest.importorskip("torch")

from recon.learned.argaw_2020 import Argaw  # noqa: E402
from recon.learned.jin_2018 import Jin2018  # noqa: E402
from recon.learned.purohit_2019 import Purohit  # noqa: E402
from recon.learned.zhang_2020 import Zhang2020  # noqa: E402
from recon.training.order_losses import root_mean_square  # noqa: E402
from recon.training.order_teacher import lesson, ordered, taught  # noqa: E402
from tests.handmade_learning import batches_of, film, method_of, texture  # noqa: E402

SMALL = {
    Jin2018: {"width": 8, "side_width": 8, "folds": (2, 2), "adversarial": 0.0, "order": "better"},
    Purohit: {"width": 0.125, "growth": 2, "blocks": (1, 1, 1, 1), "order": "better", "teacher": 0.003, "coarse_steps": 10**6},
    Argaw: {"base": 4, "growth": 4, "scales": 3, "refinement": 4, "localisation": 4, "turned": True, "drawn": 1},
    Zhang2020: {"width": 4, "adversarial": 0.0, "order": "taught"},
}
#: A step in which stages and pairs of frames have the same turn as in step 0.
LATER = 48
TRAINING = {"batch": 2, "crop": 32, "precision": "float32", "seed": 3}


@pytest.fixture(scope="module")
def truth():
    """Clips (2, 7, 40, 64) that drift by a pixel a frame."""
    return torch.from_numpy(np.stack([texture((7, 40, 64), seed) for seed in range(2)]))


def test_a_lesson_is_the_video_of_the_teacher_then_the_clip_in_its_order(truth):
    picture = truth.mean(1, keepdim=True)
    video = taught(picture, 7)
    assert video.shape == truth.shape and not video.requires_grad
    assert torch.equal(lesson(picture, truth, 4, 5), video) and torch.equal(lesson(picture, truth, 4, -1), truth)
    for clip in (truth, truth.flip(1)):
        in_order = lesson(picture, clip, 5, 5)
        assert torch.equal(in_order, ordered(picture, truth))
        assert (root_mean_square(video, in_order) <= root_mean_square(video, in_order.flip(1))).all()


@pytest.mark.parametrize("kind", SMALL, ids=lambda kind: kind.name)
def test_all_of_them_can_be_taught(kind):
    """What a step learns is the video of the teacher before it, and the clip from then on; and the weights are said to depend on it."""
    sensor = sensors.make("conventional", codes.make("long:frames=7"))
    method = method_of(kind, **SMALL[kind], **TRAINING, steps=60, taught_steps=5)
    assert method.terms()["taught_steps"] == 5
    torch.manual_seed(0)
    network = method.build(sensor)
    (batch,) = batches_of(method, sensor, film(2, (14, 48, 52))).batch(0)[:1]
    loss = getattr(method, "loss_at", method.loss)
    before, after = (loss(network, batch, step) for step in (0, LATER))
    before.backward()
    assert torch.isfinite(before) and torch.isfinite(after) and before != after
    video = taught(batch.truth.mean(1, keepdim=True), 7)
    assert torch.isclose(loss(network, batch._replace(truth=video), LATER), before, rtol=0.02)
