"""``c2b train``: folders in, weights out; interrupted it goes on, and a mistake leaves nothing."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import recon
from c2b import scenes
from c2b.cli import main
from c2b.plots.training_curve import training_figure
from c2b.training_clips import read_clips
from c2b.training_log import TrainingLog
from c2b.video.writing import write_video
from recon import expectation_maximisation as em
from recon import weight_file
from sensors.refusal import Refusal

METHOD = "gmm:components=3,rank=8,patches=320"
CODE = "impulse:tile=2"  # four frames


def film(seed, shape):
    """Moving stripes of all contrasts."""
    rng = np.random.default_rng(seed)
    phase = np.cumsum(rng.normal(0, 0.3, shape[2])) + np.arange(shape[0])[:, None, None]
    contrast = rng.random((shape[1], 1))
    return (128 + 100 * contrast * np.sin(phase) + rng.normal(0, 4, shape)).astype(np.uint8)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder of recordings of two formats and of frames, photographs of two sizes, and what lies beside."""
    monkeypatch.chdir(tmp_path)
    for name in ("film", "film/frames", "film.safetensors", "x.checkpoint.safetensors", "stills", "empty", "short", "bad", "prose"):
        Path(name).mkdir()
    np.save("film/a.npy", film(0, (9, 44, 50)))
    write_video("film/b.mkv", film(1, (8, 48, 64)))
    Path("film/manifest.json").write_text("{}")
    for n in range(6):
        Image.fromarray(film(2, (6, 46, 60))[n]).save(f"film/frames/{n}.png")
    Image.fromarray(np.stack([film(9, (1, 50, 70))[0]] * 3, axis=-1)).save("stills/colour.png")
    Image.fromarray(film(10, (1, 41, 45))[0]).save("stills/grey.jpg")
    np.save("short/s.npy", film(0, (3, 44, 50)))
    Path("bad/x.mkv").write_text("no video " * 40)
    Path("prose/readme.md").write_text("no video")


def train(*words, weights="w.safetensors", method=METHOD, code=CODE):
    return main(["train", method, weights, "--code", code, *words])


def test_folders_become_luma_clips_in_the_order_of_their_names():
    clips = read_clips([Path("film")], [Path("stills")])
    assert [clip.shape for clip in clips] == [(9, 44, 50), (8, 48, 64), (6, 46, 60), (1, 50, 70), (1, 41, 45)]
    assert all(clip.dtype == np.uint8 for clip in clips)
    assert np.array_equal(clips[0], film(0, (9, 44, 50)))
    frames = read_clips([Path("film/frames")])
    assert np.array_equal(frames[0], clips[2])


def test_a_scene_is_a_clip():
    (clip,) = read_clips([Path("panorama:frames=3,height=24,width=32,seed=2")])
    np.testing.assert_allclose(clip, scenes.make("panorama:frames=3,height=24,width=32,seed=2")[:], atol=1e-3)


def test_linearised_clips_are_light():
    stored, light = (
        read_clips([Path("film/a.npy")], [Path("stills/grey.jpg")], linearize=how) for how in (None, "gamma:exponent=2")
    )
    for one, other in zip(stored, light, strict=True):
        assert np.allclose(other, (one / 255.0) ** 2, atol=1e-3)
    (brighter,) = read_clips([Path("film/a.npy")], white=510)
    assert np.allclose(brighter, stored[0] / 510, atol=1e-3)
    (lifted,) = read_clips([Path("film/a.npy")], black=10)
    assert np.allclose(lifted, (stored[0] - 10.0) / 245, atol=2e-3)


def test_what_is_learnt_serves_a_capture(capsys):
    assert train("--videos", "film", "--stills", "stills") == 0
    told = capsys.readouterr()
    assert told.out.startswith("w.safetensors: gmm:seed=0,components=3,rank=8,patches=320, 5 clips") and told.err == ""
    assert {path.name for path in Path().iterdir() if path.is_file()} == {"w.safetensors", "w.log.csv", "w.png"}
    assert main(["simulate", "film/a.npy", "x.c2b.ome.tif", "--code", CODE]) == 0
    assert main(["reconstruct", "x.c2b.ome.tif", "r.npy", "--method", "gmm:weights=./w.safetensors"]) == 0
    assert np.load("r.npy").shape == (8, 44, 50)
    _, document = recon.weight_file.read("w.safetensors", "gmm")
    assert document["patch"] == [4, 8, 8] and document["clips"] == 5 and document["code_spec"] == CODE
    assert document["settings"].items() >= {"components": 3, "rank": 8, "patches": 320, "seed": 0, "stride": 2}.items()


def test_the_log_has_a_row_for_each_iteration():
    assert train("--videos", "film") == 0
    with Path("w.log.csv").open(newline="") as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    assert [row["iteration"] for row in rows] == list(range(1, len(rows) + 1))
    assert np.diff([row["log_likelihood"] for row in rows]).min() > -1e-3


