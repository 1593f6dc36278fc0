"""Whether the code lies as it is said to: phase of the tile, orientation, roles of the buckets, order of the frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from c2b.check.figure import Figure
from recon.mask_arrangement import align
from sensors.capture import Capture
from sensors.refusal import Refusal

#: Side of the middle of the frame that is asked.
SIDE = 240


def figures(capture: Capture) -> Iterator[Figure]:
    """0 where it lies as stated or that cannot be told, 1 where it certainly does not."""
    about = "code that lies otherwise than stated (0 no, 1 yes)"
    cause = "another phase or orientation of the tile, swapped buckets, reversed frames, or another code: c2b reconstruct --align-code"
    height, width = capture.images.shape[2:4]
    rows, columns = (slice(max((size - SIDE) // 2, 0), max((size - SIDE) // 2, 0) + min(size, SIDE)) for size in (height, width))
    part = Capture(np.asarray(capture.images)[:, :, rows, columns], capture.sensor.crop(rows, columns), capture.record)
    try:
        found = align(part)
    except Refusal as reason:
        explained = "no arrangement" not in str(reason)
        yield Figure("code", about, None if explained else 1.0, 0, 0, cause, remark=str(reason))
        return
    otherwise = bool(found.how)
    remark = (
        f"it lies {found.how}"
        if otherwise
        else ""
        if found.sure
        else f"unsure, {len(found.rivals)} other arrangements are about as likely"
    )
    yield Figure("code", about, float(otherwise), 0, 0, cause, remark=remark)
