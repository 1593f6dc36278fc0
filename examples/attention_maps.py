"""What the network for a coded-blurred pair has learnt to attend to, beside the same untrained: high where nothing moves.

python examples/attention_maps.py                                 on a scene: a standing camera, moving objects
python examples/attention_maps.py juggle.mkv --frames 9:18 --png juggle.png

Where nothing moves both inputs tell the same whatever the weights, and attention is 1; weights differ where something moves. The margin
is what nine of ten tiles in motion are below nine of ten that are still. The published form begins as a classical solve whose attention
is set by hand, the residual twin with random weights (He).
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_erosion

import recon
import sensors
from c2b import codes, plots
from c2b.plots.contact_sheet import BAR, Row, colour_bar, contact_sheet
from c2b.source import Part, Source
from recon.learned.network import given
from recon.networks.coded_blurred_pair import CodedBlurredPair
from recon.training.initialisation import initialise
from sensors.refusal import Refusal

SCENE = "occluding-objects:frames=9,standing=true,seed=1"
SENSOR = sensors.make("two-bucket", codes.make("impulse:tile=3"))

#: A tile moves where a pixel of it changes by more than the first, and is still where those around it change by less than the second.
MOVING, STILL, AROUND = 20 / 255, 4 / 255, 3

#: A camera stands where this share of the tiles that have texture, a standard deviation above `STILL`, do not change. Every one of them
#: changes as it pans.
STANDING = 0.1


def tiles(video: NDArray) -> tuple[NDArray, NDArray, float]:
    """Which tiles are still, in which something moves, and the share of those with texture that do not change."""
    inside = np.moveaxis(video.reshape(len(video), video.shape[1] // 3, 3, -1, 3), 3, 2)
    change, texture = np.ptp(inside, axis=0).max((2, 3)), inside[0].std((2, 3)) > STILL
    return binary_erosion(change < STILL, iterations=AROUND), change > MOVING, float((change < STILL)[texture].mean())


def margin(attention: NDArray, still: NDArray, moving: NDArray) -> float:
    """What nine of ten tiles in motion are below nine of ten that are still."""
    return float(np.quantile(attention[still], 0.1) - np.quantile(attention[moving], 0.9))


def maps_of(video: NDArray) -> dict[str, NDArray]:
    """Attention of the shipped networks, and of the same network with each kind of initial weights."""
    networks = {"pair": recon.make("pair"), "residual twin": recon.make("pair:residual=true")}
    networks = {name: method.trained(SENSOR).network for name, method in networks.items()}
    for name, kind in {"torch": "torch", "He": "he", "classical start": "classical"}.items():
        torch.manual_seed(0)
        networks[name] = CodedBlurredPair(**networks["pair"].settings)
        initialise(networks[name], kind, SENSOR)
    seen = given([SENSOR.capture(video, seed=0)], "")
    with torch.inference_mode():
        return {name: network.attention(seen.charge, seen.exposure)[0, 0].numpy() for name, network in networks.items()}


def main() -> None:
    """The picture of the words on the command line."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("clip", nargs="?", default=SCENE, help="video, folder of frames or scene, filmed by a standing camera")
    words.add_argument("--frames", default="0:9", help="nine of them")
    words.add_argument("--png", type=Path, default=Path("attention.png"))
    asked = words.parse_args()
    with Source(asked.clip, part=Part(frames=asked.frames)).open() as opened:
        video = opened.irradiance(0, 9)
    video = video[:, : video.shape[1] // 3 * 3, : video.shape[2] // 3 * 3]
    still, moving, standing = tiles(video)
    if standing < STANDING:
        raise SystemExit(f"{asked.clip}: only {standing:.0%} of its textured tiles do not change; it takes a standing camera")
    maps = maps_of(video)
    said = {name: f"{name}: margin {margin(one, still, moving):.2f}" for name, one in maps.items()}
    grey = [np.repeat(image[..., None].clip(0, 1), 3, -1) for image in (video[0], video[-1], 2 * np.ptp(video, axis=0))]
    rows = [
        Row("scene", grey, ("first frame", "last frame", "change of each pixel, x 2")),
        Row("trained", [*maps.values()][:2], [*said.values()][:2]),
        Row("untrained", [*maps.values()][2:], [*said.values()][2:], note="the same architecture,\ninitial weights"),
    ]
    subtitle = (
        f"{Path(asked.clip.partition(':')[0]).stem}, frames {asked.frames}, standing camera. Margin: what nine of ten tiles in "
    )
    subtitle += "motion are below nine of ten that are still"
    title = "Attention to the blurred image"
    laid = contact_sheet(rows, title=title, subtitle=subtitle, right=BAR, cmap="viridis", vmin=0, vmax=1)
    colour_bar(laid, "attention")
    plots.save(laid.sheet.figure, asked.png)
    Image.open(asked.png).convert("RGB").quantize(256, kmeans=1).save(asked.png, optimize=True)  # half the size
    print(f"{asked.png}: {'; '.join(said.values())}")


if __name__ == "__main__":
    try:
        main()
    except Refusal as reason:
        raise SystemExit(str(reason)) from None
