"""Captures without truth: what is held out tells the true error, is not seen, and decides whether new weights are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from c2b import own_captures
from c2b.captures import write_capture
from c2b.cli import main
from recon.learned.method import Trained
from recon.training import fine_tuning
from recon.training.held_out import held_out, hide
from recon.training.settings import TrainingSettings
from sensors.capture import Capture
from sensors.readout import Readout
from sensors.refusal import Refusal
from tests.handmade_learning import CODE, method_of, same, sensor_of, taught, texture

NOISY = replace(sensor_of(), readout=Readout(white=200, read_noise=5))


def captures(count=3, shape=(60, 66), sensor=NOISY):
    return [sensor.capture(texture((6, *shape), seed=n), seed=n) for n in range(count)]


def split(one, share=0.5):
    return held_out(one, np.random.default_rng(0), start="", share=share)


@pytest.mark.parametrize("readout", [Readout(white=200, read_noise=5), Readout(white=20, read_noise=12)])
def test_samples_held_out_tell_the_distance_from_the_truth(readout):
    truth = texture((6, 90, 96))
    found = split(replace(NOISY, readout=readout).capture(truth, seed=1))
    video = torch.from_numpy(truth)[None]
    right = (found.error(video) - found.noise).sum() / found.noise.sum()
    assert abs(float(right)) < 0.1
    wrong = video + 0.2 * torch.from_numpy(texture(truth.shape, seed=5))
    true = found.weight * found.given.exposure.expose(wrong - video).square()
    assert float((found.error(wrong) - found.noise).sum()) == pytest.approx(float(true.sum()), rel=0.1)


def test_what_is_held_out_is_not_seen():
    one = replace(NOISY, origin=(3, 5)).capture(texture((6, 30, 36)), seed=0)
    mask = np.random.default_rng(1).random(one.images.shape[1:]) < 0.2
    other = Capture(np.where(mask, one.images.max(), one.images), one.sensor)
    first, second = (hide(capture, mask) for capture in (one, other))
    assert np.array_equal(first.charge, second.charge) and not np.array_equal(one.charge, other.charge)
    assert np.isinf(first.variance[0][mask]).all() and np.isfinite(first.variance[0][~mask]).all()


def test_a_sample_that_is_saturated_or_hot_is_not_predicted():
    sensor = replace(NOISY, readout=Readout(white=200, full_well=300), hot=np.eye(30, 36, dtype=np.uint8)[None].repeat(2, 0))
    one = sensor.capture(texture((6, 30, 36)), seed=0)
    found = split(one, share=1.0)
    assert np.array_equal(found.weight[0].numpy() > 0, np.isfinite(one.variance[0]))


def begun(**words):
    """A network that has learnt next to nothing, as if it were at hand, and captures of a world that it does not know."""
    known = taught("unfolding", NOISY, noisy=True).trained_
    method = method_of("unfolding", batch=2, crop=24, distinct=4, warm_up=0, average=0.5, precision="float32", **words)
    method.trained_ = Trained(known.network, known.code, known.buckets, known.start)
    return method, known


def test_weights_that_predict_better_are_kept_and_others_are_not(monkeypatch):
    truth = [texture((6, 60, 66), seed=n) for n in (1, 2, 3)]
    monkeypatch.setattr(fine_tuning, "_reconstructed", lambda *given: truth)  # of a network that bad they would teach nothing
    method, known = begun(steps=8, rate=3e-3, every=4)
    with torch.no_grad():
        known.network.stages[-1].head.bias += 0.1
    said = []
    method.fit_captures(captures(4), report=lambda done, total, words, row: said.append(row))
    assert method.gain_.kept and method.gain_.after < method.gain_.before and "new weights are kept" in str(method.gain_)
    errors = [row["held_out_error"] for row in said if row]
    assert (
        len(errors) == 3 and errors[-1] == pytest.approx(method.gain_.after) and errors[0] == pytest.approx(method.gain_.before)
    )
    spoilt, known = begun(steps=2, rate=0.5, every=2)
    spoilt.fit_captures(captures(4))
    assert not spoilt.gain_.kept and "stay as they were" in str(spoilt.gain_)
    assert spoilt.trained_.network is known.network and not same(method, spoilt)


def test_captures_that_teach_nothing_are_refused():
    method, known = begun(steps=1)
    with pytest.raises(Refusal, match="fewer than two exposures"):
        method.fit_captures(captures(1))
    with pytest.raises(Refusal, match="were trained for"):
        method.fit_captures(captures(2, sensor=replace(NOISY, code=np.ascontiguousarray(CODE[::-1]))))
    with pytest.raises(Refusal, match="only 20 pixels high or wide"):
        method.fit_captures(captures(2, (20, 66)))
    blurred = np.ones((6, 2, 3), np.uint8)
    method.trained_ = replace(known, code=blurred)
    with pytest.raises(Refusal, match="tells no frames apart"):
        method.fit_captures(captures(2, sensor=replace(NOISY, code=blurred)))


def test_a_folder_of_captures_is_what_the_command_learns_from(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for folder, count in (("own", 3), ("back", 1)):
        Path(folder).mkdir()
        for n, one in enumerate(captures(count)):
            write_capture(f"{folder}/{n}.c2b.ome.tif", one)
    taught("unfolding", NOISY, noisy=True, response="srgb").save("w.safetensors", {"trained": "unfolding:response=srgb"})
    words = "unfolding:weights=./w.safetensors,steps=2,batch=2,crop=24,every=2,distinct=2"
    assert main(["train", words, "mine.safetensors", "--captures", "own", "--held", "back"]) == 0
    told = capsys.readouterr().out
    assert "3 exposures" in told and "held out of 1 captures held back are predicted" in told and "response=srgb" in told
    assert main(["info", "mine.safetensors"]) == 0
    capsys.readouterr()
    for words, why in {
        "gmm x.safetensors --captures own": "is for networks",
        "unfolding x.safetensors --captures empty": "holds no captures",
        "unfolding x.safetensors --captures own": "these weights of unfolding were trained for",
        "unfolding x.safetensors --captures own --videos film": "leave --videos",
    }.items():
        Path("empty").mkdir(exist_ok=True)
        assert main(["train", *words.split()]) == 2
        said = capsys.readouterr().err
        assert why in said and said.count("\n") == 1, said
    assert own_captures.SETTINGS["rate"] < TrainingSettings().rate
