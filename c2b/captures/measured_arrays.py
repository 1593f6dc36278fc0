"""The arrays of a measurement found by their names and laid out with time first.

============  ==========================  ==============================================================================
array         axes in the file            laid out as
============  ==========================  ==============================================================================
meas          (N, H, W) or (H, W, N)      (N, 1, H, W), in the type it is stored in; (N, B, H, W) of several buckets as it is
mask          (T, H, W) or (H, W, T)      the code (T, H, W) in [0, 1]; of several measurements with a mask each (M, T, H, W)
orig          (F, H, W) or (H, W, F)      true frames (F, H, W), or (F, H, W, 3)
white, black  1; black also (H, W)        numbers, or a picture
============  ==========================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2b import array_names, code_files
from c2b.captures import CodeMissing, array_file, axes, true_frames
from c2b.captures.array_file import ArrayFile
from c2b.captures.given import Code, Given
from sensors.coded_pixel import CodedPixel
from sensors.refusal import Refusal

#: A float32 holds whole numbers below this.
WHOLE = 2**24


@dataclass(frozen=True)
class MeasuredArrays:
    """What a file holds, and the code it is read with.

    Parameters
    ----------
    path : Path
    names : tuple of str
        Names of the measurements.
    images : ndarray, (N, B, H, W)
        As stored.
    code : ndarray, (T, p, q) or (M, T, p, q)
        In [0, 1].
    code_unit : float
        The value in the file that became 1 where it was not an encoding (`code_files.as_fractions`).
    label : str
        Name or file of the code; empty for an array.
    named : bool
        Whether the code has a name, so that it is a tile that repeats.
    own : dict of str to ndarray
        The masks of the file, (T, H, W) in [0, 1].
    own_mask : bool
        Whether the code is of the file.
    frames : ndarray, (F, H, W[, 3]), or None
        The true frames.
    truth_dtype : str
        As they are stored.
    white : float, optional
        As the file says.
    black : ndarray, optional
        As the file says.
    turned : str
        Which array had another order of axes than its format usually has, in words.
    """

    path: Path
    names: tuple[str, ...]
    images: NDArray
    code: NDArray
    code_unit: float
    label: str
    named: bool
    own: dict[str, NDArray]
    own_mask: bool
    truth: NDArray | None = None
    white: float | None = None
    black: NDArray | None = None
    turned: str = ""


def measured_arrays(file: ArrayFile, said: Given) -> MeasuredArrays:
    """Find the arrays, settle their axes, and lay them out.

    Raises
    ------
    Refusal
        If there is no measurement, neither mask nor code, shapes that fit no way or in two ways, or values that are no mask.
    """
    _refuse_other_than_numbers(file, said)
    pairs, given = pairs_of(file.shapes, file.path), said.code_given()
    orig = array_names.frames(file.shapes, bayer=any("_bayer" in name for name in pairs))
    if given is None and None in pairs.values():
        held = array_names.listed(file.shapes)
        raise CodeMissing(f"{file.path} holds {held} and no mask; name the code it was taken with: --code FILE")
    own = tuple(dict.fromkeys(mask for mask in pairs.values() if mask))
    extra = tuple(name for name in ("black",) if name in file.shapes)
    found = {name: _numbers(array) for name, array in file.load((*pairs, *own, *((orig,) if orig else ()), *extra)).items()}
    meas = [_checked_meas(found[name], name, file) for name in pairs]
    masks = {name: _checked_mask(found[name], name, file.path) for name in own if given is None or found[name].ndim > 2}
    truth = found.get(orig or "")
    masks = {name: _first_in_turn(one, meas[0].shape, file.order) if one.ndim == 4 else one for name, one in masks.items()}
    mask = given.values if given else _one_code(masks, meas, truth, file)
    orders = _orders(file, said, given, meas, mask, truth)
    laid = _laid_out(file, given, orders, dict(zip(pairs, meas, strict=True)), masks, mask, truth, found.get("black"))
    return laid if said.white is not None else replace(laid, white=array_file.number(file, "white"))


def pairs_of(shapes: Mapping[str, tuple[int, ...]], path: Path) -> dict[str, str | None]:
    """Measurements and their masks: the names of the benchmark, else by the first letter after ``meas`` and of the mask."""
    known = array_names.masks(shapes)
    for bayer in ("_bayer", ""):
        if f"meas{bayer}" in shapes:
            first = [name for name in (f"mask{bayer}", "mask") if name in known]
            return {f"meas{bayer}": first[0] if first else known[0] if len(known) == 1 else None}
    several = array_names.measurements(shapes)
    if not several:
        raise Refusal(f"{path} holds {', '.join(shapes) or 'no array'}; needed: meas (H, W, N) and mask (H, W, T), called so")
    if len(known) == 1 or (len(several) == 1 and known[:1] == ["mask"]):
        return dict.fromkeys(several, known[0])
    initial = {mask[0].lower(): mask for mask in known}
    return {name: initial.get(name.removeprefix("meas").lstrip("_")[:1].lower()) for name in several}


def order_of_frames(shapes: Mapping[str, tuple[int, ...]], orig: str, usual: str, path: Path) -> str:
    """The order of axes of the true frames, as measurement and mask beside them have it; the usual one where there are none.

    Raises
    ------
    Refusal
        If two readings fit.
    """
    if not array_names.measurements(shapes):
        return usual
    pairs = pairs_of(shapes, path)
    found = {"meas": shapes[next(iter(pairs))], "orig": shapes[orig]}
    masks = [mask for mask in pairs.values() if mask and len(shapes[mask]) == 3]
    if len(found["meas"]) not in (2, 3) or len(found["orig"]) not in (3, 4):
        return usual
    found |= {"mask": shapes[masks[0]]} if masks else {}
    try:
        return axes.settle(found, dict.fromkeys(axes.ROLES, usual), {}, where=path)["orig"]
    except Refusal:
        raise Refusal(
            f"{path}: {orig} {_by(shapes[orig])} can be read with time first or last; save it as (H, W, frames)"
        ) from None


def _orders(
    file: ArrayFile, said: Given, given: Code | None, meas: list[NDArray], mask: NDArray, truth: NDArray | None
) -> dict[str, str]:
    """The order of axes of ``meas``, ``mask`` and ``orig``."""
    usual = {"meas": file.order, "mask": given.order if given else file.order, "orig": file.order}
    fixed = {} if mask.ndim == 3 and not (given and given.time_first) else {"mask": axes.FIRST}
    if meas[0].ndim == 4:
        fixed["meas"] = axes.FIRST
    shapes = {"meas": meas[0].shape[:1] * (meas[0].ndim > 2) + meas[0].shape[-2:] if meas[0].ndim == 4 else meas[0].shape}
    shapes["mask"] = mask.shape[-3:]
    if truth is not None:
        shapes["orig"] = truth.shape

    def misfit(orders: dict[str, str]) -> float:
        assert truth is not None
        code = mask if mask.ndim == 4 else _pages(mask, orders["mask"])
        images = np.concatenate([_pages(one, orders["meas"]) for one in meas])[:, None]
        frames = true_frames.frames_of(np.moveaxis(_pages(truth, orders["orig"]), 0, -1))
        try:
            return true_frames.misfit(images, frames, CodedPixel(code_files.as_fractions(code)[0]))
        except Refusal:
            return 1.0

    together = ("meas", "orig") if given else axes.ROLES
    comparable = misfit if truth is not None and meas[0].ndim < 4 else None
    stated = {**axes.parse(said.axes), **fixed}
    return axes.settle(shapes, usual, stated, together=together, misfit=comparable, where=file.path)


def _laid_out(
    file: ArrayFile,
    given: Code | None,
    orders: Mapping[str, str],
    meas: Mapping[str, NDArray],
    masks: Mapping[str, NDArray],
    mask: NDArray,
    truth: NDArray | None,
    black: NDArray | None,
) -> MeasuredArrays:
    images = np.concatenate([_pages(array, orders["meas"]) for array in meas.values()])
    images = images if images.ndim == 4 else images[:, None]
    code, code_unit = code_files.as_fractions(mask if mask.ndim == 4 else _pages(mask, orders["mask"]))
    own = {name: code_files.as_fractions(_like(array, images.shape[2:], file.order))[0] for name, array in masks.items()}
    usual = {"meas": file.order, "mask": given.order if given else file.order, "orig": file.order}
    ndim = {"meas": next(iter(meas.values())).ndim, "mask": mask.ndim, "orig": 2 if truth is None else truth.ndim}
    turned = [f"{role} {order}" for role, order in orders.items() if order != usual[role] and ndim[role] == 3]
    return MeasuredArrays(
        path=file.path,
        names=tuple(meas),
        images=_storable(images),
        code=code,
        code_unit=code_unit,
        label=file.path.name if given is None else given.label,
        named=given is not None and given.named,
        own=own,
        own_mask=given is None,
        truth=None if truth is None else _pages(truth, orders["orig"]),
        black=None if black is None else np.squeeze(black),
        turned=", ".join(turned),
    )


def _refuse_other_than_numbers(file: ArrayFile, said: Given) -> None:
    """Say of a measurement or mask that is there and holds no real numbers what it is."""
    lacking = [] if array_names.measurements(file.shapes) else [array_names.measurements]
    lacking += [] if array_names.masks(file.shapes) or said.code is not None else [array_names.masks]
    others = array_file.others(file.path) if lacking else {}
    for found in lacking:
        for name in found(others):
            raise Refusal(f"{file.path}: {name} is {others[name]}; needed: an array of real numbers")


def _checked_meas(array: NDArray, name: str, file: ArrayFile) -> NDArray:
    if array.ndim in (2, 3) or (array.ndim == 4 and file.order == axes.FIRST and array.shape[-1] != 3):
        return array
    needed = "(H, W, N)" if file.order == axes.LAST else "(N, H, W), (H, W), or (N, B, H, W) of several buckets"
    raise Refusal(f"{file.path}: {name} has shape {array.shape}; needed: {needed}")


def _checked_mask(mask: NDArray, name: str, path: Path) -> NDArray:
    broken = np.argwhere(~np.isfinite(mask))
    if len(broken):
        raise Refusal(
            f"{path}: {name} holds {len(broken)} value{'s' * (len(broken) > 1)} not finite (NaN or infinite), the first at "
            f"{broken[0].tolist()}, counted from 0; a mask lies in [0, 1]"
        )
    if mask.ndim not in (2, 3, 4):
        raise Refusal(f"{path}: {name} has shape {mask.shape}; needed: (H, W, T) or (T, H, W)")
    return mask


def _one_code(masks: Mapping[str, NDArray], meas: list[NDArray], truth: NDArray | None, file: ArrayFile) -> NDArray:
    """One mask as it is stored, or those that the exposures cycle, time first."""
    path, arrays = file.path, [*masks.values()]
    exposures = sum(axes.count(array.shape, file.order) for array in meas)
    if len({mask.shape for mask in arrays}) > 1 or (len(arrays) > 1 and len(arrays) != exposures):
        raise Refusal(
            f"{path}: {', '.join(masks)} differ in shape or number from meas; needed: one mask (H, W, T) for each exposure"
        )
    if arrays[0].ndim == 2:
        frames = 0 if truth is None else axes.count(truth.shape, file.order)
        if frames == exposures:  # MATLAB drops a last axis of length 1
            return arrays[0][None] if file.order == axes.FIRST else arrays[0][..., None]
        name, each = next(iter(masks)), frames // exposures
        more = f" while orig has {frames} frames for {exposures} exposures" if frames else ""
        raise Refusal(f"{path}: {name} is one picture {_by(arrays[0].shape)}{more}; {code_files.moving(path, each or 8)}")
    return arrays[0] if len(arrays) == 1 else np.stack([_pages(mask, file.order) for mask in arrays])


def _first_in_turn(mask: NDArray, measured: tuple[int, ...], usual: str) -> NDArray:
    """Masks that exposures cycle as (M, T, H, W): in their usual order, unless only the other gives them the size of a measurement."""
    ways = [mask, mask.transpose(3, 2, 0, 1)] if usual == axes.FIRST else [mask.transpose(3, 2, 0, 1), mask]
    sizes = [axes.size(measured, order) for order in (axes.FIRST, axes.LAST)] if len(measured) < 4 else [measured[-2:]]
    return np.ascontiguousarray(next((one for one in ways if one.shape[-2:] in sizes), ways[0]))


def _like(mask: NDArray, size: tuple[int, ...], usual: str) -> NDArray:
    """A mask time first: in its usual order, unless only the other gives it that size."""
    other = axes.FIRST if usual == axes.LAST else axes.LAST
    fits = [order for order in (usual, other) if mask.ndim == 3 and axes.size(mask.shape, order) == size]
    return mask if mask.ndim == 4 else _pages(mask, (fits or [usual])[0])


def _pages(array: NDArray, order: str) -> NDArray:
    """(H, W), (H, W, N) or (N, H, W) with time first."""
    if array.ndim == 2:
        return array[None]
    return np.ascontiguousarray(array if order == axes.FIRST else np.moveaxis(array, -1, 0))


def _numbers(array: NDArray) -> NDArray:
    """In the order of bytes of this machine; bool as uint8."""
    return array.view(np.uint8) if array.dtype.kind == "b" else array.astype(array.dtype.newbyteorder("="), copy=False)


def _storable(images: NDArray) -> NDArray:
    """Whole numbers of more than 16 bit, and half floats, as floats that hold them."""
    if images.dtype.name in ("uint8", "uint16", "float32", "float64"):
        return images
    return images.astype(np.float32 if images.dtype.kind == "f" or np.abs(images).max() < WHOLE else np.float64)


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
