"""A photograph as a capture: one exposure of an ordinary camera, of so many sub-exposures as a video out of it is to have frames.

A photograph has no number of frames and no code, and what its values mean is seldom said. So it counts as an exposure of `FRAMES`
frames by a conventional sensor. Its values are taken as light as they are stored, since methods for such pictures learn from the mean
of stored values; the video has them encoded the same way, and the record says by which response that is, and what is assumed.

Folders of colour pictures and video are as many exposures, read one by one; what `c2b blur` wrote knows its frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b.video import FORMATS, colour_profile, sidecar
from c2b.video.image_folder import ImageFolder
from c2b.video.recording import Recording, open_recording
from sensors import spec
from sensors.capture import Capture
from sensors.conventional import Conventional
from sensors.refusal import Refusal

#: Frames of a video out of a photograph that nobody states; as many as the published systems make.
FRAMES = 7

#: The method for a photograph if none is named.
METHOD = "motion"

#: Suffixes of files that hold one picture.
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")

#: Key of the record of a video of blurred pictures, as `c2b blur` writes it.
BLUR = "blur"


def is_picture(path: Path) -> bool:
    """Whether a path is a file that holds one picture, by its suffix."""
    return path.suffix.lower() in PICTURES and path.is_file()


def may_be(path: Path) -> bool:
    """Whether a path is a picture, a video container, a folder of colour pictures, or what `c2b blur` wrote."""
    if path.is_dir():
        return _is_blurred(path) or _is_colour(path)
    kind = spec.find(FORMATS, "video format", "container")
    return path.is_file() and path.suffix.lower() in (*PICTURES, *kind.suffixes)


def read_photograph(path: Path, *, frames: int | None = None) -> Capture:
    """The capture that a photograph is.

    Parameters
    ----------
    path : Path
        A picture of any size: grey or colour, 8 or 16 bit, alpha dropped, turned as EXIF says; or several (`may_be`).
    frames : int, optional
        T; default: as `c2b blur` noted, where all pictures average as many, else `FRAMES`.

    Returns
    -------
    Capture
        N exposures (N, 1, H, W[, 3]) of a conventional sensor. The record has ``encoding``, and ``assumed`` where something is.

    Raises
    ------
    Refusal
        If it cannot be read, is a mosaic, or averages other numbers of frames than are asked for.
    """
    if frames is not None and frames < 1:
        raise Refusal(f"--frames {frames}: a video has 1 frame or more")
    recording = sidecar.apply(ImageFolder(path), {}) if is_picture(path) else open_recording(path)
    if recording.colour not in ("mono", "rgb"):
        raise Refusal(f"{path} is a {recording.colour} mosaic, which is no photograph; give it with --code and --sensor")
    noted, assumed = _frame_index(recording, frames), []
    if frames is None:
        frames = len(noted[0]) if noted else FRAMES
        assumed += [] if noted else [f"{frames} frames (--frames states another number)"]
    encoding, by = _encoding(recording)
    assumed += [] if by else [f"encoded by {encoding}"]
    if isinstance(recording, ImageFolder) and recording.colour == "rgb" and colour_profile.other_primaries(recording.first):
        assumed.append("primaries of sRGB, which its ICC profile does not have (a wide gamut looks paler)")
    sensor = Conventional(np.ones((frames, 1, 1), np.uint8), colour=recording.colour)
    record: dict[str, Any] = {
        "white": (recording.white - recording.black) / frames,
        "response": "none",
        "encoding": f"{encoding}, as {by} says" if by else f"{encoding} (assumed)",
        "source": recording.source,
        "sensor_spec": "conventional",
        "code_spec": f"long:frames={frames}",
    }
    record |= {"assumed": assumed} if assumed else {}
    record |= {"frame_index": noted} if noted else {}
    record |= {key: recording.record[key] for key in ("crop", "resize", "source") if noted and key in recording.record}
    if recording.rate and not recording.rate_nominal:
        record["rate"] = recording.rate * frames
    exposures: Any = Exposures(recording)
    return Capture(exposures[:] if len(recording) == 1 else exposures, sensor, record)


@dataclass(frozen=True)
class Exposures:
    """The pictures of a recording as the images of a capture, (N, 1, H, W[, 3]), read when they are sliced."""

    recording: Recording

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, 1, H, W[, 3])."""
        count, *size = self.recording.shape
        return count, 1, *size

    @property
    def ndim(self) -> int:
        """4, or 5 in colour."""
        return len(self.shape)

    def __len__(self) -> int:
        return len(self.recording)

    def __getitem__(self, item: Any) -> Any:
        if not isinstance(item, slice):
            return np.asarray(self)[item]
        images, black = self.recording[item], self.recording.black
        return (images - np.float32(black) if black else images)[:, None]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        return np.asarray(self[:], dtype)


def _is_blurred(path: Path) -> bool:
    try:
        facts = sidecar.read(path)
    except Refusal:
        return False
    record = facts.get("record")
    return isinstance(record, dict) and BLUR in record


def _is_colour(folder: Path) -> bool:
    try:
        return ImageFolder(folder).colour == "rgb"
    except Refusal:
        return False


def _frame_index(recording: Recording, frames: int | None) -> list[list[int]]:
    """Which frames of the film the video of each picture is to show, where `c2b blur` noted what the pictures average.

    Where they average more, as many as asked for, evenly spread from the first to the last; nothing where they average fewer.
    """
    noted = recording.record.get("frame_index") if BLUR in recording.record else None
    if noted is None:
        return []
    try:
        index = [[int(number) for number in numbers] for numbers in noted]
    except (TypeError, ValueError):
        index = []
    lengths = {len(numbers) for numbers in index}
    if len(index) != len(recording) or 0 in lengths:
        raise Refusal(f"the record of {recording.path} is damaged: its frame_index is not a list of frames for each picture")
    count = frames or (lengths.pop() if len(lengths) == 1 else FRAMES)
    if min(map(len, index)) < count:
        return []
    return [[numbers[round(k)] for k in np.linspace(0, len(numbers) - 1, count)] for numbers in index]


def _encoding(recording: Recording) -> tuple[str, str]:
    """The response by which values are encoded, and who says so."""
    if "response" in sidecar.read(recording.path):
        return recording.response, "the sidecar"
    if isinstance(recording, ImageFolder):
        return colour_profile.encoding(recording.first)
    return colour_profile.ASSUMED, ""
