"""PSNR and SSIM of a reconstructed video, with the conventions spelled out, since published tables differ by them.

    ============  ====================================================================================================
    convention    what papers do
    ============  ====================================================================================================
    PSNR          of the mean square error of a clip's whole volume; or the mean of the PSNR of its frames, which is never
                  smaller (Jensen), and by decibels where a few frames are much better than the others
    SSIM window   Gaussian of sigma 1.5, 11x11, population covariance, as in the paper that defines it;
                  or uniform, 7x7, sample covariance, the default of scikit-image
    SSIM range    1 for values in [0, 1]; scikit-image long took 2 for floats unasked, which flatters
    frames        all; or the middle one only, the easiest to find in a blurred image
    order         as given; or the better of forward and reversed, of each clip or each frame, since blur alone does not tell which
                  way time went (`recon.order`)
    clipping      to [0, data_range], as a display does; or none
    ============  ====================================================================================================

A video is (T, H, W) or (T, H, W, 3), several clips (N, T, H, W) or (N, T, H, W, 3). A last axis of 3 is colour: as a width it
would be smaller than the window of SSIM.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import correlate1d

from recon.lazy_frames import LazyFrames
from recon.order import Order, chosen, directions, name_of
from sensors.plain_numbers import refuse_masked
from sensors.refusal import Refusal

Window = Literal["gaussian", "uniform"]

#: Evaluations with a name: the settings of `score` that they fix, and whether SSIM of range 2 x data_range is reported beside.
PROTOCOLS: dict[str, dict[str, Any]] = {
    # Anupama, Shedligeri, Pal, Mitra, Video Reconstruction by Spatio-Temporal Fusion of Blurred-Coded Image Pair, ICPR 2020:
    # their SSIM had range 2, so both are given
    "codedblurred": {"psnr": "volume", "window": "gaussian", "doubled": True},
    # the tables of video snapshot compressive imaging (Kobe, Runner, Drop, Crash, Aerial, Traffic)
    "cacti": {"psnr": "frames", "window": "gaussian", "clip": False},
}

_K1, _K2 = 0.01, 0.03  # the stabilisers of Wang et al. 2004
_OTHER_UNITS = 10  # a truth that exceeds data_range by this factor is not a highlight but in other units


@dataclass(frozen=True)
class Score:
    """How near a video comes to the truth, and by which conventions that was measured.

    Attributes
    ----------
    psnr : float
        In dB, mean over clips; infinite where video and truth are identical.
    ssim : float
        Mean over frames and clips.
    ssim_range_2 : float or None
        SSIM as if the values spanned twice the data range; only where the protocol asks for it, to compare with its tables.
    per_frame : list of dict
        ``psnr``, ``ssim`` and, where the protocol asks for it, ``ssim_range_2`` of each scored frame of the truth, mean over clips.
    clips : list of dict
        ``psnr``, ``ssim`` and the ``order`` used, of each clip: given, reversed, or mixed.
    conventions : dict
        Everything one needs to compare the numbers with those of others.
    blur : mapping or None
        A `recon.blur_metrics.BlurScore` by its names, where it was asked for.
    metrics : mapping or None
        Figures of merit of `recon.measures` by their names, where they were asked for.
    """

    psnr: float
    ssim: float
    ssim_range_2: float | None
    per_frame: list[dict[str, float]]
    clips: list[dict[str, Any]]
    conventions: dict[str, Any]
    blur: dict[str, Any] | None = None
    metrics: dict[str, float] | None = None

    def to_json(self) -> str:
        """One line of JSON; an infinite PSNR, which JSON cannot write, becomes null."""
        return json.dumps(_finite_or_none(vars(self)), allow_nan=False)

    def line(self) -> str:
        """The score for a person to read."""
        rule = self.conventions
        doubled = "" if self.ssim_range_2 is None else f" ({self.ssim_range_2:.4f} with range {2 * rule['data_range']:g})"
        order = "best order of every frame" if rule["order"] == "frame" else f"{rule['order']} order"
        clips = f", mean of {len(self.clips)} clips" if len(self.clips) > 1 else ""
        return (
            f"PSNR {self.psnr:.2f} dB  SSIM {self.ssim:.4f}{doubled}   "
            f"[{rule['psnr']} PSNR, {rule['ssim_window']} SSIM, range {rule['data_range']:g}, "
            f"{'clipped' if rule['clipped'] else 'not clipped'}, {rule['frames']}, {order}{clips}]"
        )


    def curve(self) -> str:
        """PSNR of the first, the middle, the last and every scored frame, for a person to read."""
        values = [frame["psnr"] for frame in self.per_frame]
        first, middle, last = (values[k] for k in (0, len(values) // 2, -1))
        return f"first {first:.2f}, middle {middle:.2f}, last {last:.2f} dB; frames {' '.join(f'{value:.2f}' for value in values)}"


def psnr(video: ArrayLike, truth: ArrayLike, *, data_range: float) -> float:
    """Peak signal-to-noise ratio, 10 log10(data_range^2 / mean square error), in dB; infinite where there is no error.

    Parameters
    ----------
    video, truth : array_like, of the same shape
        The mean square error is taken over everything.
    data_range : float
        White minus black, in the unit of the values.

    Raises
    ------
    Refusal
        If the shapes differ, something is empty or not finite, or data_range is not positive.

    Examples
    --------
    >>> round(psnr([0.5, 0.6], [0.5, 0.5], data_range=1.0), 2)
    23.01
    """
    video, truth = _pair(video, truth, data_range)
    return _decibel(_square_error(_finite(video, "video"), _finite(truth, "truth")), data_range)


def ssim(frame: ArrayLike, truth: ArrayLike, *, data_range: float, window: Window = "gaussian") -> float:
    """Mean structural similarity of two frames; colour channels are compared one by one and averaged.

    Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, Image quality assessment: from error visibility to structural
    similarity, IEEE TIP 13(4), 2004. Only windows that lie wholly inside the frame count. Equal to scikit-image's
    ``structural_similarity`` with ``gaussian_weights=True, use_sample_covariance=False`` or with its defaults ("uniform").

    Parameters
    ----------
    frame, truth : array_like, (H, W) or (H, W, 3)
    data_range : float
        White minus black, in the unit of the values.
    window : {"gaussian", "uniform"}
        Sigma 1.5 on 11x11 and population covariance, or flat on 7x7 and sample covariance.

    Raises
    ------
    Refusal
        If the shapes differ or are no frame, the frame is smaller than the window, values are not finite, or data_range is
        not positive.
    """
    frame, truth = _pair(frame, truth, data_range)
    weights = _weights(window)
    if frame.ndim != 2 and not (frame.ndim == 3 and frame.shape[-1] == 3):
        raise Refusal(f"SSIM compares frames (H, W) or (H, W, 3), not {frame.shape}")
    _check_size(frame.shape[:2], weights)
    return _ssim(_finite(frame, "frame"), _finite(truth, "truth"), (data_range,), window)[0]


def score(
    video: ArrayLike | LazyFrames,
    truth: ArrayLike | LazyFrames,
    *,
    data_range: float = 1.0,
    psnr: Literal["volume", "frames"] = "volume",
    window: Window = "gaussian",
    clip: bool = True,
    middle: bool = False,
    order: Order = "given",
    protocol: str = "",
) -> Score:
    """PSNR and SSIM of a video, or of several clips and their mean.

    Parameters
    ----------
    video, truth : array_like or LazyFrames, (T, H, W), (T, H, W, 3), (N, T, H, W) or (N, T, H, W, 3)
        Read frame by frame, so that a memory-mapped file will do.
    data_range : float
        White, in the unit of the values; black is 0.
    psnr : {"volume", "frames"}
        PSNR of the mean square error of a whole clip, or mean PSNR of its frames.
    window : {"gaussian", "uniform"}
        See `ssim`.
    clip : bool
        Clip both to [0, data_range] first.
    middle : bool
        Score frame T // 2 only.
    order : {"given", "best", "frame"}
        "best" plays each clip forward and backward and keeps the direction of the higher PSNR, for PSNR and SSIM alike; "frame" does
        so for each frame.
    protocol : str
        A name of `PROTOCOLS`, which goes before the settings that it fixes.

    Raises
    ------
    Refusal
        If the shapes differ or are no video, a frame is smaller than the window, values are not finite or plainly not in
        the unit of data_range, or a convention is unknown.
    """
    settings = {"psnr": psnr, "window": window, "clip": clip, "order": order, "doubled": False, **_protocol(protocol)}
    if settings["psnr"] not in ("volume", "frames"):
        raise Refusal(f"psnr={psnr} is unknown; it is volume or frames")
    video, truth = (_clips(array) for array in _pair(video, truth, data_range))
    _check_size(truth.shape[2:4], _weights(settings["window"]))
    frames = [truth.shape[1] // 2] if middle else list(range(truth.shape[1]))
    clips = [_score_clip(one, true, frames, data_range, settings) for one, true in zip(video, truth, strict=True)]
    return Score(
        psnr=float(np.mean([clip["psnr"] for clip in clips])),
        ssim=float(np.mean([clip["ssim"] for clip in clips])),
        ssim_range_2=float(np.mean([clip["doubled"] for clip in clips])) if settings["doubled"] else None,
        per_frame=[
            {name: float(np.mean([clip["frames"][name][k] for clip in clips])) for name in clips[0]["frames"]}
            for k in range(len(frames))
        ],
        clips=[{name: clip[name] for name in ("psnr", "ssim", "order")} for clip in clips],
        conventions={
            "protocol": protocol or None,
            "data_range": float(data_range),
            **_conventions(settings),
            "frames": f"frame {frames[0]} of {truth.shape[1]} (the middle)" if middle else f"{len(frames)} frames",
            "size": list(truth.shape[2:4]),
            "order": order,
        },
    )


def _conventions(settings: Mapping[str, Any]) -> dict[str, Any]:
    """How PSNR and SSIM were computed, in words."""
    gaussian = settings["window"] == "gaussian"
    return {
        "psnr": settings["psnr"],
        "ssim_window": "Gaussian 11x11" if gaussian else "uniform 7x7",
        "ssim_sigma": 1.5 if gaussian else None,
        "ssim_covariance": "population" if gaussian else "sample",
        "clipped": settings["clip"],
    }


def _score_clip(
    video: NDArray[Any], truth: NDArray[Any], frames: list[int], data_range: float, settings: dict[str, Any]
) -> dict[str, Any]:
    """One clip, (T, H, W[, 3]); the direction of time is settled by PSNR before the slower SSIM is computed once."""
    top = data_range if settings["clip"] else None
    ranges = (data_range, 2 * data_range) if settings["doubled"] else (data_range,)
    played = directions(video, settings["order"])
    errors = {
        name: [_square_error(_shown(clip[t], top, "video"), _shown(truth[t], top, "truth", data_range)) for t in frames]
        for name, clip in played.items()
    }
    choice = chosen(errors, settings["order"], lambda error: _clip_psnr(error, data_range, settings["psnr"]))
    kept = [errors[name][k] for k, name in enumerate(choice)]
    pairs = ((_shown(played[name][t], top, "video"), _shown(truth[t], top, "truth")) for t, name in zip(frames, choice, strict=True))
    similarity = [_ssim(frame, true, ranges, settings["window"]) for frame, true in pairs]
    single, doubled = [one[0] for one in similarity], [one[-1] for one in similarity]
    return {
        "psnr": _clip_psnr(kept, data_range, settings["psnr"]),
        "ssim": float(np.mean(single)),
        "doubled": float(np.mean(doubled)),
        "order": name_of(choice),
        "frames": {
            "psnr": [_decibel(e, data_range) for e in kept],
            "ssim": single,
            **({"ssim_range_2": doubled} if settings["doubled"] else {}),
        },
    }


def _ssim(frame: NDArray[Any], truth: NDArray[Any], data_ranges: tuple[float, ...], window: Window) -> list[float]:
    """SSIM for each data range; the four local means, which cost nearly all the time, are shared."""
    x, y = (np.moveaxis(a, -1, 0) if a.ndim == 3 else a for a in (frame, truth))
    weights = _weights(window)
    x_mean, y_mean = _local_mean(x, weights), _local_mean(y, weights)
    cross, squares = x_mean * y_mean, x_mean**2 + y_mean**2
    unbiased = weights.size**2 / (weights.size**2 - 1) if window == "uniform" else 1.0
    covariance = unbiased * (_local_mean(x * y, weights) - cross)
    variances = unbiased * (_local_mean(x**2 + y**2, weights) - squares)  # of x and of y: only their sum is asked for
    values = []
    for data_range in data_ranges:
        c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
        luminance, structure = (2 * cross + c1) / (squares + c1), (2 * covariance + c2) / (variances + c2)
        values.append(float((luminance * structure).mean()))
    return values


def _local_mean(image: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
    """Weighted mean over each window that lies wholly inside, (..., H, W) -> (..., H - n + 1, W - n + 1)."""
    edge = weights.size // 2
    across = correlate1d(image, weights, axis=-1)[..., edge:-edge]
    return correlate1d(across, weights, axis=-2)[..., edge:-edge, :]


def _weights(window: str) -> NDArray[Any]:
    if window == "gaussian":
        weights = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
        return weights / weights.sum()
    if window == "uniform":
        return np.full(7, 1 / 7)
    raise Refusal(f"unknown SSIM window {window!r}; known: gaussian, uniform")


def _square_error(video: NDArray[Any], truth: NDArray[Any]) -> float:
    difference = (video - truth).ravel()
    return float(difference @ difference) / difference.size


def _clip_psnr(errors: Sequence[float], data_range: float, definition: str) -> float:
    if definition == "volume":
        return _decibel(float(np.mean(errors)), data_range)
    return float(np.mean([_decibel(error, data_range) for error in errors]))


def _decibel(square_error: float, data_range: float) -> float:
    return 10 * math.log10(data_range**2 / square_error) if square_error > 0 else math.inf


def _pair(video: Any, truth: Any, data_range: float) -> tuple[NDArray[Any], NDArray[Any]]:
    for array, name in ((video, "video"), (truth, "truth")):
        refuse_masked(array, name)
    video, truth = (one if isinstance(one, LazyFrames) else np.asanyarray(one) for one in (video, truth))
    if video.shape != truth.shape:
        raise Refusal(f"video {video.shape} and truth {truth.shape} differ in shape; crop, resize or choose frames first")
    if video.size == 0:
        raise Refusal(f"video and truth are empty: {video.shape}")
    for array, name in ((video, "video"), (truth, "truth")):
        if array.dtype.kind not in "buif":
            raise Refusal(f"{name} holds {array.dtype}, not real numbers")
    if not (math.isfinite(data_range) and data_range > 0):
        raise Refusal(f"data_range is white minus black and must be positive, not {data_range}")
    return video, truth


def _clips(array: NDArray[Any]) -> NDArray[Any]:
    """(T, H, W), (T, H, W, 3), (N, T, H, W) or (N, T, H, W, 3), as (N, T, H, W[, 3])."""
    grey = array.ndim - (array.shape[-1] == 3)
    if grey not in (3, 4):
        raise Refusal(f"a video is (T, H, W), (T, H, W, 3) or several of these, not {array.shape}")
    return array if grey == 4 else array[np.newaxis]


def _shown(frame: NDArray[Any], top: float | None, name: str, data_range: float = math.inf) -> NDArray[Any]:
    """A frame as float64, clipped to [0, top] where that is asked for."""
    frame = _finite(frame, name)
    if (peak := frame.max()) > _OTHER_UNITS * data_range:
        raise Refusal(f"the truth reaches {peak:g} while data_range is {data_range:g}; give data_range in the unit of the values")
    return frame if top is None else np.clip(frame, 0, top)


def _finite(array: NDArray[Any], name: str) -> NDArray[Any]:
    array = np.asarray(array, dtype=np.float64)
    if not np.isfinite(array).all():
        raise Refusal(f"{name} holds {np.count_nonzero(~np.isfinite(array))} values that are NaN or infinite")
    return array


def _check_size(size: tuple[int, ...], weights: NDArray[Any]) -> None:
    if min(size) < weights.size:
        raise Refusal(f"frames of {size[0]}x{size[1]} are smaller than the {weights.size}x{weights.size} window of SSIM")


def _protocol(name: str) -> dict[str, Any]:
    if name and name not in PROTOCOLS:
        raise Refusal(f"unknown protocol {name!r}; known: {', '.join(PROTOCOLS)}")
    return PROTOCOLS.get(name, {})


def _finite_or_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite_or_none(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite_or_none(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
