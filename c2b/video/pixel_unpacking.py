"""The unpacking of `c2b.video.pixel_packing`, compiled: about 20x faster than numpy; used for large frames."""

from __future__ import annotations

import numba
import numpy as np

from sensors.kernel import FLAGS

# Plain loops over groups: measured faster than words of 64 bit. Each shift is cast back at once: kept wider, as numba has it, the loop
# is half as fast. Arguments: source rows, groups in a row, target rows.
U = np.uint16


@numba.njit(**FLAGS)
def _unpack_10p(b, groups, p, first_row, last_row):
    for i in range(first_row, last_row):
        for k in range(groups):
            b0, b1, b2 = U(b[i, 5 * k]), U(b[i, 5 * k + 1]), U(b[i, 5 * k + 2])
            b3, b4 = U(b[i, 5 * k + 3]), U(b[i, 5 * k + 4])
            p[i, 4 * k] = b0 | U((b1 & 3) << 8)
            p[i, 4 * k + 1] = U(b1 >> 2) | U((b2 & 15) << 6)
            p[i, 4 * k + 2] = U(b2 >> 4) | U((b3 & 63) << 4)
            p[i, 4 * k + 3] = U(b3 >> 6) | U(b4 << 2)


@numba.njit(**FLAGS)
def _unpack_12p(b, groups, p, first_row, last_row):
    for i in range(first_row, last_row):
        for k in range(groups):
            b0, b1, b2 = U(b[i, 3 * k]), U(b[i, 3 * k + 1]), U(b[i, 3 * k + 2])
            p[i, 2 * k] = b0 | U((b1 & 15) << 8)
            p[i, 2 * k + 1] = U(b1 >> 4) | U(b2 << 4)


@numba.njit(**FLAGS)
def _unpack_10_packed(b, groups, p, first_row, last_row):
    for i in range(first_row, last_row):
        for k in range(groups):
            b0, b1, b2 = U(b[i, 3 * k]), U(b[i, 3 * k + 1]), U(b[i, 3 * k + 2])
            p[i, 2 * k] = U(b0 << 2) | U(b1 & 3)
            p[i, 2 * k + 1] = U(b2 << 2) | U(b1 >> 4 & 3)


@numba.njit(**FLAGS)
def _unpack_12_packed(b, groups, p, first_row, last_row):
    for i in range(first_row, last_row):
        for k in range(groups):
            b0, b1, b2 = U(b[i, 3 * k]), U(b[i, 3 * k + 1]), U(b[i, 3 * k + 2])
            p[i, 2 * k] = U(b0 << 4) | U(b1 & 15)
            p[i, 2 * k + 1] = U(b2 << 4) | U(b1 >> 4)


@numba.njit(**FLAGS)
def _unpack_10_msb(b, groups, p, first_row, last_row):
    for i in range(first_row, last_row):
        for k in range(groups):
            b0, b1, b2 = U(b[i, 5 * k]), U(b[i, 5 * k + 1]), U(b[i, 5 * k + 2])
            b3, b4 = U(b[i, 5 * k + 3]), U(b[i, 5 * k + 4])
            p[i, 4 * k] = U(b0 << 2) | U(b1 >> 6)
            p[i, 4 * k + 1] = U((b1 & 63) << 4) | U(b2 >> 4)
            p[i, 4 * k + 2] = U((b2 & 15) << 6) | U(b3 >> 2)
            p[i, 4 * k + 3] = U((b3 & 3) << 8) | b4


@numba.njit(**FLAGS)
def _unpack_12_msb(b, groups, p, first_row, last_row):
    for i in range(first_row, last_row):
        for k in range(groups):
            b0, b1, b2 = U(b[i, 3 * k]), U(b[i, 3 * k + 1]), U(b[i, 3 * k + 2])
            p[i, 2 * k] = U(b0 << 4) | U(b1 >> 4)
            p[i, 2 * k + 1] = U((b1 & 15) << 8) | b2


KERNELS = {
    "Mono10p": _unpack_10p,
    "Mono12p": _unpack_12p,
    "Mono10Packed": _unpack_10_packed,
    "Mono12Packed": _unpack_12_packed,
    "Mono10msb": _unpack_10_msb,
    "Mono12msb": _unpack_12_msb,
}
