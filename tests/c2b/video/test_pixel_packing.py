"""Packed pixels: the streams of bits that the standards describe, and back, by numpy and by compiled code."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from c2b.video import pixel_packing
from c2b.video.pixel_packing import PACKINGS, pack, row_bytes, unpack
from sensors.refusal import Refusal

STREAMS = {"Mono10p": "little", "Mono12p": "little", "Mono10msb": "big", "Mono12msb": "big"}


def pixels_of(packing, shape, seed=0):
    return np.random.default_rng(seed).integers(0, 1 << PACKINGS[packing].bits, shape, np.uint16)


@pytest.fixture(params=["numpy", "compiled"])
def engine(request, monkeypatch):
    """Either way of unpacking, whatever has been loaded before."""
    monkeypatch.setattr(pixel_packing, "sys", SimpleNamespace(modules={} if request.param == "numpy" else {"numba": None}))


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 6, 7, 8, 31, 320])
@pytest.mark.parametrize("packing", PACKINGS)
def test_unpacking_undoes_packing(engine, packing, width):
    pixels = pixels_of(packing, (2, 3, width), seed=width)
    packed = pack(pixels, packing)
    assert packed.shape == (2, 3, row_bytes(packing, width))
    np.testing.assert_array_equal(unpack(packed, packing, width), pixels)


@pytest.mark.parametrize("width", [8, 13])
@pytest.mark.parametrize("packing", STREAMS)
def test_a_stream_of_bits_is_the_bits_of_its_pixels(packing, width):
    """numpy's own packing of bits, from the lowest or from the highest."""
    pixels, bits, order = pixels_of(packing, (4, width)), PACKINGS[packing].bits, STREAMS[packing]
    ranks = np.arange(bits) if order == "little" else np.arange(bits)[::-1]
    stream = (pixels[..., None] >> ranks & 1).reshape(4, -1).astype(np.uint8)
    np.testing.assert_array_equal(pack(pixels, packing), np.packbits(stream, axis=1, bitorder=order))


def test_the_gige_packings_keep_the_low_bits_of_two_pixels_in_the_middle_byte():
    assert pack(np.array([0xABC, 0x123]), "Mono12Packed").tolist() == [0xAB, 0x3C, 0x12]
    assert pack(np.array([0b1111111101, 0b0000000110]), "Mono10Packed").tolist() == [0xFF, 0b10_0001, 0x01]


@pytest.mark.parametrize("packing", PACKINGS)
def test_padding_at_the_end_of_a_row_is_passed_over(engine, packing):
    pixels = pixels_of(packing, (3, 10))
    padded = np.pad(pack(pixels, packing), ((0, 0), (0, 5)), constant_values=255)
    np.testing.assert_array_equal(unpack(padded, packing, 10), pixels)


def test_pixels_are_unpacked_into_the_array_that_is_given(engine):
    pixels = pixels_of("Mono12p", (700, 600))  # enough work for several threads
    out = np.zeros_like(pixels)
    assert unpack(pack(pixels, "Mono12p"), "Mono12p", 600, out) is out
    np.testing.assert_array_equal(out, pixels)


def test_what_does_not_fit_is_refused():
    with pytest.raises(Refusal, match="3 bytes in a row"):
        unpack(np.zeros((4, 2), np.uint8), "Mono12p", 2)
    with pytest.raises(Refusal, match="from 0 to 1023"):
        pack(np.array([1024]), "Mono10p")
    with pytest.raises(Refusal, match="known: Mono10p"):
        unpack(np.zeros(3, np.uint8), "Mono11p", 2)
