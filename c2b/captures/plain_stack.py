"""Exposures without anything beside them, as a camera's own program saves them: ``.npy`` or ``.tif``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensors.refusal import Refusal

SUFFIXES = (".npy", ".tif", ".tiff")


def read_plain_stack(path: Path) -> NDArray:
    """The stack in a file, (L, B, H, W); three axes are the frames of one bucket.

    Raises
    ------
    Refusal
        If the file is absent, damaged, or holds anything but numbers of three or four axes.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise Refusal(f"{path} is neither a capture nor a stack; known: .c2b.ome.tif, {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise Refusal(f"{path} {'is a folder' if path.is_dir() else 'does not exist'}")
    try:
        stack = np.load(path, mmap_mode="r", allow_pickle=False) if suffix == ".npy" else _tiff(path)
    except Refusal:
        raise
    except OSError:
        raise
    except Exception as error:  # parsers of damaged files raise whatever they meet
        raise Refusal(f"{path} is damaged or no {suffix} file: {' '.join(str(error).split())}") from None
    if not isinstance(stack, np.ndarray) or stack.ndim not in (3, 4) or stack.dtype.kind not in "uif" or not stack.size:
        form = f"{stack.dtype} of shape {stack.shape}" if isinstance(stack, np.ndarray) else "an archive"
        raise Refusal(f"{path} holds {form}; needed: numbers (frame, bucket, row, column)")
    return stack if stack.ndim == 4 else stack[:, None]


def _tiff(path: Path) -> NDArray:
    import tifffile

    from c2b.video import tiff_pages
    from c2b.video.tiff_stack import Complaints

    with Complaints() as complaints, tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        tiff_pages.refuse_broken_off(tiff, path, broken=bool(complaints.of_missing_pages))
        needed = int(np.prod(series.shape, dtype=float)) * series.dtype.itemsize
        if needed > 1000 * max(path.stat().st_size, 1 << 16):
            raise Refusal(f"{path} would unpack to {needed >> 20} MiB; it is damaged")
        return series.asarray()
