"""GMM-MMSE: the mean of all videos that explain a capture, patch by patch, under a Gaussian mixture as prior.

Yang, Yuan, Liao, Llull, Brady, Sapiro, Carin, "Video compressive sensing using Gaussian mixture models", IEEE Transactions on Image
Processing 2014. Ours differs: the noise is that of the capture, shorter exposures take the exact marginal of one prior, patches count
less towards their borders, and the posterior variance is given out.

Under a tiled code only few patches differ, and their filters are computed once (`recon.gmm_wiener`). Patches of full-resolution masks
and those with saturated samples are solved one by one (`recon.gmm_full_mask`). The noise of a bucket is taken as that of its mean over
the patch: the variance of a single sample is estimated from that sample, and would favour those that came out too dark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from threadpoolctl import threadpool_limits

from recon import weight_file
from recon.gaussian_mixture import GaussianMixture
from recon.gmm_full_mask import PatchSolver
from recon.gmm_wiener import PhaseFilters
from recon.overlapping_patches import PatchAverage
from recon.reconstructor import Reconstructor, apply_to_exposures, needs_local
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: Rows and columns of a patch.
SIDE = 8

#: Noise of patches is taken in steps of this factor; that of a bucket relative to the first in steps of this power of 2.
NOISE_STEP, RATIO_STEP = 2**0.5, 0.25

#: The filters of a phase cost as much as so many patches without them.
PATCHES_PER_PHASE = 48


class GaussianMixtureMMSE(Reconstructor):
    """Posterior mean under a Gaussian mixture over patches of video.

    Parameters
    ----------
    weights : str
        The prior: a shipped one, or a file. What `fit` or `load` gave goes before it.
    stride : int
        Step from patch to patch in pixels, at most the side of a patch.
    buckets : str
        ``both`` or ``coded`` (bucket 0 alone).
    prune : float
        Components less than this times as likely as the best of a patch are left out; 0 keeps all.
    noise : float
        Variance added to that of the capture, in squared white sub-exposures; above 0.
    components, rank, patches, seed : int
        Settings of the training (`recon.expectation_maximisation.learn`).

    Raises
    ------
    Refusal
        If a setting is out of range.
    """

    also: ClassVar[tuple[str, ...]] = ("variance",)

    def __init__(
        self,
        weights: str = "gmm",
        stride: int = 2,
        buckets: str = "both",
        prune: float = 0.01,
        noise: float = 1e-5,
        components: int = 20,
        rank: int = 256,
        patches: int = 200_000,
        seed: int = 0,
    ) -> None:
        if buckets not in ("both", "coded"):
            raise Refusal(f"unknown buckets {buckets!r}; known: both, coded")
        if stride < 1:
            raise Refusal(f"stride={stride} does not get on; needed: 1 up to the side of a patch")
        if not (0 <= prune < 1 and 0 < noise < np.inf):
            raise Refusal(f"prune={prune:g}, noise={noise:g}: needed 0 <= prune < 1 and noise above 0")
        if seed < 0:
            raise Refusal(f"seed={seed}; needed: 0 or more")
        self.weights = weights
        self.stride = stride
        self.buckets = buckets
        self.prune = prune
        self.noise = noise
        self.components = components
        self.rank = rank
        self.patches = patches
        self.seed = seed
        self.mixture_: GaussianMixture | None = None

    def refusal(self, sensor: Sensor) -> str:
        """A prior serves exposures up to its own length."""
        if reason := needs_local(sensor, "GMM-MMSE"):
            return reason
        try:
            longest, *sides = self._prior().patch
        except Refusal as refused:
            return str(refused)
        if self.stride > min(sides):
            return f"stride={self.stride} leaves pixels between the {sides[0]}x{sides[1]} patches of the prior {self.weights!r}"
        if sensor.frames <= longest:
            return ""
        return (
            f"the prior {self.weights!r} is over {longest} frames, this exposure has {sensor.frames}; train a longer one for its code: "
            "c2b train gmm PRIOR.safetensors --videos FOLDER --code CODE, then --method gmm:weights=./PRIOR.safetensors"
        )

    def fit(
        self,
        clips: Iterable[NDArray],
        sensors: Sensor | Callable[[np.random.Generator], Sensor],
        *,
        report: Callable[..., None] | None = None,
        checkpoint: Path | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Self:
        """Learn the prior of patches as long as the exposure, by expectation maximisation."""
        from recon.expectation_maximisation import learn

        sensor = sensors if isinstance(sensors, Sensor) else sensors(np.random.default_rng(self.seed))
        settings = {name: getattr(self, name) for name in ("components", "rank", "patches", "seed")}
        self.mixture_ = learn(list(clips), (sensor.frames, SIDE, SIDE), **settings, report=report, checkpoint=checkpoint, stop=stop)
        return self

    def save(self, path: str | Path, card: Mapping[str, Any] | None = None) -> None:
        """Write the prior."""
        self._prior().save(path, card or {})

    def load(self, path: str | Path) -> Self:
        """Read a prior."""
        self.mixture_ = GaussianMixture.load(path)
        return self

    def learnt(self, sensor: Sensor) -> tuple[Path | NDArray, ...]:
        """The prior."""
        if (prior := self.mixture_) is not None:
            return prior.weights, prior.means, prior.factors, prior.floor, np.array(prior.patch)
        return (weight_file.locate(self.weights),)

    def prior(self, frames: int) -> GaussianMixture:
        """The mixture over patches of so many frames."""
        return _marginal(self._prior(), frames)

    def solve(self, capture: Capture) -> NDArray[np.float32]:
        """The frames (T, H, W) of one exposure."""
        return self._posterior(capture, with_variance=False)[0]

    def variance(self, capture: Capture) -> NDArray[np.float32]:
        """Posterior variance of mono exposures, (N, T, H, W): where the video is uncertain, and how much.

        The mean over the patches that see a pixel, which bounds the variance of the mean of their estimates. It is not the P of the
        data step (`recon.consistency`): the estimate has seen the capture already, and its error depends on the residual.
        """
        return apply_to_exposures(lambda one: self._posterior(one, with_variance=True)[1], capture)

    def _prior(self) -> GaussianMixture:
        if self.mixture_ is not None:
            return self.mixture_
        path = weight_file.locate(self.weights)
        return _loaded(path, path.stat().st_mtime_ns if path.is_file() else 0)

    def _posterior(self, capture: Capture, *, with_variance: bool) -> NDArray[np.float32]:
        sensor, used = capture.sensor, capture.sensor.buckets if self.buckets == "both" else 1
        mixture = _marginal(self._prior(), sensor.frames)
        charge, variance = np.ascontiguousarray(capture.charge[0, :used]), capture.variance[0, :used]
        if any(size < side for size, side in zip(charge.shape[1:], mixture.patch[1:], strict=True)):
            raise Refusal(
                "a frame of {}x{} is smaller than the patches of {}x{} pixels".format(*charge.shape[1:], *mixture.patch[1:])
            )
        average = PatchAverage(mixture.patch, charge.shape[1:], self.stride, with_variance)
        tops, lefts = average.tops, average.lefts
        noise, whole = (field[:, tops, lefts].T for field in _within_patches(variance, mixture.patch[1:]))
        noise = noise + np.float32(self.noise)
        phase = _phases(sensor, tops, lefts)
        alike = whole.all(1) & _filters_pay(sensor, phase)
        with threadpool_limits(1, "blas"):
            if len(index := np.flatnonzero(~alike)):
                solver = PatchSolver.of(mixture, sensor, charge, np.isfinite(variance), self.prune)
                average.add(index, lambda some: solver.estimate(tops[some], lefts[some], noise[some], with_variance))
            if len(index := np.flatnonzero(alike)):
                ratio = _ratio(noise[index])
                filters, scaled = _filters(mixture, *_hashable(sensor, ratio)), charge / ratio[:, None, None]
                level = (noise / np.square(ratio)).mean(1)
                for some in _grouped(index, phase[index], level[index]):
                    wiener = filters.at(phase[some[0]]).under(level[some].mean(), self.prune, with_variance)
                    average.add(some, lambda i, wiener=wiener: wiener.estimate(scaled, tops[i], lefts[i]))  # type: ignore[misc]
        return average.result()


def _within_patches(variance: NDArray[np.float32], sides: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """For the patch that begins at each pixel the mean variance of the samples that are not lost, and whether none is, (B, H, W)."""
    mean = partial(uniform_filter, size=(1, *sides), origin=(0, *(-(side // 2) for side in sides)), mode="constant")
    seen = np.isfinite(variance)
    part, half_a_sample = mean(seen.astype(np.float64)), 0.5 / np.prod(sides)
    sums = mean(np.where(seen, variance, 0).astype(np.float64))
    return (sums / np.maximum(part, half_a_sample)).astype(np.float32), part > 1 - half_a_sample


def _phases(sensor: Sensor, tops: NDArray, lefts: NDArray) -> NDArray[np.intp]:
    """The number of the pixel of the tile at which each patch begins, (n,)."""
    (p, q), (row, column) = sensor.shares.shape[2:], sensor.origin
    return (tops + row) % p * q + (lefts + column) % q


def _filters_pay(sensor: Sensor, phase: NDArray) -> bool:
    """Whether enough patches are alike; none is where leakage differs from pixel to pixel."""
    return sensor.mixing.shape[2:] == (1, 1) and len(phase) >= PATCHES_PER_PHASE * len(np.unique(phase))


def _ratio(noise: NDArray[np.float32]) -> NDArray[np.float32]:
    """Typical noise of the buckets relative to the first, a deviation, in steps so that the next exposure can have the same."""
    typical = np.median(noise, 0)
    steps = np.round(np.log2(typical / typical[0]) / 2 / RATIO_STEP)
    return (2 ** (RATIO_STEP * steps)).astype(np.float32)


def _grouped(index: NDArray[np.intp], phase: NDArray[np.intp], level: NDArray) -> list[NDArray[np.intp]]:
    """Patches of the same phase and about the same noise; those of one phase follow each other, and each group is in order."""
    step = np.round(np.log(level) / np.log(NOISE_STEP)).astype(int)
    order = np.lexsort([step, phase])
    last = np.diff(phase[order]) | np.diff(step[order])
    return np.split(index[order], np.flatnonzero(last) + 1)


def _hashable(sensor: Sensor, ratio: NDArray) -> tuple[bytes, tuple[int, ...]]:
    """What each pixel of the tile collects of each frame, in units of the noise, (B, T, p, q)."""
    shares = sensor.exposure.on_tile[: len(ratio)] / ratio[:, None, None, None]
    return shares.tobytes(), shares.shape


@lru_cache(maxsize=4)
def _filters(mixture: GaussianMixture, shares: bytes, shape: tuple[int, ...]) -> PhaseFilters:
    return PhaseFilters(mixture, np.frombuffer(shares).reshape(shape))


@lru_cache(maxsize=8)
def _marginal(mixture: GaussianMixture, frames: int) -> GaussianMixture:
    return mixture.marginal(frames)


@lru_cache(maxsize=4)
def _loaded(path: Path, changed: int) -> GaussianMixture:
    return GaussianMixture.load(path)
