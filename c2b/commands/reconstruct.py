"""``c2b reconstruct``"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from c2b.options import NOTHING, Measurement, MeasurementOptions, Whole

if TYPE_CHECKING:
    from c2b.captures.document import Verify
    from sensors.capture import Capture


#: The quickest method, which is taken where none is named.
QUICK = "tile"


def reconstruct(
    capture: Path,
    video: str,
    /,
    *,
    method: str | None = None,
    consistent: bool = False,
    exposures: str = "",
    frames: Whole | None = None,
    response: str | None = None,
    said: MeasurementOptions = NOTHING,
    protocol: Literal["cacti"] | None = None,
    calibrate_mask: bool = False,
    align_code: bool = False,
    scene_white: bool = False,
    also: list[str] | None = None,
) -> None:
    """Turn a capture back into video.

    Parameters
    ----------
    capture
        NAME.c2b.ome.tif .npz .h5, an SCI .mat, or a folder of bucket PNG pairs; with --code a measurement of your own: .npy .npz .h5
        .mat, a TIFF stack, a picture or a folder of pictures. Without a code a picture, colour pictures in a folder or a video are
        photographs of an ordinary camera, blurred by motion.
    video
        .mkv .mp4 .tif .npy, or a folder for PNG. Integer formats are encoded as the source was; .tif and .npy keep linear light.
    method
        pseudo-inverse, tile:ridge=0.01 ... (c2b list methods). Default: tile; motion for a photograph.
    consistent
        Follow it by the noise-weighted data step.
    exposures
        A part such as 0:10.
    frames
        How many frames to make of a photograph; default: 7, or what c2b blur noted.
    response
        How .mkv, .mp4 and PNG are encoded: srgb, gamma:exponent=2.2, none. Default: as the source was.
    said
        What the file does not say: see the options below.
    protocol
        cacti: take the meas of an SCI .mat anew from its orig under its own mask or that of --code, as the tables of the benchmark do.
    calibrate_mask
        Estimate first how the mask truly lies (shift, rotation, scale, blur, contrast) from the capture itself, and say it.
    align_code
        Find first how the code lies from the capture itself, and say it and how sure it is: phase of a tile, or shift of a mask in
        whole pixels; orientation, roles of the buckets, order of the frames. Before --calibrate-mask, which looks within 2 px.
    scene_white
        Take the brightest parts of the scene as white, whatever the file says, and say how much that is: for light nobody measured.
    also
        What else the method gives, such as variance=FILE for gmm or attention=FILE for pair: .npy, or .png of some exposures.
    """
    import recon
    from c2b import further_maps
    from c2b.captures import photograph
    from c2b.captures.remarks import remarks, unseen
    from c2b.output_path import refuse_input
    from c2b.streaming import Reconstruction
    from c2b.terminal import counted, progress
    from c2b.video.writing import loss, write_video
    from sensors.refusal import Refusal

    refuse_input(capture, video)
    verify: Verify = "header" if exposures else True  # a part of a long capture need not wait for the hash of all of it
    whole = _taken(capture, said, protocol, frames, verify, check=not (calibrate_mask or align_code))
    taken = _part(whole, exposures, capture)
    if "encoding" in taken.record and response not in (None, "none"):
        raise Refusal(f"the video of {capture} is encoded as it is, {taken.record['encoding']}; leave --response out")
    if align_code:
        taken = _aligned(taken)
    if scene_white:
        taken = _on_scene_white(taken)
    if calibrate_mask:
        taken = _calibrated(taken)
    method = method or (photograph.METHOD if "encoding" in taken.record else QUICK)
    label = method + " --consistent" * consistent
    solver = recon.make(method, consistent=consistent)
    further = further_maps.parse(also or [], solver, label, video)
    made = Reconstruction(taken, solver, label, capture)
    shown = partial(progress, faster="" if method == QUICK else f"--method {QUICK} is the quickest, --exposures 0:1 a part of it")
    write_video(video, made, response=response or taken.record.get("response", "none"), progress=shown)
    lost = loss(video, made)
    print(
        f"{video}: {counted(len(made), 'frame')} of {made.height}x{made.width} from {counted(len(taken), 'exposure')} by {label}"
        f"{f'; {lost}' if lost else ''}"
    )
    for line in (*remarks(taken.record), *unseen(taken.sensor), *solver.remarks(taken)):
        print(line)
    for name, path in further:
        further_maps.write(values := getattr(solver, name)(taken), name, path, label)
        print(f"{path}: {name} {'x'.join(map(str, values.shape))}")


def _taken(
    path: Path, said: Measurement, protocol: str | None, frames: int | None, verify: Verify, *, check: bool
) -> Capture:
    """The capture, or a photograph as one."""
    from c2b.captures import format_read, photograph
    from sensors.refusal import Refusal

    if said == NOTHING and not protocol and format_read(path) is None and photograph.may_be(path):
        return photograph.read_photograph(path, frames=frames)
    if frames is not None:
        raise Refusal(f"--frames is for photographs; an exposure of {path} has as many as its code")
    return _read(path, said, protocol, verify, check=check)


def _read(path: Path, said: Measurement, protocol: str | None, verify: Verify, *, check: bool) -> Capture:
    """The capture, under the code and the protocol that are asked for."""
    from c2b import masks
    from c2b.captures import format_read, read_capture
    from sensors.refusal import Refusal

    kind = format_read(path, with_code=bool(said.code))
    may_hold_frames = kind is not None and "from_orig" in kind.read_options
    if protocol and path.exists() and not may_hold_frames:
        raise Refusal(f"{path} is no SCI scene; --protocol {protocol} takes meas anew from the orig of such a .mat")
    how: dict[str, Any] = {"from_orig": protocol is not None, "check": check} if may_hold_frames else {}
    taken = read_capture(path, verify=verify, **said.given, **how)
    height, width = taken.images.shape[2:4]
    if protocol and said.code and (reason := masks.too_small(said.code, taken.sensor.code, (height, width))):
        raise Refusal(reason)
    return taken


def _calibrated(capture: Capture) -> Capture:
    """The capture under the mask that is found, and a line about it."""
    from c2b.captures.code_pattern import refuse_beyond_registration
    from c2b.captures.unit import guessed_anew
    from recon.mask_registration import register

    refuse_beyond_registration(capture.charge, capture.sensor)
    found = register(capture)
    print(f"mask: {found}" + f"\nnote: {found.remark}" * bool(found.remark))
    return guessed_anew(found.capture)


def _aligned(capture: Capture) -> Capture:
    """The capture under the code as it is found to lie, and lines about it."""
    from c2b.captures.unit import guessed_anew
    from recon.mask_arrangement import align

    found = align(capture)
    print("\n".join(found.lines))
    return guessed_anew(found.capture)


def _on_scene_white(capture: Capture) -> Capture:
    """The capture on a scale by its scene, and a line about it."""
    from c2b.captures.scene_white import with_scene_white

    found = with_scene_white(capture)
    if not found.sensor.readout.ideal:
        print(f"white: {found.record['white']:.4g} electrons, {found.record['provenance']['white']}")
    return found


def _part(capture: Capture, exposures: str, path: Path) -> Capture:
    """The exposures that are asked for."""
    from c2b.source import range_of
    from sensors.refusal import Refusal

    if part := range_of("--exposures", exposures, len(capture)):
        if part.step not in (None, 1):
            raise Refusal(f"--exposures {exposures}: exposures are taken in a row, such as 0:10")
        capture = capture[part]
    if not len(capture):
        raise Refusal(f"--exposures {exposures} leaves none of the exposures of {path}")
    return capture
