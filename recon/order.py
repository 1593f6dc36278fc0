"""The order of the frames of a video, which one blurred picture does not tell.

The mean of frames is the same forward and backward, so a video out of it may run either way; and since nothing says that all pixels
chose the same way, some evaluations let every frame choose.

    ======  ===========================================================================================================
    order   each frame t of T is scored as
    ======  ===========================================================================================================
    given   it was given
    best    the clip of the higher PSNR, forward or reversed, has it: one choice per clip
    frame   the better of frames t and T - 1 - t: one choice per frame, never below ``best``, of no video that exists
    ======  ===========================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

from numpy.typing import NDArray

from sensors.refusal import Refusal

Order = Literal["given", "best", "frame"]

#: What a clip of frames that chose differently is called.
MIXED = "mixed"


def directions(video: NDArray[Any], order: str) -> dict[str, NDArray[Any]]:
    """The ways in which a video (T, ...) may be played under an order, as views.

    Raises
    ------
    Refusal
        If the order is unknown.
    """
    if order not in get_args(Order):
        raise Refusal(f"order={order} is unknown; known: {', '.join(get_args(Order))}")
    return {"given": video} if order == "given" else {"given": video, "reversed": video[::-1]}


def chosen(errors: Mapping[str, Sequence[float]], order: str, quality: Callable[[Sequence[float]], float]) -> list[str]:
    """The direction of each frame, as given where both are equally good.

    Parameters
    ----------
    errors : mapping of str to sequence of float
        The error of every frame, for each direction.
    order : str
    quality : callable
        Number that is the higher the better, out of the errors of a clip.
    """
    if order == "frame":
        return [min(errors, key=lambda name: errors[name][k]) for k in range(len(errors["given"]))]
    best = max(errors, key=lambda name: quality(errors[name]))
    return [best] * len(errors[best])


def name_of(choice: Sequence[str]) -> str:
    """What the directions of the frames of a clip are called together."""
    return choice[0] if len({*choice}) == 1 else MIXED
