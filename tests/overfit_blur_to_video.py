"""A network for video from one blurred picture, at its published size, learns four clips by heart: shapes prove little, this more.

    python -m tests.overfit_blur_to_video jin
    python -m tests.overfit_blur_to_video jin:width=72,rate=2e-4 --crop 80 --steps 300 --seconds 600

Clips are of real film from the folder of test data (C2B_DATA), fast enough to be blurred. Prints the PSNR of all frames together, and
of the first, middle and last one, in the better of both orders for each clip, less that of the blurred picture repeated; ends with 1 if
that of all together is not `ENOUGH` above it.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch

import recon
import sensors
from c2b import codes
from c2b.training_clips import read_clips
from recon.training.batches import Batches
from recon.training.settings import TrainingSettings
from tests.stored_data import ROOT

#: Decibels above the blurred picture, of all frames together.
ENOUGH = 3.0

#: What all are trained with; words in the name of the method take its place.
SETTINGS = {
    "batch": 4,
    "steps": 400,
    "every": 25,
    "rate": 1e-3,
    "warm_up": 20,
    "decay": 0.5,
    "average": 0.95,
    "distinct": 1,
    "kept": 0,
}
CLIPS = {"photographs": 0.0, "skip": 6, "first_crop": 0, "first_steps": 0, "last_crop": 0, "seed": 4}

FRAMES = 7


def learner(spec, crop, steps):
    """The method of that name, set to learn one batch of four clips."""
    method = recon.make(spec)
    usual = inspect.signature(type(method)).parameters["training"].default
    asked = {f.name for f in fields(TrainingSettings) if getattr(method.training, f.name) != getattr(usual, f.name)}
    words = {**SETTINGS, **CLIPS, "crop": crop, **({"steps": steps} if steps else {})}
    method.training = replace(method.training, **{name: value for name, value in words.items() if name not in asked})
    return method


def figures(truth, video):
    """PSNR of all frames, the first, the middle and the last, mean over clips (N, T, H, W), each in its better order."""
    found = []
    for true, shown in zip(truth, video, strict=True):
        error = min((((one - true) ** 2).mean((1, 2)) for one in (shown, shown[::-1])), key=np.mean)
        found.append([error.mean(), error[0], error[len(error) // 2], error[-1]])
    return np.mean(-10 * np.log10(found), 0)


def main(arguments):
    told = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    told.add_argument("method")
    told.add_argument("--crop", type=int, default=80)
    told.add_argument("--steps", type=int, default=0)
    told.add_argument("--seconds", type=float, default=float("inf"))
    told.add_argument("--threads", type=int, default=1)
    told = told.parse_args(arguments)
    torch.set_num_threads(told.threads)
    method = learner(told.method, told.crop, told.steps)
    sensor = sensors.make("conventional", codes.make(f"long:frames={FRAMES}"))
    clips = read_clips(sorted(Path(ROOT, "highspeed/train").glob("*.mkv"))[:8])
    network = method.build(sensor)
    parameters = sum(one.numel() for one in network.parameters()) / 1e6
    batches = Batches(
        method.training, clips, sensor, start=method.begins_with(sensor), multiple=network.multiple, loss=method.loss
    )
    (truth, given), begun = batches.drawn(0, method.training.crop, method.training.batch), time.monotonic()
    true = truth.cpu().numpy()
    blurred = figures(true, np.repeat(true.mean(1, keepdims=True), FRAMES, 1))
    print(f"{told.method}: {parameters:.2f} million parameters, {len(true)} clips of {true.shape[2]}x{true.shape[3]}")
    print("blurred picture repeated: volume, first, middle, last", blurred.round(2), flush=True)

    def gain():
        with torch.inference_mode(), method.autocast():
            video = method.estimates(method.trained_.network, given)[-1]
        return figures(true, video.float().cpu().numpy()) - blurred

    def report(done, total, said, row):
        if row:
            print(
                f"step {done:5d} of {total}, {time.monotonic() - begun:5.0f} s: {gain().round(2)} dB above it; {said}", flush=True
            )

    method.fit(clips, sensor, report=report, stop=lambda: time.monotonic() - begun > told.seconds)
    print("gain", gain().round(2))
    return int(not gain()[0] >= ENOUGH)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
