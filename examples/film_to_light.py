"""What each step from film to light costs: one clip through an ideal camera and through a full one, tile, gap-tv and unfolding.

``python examples/film_to_light.py [--quick] [VIDEO]``. A method that takes pixels apart cannot be told of the lens; gap-tv and tikhonov
can, and are shown with what the capture says of it and without (``+untold``).
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

import recon
import sensors
from c2b import codes, scenes
from c2b.terminal import table
from c2b.video.recording import open_recording
from recon.metrics import psnr

#: Each step with those before it.
STEPS = {
    "ideal": "",
    "lens, blur of 0.7 pixels": "blur=0.7",
    "cross-talk of light, 2 %": "blur=0.7,crosstalk=0.02",
    "cross-talk of charge, 1 %": "blur=0.7,crosstalk=0.02,charge_crosstalk=0.01",
    "vignetting, cos^4": "blur=0.7,crosstalk=0.02,charge_crosstalk=0.01,cos4={focal:g},image_size=[{height},{width}]",
}
METHODS = ("tile+untold", "gap-tv+untold", "unfolding+untold", "gap-tv", "tikhonov:spatial=0.1,temporal=1")


def main(words: list[str]) -> list[tuple[str, ...]]:
    """Rows of the table: a step, and the PSNR of each method in dB."""
    quick = "--quick" in words
    files = [word for word in words if word != "--quick"]
    height, width = (48, 60) if quick else (144, 192)
    if files:
        with open_recording(files[0]) as video:
            film = video.window(frames=slice(0, 9), rows=slice(0, height), columns=slice(0, width), channels="luma").irradiance()
    else:
        film = scenes.make(f"occluding-objects:frames=9,height={height},width={width},seed=3,optics=0.4")[0:9]
    methods = [name for name in METHODS if find_spec("torch") or not name.startswith("unfolding")]
    methods = methods[:1] + methods[-1:] if quick else methods
    rows = []
    for step, optics in STEPS.items():
        spec = optics.format(focal=1.2 * width, height=height, width=width)
        capture = sensors.make(f"two-bucket:{spec}" if spec else "two-bucket", codes.make("impulse:tile=3")).capture(film, seed=0)
        scores = [psnr(recon.make(name).reconstruct(capture)[0], film, data_range=1.0) for name in methods]
        rows.append((step, *(f"{score:.1f}" for score in scores)))
    print(table(["PSNR, dB", *methods], rows))
    return rows


if __name__ == "__main__":
    main(sys.argv[1:])
