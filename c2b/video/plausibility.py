"""Whether stored values agree with what is declared of them: bits, white and black.

What cannot be true is a `Refusal` (`refuse_beyond`); what can be true and is often a mistake is a note (`doubts`):

====================================  ===================================================================================
seen                                  note
====================================  ===================================================================================
floats above 1, no white stated       which white was taken
no value near the top of 16 bit       10, 12 or 14 bit frames in 16
all values multiples of 4, 16, 64     the same at the upper end of 16 bit
brightest far above white             white, or the place of the bits, is not that of these numbers
darkest far above black, or below     a black level that nobody states, or another one
====================================  ===================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sensors.refusal import Refusal
from sensors.response import make as make_response

if TYPE_CHECKING:
    from c2b.video.recording import Recording

#: Irradiance that counts as far from black or white in formats of cameras, in others, whose scene may have no dark, and
#: where floats may have the noise of a reconstruction.
FAR_CAMERA, FAR, FAR_FLOAT = 0.02, 0.05, 1.0

#: Shares of the samples that are passed over at the dark and the bright end: defects.
DARK, BRIGHT = 0.001, 0.999

#: Floats up to here are 1, rounded.
ONE = 1.001

#: Different values from which on what they have in common is no chance.
VARIED = 8

#: Samples of a frame that its percentiles are taken from.
SAMPLES = 1 << 17

#: How many bits cameras convert to.
CONVERTERS = (8, 10, 12, 14)


def refuse_beyond(block: NDArray, recording: Recording, numbers: range) -> None:
    """A Refusal if whole numbers exceed what the bits declared in the file can hold, and no white is stated that covers them.

    Parameters
    ----------
    block : ndarray, (n, ...)
        Frames of these numbers.
    """
    if recording.bits is None or block.dtype.kind != "u" or recording.bits >= 8 * block.dtype.itemsize:
        return
    most = max((1 << recording.bits) - 1, recording.white)
    if (top := int(block.max())) > most:
        number = numbers[int(np.argmax(block.reshape(len(block), -1).max(1) > most))]
        raise Refusal(f"{recording.path}: {_beyond(block, recording.bits, number, top)}")


def refuse_floats(block: NDArray, recording: Recording, numbers: range) -> None:
    """A Refusal naming the first frame that holds NaN or infinite values; a note where values exceed 1 and nobody states a white."""
    for number, frame in zip(numbers, block, strict=True):
        least, top = float(frame.min()), float(frame.max())
        if not np.isfinite(least + top):
            refuse_not_finite(frame, recording.path, number)
        if recording.doubted and not recording.white_stated and top > max(ONE, recording.white):
            recording.note(_above_one(top, recording.white))


def refuse_not_finite(frame: NDArray, where: object, number: int) -> None:
    """A Refusal naming the frame if it holds NaN or infinite values."""
    if not np.isfinite(frame).all():
        raise Refusal(f"{where}: frame {number} holds NaN or infinite values; irradiance has to be finite")


def doubts(frames: NDArray, recording: Recording) -> Iterator[str]:
    """What frames (n, H, W[, 3]) as stored leave doubtful, a line each."""
    top = frames.max()
    if frames.dtype.kind == "f" and not np.isfinite(frames).all():
        return  # refused when it is read
    if frames.dtype == np.uint16:
        if not recording.white_stated and (line := _depth(frames, int(top), recording)):
            yield line
    elif frames.dtype.kind == "f" and not recording.white_stated and top > max(ONE, recording.white):
        yield _above_one(float(top), recording.white)
        return
    yield from _levels(frames, recording)


def _levels(frames: NDArray, recording: Recording) -> Iterator[str]:
    """The dark and the bright end beside black and white, in light."""
    flat = frames.reshape(len(frames), -1)
    few = flat[:, :: max(1, flat.shape[1] // SAMPLES) | 1]
    dark, bright = (float(np.quantile(few, share)) for share in (DARK, BRIGHT))
    black, white = recording.black, recording.white
    floats = frames.dtype.kind == "f" and not recording.camera
    far = FAR_CAMERA if recording.camera else FAR_FLOAT if floats and recording.white_stated else FAR
    least, most = make_response(recording.response).decode((np.array([dark, bright]) - black) / (white - black))
    if far < least < most and not floats:
        yield _darkest(dark, "above", black)
    if least < -far:
        yield _darkest(dark, "below", black)
    if most > 1 + far:
        top = frames.max()
        what = f"{np.mean(few > white):.1%} of the samples lie above white, {white:g}, up to {top:g}"
        yield f"{what}; if that is not overexposure, {_stating('white', (1 << int(top).bit_length()) - 1)}"


def _depth(frames: NDArray, top: int, recording: Recording) -> str:
    """Whether 16 bit are fewer, at their lower or upper end; empty if not."""
    used = int(np.bitwise_or.reduce(frames, axis=None))
    zeros = (used & -used).bit_length() - 1 if used else 0
    if zeros >= 2 and len(np.unique(frames)) >= VARIED:
        white = (1 << 16) - (1 << zeros)
        what = f"all values are multiples of {1 << zeros}: {16 - zeros} bit at the upper end of 16, whose white is {white}"
        return f"{what}; {recording.white:g} is taken as white, {_stating('white', white)}"
    bits = next((bits for bits in CONVERTERS if 0 < top < 1 << bits), 16)
    if bits == 16 or top >= recording.white:
        return ""
    taken = f"{recording.white:g} is taken as white; if it is not, {_stating('white', (1 << bits) - 1)}"
    return f"no value is above {top}: {bits} bit in 16? {taken}"


def _beyond(block: NDArray, bits: int, number: int, top: int) -> str:
    """What is wrong with bits that cannot hold these values, and what would be right."""
    used, spare = int(np.bitwise_or.reduce(block, axis=None)), 16 - bits
    if not used & ((1 << spare) - 1):
        right = f"all are multiples of {1 << spare}, so the bits are at the upper end: {_stating('white', ((1 << bits) - 1) << spare)}"
    elif int(block.byteswap().max()) < 1 << bits:
        right = "with the two bytes of each exchanged they would fit: the other endianness"
    else:
        right = f"mend the declaration, or {_stating('white', (1 << top.bit_length()) - 1)}"
    return f"frame {number} holds {top} and the file declares {bits} bit, at most {(1 << bits) - 1}; {right}"


def _above_one(top: float, white: float) -> str:
    likely = next((known for known in (255, 1023, 4095, 16383, 65535) if top <= known), round(top))
    return f"floats up to {top:.6g} and no white is stated: {white:g} is taken; if it is not, {_stating('white', likely)}"


def _darkest(dark: float, where: str, black: float) -> str:
    dark = float(f"{dark:.4g}")
    return f"the darkest samples are near {dark:g}, far {where} the black level {black:g}; if that is dark, {_stating('black', dark)}"


def _stating(what: str, value: float) -> str:
    """How a level is stated: on the command line, in Python, or beside the file."""
    return f"state it: --{what} {value:g} ({what}={value:g} in Python, or in the sidecar)"
