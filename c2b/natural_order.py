"""The natural order of names that hold numbers: frame2 before frame10, -3 before +2, 0.25 before 0.5, 2e-05 before 1e-04.

What a sign or a point means is told from all the names together, number by number:

hyphen      A minus where it cannot join words: at the beginning of a name, behind another separator (``frame_-10``), or where other
            names have none (``img-3`` beside ``img0`` or ``img+3``). So ``img-0001``, ``img-0002`` count up.
point       A decimal point, except where the digits behind it are of different lengths and some end in 0 (``1.9`` beside ``1.10``),
            as decimals are not written: there it stands between two numbers, as in ``1.2.3``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

_NUMBER = re.compile(r"([-+\N{MINUS SIGN}]?)([0-9]+(?:\.[0-9]+)*)([eE][-+][0-9]{2,3}(?![0-9]))?")
_PLUS = ("", "+")

#: A gap larger than this is not listed to its end.
MOST_MISSING = 1000

Place = tuple[str, ...]


class _Number(NamedTuple):
    """A number in a name: the text before it, its sign, its digits (between points), its exponent."""

    before: str
    sign: str
    digits: list[str]
    exponent: str


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Names sorted by their numbers, one after the other, then by the text before each; equal ones by the whole name."""
    keys = _keys(names)
    return sorted(keys, key=lambda name: (keys[name], name))


def missing(names: Iterable[str]) -> list[Decimal]:
    """Numbers that a sequence of names leaves out, ascending; none where the names are not numbered evenly.

    Names are numbered evenly where they differ by one of their numbers alone, at least half the steps from each to the next are the
    smallest, and the others are multiples of it. So every tenth frame leaves none out, and times of day say nothing.
    """
    keys = sorted(_keys(names).values())
    varying = {place for key in keys for place, both in enumerate(zip(key, keys[0], strict=False)) if both[0] != both[1]}
    if len({len(key) for key in keys}) != 1 or len(varying) != 1:
        return []
    place = varying.pop()
    if len({key[place][1] for key in keys}) > 1:
        return []
    numbers = [key[place][0] for key in keys]
    steps = [after - before for before, after in pairwise(numbers)]
    step = min(steps)
    if not step or 2 * steps.count(step) < len(steps) or any(by % step for by in steps):
        return []
    return [first + k * step for first, by in zip(numbers, steps, strict=False) for k in range(1, min(int(by / step), MOST_MISSING))]


def _keys(names: Iterable[str]) -> dict[str, list[tuple[Decimal, str]]]:
    """What names are sorted by: their numbers, each with the text before it."""
    parsed = {name: list(_numbers(name)) for name in names}
    places: dict[Place, list[_Number]] = defaultdict(list)
    for numbers in parsed.values():
        for place, number in _placed(numbers):
            places[place].append(number)
    minus = {place: _is_minus(place, {number.sign for number in numbers}) for place, numbers in places.items()}
    decimal = {place: _are_decimals([number.digits for number in numbers]) for place, numbers in places.items()}

    def key(numbers: list[_Number]) -> list[tuple[Decimal, str]]:
        found: list[tuple[Decimal, str]] = []
        for place, (before, sign, digits, exponent) in _placed(numbers):
            text, sign = (before, "" if sign in _PLUS else "-") if minus[place] else (before + sign, "")
            whole, *rest = [".".join(digits)] if decimal[place] else digits
            found.append((Decimal(sign + whole + exponent), text))
            found += [(Decimal(number), ".") for number in rest]
        return found

    return {name: key(numbers) for name, numbers in parsed.items()}


def _numbers(name: str) -> Iterator[_Number]:
    end = 0
    for match in _NUMBER.finditer(name):
        yield _Number(name[end : match.start()], match[1], match[2].split("."), match[3] or "")
        end = match.end()


def _placed(numbers: list[_Number]) -> Iterator[tuple[Place, _Number]]:
    """Each number with the texts that lead to it, which numbers of the same meaning in other names share."""
    place: Place = ()
    for number in numbers:
        place = (*place, number.before)
        yield place, number


def _is_minus(place: Place, signs: set[str]) -> bool:
    before = place[-1]
    joins_words = before[-1].isalnum() if before else len(place) > 1
    return not joins_words or (len(signs) > 1 and not signs <= set(_PLUS))


def _are_decimals(digits: list[list[str]]) -> bool:
    if any(len(parts) > 2 for parts in digits):
        return False
    fractions = [parts[1] for parts in digits if len(parts) == 2]
    return len({len(fraction) for fraction in fractions}) < 2 or not any(len(f) > 1 and f.endswith("0") for f in fractions)
