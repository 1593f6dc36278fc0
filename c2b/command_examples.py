"""Examples of every command, with which its help ends; tests/c2b/test_command_examples.py runs them, in this order."""

from __future__ import annotations

#: Two lines for each command; street.mp4, blurry.jpg, bench/ and FILM are the reader's own.
EXAMPLES: dict[str, tuple[str, str]] = {
    "demo": (
        "c2b demo",
        "c2b demo my-demo/",
    ),
    "simulate": (
        "c2b simulate street.mp4 street.c2b.ome.tif --linearize srgb",
        "c2b simulate street.mp4 noisy.c2b.ome.tif --sensor cep-2019:white=100 --seed 1",
    ),
    "blur": (
        "c2b blur street.mp4 street-blur/ --average 7:13 --pairs",
        "c2b blur street.mp4 street-blur.c2b.ome.tif --average 7 --shutter 180 --interpolate",
    ),
    "reconstruct": (
        "c2b reconstruct street.c2b.ome.tif street.mkv --method tile --consistent",
        "c2b reconstruct noisy.c2b.ome.tif frames/ --method gap-tv --exposures 0:2",
    ),
    "check": (
        "c2b check noisy.c2b.ome.tif",
        "c2b check street.c2b.ome.tif street.mkv --plot check.png",
    ),
    "score": (
        "c2b score street.mkv street.mp4",
        "c2b score street.mkv street.mp4 --middle --json",
    ),
    "compare": (
        "c2b compare street.mp4 --report report/ --page street.html",
        "c2b compare street.mp4 --frames 0:9 --method tile+consistent --method gap-tv",
    ),
    "train": (
        "c2b train gmm prior.safetensors --videos FILM --code impulse:tile=5",
        "c2b train unfolding:width=24 mine.safetensors --videos FILM --held OTHER_FILM",
    ),
    "calibrate": (
        "c2b calibrate bench/ my-camera.json",
        "c2b calibrate bench/ my-camera.json --plot photon-transfer.png",
    ),
    "codes": (
        "c2b codes bump:frames=16,tile=8,length=4 --png bump.png",
        "c2b codes impulse bump --sensor two-bucket --readout cep-2019 --light 20 --criterion cramer-rao --criterion moving-texture",
    ),
    "design": (
        "c2b design mine.npy --sensor cep-2019 --light 100 --png curve.png",
        "c2b design bumps.npy --sensor cep-2019 --light 100 --constraint single-bump",
    ),
    "plot": (
        "c2b plot street.c2b.ome.tif buckets.png",
        "c2b plot street.mkv street.gif",
    ),
    "info": (
        "c2b info street.c2b.ome.tif",
        "c2b info occluding-objects",
    ),
    "list": (
        "c2b list methods",
        "c2b list cep-2019",
    ),
    "convert": (
        "c2b convert street.mp4 street/",
        "c2b convert noisy.c2b.ome.tif noisy.npz",
    ),
}
