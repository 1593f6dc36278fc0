"""``c2b simulate``"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from c2b.options import LevelOptions, PartOptions, Whole
from c2b.source import AS_FILED, WHOLE

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
    levels: LevelOptions = AS_FILED,
    film_pixels: Whole = 1,
    part: PartOptions = WHOLE,
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
        Seed of the noise. The same seed gives the same bits.
    levels
        What the stored values mean: see the options below.
    film_pixels
        Pixels of the film across one of the sensor, where it is finer: the lens acts on them, and each pixel integrates its own.
    part
        Which part, and as what: see the options below. --sub-exposure sensor takes the sub-exposures of the sensor.
    """
    from c2b import camera, rates, streaming
    from c2b.captures.remarks import unseen
    from c2b.output_path import refuse_input
    from c2b.source import Source
    from c2b.terminal import counted, progress

    refuse_input(video, capture)
    part, clock = rates.agreed(part, sensor, code, readout)
    with Source(video, levels, part).open() as recording:
        taking = camera.make(sensor, code, readout, recording.colour, clock)
        chip = taking.chip
        how: dict[str, Any] = {"seed": seed, "record": taking.record, "progress": progress, "film_pixels": film_pixels}
        made = streaming.simulate(recording, capture, chip, **how)
    left = len(recording) - len(chip.timeline(made.exposures))
    unused = f"; {counted(left, 'frame')} at the end unused" if left else ""
    lost = f"; {made.saturated:.1%} of the first exposure is saturated" if made.saturated > WORTH_A_WORD else ""
    print(
        f"{capture}: {counted(made.exposures, 'exposure')} of {counted(chip.frames, 'frame')}, {counted(chip.buckets, 'bucket')}, "
        f"{recording.height // film_pixels}x{recording.width // film_pixels}{lost}{unused}"
    )
    for line in (*unseen(chip), *rates.remarks(recording, chip)):
        print(line)
