"""The grammar of names: what is written is read back, values follow the annotation, and every mistake is one clear line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

import c2b
import recon
import sensors
from c2b import codes
from sensors import spec
from sensors.refusal import Refusal


def method(
    count: int = 1,
    weight: float | None = None,
    pair: tuple[float, float] = (0.0, 0.0),
    many: tuple[int, ...] = (),
    kind: Literal["fast", "exact"] = "fast",
    quick: bool = False,
    where: Path = Path(),
    denoiser: str = "tv",
) -> dict:
    """Stands for anything that has a name."""
    return dict(locals())


TABLE = {"method": "tests.sensors.test_spec:method", "other": "tests.sensors.test_spec:method"}


@pytest.mark.parametrize(
    ("text", "name", "settings"),
    [
        ("tile", "tile", {}),
        ("  tile:ridge=0.1 ", "tile", {"ridge": "0.1"}),
        ("cep-2019:read-noise=[5,6],white=100", "cep-2019", {"read_noise": "[5,6]", "white": "100"}),
        ('flutter:chips="10,01"', "flutter", {"chips": '"10,01"'}),
        ("gap:denoiser=tv,denoiser.weight=1", "gap", {"denoiser": "tv", "denoiser.weight": "1"}),
        ("a:b=c=d", "a", {"b": "c=d"}),
    ],
)
def test_a_name_is_split_into_its_settings(text, name, settings):
    assert spec.parse(text) == (name, settings)


@pytest.mark.parametrize(
    "text", ["", "  ", ":a=1", "a:b", "a:=1", "a:b=1,b=2", "a:b=[1,2", 'a:b="1', "a:b=1,,c=2", "a:b=1,", "a:b=]"]
)
def test_a_malformed_name_is_refused_in_one_line(text):
    with pytest.raises(Refusal) as refused:
        spec.parse(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("settings", [{}, {"a": 1}, {"a": (1, 2), "b": None}, {"a": True, "b": "x,y"}, {"a": 0.125, "b": "word"}])
def test_what_is_written_is_read_back(settings):
    again = spec.write("name", spec.parse(spec.write("name", settings))[1])
    assert again == spec.write("name", settings)  # also from text, as a label is made of words
    name, read = spec.parse(spec.write("name", settings))
    assert name == "name"
    assert spec.write(name, {k: v.strip('"') for k, v in read.items() if not v.startswith("[")}) == spec.write(
        "name", {k: v for k, v in settings.items() if not isinstance(v, tuple)}
    )
    assert list(read) == list(settings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("method:count=3", {"count": 3}),
        ("method:weight=3", {"weight": 3.0}),
        ("method:weight=none", {"weight": None}),
        ("method:pair=[1,2.5]", {"pair": (1.0, 2.5)}),
        ("method:many=[1,2,3]", {"many": (1, 2, 3)}),
        ("method:kind=exact", {"kind": "exact"}),
        ("method:quick=yes", {"quick": True}),
        ("method:where=a/b", {"where": Path("a/b")}),
        ("method:denoiser=1", {"denoiser": "1"}),
        ("method:denoiser=tv,denoiser.weight=1,denoiser.steps=2", {"denoiser": "tv:weight=1,steps=2"}),
    ],
)
def test_values_follow_the_annotation(text, expected):
    made = spec.make(TABLE, "method", text)
    assert {key: made[key] for key in expected} == expected
    assert {key: type(made[key]) for key in expected} == {key: type(value) for key, value in expected.items()}


@dataclass(frozen=True)
class Numbers:
    """Numbers."""

    steps: int = 3
    betas: tuple[float, float] = (0.9, 0.99)


def trained(name: str = "x", numbers: Numbers = Numbers(steps=5)):
    """Something."""
    return name, numbers


def test_words_reach_the_fields_of_a_dataclass():
    """Those that are not given stand as in the default of the parameter, not of the class."""
    table = {"trained": f"{__name__}:trained"}
    assert spec.make(table, "method", "trained:betas=[0.5,0.25]") == ("x", Numbers(5, (0.5, 0.25)))
    assert spec.make(table, "method", "trained:name=y,steps=7") == ("y", Numbers(7))
    with pytest.raises(Refusal, match=r"did you mean steps\?; known|did you mean steps\? known: name, steps, betas"):
        spec.make(table, "method", "trained:step=7")
    with pytest.raises(Refusal, match="steps=x is not a whole number"):
        spec.make(table, "method", "trained:steps=x")
    with pytest.raises(Refusal, match="unknown setting of method trained 'numbers'"):
        spec.make(table, "method", "trained:numbers=1")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("method:count=1.5", "count=1.5 is not a whole number"),
        ("method:weight=much", "a number or none"),
        ("method:pair=[1]", "a list like [0.5,0.5]"),
        ("method:pair=1", "a list like"),
        ("method:kind=slow", "one of fast, exact"),
        ("method:quick=maybe", "true or false"),
        ("method:cuont=1", "did you mean count"),
        ("methud", "did you mean method"),
        ("zzz", "known: method, other"),
        ("method:prior.weight=1", "needs prior=... beside it"),
    ],
)
def test_a_wrong_setting_names_what_would_be_right(text, says):
    with pytest.raises(Refusal) as refused:
        spec.make(TABLE, "method", text)
    assert says in str(refused.value) and "\n" not in str(refused.value)


def test_what_is_given_cannot_be_set_by_text():
    with pytest.raises(Refusal, match="unknown setting of sensor two-bucket 'code'"):
        sensors.make("two-bucket:code=1", np.ones((2, 1, 1)))
    with pytest.raises(Refusal, match="unknown setting of sensor two-bucket 'readout'"):
        sensors.make("two-bucket:readout=electrons", np.ones((2, 1, 1)))


@pytest.mark.parametrize(
    ("word", "file"),
    [
        ("impulse", False),
        ("impulse:tile=3", False),
        ("mask.npy", True),
        ("./mask", True),
        ("a/b", True),
        ("tile:ridge=0.1", False),
    ],
)
def test_a_word_with_a_slash_or_a_suffix_is_a_file(word, file):
    assert spec.is_file(word) is file


@pytest.mark.parametrize(
    ("table", "make"),
    [
        (c2b.CODES, codes.make),
        ({**sensors.SENSORS, **sensors.PRESETS}, lambda text: sensors.make(text, np.ones((2, 1, 1)))),
        (recon.METHODS, recon.make),
    ],
)
def test_every_table_refuses_what_it_does_not_know(table, make):
    for text in ("nonsense", f"{next(iter(table))}:nonsense=1"):
        with pytest.raises(Refusal, match=r"unknown .* 'nonsense'"):
            make(text)
