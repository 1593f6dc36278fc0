"""A 720p pair to nine frames through the shipped network: in bfloat16, against the same in plain float32."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import numpy as np
import torch

import recon
import sensors
from c2b import codes
from recon.learned import Unfolding, exposure_of
from recon.metrics import psnr
from tests.benchmarks.interleaved import Ratio, compare


def ratios() -> Iterator[Ratio]:
    """Without the classical start, which both share; at a loss below 0.02 dB."""
    sensor = sensors.make("two-bucket", codes.make("impulse:tile=3"))
    video = _drifting_texture()
    capture = sensor.capture(video, seed=0)
    start = torch.from_numpy(recon.make("tile").reconstruct(capture))
    charge, exposure = torch.from_numpy(capture.charge), exposure_of(sensor)
    method = Unfolding("unfolding-fast", precision="bfloat16")
    network = method.trained(sensor).network
    plain = deepcopy(network).to(memory_format=torch.contiguous_format)
    start, charge = (field[..., :720, :1272].contiguous() for field in (start, charge))  # whole tiles, as the method pads to
    torch.set_num_threads(1)

    def slow() -> torch.Tensor:
        with torch.inference_mode():
            return plain(start, charge, exposure)[-1]

    def fast() -> torch.Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return network(start, charge, exposure)[-1]

    truth = video[..., :720, :1272]
    assert psnr(fast()[0].float().numpy(), truth, data_range=1) > psnr(slow()[0].numpy(), truth, data_range=1) - 0.02
    yield compare("unrolled network, 720p pair to 9 frames, bfloat16", slow, fast, at_least=1.3, turns=5)


def _drifting_texture() -> np.ndarray:
    """Nine frames 720x1278 of noise of all scales that drifts by 1.5 pixels a frame."""
    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft2(rng.standard_normal((768, 1296)))
    down, right = np.fft.fftfreq(768)[:, None], np.fft.rfftfreq(1296)[None]
    spectrum /= np.maximum(np.hypot(down, right), 1e-3) ** 1.2
    frames = [np.fft.irfft2(spectrum * np.exp(-2j * np.pi * t * (down + 1.1 * right)))[:720, :1278] for t in range(9)]
    video = np.stack(frames).astype(np.float32)
    return (video - video.min()) / np.ptp(video)
