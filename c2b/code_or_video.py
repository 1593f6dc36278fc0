"""Whether a word means a code or a video: files such as ``.npy`` hold either."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import c2b
from sensors.refusal import Refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray


def certain_code(text: str) -> NDArray | None:
    """The code of that name, or in a file that no video has; None if it may be a video."""
    from c2b import code_files, codes

    if text.partition(":")[0] in c2b.CODES:
        return codes.make(text)
    no_video = Path(text).suffix.lower() in code_files.CODE_ONLY and Path(text).is_file() and not _only_true_frames(Path(text))
    return codes.make(text) if no_video else None


def possible_code(text: str) -> NDArray | None:
    """The same, also from a file that may be a video; None if it is no code."""
    from c2b import code_files, codes

    if (code := certain_code(text)) is not None:
        return code
    try:
        return codes.make(text) if Path(text).suffix.lower() in code_files.SUFFIXES and Path(text).is_file() else None
    except Refusal:
        return None


def _only_true_frames(path: Path) -> bool:
    """Whether a MATLAB file holds true frames and no code."""
    from c2b import array_names
    from c2b.captures import mat_file

    if path.suffix.lower() != ".mat":
        return False
    try:
        names = mat_file.contents(path)
    except Refusal:  # told of when it is read
        return False
    return array_names.frames(names) is not None and not array_names.codes(names)
