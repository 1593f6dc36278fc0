"""What the user says of a measurement whose file does not say it: in a call, on the command line, or in a sidecar beside the file.

========  ==========================================================================================
key       meaning
========  ==========================================================================================
code      a name or a file, beside the sidecar if it is found there; in a call also an array
sensor    a name, a preset or a sensor file; default: an ideal coded pixel, or two buckets
white     what one white sub-exposure adds to the measurement, above black
black     the measurement without light: a number, or a dark picture
axes      ``time-first``, ``time-last``, or of each array (`c2b.captures.axes`)
origin    row and column of a mask larger than the frame at which the frame begins
========  ==========================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from c2b.captures.axes import FIRST, LAST
from c2b.video import sidecar
from sensors.plain_numbers import refuse_masked
from sensors.refusal import Refusal

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: Beside these a sidecar of a measurement may hold what that of a video may.
KEYS = ("code", "sensor", "white", "black", "axes", "origin")


#: Suffixes of code files that say which axis is time.
KNOWN_AXES = (".txt", ".bmp", ".png")


class Code(NamedTuple):
    """A code as given, with what is known of it.

    Its values, what it is called, whether it has a name rather than a file, whether time is known to be first, and the usual order of
    its axes, in which the values are.
    """

    values: NDArray
    label: str
    named: bool = False
    time_first: bool = False
    order: str = FIRST


@dataclass(frozen=True)
class Given:
    """The statements, by key; None and empty is nothing said."""

    code: ArrayLike | str | None = None
    sensor: str = ""
    white: float | None = None
    black: float | ArrayLike | str | None = None
    axes: str = ""
    origin: tuple[int, int] | None = None
    by: str = "stated"
    notes: tuple[str, ...] = ()

    def over(self, facts: Mapping[str, Any], path: Path) -> Given:
        """These statements, and where they are silent those of a sidecar (`path`).

        Raises
        ------
        Refusal
            If a fact is not of its kind; it names the sidecar.
        """
        known = {key: facts[key] for key in KEYS if facts.get(key) is not None}
        if not known:
            return self
        for key in ("code", "sensor", "axes"):
            if not isinstance(known.get(key, ""), str):
                raise Refusal(f"{path}: {key} is a text as for --{key}, not {known[key]!r}")
        origin = known.get("origin", [0, 0])
        if not (isinstance(origin, list) and len(origin) == 2 and all(type(v) is int for v in origin)):
            raise Refusal(f"{path}: origin is [row, column], not {origin!r}")
        if "origin" in known:
            known["origin"] = (origin[0], origin[1])
        for key in ("code", "sensor", "black"):
            if isinstance(known.get(key), str) and (path.parent / known[key].partition(":")[0]).exists():
                known[key] = str(path.parent / known[key])
        said = {one.name: getattr(self, one.name) for one in fields(self) if one.name in KEYS}
        lacking = {key: value for key, value in known.items() if said[key] is None or said[key] == ""}
        by = f"stated in {path.name}" if "white" in lacking else self.by
        try:
            return replace(self, **lacking, by=by).checked()
        except Refusal as error:
            raise Refusal(f"{path}: {error}") from None

    @property
    def names_a_code(self) -> bool:
        """Whether anything is said that a file with its own sensor and code leaves no room for."""
        return self.code is not None or self.origin is not None or bool(self.axes or self.sensor)

    def checked(self) -> Given:
        """The same; a Refusal if a number is out of its range."""
        white = self.white
        if white is not None and (isinstance(white, bool) or not isinstance(white, (int, float, np.number))):
            raise Refusal(f"white must be a number, not {white!r}")
        if white is not None and not (math.isfinite(white) and white > 0):
            raise Refusal(f"white must be above 0, not {white!r}; it is what one white sub-exposure adds to the measurement")
        if self.origin is not None and (len(self.origin) != 2 or min(self.origin) < 0):
            raise Refusal(f"origin {list(self.origin)} is not a row and a column from 0 on")
        return self

    def code_given(self) -> Code | None:
        """The code with its name; None if none is given.

        Raises
        ------
        Refusal
            If its name or file is unknown or wrong.
        """
        from c2b import codes

        if self.code is None:
            return None
        if isinstance(self.code, (str, Path)):
            named = str(self.code)
            file = codes.is_file(named)
            known = not file or named.lower().endswith(KNOWN_AXES) or Path(named).is_dir()
            if file and named.lower().endswith(".mat"):
                return Code(np.moveaxis(codes.make(named), 0, -1), named, order=LAST)
            return Code(codes.make(named), named, named=not file and "mask=" not in named, time_first=known)
        refuse_masked(self.code, "code")
        code = np.asarray(self.code)
        if code.dtype.kind not in "buif" or code.ndim not in (2, 3, 4) or not code.size:
            raise Refusal(f"the code is {code.dtype} of shape {code.shape}; needed: numbers (T, p, q) or (M, T, p, q)")
        if code.ndim == 2:
            raise Refusal(f"the code is one mask {code.shape[0]}x{code.shape[1]}; needed: (T, p, q), one mask for each frame")
        return Code(_checked(code), "")

    def black_of(self, size: tuple[int, int]) -> NDArray[np.float32] | None:
        """The black level, (1, 1) for one number or a picture of that size; a stack of dark pictures is averaged.

        Raises
        ------
        Refusal
            If it is neither, of another size, or not finite.
        """
        if self.black is None:
            return None
        black = _numbers(self.black)
        if black.ndim == 3 and black.shape[1:] == size:
            black = black.mean(0)
        if not np.isfinite(black).all():
            raise Refusal("black holds values that are not finite (NaN or infinite)")
        if black.ndim and black.shape != size:
            shapes = "x".join(map(str, black.shape)), "x".join(map(str, size))
            raise Refusal(f"black is {shapes[0]} and the measurement {shapes[1]}; needed: a number, or pictures of that size")
        return np.atleast_2d(black.astype(np.float32))


def with_sidecar(given: Given | None, path: Path) -> Given:
    """What is given, and where it is silent what the sidecar of the file says: ``NAME.json``, or ``video.json`` in a folder.

    A sidecar that is about another file is ignored, and the notes say so.
    """
    given, facts = given or Given(), sidecar.read(path)
    if other := sidecar.of_another_file(facts, path):
        return replace(given, notes=(other,))
    if facts.get("schema") == sidecar.SCHEMA:  # about frames, whose white is not that of a measurement
        facts = {key: value for key, value in facts.items() if key not in ("white", "black")}
    return given.over(facts, sidecar.beside(path))


def _checked(code: NDArray) -> NDArray:
    if not np.isfinite(code).all():
        raise Refusal("the code holds values that are not finite (NaN or infinite); a code lies in [0, 1]")
    return code.astype(np.uint8) if code.dtype.kind == "b" else code


def _numbers(black: Any) -> NDArray:
    if isinstance(black, str):
        try:
            return np.asarray(float(black))
        except ValueError:
            pass
        from c2b.captures.array_file import open_arrays

        if not Path(black).exists():
            raise Refusal(f"black {black} is neither a number nor a file")
        file = open_arrays(Path(black))
        name = next((one for one in ("dark", "black", "meas") if one in file.shapes), next(iter(file.shapes), ""))
        if not name:
            raise Refusal(f"{black} holds no picture to take as black")
        array = file.load((name,))[name]
        return np.moveaxis(array, 2, 0) if array.ndim == 3 and file.order == "time-last" else array
    array = np.asarray(black)
    if array.dtype.kind not in "buif":
        raise Refusal(f"black must be a number or a picture, not {black!r}")
    return array