@pytest.mark.parametrize("when", [1, 2])
def test_interrupted_it_goes_on_to_the_same_bits(monkeypatch, capsys, when):
    assert train("--videos", "film", weights="whole.safetensors") == 0
    original, calls = em._log_joint, []

    def interrupt(*arguments):
        calls.append(1)
        if len(calls) > when:
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(em, "_log_joint", interrupt)
        assert train("--videos", "film") == 130
    assert "interrupted; w.checkpoint.safetensors is kept, and the same command goes on" in capsys.readouterr().err
    assert Path("w.checkpoint.safetensors").exists() and not Path("w.safetensors").exists()
    assert train("--videos", "film") == 0
    assert not Path("w.checkpoint.safetensors").exists()
    ours, whole = (recon.weight_file.read(name, "gmm")[0] for name in ("w.safetensors", "whole.safetensors"))
    assert all(np.array_equal(ours[name], whole[name]) for name in whole)
    assert Path("w.log.csv").read_text() == Path("whole.log.csv").read_text()


def test_the_curve_has_a_panel_for_each_quantity_and_a_point_for_each_number():
    rows = [{"step": 0, "psnr": 20.0}, {"step": 5, "loss": 0.5, "psnr": np.nan}, {"step": 9, "loss": 0.4, "psnr": 31.0}]
    panels = {axes.get_ylabel(): axes.lines[0].get_xydata().tolist() for axes in training_figure(rows).axes}
    assert panels == {"PSNR, dB": [[0, 20], [9, 31]], "training loss": [[5, 0.5], [9, 0.4]]}
    for nothing in ([], [{"step": 1}]):
        with pytest.raises(Refusal, match="no training to draw"):
            training_figure(nothing)


def test_an_interruption_between_log_and_checkpoint_leaves_no_row_twice(tmp_path):
    path = tmp_path / "x.log.csv"
    log = TrainingLog(path, resumed=False)
    for step in range(4):
        log.add({"step": step, "loss": 1 / (1 + step)})
    again = TrainingLog(path, resumed=True)
    again.add({"step": 2, "loss": 0.5, "psnr": 30.0})
    assert [row["step"] for row in TrainingLog(path, resumed=True).rows] == [0, 1, 2]
    assert TrainingLog(path, resumed=True).rows[-1] == {"step": 2, "loss": 0.5, "psnr": 30.0}
    TrainingLog(path, resumed=False).add({"step": 7, "loss": 0.1})
    assert path.read_text().split() == ["step,loss", "7,0.1"]


MISTAKES = {
    "tile w.safetensors --videos film": "tile learns nothing; what does:",
    "gmmm w.safetensors --videos film": "did you mean gmm?",
    "gmm:ranks=3 w.safetensors --videos film": "did you mean rank?",
    "gmm w.npz --videos film": "NAME.safetensors, not w.npz",
    "gmm away/w.safetensors --videos film": "the folder away does not exist",
    "gmm film.safetensors --videos film": "a folder of that name is in the way",
    "gmm w.safetensors": "--videos FOLDER, --stills FOLDER or both",
    "gmm x.safetensors --videos film": "cannot write x.checkpoint.safetensors: a folder of that name is in the way",
    "gmm w.safetensors --videos empty": "the folder empty holds no videos",
    "gmm w.safetensors --videos prose": "the folder prose holds no videos",
    "gmm w.safetensors --stills empty": "holds no PNG or JPEG",
    "gmm w.safetensors --videos nowhere": "there is no file or folder nowhere",
    "gmm w.safetensors --videos bad": "not a readable video",
    "gmm w.safetensors --videos short": "no video of 9 frames or more",
    "gmm w.safetensors --videos film --code impuls": "did you mean impulse?",
    "gmm w.safetensors --videos film --preset quick": "unknown preset of gmm 'quick'",
    "gmm w.safetensors --videos film --held film": "no use for --held",
    "gmm w.safetensors --videos film --code bernoulli:frames=4,tile=36 --code bernoulli:frames=5,tile=36": "one length for all",
    "gmm w.safetensors --videos film --light 10:x": "such as 10:1600",
    "gmm w.safetensors --videos film --light 10:20": "needs a readout in electrons",
    "gmm w.safetensors --videos film --linearize rgb": "did you mean srgb?",
    "gmm:patches=100 w.safetensors --stills stills": "needed: 200 or more",
}


