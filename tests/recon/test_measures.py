"""Further figures of merit: each one sees what it is for, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from recon import measures
from recon.measures.coverage import Coverage
from recon.measures.gradient_deviation import GradientDeviation
from recon.measures.measure import Outcome
from recon.measures.tile_flicker import TileFlicker
from recon.measures.warping_error import WarpingError
from sensors.refusal import Refusal

T, H, W = 5, 66, 76


@pytest.fixture(scope="module")
def truth():
    """A smooth texture that moves down by 1.5 pixels a frame."""
    texture = gaussian_filter(np.random.default_rng(0).random((100, 100)), 3)
    texture = (texture - texture.min()) / np.ptp(texture)
    return np.stack([shift(texture, (1.5 * t, 0), order=3)[15 : 15 + H, 10 : 10 + W] for t in range(T)]).clip(0, 1)


def noise(deviation, seed=1):
    return deviation * np.random.default_rng(seed).standard_normal((T, H, W))


@pytest.fixture(scope="module")
def own_weights(tmp_path_factory):
    """A VGG16 of few channels, drawn at random, with the weights of LPIPS."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    generator, tensors = torch.Generator().manual_seed(0), {}
    counts = {0: 6, 2: 6, 5: 8, 7: 8, 10: 8, 12: 8, 14: 8, 17: 10, 19: 10, 21: 10, 24: 10, 26: 10, 28: 10}
    for before, (number, channels) in zip((3, *counts.values()), counts.items(), strict=False):
        tensors[f"features.{number}.weight"] = torch.randn(channels, before, 3, 3, generator=generator) * (2 / 9 / before) ** 0.5
        tensors[f"features.{number}.bias"] = torch.zeros(channels)
    for k, number in enumerate((2, 7, 14, 21, 28)):
        tensors[f"lin{k}.model.1.weight"] = torch.rand(1, counts[number], 1, 1, generator=generator)
    path = tmp_path_factory.mktemp("weights") / "vgg.safetensors"
    save_file(tensors, path)
    return path


