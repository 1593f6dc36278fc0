"""``c2b score``"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from recon.blur_metrics import BlurScore
    from recon.lazy_frames import LazyFrames
    from recon.measures.measure import Metric
    from recon.order import Order


def score(
    video: Path,
    truth: str,
    /,
    *,
    json: bool = False,
    middle: bool = False,
    order: Literal["given", "best", "frame"] = "given",
    blur: bool = False,
    metric: tuple[str, ...] = (),
    protocol: Literal["codedblurred", "cacti"] | None = None,
    psnr: Literal["volume", "frames"] = "volume",
    window: Literal["gaussian", "uniform"] = "gaussian",
    data_range: float = 1.0,
    white: float | None = None,
    black: float | None = None,
    encode: str | None = None,
    no_clip: bool = False,
) -> None:
    """Compare a video with the truth: PSNR and SSIM, with their conventions.

    Frames, crop, size and response of the truth are matched to what the video's sidecar says it was made from; values are compared
    as the source stores them (1 = white), so a video simulated with --linearize srgb is encoded again before it is compared. A
    truth that is a Bayer mosaic is demosaicked as the video was.

    Parameters
    ----------
    video
        As c2b reconstruct writes it; without a sidecar it must match the truth frame by frame.
    truth
        The source: a file, folder or scene.
    json
        Print JSON: psnr, ssim, per_frame, clips, conventions, and blur and metrics where they are asked for.
    middle
        The middle frame of each exposure only.
    order
        best: the better of forward and reversed order, since blur does not tell the direction of time. frame: that of each frame.
    blur
        Measures of a video out of one blurred picture too: PSNR of the first, middle, last and every frame, order-invariant pair error,
        PSNR of the mean of the frames, end-point error of the optical flow from the first to the last.
    metric
        A further figure of merit, such as flicker, warping-error or ms-ssim; may be repeated. c2b list metrics has all.
    protocol
        codedblurred: as the pair paper (luma, 1200x720 Lanczos, SSIM at ranges 1 and 2). cacti: as the SCI benchmark (mean over frames,
        not clipped); says under which mask the measurement was taken.
    psnr
        PSNR of the whole volume, or mean over frames.
    window
        SSIM window: Gaussian 11x11, or uniform 7x7.
    data_range
        From black to white.
    white
        The stored value of white in the truth, as for c2b simulate --white.
    black
        The stored value of no light in the truth.
    encode
        Compare values encoded by srgb or gamma:exponent=2.2, where the source is linear; default: as the source stores them.
    no_clip
        Compare values outside of the data range as they are, instead of clipping them.
    """
    from c2b import masks
    from c2b.alignment import PROTOCOL_SIZES, matched, seen_levels, tile_of
    from c2b.source import open_video
    from recon import measures, metrics

    further = measures.make(metric)
    with open_video(str(video)) as made, open_video(truth, **seen_levels(made, white, black)) as source:
        ours, theirs = matched(made, source, size=PROTOCOL_SIZES.get(protocol or ""), encode=encode)
        result = metrics.score(
            ours,
            theirs,
            data_range=data_range,
            psnr=psnr,
            window=window,
            clip=not no_clip,
            middle=middle,
            order=order,
            protocol=protocol or "",
        )
        of_video = {"encoding": encode or made.record.get("response", made.response), "channels": "rgb" if ours.ndim == 5 else "luma"}
        if ours.ndim == 5 and source.colour != "rgb":
            of_video["truth"] = f"demosaicked {source.colour}" if source.colour != "mono" else "grey"
        found = _of_blur(ours, theirs, of_video["encoding"], order, data_range) if blur else None
        values = _of_metrics(further, ours, theirs, data_range, result.clips, tile_of(made, source), of_video["encoding"])
    result.conventions.update(of_video)
    mask = made.record.get("mask")
    if mask is not None or protocol == "cacti":
        result.conventions["mask"] = mask or made.record.get("code_spec")
    if another := _another_source(made.record, truth):
        result.conventions["note"] = another
    result = replace(result, blur=asdict(found) if found else None, metrics=values or None)
    print(result.to_json() if json else result.line())
    if found and not json:
        print(result.curve(), found.line(), sep="\n")
    for name, value in () if json else values.items():
        print(f"{name} {value:.4f}")
    if "mask" in result.conventions and not json:
        print(f"mask: {masks.text(result.conventions['mask'] or 'unknown, the video has no record of it')}")
    if another and not json:
        print(f"note: {another}")


def _of_blur(ours: LazyFrames, theirs: LazyFrames, encoding: str, order: Order, data_range: float) -> BlurScore:
    """The mean over clips (N, T, ...); values are averaged as the light that they encode."""
    import numpy as np

    from recon.blur_metrics import blur_score, mean
    from sensors.response import make

    how: Any = {"data_range": data_range, "order": order, "light": make(encoding).decode, "stored": make(encoding).encode}
    return mean([blur_score(np.asarray(made), np.asarray(true), **how) for made, true in zip(ours, theirs, strict=True)])


def _of_metrics(
    chosen: Mapping[str, Metric],
    ours: LazyFrames,
    theirs: LazyFrames,
    data_range: float,
    scored: Sequence[Mapping[str, Any]],
    tile: tuple[int, int] | None,
    encoding: str,
) -> dict[str, float]:
    """The mean of each metric over clips (N, T, ...), 1 = white, each played in the order in which it was scored."""
    import numpy as np

    from recon.measures.measure import Outcome
    from sensors.refusal import Refusal
    from sensors.response import make

    values: dict[str, list[float]] = {name: [] for name in chosen}
    response = make(encoding)
    for made, true, told in zip(ours, theirs, scored, strict=True) if chosen else ():
        clip = [np.asarray(one) / data_range for one in (made[::-1] if told["order"] == "reversed" else made, true)]
        for name, one in chosen.items():
            if (value := one(Outcome(clip[0], clip[1], response, tile))) is None:
                raise Refusal(f"{name} needs {one.needs}")
            values[name].append(value)
    return {name: sum(found) / len(found) for name, found in values.items()}


def _another_source(record: Mapping[str, Any], truth: str) -> str:
    """That a video was made from something of another name than the truth; nothing where its record does not say."""
    source = record.get("source")
    path = source.get("path") if isinstance(source, Mapping) else None
    if not isinstance(path, str) or Path(path).name == Path(truth).name:
        return ""
    return f"its record says that it was made from {Path(path).name}, and the truth is {Path(truth).name}"
