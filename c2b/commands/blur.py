"""``c2b blur``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from c2b.options import LevelOptions, StoredPartOptions, Whole
from c2b.source import AS_FILED, AS_STORED

if TYPE_CHECKING:
    from c2b.captures.capture_format import CaptureFormat
    from c2b.motion_blur import Blur
    from c2b.source import Source


def blur(
    video: str,
    out: str,
    /,
    *,
    average: str = "",
    shift: float = 0.0,
    shutter: float = 360.0,
    interpolate: bool = False,
    pairs: bool = False,
    seed: Whole = 0,
    response: str | None = None,
    levels: LevelOptions = AS_FILED,
    part: StoredPartOptions = AS_STORED,
) -> None:
    """Blur a film by motion: each picture is the mean of the frames of one exposure.

    Frames are averaged as they are stored, as the published systems do, or with --linearize as light, encoded again afterwards. Beside
    the pictures stands which frames each one averages: c2b reconstruct takes them as exposures of so many frames, and c2b score finds
    the true ones.

    Parameters
    ----------
    video
        File, folder of images or a scene such as panorama:seed=3; a folder of such, as GOPRO_Large_all/test/, stands for all in it.
    out
        A folder OUT/ of pictures, a video such as .mkv, or a capture NAME.c2b.ome.tif.
    average
        How many frames: 7; 7:13, an odd number of these drawn for each picture; or all. Default: 7, with --shift 3:33.
    shift
        As many frames, within --average, as it takes the fastest pixels to move by so many pixels.
    shutter
        Shutter angle in degrees: after each exposure frames are passed over while the shutter is closed.
    interpolate
        Make frames in between along the optical flow where anything moves by more than a pixel a frame, so that blur has no ghosts.
    pairs
        Write OUT/blur/ and OUT/sharp/, the middle frames, as the GoPro data set has them.
    seed
        Seed of the numbers drawn.
    response
        How pictures of linear light, such as those of a scene, are encoded: srgb, gamma:exponent=2.2. Default: as they are.
    levels
        What the stored values mean: see the options below.
    part
        Which part, and as what: see the options below.
    """
    from c2b.captures import format_named
    from c2b.motion_blur import Blur
    from c2b.output_path import refuse_input
    from c2b.recording_folder import recordings
    from c2b.source import Source
    from sensors.refusal import Refusal

    refuse_input(video, out)
    how, films = Blur(average, shift, shutter, interpolate, seed), recordings(video)
    is_folder = out.endswith("/") or not Path(out).suffix
    if (pairs or films != [video]) and not is_folder:
        raise Refusal(f"{'--pairs' if pairs else f'the films in {video}'} make folders: end {out} with a slash")
    for film in films:
        place = out if film == video else str(Path(out) / Path(film).relative_to(video).with_suffix(""))
        print(_blurred(Source(film, levels, part), place, how, pairs, response, None if is_folder else format_named(out)))


def _blurred(source: Source, out: str, how: Blur, pairs: bool, response: str | None, kind: type[CaptureFormat] | None) -> str:
    """Write the pictures of one film, as a capture of that format if any; what there is to say."""
    import numpy as np

    from c2b.motion_blur import BlurredPictures, MiddleFrames, charges
    from c2b.terminal import counted, progress
    from c2b.video.writing import write_video
    from sensors.conventional import Conventional

    with source.open() as film:
        pictures = BlurredPictures(film, how)
        lengths = sorted({len(one) for one in pictures.exposures})
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        if pairs:
            Path(out).mkdir(exist_ok=True)
            write_video(f"{out}/sharp/", MiddleFrames(pictures), response=response)
            write_video(f"{out}/blur/", pictures, response=response, progress=progress)
        elif kind is not None:
            sensor = Conventional(np.ones((lengths[0], 1, 1), np.uint8), colour=film.colour)
            noted = {**pictures.record, "white": 1.0, "response": response or film.response, "sensor_spec": "conventional"}
            noted["code_spec"] = f"long:frames={lengths[0]}"
            kind.write(out, sensor, progress(charges(pictures), len(pictures), "blur"), len(pictures), noted)
        else:
            write_video(out, pictures, response=response, progress=progress)
        of = f"{lengths[0]} to {lengths[-1]} frames" if len(lengths) > 1 else counted(lengths[0], "frame")
        return f"{out}: {counted(len(pictures), 'picture')} of {film.height}x{film.width}, each the mean of {of}"
