"""``c2b simulate``"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from c2b.commands import Whole

#: Share of saturated samples from which on a user is told.
WORTH_A_WORD = 0.001


def simulate(
    video: str,
    capture: Path,
    /,
    *,
    sensor: str = "two-bucket",
    code: str = "impulse",
    readout: str | None = None,
    seed: Whole = 0,
    linearize: str | None = None,
    white: float | None = None,
    black: float | None = None,
    channels: Literal["luma", "rgb", "stored"] = "luma",
    frames: str = "",
    rows: str = "",
    columns: str = "",
    resize: str = "",
) -> None:
    """Expose a video on a sensor and write the capture.

    Parameters
    ----------
    video
        File, folder of images, or a scene such as occluding-objects:frames=18.
    capture
        NAME.c2b.ome.tif
    sensor
        Sensor or preset: two-bucket:leakage=0.02, coded-pixel, cep-2019:white=100 ... (c2b list sensors)
    code
        Code or file: impulse:tile=3, bernoulli, mask.npy ... (c2b list codes)
    readout
        ideal, electrons:white=100,read_noise=12,... or that of another preset, in place of the sensor's own.
    seed
        Of the noise. The same seed gives the same bits.
    linearize
        How the stored values come from light: none, srgb, gamma:exponent=2.2. Default: what the file says of itself, else none.
    white
        The stored value of white, such as 4095 for 12 bit frames in 16. Default: what the file says, else its largest number.
    black
        The stored value of no light, such as 64. Default: what the file says, else 0.
    channels
        Expose luma, three colour channels, or what is stored (a Bayer mosaic).
    frames
        A part such as 0:90, or with a step 0:90:2.
    rows
        A part such as 0:720.
    columns
        A part such as 0:1278.
    resize
        WIDTHxHEIGHT, Lanczos, after the crop.
    """
    from c2b import streaming
    from c2b.captures import read_capture
    from c2b.commands import apart, counted, make_sensor, open_video, part_of, progress

    apart(video, capture)
    with open_video(video, linearize=linearize, white=white, black=black) as recording:
        part = part_of(recording, frames, rows, columns, None if channels == "stored" else channels, resize)
        chip, record = make_sensor(sensor, code, readout, part.colour)
        count = streaming.simulate(part, capture, chip, seed=seed, record=record, progress=progress)
    full = max(read_capture(capture, verify=False)[:1].saturated)
    left = len(part) - ((count - 1) * chip.period + chip.frames)
    unused = f"; {counted(left, 'frame')} at the end unused" if left else ""
    lost = f"; {full:.1%} of the first exposure is saturated" if full > WORTH_A_WORD else ""
    print(
        f"{capture}: {counted(count, 'exposure')} of {counted(chip.frames, 'frame')}, {counted(chip.buckets, 'bucket')}, "
        f"{part.height}x{part.width}{lost}{unused}"
    )
