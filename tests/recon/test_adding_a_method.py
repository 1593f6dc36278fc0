"""A new learned method is its network file, its method file and one line: trained, saved, told about and used like any other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import recon
from c2b.cli import main
from tests.handmade_learning import texture

pytest.importorskip("torch")

NETWORK = '''
"""Each frame is a small stencil on the charge."""

import torch
from torch import nn

from recon.learned.network import Network


class Stencil(nn.Module, Network):
    """Two convolutions."""

    def __init__(self, buckets: int, frames: int, width: int) -> None:
        super().__init__()
        self.settings = {"buckets": buckets, "frames": frames, "width": width}
        self.layers = nn.Sequential(nn.Conv2d(buckets, width, 5, padding=2), nn.ReLU(), nn.Conv2d(width, frames, 3, padding=1))

    def forward(self, charge):
        """(N, B, H, W) to (N, T, H, W)."""
        return self.layers(charge)
'''

METHOD = '''
"""A stencil behind the verbs of every method."""

from typing import Any, ClassVar

from recon.learned.method import Learned
from recon.training.settings import TrainingSettings


class Stencil(Learned):
    """Video by a stencil on the charge.

    Parameters
    ----------
    width : int
        Channels.
    """

    name: ClassVar[str] = "stencil"

    def __init__(
        self, weights: str = "", precision: str = "auto", width: int = 8, training: TrainingSettings = TrainingSettings(batch=4)
    ) -> None:
        super().__init__(weights, precision, training)
        self.width = width

    def build(self, sensor) -> Any:
        """For a sensor."""
        return self.rebuild({"buckets": sensor.buckets, "frames": sensor.frames, "width": self.width})

    def rebuild(self, settings) -> Any:
        """From the settings in a weight file."""
        from stencil_network import Stencil as Network

        return Network(**settings)

    def estimates(self, network, given):
        """One."""
        return [network(given.charge)]

    def loss(self, network, batch):
        """The usual one, and a pull towards the mean luminance."""
        return super().loss(network, batch) + 0.1 * (network(batch.given.charge).mean() - batch.truth.mean()).abs()
'''

WORDS = "width=4,steps=40,every=20,crop=24,batch=2,rate=3e-3,warm_up=0,precision=float32"


@pytest.fixture
def stencil(tmp_path, monkeypatch):
    (tmp_path / "stencil_network.py").write_text(NETWORK)
    (tmp_path / "stencil_method.py").write_text(METHOD)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(recon.METHODS, "stencil", "stencil_method:Stencil")
    monkeypatch.chdir(tmp_path)
    Path("film").mkdir()
    for seed in range(2):
        np.save(f"film/{seed}.npy", (texture((14, 40, 52), seed=seed, blur=1.2) * 255).astype(np.uint8))


def test_two_files_and_one_line_make_a_method_like_any_other(stencil, capsys):
    code = ["--code", "impulse:tile=[2,3]"]
    assert main(["train", f"stencil:{WORDS}", "w.safetensors", "--videos", "film", "--held", "film/0.npy", *code]) == 0
    assert "w.safetensors: stencil:seed=0,width=4,steps=40" in capsys.readouterr().out
    assert main(["simulate", "film/1.npy", "x.c2b.ome.tif", *code]) == 0
    assert main(["reconstruct", "x.c2b.ome.tif", "r.npy", "--method", "stencil:weights=./w.safetensors"]) == 0
    assert np.load("r.npy").shape == (12, 40, 52)
    capsys.readouterr()
    assert main(["info", "w.safetensors", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["constant outputs"] == "none" and len(told["psnr of frames, on a scene of c2b"]) == 6
    assert main(["list", "stencil", "--json"]) == 0
    (rows,) = json.loads(capsys.readouterr().out).values()
    assert {row["setting"]: row["value"] for row in rows}.items() >= {"width": "8", "batch": "4", "steps": "20000"}.items()
    assert main(["reconstruct", "x.c2b.ome.tif", "r.npy", "--method", "stencil"]) == 2
    assert "no weights of stencil for such captures come with c2b; train your own" in capsys.readouterr().err


def test_a_loss_of_its_own_is_what_it_learns_by(stencil):
    rows, method = [], recon.make(f"stencil:{WORDS}")
    from recon.learned.method import Learned

    clips = [np.load(path) for path in sorted(Path("film").glob("*.npy"))]
    import sensors
    from c2b import codes

    sensor = sensors.make("two-bucket", codes.make("impulse:tile=[2,3]"))
    method.fit(clips, sensor, report=lambda done, total, said, row: row and rows.append(row["loss"] if row["step"] else None))
    theirs = type(method).loss
    type(method).loss = Learned.loss
    try:
        plain = []
        recon.make(f"stencil:{WORDS}").fit(
            clips, sensor, report=lambda done, total, said, row: row and plain.append(row["loss"] if row["step"] else None)
        )
    finally:
        type(method).loss = theirs
    assert rows[1] != plain[1]


def test_weights_with_a_dead_output_are_pointed_out(stencil, capsys):
    from recon import weight_file

    code = ["--code", "impulse:tile=[2,3]"]
    assert main(["train", f"stencil:{WORDS}", "w.safetensors", "--videos", "film", *code]) == 0
    tensors, document = weight_file.read("w.safetensors", "stencil")
    tensors["layers.2.weight"][4], tensors["layers.2.bias"][4] = 0, -9
    weight_file.write("w.safetensors", tensors, document)
    capsys.readouterr()
    assert main(["info", "w.safetensors", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["constant outputs"].startswith("frame 4, row 0, column 0 of the tile; frame 4, row 0, column 1")
    assert told["frames far below the others"].startswith("4 (")
