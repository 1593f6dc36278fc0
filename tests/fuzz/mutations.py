"""What happens to files: flipped bytes, cuts, absurd numbers in headers, text that is no number."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

import numpy as np

#: Sizes, counts and offsets that a reader must not believe.
ABSURD = (
    0,
    1,
    2,
    3,
    7,
    8,
    127,
    128,
    255,
    256,
    1000,
    32767,
    32768,
    65535,
    65536,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**40,
    2**62,
)
ABSURD_TEXT = (
    b'0 -1 1 65536 2147483648 99999999999999999999 1e400 -1e400 nan NaN Infinity inf 0x10 1.5 null true {} [] "" \xff\xfe'.split(
        b" "
    )
)
ABSURD_TEXT += [b"", b"9" * 5000, b"[" * 3000, "\u0664\u00b2".encode()]

#: Where headers are.
FRONT = 512


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """The file with one to four damages; text gets those of text half of the time."""
    for _ in range(int(rng.choice([1, 1, 1, 2, 3, 4]))):
        texts = _is_text(content) and rng.random() < 0.5
        kinds = TEXT if texts else BINARY
        content = kinds[rng.integers(len(kinds))](content, rng)
    return content


def _place(content: bytes, rng: np.random.Generator) -> int:
    """Mostly in the front of the file or at its end, where formats keep their numbers."""
    size = max(1, len(content))
    draw = rng.random()
    if draw < 0.6:
        return int(rng.integers(min(size, FRONT)))
    if draw < 0.75:
        return int(rng.integers(max(0, size - FRONT), size))
    return int(rng.integers(size))


def flip(content: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(content or b"\0")
    for _ in range(int(rng.choice([1, 1, 2, 4, 16]))):
        damaged[_place(content, rng)] ^= 1 << int(rng.integers(8)) if rng.random() < 0.5 else int(rng.integers(1, 256))
    return bytes(damaged)


def number(content: bytes, rng: np.random.Generator) -> bytes:
    """A field of 1, 2, 4 or 8 bytes, of either byte order, becomes absurd, or something small."""
    size = int(rng.choice([1, 2, 2, 4, 4, 4, 8]))
    value = int(ABSURD[rng.integers(len(ABSURD))]) if rng.random() < 0.8 else int(rng.integers(1 << 16))
    value = -value if rng.random() < 0.25 else value
    field = struct.pack("<q", value)[:size]
    start = _place(content, rng)
    start -= start % size if rng.random() < 0.8 else 0
    return content[:start] + (field if rng.random() < 0.7 else field[::-1]) + content[start + size :]


def floating(content: bytes, rng: np.random.Generator) -> bytes:
    start = _place(content, rng) & ~3
    value = float(rng.choice([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e30, 1e-38]))
    return content[:start] + struct.pack("<f" if rng.random() < 0.5 else "<d", value) + content[start + 8 :]


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: _place(content, rng)]


def longer(content: bytes, rng: np.random.Generator) -> bytes:
    extra = rng.bytes(int(rng.integers(1, 300)))
    return content + (extra if rng.random() < 0.5 else bytes(len(extra)))


def remove(content: bytes, rng: np.random.Generator) -> bytes:
    start = _place(content, rng)
    return content[:start] + content[start + int(rng.integers(1, 64)) :]


def repeat(content: bytes, rng: np.random.Generator) -> bytes:
    start, length = _place(content, rng), int(rng.integers(1, 64))
    return content[: start + length] + content[start:]


def blank(content: bytes, rng: np.random.Generator) -> bytes:
    start, length = _place(content, rng), int(rng.integers(1, 64))
    return content[:start] + (b"\0" if rng.random() < 0.5 else b"\xff") * length + content[start + length :]


def absurd_text(content: bytes, rng: np.random.Generator) -> bytes:
    """Another word in place of a number or word of a text."""
    words = list(re.finditer(rb"-?[0-9][0-9.eE+-]*|\"[^\"\n]*\"|[A-Za-z_]+", content))
    if not words:
        return flip(content, rng)
    word = words[rng.integers(len(words))]
    return content[: word.start()] + ABSURD_TEXT[rng.integers(len(ABSURD_TEXT))] + content[word.end() :]


def exchange(content: bytes, rng: np.random.Generator) -> bytes:
    """A number or word of a text in place of another."""
    words = list(re.finditer(rb"[A-Za-z0-9_.]+", content))
    if len(words) < 2:
        return flip(content, rng)
    one, other = (words[k] for k in rng.integers(len(words), size=2))
    return content[: one.start()] + other.group() + content[one.end() :]


def drop_line(content: bytes, rng: np.random.Generator) -> bytes:
    lines = re.split(rb"(?<=[\n>,])", content)
    del lines[rng.integers(len(lines))]
    return b"".join(lines)


Mutation = Callable[[bytes, np.random.Generator], bytes]
BINARY: tuple[Mutation, ...] = (
    flip,
    flip,
    flip,
    number,
    number,
    number,
    number,
    floating,
    cut,
    cut,
    longer,
    remove,
    repeat,
    blank,
)
TEXT: tuple[Mutation, ...] = (absurd_text, absurd_text, absurd_text, exchange, drop_line)


def _is_text(content: bytes) -> bool:
    front = content[:2000]
    return sum(32 <= byte < 127 or byte in (9, 10, 13) for byte in front) > 0.75 * len(front)
