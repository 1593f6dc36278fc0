"""A 720p pair to nine frames through the shipped network, against the same stage by stage on whole frames in plain float32.

In the precision that the method chooses on this processor: bfloat16 where it computes in it, else float32, where only the grid gains.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import torch

import recon
import sensors
from c2b import codes, scenes
from recon.learned.network import exposure_of
from recon.learned.unfolding import Unfolding
from recon.metrics import psnr
from recon.networks.space_to_depth import fold, unfold
from tests.benchmarks.interleaved import Ratio, compare

#: What the grid alone is worth at least.
FLOAT32 = 1.0


def ratios() -> Iterator[Ratio]:
    """Without the classical start, which both share; at a loss below 0.02 dB."""
    sensor = sensors.make("two-bucket", codes.make("impulse:tile=3"))
    video = scenes.make("occluding-objects:frames=9,height=720,width=1272")[0:9]  # whole tiles, as the method pads to
    capture = sensor.capture(video, seed=0)
    start = torch.from_numpy(recon.make("tile").reconstruct(capture))
    charge, exposure = torch.from_numpy(capture.charge), exposure_of(sensor)
    method = Unfolding("unfolding-fast")
    precision, at_least = ("bfloat16", 1.8) if method.bfloat16 else ("float32", FLOAT32)
    network = method.trained(sensor).network
    plain = deepcopy(network).to(memory_format=torch.contiguous_format)
    torch.set_num_threads(1)

    def slow() -> torch.Tensor:
        with torch.inference_mode():
            x, features = start, []
            means = fold(charge / exposure.counts(*charge.shape[-2:]), plain.tile)
            for stage in plain.stages:
                change, feature = stage([fold(x, plain.tile), means, *features])
                x, features = exposure.data_step(x + unfold(change, plain.tile), charge), [feature]
            return x

    def fast() -> torch.Tensor:
        with torch.inference_mode(), method.autocast():
            return network(start, charge, exposure)[-1]

    assert psnr(fast()[0].float().numpy(), video, data_range=1) > psnr(slow()[0].numpy(), video, data_range=1) - 0.02
    yield compare(f"unrolled network, 720p pair to 9 frames, on the grid, {precision}", slow, fast, at_least=at_least, turns=5)
