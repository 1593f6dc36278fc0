"""A measurement as a capture: its sensor, its unit, and whether measurement, mask and true frames of one file agree.

======  ==============================================================  =======================
symbol  meaning                                                         shape, unit
======  ==============================================================  =======================
x       the true frames                                                 (F, H, W), as stored
y       the measurement, without black level                            (N, 1, H, W), in units of its own
A x     sum over t of code[t] x[t], not normalised                      the same, in the unit of x
k       the unit: y = k A x                                             1 where y is that sum as it stands
======  ==============================================================  =======================

k is that of the least squares, so that a measurement divided by 255, by T or by the largest mask value is as bright as its true frames.
A code given by the user has no such freedom, as a dimmed one would have it as well: k is then 1, or what a stated white or the mask
of the file says. A measurement without true frames whose white nobody states is as bright as its brightest sample.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b import array_names, masks
from c2b.camera import sensor_of
from c2b.captures import code_pattern, true_frames, unit
from c2b.captures.array_file import ArrayFile
from c2b.captures.given import Given
from c2b.captures.measured_arrays import MeasuredArrays, measured_arrays
from c2b.video import sidecar
from sensors.capture import Capture
from sensors.coded_pixel import CodedPixel
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: Named in the record of every capture that comes from such a file.
CONVENTION = "SCI: meas (H, W, N) = sum over t of mask (H, W, T) orig (H, W, NT), stored values, not normalised; mask is bucket 0"

#: The mosaic that the Bayer scenes of the benchmark have.
BAYER = "rggb"

#: By how much a white in the file may differ from that of its true frames.
TOLERANCE = 0.05


def capture_of(file: ArrayFile, said: Given, *, from_orig: bool = False, check: bool = True) -> Capture:
    """The capture that the arrays of a file make.

    Parameters
    ----------
    file : ArrayFile
    said : Given
        What the user states; it goes before what the file says.
    from_orig : bool
        Take the measurements anew from the true frames, as the tables of the benchmark do, instead of those stored.
    check : bool
        Refuse a code that does not explain the stored measurements, where the file has the true frames.

    Raises
    ------
    Refusal
        As `measured_arrays`; if there are no true frames where they are asked for, or arrays do not agree.
    """
    said = said.checked()
    if from_orig and array_names.frames(file.shapes) is None:
        raise Refusal(f"{file.path} holds {', '.join(file.shapes)}, but no orig (H, W, NT), from which meas could be taken anew")
    held = measured_arrays(file, said)
    sensor, laid = _sensor(held, said)
    images, black = _without_black(held, said, sensor)
    stated: dict[str, Any] = {}
    if not sensor.readout.ideal:
        in_dn = unit.restated(Capture(images, sensor, {}), said)
        images, sensor, stated = in_dn.images, in_dn.sensor, dict(in_dn.record)
    frames = None if held.truth is None else true_frames.frames_of(np.moveaxis(held.truth, 0, -1))
    meas, scale, notes = "as stored", 1.0, [*said.notes]
    if from_orig and frames is not None:
        images, meas = _anew(frames, sensor, images, held)
    elif frames is not None and check and sensor.readout.ideal and sensor.buckets == 1:
        meas, scale = _compared(held, said, images, frames, sensor)
    elif check:
        meas, doubts = _by_pattern(held, images, sensor)
        notes += doubts
    if frames is None and check and sensor.readout.ideal:
        notes += unit.piled_up(held.images)
        notes += unit.far_from(float(said.white), images, sensor) if said.white is not None else []
    variables = [array_names.frames(file.shapes)] if from_orig else [*held.names]
    described = {"file": held.label, **masks.describe(sensor.code), "laid": laid, "meas": meas}
    record: dict[str, Any] = {
        "convention": CONVENTION,
        "response": "none",
        "source": {"path": str(held.path), "variables": [*variables, *(held.own if held.own_mask else ())]},
        "mask": {key: value for key, value in described.items() if value != ""},
    }
    record |= {
        key: value
        for key, value in {"black_level": black, "axes": held.turned, "sensor_spec": said.sensor, "notes": notes}.items()
        if value
    }
    record |= _white(held, said, images, sensor, scale) if sensor.readout.ideal else stated
    return Capture(images, sensor, record | _place(images, sensor, held.truth, from_orig))


def _sensor(held: MeasuredArrays, said: Given) -> tuple[Sensor, str]:
    """The sensor under the code, and how the code covers the frame, in words."""
    images, colour = held.images, BAYER if any("_bayer" in name for name in held.names) else "mono"
    label = f"{held.path}: its mask" if held.own_mask else held.label or "the code"
    origin, laid = masks.placed(held.code, images.shape[2:], said.origin, label, named=held.named)
    if said.sensor:
        sensor = sensor_of(said.sensor, held.code, origin=origin)
    else:
        sensor = CodedPixel(held.code, colour=colour, origin=origin)
    if images.shape[1] != sensor.buckets:
        fits = "two-bucket" if images.shape[1] == 2 else "coded-pixel"
        what = f"the sensor {said.sensor} has {sensor.buckets}" if said.sensor else "a coded pixel has one"
        raise Refusal(
            f"{held.path} holds {'x'.join(map(str, images.shape))} (N, B, H, W), {images.shape[1]} buckets, and {what}; "
            f'name a sensor that fits, such as {{"sensor": "{fits}"}} in {sidecar.beside(held.path).name}'
        )
    return sensor, laid


def _without_black(held: MeasuredArrays, said: Given, sensor: Sensor) -> tuple[NDArray, str]:
    """The images above black, and where black is from; those of a sensor with a readout of its own stay as they are."""
    images, size = held.images, held.images.shape[2:4]
    if not sensor.readout.ideal:
        return images, ""
    source = said if said.black is not None or held.black is None else Given(black=held.black, by="stated in the file")
    black = source.black_of((size[0], size[1]))
    return (images, "") if black is None else (images.astype(np.float32) - black, f"{source.by}, subtracted")


def _anew(frames: NDArray, sensor: Sensor, images: NDArray, held: MeasuredArrays) -> tuple[NDArray, str]:
    """The measurements taken anew, and how that is said."""
    if frames.shape[1:3] != images.shape[2:4]:
        raise Refusal(
            f"{held.path}: orig is {_by(frames.shape[1:3])} and meas {_by(images.shape[2:4])}; they must be of one size"
        )
    try:
        capture = true_frames.taken_anew(frames, sensor)
    except Refusal as reason:
        code = f"a code {_by(sensor.code.shape)} (T, H, W)"
        raise Refusal(f"{held.path}: meas cannot be taken anew from orig under {code}: {reason}") from None
    used = len(capture) * sensor.frames
    return capture.images, "taken anew from orig" + (f", frames {used}:{len(frames)} unused" if used < len(frames) else "")


def _compared(held: MeasuredArrays, said: Given, images: NDArray, frames: NDArray, sensor: Sensor) -> tuple[str, float]:
    """How the stored measurements go with code and true frames, and the unit k; a Refusal if they do not."""
    try:
        reason, off, scale = _explained(held, said, images, frames, sensor)
    except Refusal as refusal:
        reason, off, scale = str(refusal), 1.0, 1.0
    anew = "use c2b reconstruct --protocol cacti to take meas anew from orig"
    if reason and held.own_mask:
        raise Refusal(
            f"{held.path}: its meas, mask and orig do not agree: {reason}; {anew}, or name the code it was taken with: --code FILE"
        )
    if reason:
        otherwise = ", or leave --code out to use the mask in the file" * bool(held.own)
        raise Refusal(f"{held.path}: its meas was not taken with this code: {reason}; {anew} under it{otherwise}")
    told = "as stored" if off <= true_frames.ROUNDING else f"as stored, {off:.1%} off what this code makes of orig"
    if abs(scale - 1) <= true_frames.ROUNDING:
        return told, 1.0
    return f"{told}, in {_ratio(scale)} of the unit of orig", scale


def _by_pattern(held: MeasuredArrays, images: NDArray, sensor: Sensor) -> tuple[str, list[str]]:
    """How the stored measurements go with the pattern of the code, and notes; a Refusal where they do not."""
    shown = code_pattern.looked_at(images, sensor)
    found = code_pattern.verdict(shown if sensor.readout.ideal else Capture(shown, sensor, {}).charge, sensor)
    if found.refused:
        whose = "the mask in the file" if held.own_mask else "this code"
        raise Refusal(
            f"{held.path}: its measurement was not taken with {whose} as it stands: {found.doubt}; name the code it was taken with "
            "(--code FILE); how a mask lies that is displaced by up to 2 px, c2b reconstruct --calibrate-mask finds out"
        )
    if not found.told:
        return "as stored; whether it was taken with this code cannot be told from it", []
    return ("as stored", [found.doubt]) if found.doubt else ("as stored; the pattern of the code is in it", [])


def _explained(held: MeasuredArrays, said: Given, images: NDArray, frames: NDArray, sensor: Sensor) -> tuple[str, float, float]:
    """Why not, or nothing; the residual; and k."""
    lengths = {mask.shape[-3] for mask in held.own.values()}
    if not held.own_mask and lengths and sensor.frames not in lengths:
        shape = _by(sensor.code.shape)
        return f"the code is {shape} (T, H, W) and the mask in the file has {min(lengths)} frames", 1.0, 1.0
    scale = fitted = true_frames.scale_of(images, frames, sensor)
    if not held.own_mask or fitted <= 0:
        scale = _likely(fitted, held, said, images, frames, sensor)
    rivals = {} if held.own_mask else {f"the {name} in the file": mask for name, mask in held.own.items()}
    reason, off = true_frames.explained(images / scale, frames, sensor, rivals)
    needed, each = len(images) * sensor.frames, len(frames) // len(images)
    if reason and needed < len(frames) == each * len(images):
        reason += f" (orig has {each} frames for each exposure and the mask {sensor.frames})"
    if reason and (offset := true_frames.offset_of(images, frames, sensor)):
        reason = f"meas is {offset:.4g} brighter than that everywhere; if this is its black level: --black {offset:.4g}"
    elif reason and fitted > 0 and not true_frames.explained(images / fitted, frames, sensor, rivals)[0]:
        white = unit.white_of_frames(frames) * fitted
        reason += f"; if that is its unit: --white {white:.4g}"
    return reason, off, scale


def _likely(fitted: float, held: MeasuredArrays, said: Given, images: NDArray, frames: NDArray, sensor: Sensor) -> float:
    """Among the units that anything speaks for, the one nearest to that of the least squares."""
    known = [1.0]
    if stated := said.white or held.white:
        known.append(stated / unit.white_of_frames(frames))
    for mask in held.own.values():
        if (scale := true_frames.scale_of(images, frames, CodedPixel(mask, colour=sensor.colour))) > 0:
            known.append(scale)
    return min(known, key=lambda one: abs(np.log(one / fitted))) if fitted > 0 else 1.0


def _white(held: MeasuredArrays, said: Given, images: NDArray, sensor: Sensor, scale: float) -> dict[str, Any]:
    """``white`` of the record, and where it is from."""
    truth, told = held.truth, ""
    of_truth = 0.0 if truth is None else unit.white_of_frames(truth)
    if said.white is not None:
        further = {} if truth is None else {"source_white": float(said.white) / scale}
        return {"white": float(said.white), "provenance": {"white": said.by}, **further}
    if held.white is not None:
        stated = held.white * held.code_unit
        if truth is not None and unit.certain(truth) and abs(stated / (of_truth * scale) - 1) > TOLERANCE:
            found = f"{of_truth * scale:.6g}"
            raise Refusal(
                f"{held.path}: white is {held.white:g} there, and {found} as meas and the {truth.dtype} frames in orig have it; "
                f"say which holds: --white {held.white:g} or --white {found}"
            )
        return {"white": stated, "provenance": {"white": "stated in the file"}}
    if truth is None:
        white, how = unit.guessed_white(images, sensor)
        return {"white": white, "provenance": {"white": how}}
    told = f"white of the {truth.dtype} frames in orig"
    if not unit.certain(truth) and of_truth not in (1.0, 255.0):
        told = f"assumed: {of_truth:g}, the full scale that the brightest value of orig, {float(truth.max()):g}, fits into"
    share = "" if scale == 1 else f", times {_ratio(scale)}, the unit of meas"
    return {"white": of_truth * scale, "provenance": {"white": told + share}}


def _place(images: NDArray, sensor: Sensor, truth: NDArray | None, from_orig: bool) -> dict[str, Any]:
    """Which of the true frames each exposure saw, where they are at hand and their number fits."""
    frames = len(images) * sensor.frames
    if truth is None or not (from_orig or len(truth) == frames):
        return {}
    return {"frame_index": np.arange(frames).reshape(len(images), -1).tolist(), "crop": [0, 0, *images.shape[2:]]}


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _ratio(scale: float) -> str:
    return f"1/{1 / scale:.4g}" if scale < 1 else f"{scale:.4g}"
