"""Masks told apart: one that moves from frame to frame, independent ones, or neither.

Tables of video snapshot compressive imaging were computed under three masks: one random mask that moves a column to the right per
frame (the scene files of Liu et al., PAMI 2019), one that moves a column to the left (cacti, STFormer), and eight independent ones
(EfficientSCI and later). The same method differs by up to a decibel between them, so that a score belongs to its mask.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensors import spec
from sensors.refusal import Refusal

#: The kind of a code that is too small to be a mask.
TILE = "tile"

#: Side below which a code is the tile of a chip rather than a mask.
SMALLEST_MASK = 8

#: Rows, columns and frames that are looked at to tell the kind of a mask.
LOOKED_AT = 256, 256, 16

#: Correlation of the part that both show from which on two frames are the same mask; new columns may enter it little by little.
SAME = 0.95


def describe(code: NDArray) -> dict[str, Any]:
    """What tells one mask from another, as JSON: kind, frames, size, share of open pixels and sha256.

    The digest is of shape and values, as uint8 for a binary code and as float32 for a grey one, whatever type it came in.

    Parameters
    ----------
    code : ndarray, (T, p, q) or (M, T, p, q)
    """
    binary = bool(((code == 0) | (code == 1)).all())
    values = np.ascontiguousarray(code, np.uint8 if binary else np.float32)
    return {
        "kind": _kind(code) if code.ndim == 3 else f"{len(code)} codes in turn",
        "frames": code.shape[-3],
        "size": list(code.shape[-2:]),
        "open": round(float(code.mean()), 4),
        "sha256": hashlib.sha256(str(values.shape).encode() + values.tobytes()).hexdigest(),
    }


def text(mask: Any) -> str:
    """A description for a person to read; as it stands where it is none by `describe`."""
    if not isinstance(mask, Mapping):
        return str(mask)
    size, share = mask.get("size"), mask.get("open")
    words = [
        mask.get("kind"),
        f"{mask.get('frames')} frames of {'x'.join(map(str, size))}" if isinstance(size, list) else None,
        f"{share:.1%} open" if isinstance(share, (int, float)) else None,
        f"sha256 {str(mask.get('sha256'))[:8]}" if mask.get("sha256") else None,
        mask.get("laid"),
        f"meas {mask['meas']}" if mask.get("meas") else None,
    ]
    told = ", ".join(str(word) for word in words if word)
    return f"{mask['file']} ({told})" if mask.get("file") else told


def placed(
    code: NDArray, size: tuple[int, ...], origin: tuple[int, int] | None, name: str, *, named: bool = False
) -> tuple[tuple[int, int], str]:
    """Where the frame begins in a code, and how the code covers it, in words; empty for a mask of its size.

    Parameters
    ----------
    code : ndarray, (T, p, q) or (M, T, p, q)
    size : (height, width)
        Size of the frame.
    origin : (row, column), optional
        As the user states it.
    name : str
        Name of the code, for the message.
    named : bool
        Whether it is a code of `c2b.CODES`, which repeats over any frame.

    Raises
    ------
    Refusal
        If the code is larger than the frame and no origin is stated, the frame reaches beyond it, or it is smaller and does not fit
        in at least twice.
    """
    sides = [*zip(code.shape[-2:], size, strict=True)]
    mask, frame = ("x".join(map(str, shape)) for shape in (code.shape[-2:], size))
    if all(side == needed for side, needed in sides) and origin in (None, (0, 0)):
        return (0, 0), ""
    if all(side == needed or side * (1 if named else 2) <= needed for side, needed in sides) and code.shape[-2:] != tuple(size):
        return origin or (0, 0), f"repeated over {frame}"
    if any(side < needed for side, needed in sides):
        raise Refusal(
            f"{name} is a mask of {mask} and the frames are {frame}; they must be of one size, or the mask larger, or a tile that "
            "fits in several times"
        )
    most = [side - needed for side, needed in sides]
    span = f"--origin ROW,COLUMN, 0,0 to {most[0]},{most[1]}"
    if origin is None:
        raise Refusal(f"{name} is a mask of {mask}, larger than the frames of {frame}; say where in it they begin: {span}")
    if any(first > last for first, last in zip(origin, most, strict=True)):
        raise Refusal(
            f"{name} is a mask of {mask} and frames of {frame} do not lie in it from {origin[0]},{origin[1]} on; {span}"
        )
    return origin, f"from its row {origin[0]} and column {origin[1]} on"


def too_small(word: str, code: NDArray, size: tuple[int, int]) -> str:
    """Why a mask file cannot serve a benchmark scene of that size, or nothing; a code with a name is a tile that may repeat."""
    if not spec.is_file(word) or all(side >= needed for side, needed in zip(code.shape[-2:], size, strict=True)):
        return ""
    mask, frames = ("x".join(map(str, shape)) for shape in (code.shape[-2:], size))
    return f"{word} is a mask of {mask} and the frames are {frames}; needed: a mask that covers them"


def _kind(code: NDArray) -> str:
    rows, columns, frames = LOOKED_AT
    looked = np.asarray(code[:frames, :rows, :columns], np.float64)
    pattern = looked - looked.mean((1, 2), keepdims=True)
    if min(code.shape[1:]) < SMALLEST_MASK:
        return TILE
    if not pattern.any((1, 2)).all():
        return "frames without a pattern"
    pattern /= np.sqrt((pattern**2).sum((1, 2), keepdims=True))
    if len(pattern) == 1:
        return "one mask"
    steps = {_step(before, after) for before, after in pairwise(pattern)}
    if None not in steps:
        return f"one mask, {_moved(*steps.pop())}" if len(steps) == 1 else "one mask, moved by a step that varies"  # type: ignore[misc]
    flat = pattern.reshape(len(pattern), -1)
    alike = np.abs(flat @ flat.T - np.eye(len(flat))).max()
    independent = alike < _chance(flat.shape[1]) and steps == {None}
    return f"{len(code)} independent masks" if independent else "masks that depend on each other"


def _chance(pixels: int) -> float:
    """The largest correlation that independent frames of so many pixels show by chance."""
    return 5 / float(np.sqrt(pixels))


def _step(before: NDArray, after: NDArray) -> tuple[int, int] | None:
    """Rows down and columns right by which a pattern has moved, by the peak of the cross-correlation; None if it is another one."""
    likeness = np.fft.irfft2(np.fft.rfft2(after) * np.fft.rfft2(before).conj(), s=before.shape)
    peak = np.unravel_index(int(likeness.argmax()), before.shape)
    down, right = ((int(at) + side // 2) % side - side // 2 for at, side in zip(peak, before.shape, strict=True))
    seen, moved = before[_shared(-down), _shared(-right)], after[_shared(down), _shared(right)]
    energy = np.sqrt((seen**2).sum() * (moved**2).sum())
    return (down, right) if (seen * moved).sum() > SAME * energy else None


def _shared(by: int) -> slice:
    """What a frame that moved by so many pixels still shows of the one before."""
    return slice(by, None) if by >= 0 else slice(None, by)


def _moved(down: int, right: int) -> str:
    ways = [(down, "row", "down" if down > 0 else "up"), (right, "column", "right" if right > 0 else "left")]
    words = [f"{'a' if abs(by) == 1 else abs(by)} {thing}{'s' * (abs(by) > 1)} {way}" for by, thing, way in ways if by]
    return f"{' and '.join(words)} per frame" if words else "the same in every frame"
