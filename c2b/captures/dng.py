"""One bucket of one exposure as a DNG, for photographers' programs: raw DN, black and white level, noise profile, mosaic.

NoiseProfile (DNG 1.3) is the variance S x + O of a sample x in [0, 1] between black and white level: with K the gain in DN/e-, W and B
the levels, S = K / (W - B) and O = ((K read noise)^2 + 1/12) / (W - B)^2. Only written; ``c2b.video.dng`` opens one as a picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b.captures.bucket import chosen
from c2b.captures.capture_format import CaptureFormat
from c2b.captures.document import Verify
from sensors.atomic_file import atomic_file
from sensors.capture import Capture
from sensors.colour_filter import shifted
from sensors.companding import expansion_table
from sensors.refusal import Refusal
from sensors.sensor import Sensor

CFA, LINEAR_RAW = 32803, 34892
BLACK_LEVEL, WHITE_LEVEL, NOISE_PROFILE, EXPOSURE_TIME = 50714, 50717, 51041, 33434
LINEARIZATION, CFA_SIZE, CFA_PATTERN = 50712, 33421, 33422
DNG_VERSION, DNG_BACKWARD, CAMERA, COLOUR_MATRIX, NEUTRAL, ILLUMINANT = 50706, 50707, 50708, 50721, 50728, 50778
DAYLIGHT = 21  # D65
_BYTE, _ASCII, _SHORT, _LONG, _RATIONAL, _SRATIONAL, _DOUBLE = 1, 2, 3, 4, 5, 10, 12
_MICROSECONDS, _MILLI = 10**6, 1000


class Dng(CaptureFormat):
    """Write ``NAME.dng``."""

    suffix = ".dng"
    drops = "the code, the other buckets and exposures, full well, fixed pattern, record"
    options = ("exposure", "bucket")

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Never: a DNG has no code, so it is read as a picture."""
        return False

    @classmethod
    def read(cls, path: Path, *, verify: Verify = True) -> Capture:
        """Refuses."""
        raise Refusal(f"{path} is a picture and has no code; c2b reads DNG as video of one frame, not as a capture")

    @classmethod
    def write(
        cls,
        path: str | Path,
        sensor: Sensor,
        exposures: Iterable[NDArray],
        count: int,
        record: Mapping[str, Any],
        *,
        exposure: int | None = None,
        bucket: int | None = None,
    ) -> None:
        """Write one bucket of one exposure.

        Raises
        ------
        Refusal
            If there are several exposures or buckets and none is chosen, or they are not integers of a converter.
        """
        import tifffile

        path = Path(path)
        if exposure is None and count > 1:
            raise Refusal(f"the capture has {count} exposures and a DNG holds one; choose it: --exposure 0")
        if not 0 <= (exposure or 0) < count:
            raise Refusal(f"the capture has exposures 0 .. {count - 1}, not {exposure}")
        image = np.asarray(next(islice(exposures, exposure or 0, None)))
        number = chosen(Capture(image[None], sensor), bucket)
        if sensor.readout.bits is None or sensor.colour == "rgb":
            what = "three colours a pixel" if sensor.colour == "rgb" else "charge, not DN"
            raise Refusal(f"cannot write {path}: the capture holds {what}; a DNG holds what a converter of so many bits gave out")
        mosaic = "" if sensor.colour == "mono" else shifted(sensor.colour, sensor.origin)
        with atomic_file(path) as partial:
            photometric = CFA if mosaic else "minisblack"  # tifffile would have linear raw only in colour
            tags = _tags(sensor, number, mosaic)
            plane = image[number].astype(np.uint16)
            tifffile.imwrite(partial, plane, photometric=photometric, software="c2b", metadata=None, extratags=tags)
            if not mosaic:
                with tifffile.TiffFile(partial, mode="r+") as tiff:
                    tiff.pages.first.tags["PhotometricInterpretation"].overwrite(LINEAR_RAW)


def _tags(sensor: Sensor, bucket: int, mosaic: str) -> list[tuple[int, int, int, Any, bool]]:
    readout = sensor.readout
    black, gain, read_noise = (
        float(np.broadcast_to(getattr(readout, name), sensor.buckets)[bucket]) for name in ("black_level", "gain", "read_noise")
    )
    white = 2 ** (readout.bits or 16) - 1
    span = white - black
    noise = (gain / span, ((gain * read_noise) ** 2 + 1 / 12) / span**2)
    tags: list[tuple[int, int, int, Any]] = [
        (DNG_VERSION, _BYTE, 4, bytes((1, 4, 0, 0))),
        (DNG_BACKWARD, _BYTE, 4, bytes((1, 3, 0, 0))),
        (CAMERA, _ASCII, 0, f"c2b {type(sensor).__name__} bucket {bucket}"),
        (BLACK_LEVEL, _RATIONAL, 1, (round(black * _MILLI), _MILLI)),
        (WHITE_LEVEL, _LONG, 1, white),
        (NOISE_PROFILE, _DOUBLE, 2, noise),
    ]
    if readout.bits and readout.companded_bits:  # levels are of what the table makes of the samples
        table = np.rint(expansion_table(readout.bits, readout.companded_bits)).astype(int).tolist()
        tags.append((LINEARIZATION, _SHORT, len(table), table))
    if sensor.duration:
        tags.append((EXPOSURE_TIME, _RATIONAL, 1, (max(1, round(sensor.duration * _MICROSECONDS)), _MICROSECONDS)))
    if mosaic:
        identity = (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1)
        tags += [
            (CFA_SIZE, _SHORT, 2, (2, 2)),
            (CFA_PATTERN, _BYTE, 4, bytes("rgb".index(letter) for letter in mosaic)),
            (COLOUR_MATRIX, _SRATIONAL, 9, identity),
            (NEUTRAL, _RATIONAL, 3, (1, 1) * 3),
            (ILLUMINANT, _SHORT, 1, DAYLIGHT),
        ]
    return [(*tag, True) for tag in sorted(tags)]
