"""Sensors and captures of files written by earlier versions are still the same: digests, documents and whole-number captures.

``python -m tests.sensors.test_stored_sensors`` writes the table anew; a changed line means that stored captures, trained weights and
comparison tables no longer match.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import sensors
from c2b import codes
from sensors.timing import Timing

TABLE = Path(__file__).with_suffix(".json")
H, W, CHIP = 11, 17, (23, 29)
CODE = codes.make("bernoulli:frames=6,tile=[3,2],seed=1")
OWN_CODES = {"flutter-shutter": codes.make("flutter:chips=1101001"), "cycle": np.stack([CODE, 1 - CODE])}
MAPS = np.arange(2 * CHIP[0] * CHIP[1]).reshape(2, *CHIP) % 32 / 128  # exact in every floating type
SENSORS = {name: (name, {}) for name in (*sensors.SENSORS, *sensors.PRESETS)} | {
    "cycle": ("two-bucket", {}),
    "origin": ("two-bucket", {"origin": (4, 5)}),
    "cell": ("two-bucket", {"cell": 2, "origin": (1, 0)}),
    "rgb": ("coded-pixel", {"colour": "rgb"}),
    "mosaic": ("two-bucket", {"colour": "rggb", "hot": np.eye(4, 6, dtype=np.uint8)[None].repeat(2, 0)}),
    "leakage": ("two-bucket", {"leakage": (0.02, 0.25), "drain": 0.125, "mismatch": -0.5}),
    "leakage-maps": ("two-bucket", {"leakage": MAPS}),
    "lag": ("two-bucket", {"lag": 0.125, "parasitic": (0.25, 0.0)}),
    "lag-matrix": ("coded-pixel", {"lag": np.eye(6) / 2}),
    "late-rows": ("two-bucket", {"timing": Timing(1e-3, 2, "rolling", 5e-4, 0.01, CHIP[0])}),
    "blanked": ("two-bucket", {"timing": Timing(1e-3, loading="blanked", load_time=3e-4)}),
    "rolling-delay": ("rolling-shutter:delay=2,rows=23,overlap=true", {}),
    "noise": ("two-bucket:white=100,read_noise=[3,4],full_well=600,bits=10,gain=0.5,black_level=64,serial=7", {}),
}


def facts(name):
    """Digest of the sensor, sha256 of its document, and that of its charge where it is whole numbers."""
    spec, settings = SENSORS[name]
    sensor = sensors.make(spec, OWN_CODES.get(name, CODE), **settings)
    document, arrays = sensor.description()
    video = np.random.default_rng(0).integers(0, 256, (2, sensor.frames, H, W), np.uint8)
    charge = sensor.expose(video)
    return {
        "digest": sensor.digest,
        "document": hashlib.sha256(json.dumps([document, sorted(arrays)], sort_keys=True).encode()).hexdigest(),
        "charge": sha256(charge) if charge.dtype.kind == "u" else "not whole numbers",
    }


def sha256(array):
    return hashlib.sha256(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes()).hexdigest()


@pytest.mark.parametrize("name", SENSORS)
def test_a_sensor_and_its_charge_are_those_of_earlier_versions(name):
    assert facts(name) == json.loads(TABLE.read_text(encoding="utf-8"))[name]


if __name__ == "__main__":
    TABLE.write_text(json.dumps({name: facts(name) for name in SENSORS}, indent=1) + "\n", encoding="utf-8")
