"""Codes in files: what a lab has loaded into its camera, or a mask it has measured.

======  =========================================================================================
suffix  content
======  =========================================================================================
.npy    array (T, p, q) or (M, T, p, q)
.npz    the same under a name of a mask (`c2b.array_names`), or as the only array
.h5     HDF5 (h5py): the same, under the same names
.mat    MATLAB v5 or v7.3 (h5py): ``mask`` (H, W, T), as the SCI benchmark stores it; becomes (T, H, W)
folder  a picture for each frame, in natural order
.txt    one word of 0 and 1 (a flutter code), or frames as rows of 0 and 1 between empty lines
.tif    a stack of pages
.png    square frames, one above the other: the height of the picture is T times its width
.bmp    the same, or a mask stack of a camera of `CAMERAS`, known by its size
======  =========================================================================================

Integers are divided by their largest, so that masks of 0 and 255 are codes of 0 and 1; so are floats that are nothing but 0 and a
whole number, or whole numbers up to 255. Whether an array (H, W, T) has time last is seen beside a measurement (`c2b.captures.axes`).
One mask (H, W) is no code: it does not say for how many frames, nor whether it moves; ``shifting-mask:mask=FILE`` says it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from c2b import array_names
from sensors.atomic_file import atomic_file
from sensors.refusal import Refusal

#: An open pixel of a mask that is stored like a picture of 8 bit.
LARGEST_PICTURE = 255

#: Bytes that a compressed code file may unpack to: 640x480 pixels, 200 sub-exposures.
LARGEST = 1 << 26


class MaskStack(NamedTuple):
    """How a camera wants the masks of its sub-exposures in one picture, one above the other."""

    height: int
    widths: tuple[int, ...]  # of the picture; the first is written
    used: int | None = None  # columns that the camera loads, from the left; None: all
    upside_down: bool = False  # whether the last row of each mask comes first


#: The coded-exposure cameras of the Toronto laboratory.
CAMERAS = {
    "t6": MaskStack(320, (320, 512)),
    "t7": MaskStack(480, (1024, 640), used=640, upside_down=True),
}


def read_code(path: str | Path, *, camera: str = "") -> NDArray:
    """The code in a file, (T, p, q) or (M, T, p, q), values in [0, 1].

    Parameters
    ----------
    path : path
    camera : str
        Camera of a .bmp mask stack: a name of `CAMERAS`, or ``square``; default: known by the size of the picture.

    Raises
    ------
    Refusal
        If the file is absent, of an unknown suffix, damaged, or not a code.
    """
    path = Path(path)
    array = _read(path, camera)
    if array.ndim == 2:
        of_matlab = f"mask {'x'.join(map(str, array.shape))}; needed: mask (H, W, T)"
        raise Refusal(f"{path} holds {of_matlab if path.suffix.lower() == '.mat' else _unlike(array)}; {moving(path)}")
    return _as_code(array, path)


def read_mask(path: str | Path) -> NDArray:
    """One mask (H, W), values in [0, 1], of a file of one picture or of a code of one frame.

    Raises
    ------
    Refusal
        If the file is absent, damaged, or holds several frames.
    """
    path = Path(path)
    picture = path.is_file() and path.suffix.lower() in (".png", ".bmp")
    array = _picture(path) if picture else _read(path, "")
    array = array[0] if array.ndim == 3 and len(array) == 1 else array
    if array.ndim != 2:
        raise Refusal(f"{path} holds an array {'x'.join(map(str, array.shape))}; needed: one mask (H, W)")
    return _as_code(array[None], path)[0]


def moving(mask: object, frames: int = 8) -> str:
    """How one mask becomes a code."""
    return (
        f"one mask that moves, here a column right per frame, is --code shifting-mask:mask={mask},frames={frames},step=0,across=1, "
        "and one for a single frame the same with frames=1"
    )


def as_fractions(array: NDArray) -> tuple[NDArray, float]:
    """A mask with its values in [0, 1], and what a value of 1 was before in its unit.

    Whole numbers are an encoding, such as 0 and 255, and the largest is an open pixel. Other values are what they are: a
    calibrated mask that lets 1.04 times the light through is divided by that, and the light it stands for has that factor.
    """
    largest = float(array.max())
    if largest <= 1:
        return array, 1.0
    binary = largest == np.rint(largest) and bool(((array == 0) | (array == largest)).all())
    picture = largest <= LARGEST_PICTURE and bool((array == np.rint(array)).all())
    whole = array.dtype.kind in "ui" or binary or picture
    return (array / np.float32(largest)).astype(np.float32), 1.0 if whole else largest


def _read(path: Path, camera: str) -> NDArray:
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise Refusal(f"code file {path} does not exist")
    if path.suffix.lower() not in _READERS:
        raise Refusal(f"code file {path} has an unknown suffix; known: {', '.join(_READERS)}")
    if camera and not is_mask_stack(path):
        raise Refusal(f"{path} is no mask stack of a camera; those are .bmp")
    try:
        return np.asarray(_bmp(path, camera) if camera else _READERS[path.suffix.lower()](path))
    except Refusal:
        raise
    except Exception as error:  # whatever a damaged file makes a parser raise
        raise Refusal(
            f"code file {path} cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from None


def write_code(path: str | Path, code: NDArray, *, camera: str = "") -> None:
    """Write a code as .npy or .npz; zeros and ones also as .txt or as .bmp, the mask stack of a camera.

    Parameters
    ----------
    path : path
    code : ndarray, (T, p, q) or (M, T, p, q)
    camera : str
        For .bmp: a name of `CAMERAS`, whose chip the tile then fills; without it a square tile is stored as it is.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if camera and not is_mask_stack(path):
        raise Refusal(f"{path} is no mask stack of a camera; those are .bmp")
    if suffix == ".bmp":
        _write_bmp(path, code, camera)
    elif suffix == ".txt":
        content = _to_text(code, path)
        with atomic_file(path) as partial:
            partial.write_text(content)
    elif suffix in (".npy", ".npz"):
        with atomic_file(path) as partial, partial.open("wb") as stream:
            np.save(stream, code) if suffix == ".npy" else np.savez_compressed(stream, code=code)
    else:
        raise Refusal(f"a code cannot be written as {suffix or 'a folder'}; known: .npy, .npz, .txt, .bmp")


