"""Numbers that numpy would take for others: masked arrays, whose mask it forgets, and seeds that are no whole numbers."""

from __future__ import annotations

import operator
import sys
from typing import Any

from sensors.refusal import Refusal


def refuse_masked(array: Any, what: str) -> None:
    """A Refusal if an array is masked: ``np.asarray`` would hand out what lies under the mask."""
    if "numpy.ma" in sys.modules and isinstance(array, sys.modules["numpy.ma"].MaskedArray):
        raise Refusal(f"the {what} is a masked array, whose masked values have no meaning here; fill them: array.filled(0)")


def whole_seed(seed: Any) -> int:
    """The seed as an int.

    Raises
    ------
    Refusal
        If it is negative or no whole number; 0.5 would be taken for 0.
    """
    try:
        number = operator.index(seed)
    except TypeError:
        raise Refusal(f"a seed is a whole number from 0 on, not {seed!r}") from None
    if number < 0 or isinstance(seed, bool):
        raise Refusal(f"a seed is a whole number from 0 on, not {seed!r}")
    return number
