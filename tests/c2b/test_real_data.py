"""Against data of others: measurements of the SCI benchmark to the last bit, and film of the GoPro data set to 0.05 dB."""

from __future__ import annotations

import numpy as np
import pytest

import recon
import sensors
from c2b import codes
from c2b.video.recording import open_recording
from recon.metrics import psnr
from tests.stored_data import data


@pytest.mark.parametrize("scene", ["crash32", "kobe32", "runner40"])
def test_snapshot_compressive_measurements_are_reproduced_exactly(scene):
    """meas = sum over t of mask_t orig_t (Llull et al., "Coded aperture compressive temporal imaging", Optics Express 2013)."""
    from scipy.io import loadmat

    file = loadmat(data(f"sci/{scene}_cacti.mat"))
    mask, meas, orig = (np.ascontiguousarray(np.moveaxis(file[key], 2, 0)) for key in ("mask", "meas", "orig"))
    sensor = sensors.make("coded-pixel", mask)
    capture = sensor.capture(orig, seed=0)
    assert len(capture) == len(meas) == len(orig) // len(mask)
    assert np.array_equal(capture.images[:, 0], meas)


def test_a_benchmark_mask_is_read_as_a_code():
    from scipy.io import loadmat

    path = data("sci/mask_cacti_readme.mat")
    code = codes.make(str(path))
    assert code.shape == (8, 256, 256) and np.array_equal(code, np.moveaxis(loadmat(path)["mask"], 2, 0))
    assert code.mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("sensor", "method", "consistent", "expected"),
    [
        ("conventional", "pseudo-inverse", False, 23.17),
        ("coded-pixel", "tile", False, 32.31),
        ("two-bucket", "tile", True, 34.01),
    ],
)
def test_gopro_film_is_reconstructed_as_well_as_measured_before(sensor, method, consistent, expected):
    """Nine frames at 240 per second as stored, 3x3 impulse code, no noise; one mean square error over the whole clip."""
    recording = open_recording(data("gopro/d01_gopro-s01.mkv")).window(columns=slice(0, 1278), channels="luma")
    video = recording[:]
    assert video.shape == (9, 720, 1278) and video.dtype == np.uint8
    capture = sensors.make(sensor, codes.make("impulse")).capture(video, seed=0)
    frames = recon.make(method, consistent=consistent).reconstruct(capture)[0]
    assert psnr(frames.clip(0, 1), video.astype(np.float32) / 255, data_range=1) == pytest.approx(expected, abs=0.05)
