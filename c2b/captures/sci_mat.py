"""Snapshot compressive imaging (SCI, CACTI) in MATLAB files: ``meas`` = sum over t of ``mask``[t] ``orig``[t].

========================  ==========  ==================================================================
name in the file          axes        becomes
========================  ==========  ==================================================================
meas, meas_bayer, meas*   (H, W, N)   images (N, 1, H, W), in the type they are stored in
mask, mask_bayer, *mask   (H, W, T)   the code (T, H, W) of a coded pixel; grey (calibrated) masks too
orig, orig_bayer          (H, W, NT)  the true frames; ``c2b.video.sci_scene`` opens them as video, `true_frames` measures them anew
white                     1           what one white sub-exposure adds to ``meas`` (this program writes it)
========================  ==========  ==================================================================

The benchmark of Liu et al., "Rank minimization for snapshot compressive imaging", PAMI 2019, and of those after it. A measurement is
the plain sum of stored values, not normalised, and its one bucket is our bucket 0. Several measurements with a mask each (``measO``,
``opt_mask``; ``measR``, ``rnd_mask``) are exposures of one sensor that cycles its codes. Version 7.3 has reversed axes: see `mat_file`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b.atomic_file import atomic_file
from c2b.captures import CodeMissing, mat_file, true_frames, unit
from c2b.captures.bucket import light_of
from c2b.masks import describe
from sensors.capture import Capture
from sensors.coded_pixel import CodedPixel
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: Named in the record of every capture that comes from such a file.
CONVENTION = "SCI: meas (H, W, N) = sum over t of mask (H, W, T) orig (H, W, NT), stored values, not normalised; mask is bucket 0"

#: The mosaic that the Bayer scenes of the benchmark have.
BAYER = "rggb"

Shapes = Mapping[str, tuple[int, ...]]


class SciMat:
    """Read and write ``NAME.mat``, as version 5; reads version 7.3 too."""

    suffix = ".mat"
    exact = False
    holds_video = True
    drops = "readout, timing and record; a noisy capture is stored as charge in white sub-exposures"
    _write: Callable[[Path, Mapping[str, NDArray]], None] = staticmethod(mat_file.write_v5)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """A .mat with an array whose name begins with meas; one with a mask alone is a code."""
        if not path.name.lower().endswith(cls.suffix):
            return False
        try:
            return any(name.startswith("meas") for name in mat_file.contents(path))
        except Refusal:
            return False

    @staticmethod
    def summary(path: Path) -> dict[str, Any]:
        """What arrays there are, in MATLAB's axes."""
        shapes = mat_file.contents(path)
        version = "7.3" if mat_file.is_hdf5(path) else "5"
        return {"format": f"SCI .mat, version {version}", **{name: "x".join(map(str, shape)) for name, shape in shapes.items()}}

    @staticmethod
    def read(
        path: Path, *, verify: bool = True, code: NDArray | None = None, from_orig: bool = False, check: bool = True
    ) -> Capture:
        """The measurements as a capture of a coded pixel with ideal readout; its record says under which ``mask``.

        Parameters
        ----------
        path : Path
        verify : bool
            Nothing: such files carry no hashes.
        code : array_like, (T, p, q), optional
            In place of the mask of the file, or where it has none.
        from_orig : bool
            Take the measurements anew from the true frames, as the tables of the benchmark do, instead of those stored.
        check : bool
            Refuse a code that does not explain the stored measurements, where the file has the true frames.

        Raises
        ------
        Refusal
            If there is no measurement, neither mask nor code, no true frames where they are asked for, or a code that the
            measurements were not taken with.
        """
        shapes = mat_file.contents(path)
        pairs, orig, given = _pairs(shapes, path), original(shapes), code is not None
        own = tuple(dict.fromkeys(mask for mask in pairs.values() if mask))
        if not given and None in pairs.values():
            raise CodeMissing(f"{path} holds {_seen(shapes)} and no mask; name the code it was taken with: --code FILE")
        if from_orig and orig is None:
            raise Refusal(f"{path} holds {', '.join(shapes)}, but no orig (H, W, NT), from which meas could be taken anew")
        used = () if given else own
        found = mat_file.arrays(path, (*pairs, *used, *(name for name in (orig, "white") if name in shapes)))
        images = np.concatenate([_pages(found[name], name, path) for name in pairs])[:, None]
        scale, meas, truth = 1.0, "as stored", found.get(orig or "")
        if code is None:
            code, scale = _code([_pages(found[mask], mask, path) for mask in used], [*pairs], images, path)
        sensor = CodedPixel(code, colour=BAYER if any("_bayer" in name for name in pairs) else "mono")
        if truth is not None and from_orig:
            images, meas, scale = *_anew(truth, sensor, images, path), 1.0
        elif given and truth is None:
            meas = "as stored, not compared with this code for lack of orig"
        elif truth is not None and given and check:
            masks = mat_file.arrays(path, own)
            meas = _checked(images, truth, sensor, found, {name: _pages(masks[name], name, path) for name in own}, path)
        record: dict[str, Any] = {
            "convention": CONVENTION,
            "response": "none",
            "source": {"path": str(path), "variables": [*((orig,) if from_orig else pairs), *used]},
            "mask": {**({} if given else {"file": path.name}), **describe(sensor.code), "meas": meas},
        }
        record |= _unit(images, sensor, truth, found.get("white"), scale)
        return Capture(images, sensor, record | _place(images, sensor, truth, from_orig))

    @classmethod
    def write(
        cls,
        path: str | Path,
        sensor: Sensor,
        exposures: Iterable[NDArray],
        count: int,
        record: Mapping[str, Any],
        *,
        orig: NDArray | None = None,
        bucket: int | None = None,
    ) -> None:
        """Write ``meas``, ``mask``, ``white`` and, where the true frames are at hand, ``orig``.

        Parameters
        ----------
        path, sensor, exposures, count, record
            As for every format.
        orig : ndarray, (NT, H, W), optional
            The true frames, in the unit of ``meas``.
        bucket : int, optional
            Which bucket, where there are several; its mask is the light it truly collects, leaks and all.

        Raises
        ------
        Refusal
            If the sensor has several buckets and none is named, cycles codes, or is in colour.
        """
        path = Path(path)
        images = np.stack([np.asarray(image) for image in exposures][:count])
        capture = Capture(images, sensor, record)
        mask = light_of(capture, bucket)
        if not sensor.readout.ideal:
            images = capture.charge
        if sensor.colour not in ("mono", "rgb", BAYER) or (sensor.colour == BAYER and any(i % 2 for i in sensor.origin)):
            raise Refusal(f"cannot write {path}: scenes of the benchmark are grey or {BAYER} mosaics; this one begins otherwise")
        bayer = "_bayer" if sensor.colour == BAYER else ""
        content = {f"meas{bayer}": np.moveaxis(images[:, bucket or 0], 0, 2), f"mask{bayer}": np.moveaxis(mask, 0, 2)}
        if orig is not None:
            content[f"orig{bayer}"] = np.moveaxis(np.asarray(orig), 0, -1)
        content["white"] = np.array([[capture.white]])
        with atomic_file(path) as partial:
            cls._write(partial, content)


