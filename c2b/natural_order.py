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
from typing import NamedTuple

_NUMBER = re.compile(r"([-+\N{MINUS SIGN}]?)([0-9]+(?:\.[0-9]+)*)([eE][-+][0-9]{2,3}(?![0-9]))?")
_PLUS = ("", "+")

Place = tuple[str, ...]


class _Number(NamedTuple):
    """A number in a name: the text before it, its sign, its digits (between points), its exponent."""

    before: str
    sign: str
    digits: list[str]
    exponent: str


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Names sorted by their numbers, one after the other, then by the text before each; equal ones by the whole name."""
    parsed = {name: list(_numbers(name)) for name in names}
    places: dict[Place, list[_Number]] = defaultdict(list)
    for numbers in parsed.values():
        for place, number in _placed(numbers):
            places[place].append(number)
    minus = {place: _is_minus(place, {number.sign for number in numbers}) for place, numbers in places.items()}
    decimal = {place: _are_decimals([number.digits for number in numbers]) for place, numbers in places.items()}

    def key(name: str) -> tuple[list[tuple[Decimal, str]], str]:
        found: list[tuple[Decimal, str]] = []
        for place, (before, sign, digits, exponent) in _placed(parsed[name]):
            text, sign = (before, "" if sign in _PLUS else "-") if minus[place] else (before + sign, "")
            whole, *rest = [".".join(digits)] if decimal[place] else digits
            found.append((Decimal(sign + whole + exponent), text))
            found += [(Decimal(number), ".") for number in rest]
        return found, name

    return sorted(parsed, key=key)


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
