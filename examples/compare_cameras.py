"""Which camera gives the film back? Conventional, coded pixel and two buckets over any videos, as a table.

    python examples/compare_cameras.py VIDEO... --columns 0:1278
    python examples/compare_cameras.py VIDEO... --columns 0:1278 --light 20 --light 100 --light 800

Without ``--light`` stored values are taken as light and the readout is ideal, as in the papers; with it the sRGB curve is undone before
exposure by the preset ``cep-2019``, whose noise all cameras share, and done again before scoring. The first nine frames of each
video count, in luma. Without a video the procedural scenes are used.
"""

from __future__ import annotations

from typing import Any

import cyclopts
import numpy as np

import recon
import sensors
from c2b import codes
from c2b.commands import open_video, part_of, table
from c2b.video.response import make as make_response
from recon.metrics import score
from sensors.sensor import Sensor

FRAMES = 9
SCENES = ("occluding-objects:frames=9", "rotating-camera:frames=9")
CAMERAS = ("conventional", "coded-pixel", "two-bucket")
METHODS = ("pseudo-inverse", "tile", "tile --consistent")


def compare(*videos: str, rows: str = "", columns: str = "", light: tuple[float, ...] = ()) -> None:
    """Print PSNR, SSIM and middle-frame PSNR, mean over the videos, for every camera and method that go together."""
    lines: list[tuple[Any, ...]] = []
    for white in light or (None,):
        for camera in CAMERAS:
            sensor = make_camera(camera, white)
            for method in METHODS:
                name, _, consistent = method.partition(" ")
                made = recon.make(name, consistent=bool(consistent))
                if not made.refusal(sensor):
                    results = [
                        one(video, sensor, made, rows, columns, "none" if white is None else "srgb") for video in videos or SCENES
                    ]
                    mean = np.mean(results, axis=0)
                    readout = "ideal" if white is None else f"{white:g} e-"
                    lines.append((readout, camera, method, f"{mean[0]:.2f}", f"{mean[1]:.3f}", f"{mean[2]:.2f}"))
    table(["readout", "camera", "method", "PSNR", "SSIM", "middle frame"], lines, f"mean over {len(videos or SCENES)} clips")


def make_camera(camera: str, white: float | None) -> Sensor:
    """The camera under the impulse code; with ``white`` electrons under the readout of cep-2019, its two buckets with leakage."""
    code = codes.make("impulse:tile=3")
    if white is None:
        return sensors.make(camera, code)
    preset = sensors.make(f"cep-2019:white={white}", code)
    return preset if camera == "two-bucket" else sensors.make(camera, code, readout=preset.readout, timing=preset.timing)


def one(video: str, sensor: Sensor, method: Any, rows: str, columns: str, response: str) -> tuple[float, float, float]:
    """PSNR of the volume, SSIM, PSNR of the middle frame."""
    with open_video(video, linearize=response) as recording:
        part = part_of(recording, f"0:{FRAMES}", rows, columns, "luma", "")
        x = part.irradiance()
    encode = make_response(response).encode
    shown, truth = encode(method.reconstruct(sensor.capture(x, seed=0))[0]), encode(x)
    whole, middle = score(shown, truth), score(shown, truth, middle=True)
    return whole.psnr, whole.ssim, middle.psnr


if __name__ == "__main__":
    cyclopts.run(compare)
