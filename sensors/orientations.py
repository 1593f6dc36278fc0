"""The orientations of a code: as it is, turned over, transposed, turned by quarters."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Turn = Callable[[NDArray], NDArray]

#: The seven by which a code (..., p, q) may lie otherwise, in words.
TURNED: Mapping[str, Turn] = {
    "upside down": lambda code: code[..., ::-1, :],
    "mirrored": lambda code: code[..., ::-1],
    "turned by 180 degrees": lambda code: code[..., ::-1, ::-1],
    "transposed": lambda code: code.swapaxes(-1, -2),
    "turned by 90 degrees to the left": lambda code: np.rot90(code, 1, (-2, -1)),
    "turned by 90 degrees to the right": lambda code: np.rot90(code, -1, (-2, -1)),
    "transposed and turned by 180 degrees": lambda code: code.swapaxes(-1, -2)[..., ::-1, ::-1],
}
