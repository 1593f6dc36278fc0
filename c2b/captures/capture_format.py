"""The contract of every capture format: which names and files are its own, reading, writing, and what a file cannot hold."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from c2b.captures.document import Verify
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.sensor import Sensor


class CaptureFormat(ABC):
    """How captures lie in files of one kind. A format is a subclass, and one line in `c2b.captures.FORMATS`.

    Attributes
    ----------
    suffix : str
        How the names end under which it is written, in lower case, such as ``.npz``; ``/`` is a folder. Empty: it is only read.
    distinctive : bool
        Whether files of no other kind are named so.
    exact : bool
        Whether a file gives back every bit of a capture.
    drops : str
        What a file does not keep, in a few words.
    options : tuple of str
        Further parameters of `write`: ``exposure`` and ``bucket`` choose the one that a file holds, ``orig`` takes the true frames.
    needs_code : bool
        Whether files may lack their code, or what their numbers mean: `read` then takes ``given`` (`c2b.captures.given.Given`).
    read_options : tuple of str
        Further parameters of `read`: ``swap`` exchanges the buckets; ``from_orig`` takes the measurements anew from the true frames
        in the file, and ``check`` compares them.
    """

    suffix: ClassVar[str] = ""
    distinctive: ClassVar[bool] = False
    exact: ClassVar[bool] = False
    drops: ClassVar[str] = ""
    options: ClassVar[tuple[str, ...]] = ()
    needs_code: ClassVar[bool] = False
    read_options: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @abstractmethod
    def recognises(cls, path: Path) -> bool:
        """Whether a file or folder that is there is of this format, by what it holds."""

    @classmethod
    @abstractmethod
    def read(cls, path: Path, *, verify: Verify = True) -> Capture:
        """The capture in a file; with ``verify`` its hashes are compared, where it has them.

        Raises
        ------
        Refusal
            If the file is damaged, cut short or not of this format; `c2b.captures.CodeMissing` if its code is not given.
        """

    @classmethod
    def write(cls, path: str | Path, sensor: Sensor, exposures: Iterable[NDArray], count: int, record: Mapping[str, Any]) -> None:
        """Write ``count`` exposures (B, H, W[, 3]) one by one as they come; the file appears when it is complete.

        Raises
        ------
        Refusal
            If the format cannot hold them; it says what would be right.
        """
        raise Refusal(f"cannot write {path}: a capture is written with its sensor, as NAME.c2b.ome.tif, .npz or .h5")

    @classmethod
    def summary(cls, path: Path) -> dict[str, Any]:
        """What can be told of a file without its code; JSON-able."""
        return {}

    @classmethod
    def holds_truth(cls, path: Path) -> bool:
        """Whether a file holds the true frames beside the measurement, so that it opens as video too."""
        return False
