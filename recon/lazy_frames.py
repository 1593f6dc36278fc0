"""Videos that are read frame by frame while they are scored, so that memory does not grow with their length."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


class LazyFrames:
    """One clip (T, H, W[, 3]) or several (N, T, H, W[, 3]), in the place of an array where frames are taken one by one.

    Parameters
    ----------
    shape : tuple of int
    read : callable
        ``read(t)`` or ``read(n, t)``: a frame (H, W[, 3]).
    colour : bool
        Whether a frame has three colours.
    dtype : dtype
        Type of its frames.
    """

    def __init__(self, shape: tuple[int, ...], read: Callable[..., NDArray[Any]], *, colour: bool, dtype: Any = np.float32) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self._read = read
        self._colour = colour

    @property
    def ndim(self) -> int:
        """Axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Numbers in all frames."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, item: int | slice) -> Any:
        """A frame of a clip, or a clip of several; a slice plays these in another order."""
        if isinstance(item, slice):
            order = range(len(self))[item]
            played = (len(order), *self.shape[1:])
            return LazyFrames(played, lambda n, *t: self._read(order[n], *t), colour=self._colour, dtype=self.dtype)
        number = range(len(self))[item]
        if self.ndim - self._colour == 3:
            return self._read(number)
        return LazyFrames(self.shape[1:], lambda t: self._read(number, t), colour=self._colour, dtype=self.dtype)

    def __iter__(self) -> Iterator[Any]:
        return (self[n] for n in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.stack([np.asarray(one) for one in self]).astype(dtype or self.dtype, copy=False)