class SciMat73(SciMat):
    """Write ``NAME.v73.mat``, as version 7.3 (HDF5)."""

    suffix = ".v73.mat"
    _write = staticmethod(mat_file.write_v73)


def original(shapes: Shapes) -> str | None:
    """The name of the true frames, if a file has them."""
    names = ("orig_bayer", "orig") if "meas_bayer" in shapes else ("orig", "orig_bayer")
    return next((name for name in names if name in shapes), None)


def _pairs(shapes: Shapes, path: Path) -> dict[str, str | None]:
    """Measurements and their masks: the names of the benchmark, else by the first letter after ``meas`` and of the mask."""
    masks = [name for name in shapes if "mask" in name]
    for bayer in ("_bayer", ""):
        if f"meas{bayer}" in shapes:
            known = [name for name in (f"mask{bayer}", "mask") if name in masks]
            return {f"meas{bayer}": known[0] if known else masks[0] if len(masks) == 1 else None}
    several = [name for name in shapes if name.startswith("meas")]
    if not several:
        raise Refusal(f"{path} holds {', '.join(shapes) or 'no array'}; needed: meas (H, W, N) and mask (H, W, T)")
    if len(masks) == 1:
        return dict.fromkeys(several, masks[0])
    initial = {mask[0].lower(): mask for mask in masks}
    return {name: initial.get(name.removeprefix("meas").lstrip("_")[:1].lower()) for name in several}


def _pages(array: NDArray, name: str, path: Path) -> NDArray:
    """(H, W) or (H, W, N) to (N, H, W)."""
    if array.ndim not in (2, 3):
        raise Refusal(f"{path}: {name} has shape {array.shape}; needed: (H, W, N)")
    return np.ascontiguousarray(np.moveaxis(np.atleast_3d(array), 2, 0))


