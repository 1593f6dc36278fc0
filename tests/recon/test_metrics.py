"""PSNR and SSIM against their definitions, against scikit-image, and against the conventions they are reported by."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from recon.metrics import PROTOCOLS, psnr, score, ssim
from sensors.refusal import Refusal

WINDOWS = {"gaussian": {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}, "uniform": {}}


def clip(shape: tuple[int, ...] = (5, 24, 31), seed: int = 0, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """A noisy video and its truth; every frame is another one, so that order matters."""
    rng = np.random.default_rng(seed)
    truth = rng.random(shape)
    return np.clip(truth + noise * rng.standard_normal(shape), 0, 1), truth


def test_a_constant_error_of_a_tenth_of_the_range_is_20_db() -> None:
    truth = np.full((4, 12, 13), 40, np.uint8)
    assert psnr(truth + np.uint8(5), truth, data_range=50) == pytest.approx(20, abs=1e-12)
    assert psnr(truth - np.uint8(5), truth, data_range=500) == pytest.approx(40, abs=1e-12)


def test_psnr_equals_scikit_image() -> None:
    video, truth = clip()
    assert psnr(video, truth, data_range=1.5) == pytest.approx(peak_signal_noise_ratio(truth, video, data_range=1.5), abs=1e-9)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("data_range", [1.0, 2.0, 255.0])
@pytest.mark.parametrize("shape", [(11, 11), (24, 31), (40, 17, 3)])
def test_ssim_equals_scikit_image(window: str, data_range: float, shape: tuple[int, ...]) -> None:
    frame, truth = (data_range * a for a in clip(shape))
    axis = 2 if len(shape) == 3 else None
    theirs = structural_similarity(truth, frame, data_range=data_range, channel_axis=axis, **WINDOWS[window])
    assert ssim(frame, truth, data_range=data_range, window=window) == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("window", WINDOWS)
def test_ssim_of_8_bit_frames_equals_scikit_image(window: str) -> None:
    frame, truth = (np.uint8(255 * a) for a in clip((24, 31)))
    theirs = structural_similarity(truth, frame, data_range=255, **WINDOWS[window])
    assert ssim(frame, truth, data_range=255, window=window) == pytest.approx(theirs, abs=1e-6)


def test_ssim_is_one_for_itself_and_symmetric_and_blind_to_the_unit() -> None:
    frame, truth = clip((24, 31))
    assert ssim(truth, truth, data_range=1) == pytest.approx(1, abs=1e-12)
    assert ssim(frame, truth, data_range=1) == pytest.approx(ssim(truth, frame, data_range=1), abs=1e-12)
    assert ssim(255 * frame, 255 * truth, data_range=255) == pytest.approx(ssim(frame, truth, data_range=1), abs=1e-9)


def test_the_mean_psnr_of_frames_is_never_below_that_of_the_volume() -> None:
    video, truth = clip(noise=0.0)
    video = truth + 0.02 * np.arange(1, 6)[:, None, None]
    volume, frames = (score(video, truth, psnr=p, clip=False) for p in ("volume", "frames"))
    assert frames.psnr > volume.psnr + 0.5  # Jensen; equal only where all frames are equally good
    assert frames.psnr == pytest.approx(np.mean([f["psnr"] for f in frames.per_frame]), abs=1e-12)
    assert volume.psnr == pytest.approx(psnr(video, truth, data_range=1), abs=1e-9)
    even = score(truth + 0.1, truth, psnr="frames", clip=False)
    assert even.psnr == pytest.approx(score(truth + 0.1, truth, clip=False).psnr, abs=1e-9)


def test_the_better_order_is_found_and_scored_as_if_it_had_been_given() -> None:
    video, truth = clip()
    assert score(video[::-1], truth).psnr < score(video, truth).psnr - 3
    best = score(video[::-1], truth, order="best")
    assert (best.psnr, best.ssim) == (score(video, truth).psnr, score(video, truth).ssim)
    assert best.per_frame == score(video, truth).per_frame
    assert best.clips[0]["order"] == "reversed" and score(video, truth, order="best").clips[0]["order"] == "given"


def test_each_clip_chooses_its_own_order() -> None:
    video, truth = clip((2, 4, 12, 13))
    video[1] = video[1, ::-1]
    assert [c["order"] for c in score(video, truth, order="best").clips] == ["given", "reversed"]


def test_middle_scores_the_middle_frame_alone() -> None:
    video, truth = clip((5, 24, 31))
    video[[0, 1, 3, 4]] = 0
    middle = score(video, truth, middle=True)
    assert middle.psnr == pytest.approx(psnr(video[2], truth[2], data_range=1), abs=1e-9)
    assert middle.ssim == pytest.approx(ssim(video[2], truth[2], data_range=1), abs=1e-12)
    assert len(middle.per_frame) == 1 and "frame 2 of 5" in middle.conventions["frames"]


def test_clipping_forgives_what_a_display_cannot_show() -> None:
    truth = np.ones((2, 12, 13))
    truth[:, :, :6] = 0
    overshoot = truth + np.where(truth > 0, 0.5, -0.5)
    assert math.isinf(score(overshoot, truth).psnr)
    assert score(overshoot, truth, clip=False).psnr == pytest.approx(10 * math.log10(4), abs=1e-9)


def test_several_clips_score_as_the_mean_of_each_alone() -> None:
    video, truth = clip((3, 4, 12, 19, 3))
    video[1] = (video[1] + 1) / 2
    alone = [score(v, t) for v, t in zip(video, truth, strict=True)]
    together = score(video, truth)
    assert together.psnr == pytest.approx(np.mean([s.psnr for s in alone]), abs=1e-9)
    assert [c["psnr"] for c in together.clips] == [s.psnr for s in alone]
    assert together.per_frame[2]["ssim"] == pytest.approx(np.mean([s.per_frame[2]["ssim"] for s in alone]), abs=1e-12)
    assert "3 clips" in together.line()


def test_identical_videos_have_infinite_psnr_which_json_writes_as_null() -> None:
    _, truth = clip()
    same = score(truth, truth)
    assert math.isinf(same.psnr) and same.ssim == pytest.approx(1, abs=1e-12) and "inf dB" in same.line()
    told = json.loads(same.to_json())
    assert told["psnr"] is None and told["per_frame"][0]["psnr"] is None and told["ssim"] == pytest.approx(1)


def test_codedblurred_reports_ssim_of_range_1_and_of_range_2() -> None:
    video, truth = clip()
    told = score(video, truth, protocol="codedblurred", psnr="frames")
    assert told.psnr == pytest.approx(psnr(video, truth, data_range=1), abs=1e-9), "the protocol's PSNR is that of the volume"
    by_skimage = [structural_similarity(t, v, data_range=2, **WINDOWS["gaussian"]) for v, t in zip(video, truth, strict=True)]
    assert told.ssim_range_2 == pytest.approx(np.mean(by_skimage), abs=1e-9)
    assert told.ssim_range_2 > told.ssim == pytest.approx(score(video, truth).ssim, abs=1e-12)
    assert "with range 2" in told.line() and score(video, truth).ssim_range_2 is None


def test_cacti_averages_unclipped_frames() -> None:
    video, truth = clip()
    frames = [psnr(2 * v, t, data_range=1) for v, t in zip(video, truth, strict=True)]
    assert score(2 * video, truth, protocol="cacti").psnr == pytest.approx(np.mean(frames), abs=1e-9)


def test_json_names_every_convention() -> None:
    video, truth = clip()
    conventions = json.loads(score(video, truth, window="uniform").to_json())["conventions"]
    assert conventions == {
        "protocol": None, "data_range": 1.0, "psnr": "volume", "ssim_window": "uniform 7x7", "ssim_sigma": None,
        "ssim_covariance": "sample", "clipped": True, "frames": "5 frames", "size": [24, 31], "order": "given",
    }  # fmt: skip
    assert set(PROTOCOLS) == {"codedblurred", "cacti"}


def test_8_bit_videos_score_in_their_own_unit() -> None:
    video, truth = (np.uint8(np.round(255 * a)) for a in clip())
    assert score(video, truth, data_range=255).psnr == pytest.approx(score(video / 255, truth / 255).psnr, abs=1e-9)


GOOD = np.random.default_rng(1).random((3, 12, 13))
HOLED = np.where(GOOD[1, 2, 3] == GOOD, np.nan, GOOD)


@pytest.mark.parametrize(
    ("video", "truth", "settings", "word"),
    [
        (GOOD, GOOD[:2], {}, "differ in shape"),
        (HOLED, GOOD, {}, "1 values that are NaN"),
        (GOOD, HOLED, {}, "truth holds"),
        (GOOD[:, :10], GOOD[:, :10], {}, "smaller than the 11x11 window"),
        (GOOD[:, :6], GOOD[:, :6], {"window": "uniform"}, "smaller than the 7x7 window"),
        (GOOD[:0], GOOD[:0], {}, "empty"),
        (GOOD[0], GOOD[0], {}, "a video is"),
        (GOOD, GOOD, {"data_range": 0}, "must be positive"),
        (GOOD, GOOD, {"data_range": math.nan}, "must be positive"),
        (255 * GOOD, 255 * GOOD, {}, "reaches 25"),
        (GOOD + 0j, GOOD + 0j, {}, "complex128"),
        (GOOD, GOOD, {"window": "box"}, "gaussian, uniform"),
        (GOOD, GOOD, {"psnr": "clip"}, "volume or frames"),
        (GOOD, GOOD, {"order": "worst"}, "given, best, frame"),
        (GOOD, GOOD, {"protocol": "codedblured"}, "known: codedblurred, cacti"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_one_line(video, truth, settings, word: str) -> None:
    with pytest.raises(Refusal, match=word) as refusal:
        score(video, truth, **settings)
    assert "\n" not in str(refusal.value)


def test_ssim_and_psnr_alone_refuse_too() -> None:
    with pytest.raises(Refusal, match="compares frames"):
        ssim(GOOD, GOOD, data_range=1)
    with pytest.raises(Refusal, match="NaN"):
        ssim(HOLED[1], GOOD[1], data_range=1)
    with pytest.raises(Refusal, match="NaN"):
        psnr(HOLED, GOOD, data_range=1)
