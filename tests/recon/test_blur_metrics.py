"""A video out of one blurred picture: its order, its pairs, its blur and its motion."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from recon.blur_metrics import blur_score, end_point_error, mean, pair_error
from recon.metrics import score
from sensors.refusal import Refusal
from sensors.response import make as make_response


def moving(step: float, frames: int = 5, seed: int = 0) -> np.ndarray:
    """A smooth texture that moves down by so many pixels a frame, (T, 128, 145)."""
    texture = gaussian_filter(np.random.default_rng(seed).random((160, 160)), 2.5)
    texture = (texture - texture.min()) / np.ptp(texture)
    return np.stack([shift(texture, (step * t, 0), order=3)[16:144, 8:153] for t in range(frames)]).clip(0, 1)


@pytest.fixture
def clips() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    truth = rng.random((5, 20, 27))
    return np.clip(truth + 0.1 * rng.standard_normal(truth.shape), 0, 1), truth


def test_the_pair_error_is_that_of_the_formula(clips):
    z, x = clips
    expected = 0.0
    for n in (1, 2):  # counted as in the papers, from 1, the partner of n is 6 - n
        a, b, c, d = z[n - 1], z[5 - n], x[n - 1], x[5 - n]
        expected += np.abs(np.abs(a + b) - np.abs(c + d)).sum() + np.abs(np.abs(a - b) - np.abs(c - d)).sum()
    found = blur_score(z, x)
    assert found.pair_error == pytest.approx(expected, rel=1e-5)
    assert found.pair_error_per_pixel == pytest.approx(expected / (20 * 27), rel=1e-5)


def test_the_pair_error_is_blind_to_the_order_of_every_pair_and_to_nothing_else(clips):
    z, x = clips
    turned = z[[4, 1, 2, 3, 0]]
    assert pair_error(z[::-1], x) == pytest.approx(pair_error(z, x), rel=1e-12)
    assert pair_error(turned, x) == pytest.approx(pair_error(z, x), rel=1e-12)
    assert pair_error(x[::-1], x) == 0 < pair_error(z[[1, 0, 2, 3, 4]], x)
    repeated = np.repeat(x.mean(0)[None], 5, 0)
    assert pair_error(repeated, x) > 0


def test_a_repeated_blurred_picture_explains_the_blur_and_is_no_video(clips):
    _, x = clips
    repeated = np.repeat(x.mean(0)[None], 5, 0)
    assert blur_score(repeated, x).reblurred_psnr > 120 > 30 > score(repeated, x).psnr
    assert blur_score(x[::-1], x).reblurred_psnr > 120


def test_the_blur_is_averaged_as_light_where_the_response_says_so(clips):
    z, x = clips
    response = make_response("srgb")
    light = [response.encode(response.decode(clip.astype(np.float32)).mean(0)) for clip in (z, x)]
    expected = -10 * math.log10(np.square(light[0] - light[1]).mean())
    assert blur_score(z, x, light=response.decode, stored=response.encode).reblurred_psnr == pytest.approx(expected, abs=1e-3)
    assert blur_score(z, x).reblurred_psnr != pytest.approx(expected, abs=1e-2)


def test_the_end_point_error_is_that_of_the_motion():
    truth = moving(1.0)
    assert end_point_error(truth, truth) == 0
    assert end_point_error(moving(0.0), truth) == pytest.approx(4, abs=0.3)
    assert end_point_error(moving(0.5), truth) == pytest.approx(2, abs=0.3)
    assert end_point_error(truth[::-1], truth) == pytest.approx(8, abs=0.6)
    assert blur_score(truth[::-1], truth, order="best").end_point_error == 0
    colour = np.stack([truth, truth, truth], -1)
    assert end_point_error(colour[::-1], colour) == pytest.approx(end_point_error(truth[::-1], truth), abs=1e-3)


def test_the_flow_method_can_be_replaced():
    still = np.zeros((3, 4, 5))
    assert end_point_error(still, still, flow=lambda one, other: np.ones((2, 4, 5))) == 0
    drawn = iter([np.zeros((2, 4, 5)), np.stack([np.full((4, 5), 3.0), np.full((4, 5), 4.0)])])
    assert end_point_error(still, still, flow=lambda one, other: next(drawn)) == 5


def test_every_frame_may_choose_its_order(clips):
    z, x = clips
    mixed = z[[4, 1, 2, 3, 0]]
    free, given, best = (score(mixed, x, order=order) for order in ("frame", "given", "best"))
    assert free.per_frame == score(z, x).per_frame and free.psnr == score(z, x).psnr
    assert given.psnr <= best.psnr < free.psnr
    assert free.clips[0]["order"] == "mixed" and free.conventions["order"] == "frame"
    assert score(z, x, order="frame").clips[0]["order"] == "given"
    assert score(z[::-1], x, order="frame").ssim == score(z, x).ssim


def test_unit_and_white_do_not_matter(clips):
    z, x = clips
    in_units, scaled = blur_score(z, x), blur_score(255 * z, 255 * x, data_range=255)
    assert scaled.values() == pytest.approx(in_units.values(), rel=1e-4)


def test_the_mean_is_over_clips(clips):
    z, x = clips
    one, other = blur_score(z, x), blur_score(x, x)
    assert mean([one, other]).pair_error == pytest.approx(one.pair_error / 2)
    assert mean([one, other]).reblurred_psnr == math.inf


def test_what_is_no_pair_of_videos_is_refused(clips):
    z, x = clips
    for wrong in (z[:4], z[:1], z[0]):
        with pytest.raises(Refusal, match="two videos of the same shape"):
            blur_score(wrong, x[:1] if len(wrong) == 1 else x)
    with pytest.raises(Refusal, match="order=backward is unknown; known: given, best, frame"):
        score(z, x, order="backward")
