"""Codes in files: what a lab has loaded into its camera, or a mask it has measured.

======  =========================================================================================
suffix  content
======  =========================================================================================
.npy    array (T, p, q) or (M, T, p, q)
.npz    the same under the key ``code`` or ``mask``, or as the only array
.h5     HDF5 (h5py): the same, under the same keys
.mat    MATLAB v5 or v7.3 (h5py): ``mask`` (H, W, T), as the SCI benchmark stores it; becomes (T, H, W)
.txt    one word of 0 and 1 (a flutter code), or frames as rows of 0 and 1 between empty lines
.tif    a stack of pages
.png    square frames, one above the other: the height of the picture is T times its width
.bmp    the same, or a mask stack of a camera of `CAMERAS`, known by its size
======  =========================================================================================

Integer pictures and arrays are divided by their largest value, so that 0/255 masks are 0/1 codes; so are floats that are nothing but
0 and 255, as MATLAB stores them.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from c2b.atomic_file import atomic_file
from sensors.refusal import Refusal

#: An open pixel of a mask that is stored like an 8 bit picture.
WHITE = 255

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
        Of a .bmp mask stack: a name of `CAMERAS`, or ``square``; default: known by the size of the picture.

    Raises
    ------
    Refusal
        If the file is absent, of an unknown suffix, damaged, or not a code.
    """
    path = Path(path)
    if not path.is_file():
        raise Refusal(f"code file {path} does not exist")
    if path.suffix.lower() not in _READERS:
        raise Refusal(f"code file {path} has an unknown suffix; known: {', '.join(_READERS)}")
    if camera and path.suffix.lower() != ".bmp":
        raise Refusal(f"{path} is no mask stack of a camera; those are .bmp")
    try:
        array = np.asarray(_bmp(path, camera) if camera else _READERS[path.suffix.lower()](path))
    except Refusal:
        raise
    except Exception as error:  # whatever a damaged file makes a parser raise
        raise Refusal(
            f"code file {path} cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from None
    return _as_code(array, path)


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
    if camera and suffix != ".bmp":
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


def _as_code(array: NDArray, path: Path) -> NDArray:
    if array.dtype.kind not in "buif" or array.ndim not in (3, 4) or array.size == 0:
        raise Refusal(f"{path} holds {array.dtype} of shape {array.shape}; a code is numbers (T, p, q) or (M, T, p, q)")
    if not np.isfinite(array).all() or array.min() < 0:
        raise Refusal(f"{path} holds values that are negative or not finite; a code lies in [0, 1]")
    largest = array.max()
    if (array.dtype.kind in "ui" and largest > 1) or (largest == WHITE and bool(((array == 0) | (array == WHITE)).all())):
        array = array / np.float32(largest)
    if array.max() > 1:
        raise Refusal(f"{path} holds values up to {largest:g}; a code lies in [0, 1]")
    return array.astype(np.uint8) if bool(((array == 0) | (array == 1)).all()) else array.astype(np.float32)


def _npz(path: Path) -> NDArray:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        names = [n for n in ("code", "mask") if n in arrays] or list(arrays)
        if not names or (len(names) > 1 and names[0] not in ("code", "mask")):
            raise Refusal(f"{path} holds {', '.join(arrays) or 'nothing'}; the code must be called code or mask")
        _refuse_bomb(arrays.zip.getinfo(names[0] + ".npy").file_size, path)
        return arrays[names[0]]


def _refuse_bomb(size: int, path: Path) -> None:
    """A Refusal if a compressed file would unpack to more bytes than `LARGEST`; what is not compressed is as large as it is."""
    if size > max(LARGEST, path.stat().st_size):
        raise Refusal(f"code file {path} unpacks to {size / 1e6:.0f} MB; store so large a code as .npy")


def _mat(path: Path) -> NDArray:
    from c2b.captures import mat_file

    shapes = mat_file.contents(path)
    name = next((name for name in ("mask", "mask_bayer") if len(shapes.get(name, ())) == 3), "")
    if not name:
        seen = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items())
        raise Refusal(f"{path} holds {seen or 'nothing'}; needed: mask (H, W, T)")
    return np.ascontiguousarray(mat_file.arrays(path, (name,))[name].transpose(2, 0, 1))


def _hdf5(path: Path) -> NDArray:
    from c2b.captures import hdf5

    with hdf5.h5py(path).File(path) as file:
        names = [name for name in ("code", "mask") if name in file] or list(file)
        if len(names) != 1 and names[:1] not in (["code"], ["mask"]):
            raise Refusal(f"{path} holds {', '.join(file) or 'nothing'}; the code must be called code or mask")
        return hdf5.numbers(file, names[0], path)


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
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path) as picture:
            _refuse_bomb(math.prod(picture.size), path)
            array = np.asarray(picture.convert("L"))
    height, width = array.shape
    if height % width:
        raise Refusal(f"{path} is {height}x{width}; frames of {width}x{width} one above the other are needed")
    return array.reshape(height // width, width, width)


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

#: Suffixes that no video has.
CODE_ONLY = (".npz", ".mat", ".txt", ".png", ".h5", ".bmp")
