"""A folder of still images, one per frame, in natural order: frame2 before frame10."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b.natural_order import in_natural_order, missing
from c2b.video import orientation
from c2b.video.recording import Recording, refuse_too_large
from sensors.refusal import Refusal

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = (".jpg", ".jpeg")

#: Samples of a pixel in the formats that a PNG of 16 bit is decoded to.
_DEEP = {"gray16be": 1, "ya16be": 2, "rgb48be": 3, "rgba64be": 4}

#: Tag of the orientation, and where Pillow finds EXIF in a PNG before its pixels.
_ORIENTATION = 274
_EXIF_IN_PNG = {"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"}

_WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)


class ImageFolder(Recording):
    """PNG of 8 or 16 bit, JPEG or BMP; grey or colour, a palette counting as colour, alpha dropped, each turned as its EXIF says.

    Opening reads the header of the first image only; every other one is held against it when it is read. `presentation` is that of
    the first. Hidden files and files that are no images are passed over.
    """

    title = "folder of PNG, JPEG or BMP images"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._files = _images(path)
        self._size, self.dtype, self.colour = header(self._files[0])
        self.shape = (len(self._files), *self._size, *((3,) if self.colour == "rgb" else ()))
        self.white = float(np.iinfo(self.dtype).max)
        self.presentation = _presentation(self._files[0])
        if gaps := missing(file.stem for file in self._files):
            last = f" to {gaps[-1]}" if len(gaps) > 1 else ""
            self.note(
                f"{len(gaps)} of the numbers in the names {'are' if len(gaps) > 1 else 'is'} missing ({gaps[0]}{last}); the "
                f"{len(self._files)} images are taken as frames that follow each other"
            )

    @property
    def first(self) -> Path:
        """The file of the first image."""
        return self._files[0]

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        return path.is_dir()

    @classmethod
    def stores(cls, path: Path, dtype: np.dtype, colour: bool) -> np.dtype:
        if dtype.kind == "f":
            return np.dtype(np.uint8 if colour else np.uint16)
        return dtype

    @classmethod
    def write(cls, path: Path, frames: Iterator[NDArray], shape: tuple[int, ...], dtype: np.dtype, rate: float) -> None:
        path.mkdir()
        digits = max(4, len(str(shape[0] - 1)))
        for number, frame in enumerate(frames):
            write_png(path / f"frame{number:0{digits}}.png", frame)

    def _read(self, frames: range) -> NDArray:
        out = np.empty((len(frames), *self.shape[1:]), self.dtype)
        for target, number in zip(out, frames, strict=True):
            target[...] = self._image(self._files[number])
        return out

    def _image(self, file: Path) -> NDArray:
        size, dtype, colour = header(file)
        if size != self._size:
            here, first = (f"{height}x{width} (height x width)" for height, width in (size, self._size))
            raise Refusal(f"{file} is {here}, the first frame {self._files[0].name} is {first}")
        if (dtype, colour) != (self.dtype, self.colour):
            here, first = f"{colour} {dtype.name}", f"{self.colour} {self.dtype.name}"
            raise Refusal(f"{file} is {here}, the first frame {self._files[0].name} is {first}")
        try:
            return deep_pixels(file, colour) if dtype == np.uint16 else pixels(file, colour)
        except _DAMAGED as error:
            raise _damaged(file, error) from None


def _images(path: Path) -> list[Path]:
    """The images of a folder in natural order; or one image, which is a recording of one frame."""
    if path.is_file():
        return [path]
    files = [p for p in path.iterdir() if p.suffix.lower() in (".png", ".bmp", *_JPEG) and not p.name.startswith(".")]
    if not files:
        raise Refusal(f"the folder {path} holds no PNG, JPEG or BMP images")
    kinds = {"JPEG" if p.suffix.lower() in _JPEG else p.suffix[1:].upper() for p in files}
    if len(kinds) > 1:
        both = " and ".join(sorted(kinds, reverse=True))
        raise Refusal(f"the folder {path} holds both {both} images; give each video a folder of its own")
    return [path / name for name in in_natural_order(file.name for file in files)]


def header(file: Path) -> tuple[tuple[int, int], np.dtype, str]:
    """Height and width (upright), dtype and colour of an image, from its first bytes."""
    with _opened(file) as image, file.open("rb") as stream:
        head, mode, (width, height) = stream.read(26), image.mode, image.size
        refuse_too_large((height, width), file)
        size = orientation.size_upright(height, width, _orientation(image, file))
    deep = (head.startswith(_PNG) and head[24] == 16) or mode.startswith("I")
    # A PNG says "grey" in bit 2 of its colour type; Pillow opens 16 bit grey with alpha as colour.
    grey = head[25] & 2 == 0 if head.startswith(_PNG) else mode in ("1", "L", "LA", "I", "I;16", "I;16B")
    return size, np.dtype(np.uint16 if deep else np.uint8), "mono" if grey else "rgb"


def pixels(file: Path, colour: str) -> NDArray:
    """An image of 8 bit, upright, (H, W) or (H, W, 3)."""
    from PIL import Image

    wanted = "RGB" if colour == "rgb" else "L"
    with Image.open(file) as image:
        stored = np.asarray(image if image.mode == wanted else image.convert(wanted))
        return orientation.upright(stored, _orientation(image, file), rows=0)


def deep_pixels(file: Path, colour: str) -> NDArray:
    """A PNG of 16 bit, upright, which Pillow would cut to 8 bit if it is in colour or has alpha."""
    import av
    from PIL import Image

    content = file.read_bytes()
    if b"IEND" not in content[-16:]:
        raise ValueError("the file is truncated")
    decoder = av.CodecContext.create("png", "r")
    try:
        frames = [*decoder.decode(av.Packet(content)), *decoder.decode(None)]
    except av.FFmpegError as error:
        raise ValueError(error) from None
    if not frames or frames[0].is_corrupt:
        raise ValueError("no image data")
    stored = _samples(frames[0], 3 if colour == "rgb" else 1)
    with Image.open(file) as image:
        return orientation.upright(stored, _orientation(image, file), rows=0)


def _samples(frame: Any, colours: int) -> NDArray:
    """Samples of 16 bit without alpha, (H, W) or (H, W, 3), from the decoder as they are: its conversion is not the same each time."""
    plane = frame.planes[0]
    values = np.frombuffer(plane, ">u2").reshape(-1, plane.line_size // 2)[: frame.height]
    samples = values[:, : _DEEP[frame.format.name] * frame.width].reshape(frame.height, frame.width, -1)[..., :colours]
    return np.ascontiguousarray(samples if colours == 3 else samples[..., 0], np.uint16)


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """An image whose header was read; what it makes Pillow raise is a Refusal."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # it is a refusal of the caller
            with Image.open(file) as image:
                yield image
    except (*_DAMAGED, Image.DecompressionBombError) as error:
        raise _damaged(file, error) from None