def is_mask_stack(path: str | Path) -> bool:
    """Whether a file is named like the mask stack of a camera."""
    return str(path).lower().endswith(".bmp")


def no_video(path: str | Path) -> bool:
    """Whether codes are written under such a name and videos are not."""
    return str(path).lower().endswith(WRITTEN_ALONE)


def shared_with_video(path: str | Path) -> bool:
    """Whether files named so hold a code, a video or a measurement."""
    return Path(path).suffix.lower() in SUFFIXES and Path(path).suffix.lower() not in CODE_ONLY


def _as_code(array: NDArray, path: Path) -> NDArray:
    if array.dtype.kind not in "buif" or array.ndim not in (3, 4) or array.size == 0:
        raise Refusal(f"{path} holds {_unlike(array)}")
    if not np.isfinite(array).all() or array.min() < 0:
        raise Refusal(f"{path} holds values that are negative or not finite; a code lies in [0, 1]")
    code, unit = as_fractions(array)
    if unit != 1:
        raise Refusal(f"{path} holds values up to {unit:g}; a code lies in [0, 1]")
    return code.astype(np.uint8) if bool(((code == 0) | (code == 1)).all()) else code.astype(np.float32)


def _unlike(array: NDArray) -> str:
    return f"{array.dtype} of shape {array.shape}; a code is numbers (T, p, q) or (M, T, p, q)"


def _named(names: Collection[str], path: Path) -> str:
    """The name of the mask among arrays."""
    found = array_names.codes(names)
    if not found or (len(found) > 1 and found[0] not in ("mask", "mask_bayer", "code")):
        held = ", ".join(names) or "nothing"
        raise Refusal(f"{path} holds {held}; the code must be called code or mask, or be the only array whose name has mask")
    return found[0]


def _npz(path: Path) -> NDArray:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        name = _named([name for name in arrays if name.rpartition(".")[2] != "json"], path)
        _refuse_bomb(arrays.zip.getinfo(name + ".npy").file_size, path)
        return arrays[name]


def _refuse_bomb(size: int, path: Path) -> None:
    """A Refusal if a compressed file would unpack to more bytes than `LARGEST`; what is not compressed is as large as it is."""
    if size > max(LARGEST, path.stat().st_size):
        raise Refusal(f"code file {path} unpacks to {size / 1e6:.0f} MB; store so large a code as .npy")


def _mat(path: Path) -> NDArray:
    from c2b.captures import mat_file

    shapes = {name: shape for name, shape in mat_file.contents(path).items() if math.prod(shape) > 1}
    found = array_names.codes(shapes)
    if not found or len(shapes[found[0]]) not in (2, 3) or (len(found) > 1 and found[0] not in ("mask", "mask_bayer", "code")):
        raise Refusal(f"{path} holds {array_names.listed(shapes)}; needed: mask (H, W, T)")
    array = mat_file.arrays(path, (found[0],))[found[0]]
    return array if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))


def _hdf5(path: Path) -> NDArray:
    from c2b.captures import hdf5

    with hdf5.h5py(path).File(path) as file:
        return hdf5.numbers(file, _named([name for name in hdf5.names(file) if name != "document"], path), path)


def _text(path: Path) -> NDArray:
    lines = ["".join(line.split()) for line in path.read_text().strip().split("\n")]
    blocks = [block.split() for block in "\n".join(lines).split("\n\n") if block.split()]
    if (
        not blocks
        or any(set(row) - {"0", "1"} for block in blocks for row in block)
        or len({len(row) for b in blocks for row in b}) > 1
    ):
        raise Refusal(f"{path} is not rows of 0 and 1, all equally long, with an empty line between frames")
    if len(blocks) == 1 and len(blocks[0]) == 1:
        return np.array([[[int(chip)]] for chip in blocks[0][0]], np.uint8)
    if len({len(block) for block in blocks}) > 1:
        raise Refusal(f"{path}: its frames differ in their number of rows")
    return np.array([[[int(v) for v in row] for row in block] for block in blocks], np.uint8)


