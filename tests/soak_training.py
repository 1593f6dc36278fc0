"""A queue of trainings killed (SIGKILL) at many random moments and resumed each time: the same weights and logs as undisturbed.

    python -m tests.soak_training 10
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from c2b.training_log import TrainingLog
from recon import weight_file
from tests.handmade_learning import film

ROOT = Path(__file__).parents[1]
WORDS = "crop=48,batch=4,steps=240,every=20,warm_up=20,kept=40,last_crop=72,precision=float32"
TOML = f"""
[all]
videos = ["../film"]
held = ["../film/0.npy"]
code = "impulse:tile=[2,3]"
[[training]]
name = "coded"
method = "coded:width=0.25,initial=classical,{WORDS}"
[[training]]
name = "pair"
method = "pair:width=0.5,initial=classical,{WORDS}"
[[training]]
name = "mask"
method = "unfolding:width=8,stages=3,start=pseudo-inverse,crop=48,batch=4,steps=60,every=10,kept=40,precision=float32"
sensor = "coded-pixel"
code = "bernoulli:frames=6,tile=64"
"""


def queue(folder: Path) -> subprocess.Popen[bytes]:
    """The queue in a process of its own."""
    folder.mkdir(exist_ok=True)
    (folder / "queue.toml").write_text(TOML)
    program = "import sys; from c2b.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "train", "--queue", str(folder / "queue.toml")]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL)


def result(folder: Path) -> dict[str, list]:
    """Weights and logs, without the hours."""
    found = {}
    for name, method in (("coded", "coded"), ("pair", "pair"), ("mask", "unfolding")):
        tensors = weight_file.read(folder / f"{name}.safetensors", method)[0]
        rows = TrainingLog(folder / f"{name}.log.csv", resumed=True).rows
        found[name] = [tensors, [{key: value for key, value in row.items() if key != "hours"} for row in rows]]
    return found


def main(kills: int) -> None:
    """Kill so many times, then let it end."""
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as place:
        where = Path(place)
        (where / "film").mkdir()
        for number, clip in enumerate(film(shape=(14, 90, 110))):
            np.save(where / "film" / f"{number}.npy", clip)
        began = time.monotonic()
        assert queue(where / "straight").wait() == 0
        whole = time.monotonic() - began
        for moment in range(kills):
            running = queue(where / "killed")
            time.sleep(rng.uniform(0.3, 1.0) * whole * 0.4)
            running.kill()
            running.wait()
            print(f"killed {moment + 1} times", (where / "killed" / "runs.md").exists(), flush=True)
        assert queue(where / "killed").wait() == 0
        ours, theirs = result(where / "killed"), result(where / "straight")
        for name, (tensors, rows) in ours.items():
            assert all(np.array_equal(tensors[key], theirs[name][0][key]) for key in theirs[name][0]), name
            assert rows == theirs[name][1], name
        left = [path.name for path in (where / "killed").iterdir() if "partial" in path.name]
        assert not left, left
    print(f"{kills} kills: same weights, same logs, nothing left behind")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
