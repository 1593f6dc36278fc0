"""A Gaussian mixture learnt from patches of video by expectation maximisation, in float32, on one core in minutes.

======  =================================================================  =========
symbol  meaning                                                            shape
======  =================================================================  =========
X       patches, as coefficients of the cosine transform, slow ones first  (N, d)
w       weights of the components                                          (K,)
m, C    mean and covariance of a component                                 (d,), (d, d)
L       its Cholesky factor, C = L L^T                                     (d, d)
r       responsibility of each component for each patch                    (N, K)
======  =================================================================  =========

    E:  r_nk ~ w_k N(x_n; m_k, C_k)        M:  w, m, C = moments of X weighted by r

Dempster, Laird, Rubin, "Maximum likelihood from incomplete data via the EM algorithm", J. Roy. Stat. Soc. B 1977. With a rank, C is
the most likely covariance of the form F F^T + f I: the leading eigenvectors, and the mean of the other eigenvalues for f (Tipping,
Bishop, "Mixtures of probabilistic principal component analysers", Neural Computation 1999).

The E step is fast because most of it is shown to be superfluous. L^-1 is triangular, so that the first e coefficients alone give the
first e terms of the distance |L^-1 (x - m)|^2, and the further terms only add to it. A component whose density is out of reach of
the best one after a few coefficients is not looked at any further: its responsibility is less than a millionth, and all others are
exact.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn
from scipy.linalg import eigh, lapack

from recon import weight_file
from recon.gaussian_mixture import GaussianMixture
from recon.training.clips import Clips
from sensors.refusal import Refusal

Report = Callable[..., None]

#: Log of the responsibility below which a component does not matter for a patch.
OUT_OF_REACH = -14.0

#: After which parts of the coefficients a component may be given up.
STAGES = (1 / 8, 1 / 4, 1 / 2, 3 / 4, 1)

#: Patches that are multiplied at a time; bytes of patches beyond which they are kept in a file.
BLOCK, IN_MEMORY = 4096, 2**31

#: A component that is responsible for fewer patches than this has died; it is given the least likely part of all patches.
FEWEST, LEAST_LIKELY = 2.0, 0.01

#: The start: coefficients below this magnitude are alike, and clusters are found among so many patches.
FAINT, START_FROM = 0.01, 40_000

#: Patches cut from each clip, and the side of a clip in patches.
PATCHES_PER_CLIP, CLIP_IN_PATCHES = 16, 5

#: What is stored is about this root of the light.
GAMMA = 2.2


def learn(
    videos: Iterable[NDArray],
    patch: tuple[int, int, int],
    *,
    patches: int,
    linear: float = 0.5,
    seed: int = 0,
    report: Report | None = None,
    **settings: Any,
) -> GaussianMixture:
    """A mixture over patches cut at random from clips of videos and photographs (see `Clips`).

    Parameters
    ----------
    videos : iterable of ndarray, (F, H, W)
    patch : (int, int, int)
        Frames, rows and columns.
    patches : int
        N; beyond 2 GB they are kept in a temporary file.
    linear : float
        Share of the clips that are taken from stored values to light, so that the prior serves both.
    settings
        Those of `fit`.

    Raises
    ------
    Refusal
        If no video is long and large enough.
    """
    if patches < 1:
        raise Refusal(f"patches={patches} is not a number of patches")
    clips, rng = Clips(videos, patch[0], (CLIP_IN_PATCHES * patch[1], CLIP_IN_PATCHES * patch[2])), np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        X = _room(patches, int(np.prod(patch)), Path(folder))
        for first in range(0, patches, PATCHES_PER_CLIP):
            clip, room = clips.draw(rng), X[first : first + PATCHES_PER_CLIP]
            clip = clip ** np.float32(GAMMA) if rng.random() < linear else clip
            room[:] = _to_frequencies(_cut(clip, patch, rng))[: len(room)]
            if report and first % BLOCK == 0:
                report(first, patches, "patches")
        return _fit(X, patch, seed=seed, report=report, **settings)


def fit(patches: NDArray, patch: tuple[int, int, int], **settings: Any) -> GaussianMixture:
    """The mixture that makes the patches as likely as EM can from its start, clusters found by k-means.

    Parameters
    ----------
    patches : ndarray, (N, d)
        Irradiance, 1 = white; d = T h w in C order.
    patch : (int, int, int)
        T, h and w.
    components : int
        K.
    rank : int, optional
        R; without it covariances are full.
    floor : float
        Variance that every sample of a patch has at least: f is kept above it, a full covariance gets it added.
    iterations : int
        At most.
    tolerance : float
        Gain in nats per patch below which the iteration ends.
    seed : int
        Seed of the initial responsibilities.
    report : callable, (done, total, said, row), optional
        Called after each iteration with its number, `iterations`, the log-likelihood in words, and both numbers as a row.
    checkpoint : path, optional
        ``.safetensors``, written after each iteration; where it exists the training goes on from there, to the same result.
    stop : callable, optional
        Asked after each iteration whether to leave it at that.

    Raises
    ------
    Refusal
        If there are too few patches, or the checkpoint is of another training.
    """
    X = np.empty(patches.shape, np.float32)
    for rows in _blocks(np.arange(len(X))):
        X[rows] = _to_frequencies(patches[rows].reshape(-1, *patch))
    return _fit(X, patch, **settings)


def _fit(
    X: NDArray[np.float32],
    patch: tuple[int, int, int],
    *,
    components: int = 20,
    rank: int | None = None,
    floor: float = 1e-5,
    iterations: int = 50,
    tolerance: float = 0.5,
    seed: int = 0,
    report: Report | None = None,
    checkpoint: Path | None = None,
    stop: Callable[[], bool] | None = None,
) -> GaussianMixture:
    """`fit` of coefficients."""
    if components < 1 or (rank is not None and rank < 1):
        raise Refusal(f"components={components}, rank={rank}: a mixture has at least 1 of each")
    if len(X) < 10 * components:
        raise Refusal(f"{len(X)} patches are too few for {components} components; needed: {10 * components} or more")
    training = hashlib.sha256(repr((patch, components, rank, floor, seed)).encode())
    training.update(X.data)
    r, history = _resumed(checkpoint, training.hexdigest()) or (_start(X, components, seed), [])
    while len(history) < iterations and not (len(history) > 1 and history[-1] - history[-2] < tolerance):
        joint = _log_joint(X, [_Gaussian.of(*moments) for moments in _maximise(X, r, rank, floor)], r.argmax(1))
        r, likelihood = _responsibilities(joint)
        history.append(float(likelihood.mean(dtype=np.float64)))
        if report:
            row = {"iteration": len(history), "log_likelihood": history[-1]}
            report(len(history), iterations, f"log-likelihood {history[-1]:.2f} nats per patch", row)
        if checkpoint:
            document = {"method": "gmm-checkpoint", "training": training.hexdigest(), "history": history}
            weight_file.write(checkpoint, {"responsibilities": r}, document)
        if stop and stop():
            break
    return _mixture(_maximise(X, r, rank, floor), patch, rank)


class _Gaussian(NamedTuple):
    """A component, ready to be evaluated."""

    mean: NDArray[np.float32]  # (d,)
    whiten: NDArray[np.float32]  # L^-1, (d, d)
    peak: float  # log of its weight times its density at the mean

    @classmethod
    def of(cls, weight: float, mean: NDArray, covariance: NDArray[np.float64]) -> _Gaussian:
        root = np.linalg.cholesky(covariance)
        peak = np.log(weight) - np.log(np.diagonal(root)).sum() - len(mean) / 2 * np.log(2 * np.pi)
        return cls(mean, np.ascontiguousarray(lapack.dtrtri(root, lower=1)[0], np.float32), float(peak))


def _log_joint(X: NDArray[np.float32], components: list[_Gaussian], labels: NDArray) -> NDArray[np.float32]:
    """log w_k N(x_n; m_k, C_k), (N, K); -inf where it is out of reach of the best. ``labels``: a guess of the best, tried first."""
    joint = np.full((len(X), len(components)), -np.inf, np.float32)
    best = np.full(len(X), -np.inf, np.float32)
    for guessed in (True, False):
        for k, component in enumerate(components):
            for rows in _blocks(np.flatnonzero((labels == k) == guessed)):
                reached, density = _in_reach(X, rows, component, best)
                joint[reached, k] = density
                best[reached] = np.maximum(best[reached], density)
    return joint


def _in_reach(X: NDArray[np.float32], rows: NDArray, component: _Gaussian, best: NDArray) -> tuple[NDArray, NDArray[np.float32]]:
    """Those of the rows for which the component may matter, and its log density there."""
    mean, whiten, peak = component
    density = np.full(len(rows), peak, np.float32)
    first = 0
    for last in (int(part * len(mean)) for part in STAGES):
        z = (X[rows, :last] - mean[:last]) @ whiten[first:last, :last].T
        density -= np.einsum("nj,nj->n", z, z) / 2
        near = density > best[rows] + OUT_OF_REACH
        rows, density, first = rows[near], density[near], last
    return rows, density


def _responsibilities(joint: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """r, with dead components revived, and the log-likelihood of each patch."""
    highest = joint.max(1, keepdims=True)
    r = np.exp(joint - highest)
    total = r.sum(1, keepdims=True)
    r /= total
    likelihood = (highest + np.log(total))[:, 0]
    return _revived(r, likelihood), likelihood


def _revived(r: NDArray[np.float32], likelihood: NDArray) -> NDArray[np.float32]:
    """r, in place, with the least likely patches for each dead component."""
    dead = np.flatnonzero(r.sum(0) < FEWEST)
    some = max(1, min(int(LEAST_LIKELY * len(r)), len(r) // (2 * r.shape[1])))
    for k, rows in zip(dead, np.argsort(likelihood)[: some * len(dead)].reshape(-1, some), strict=True):
        r[rows] = np.arange(r.shape[1]) == k
    return r


def _maximise(
    X: NDArray[np.float32], r: NDArray[np.float32], rank: int | None, floor: float
) -> Iterator[tuple[float, NDArray[np.float32], NDArray[np.float64]]]:
    """Weight, mean and covariance of each component."""
    for weight in r.T:
        mine = np.flatnonzero(weight)
        total = weight[mine].sum(dtype=np.float64)
        mean = sum(weight[rows] @ X[rows] for rows in _blocks(mine)) / total
        covariance = np.zeros((X.shape[1], X.shape[1]))
        for rows in _blocks(mine):
            centred = (X[rows] - mean.astype(np.float32)) * np.sqrt(weight[rows, None])
            covariance += centred.T @ centred
        yield total / len(X), mean.astype(np.float32), _constrained(covariance / total, rank, floor)


def _constrained(covariance: NDArray[np.float64], rank: int | None, floor: float) -> NDArray[np.float64]:
    """The most likely covariance of a rank plus a floor; of full rank, with the floor added."""
    d = len(covariance)
    if rank is None or rank >= d:
        return covariance + floor * np.eye(d)
    values, vectors = eigh(covariance, subset_by_index=(d - rank, d - 1))
    f = max((np.trace(covariance) - values.sum()) / (d - rank), floor)
    return (vectors * np.maximum(values - f, 0)) @ vectors.T + f * np.eye(d)


def _mixture(moments: Iterable[tuple[float, NDArray, NDArray]], patch: tuple[int, int, int], rank: int | None) -> GaussianMixture:
    R = min(rank or np.prod(patch), np.prod(patch))
    weights, means, factors, floors = [], [], [], []
    for weight, mean, covariance in moments:
        values, vectors = eigh(covariance)
        weights.append(weight)
        floors.append(values[0])
        means.append(_from_frequencies(mean[None], patch)[0])
        factors.append(_from_frequencies((vectors * np.sqrt(values - values[0])).T[::-1][:R], patch).T)
    w, m, F, f = (np.array(part, np.float32) for part in (weights, means, factors, floors))
    return GaussianMixture(w, m, F, f, patch)


def _start(X: NDArray[np.float32], components: int, seed: int) -> NDArray[np.float32]:
    """Responsibilities of the clusters that k-means finds in the logarithm of magnitudes.

    The components of film differ less in where they are than in what varies how much in them.
    """
    from sklearn.cluster import MiniBatchKMeans

    def magnitudes(rows: NDArray) -> NDArray[np.float32]:
        return np.log(np.abs(X[rows]) + FAINT)

    some = np.random.default_rng(seed).choice(len(X), min(len(X), START_FROM), replace=False)
    clusters = MiniBatchKMeans(components, n_init=1, batch_size=BLOCK, random_state=seed).fit(magnitudes(np.sort(some)))
    labels = np.concatenate([clusters.predict(magnitudes(rows)) for rows in _blocks(np.arange(len(X)))])
    return _revived((labels[:, None] == np.arange(components)).astype(np.float32), np.zeros(len(X)))


def _resumed(checkpoint: Path | None, training: str) -> tuple[NDArray[np.float32], list[float]] | None:
    if checkpoint is None or not Path(checkpoint).exists():
        return None
    tensors, document = weight_file.read(checkpoint, "gmm-checkpoint")
    if document["training"] != training:
        raise Refusal(
            f"{checkpoint} is of another training, with other clips or settings; remove it, or give the weights another name"
        )
    return tensors["responsibilities"], document["history"]


def _cut(clip: NDArray[np.float32], patch: tuple[int, int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Patches (PATCHES_PER_CLIP, T, h, w) from anywhere in a clip."""
    places = np.lib.stride_tricks.sliding_window_view(clip, patch)[0]
    return places[tuple(rng.integers(size, size=PATCHES_PER_CLIP) for size in places.shape[:2])]


