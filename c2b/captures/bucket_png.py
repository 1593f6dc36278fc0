"""A folder of PNG pairs, as the Toronto two-bucket laboratory writes them: ``bucket1_0007.png`` and ``bucket2_0007.png``.

=====================================  =====================================================================================
file                                   content
=====================================  =====================================================================================
bucket1_ID.png (or ``bucket1 ID``)     what bucket 1 of that laboratory collected, 8 or 16 bit; our bucket 0
bucket2_ID.png                         the other; our bucket 1
BlackIms.mat ``blackLvl``              black level of each bucket, (2, H, W) or (H, W, 2); also blacklevel.mat ``blacklvl``
capture.json                           what this program adds: the document; or by hand as little as ``{"code": "code.npy"}``, also
                                       sensor, white, black, axes and origin (`c2b.captures.given`)
=====================================  =====================================================================================

Nothing in such a folder says what its code was, nor which bucket collects while it is 1: that laboratory's notes call the code the
activity of the first bucket, so bucket1 is taken as collecting while the code is 1, and ``"bucket1_active_when_code": 0`` says
otherwise. Pictures of 176x288 have dummy rows and columns and are cropped to rows 0:160, columns 10:248, unless ``rows`` and
``columns`` say otherwise. A black level is subtracted: what is left is charge in DN, of unknown white.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b import code_files, json_file, masks
from c2b.camera import sensor_of
from c2b.captures import CodeMissing, axes, mat_file, unit
from c2b.captures import document as documents
from c2b.captures.capture_format import CaptureFormat
from c2b.captures.document import Verify
from c2b.captures.given import KEYS as GIVEN
from c2b.captures.given import Code, Given
from c2b.natural_order import in_natural_order
from c2b.video import image_folder
from sensors import spec
from sensors.atomic_file import atomic_file
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.sensor import Sensor
from sensors.two_bucket import TwoBucket

SIDECAR = "capture.json"

#: Where the black level may stand: file and variable.
BLACK_LEVELS = {"BlackIms.mat": "blackLvl", "blacklevel.mat": "blacklvl"}

#: Size of the pictures with dummies, and the rows and columns that see light (1:160 and 11:248 in MATLAB's counting).
WITH_DUMMIES, SEEING = (176, 288), ((0, 160), (10, 248))

#: What capture.json may hold by hand.
KEYS = (*GIVEN, "rows", "columns", "bucket1_active_when_code")

CONVENTION = "bucket PNG pairs: bucket1 is our bucket 0, bucket2 our bucket 1; bucket1 collects while the code is "

_NAME = re.compile(r"bucket([12])[ _](.+)\.png", re.IGNORECASE)


class BucketPng(CaptureFormat):
    """Read and write a folder ``NAME/``."""

    suffix = "/"
    needs_code = True
    read_options = ("swap",)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """A folder with bucket1 and bucket2 pictures."""
        return path.is_dir() and bool(_pictures(path))

    @classmethod
    def summary(cls, path: Path) -> dict[str, Any]:
        """How many pairs there are, and what lies beside them."""
        beside = [name for name in (SIDECAR, *BLACK_LEVELS) if (path / name).is_file()]
        return {"format": "bucket PNG pairs", "pairs": len(_pairs(path)), "beside them": ", ".join(beside) or "nothing"}

    @classmethod
    def read(cls, path: Path, *, verify: Verify = True, given: Given | None = None, swap: bool = False) -> Capture:
        """The pairs as a two-bucket capture.

        Parameters
        ----------
        path : Path
        verify : bool
            Compare with the sha256 of capture.json, where this program wrote it.
        given : Given, optional
            What the user states; its code and the rest go before what capture.json says.
        swap : bool
            bucket1 collects while the code is 0.

        Raises
        ------
        Refusal
            If pictures lack or differ, nobody says what the code was, or capture.json holds a key that has no meaning.
        """
        facts, said = _sidecar(path), given or Given()
        with documents.reading(path):
            pairs = _pairs(path)
            first = not (swap or facts.get("bucket1_active_when_code", 1) == 0)
            images = np.stack([np.stack([_picture(file) for file in (pair if first else pair[::-1])]) for pair in pairs])
            if "schema" in facts and not said.names_a_code and not swap:
                document = documents.parsed(json.dumps(facts), path)
                arrays = {
                    name: np.load(path / f"{name}.npy", allow_pickle=False) for name in document["arrays"] if name != "meas"
                }
                return unit.restated(documents.capture_of(document, images, arrays, path, verify=verify), said)
            by_hand = {} if "schema" in facts else facts
            return _uncalibrated(path, images, said.checked().over(by_hand, path / SIDECAR), by_hand, first)

    @classmethod
    def write(cls, path: str | Path, sensor: Sensor, exposures: Iterable[NDArray], count: int, record: Mapping[str, Any]) -> None:
        """Write pairs of PNG, black level, and capture.json, from which `read` makes the same capture again."""
        path = Path(path)
        sha = hashlib.sha256()
        first, images = documents.in_turn(exposures, count, sha, path)
        if len(first) != 2 or first.ndim != 3 or first.dtype not in (np.uint8, np.uint16):
            raise Refusal(
                f"cannot write {path}: PNG pairs hold two grey buckets of 8 or 16 bit, not {first.dtype} {first.shape}; "
                "take the capture with a readout of so many bits"
            )
        digits = max(4, len(str(count - 1)))
        with atomic_file(path) as partial:
            partial.mkdir()
            for number, image in enumerate(images):
                for bucket in (0, 1):
                    image_folder.write_png(partial / f"bucket{bucket + 1}_{number:0{digits}}.png", image[bucket])
            document, arrays = documents.describe(sensor, record, sha.hexdigest(), first)
            for name, array in arrays.items():
                np.save(partial / f"{name}.npy", array)
            (partial / SIDECAR).write_text(documents.text_of(document), encoding="utf-8")
            black = np.broadcast_to(np.reshape(sensor.readout.black_level, (-1, 1, 1)), first.shape)
            mat_file.write_v5(partial / "BlackIms.mat", {"blackLvl": black.astype(np.float64)})


def _pictures(path: Path) -> dict[tuple[str, str], Path]:
    """Bucket (``1`` or ``2``) and ID of each picture."""
    found = ((_NAME.fullmatch(file.name), file) for file in path.iterdir())
    return {(match[1], match[2]): file for match, file in found if match}


def _pairs(path: Path) -> list[tuple[Path, Path]]:
    pictures = _pictures(path)
    names = in_natural_order({name for _, name in pictures})
    for name in names:
        for bucket in "12":
            if (bucket, name) not in pictures:
                raise Refusal(f"{path}: bucket{bucket}_{name}.png is missing; every exposure is a pair bucket1, bucket2")
    if not names:
        raise Refusal(f"{path} holds no pairs bucket1_ID.png, bucket2_ID.png")
    return [(pictures["1", name], pictures["2", name]) for name in names]


def _picture(file: Path) -> NDArray:
    _, dtype, colour = image_folder.header(file)
    if colour != "mono":
        raise Refusal(f"{file} is in colour; a bucket is grey")
    return image_folder.deep_pixels(file, colour) if dtype == np.uint16 else image_folder.pixels(file, colour)


def _sidecar(path: Path) -> dict[str, Any]:
    file = path / SIDECAR
    if not file.is_file():
        return {}
    try:
        facts = json_file.read(file)
    except ValueError as error:
        raise Refusal(f"{file} is damaged ({error}); mend it or remove it") from None
    if not isinstance(facts, dict):
        raise Refusal(f'{file} is damaged: it is one JSON object such as {{"code": "code.npy"}}')
    for key in () if "schema" in facts else facts:
        if key not in KEYS:
            raise Refusal(f"{file}: {spec.unknown('key', key, KEYS)}")
    if facts.get("bucket1_active_when_code", 1) not in (0, 1):
        raise Refusal(f"{file}: bucket1_active_when_code is 0 or 1, not {facts['bucket1_active_when_code']!r}")
    return facts


def _uncalibrated(path: Path, images: NDArray, said: Given, facts: Mapping[str, Any], first: bool) -> Capture:
    """The part of the pictures that sees light, above black, under the code that was said."""
    code = said.code_given()
    if code is None:
        raise CodeMissing(
            f'{path} does not say what its code was; give --code, or put {SIDECAR} with {{"code": "code.npy"}} into it'
        )
    rows, columns = (facts.get(key) for key in ("rows", "columns"))
    if images.shape[2:] == WITH_DUMMIES:
        rows, columns = rows or SEEING[0], columns or SEEING[1]
    top, bottom = _range("rows", rows, images.shape[2], path)
    left, right = _range("columns", columns, images.shape[3], path)
    seen = images[:, :, top:bottom, left:right]
    record: dict[str, Any] = {"convention": CONVENTION + str(int(first)), "source": {"path": str(path)}, "response": "none"}
    record["cut"] = [top, left, bottom - top, right - left]
    sensor, laid = _sensor(code, said, seen, path)
    record["mask"] = {
        **({"file": code.label} if code.label else {}),
        **masks.describe(sensor.code),
        **({"laid": laid} if laid else {}),
    }
    if said.sensor:
        record["sensor_spec"] = said.sensor
    if not sensor.readout.ideal:
        if said.white is not None or said.black is not None:
            raise Refusal(f"the sensor {said.sensor} has a black level and a white of its own; leave white and black out")
        return Capture(seen, sensor, record)
    if (given := said.black_of((bottom - top, right - left))) is not None:
        seen, record["black_level"] = seen.astype(np.float32) - given, f"{said.by}, subtracted"
    elif (black := _black_level(path, images.shape, seen.shape, (top, left), first)) is not None:
        seen, record["black_level"] = seen - black[1], f"{black[0]}, subtracted"
    if said.white is not None:
        record |= {"white": float(said.white), "provenance": {"white": said.by}}
    else:
        record |= {"white": unit.white_by_brightest(seen, sensor), "provenance": {"white": unit.BRIGHTEST}}
    return Capture(seen, sensor, record)


def _sensor(code: Code, said: Given, seen: NDArray, path: Path) -> tuple[Sensor, str]:
    """The sensor under the code with time first, and how the code covers the frame, in words."""
    values, shape = code.values, seen.shape[2:]
    if values.ndim == 3 and not code.time_first:
        shapes, usual = {"meas": (len(seen), *shape), "mask": values.shape}, {"meas": axes.FIRST, "mask": code.order}
        stated = {**axes.parse(said.axes), "meas": axes.FIRST}
        if axes.settle(shapes, usual, stated, together=(), where=path)["mask"] == axes.LAST:
            values = np.moveaxis(values, -1, 0)
    values, _ = code_files.as_fractions(values)
    origin, laid = masks.placed(values, shape, said.origin, code.label or "the code", named=code.named)
    if not said.sensor:
        return TwoBucket(np.ascontiguousarray(values), origin=origin), laid
    sensor = sensor_of(said.sensor, np.ascontiguousarray(values), origin=origin)
    if sensor.buckets != 2:
        raise Refusal(f"{path} holds pairs of pictures, of two buckets; the sensor {said.sensor} has {sensor.buckets}")
    return sensor, laid


def _range(what: str, value: Any, size: int, path: Path) -> tuple[int, int]:
    if value is None:
        return 0, size
    if not (isinstance(value, (list, tuple)) and len(value) == 2 and all(type(v) is int for v in value)):
        raise Refusal(f"{path / SIDECAR}: {what} is [first, last + 1], not {value!r}")
    if not 0 <= value[0] < value[1] <= size:
        raise Refusal(f"{path / SIDECAR}: {what} {list(value)} reach beyond the {size} there are")
    return value[0], value[1]


def _black_level(
    path: Path, whole: tuple[int, ...], cut: tuple[int, ...], corner: tuple[int, int], first: bool
) -> tuple[str, NDArray[np.float32]] | None:
    """Name of the file, and black level (2, H, W) of the part that is kept, in our order of buckets."""
    for name, variable in BLACK_LEVELS.items():
        if (path / name).is_file():
            level = mat_file.arrays(path / name, (variable,))[variable]
            level = np.moveaxis(level, 2, 0) if level.ndim == 3 and level.shape[2] == 2 != level.shape[0] else level
            if level.shape == whole[1:]:
                level = level[:, corner[0] : corner[0] + cut[2], corner[1] : corner[1] + cut[3]]
            if level.shape != cut[1:]:
                raise Refusal(f"{path / name}: {variable} has shape {level.shape}; needed: {whole[1:]} or {cut[1:]}")
            return name, (level if first else level[::-1]).astype(np.float32)
    return None