def _orientation(image: Any, file: Path) -> int:
    """By EXIF. A PNG may have it behind its pixels, where Pillow looks only after decoding them: so only if it is there."""
    if image.format == "PNG" and not _EXIF_IN_PNG & image.info.keys() and not _has_late_exif(file):
        return orientation.UPRIGHT
    with warnings.catch_warnings(), suppress(*_DAMAGED):  # damaged EXIF says nothing
        warnings.simplefilter("ignore")
        return orientation.known(image.getexif().get(_ORIENTATION))
    return orientation.UPRIGHT


def _has_late_exif(file: Path) -> bool:
    with file.open("rb") as stream:
        stream.seek(len(_PNG))
        while len(chunk := stream.read(8)) == 8:
            length, kind = struct.unpack(">I4s", chunk)
            if kind in (b"eXIf", b"IEND"):
                return kind == b"eXIf"
            stream.seek(length + 4, 1)
    return False


def _presentation(file: Path) -> dict[str, str]:
    """What is done to an image that its user should know."""
    with _opened(file) as image:
        turned = orientation.words(_orientation(image, file))
        told = {
            "orientation": f"{turned}, as EXIF says" if turned else "",
            "alpha": "dropped" if image.mode in _WITH_ALPHA or "transparency" in image.info else "",
            "images": f"the first of {several} in a file" if (several := getattr(image, "n_frames", 1)) > 1 else "",
        }
    return {what: words for what, words in told.items() if words}


def write_png(file: Path, frame: NDArray) -> None:
    """Write a frame of uint8 or uint16, grey or colour, as a PNG."""
    if frame.dtype == np.uint16 and frame.ndim == 3:
        file.write_bytes(_deep_png(frame))
        return
    from PIL import Image

    Image.fromarray(frame).save(file, compress_level=3)


def _deep_png(frame: NDArray) -> bytes:
    from fractions import Fraction

    import av

    encoder = av.CodecContext.create("png", "w")
    encoder.height, encoder.width, encoder.pix_fmt, encoder.time_base = *frame.shape[:2], "rgb48be", Fraction(1, 1)
    image = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb48be")
    return b"".join(bytes(packet) for packet in [*encoder.encode(image), *encoder.encode(None)])


def _damaged(file: Path, error: Exception) -> Refusal:
    return Refusal(f"{file} is not a readable image: {error or type(error).__name__}")
