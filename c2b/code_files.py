"""Codes in files: what a lab has loaded into its camera, or a mask it has measured.

======  =========================================================================================
suffix  content
======  =========================================================================================
.npy    array (T, p, q) or (M, T, p, q)
.npz    the same under the key ``code`` or ``mask``, or as the only array
.mat    MATLAB v5: ``mask`` (H, W, T), as the SCI benchmark stores it; becomes (T, H, W)
.txt    one word of 0 and 1 (a flutter code), or frames as rows of 0 and 1 between empty lines
.tif    a stack of pages
.png    square frames, one above the other: the height of the picture is T times its width
======  =========================================================================================

Integer pictures and arrays are divided by their largest value, so that 0/255 masks are 0/1 codes.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2b.atomic_file import atomic_file
from sensors.refusal import Refusal


def read_code(path: str | Path) -> NDArray:
    """The code in a file, (T, p, q) or (M, T, p, q), values in [0, 1].

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
    try:
        array = np.asarray(_READERS[path.suffix.lower()](path))
    except Refusal:
        raise
    except Exception as error:  # whatever a damaged file makes a parser raise
        raise Refusal(
            f"code file {path} cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from None
    return _as_code(array, path)


def write_code(path: str | Path, code: NDArray) -> None:
    """Write a code as .npy, .npz or .txt (zeros and ones only)."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".txt":
        content = _to_text(code, path)
        with atomic_file(path) as partial:
            partial.write_text(content)
    elif suffix in (".npy", ".npz"):
        with atomic_file(path) as partial, partial.open("wb") as stream:
            np.save(stream, code) if suffix == ".npy" else np.savez_compressed(stream, code=code)
    else:
        raise Refusal(f"a code cannot be written as {suffix or 'a folder'}; known: .npy, .npz, .txt")


def _as_code(array: NDArray, path: Path) -> NDArray:
    if array.dtype.kind not in "buif" or array.ndim not in (3, 4) or array.size == 0:
        raise Refusal(f"{path} holds {array.dtype} of shape {array.shape}; a code is numbers (T, p, q) or (M, T, p, q)")
    if not np.isfinite(array).all() or array.min() < 0:
        raise Refusal(f"{path} holds values that are negative or not finite; a code lies in [0, 1]")
    largest = array.max()
    if array.dtype.kind in "ui" and largest > 1:
        array = array / np.float32(largest)
    if array.max() > 1:
        raise Refusal(f"{path} holds values up to {largest:g}; a code lies in [0, 1]")
    return array.astype(np.uint8) if bool(((array == 0) | (array == 1)).all()) else array.astype(np.float32)


def _npz(path: Path) -> NDArray:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        names = [n for n in ("code", "mask") if n in arrays] or list(arrays)
        if not names or (len(names) > 1 and names[0] not in ("code", "mask")):
            raise Refusal(f"{path} holds {', '.join(arrays) or 'nothing'}; the code must be called code or mask")
        return arrays[names[0]]


def _mat(path: Path) -> NDArray:
    from scipy.io import loadmat

    arrays = loadmat(str(path))
    if "mask" not in arrays or arrays["mask"].ndim != 3:
        known = ", ".join(name for name in arrays if not name.startswith("__"))
        raise Refusal(f"{path} holds {known or 'nothing'}; needed: mask (H, W, T)")
    return np.ascontiguousarray(arrays["mask"].transpose(2, 0, 1))


def _text(path: Path) -> NDArray:
    blocks = [block.split() for block in path.read_text().strip().split("\n\n") if block.split()]
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

    logging.getLogger("tifffile").addHandler(_QUIET)
    return tifffile.imread(path)


def _png(path: Path) -> NDArray:
    from PIL import Image

    with Image.open(path) as picture:
        array = np.asarray(picture.convert("L"))
    height, width = array.shape
    if height % width:
        raise Refusal(f"{path} is {height}x{width}; frames of {width}x{width} one above the other are needed")
    return array.reshape(height // width, width, width)


def _to_text(code: NDArray, path: Path) -> str:
    one_row = code.shape[:2] == (1, 1) and code.shape[2:] != (1,)  # would read as a flutter code
    if code.ndim != 3 or one_row or not bool(((code == 0) | (code == 1)).all()):
        raise Refusal(f"cannot write {path}: text holds one code of zeros and ones; use .npy")
    if code.shape[1:] == (1, 1):
        return "".join(map(str, code[:, 0, 0].astype(int))) + "\n"
    return "\n\n".join("\n".join("".join(map(str, row)) for row in frame) for frame in code.astype(int)) + "\n"


_QUIET = logging.NullHandler()  # what tifffile logs is said in a refusal

_READERS = {
    ".npy": lambda path: np.load(path, allow_pickle=False),
    ".npz": _npz,
    ".mat": _mat,
    ".txt": _text,
    ".tif": _tiff,
    ".tiff": _tiff,
    ".png": _png,
}

SUFFIXES = tuple(_READERS)

#: Suffixes that no video has.
CODE_ONLY = (".npz", ".mat", ".txt", ".png")
