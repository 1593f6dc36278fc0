"""A recording: frames of light as a camera or a file stored them, read only when sliced."""

from __future__ import annotations

import logging
import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, overload

import numpy as np
from numpy.typing import NDArray

from c2b.video import FORMATS, sidecar
from c2b.video.orientation import UPRIGHT, upright
from c2b.video.plausibility import doubts, refuse_beyond, refuse_floats
from sensors import spec
from sensors.refusal import Refusal
from sensors.response import linearise
from sensors.response import make as make_response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: The first bytes of a file that a format may look at.
HEAD = 64

#: Numbers in a frame that is stored compressed, twice 8K video: a larger one is a damaged file or a bomb. What is stored as it is may
#: be as large as its file.
LARGEST_FRAME = 1 << 26

#: Where notes go beside `Recording.notes`; unless a program handles them, Python prints them to standard error.
_LOG = logging.getLogger("c2b.video")

#: ITU-R 601 weights of red, green and blue in units of 1/65536, as Pillow has them for ``convert("L")``.
LUMA = (19595, 38470, 7471)


def open_recording(
    path: str | Path, *, response: str | None = None, white: float | None = None, black: float | None = None
) -> Recording:
    """Open a video file or folder of images; no frame is read yet.

    The format is chosen by content, then by suffix. What the numbers mean comes from the arguments, else from the sidecar
    (`c2b.video.sidecar`), else from the file; a response that nobody states is ``"none"``, never guessed.

    Parameters
    ----------
    response : str, optional
        ``none``, ``srgb`` or ``gamma:exponent=2.2``.
    white, black : float, optional
        Stored values of irradiance 1 and 0, such as 4095 for 12 bit frames in 16.

    Raises
    ------
    Refusal
        If the path is absent, empty, damaged or of no known format.
    """
    name, kind = _format_of(Path(path))
    recording = kind(Path(path))
    recording.format, recording.doubted = name, True
    try:
        given = {"response": response, "white": white, "black": black}
        return sidecar.apply(recording, {key: value for key, value in given.items() if value is not None})
    except BaseException:
        recording.close()
        raise


def read_video(
    path: str | Path,
    *,
    response: str | None = None,
    frames: slice | None = None,
    white: float | None = None,
    black: float | None = None,
) -> NDArray[np.float32]:
    """The irradiance of a video file, (T, H, W) or (T, H, W, 3), 1 = white: `open_recording`, sliced and linearised."""
    with open_recording(path, response=response, white=white, black=black) as recording:
        return recording.window(frames=frames).irradiance()