def test_lpips_is_the_sum_over_its_layers(own_weights, tmp_path, truth):
    """Written out in numpy for the first layer alone; weights of a network that is not there are told in one line."""
    import torch
    from safetensors.torch import load_file, save_file

    tensors = load_file(own_weights)
    first = {key: value * (not key.startswith("lin") or key.startswith("lin0")) for key, value in tensors.items()}
    save_file(first, tmp_path / "first.safetensors")
    (metric,) = measures.make([f"lpips:weights={tmp_path / 'first.safetensors'}"]).values()
    other = (truth + noise(0.1)).clip(0, 1)
    expected = []
    for pair in zip(other, truth, strict=True):
        sides = []
        for frame in pair:
            x = (np.repeat(frame[..., None], 3, -1) - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
            x = torch.from_numpy(np.moveaxis(x, -1, 0).astype(np.float32))[None]
            for number in (0, 2):
                x = torch.conv2d(x, tensors[f"features.{number}.weight"], padding=1).clamp(min=0)
            maps = x[0].numpy()
            sides.append(maps / (np.linalg.norm(maps, axis=0) + 1e-10))
        weights = tensors["lin0.model.1.weight"].numpy()[0]
        expected.append((weights * (sides[0] - sides[1]) ** 2).sum(0).mean())
    assert metric(Outcome(other, truth)) == pytest.approx(np.mean(expected), rel=1e-4)
    whole = measures.make([f"lpips:weights={own_weights}"]).popitem()[1]
    assert whole(Outcome(other, truth)) > metric(Outcome(other, truth))
    wrong = {"lpips": "needs weights", "lpips:weights=./none.safetensors": "no features", f"lpips:weights={__file__}": "VGG"}
    for name, said in wrong.items():
        with pytest.raises(Refusal, match=said):
            measures.make([name])
    save_file({key: value for key, value in tensors.items() if "lin3" not in key}, tmp_path / "no.safetensors")
    with pytest.raises(Refusal, match="has no lin3"):
        measures.make([f"lpips:weights={tmp_path / 'no.safetensors'}"])
    with pytest.raises(Refusal, match="16x16"):
        whole(Outcome(truth[:, :9], truth[:, :9]))


@pytest.mark.parametrize("name", [name for name in measures.METRICS if name != "coverage"])
def test_the_truth_is_the_best_and_worse_is_worse(truth, name, request):
    if name == "lpips":
        name = f"lpips:weights={request.getfixturevalue('own_weights')}"
    if name in ("ms-ssim", "vif"):
        pytest.importorskip("torchmetrics")
    (metric,) = measures.make([name]).values()
    clean = np.tile(truth[:2], (1, 3, 3))[:, :177, :180] if name == "ms-ssim" else truth
    dirty = np.random.default_rng(2).standard_normal(clean.shape) * (np.arange(clean.shape[0]) % 2)[:, None, None]
    dirty[:, ::3, ::2] = 0  # so that the error has the period of the tile in every second frame
    values = [metric(Outcome(clean + strength * dirty, clean, tile=(3, 2))) for strength in (0, 0.05, 0.15)]
    assert values == sorted(values, reverse=metric.better == "higher") and len({*values}) == 3
    assert name == "warping-error" or values[0] == pytest.approx(1 if metric.better == "higher" else 0, abs=1e-4)


def test_the_warping_error_is_the_change_along_the_motion(truth):
    error = WarpingError()
    still = error(Outcome(np.repeat(truth[:1], T, 0), truth))
    assert error(Outcome(truth, truth)) < 0.01 < 0.03 < still
    noisy = error(Outcome(0.3 + 0.4 * truth + noise(0.05), 0.3 + 0.4 * truth))
    assert 0.055 < noisy < 0.05 * 2**0.5  # below, since half-way between pixels noise is averaged
    colour = Outcome(np.stack([truth, still + 0 * truth, truth], -1), np.stack([truth] * 3, -1))
    assert error(colour) == pytest.approx(error(Outcome(truth, truth)) * (2 / 3) ** 0.5, rel=1e-3)
    with pytest.raises(Refusal, match="a single one"):
        error(Outcome(truth[:1], truth[:1]))


def test_flicker_is_what_depends_on_frame_and_place_in_the_tile(truth):
    """Not a strong noise, a bad frame, nor a pixel of the tile that is always bad."""
    flicker, grey = TileFlicker(), 0.3 + 0.4 * truth
    place = np.arange(H)[:, None] % 3 * 2 + np.arange(W) % 2
    moving = (place == (np.arange(T) % 6)[:, None, None]) * noise(0.1)
    found = flicker(Outcome(grey + moving, grey, tile=(3, 2)))
    E = 0.1 * np.eye(6)[:T]
    assert found == pytest.approx(np.sqrt(np.mean((E - E.mean(0) - E.mean(1, keepdims=True) + E.mean()) ** 2)), rel=0.05)
    bad_pixel, bad_frame = (place == 2) * noise(0.1), (np.arange(T) == 3)[:, None, None] * noise(0.1)
    for other in (noise(0.1), bad_pixel, bad_frame):
        assert flicker(Outcome(grey + other, grey, tile=(3, 2))) < found / 8
    three = Outcome(np.stack([grey + moving] * 3, -1), np.stack([grey] * 3, -1), tile=(3, 2))
    assert flicker(three) == pytest.approx(found)
    for tile in (None, (1, 1), (H, W), (20, 20)):
        assert flicker(Outcome(grey, grey, tile=tile)) is None


def test_gmsd_is_that_of_the_paper():
    """By its formula on one frame, in the loops of its text."""
    rng = np.random.default_rng(3)
    x, z = rng.random((2, 21, 26))
    half = [(a[:20:2, ::2] + a[1:20:2, ::2] + a[:20:2, 1::2] + a[1:20:2, 1::2]) / 4 for a in (x, z)]
    h = np.array([[1, 0, -1]] * 3) / 3
    m = []
    for a in half:
        windows = [[a[i : i + 3, j : j + 3] for j in range(11)] for i in range(8)]
        m.append(np.array([[np.hypot((w * h).sum(), (w * h.T).sum()) for w in row] for row in windows]))
    c = 170 / 255**2
    expected = ((2 * m[0] * m[1] + c) / (m[0] ** 2 + m[1] ** 2 + c)).std()
    assert GradientDeviation()(Outcome(z[None], x[None])) == pytest.approx(expected, rel=1e-5)


def test_coverage_is_the_share_within_the_interval(truth):
    outcome = Outcome(truth + noise(0.1), truth, variance=lambda: np.full((T, H, W), 0.01))
    assert Coverage()(outcome) == pytest.approx(0.95, abs=0.005) and Coverage(0.5)(outcome) == pytest.approx(0.5, abs=0.01)
    timid = Outcome(truth + noise(0.1), truth, variance=lambda: np.full((T, H, W), 0.04))
    assert (
        Coverage()(timid)
        > 0.99
        > 0.95
        > Coverage()(Outcome(truth + noise(0.1), truth, variance=lambda: np.full(truth.shape, 4e-3)))
    )
    assert Coverage()(Outcome(truth, truth)) is None
    with pytest.raises(Refusal, match="grey video"):
        Coverage()(Outcome(truth[..., None].repeat(3, -1), truth[..., None].repeat(3, -1), variance=lambda: truth))
    with pytest.raises(Refusal, match="no share"):
        Coverage(1.0)


@pytest.mark.parametrize("name", ["ms-ssim", "vif"])
def test_perceptual_metrics_are_those_of_torchmetrics_and_know_their_smallest_frame(name):
    image = pytest.importorskip("torchmetrics.functional.image")
    import torch

    rng = np.random.default_rng(4)
    x = rng.random((1, 177, 180, 3))
    z = (x + 0.2 * rng.standard_normal(x.shape)).clip(0, 1)
    tensors = [torch.from_numpy(a.astype(np.float32)).permute(3, 0, 1, 2) for a in (z, x)]
    theirs = {
        "ms-ssim": lambda a, b: image.multiscale_structural_similarity_index_measure(a, b, data_range=1.0),
        "vif": lambda a, b: image.visual_information_fidelity(255 * a, 255 * b),
    }[name]
    (metric,) = measures.make([name]).values()
    expected = np.mean([float(theirs(a[None], b[None])) for a, b in zip(*tensors, strict=True)])
    assert metric(Outcome(z, x)) == pytest.approx(expected, rel=1e-4)
    with pytest.raises(Refusal, match="40x180"):
        metric(Outcome(z[:, :40], x[:, :40]))


def test_a_metric_whose_package_is_missing_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("recon.measures.multiscale.find_spec", lambda _: None)
    with pytest.raises(Refusal, match=r"pip install '\.\[perceptual\]'"):
        measures.make(["vif"])
