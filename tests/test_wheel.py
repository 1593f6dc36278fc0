"""What is installed is more than what Python imports: data files travel in the wheel and work outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

OUTSIDE = """
import c2b, numpy, recon, sensors
from c2b import codes
from c2b.report.page import Page, write_page
assert "site" in c2b.__file__, c2b.__file__
sensor = sensors.make("cep-2019:white=20", codes.make("impulse"))
assert sensor.readout.white == 20
wall = sensors.make("two-bucket", codes.make("impulse")).capture(numpy.full((9, 12, 15), 0.5, "f4"), seed=0)
assert abs(recon.make("gmm").reconstruct(wall) - 0.5).max() < 0.01
write_page("index.html", Page("from the wheel"))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked as an installer would."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_wheel_works_outside_the_checkout(site, tmp_path):
    numba = {"NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_DISABLE_JIT": "1"}
    surroundings = {**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1", **numba}
    done = subprocess.run(
        [sys.executable, "-c", OUTSIDE], cwd=tmp_path, env=surroundings, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "from the wheel" in (tmp_path / "index.html").read_text()


def test_wheel_holds_the_packages_and_their_data_and_nothing_else(site):
    assert {path.name for path in site.iterdir() if not path.name.endswith(".dist-info")} == {"c2b", "sensors", "recon"}
    kept = {
        str(path.relative_to(ROOT))
        for package in ("c2b", "sensors", "recon")
        for path in (ROOT / package).rglob("*")
        if path.is_file()
    }
    kept = {name for name in kept if "__pycache__" not in name}
    assert kept == {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file() and ".dist-info" not in str(path)}
