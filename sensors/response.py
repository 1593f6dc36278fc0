"""How stored values come from light: the response curve of a camera or file, and its inverse.

Both directions take numbers on the scale 0 (black) to 1 (white). They are inverses of each other and go on outside of it, as
noise and ringing do: a negative number stays negative, one above white follows the curve.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sensors import RESPONSES, spec
from sensors.refusal import Refusal


class Response(Protocol):
    """A curve; ``str(response)`` is its canonical name, which `make` reads back."""

    def __hash__(self) -> int: ...

    def decode(self, values: ArrayLike) -> NDArray[np.floating]:
        """Stored values to irradiance."""

    def encode(self, irradiance: ArrayLike) -> NDArray[np.floating]:
        """Irradiance to stored values: the inverse of `decode`."""


def make(text: str) -> Response:
    """The response named ``none``, ``srgb`` or ``gamma:exponent=2.2``.

    Examples
    --------
    >>> make("srgb").decode([0.0, 0.5, 1.0]).round(4).tolist()
    [0.0, 0.214, 1.0]
    """
    return spec.make(RESPONSES, "response", text)


def linearise(frames: NDArray, response: Response, *, black: float, white: float) -> NDArray[np.float32]:
    """Stored frames to irradiance: ``decode((frames - black) / (white - black))``.

    Parameters
    ----------
    frames : ndarray of uint8, uint16 or float32, any shape
        Integers go through a table of all their values, which costs the same for every response.

    Returns
    -------
    ndarray of float32
        1 is white. Values outside of black to white stay outside.
    """
    if frames.dtype.kind == "u":
        return _table(response, frames.dtype.str, black, white)[frames]
    return response.decode((frames - np.float32(black)) / np.float32(white - black)).astype(np.float32, copy=False)


class _Named:
    """What is written as its name in the table and its settings."""

    def __str__(self) -> str:
        name = next(name for name, target in RESPONSES.items() if target.endswith(f":{type(self).__name__}"))
        return spec.write(name, {f.name: getattr(self, f.name) for f in fields(self)})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Linear(_Named):
    """Linear: stored values are proportional to light, as raw frames are."""

    def decode(self, values: ArrayLike) -> NDArray[np.floating]:
        return _floating(values)

    def encode(self, irradiance: ArrayLike) -> NDArray[np.floating]:
        return _floating(irradiance)


@dataclass(frozen=True)
class StandardRGB(_Named):
    """The sRGB curve of IEC 61966-2-1:1999: a straight piece near black, then a power of 2.4.

    The standard ends the straight piece at a stored value of 0.04045; its 0.0031308 for irradiance is the same place, rounded. Both
    directions change over at exactly the former, or they would not be each other's inverse between the two.
    """

    STORED_LINEAR_BELOW: ClassVar[float] = 0.04045
    LINEAR_BELOW: ClassVar[float] = 0.04045 / 12.92

    def decode(self, values: ArrayLike) -> NDArray[np.floating]:
        v = _floating(values)
        return np.where(v <= self.STORED_LINEAR_BELOW, v / 12.92, ((np.maximum(v, 0) + 0.055) / 1.055) ** 2.4)

    def encode(self, irradiance: ArrayLike) -> NDArray[np.floating]:
        x = _floating(irradiance)
        return np.where(x <= self.LINEAR_BELOW, 12.92 * x, 1.055 * np.maximum(x, 0) ** (1 / 2.4) - 0.055)


@dataclass(frozen=True)
class Gamma(_Named):
    """A plain power law; exponent 2.2 is the convention of the GoPro deblurring data (Nah, Kim, Lee, CVPR 2017)."""

    exponent: float = 2.2

    def __post_init__(self) -> None:
        if not 0 < self.exponent < np.inf:
            raise Refusal(f"a gamma response needs a positive exponent such as 2.2, not {self.exponent}")

    def decode(self, values: ArrayLike) -> NDArray[np.floating]:
        v = _floating(values)
        return np.sign(v) * np.abs(v) ** self.exponent

    def encode(self, irradiance: ArrayLike) -> NDArray[np.floating]:
        x = _floating(irradiance)
        return np.sign(x) * np.abs(x) ** (1 / self.exponent)


@dataclass(frozen=True)
class PhantomTenBit(_Named):
    """Companding of Phantom cameras, linear 12 bit to the packed 10 bit of a CINE file: straight in the dark, then about a square root.

    Published as a table of 1024 values; here straight pieces between 31 of them, within 2 of 4096 steps. Levels are fixed: code 64
    (linear 64) is black, code 1014 (linear 4064) is white. The codes above, which all mean saturation, go on along the last piece.
    """

    BLACK: ClassVar[float] = 64.0
    WHITE: ClassVar[float] = 1014.0

    def decode(self, values: ArrayLike) -> NDArray[np.floating]:
        v = _floating(values)
        return np.interp(v, *_PHANTOM_KNOTS).astype(v.dtype, copy=False)

    def encode(self, irradiance: ArrayLike) -> NDArray[np.floating]:
        x = _floating(irradiance)
        return np.interp(x, *_PHANTOM_KNOTS[::-1]).astype(x.dtype, copy=False)


_PHANTOM_CODES = (0, 13, 64, 142, *range(182, 1015, 32))
_PHANTOM_LINEAR = (
    *(2, 17, 64, 137, 181, 223, 273, 330, 396, 469, 551, 640, 738, 845, 960, 1084, 1217, 1359, 1510, 1670, 1839, 2018, 2206),
    *(2404, 2612, 2830, 3057, 3294, 3540, 3798, 4064),
)


def _phantom_knots() -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """On the scale of black to white, with the outermost pieces drawn out."""
    codes = (np.array(_PHANTOM_CODES) - 64) / (1014 - 64)
    linear = (np.array(_PHANTOM_LINEAR) - 64) / (4064 - 64)
    ends = []
    for inner, outer, place in ((1, 0, -100.0), (-2, -1, 100.0)):
        slope = (linear[outer] - linear[inner]) / (codes[outer] - codes[inner])
        ends.append((place, linear[outer] + slope * (place - codes[outer])))
    (low, dark), (high, bright) = ends
    return np.array([low, *codes, high]), np.array([dark, *linear, bright])


_PHANTOM_KNOTS = _phantom_knots()


@lru_cache(maxsize=8)
def _table(response: Response, dtype: str, black: float, white: float) -> NDArray[np.float32]:
    values = np.arange(np.iinfo(dtype).max + 1, dtype=np.float64)
    return response.decode((values - black) / (white - black)).astype(np.float32)


def _floating(values: ArrayLike) -> NDArray[np.floating]:
    array = np.asarray(values)
    return array if array.dtype.kind == "f" else array.astype(np.float64)