class Recording(ABC):
    """Frames as stored, and what their numbers mean.

    A format is a subclass: ``__init__(path)`` reads the header and sets `path`, `shape`, `dtype` and what else the file knows;
    `_read` gives frames; `recognises` tells its files by their first bytes. A format that can be written also has `stores`, `loses`
    and `write`. Raw camera formats hand out DN as they are, with `black`, `white`, `colour`, `rate` and `shutter` set.

    Attributes
    ----------
    path : Path
    shape : tuple of int
        (frames, height, width), or (frames, height, width, 3) for colour.
    dtype : numpy.dtype
        uint8, uint16 or float32.
    white, black : float
        Stored values of irradiance 1 and 0.
    white_stated : bool
        Whether the file, its sidecar or the user says what `white` is; else it is the largest number of the dtype, or 1.
    bits : int or None
        Bits of a sample by the file's own word; larger numbers are refused when they are read.
    camera : bool
        Whether the format holds digital numbers of a camera, whose darkest are at the black level.
    doubted : bool
        Whether its numbers are another program's, to be held against what is declared of them (`c2b.video.plausibility`).
    response : str
        How stored values come from light: a name of `sensors.RESPONSES` with its settings.
    rate : float or None
        Frames per second, where the file knows.
    rate_nominal : bool
        Whether `rate` is only the playing speed written into a container, which says nothing about a high-speed camera.
    shutter : float or None
        Exposure of one frame, s.
    colour : str
        ``mono``, ``rgb``, or the Bayer pattern of the top left 2x2 pixels, such as ``rggb``.
    record : mapping
        What the writer of the file noted: method, frame_index, crop ...
    notes : tuple of str
        What a user should hear of the file that is no mistake, such as a sidecar that is not about it.
    orientation : int
        How frames are stored, 1 to 8 (`c2b.video.orientation`); they are handed out upright, and `shape` is of them so.
    presentation : mapping of str to str
        How frames are shown, where a user should know: what was done for their ``orientation`` and ``alpha``, and their
        ``timing`` where the rate varies. In `record` and `source` too.
    broken_off : str
        What is missing of a recording that ends before the file says, such as "it holds 37 of 100 frames"; empty if nothing is.
        `shape` is of the frames that are there.
    made_of : tuple of Path
        Files that frames are computed from, which are not its own.
    runs : (int, int) or None
        Where it is made of runs of frames (`c2b.video.runs`): how many frames each has, and from where to where they start. A camera
        must make one exposure of each.
    """

    title: ClassVar[str] = ""
    suffixes: ClassVar[tuple[str, ...]] = ()
    camera: ClassVar[bool] = False

    format: str = ""
    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    white: float
    black: float = 0.0
    white_stated: bool = False
    bits: int | None = None
    doubted: bool = False
    response: str = "none"
    rate: float | None = None
    rate_nominal: bool = False
    shutter: float | None = None
    colour: str = "mono"
    record: Mapping[str, Any] = MappingProxyType({})
    _notes: tuple[str, ...] = ()
    _looked: bool = False
    orientation: int = UPRIGHT
    presentation: Mapping[str, str] = MappingProxyType({})
    broken_off: str = ""
    made_of: tuple[Path, ...] = ()
    runs: tuple[int, int] | None = None

    def __init__(self, path: Path) -> None:
        """Read the header; a Refusal if it is damaged."""
        self.path = path

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """Whether the file that begins with these (at most `HEAD`) bytes is of this format; ``head`` of a folder is empty."""
        return False

    @classmethod
    def stores(cls, path: Path, dtype: np.dtype, colour: bool) -> np.dtype:
        """The dtype in which `write` would store frames given as ``dtype`` (uint8, uint16 or float32), or a Refusal."""
        raise Refusal(f"cannot write {path}: {cls.title} is a format that is only read")

    @classmethod
    def loses(cls, path: Path) -> str:
        """What a file of that name does not keep of frames that have its dtype, in a few words; empty if it keeps all."""
        return ""

    @classmethod
    def write(cls, path: Path, frames: Iterator[NDArray], shape: tuple[int, ...], dtype: np.dtype, rate: float) -> None:
        """Write frames, each (H, W[, 3]) of the dtype that `stores` named, to a new file or folder; ``shape`` is of the whole."""
        raise NotImplementedError

    @abstractmethod
    def _read(self, frames: range) -> NDArray:
        """Frames as stored, not yet upright, (n, H, W[, 3]), a view where possible; ``frames`` is ascending, not empty, inside."""

    def _read_luma(self, frames: range) -> NDArray:
        return luma(self._read(frames))

    def break_off(self, there: int, announced: int | str, rest: str = "") -> None:
        """Say in `broken_off` that only so many of the frames are there.

        Raises
        ------
        Refusal
            If there is none.
        """
        self.broken_off = f"it holds {there} of {announced} frames{rest}"
        if not there:
            raise Refusal(f"{self.path} is cut short: {self.broken_off}")

    def close(self) -> None:  # noqa: B027  most formats hold nothing open
        """Let go of the file; reading afterwards is an error."""

    def note(self, line: str) -> None:
        """Keep a doubt in `notes` and tell it, once: for readers, of what they go on with and a user should know."""
        if line not in self._notes:
            self._notes = (*self._notes, line)
            _LOG.warning("%s: %s", self.path, line)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is doubtful about these frames, a line each; the first, the middle and the last are looked at when first asked.

        Raises
        ------
        Refusal
            If they hold numbers that the bits declared in the file cannot.
        """
        if self.doubted and not self._looked and (shown := self._looked_at()):
            self._looked = True
            try:
                frames = self._read(shown)
            except (Refusal, OSError):  # a damaged frame is told of when it is asked for
                return self._notes
            refuse_beyond(frames, self, shown)
            for line in doubts(frames, self):
                self.note(line)
        return self._notes

    def _looked_at(self) -> range:
        """The frames that `notes` are about; none where nothing can be doubted, as in 8 bit video."""
        return range(0, len(self), max(1, (len(self) - 1) // 2))[:3] if self.camera or self.dtype != np.uint8 else range(0)

    @property
    def height(self) -> int:
        """Rows of a frame."""
        return self.shape[1]

    @property
    def width(self) -> int:
        """Columns of a frame."""
        return self.shape[2]

    @property
    def frame_index(self) -> Sequence[int]:
        """Numbers of these frames in the file."""
        return range(len(self))

    @property
    def crop(self) -> tuple[float, float, float, float]:
        """Top, left, height and width of these frames in pixels of the file."""
        return 0, 0, self.height, self.width

    @property
    def source(self) -> dict[str, Any]:
        """Which part of which file this is, for the record of a capture; JSON-able."""
        index = self.frame_index
        step = index[1] - index[0] if len(index) > 1 else 1
        part = {"path": str(self.path), "first": index[0], "step": step, "frames": len(index), "crop": list(self.crop)}
        return {**part, **self.presentation}

    def __len__(self) -> int:
        return self.shape[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @overload
    def __getitem__(self, item: int) -> NDArray: ...
    @overload
    def __getitem__(self, item: slice) -> NDArray: ...
    def __getitem__(self, item: int | slice) -> NDArray:
        """One frame (H, W[, 3]) or several (n, H, W[, 3]), as stored; slices and negative numbers as for an array."""
        if isinstance(item, slice):
            return self.read(range(len(self))[item])
        number = operator.index(item)
        if not -len(self) <= number < len(self):
            raise IndexError(f"frame {number} is out of range: {self.path} has {len(self)} frames")
        return self.read(range(len(self))[number : number + 1 or None])[0]

    def read(self, frames: range) -> NDArray:
        """The numbered frames as stored, (n, H, W[, 3]), in the order asked for.

        Raises
        ------
        Refusal
            If a frame is damaged, or holds NaN or infinite values.
        """
        if not frames:
            return np.empty((0, *self.shape[1:]), self.dtype)
        return self._in_order(frames, self._read)

    def luma(self, frames: range) -> NDArray:
        """The numbered frames as grey, (n, H, W): see `luma`; grey frames as they are."""
        if self.colour == "mono" or not frames:
            return self.read(frames) if self.colour == "mono" else np.empty((0, *self.shape[1:3]), self.dtype)
        if self.colour != "rgb":
            raise Refusal(f"{self.path} is a {self.colour} mosaic and has no luma; demosaic it first")
        return self._in_order(frames, self._read_luma)

    def irradiance(self, start: int | None = None, stop: int | None = None) -> NDArray[np.float32]:
        """Frames start to stop in linear light, (n, H, W[, 3]), 1 = white: black level and response undone."""
        return linearise(self[start:stop], make_response(self.response), black=self.black, white=self.white)

    def window(
        self,
        *,
        frames: slice | None = None,
        rows: slice | None = None,
        columns: slice | None = None,
        channels: Literal["luma", "rgb"] | None = None,
        resize: tuple[int, int] | None = None,
    ) -> Recording:
        """A part of this recording; nothing is read before the part is. It remembers where it lies: `frame_index`, `crop`.

        Parameters
        ----------
        frames, rows, columns : slice, optional
            Frames may have a step, also a negative one.
        channels : {"luma", "rgb"}, optional
            ``luma`` makes colour grey, ``rgb`` repeats grey three times; default: as stored.
        resize : (height, width), optional
            Lanczos, of the stored values, after the crop.
        """
        from c2b.video.window import Window

        return Window(self, frames=frames, rows=rows, columns=columns, channels=channels, resize=resize)

    def describe(self) -> dict[str, Any]:
        """The facts of this recording, JSON-able."""
        keys = ("white", "black", "response", "rate", "rate_nominal", "shutter", "colour")
        size = {"format": self.format, "path": str(self.path), "frames": len(self), "height": self.height, "width": self.width}
        notes = {"notes": list(self.notes)} if self.notes else {}
        return {**size, "dtype": self.dtype.name, **{key: getattr(self, key) for key in keys}, **notes}

    def _in_order(self, frames: range, read: Callable[[range], NDArray]) -> NDArray:
        ascending = frames if frames.step > 0 else frames[::-1]
        block = upright(read(ascending), self.orientation)
        if block.dtype.kind == "f":
            refuse_floats(block, self, ascending)
        else:
            refuse_beyond(block, self, ascending)
        return block if frames.step > 0 else block[::-1]


def luma(frames: NDArray) -> NDArray:
    """Grey from colour: the ITU-R 601 sum of the *stored* (gamma-encoded) red, green and blue, as published tables use it.

    8 bit is rounded exactly as Pillow's ``convert("L")`` does, (19595 R + 38470 G + 7471 B + 32768) >> 16; 16 bit likewise; float
    is not rounded.

    Parameters
    ----------
    frames : ndarray of uint8, uint16 or float32, (..., 3)

    Returns
    -------
    ndarray, (...), of the same dtype
    """
    red, green, blue = (frames[..., c] for c in range(3))
    if frames.dtype.kind == "f":
        r, g, b = np.array(LUMA, np.float32) / 65536
        return r * red + g * green + b * blue
    r, g, b = np.array(LUMA, np.uint32)
    return ((r * red + g * green + b * blue + np.uint32(32768)) >> np.uint32(16)).astype(frames.dtype)


def refuse_too_large(shape: tuple[int, ...], where: object) -> None:
    """A Refusal if a frame (H, W[, samples]) that has to be decompressed is larger than `LARGEST_FRAME`."""
    if math.prod(shape) > LARGEST_FRAME:
        raise Refusal(
            f"{where} claims a compressed frame of {'x'.join(map(str, shape))}; up to {LARGEST_FRAME} numbers are decoded"
        )


def _format_of(path: Path) -> tuple[str, type[Recording]]:
    if not path.exists():
        raise Refusal(f"there is no file or folder {path}")
    head = b""
    if not path.is_dir():
        with path.open("rb") as file:
            head = file.read(HEAD)
        if not head:
            raise Refusal(f"{path} is empty")
    for name in FORMATS:  # one by one: some formats are heavy to import
        kind: type[Recording] = spec.find(FORMATS, "video format", name)
        if kind.recognises(path, head):
            return name, kind
    kinds: dict[str, type[Recording]] = {name: spec.find(FORMATS, "video format", name) for name in FORMATS}
    for name, kind in kinds.items():
        if head and path.suffix.lower() in kind.suffixes:
            return name, kind
    raise Refusal(f"{path} is not a video that c2b reads; known formats: {', '.join(kind.title for kind in kinds.values())}")