@pytest.mark.parametrize(("line", "said"), MISTAKES.items())
def test_a_mistake_is_one_line_and_nothing_is_left(capsys, line, said):
    before = sorted(Path().rglob("*"))
    assert main(["train", *line.split()]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("c2b: ") and told.err.count("\n") == 1 and said in told.err
    assert sorted(Path().rglob("*")) == before


def test_a_checkpoint_of_other_clips_is_not_gone_on_with(capsys):
    for path in ("film/a.npy", "film/frames"):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(em, "_mixture", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            code = train("--videos", path)
        assert code == (130 if path == "film/a.npy" else 2)
    assert "another training, with other clips or settings" in capsys.readouterr().err


def test_light_levels_lie_evenly_between_the_two():
    import sensors
    from c2b import codes
    from c2b.training_run import under_light

    chip = sensors.make("cep-2019", codes.make(CODE))
    white = np.array([one.readout.white for one in under_light("10:1600", chip)])
    assert white[0] == pytest.approx(10) and white[-1] == pytest.approx(1600)
    assert np.allclose(white[1:] / white[:-1], white[1] / white[0])
    ideal = sensors.make("two-bucket", codes.make(CODE))
    assert under_light("10:1600", ideal) == [ideal]
    with pytest.raises(Refusal):
        under_light("20:10", chip)


def test_each_group_of_sensors_is_drawn_as_often_as_another_however_many_it_holds():
    from c2b.training_run import drawn_from

    assert drawn_from([["alone"]]) == "alone"
    draw, rng = drawn_from([["ideal"], ["dark", "dim", "bright"], ["ideal"]]), np.random.default_rng(0)
    names, counts = np.unique([draw(rng) for _ in range(9000)], return_counts=True)
    shares = dict(zip(names.tolist(), counts / 9000, strict=True))
    assert shares == pytest.approx({"ideal": 2 / 3, "dark": 1 / 9, "dim": 1 / 9, "bright": 1 / 9}, abs=0.02)


FAMILY = tuple(f"bernoulli:frames=4,tile=2,seed={seed}" for seed in range(3))


def test_a_network_that_is_told_the_code_learns_from_several_and_serves_another(capsys):
    word = "unfolding:width=4,stages=2,steps=2,batch=1,crop=24,coded=true,start=pseudo-inverse"
    assert not train("--videos", "film", "--code", FAMILY[1], method=word, code=FAMILY[0])
    assert not main(["simulate", "film/a.npy", "c.c2b.ome.tif", "--code", FAMILY[2], "--frames", "0:4"])
    assert not main(["reconstruct", "c.c2b.ome.tif", "v.npy", "--method", "unfolding:weights=./w.safetensors"])
    assert np.load("v.npy").shape[-3:] == (4, 44, 50)
    assert weight_file.read("w.safetensors", "unfolding")[1]["code_spec"] == " ".join(FAMILY[:2])
    capsys.readouterr()
    assert train("--videos", "film", "--code", "impulse:tile=3") == 2
    assert "one length for all" in capsys.readouterr().err


def test_a_network_for_masks_learns_from_several_sensors_lengths_and_readouts():
    several = ["--sensor", "coded-pixel", "--sensor", "two-bucket", "--readout", "ideal", "--readout", "electrons:white=100"]
    several += ["--code", "shifting-mask:frames=6,tile=40,across=-1", "--light", "50:500"]
    word = "unfolding:width=4,stages=2,steps=9,batch=1,crop=24,start=pseudo-inverse"
    assert not train("--videos", "film", *several, method=word, code="bernoulli:frames=4,tile=36")
    document = weight_file.read("w.safetensors", "unfolding")[1]
    told = {"sensor_spec": "coded-pixel two-bucket", "readout_spec": "ideal electrons:white=100", "light": "50:500"}
    assert document.items() >= {**told, "code_spec": f"bernoulli:frames=4,tile=36 {several[9]}"}.items()
    assert not main(["simulate", "film/a.npy", "c.c2b.ome.tif", "--code", "bernoulli:frames=5,tile=48", "--frames", "0:5"])
    assert not main(["reconstruct", "c.c2b.ome.tif", "v.npy", "--method", "unfolding:weights=./w.safetensors"])
    assert np.load("v.npy").shape[-3:] == (5, 44, 50)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo terminals")
def test_a_terminal_is_shown_a_bar_and_a_pipe_nothing(capsys):
    import subprocess
    import sys

    control, terminal = os.openpty()
    words = ["train", METHOD, "w.safetensors", "--videos", "film", "--code", CODE]
    environment = {**os.environ, "PYTHONPATH": str(Path(recon.__file__).parents[1]), "TERM": "xterm", "COLUMNS": "120"}
    program = [sys.executable, "-c", "import sys; from c2b.cli import main; sys.exit(main(sys.argv[1:]))", *words]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=terminal, env=environment) as running:
        os.close(terminal)
        shown = b""
        try:
            while piece := os.read(control, 65536):
                shown += piece
        except OSError:  # the terminal is gone
            pass
        out = running.stdout.read()
    assert running.returncode == 0 and out.startswith(b"w.safetensors: ")
    assert b"nats per patch" in shown