def _code(masks: list[NDArray], names: list[str], images: NDArray, path: Path) -> tuple[NDArray, float]:
    """One code, or the codes that the exposures cycle; in [0, 1], and by what they had to be divided."""
    if len({mask.shape for mask in masks}) > 1 or (len(masks) > 1 and len(masks) != len(images)):
        raise Refusal(f"{path}: the masks of {', '.join(names)} differ in shape; needed: one mask (H, W, T) for each")
    if masks[0].shape[1:] != images.shape[2:]:
        taken, mask = ("x".join(map(str, shape)) for shape in (images.shape[2:], masks[0].shape[1:]))
        raise Refusal(f"{path}: the measurement is {taken} and its mask {mask}; they must be of one size")
    scale = max(1.0, *(float(mask.max()) for mask in masks))
    code = masks[0] if len(masks) == 1 else np.stack(masks)
    return (code if scale == 1 else (code / scale).astype(np.float32)), scale


def _seen(shapes: Shapes) -> str:
    return ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items())


def _anew(truth: NDArray, sensor: Sensor, images: NDArray, path: Path) -> tuple[NDArray, str]:
    """The measurements taken anew, and how that is said."""
    frames = true_frames.frames_of(truth)
    if frames.shape[1:3] != images.shape[2:4]:
        size, taken = ("x".join(map(str, shape)) for shape in (frames.shape[1:3], images.shape[2:4]))
        raise Refusal(f"{path}: orig is {size} and meas {taken}; they must be of one size")
    try:
        capture = true_frames.taken_anew(frames, sensor)
    except Refusal as reason:
        shape = "x".join(map(str, sensor.code.shape))
        raise Refusal(f"{path}: meas cannot be taken anew from orig under a code {shape} (T, H, W): {reason}") from None
    used = len(capture) * sensor.frames
    return capture.images, "taken anew from orig" + (f", frames {used}:{len(frames)} unused" if used < len(frames) else "")


def _checked(
    images: NDArray, truth: NDArray, sensor: Sensor, found: Mapping[str, NDArray], own: Mapping[str, NDArray], path: Path
) -> str:
    """How the stored measurements go with the code of the sensor; a Refusal if they were not taken with it.

    ``own``: the masks in the file, (T, H, W).
    """
    frames = true_frames.frames_of(truth)
    lengths = {len(mask) for mask in own.values()}
    if lengths and sensor.frames not in lengths:
        shape = "x".join(map(str, sensor.code.shape))
        reason, off = f"the code is {shape} (T, H, W) and the mask in the file has {min(lengths)} frames", 1.0
    else:
        scale = unit.white_of_frames(frames) / float(_unit(images, sensor, truth, found.get("white"), 1.0)["white"])
        rivals = {f"the {name} in the file": mask / max(1, mask.max()) for name, mask in own.items()}
        try:
            reason, off = true_frames.explained(images * scale, frames, sensor, rivals)
        except Refusal as refusal:
            reason, off = str(refusal), 1.0
    if reason:
        otherwise = ", or leave --code out to use the mask in the file" * bool(own)
        raise Refusal(
            f"{path}: its meas was not taken with this code: {reason}; "
            f"use c2b reconstruct --protocol cacti to take meas anew from orig under it{otherwise}"
        )
    return "as stored" if off <= true_frames.ROUNDING else f"as stored, {off:.1%} off what this code makes of orig"


def _place(images: NDArray, sensor: Sensor, truth: NDArray | None, from_orig: bool) -> dict[str, Any]:
    """Which of the true frames each exposure saw, where they are at hand and their number fits."""
    frames = len(images) * sensor.frames
    if truth is None or not (from_orig or truth.shape[-1] == frames):
        return {}
    return {"frame_index": np.arange(frames).reshape(len(images), -1).tolist(), "crop": [0, 0, *images.shape[2:]]}


def _unit(images: NDArray, sensor: Sensor, truth: NDArray | None, stated: NDArray | None, scale: float) -> dict[str, Any]:
    """``white`` of the record, and where it is from."""
    if stated is not None and stated.size == 1 and np.isfinite(stated).all() and stated.min() > 0:
        return {"white": float(stated.item()) * scale, "provenance": {"white": "stated in the file"}}
    if truth is not None:
        white = unit.white_of_frames(truth)
        said = f"white of the {truth.dtype} frames in orig"
        return {"white": white * scale, "provenance": {"white": said if scale == 1 else f"{said}, times the largest mask value"}}
    return {"white": unit.white_by_brightest(images, sensor), "provenance": {"white": unit.BRIGHTEST}}
