"""Words to a recording: a file, a folder of images or a scene, how its values come from light, and which part of it.

::

    Source("clip.mkv", part=Part(frames="0:90", rows="0:720")).open()
    Source("occluding-objects:frames=18,seed=3", part=Part(channels="rgb")).open()
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sensors.refusal import Refusal

if TYPE_CHECKING:
    from c2b.video.recording import Recording

#: Largest side of a frame that is resized, in pixels.
LARGEST_SIDE = 2**16


@dataclass(frozen=True)
class Levels:
    """What the stored values of a video mean, where the file does not say it.

    Parameters
    ----------
    linearize
        How the stored values come from light: none, srgb, gamma:exponent=2.2. Default: what the file says of itself, else none.
    white
        The stored value of white, such as 4095 for 12 bit frames in 16. Default: what the file says, else its largest number.
    black
        The stored value of no light, such as 64. Default: what the file says, else 0.
    """

    linearize: str | None = None
    white: float | None = None
    black: float | None = None


@dataclass(frozen=True)
class Part:
    """Which part of a video, and as what.

    Parameters
    ----------
    channels
        Luma, three colour channels, or what is stored (a Bayer mosaic).
    frames
        A part such as 0:90, or with a step 0:90:2.
    rows
        A part such as 0:720.
    columns
        A part such as 0:1278.
    resize
        WIDTHxHEIGHT, or a share of the size such as 45%; Lanczos, after the crop.
    windows
        Every run of so many frames is an exposure of its own, such as 7 of an overlapping run from each frame on, or 7:3 of one from
        every third; the code must have as many frames.
    film_rate
        Frames per second at which the film was taken, where its file does not know it; a container knows only how fast it is played.
    sub_exposure
        Length of a sub-exposure, such as 40us: frames of faster film are added up, those of slower film made along the optical flow.
        Default: a frame of film is a sub-exposure.
    """

    channels: Literal["luma", "rgb", "stored"] = "luma"
    frames: str = ""
    rows: str = ""
    columns: str = ""
    resize: str = ""
    windows: str = ""
    film_rate: float | None = None
    sub_exposure: str = ""

    def of(self, video: Recording) -> Recording:
        """The part of a recording; nothing is read.

        Raises
        ------
        Refusal
            If the words are no ranges or sizes, or reach beyond the recording.
        """
        if self.film_rate is not None:
            if not 0 < self.film_rate < math.inf:
                raise Refusal(f"--film-rate {self.film_rate:g} is not a number of frames per second")
            video.rate, video.rate_nominal = self.film_rate, False
        rows, columns = range_of("--rows", self.rows, video.height), range_of("--columns", self.columns, video.width)
        lines = len(range(video.height)[rows or slice(None)]), len(range(video.width)[columns or slice(None)])
        part = video.window(
            frames=range_of("--frames", self.frames, len(video)),
            rows=rows,
            columns=columns,
            channels=None if self.channels == "stored" else self.channels,
            resize=_size("--resize", self.resize, lines),
        )
        if self.sub_exposure:
            from c2b.video.sub_exposures import SubExposures, seconds

            part = SubExposures(part, seconds("--sub-exposure", self.sub_exposure), self.film_rate is not None)
        return _runs("--windows", self.windows, part)


@dataclass(frozen=True)
class StoredPart(Part):
    """The same, with its channels as they are stored unless others are asked for."""

    channels: Literal["luma", "rgb", "stored"] = "stored"


#: What is said where nothing is said.
AS_FILED, WHOLE, AS_STORED = Levels(), Part(), StoredPart()


@dataclass(frozen=True)
class Source:
    """A recording, or the part of one that counts, in words. It can be pickled; the same light has the same `digest`.

    Parameters
    ----------
    video : str
        File, folder of images, or a scene of `c2b.SCENES` with settings.
    levels : Levels
    part : Part
    """

    video: str
    levels: Levels = AS_FILED
    part: Part = WHOLE

    def open(self) -> Recording:
        """The part of the recording, to be closed after use; no frame is read yet.

        Raises
        ------
        Refusal
            As `open_video` and `Part.of`.
        """
        levels = self.levels
        whole = open_video(self.video, linearize=levels.linearize, white=levels.white, black=levels.black)
        try:
            return self.part.of(whole)
        except BaseException:
            whole.close()
            raise

    def faster(self, times: int) -> Source:
        """The same where everything moves so many times as fast: every so-manyth of its frames.

        Raises
        ------
        Refusal
            If its part is a single frame, or ``times`` is below 1.
        """
        if times < 1:
            raise Refusal(f"speed={times} is not a number of frames from one to the next; needed: 1 or more")
        first, colon, rest = self.part.frames.partition(":")
        last, _, step = rest.partition(":")
        if times > 1 and self.part.frames and not colon:
            raise Refusal(f"--frames {self.part.frames} is a single frame, of which no sub-exposure can be skipped")
        try:
            frames = self.part.frames if times == 1 else f"{first}:{last}:{times * int(step or 1)}"
        except ValueError:
            raise Refusal(f"--frames {self.part.frames} is not a range such as 0:720") from None
        return replace(self, part=replace(self.part, frames=frames))

    @property
    def digest(self) -> str:
        """sha256 of what tells this light from other light: file, size and time, part, and what the numbers mean."""
        with self.open() as video:
            return hashlib.sha256(json.dumps(facts(video)).encode()).hexdigest()


def open_video(text: str, *, linearize: str | None = None, white: float | None = None, black: float | None = None) -> Recording:
    """A video file or folder, or a scene by its name such as ``occluding-objects:frames=18``; what is doubtful of it is told.

    Raises
    ------
    Refusal
        If there is none of that name, it is a capture, or a scene is to have another white.
    """
    from c2b import captures
    from c2b.scenes import SCENES
    from sensors import spec

    if text.partition(":")[0] in SCENES and not Path(text).exists():
        from c2b.scenes.as_recording import SceneRecording

        if linearize not in (None, "none") or white is not None or black is not None:
            raise Refusal(f"{text} is a scene: linear light, 1 = white; it takes neither --linearize nor --white nor --black")
        return SceneRecording(text)
    from c2b.video.recording import open_recording

    if not Path(text).exists() and not spec.is_file(text):
        raise Refusal(f"there is no file or folder {text}; {spec.unknown('scene', text.partition(':')[0], SCENES)}")
    kind = captures.format_of(text) if Path(text).is_file() else None
    if kind and not kind.holds_truth(Path(text)):
        raise Refusal(f"{text} is a capture, not a video; c2b reconstruct makes a video of it")
    recording = open_recording(text, response=linearize, white=white, black=black)
    _ = recording.notes  # looked for now, so that they are told before the work and not after it
    return recording


def facts(video: Recording) -> dict[str, Any]:
    """What tells the light of one recording from that of another, without reading it; JSON-able."""
    meaning = {name: getattr(video, name) for name in ("shape", "colour", "white", "black", "response")}
    path = video.path
    meaning |= {key: video.source[key] for key in ("sub_exposure", "film_rate") if key in video.source}
    meaning |= {"made_of": [place_and_time(file) for file in video.made_of]} if video.made_of else {}
    return {"file": place_and_time(path) if path.exists() else str(path), "part": part_text(video), "dtype": video.dtype.str, **meaning}


def part_text(video: Recording) -> str:
    """``frames 0:90:1 rows 0:720 columns 0:1278``, counted in the file; overlapping runs as ``frames 0:9 windows 7:1``."""
    index, (top, left, height, width) = video.frame_index, video.crop
    place = f"rows {top}:{top + height} columns {left}:{left + width}"
    if isinstance(index, range):
        return f"frames {index.start}:{index.stop}:{index.step} {place}"
    windows = f" windows {':'.join(map(str, video.runs))}" if video.runs else ""
    return f"frames {min(index)}:{max(index) + 1}{windows} {place}"


def step_of(video: Recording) -> int:
    """How many frames of the file it is from one frame of a recording to the next."""
    index = video.frame_index
    return abs(index[1] - index[0]) if len(index) > 1 else 1


def range_of(option: str, text: str, length: int) -> slice | None:
    """``10:90`` or ``10:90:2`` or ``7`` as a slice of so many; None for an empty text, which means all."""
    if not text:
        return None
    try:
        parts = [int(part) if part else None for part in text.split(":")]
        if len(parts) > 3 or parts == [None]:
            raise ValueError
    except ValueError:
        raise Refusal(f"{option} {text} is not a range such as 0:720") from None
    if any(edge is not None and not -length <= edge <= length for edge in parts[:2]):
        raise Refusal(f"{option} {text} reaches beyond the {length} there are")
    if len(parts) == 1 and parts[0] is not None:
        return slice(parts[0], parts[0] + 1 or None)
    return slice(*parts)


def _runs(option: str, text: str, part: Recording) -> Recording:
    """``7`` or ``7:3`` as the runs of a recording; itself for an empty text."""
    from c2b.video.runs import Runs

    if not text:
        return part
    length, colon, step = text.partition(":")
    if not all(number.isascii() and number.isdigit() and int(number) for number in (length, step if colon else "1")):
        raise Refusal(f"{option} {text} is not a number of frames such as 7, or 7:3 for a run from every third on")
    return Runs(part, int(length), int(step or 1))


def _size(option: str, text: str, whole: tuple[int, int]) -> tuple[int, int] | None:
    """``1200x720``, width first as one says it, or ``45%`` of the whole, as (height, width)."""
    if not text:
        return None
    if (share := text.removesuffix("%")) != text:
        try:
            height, width = (round(side * float(share) / 100) for side in whole)
        except (ValueError, OverflowError):
            height = width = 0
        if not (min(height, width) > 0 and max(height, width) <= LARGEST_SIDE):
            raise Refusal(f"{option} {text} is not a share of {whole[1]}x{whole[0]} such as 45%")
        return height, width
    across, _, down = text.partition("x")
    if not all(side.isascii() and side.isdigit() and 0 < int(side) <= LARGEST_SIDE for side in (across, down)):
        raise Refusal(f"{option} {text} is not WIDTHxHEIGHT such as 1200x720, up to {LARGEST_SIDE}x{LARGEST_SIDE}")
    return int(down), int(across)


def place_and_time(path: Path) -> list[Any]:
    """Place, size and time of the last change of a file, or of all files in a folder."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    stats = [each.stat() for each in files]
    return [str(path.resolve()), sum(s.st_size for s in stats), max((s.st_mtime_ns for s in stats), default=0)]
