"""Which axis of an array is time, read off how measurement, mask and true frames fit together.

===========  ===========  ===========  ============================
array        time-first   time-last    seen
===========  ===========  ===========  ============================
meas         (N, H, W)    (H, W, N)    N exposures
mask         (T, H, W)    (H, W, T)    T frames per exposure
orig         (F, H, W)    (H, W, F)    F frames, also in colour
===========  ===========  ===========  ============================

MATLAB programs keep time last, Python programs first; what is saved from one for the other has either. So all readings are tried: the
pictures must be of one size, the true frames enough, and arrays of one file in one order. Of what is left the usual order of the
format is taken, but only where its time axis is far shorter than the pictures; otherwise the user decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product

from sensors import spec
from sensors.refusal import Refusal

FIRST, LAST = "time-first", "time-last"
ROLES = ("meas", "mask", "orig")

#: By how much the sides of a picture exceed the time axis where the usual order needs no other sign.
FAR_SHORTER = 4

#: A reading explains a measurement where its misfit is this part of that of any other, or less.
CLEAR = 0.5

Shape = tuple[int, ...]
Orders = dict[str, str]


def parse(text: str) -> Orders:
    """``time-last`` for all arrays, or ``meas=time-first,mask=time-last``, as the order of each that is named.

    Raises
    ------
    Refusal
        If an order or an array is unknown.
    """
    if not text:
        return {}
    pairs = [piece.partition("=") for piece in text.split(",")] if "=" in text else [(role, "=", text) for role in ROLES]
    for role, _, order in pairs:
        if role.strip() not in ROLES:
            raise Refusal(spec.unknown("array in axes", role.strip(), ROLES))
        if order.strip() not in (FIRST, LAST):
            raise Refusal(spec.unknown(f"order of axes of {role.strip()}", order.strip(), (FIRST, LAST)))
    return {role.strip(): order.strip() for role, _, order in pairs}


def settle(
    shapes: Mapping[str, Shape],
    usual: Mapping[str, str],
    stated: Mapping[str, str],
    *,
    together: tuple[str, ...] = ROLES,
    misfit: Callable[[Orders], float] | None = None,
    where: object = "",
) -> Orders:
    """The order of axes of each array.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        Shapes of ``meas`` and, where they are there, ``mask`` and ``orig``.
    usual : mapping of str to str
        The order that the format of each array has by convention.
    stated : mapping of str to str
        What the user says.
    together : tuple of str
        The arrays that lie in one file.
    misfit : callable, optional
        How badly true frames and mask explain the measurement in these orders; 0 is exact.
    where : object
        The file, for the message.

    Raises
    ------
    Refusal
        If two readings fit.
    """
    choices = [(stated[r],) if r in stated else (FIRST, LAST) if len(shapes[r]) > 2 else (usual[r],) for r in shapes]
    readings = [dict(zip(shapes, orders, strict=True)) for orders in product(*choices)]
    for fits in (_of_one_size, _frames_of_one_size, _frames_exactly, _frames_enough):
        readings = [one for one in readings if fits(shapes, one)] or readings
    alike = [one for one in readings if len({one[role] for role in together if role in one and len(shapes[role]) > 2}) <= 1]
    readings = alike or readings
    if len(readings) > 1 and misfit is not None:
        readings = _best(readings, misfit)
    if len(readings) == 1:
        return readings[0]
    by_convention = {role: usual[role] for role in shapes}
    if by_convention in readings and all(_plain(role, shapes, usual, readings) for role in shapes):
        return by_convention
    raise Refusal(_doubt(shapes, sorted(readings, key=lambda one: len(set(one.values()))), where))


def size(shape: Shape, order: str) -> Shape:
    """Height and width."""
    return shape if len(shape) == 2 else shape[-3:-1] if _colour(shape, order) else shape[-2:] if order == FIRST else shape[:2]


def count(shape: Shape, order: str) -> int:
    """Number of pictures."""
    return 1 if len(shape) == 2 else shape[0 if order == FIRST else -1]


def _colour(shape: Shape, order: str) -> bool:
    return len(shape) == 4 and order == FIRST and shape[-1] == 3


def _size_in(role: str, shapes: Mapping[str, Shape], orders: Orders) -> Shape:
    return size(shapes[role], orders[role])


def _of_one_size(shapes: Mapping[str, Shape], orders: Orders) -> bool:
    return "mask" not in shapes or _size_in("mask", shapes, orders) == _size_in("meas", shapes, orders)


def _frames_of_one_size(shapes: Mapping[str, Shape], orders: Orders) -> bool:
    return "orig" not in shapes or _size_in("orig", shapes, orders) == _size_in("meas", shapes, orders)


def _frames_over(shapes: Mapping[str, Shape], orders: Orders) -> int:
    """True frames beyond those that the exposures need."""
    if not {"orig", "mask"} <= shapes.keys():
        return 0
    return count(shapes["orig"], orders["orig"]) - count(shapes["meas"], orders["meas"]) * count(shapes["mask"], orders["mask"])


def _frames_exactly(shapes: Mapping[str, Shape], orders: Orders) -> bool:
    return _frames_over(shapes, orders) == 0


def _frames_enough(shapes: Mapping[str, Shape], orders: Orders) -> bool:
    return _frames_over(shapes, orders) >= 0


def _plain(role: str, shapes: Mapping[str, Shape], usual: Mapping[str, str], readings: list[Orders]) -> bool:
    """Whether the usual order of an array needs no other sign: a tile of the chip, or a time axis far shorter than the picture."""
    if len({one[role] for one in readings}) == 1:
        return True
    sides = size(shapes[role], usual[role])
    if role == "mask" and not any(_of_one_size(shapes, one) for one in readings):
        return True
    return FAR_SHORTER * count(shapes[role], usual[role]) <= min(sides)


def _best(readings: list[Orders], misfit: Callable[[Orders], float]) -> list[Orders]:
    ranked = sorted(((misfit(one), number) for number, one in enumerate(readings)))
    (least, best), (second, _) = ranked[:2]
    return [readings[best]] if least < CLEAR * second else readings


def _doubt(shapes: Mapping[str, Shape], readings: list[Orders], where: object) -> str:
    held = " and ".join(f"{role} {'x'.join(map(str, shapes[role]))}" for role in shapes)
    told = " or ".join(f"{_told(shapes, one)} (--axes {_written(one, shapes)})" for one in readings[:2])
    return f"{where}: {held} can be read in two ways: {told}; say which"


def _told(shapes: Mapping[str, Shape], orders: Orders) -> str:
    exposures = f"{count(shapes['meas'], orders['meas'])} exposures"
    frames = f" of {count(shapes['mask'], orders['mask'])} frames" if "mask" in shapes else ""
    return f"{exposures}{frames} of {'x'.join(map(str, _size_in('meas', shapes, orders)))}"


def _written(orders: Orders, shapes: Mapping[str, Shape]) -> str:
    told = {role: order for role, order in orders.items() if len(shapes[role]) > 2}
    return next(iter(told.values())) if len(set(told.values())) == 1 else ",".join(f"{r}={order}" for r, order in told.items())
