"""How learned methods learn: batches, on-policy stages, losses, the loop and its checkpoints."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import recon
from recon import weight_file
from recon.learned import method as contract
from recon.learned.coded_blurred_pair import CodedBlurredPair, SingleCoded
from recon.learned.unfolding import Unfolding
from recon.networks.mask_unfolding import MaskUnfolding
from recon.training.clips import Clips, KeptClips
from recon.training.learning import dead_channels, learn
from recon.training.losses import Loss, encode, total_variation
from recon.training.on_policy import OnPolicy
from recon.training.schedule import Schedule
from recon.training.settings import TrainingSettings
from recon.training.validation import Found
from sensors.refusal import Refusal
from sensors.response import make as make_response
from tests.handmade_learning import (
    CODE,
    KINDS,
    MASK,
    SMALL,
    batches_of,
    film,
    method_of,
    same,
    sensor_of,
    shaken,
    taught,
    texture,
)

# On-policy ---


def on_policy(stages, **settings):
    settings = {"width": 4, "stages": stages, "batch": 4, "crop": 24, "start": "pseudo-inverse", "steps": 1, **settings}
    method = method_of("unfolding", **settings)
    network, batches = MaskUnfolding(width=4, stages=stages), batches_of(method, sensor_of("coded-pixel", MASK))
    return OnPolicy(batches, network, new=not method.weights, error=method.error)


@pytest.mark.parametrize("stages", [1, 2, 3, 16])
def test_captures_under_way_take_turn_after_turn_and_make_room_after_the_last(stages, monkeypatch):
    store, taken = on_policy(stages), {}
    monkeypatch.setattr(store.batches, "drawn", lambda number, *about: number)
    steps = [store.batch(number) for number in range(4 * stages * stages)]
    for visit in (visit for step in steps for visit in step):
        taken.setdefault((visit.place, visit.batch), []).append(visit.stage)
    last = {place: max(capture for at, capture in taken if at == place) for place, _ in taken}
    for (place, capture), turns_taken in taken.items():
        assert turns_taken == list(range(len(turns_taken)))
        # the first of a place is cut short, so that stages spread; the last is still under way
        assert len(turns_taken) == stages or capture in (place, last[place])
    assert len({capture for _, capture in taken}) == len(taken)  # none in two places
    late = np.bincount([visit.stage for step in steps[stages * stages :] for visit in step], minlength=stages)
    assert (late == late[0]).all()  # each turn is learnt from as often as another
    assert all(len({visit.stage for visit in step}) == min(stages, len(step)) for step in steps[stages * stages :])


def test_what_is_under_way_is_what_the_network_makes_of_the_capture():
    store = on_policy(3)
    network = shaken(MaskUnfolding(width=4, stages=3), scale=0.1)
    with torch.no_grad():
        for number in range(18):
            for visit in store.batch(number):
                estimate = store.estimate(network, visit)
                if visit.stage == 2:
                    start, charge, variance, exposure = visit.batch.given
                    assert (estimate - start).abs().max() > 0.01
                    assert torch.equal(exposure.data_step(estimate, charge), network(start, charge, exposure, variance)[-1])


def test_a_new_network_begins_with_white_noise_along_the_flow_of_the_truth():
    store, strengths, whites = on_policy(3, steps=60), [], []
    network = MaskUnfolding(width=4, stages=3)  # says nothing yet, so that the noise comes back
    with torch.no_grad():
        for number in range(24):
            visits = store.batch(number)
            whites.append(sum(visit.white for visit in visits))
            for visit in filter(lambda visit: visit.white, visits):
                noisy, truth = store.estimate(network, visit), visit.batch.truth
                assert torch.equal(noisy, store.estimate(network, visit))
                assert torch.equal(store._ways[visit.place].guide, truth)
                strengths.append(float((noisy - truth).std()))
    assert whites[:12] == [4] * 12 and whites[-6:] == [0] * 6 and not any(np.diff(whites) > 2)
    assert 0.005 < min(strengths) < 0.02 < 0.1 < max(strengths) < 0.25 and len(set(strengths)) == len(strengths)
    assert not on_policy(3, steps=60, weights="unfolding-mask").batch(0)[0].white


def test_clips_are_captured_behind_any_part_of_a_mask_larger_than_they_are():
    method = method_of("unfolding", width=4, crop=24, start="pseudo-inverse")
    batches = batches_of(method, sensor_of("coded-pixel", MASK))
    places = {batches.drawn(number, 24, 1).given.exposure.sensor.origin for number in range(200)}
    assert places <= {(top, left) for top in range(17) for left in range(25)} and len(places) > 100
    truth, (_, charge, _, exposure) = batches.drawn(7, 24, 1)
    top, left = exposure.sensor.origin
    assert np.allclose((MASK[:, top : top + 24, left : left + 24] * truth[0].numpy()).sum(0), charge[0, 0], atol=1e-5)


# Learning ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_learning_makes_the_loss_smaller(name):
    clip = (texture((14, 40, 52), blur=0.8) * 255).astype(np.uint8)
    rows = []
    wider = SMALL[name] | ({"width": 12} if name == "unfolding" else {"residual": False})
    method = method_of(name, **wider, steps=80, batch=4, crop=24, rate=5e-3, precision="float32", variation=0.0)
    method.fit([clip], sensor_of(), held=[clip], report=lambda done, total, said, row: rows.append(row))
    scores = [row["psnr"] for row in rows if row]
    assert scores[-1] > scores[0] + 0.2 and rows[-1]["step"] == 80


@pytest.mark.parametrize("error", ["", "absolute", "rms"])
def test_a_training_makes_small_the_error_that_is_asked_for(error):
    """The loss of a step that changes nothing is that error of the start."""
    rows, settings = [], {**SMALL["pair"], "steps": 1, "batch": 3, "crop": 24, "variation": 0.0, "error": error}
    method = method_of("pair", **settings, precision="float32")
    method.fit(film(), sensor_of(), report=lambda done, total, said, row: rows.append(row))
    (batch,) = batches_of(method, sensor_of()).batch(0)
    estimates = method.estimates(method.build(sensor_of()), batch.given)
    assert rows[-1]["loss"] == pytest.approx(Loss(error=error or "absolute")(estimates, batch.truth).item(), rel=1e-5)


RUNS = {
    "unfolding": (SMALL["unfolding"], sensor_of()),
    "pair": (SMALL["pair"], sensor_of()),
    "published coded": ({"width": 1 / 4, "initial": "classical"}, sensor_of()),
    "unfolding for masks": ({"width": 4, "stages": 3, "start": "pseudo-inverse"}, sensor_of("coded-pixel", MASK)),
}


def run_of(run, **words):
    settings, sensor = RUNS[run]
    name = next(name for name in KINDS if name in run)
    words = {"steps": 12, "batch": 2, "crop": 24, "seed": 1, "precision": "float32", "every": 4, "warm_up": 3, **words}
    return method_of(name, **settings, **words), sensor


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("kept", [0, 5])
def test_a_run_killed_at_any_step_or_stopped_in_good_order_ends_in_the_same_weights(run, kept, tmp_path):
    """Killed: what came after the last checkpoint is done again. Stopped: nothing is. The log has each of its rows."""
    method, sensor = run_of(run, kept=kept)
    rows = []
    told = lambda done, total, said, row: rows.append(row) if row else None  # noqa: E731
    straight = method.fit(film(), sensor, report=told)
    path, again = tmp_path / "run.checkpoint.safetensors", []
    retold = lambda done, total, said, row: again.append(row) if row else None  # noqa: E731
    for when in (2, 5, 7, 7, 11):

        def kill(done, total, said, row, when=when):
            retold(done, total, said, row)
            if done >= when:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_of(run, kept=kept)[0].fit(film(), sensor, checkpoint=path, report=kill)
        stopped = run_of(run, kept=kept)[0]
        steps = iter((False, True))
        stopped.fit(film(), sensor, checkpoint=path, report=retold, stop=lambda steps=steps: next(steps))
        assert not stopped.outcome_.finished or stopped.outcome_.place.step == 12
    resumed = run_of(run, kept=kept)[0].fit(film(), sensor, checkpoint=path, report=retold)
    assert resumed.outcome_.finished and same(straight, resumed)
    known = {row["step"]: row for row in again}
    figures = [{key: value for key, value in row.items() if key != "hours"} for row in rows]
    assert [{key: value for key, value in known[row["step"]].items() if key != "hours"} for row in rows] == figures


@pytest.mark.parametrize("run", ["unfolding", "published coded"])
def test_a_longer_run_ends_in_the_same_weights_as_one_that_was_that_long_from_the_beginning(run, tmp_path):
    """It goes on from before the decay, whether the shorter run is on its plateau, in its decay or finished."""
    long, sensor = run_of(run, steps=18)
    long.fit(film(), sensor)
    for stops_at in (5, 10, 99):
        path = tmp_path / f"{stops_at}.checkpoint.safetensors"
        short = run_of(run, steps=12)[0]
        count = iter(range(1, 99))
        short.fit(film(), sensor, checkpoint=path, stop=lambda count=count, stops_at=stops_at: next(count) >= stops_at)
        assert not same(short, long)
        assert same(run_of(run, steps=18)[0].fit(film(), sensor, checkpoint=path), long)
        assert run_of(run, steps=18)[0].fit(film(), sensor, checkpoint=path).outcome_.place.step == 18  # nothing is left to do
    with pytest.raises(Refusal, match="has done 18 steps; steps=17 would throw some away"):
        run_of(run, steps=17)[0].fit(film(), sensor, checkpoint=path)
    run_of(run, steps=6, decay=1.0)[0].fit(film(), sensor, checkpoint=tmp_path / "cosine.safetensors")
    with pytest.raises(Refusal, match="decays from its first step"):
        run_of(run, steps=7, decay=1.0)[0].fit(film(), sensor, checkpoint=tmp_path / "cosine.safetensors")


def test_a_run_begun_in_bfloat16_goes_on_without(tmp_path):
    path = tmp_path / "run.checkpoint.safetensors"
    begun, sensor = run_of("unfolding", precision="bfloat16")
    steps = iter(range(1, 99))
    begun.fit(film(), sensor, checkpoint=path, stop=lambda: next(steps) == 6)
    resumed = run_of("unfolding", precision="float32")[0].fit(film(), sensor, checkpoint=path)
    assert resumed.outcome_.finished
    whole = run_of("unfolding", precision="float32")[0].fit(film(), sensor)
    pairs = zip(whole.trained_.network.parameters(), resumed.trained_.network.parameters(), strict=True)
    assert not same(whole, resumed) and all(torch.allclose(a, b, atol=0.02) for a, b in pairs)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"rate": 1e-4}, "rate 0.001, not 0.0001"),
        ({"distinct": 2}, "distinct 0, not 2"),
        ({"seed": 2}, "seed 1, not 2"),
        ({"stages": 1}, "stages 2, not 1"),
        ({"clips": 2}, "other data or sensors"),
        ({"kind": "coded-pixel"}, "other data or sensors"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_with_what_differs(other, said, tmp_path):
    path = tmp_path / "run.checkpoint.safetensors"
    method, sensor = run_of("unfolding", steps=4)
    method.fit(film(), sensor, checkpoint=path)
    clips, sensor = film(other.pop("clips", 3)), sensor_of(other.pop("kind", "two-bucket"))
    settings = {**SMALL["unfolding"], **{key: other.pop(key) for key in tuple(other) if key == "stages"}}
    words = {"steps": 4, "batch": 2, "crop": 24, "seed": 1, "every": 4, "warm_up": 3, **other}
    with pytest.raises(Refusal, match="another run") as refused:
        method_of("unfolding", **settings, **words).fit(clips, sensor, checkpoint=path)
    assert said in str(refused.value)


def test_a_setting_that_came_later_does_not_end_a_run(tmp_path):
    path = tmp_path / "run.checkpoint.safetensors"
    method, sensor = run_of("pair", steps=4)
    method.fit(film(), sensor, checkpoint=path)
    tensors, document = weight_file.read(path, "checkpoint")
    del document["key"]["recipe"]["variation_step"]
    weight_file.write(path, tensors, document)
    assert run_of("pair", steps=6)[0].fit(film(), sensor, checkpoint=path).outcome_.finished


@pytest.mark.parametrize("theirs", [{"run": {}, "step": 3}, {"format": 3}])
def test_a_checkpoint_of_another_format_is_refused_by_name(theirs, tmp_path):
    path = tmp_path / "run.checkpoint.safetensors"
    weight_file.write(path, {}, {"method": "checkpoint", **theirs})
    method, sensor = run_of("pair")
    number = theirs.get("format", 1)
    with pytest.raises(Refusal, match=f"run.checkpoint.safetensors is a checkpoint of format {number}, this version of c2b reads"):
        method.fit(film(), sensor, checkpoint=path)


def test_a_run_that_gains_too_little_in_an_hour_begins_its_decay(monkeypatch, tmp_path):
    """The clock is put forward by half an hour a validation; the rate falls from there, over its share of the shorter run."""
    import recon.training.learning as loop

    clock = iter(range(10**6))
    monkeypatch.setattr(loop.time, "monotonic", lambda: 300.0 * next(clock))
    rows, words = [], {"patience": 50.0, "steps": 900, "decay": 0.5, "every": 2, "warm_up": 0}
    method, sensor = run_of("pair", **words)
    told = lambda done, total, said, row: rows.append(row) if row else None  # noqa: E731
    method.fit(film(), sensor, held=film(1), report=told, checkpoint=tmp_path / "w.safetensors")
    place = method.outcome_.place
    assert place.steps == 2 * place.decays_from < 100 and place.asked == 900 and method.outcome_.finished
    rates = {row["step"]: row["rate"] for row in rows if row["step"]}
    assert rates[place.decays_from] == 1e-3 > rates[place.steps - 2] > rates[place.steps] > 0
    assert run_of("pair", **words)[0].fit(film(), sensor, checkpoint=tmp_path / "w.safetensors").outcome_.place == place


def test_crops_and_rates_follow_the_schedule_at_equal_cost():
    words = {"crop": 24, "first_crop": 12, "first_steps": 4, "last_crop": 36, "steps": 20, "decay": 0.25, "warm_up": 5, "batch": 8}
    method = method_of("pair", **SMALL["pair"], **words, kept=7)
    batches = batches_of(method, sensor_of())
    shapes = [tuple(batches.batch(step)[0].truth.shape) for step in range(20)]
    assert shapes == [(32, 6, 12, 12)] * 4 + [(8, 6, 24, 24)] * 11 + [(4, 6, 36, 36)] * 5
    assert [batches._place(step) for step in (0, 4, 15, 20)] == [0, 4 * 32, 4 * 32 + 11 * 8, 4 * 32 + 11 * 8 + 5 * 4]
    rates = [batches.schedule.rate(step) / 1e-3 for step in range(20)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1]) and rates[5:16] == [1.0] * 11
    assert (np.diff(rates[15:]) < 0).all() and 0 < rates[-1] < 0.1


def test_captures_of_any_length_cost_the_same():
    several = [sensor_of("coded-pixel", np.random.default_rng(T).integers(0, 2, (T, 40, 48), np.uint8)) for T in (4, 8, 2)]
    batches = batches_of(method_of("unfolding", width=4, batch=8, crop=24, start="pseudo-inverse"), several[0])
    batches.sensors = lambda rng: several[rng.integers(3)]
    shapes = {batches.batch(step)[0].truth.shape[:2] for step in range(30)}
    assert shapes == {(8, 4), (4, 8), (16, 2)}


def test_kept_clips_are_drawn_once_and_come_again_in_each_pass_in_another_order():
    clips = Clips(film(), 4, (20, 20), reversal=False)
    kept, drawn = KeptClips(clips, 6, seed=3), []
    original = clips.original
    clips.original = lambda rng: drawn.append(1) or original(rng)
    seen = [[kept.draw(turn * 6 + place, (20, 20), np.random.default_rng(0)) for place in range(6)] for turn in range(3)]
    assert len(drawn) == 6

    def sort(clip):  # mirrored, transposed and brightened alike, for the generator is
        return clip.tobytes()

    assert sorted(map(sort, seen[0])) == sorted(map(sort, seen[1])) == sorted(map(sort, seen[2]))
    assert len({tuple(map(sort, one)) for one in seen}) == 3 and len(set(map(sort, seen[0]))) == 6
    parts = {kept.draw(0, (8, 8), np.random.default_rng(seed)).tobytes() for seed in range(20)}
    assert len(parts) > 15 and kept._kept[0].dtype == np.uint8
    with pytest.raises(Refusal, match=r"kept=100000000 clips take .* GB, and this machine has"):
        KeptClips(clips, 10**8, seed=0)


def test_film_in_colour_gives_clips_in_colour_or_planes_of_it():
    rng = np.random.default_rng(0)
    video, picture = (rng.integers(0, 60, (n, 40, 52, 3), dtype=np.uint8) + np.array([0, 90, 190], np.uint8) for n in (9, 1))
    for clip in (Clips([video, picture], 4, (16, 16), colour=True).draw(np.random.default_rng(seed)) for seed in range(12)):
        assert clip.shape == (4, 16, 16, 3) and (np.diff(clip.mean((0, 1, 2))) > 0.05).all()
    means = [Clips([video, picture], 4, (16, 16)).original(np.random.default_rng(seed)) for seed in range(60)]
    assert {clip.shape for clip in means} == {(4, 16, 16)}
    assert {int(3 * clip.mean()) for clip in means} == {0, 1, 2}
    with pytest.raises(Refusal, match="1 of the videos are grey"):
        Clips([video, film(1)[0]], 4, (16, 16), colour=True)


def test_time_runs_backwards_only_where_it_may():
    ramp = np.broadcast_to(np.arange(12, dtype=np.uint8)[:, None, None] * 20, (12, 24, 24))
    for reversal in (True, False):
        slopes = {np.sign(np.diff(Clips([ramp], 4, (8, 8), reversal=reversal).draw(np.random.default_rng(s)).mean((1, 2)))).min()
                  for s in range(20)}  # fmt: skip
        assert slopes == ({1.0, -1.0} if reversal else {1.0})


# Guards -----------------------------------------------------------------------------------------------------------------------


def test_a_constant_output_is_named_and_drawn_anew_and_lives(tmp_path):
    rows, said, sensor = [], [], sensor_of()
    clip = (texture((14, 40, 52), blur=0.8) * 255).astype(np.uint8)
    words = {"steps": 60, "batch": 4, "crop": 24, "every": 10, "rate": 3e-3, "warm_up": 0, "variation": 0.0}
    method = method_of("coded", width=1 / 8, **words, precision="float32")
    begun = type(method)._begun

    def with_a_dead_row(self, sensor):
        network = begun(self, sensor)
        with torch.no_grad():
            network.unet.head.weight[10], network.unet.head.bias[10] = 0, -1.0
        return network

    def report(done, total, words, row):
        if row:
            rows.append(row)
            said.append(words)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(method), "_begun", with_a_dead_row)
        method.fit([clip], sensor, held=[clip], report=report)
    assert rows[0]["worst_output"] == "1 1 1" and rows[0]["worst_output_variance"] < 1e-8
    assert [words for words in said if "drawn anew" in words] == ["constant outputs drawn anew: frame 1, row 1, column 1 of the tile"]
    assert rows[-1]["worst_output_variance"] > 1e-3 and rows[-1]["worst"] > 10


def test_a_validation_that_collapses_stops_the_run_before_the_checkpoint(tmp_path):
    path, figures = tmp_path / "run.checkpoint.safetensors", iter((20.0, 24.0, 13.9))
    method, sensor = run_of("pair")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("recon.training.validation.Validation.__call__", lambda self, net: Found({"psnr": next(figures)}, []))
        said = "validation fell from 24.0 to 13.9 dB at step 8; .* holds the last good state; try a lower rate"
        with pytest.raises(Refusal, match=said):
            method.fit(film(), sensor, held=film(1), checkpoint=path, report=lambda *news: None)
    assert weight_file.read(path, "checkpoint")[1]["place"]["step"] == 4


def test_several_codes_are_learnt_only_by_a_network_that_is_told_the_code():
    several = [sensor_of(), sensor_of(code=CODE[::-1])]
    draw = lambda rng: several[rng.integers(2)]  # noqa: E731
    words = {**SMALL["unfolding"], "steps": 1, "batch": 1, "crop": 24, "start": "pseudo-inverse"}
    said = r"differs from it in 33% .* learns one code; train one network for each, or a family: coded=true"
    with pytest.raises(Refusal, match=said):
        method_of("unfolding", **words).fit(film(), draw)
    assert method_of("unfolding", **words, coded=True).fit(film(), draw).outcome_.finished
    assert method_of("blurred", **SMALL["blurred"], steps=1, batch=1, crop=24).fit(film(), draw).outcome_.finished


def test_a_constant_output_that_cannot_be_mended_stops_the_run(tmp_path):
    class Constant(SingleCoded):
        def estimates(self, network, given):
            return [0 * given.charge.expand(-1, 6, -1, -1) * network.unet.head.weight.sum()]

    method = method_of(Constant, **SMALL["coded"], steps=4, batch=2, crop=24, every=2, precision="float32")
    with pytest.raises(Refusal, match="an output of the network is constant .frame 0, row 0, column 0 of the tile. at step 2"):
        method.fit(film(), sensor_of("coded-pixel"))


def test_dead_channels_are_those_without_gradient():
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.ConvTranspose2d(4, 2, 3))
    with torch.no_grad():
        net[0].bias[:] = torch.tensor([9.0, -9, 9, -9])
        net[0].weight.mul_(0.1)
    assert dead_channels(net) == {"dead": 0}  # nothing is known yet
    net(torch.rand(1, 1, 8, 8)).square().sum().backward()
    assert dead_channels(net) == {"dead": 2, "dead 0": 2}
    net.zero_grad()
    net(torch.rand(1, 1, 8, 8))[:, :1].square().sum().backward()
    assert dead_channels(net) == {"dead": 3, "dead 0": 2, "dead 2": 1}


def test_clips_held_back_that_are_too_short_are_refused():
    method = method_of("pair", **SMALL["pair"], steps=2, batch=2, crop=24)
    for clip in (film(1, (5, 40, 52))[0], film(1, (9, 1, 52))[0]):
        with pytest.raises(Refusal, match="no clip for validation has 6 frames of 2x3 pixels or more"):
            method.fit(film(), sensor_of(), held=[clip])


def test_without_held_clips_the_figures_are_called_those_of_the_training():
    rows = []
    method = method_of("pair", **SMALL["pair"], steps=2, batch=2, crop=24, precision="float32")
    method.fit(film(), sensor_of(), report=lambda done, total, said, row: row and rows.append(row))
    assert rows and all("training_psnr" in row and "psnr" not in row for row in rows)


@pytest.mark.parametrize("name", KINDS)
def test_a_training_goes_on_from_weights_that_are_named(name, tmp_path):
    first = taught(name, sensor_of())
    first.save(tmp_path / "w.safetensors")
    settings = {**SMALL[name], "weights": str(tmp_path / "w.safetensors"), "steps": 1, "batch": 2, "crop": 24, "rate": 1e-12}
    again = method_of(name, **settings).fit(film(), sensor_of())
    pairs = zip(first.trained_.network.parameters(), again.trained_.network.parameters(), strict=True)
    assert all(torch.allclose(a, b, atol=1e-3) for a, b in pairs)
    with pytest.raises(Refusal, match="cannot go on"):
        method_of(name, **{**settings, "width": 2 * SMALL[name]["width"]}).fit(film(), sensor_of())


@pytest.mark.parametrize("kind", [Unfolding, CodedBlurredPair])
@pytest.mark.parametrize(
    "setting",
    [
        *({"width": 0}, {"steps": 0}, {"rate": -1.0}, {"precision": "int4"}, {"seed": -1}, {"variation": -1.0}, {"distinct": -1}),
        *({"photographs": 2.0}, {"photographs": -0.1}, {"crop": 0}, {"response": "film"}, {"error": "huber"}),
        *({"decay": 1.5}, {"betas": (0.9, 1.0)}, {"average": -0.1}, {"variation_step": 3}, {"initial": "kaiming"}, {"warm_up": -1}),
        *({"kept": -1}, {"kept": 3, "distinct": 2}, {"distinct": 2, "last_crop": 48}),
        *({"first_crop": 48}, {"patience": -1.0}, {"every": 0}),
    ],
    ids=str,
)
def test_a_setting_out_of_range_is_refused(kind, setting):
    with pytest.raises(Refusal, match=next(iter(setting))):
        method_of(kind, **setting)


def test_a_network_of_no_stages_is_not_unrolled():
    with pytest.raises(Refusal, match="stages"):
        method_of("unfolding", stages=0)


@pytest.mark.parametrize(
    ("name", "other"), [("unfolding", {"width": 5}), ("unfolding", {"start": "gap-tv"}), ("pair", {"width": 0.5})]
)
def test_settings_that_the_weights_do_not_have_are_refused(name, other, tmp_path):
    path = str(tmp_path / "w.safetensors")
    taught(name, sensor_of()).save(path)
    assert method_of(name, weights=path).refusal(sensor_of()) == ""
    assert method_of(name, **SMALL[name], weights=path).refusal(sensor_of()) == ""
    ((setting, value),) = other.items()
    reason = method_of(name, weights=path, **other).refusal(sensor_of())
    assert reason.startswith(f"{setting}={value}, but these weights of {name} are of {setting}=") and "\n" not in reason


def test_kept_batches_come_again():
    batches = batches_of(method_of("unfolding", **SMALL["unfolding"], batch=2, crop=24, distinct=3), sensor_of())
    (again,) = zip(*(batches.batch(n) for n in range(7)), strict=True)
    assert again[0] is again[3] is again[6] and again[2] is not again[3]


def test_without_torch_learned_methods_say_what_to_install(monkeypatch):
    monkeypatch.setattr(contract.importlib.util, "find_spec", lambda name: None)
    for kind in KINDS.values():
        assert "pip install torch" in kind().refusal(sensor_of())
        with pytest.raises(Refusal, match="needs torch"):
            kind().fit(film(), sensor_of())


def test_any_classical_method_can_be_the_start():
    sensor = sensor_of()
    method = method_of("unfolding", **SMALL["unfolding"], steps=1, batch=1, crop=24, start="gap-tv:iterations=9", precision="float32")
    assert method.fit(film(), sensor).trained_.start == "gap-tv:iterations=9"
    for parameter in method.trained_.network.parameters():
        parameter.data.zero_()
    capture = sensor.capture(texture((6, 24, 36)), seed=0)
    assert np.allclose(method.reconstruct(capture), recon.make("gap-tv:iterations=9").reconstruct(capture), atol=1e-4)


class NoNumbers:
    schedule = Schedule.of(TrainingSettings())

    def batch(self, number):
        return [torch.full((1, 1), np.nan)]

    def loss(self, network, part):
        return network(part).sum()

    def state(self):
        return {}


def test_a_loss_that_is_nan_stops_the_run():
    with pytest.raises(Refusal, match="the loss became NaN or infinite at step 1"):
        learn(torch.nn.Linear(1, 1), NoNumbers(), lambda network: Found({}, []), TrainingSettings(steps=3), key={})


@pytest.mark.parametrize("kind", ["two-bucket", "cep-2019"])
def test_a_batch_of_a_number_is_always_the_same_and_is_what_the_sensor_makes(kind):
    sensor = sensor_of(kind)
    batches = batches_of(method_of("unfolding", **SMALL["unfolding"], batch=2, crop=24, seed=5), sensor)
    ((truth, (start, charge, variance, exposure)),) = batches.batch(7)
    (again,) = batches.batch(7)
    for one, other in zip((again.truth, *again.given[:2]), (truth, start, charge), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(batches.batch(8)[0].truth, truth)
    assert (variance is None) == sensor.readout.ideal
    error = charge - exposure.expose(truth)
    if variance is None:
        assert error.abs().max() < 1e-5
    else:
        assert 0.5 < float((error / variance.sqrt()).std()) < 1.5


def test_light_is_encoded_as_srgb_and_back():
    stored = np.linspace(0, 1, 1001, dtype=np.float32)
    assert np.allclose(encode(torch.from_numpy(make_response("srgb").decode(stored)), "srgb").numpy(), stored, atol=1e-5)
    beyond = torch.tensor([-0.1, 1.2], requires_grad=True)
    encode(beyond, "srgb").sum().backward()
    assert (beyond.grad > 0).all()


def test_the_loss_of_the_paper():
    """L1 + 0.1 TV of neighbours, or by central differences of step 2, on a ramp whose variation is known."""
    ramp = torch.arange(8.0).expand(1, 2, 6, 8) / 10
    assert total_variation(ramp) == pytest.approx(0.2) and total_variation(ramp, 1) == pytest.approx(0.1)
    assert Loss(variation=0.1)([ramp + 0.05], ramp) == pytest.approx(0.05 + 0.02)
    assert Loss(variation=0.1, variation_step=1)([ramp + 0.05], ramp) == pytest.approx(0.05 + 0.01)
    assert Loss(stages=0.5)([ramp + 0.4, ramp], ramp) == pytest.approx(0.2)


def test_the_root_mean_square_is_that_of_each_video():
    truth, sign = torch.rand(2, 3, 6, 8), torch.tensor([1.0, -1]).repeat(4)
    estimate = truth + torch.tensor([0.1, 0.3])[:, None, None, None] * sign
    assert Loss(error="rms")([estimate], truth) == pytest.approx(0.2, rel=1e-3)
    assert Loss(error="rms")([truth], truth) < 2e-3


# Clips ------------------------------------------------------------------------------------------------------------------------


def test_clips_of_film_are_runs_of_it():
    """Every clip is found in the film: some frames in a row, or every second or third, perhaps mirrored, turned, reversed."""
    film = np.random.default_rng(0).random((20, 12, 12)).astype(np.float32)
    clips = Clips([film], 4, (12, 12))
    for seed in range(20):
        rng = np.random.default_rng(seed)
        clip = clips.draw(rng)
        assert clip.shape == (4, 12, 12) and clip.dtype == np.float32 and clip.min() >= 0 and clip.max() <= 1
        sums = clip.mean((1, 2)) / film.mean()
        runs = [film[a : a + 3 * s + 1 : s].mean((1, 2)) for s in (1, 2, 3) for a in range(20 - 3 * s)]
        runs += [run[::-1] for run in runs]
        assert min(np.ptp(sums / (run / film.mean())) for run in runs) < 0.12


def test_a_photograph_moves_smoothly_and_keeps_its_texture():
    picture = texture((1, 120, 160))[:1]
    clips = Clips([picture], 9, (32, 48))
    for seed in range(20):
        clip = clips.draw(np.random.default_rng(seed))
        assert clip.shape == (9, 32, 48) and np.isfinite(clip).all()
    still = texture((1, 120, 160))[:1] * 0 + 0.5
    grey = Clips([still], 5, (16, 16)).draw(np.random.default_rng(0))
    assert np.ptp(grey) < 1e-6


def test_nothing_to_draw_from_is_said():
    with pytest.raises(Refusal, match="no video of 9 frames or more"):
        Clips(film(shape=(8, 40, 52)), 9, (24, 24))
    with pytest.raises(Refusal, match="64 pixels"):
        Clips(film(), 9, (24, 64))


def test_an_open_shutter_blurs_photographs_along_their_way_and_a_shut_one_leaves_clips_as_they_were():
    photograph = (255 * np.random.default_rng(0).random((1, 120, 150))).astype(np.uint8)
    how = {"photographs": 1.0, "fastest": 20.0, "reversal": False}

    def detail(shutter: float) -> float:
        clips = Clips([photograph], 5, (48, 64), shutter=shutter, **how)
        return float(np.mean([np.abs(np.diff(clips.original(np.random.default_rng(k)))).mean() for k in range(20)]))

    assert detail(1.0) < 0.95 * detail(0.0)
    still = Clips([photograph], 5, (48, 64), shutter=1.0, **{**how, "fastest": 0.06})
    sharp = Clips([photograph], 5, (48, 64), **{**how, "fastest": 0.06})
    assert np.allclose(*(one.original(np.random.default_rng(3)) for one in (still, sharp)), atol=0.1)


def test_what_is_out_of_focus_lies_behind_its_objects_and_keeps_its_light():
    photographs = [(255 * np.random.default_rng(k).random((1, 120, 150))).astype(np.uint8) for k in range(3)]
    how = {"photographs": 1.0, "fastest": 0.06, "reversal": False}
    sharp, blurred = (Clips(photographs, 3, (48, 64), defocus=defocus, **how) for defocus in (0.0, 4.0))
    detail = np.array([
        [np.abs(np.diff(one.original(np.random.default_rng(k))[1])).mean() for k in range(40)] for one in (sharp, blurred)
    ])  # fmt: skip
    assert 0.25 < (detail[1] < 0.7 * detail[0]).mean() < 0.75
    assert np.isclose(np.mean([blurred.original(np.random.default_rng(k)).mean() for k in range(40)]), 0.5, atol=0.03)
    alone = Clips(photographs, 3, (48, 64), **how)
    assert np.array_equal(alone.original(np.random.default_rng(7)), sharp.original(np.random.default_rng(7)))
    with pytest.raises(Refusal, match="defocus"):
        TrainingSettings(defocus=0.1)


def test_film_that_is_run_faster_under_an_open_shutter_is_the_mean_of_frames_in_a_row():
    film = np.arange(60, dtype=np.uint8)[:, None, None] * np.ones((1, 20, 24), np.uint8)
    clips = Clips([film], 4, (16, 20), skip=6, shutter=1.0)
    for seed in range(40):
        clip = 255 * clips.original(np.random.default_rng(seed))
        steps = np.diff(clip[:, 0, 0])
        assert np.allclose(steps, steps[0]) and 1 <= round(float(steps[0])) <= 6
        assert np.allclose(clip[0, 0, 0] * 2, np.rint(clip[0, 0, 0] * 2), atol=1e-3)  # a frame, or midway between two
