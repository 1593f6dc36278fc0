"""Hot pixels: which samples are left out, that they say nothing to any method, and that others are not disturbed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import recon
import sensors
from c2b import codes
from c2b.captures import read_capture, write_capture
from recon.metrics import psnr
from sensors.capture import Capture
from sensors.colour_filter import interleave
from sensors.fixed_pattern import hot_pixel_map
from sensors.refusal import Refusal
from sensors.sensor import Sensor

H, W = 33, 47
CODE = codes.make("impulse:tile=[2,3]")
FULL = "full_well=20000,read_noise=5,bits=14,gain=0.8,black_level=60"
HOT = f"white=100,{FULL},hot_pixels=0.02,hot_current=2000,sub_exposure=0.01"
METHODS = [*recon.METHODS, "tile+consistent"]


def film(frames: int = 6, colours: int = 0) -> np.ndarray:
    """Smooth light that moves."""
    t, y, x = np.meshgrid(np.arange(frames), np.arange(H), np.arange(W), indexing="ij")
    light = (0.5 + 0.3 * np.sin((x + 2 * t) / 6) * np.cos(y / 7)).astype(np.float32)
    return light if not colours else np.stack([light * (1 - c / 4) for c in range(colours)], -1)


def spoilt(capture: Capture, hot: np.ndarray, value: int) -> Capture:
    """The capture with other numbers in its hot samples."""
    images = capture.images.copy()
    images[:, hot] = value
    return Capture(images, capture.sensor, capture.record)


def without(sensor: Sensor) -> Sensor:
    """The sensor without hot pixels."""
    return replace(sensor, readout=replace(sensor.readout, hot_pixels=0.0))


@pytest.mark.parametrize("kind", ["two-bucket", "coded-pixel"])
def test_the_hot_pixels_of_a_readout_carry_no_weight_where_they_stand_out_of_the_noise(kind: str) -> None:
    sensor = sensors.make(f"{kind}:{HOT}", CODE)
    capture = sensor.capture(film(12), seed=0)
    hot = np.stack([hot_pixel_map(0.02, 0, b, (H, W)) for b in range(sensor.buckets)])
    assert hot.sum() > 20 and np.array_equal(np.isinf(capture.variance), np.stack([hot, hot]))
    assert capture.saturated == [0.0] * sensor.buckets
    noise = sensor.readout.dark_noise(sensor.buckets)[0]
    assert noise == pytest.approx(np.sqrt(25 + 1 / 12 / 0.8**2))
    for electrons, left_out in ((2.99 * noise, False), (3.01 * noise, True)):  # as many as hot pixels gather in an exposure
        readout = replace(sensor.readout, hot_current=electrons / sensor.duration)
        assert np.isinf(replace(sensor, readout=readout).capture(film(), seed=0).variance).any() == left_out


def test_a_crop_has_the_hot_pixels_of_its_part_of_the_chip() -> None:
    sensor = sensors.make(f"two-bucket:{HOT}", CODE)
    whole = sensor.capture(film(), seed=0)
    known = sensors.make("two-bucket:white=100", CODE, hot=np.isinf(whole.variance[0]))
    for one in (sensor, known):
        part = one.crop(slice(7, None), slice(11, 40)).capture(film()[:, 7:, 11:40], seed=0)
        np.testing.assert_array_equal(np.isinf(part.variance), np.isinf(whole.variance[..., 7:, 11:40]))


@pytest.mark.parametrize("origin", [(0, 0), (3, 2)])
def test_every_colour_plane_has_its_own_hot_pixels(origin: tuple[int, int]) -> None:
    mosaic = sensors.make(f"two-bucket:{HOT}", CODE, colour="grbg", origin=origin).capture(film(6, 3), seed=0)
    whole = np.isinf(mosaic.variance)
    np.testing.assert_array_equal(interleave([np.isinf(plane.variance) for plane in mosaic.planes()]), whole)
    assert whole.any()
    rgb = sensors.make(f"coded-pixel:{HOT}", CODE, colour="rgb", origin=origin).capture(film(6, 3), seed=0)
    planes = [np.isinf(plane.variance) for plane in rgb.planes()]
    np.testing.assert_array_equal(np.stack(planes, -1), np.isinf(rgb.variance))
    assert not np.array_equal(planes[0], planes[1])
    np.testing.assert_array_equal(np.stack([plane.charge for plane in rgb.planes()], -1), rgb.charge)


@pytest.mark.parametrize("kind", [f"two-bucket:{HOT}", f"coded-pixel:{HOT}", f"conventional:{HOT}"])
@pytest.mark.parametrize("name", METHODS)
def test_no_method_listens_to_a_hot_pixel(name: str, kind: str) -> None:
    method, sensor = recon.make(name), sensors.make(kind, CODE)
    if method.refusal(sensor):
        return
    capture = sensor.capture(film(), seed=0)
    hot = np.isinf(capture.variance[0])
    one, other = (method.reconstruct(spoilt(capture, hot, value)) for value in (0, 9000))
    assert hot.any() and np.array_equal(one, other)


@pytest.mark.parametrize("name", METHODS)
def test_hot_pixels_that_are_known_cost_little(name: str) -> None:
    """2 in 100 samples lost, against the same sensor without hot pixels."""
    method, sensor = recon.make(name), sensors.make(f"two-bucket:{HOT}", CODE)
    if method.refusal(sensor):
        return
    scores = [psnr(method.reconstruct(one.capture(film(), seed=0))[0], film(), data_range=1) for one in (sensor, without(sensor))]
    assert scores[0] > scores[1] - 0.3


def test_hot_pixels_that_are_not_known_cost_more() -> None:
    sensor, method = sensors.make(f"two-bucket:{HOT}", CODE), recon.make("pseudo-inverse")
    capture = sensor.capture(film(), seed=0)
    scores = [
        psnr(method.reconstruct(Capture(capture.images, one))[0], film(), data_range=1) for one in (sensor, without(sensor))
    ]
    assert scores[0] > scores[1] + 2


def test_the_neighbours_of_the_same_code_stand_in() -> None:
    """Charge that depends on the place in the tile alone is made whole, at borders and beside other hot pixels too."""
    hot = np.zeros((2, H, W), np.uint8)
    hot[0, [0, 5, 5, H - 1], [0, 9, 12, W - 1]] = hot[1, 5, 9] = 1
    tile = np.random.default_rng(0).random((6, 2, 3), np.float32)
    video = np.tile(tile, (1, H, W))[:, :H, :W]
    capture = sensors.make("two-bucket", CODE, hot=hot).capture(video, seed=0)
    np.testing.assert_allclose(spoilt(capture, hot.astype(bool), 99).charge, capture.images, rtol=1e-6)


def test_without_a_neighbour_of_the_same_code_those_beside_stand_in() -> None:
    mask = np.random.default_rng(0).integers(0, 2, (6, H, W), np.uint8)
    hot = np.zeros((1, H, W), np.uint8)
    hot[0, 4, 6] = 1
    capture = sensors.make("coded-pixel", mask, hot=hot).capture(film(), seed=0)
    beside = [(3, 6), (5, 6), (4, 5), (4, 7)]
    assert capture.charge[0, 0, 4, 6] == pytest.approx(np.mean([capture.images[0, 0, r, c] for r, c in beside]))
    alone = sensors.make("coded-pixel", CODE, hot=np.ones((1, 1, 1), bool)).capture(film()[:, :1, :1], seed=0)
    assert alone.charge[0, 0, 0, 0] == 0


def test_a_map_of_hot_pixels_is_part_of_the_sensor_and_its_files(tmp_path) -> None:
    hot = np.zeros((2, 20, 30), bool)  # smaller than the frames: beyond it none is known
    hot[1, 3, 4] = True
    sensor = sensors.make("cep-2019", CODE, hot=hot)
    assert sensor.digest != sensors.make("cep-2019", CODE).digest
    assert sensors.from_description(*sensor.description()).digest == sensor.digest
    capture = sensor.capture(film(), seed=0)
    assert np.argwhere(np.isinf(capture.variance)).tolist() == [[0, 1, 3, 4]]
    for name in ("x.c2b.ome.tif", "x.npz", "x.h5", "folder/"):
        write_capture(f"{tmp_path}/{name}", capture)
        again = read_capture(f"{tmp_path}/{name}")
        assert again.sensor.digest == sensor.digest and np.array_equal(again.variance, capture.variance)


def test_a_map_that_is_none_is_refused() -> None:
    for hot in (np.zeros((3, 4)), np.full((1, 3, 4), 2), np.zeros((1, 3, 4), float)):
        with pytest.raises(Refusal, match="hot pixels are ones in a map"):
            sensors.make("coded-pixel", CODE, hot=hot)
    with pytest.raises(Refusal, match="1 buckets, the sensor 2"):
        _ = sensors.make("two-bucket", CODE, hot=np.zeros((1, 3, 4), bool)).capture(film(), seed=0).variance


def test_a_sensor_without_a_map_keeps_its_identity() -> None:
    """The field is not written down where it is not used, so that digests in older files and weights stay those of the sensor."""
    document, arrays = sensors.make("two-bucket", CODE).description()
    assert "hot" not in document["settings"] and list(arrays) == ["code"]
    assert isinstance(sensors.make("two-bucket", CODE), Sensor)
