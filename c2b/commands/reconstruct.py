"""``c2b reconstruct``"""

from __future__ import annotations

from pathlib import Path


def reconstruct(
    capture: Path,
    video: str,
    /,
    *,
    method: str = "tile",
    consistent: bool = False,
    exposures: str = "",
    response: str | None = None,
    code: str = "",
    calibrate_mask: bool = False,
) -> None:
    """Turn a capture back into video.

    Parameters
    ----------
    capture
        NAME.c2b.ome.tif .npz .h5, an SCI .mat, or a folder of bucket PNG pairs.
    video
        .mkv .mp4 .tif .npy, or a folder for PNG. Integer formats are encoded as the source was; .tif and .npy keep linear light.
    method
        pseudo-inverse, tile:ridge=0.01 ... (c2b list methods)
    consistent
        Follow it by the noise-weighted data step.
    exposures
        A part such as 0:10.
    response
        How .mkv, .mp4 and PNG are encoded: srgb, gamma:exponent=2.2, none. Default: as the source was.
    code
        Of a capture that does not hold its own: a name or a file.
    calibrate_mask
        Estimate first how the mask truly lies (shift, rotation, scale, blur, contrast) from the capture itself, and say it.
    """
    import recon
    from c2b import codes
    from c2b.captures import read_capture
    from c2b.commands import a_slice, apart, counted, progress
    from c2b.streaming import Reconstruction
    from c2b.video.writing import loss, write_video
    from sensors.refusal import Refusal

    apart(capture, video)
    taken = read_capture(capture, code=codes.make(code) if code else None)
    if part := a_slice("--exposures", exposures, len(taken)):
        if part.step not in (None, 1):
            raise Refusal(f"--exposures {exposures}: exposures are taken in a row, such as 0:10")
        taken = taken[part]
    if not len(taken):
        raise Refusal(f"--exposures {exposures} leaves none of the exposures of {capture}")
    if calibrate_mask:
        from recon.mask_registration import register

        found = register(taken)
        taken = found.capture
        print(f"mask: {found}")
    label = method + " --consistent" * consistent
    solver = recon.make(method, consistent=consistent)
    made = Reconstruction(taken, solver, label, capture)
    write_video(video, made, response=response or taken.record.get("response", "none"), progress=progress)
    lost = loss(video, made)
    print(
        f"{video}: {counted(len(made), 'frame')} of {made.height}x{made.width} from {counted(len(taken), 'exposure')} by {label}"
        f"{f'; {lost}' if lost else ''}"
    )
    for further in solver.also:
        if further == "noise_gain":
            gain, of_open_shutter = getattr(solver, further)(taken[:1])[0]
            print(f"noise gain {gain:.3g}; of a shutter open throughout {of_open_shutter:.3g}")
