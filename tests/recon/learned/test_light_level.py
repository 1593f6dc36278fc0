"""Learned methods do not depend on the white that a capture states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import recon
import sensors
from c2b import codes
from recon.learned.light_level import BRIGHT, DARK, light_factor, light_level
from recon.learned.method import Learned, Trained
from sensors.two_bucket import TwoBucket
from tests.handmade_learning import shaken, texture

LEARNED = [name for name in recon.METHODS if issubclass(type(recon.make(name)), Learned)]
IMPULSE, LONG = codes.make("impulse:tile=3"), codes.make("long:frames=7")

#: Settings of those for which no weights come with c2b; theirs are drawn.
DRAWN = {"jin": "", "purohit": "", "argaw": ":base=4,growth=4,scales=2"}


def stating(capture, factor):
    """The same numbers under a white that makes the scene so many times as bright."""
    if capture.sensor.readout.ideal:
        return replace(capture, record={**capture.record, "white": capture.white / factor})
    readout = replace(capture.sensor.readout, white=capture.sensor.readout.white / factor)
    return replace(capture, sensor=replace(capture.sensor, readout=readout))


def learned(name, sensor):
    method = recon.make(f"{name}{DRAWN.get(name, '')}{',' if DRAWN.get(name) else ':'}precision=float32")
    if name in DRAWN:
        network = shaken(method.build(sensor), scale=0.02).eval()
        method.trained_ = Trained(network, sensor.code, sensor.buckets, "")
    return method


@pytest.mark.parametrize("name", LEARNED)
def test_a_wrong_white_scales_the_video_and_hardly_costs_quality(name):
    coded = name in ("unfolding", "pair", "coded", "blurred")
    sensor = sensors.make("two-bucket", IMPULSE) if coded else sensors.make("conventional", LONG)
    video = 0.1 + 0.8 * texture((sensor.frames, 48, 60), blur=4.0)
    capture, method = sensor.capture(video, seed=0), learned(name, sensor)
    true = method.reconstruct(capture)[0]
    assert light_factor([capture]) == 1 and not method.remarks(capture)
    error = {1.0: np.sqrt(np.mean(np.square(true - video)))}
    for factor in (0.1, 10.0):
        wrong = stating(capture, factor)
        made = method.reconstruct(wrong)[0] / factor
        error[factor] = np.sqrt(np.mean(np.square(made - video)))
        further = stating(capture, factor**2)
        assert np.allclose(method.reconstruct(further)[0] / factor**2, made, atol=2e-4)
        assert "--scene-white" in method.remarks(wrong)[0]
    if name not in DRAWN:
        assert max(error[0.1], error[10.0]) < 1.1 * error[1.0] + 3e-3


def test_noise_is_scaled_with_the_light():
    sensor = sensors.make("cep-2019:white=100", IMPULSE)
    video = 0.1 + 0.8 * texture((9, 48, 60), blur=4.0)
    capture, method = sensor.capture(video, seed=1), recon.make("unfolding:precision=float32")
    errors = [np.sqrt(np.mean(np.square(method.reconstruct(stating(capture, k))[0] / k - video))) for k in (1, 0.1, 10)]
    assert max(errors) < 1.1 * errors[0]


@pytest.mark.parametrize("kind", ["two-bucket", "coded-pixel", "cep-2019:white=20"])
def test_the_level_is_that_of_the_bright_parts_and_scales_with_white(kind):
    sensor = sensors.make(kind, codes.make("bernoulli:frames=5,tile=[40,52]"))
    video = 0.1 + 0.6 * texture((5, 40, 52), blur=4.0)
    capture = sensor.capture(video, seed=0)
    level = light_level(capture)
    assert level == pytest.approx(np.quantile(video.mean(0), 0.99), rel=0.15)
    assert light_level(stating(capture, 8.0)) == pytest.approx(8 * level, rel=1e-4)
    for factor in (0.01, 0.3, 1.0, 1.9, 40.0):
        scaled = light_level(stating(capture, factor))
        assert scaled / light_factor([stating(capture, factor)]) == pytest.approx(np.clip(scaled, DARK, BRIGHT), rel=1e-5)


def test_hot_pixels_darkness_and_closed_codes_do_not_matter():
    sensor = TwoBucket(IMPULSE)
    capture = sensor.capture(np.full((9, 40, 52), 0.5, np.float32), seed=0)
    images = np.array(capture.images)
    images[0, 1, 3::10, 5::10] = 1000
    assert light_level(replace(capture, images=images)) == pytest.approx(0.5, rel=0.01)
    assert light_factor([replace(capture, images=np.zeros_like(images))]) == 1
    assert light_factor([replace(capture, images=np.full_like(images, -3))]) == 1
    assert light_factor([replace(capture, images=np.full_like(images, np.nan))]) == 1
    closed = sensors.make("coded-pixel", np.zeros((4, 1, 1), np.uint8)).capture(np.ones((4, 9, 9), np.float32), seed=0)
    assert light_factor([closed]) == 1