def _tiff(path: Path) -> NDArray:
    import tifffile

    from c2b.video import tiff_pages
    from c2b.video.tiff_stack import Complaints, refuse_endless

    with Complaints() as complaints, tifffile.TiffFile(path) as tiff:
        refuse_endless(tiff)
        tiff_pages.refuse_broken_off(tiff, path, broken=bool(complaints.of_missing_pages))
        _refuse_bomb(math.prod(tiff.series[0].shape) * tiff.series[0].dtype.itemsize, path)
        return tiff.asarray()


def _png(path: Path) -> NDArray:
    array = _picture(path)
    height, width = array.shape
    if height % width:
        raise Refusal(
            f"{path} is {height}x{width}; frames of {width}x{width} one above the other are needed, or a folder of pictures; "
            + moving(path)
        )
    return array.reshape(height // width, width, width)


def _picture(path: Path) -> NDArray:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                _refuse_bomb(math.prod(picture.size), path)
                return np.asarray(picture.convert("L"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Refusal(f"{path} is not a readable picture: {' '.join(str(error).split())}") from None


def _folder(path: Path) -> NDArray:
    from c2b.video.image_folder import ImageFolder

    frames = ImageFolder(path)
    pictures = frames[:]
    if frames.colour == "rgb" and (pictures != pictures[..., :1]).any():
        raise Refusal(f"{path} holds pictures in colour; a mask is grey")
    return pictures[..., 0] if frames.colour == "rgb" else pictures


def _bmp(path: Path, camera: str = "") -> NDArray:
    from PIL import Image

    with Image.open(path) as picture:
        array = np.asarray(picture if picture.mode in ("1", "L") else picture.convert("L"))
    height, width = array.shape
    name = camera or next((n for n, c in CAMERAS.items() if width in c.widths and height % c.height == 0), "square")
    layout = _layout(name) if name != "square" else MaskStack(width, (width,))
    if width not in layout.widths or height % layout.height:
        widths = " or ".join(map(str, layout.widths))
        sizes = ", ".join(f"{n} {c.height} rows of {' or '.join(map(str, c.widths))}" for n, c in CAMERAS.items())
        raise Refusal(
            f"{path} is {height}x{width}; needed: masks of {layout.height} rows of {widths} pixels (square), or {sizes}"
        )
    masks = array.reshape(-1, layout.height, width)[:, :, : layout.used]
    return masks[:, ::-1] if layout.upside_down else masks


def _write_bmp(path: Path, code: NDArray, camera: str) -> None:
    from PIL import Image

    if code.ndim != 3 or not bool(((code == 0) | (code == 1)).all()):
        raise Refusal(f"cannot write {path}: a mask stack holds one code of zeros and ones; use .npy")
    p, q = code.shape[1:]
    if not camera and p != q:
        raise Refusal(f"cannot write {path}: a tile of {p}x{q} needs a camera ({', '.join(CAMERAS)}), or .npy")
    layout = _layout(camera) if camera else MaskStack(p, (q,))
    if p > layout.height or q > max(layout.widths):
        raise Refusal(f"cannot write {path}: masks of {p}x{q} do not fit the {layout.height} rows and columns of {camera}")
    columns = np.arange(layout.widths[0]) % (layout.used or layout.widths[0]) % q  # beyond those used: the first once more
    masks = code[:, np.arange(layout.height) % p][:, :, columns].astype(bool)
    stack = (masks[:, ::-1] if layout.upside_down else masks).reshape(-1, layout.widths[0])
    with atomic_file(path) as partial:
        Image.fromarray(stack).save(partial)


def _layout(camera: str) -> MaskStack:
    if camera not in CAMERAS:
        raise Refusal(f"unknown camera {camera!r}; known: {', '.join(CAMERAS)}")
    return CAMERAS[camera]


def _to_text(code: NDArray, path: Path) -> str:
    one_row = code.shape[:2] == (1, 1) and code.shape[2:] != (1,)  # would read as a flutter code
    if code.ndim != 3 or one_row or not bool(((code == 0) | (code == 1)).all()):
        raise Refusal(f"cannot write {path}: text holds one code of zeros and ones; use .npy")
    if code.shape[1:] == (1, 1):
        return "".join(map(str, code[:, 0, 0].astype(int))) + "\n"
    return "\n\n".join("\n".join("".join(map(str, row)) for row in frame) for frame in code.astype(int)) + "\n"


_READERS = {
    ".npy": lambda path: np.load(path, allow_pickle=False),
    ".npz": _npz,
    ".mat": _mat,
    ".txt": _text,
    ".tif": _tiff,
    ".tiff": _tiff,
    ".png": _png,
    ".h5": _hdf5,
    ".bmp": _bmp,
}

SUFFIXES = tuple(_READERS)

#: Suffixes under which codes are written and videos are not.
WRITTEN_ALONE = (".npz", ".txt", ".bmp")

#: Suffixes that no video has.
CODE_ONLY = (".npz", ".mat", ".txt", ".png", ".h5", ".bmp")