def _to_frequencies(patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """Orthonormal cosine transform of patches (N, T, h, w), slow coefficients first, (N, d): every likelihood stays what it is."""
    return dctn(patches, axes=(1, 2, 3), norm="ortho").reshape(len(patches), -1)[:, _slow_first(patches.shape[1:])]


def _from_frequencies(coefficients: NDArray, patch: tuple[int, int, int]) -> NDArray:
    """The inverse of `_to_frequencies`, as (N, d)."""
    sorted_back = coefficients[:, np.argsort(_slow_first(patch))]
    return idctn(sorted_back.reshape(-1, *patch), axes=(1, 2, 3), norm="ortho").reshape(len(coefficients), -1)


def _slow_first(patch: tuple[int, ...]) -> NDArray[np.intp]:
    each = [along / side for along, side in zip(np.indices(patch), patch, strict=True)]
    return np.argsort(np.sum(each, axis=0).ravel(), kind="stable")


def _blocks(rows: NDArray) -> Iterator[NDArray]:
    return (rows[first : first + BLOCK] for first in range(0, len(rows), BLOCK))


def _room(patches: int, d: int, folder: Path) -> NDArray[np.float32]:
    if patches * d * 4 <= IN_MEMORY:
        return np.empty((patches, d), np.float32)
    return np.lib.format.open_memmap(folder / "patches.npy", "w+", np.float32, (patches, d))
