"""A video out of one blurred picture by a displacement field: warping, losses of unknown order, the teacher, colour, any size and T."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

import recon
import sensors
from c2b import codes, scenes
from recon import optical_flow
from recon.metrics import psnr
from sensors.capture import Capture
from sensors.refusal import Refusal

torch = pytest.importorskip("torch")
from recon.networks.displacement_field import DisplacementField, moved  # noqa: E402
from recon.networks.warping import times, warp  # noqa: E402
from recon.training import order_losses  # noqa: E402
from recon.training.flow_teacher import half_flow, turned  # noqa: E402

SMALL = {"channels": (4, 4, 6, 8), "sharpening": 4}


def camera(frames=7, **settings):
    return sensors.make("conventional", codes.make(f"long:frames={frames}"), **settings)


def panning(frames=7, speed=(0.0, 2.0), size=(64, 96), seed=0):
    """Smooth texture that moves by `speed` pixels (rows, columns) a frame."""
    rng = np.random.default_rng(seed)
    waves = [(*rng.uniform(-0.35, 0.35, 2), rng.uniform(0, 6.28)) for _ in range(12)]
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    at = (np.arange(frames) - (frames - 1) / 2)[:, None, None]
    clip = sum(np.cos(a * (rows - speed[0] * at) + b * (columns - speed[1] * at) + c) for a, b, c in waves)
    return (0.5 + 0.03 * clip).astype(np.float32)


def learner(seed=0, **settings):
    """A small network with random weights everywhere, as if trained."""
    method = recon.make("motion")
    torch.manual_seed(seed)
    network = DisplacementField(**{**SMALL, **settings})
    for parameter in network.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    from recon.learned.method import Trained

    method.trained_ = Trained(network.eval(), camera().code, 1, "")
    return method


def taken(video, sensor):
    return Capture(sensor.take(video, seed=0)[None], sensor)


# Warping ----------------------------------------------------------------------------------------------------------------------


def test_a_picture_moved_by_nothing_is_itself_and_by_whole_pixels_its_shift():
    image = torch.rand(2, 3, 9, 13)
    still = torch.zeros(2, 2, 9, 13)
    assert torch.allclose(warp(image, still), image, atol=1e-6)
    shift = still.clone()
    shift[:, 0], shift[:, 1] = 2, -3
    assert torch.allclose(warp(image, shift)[..., :-2, 3:], image[..., 2:, :-3], atol=1e-5)
    assert torch.allclose(warp(image, shift)[..., -1, 3:], image[..., -1, :-3], atol=1e-5)  # the outermost row goes on


def test_displacements_have_the_sign_and_order_of_optical_flow():
    ramp = np.add.outer(2 * np.arange(20.0), np.arange(30.0)).astype(np.float32) / 70
    field = np.stack([np.full((20, 30), 1.5, np.float32), np.full((20, 30), -2.25, np.float32)])
    ours = warp(torch.from_numpy(ramp)[None, None], torch.from_numpy(field)[None])[0, 0].numpy()
    assert np.allclose(ours[3:-4, 4:-4], optical_flow.warp(ramp, field)[3:-4, 4:-4], atol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 7, 8])
def test_frames_lie_symmetrically_about_the_middle(frames):
    at = np.array(times(frames))
    assert np.allclose(at, -at[::-1]) and np.allclose(np.diff(at), 2 / frames) and abs(at).max() < 1


# Losses -----------------------------------------------------------------------------------------------------------------------


def test_the_order_losses_do_not_know_the_order_and_the_plain_error_does():
    made, truth = torch.rand(2, 3, 7, 8, 10).unbind(0)
    for loss in (order_losses.pairwise, order_losses.globally):
        assert torch.allclose(loss(made, truth), loss(made.flip(1), truth)) and loss(made, truth) > 0
        assert loss(truth.flip(1), truth) < 1e-6
    both, reversed_ = order_losses.better_order(made, truth, order_losses.root_mean_square)
    again, now = order_losses.better_order(made.flip(1), truth, order_losses.root_mean_square)
    assert torch.allclose(both, again) and torch.equal(reversed_, ~now)
    given = order_losses.root_mean_square(made, truth)
    assert torch.all(both <= given) and not torch.allclose(given, order_losses.root_mean_square(made.flip(1), truth))


def test_the_global_loss_takes_any_permutation_and_the_pairwise_one_only_swaps_within_pairs():
    truth = torch.rand(1, 3, 6, 8)
    shuffled = [truth[:, list(order)] for order in permutations(range(3)) if order[1] == 1]
    assert all(float(order_losses.globally(one, truth)) < 1e-6 for one in shuffled)
    five = torch.rand(1, 5, 6, 8)
    assert order_losses.globally(five[:, [1, 0, 2, 3, 4]], five) < 1e-6 < order_losses.pairwise(five[:, [1, 0, 2, 3, 4]], five)
    assert order_losses.pairwise(five[:, [4, 1, 2, 3, 0]], five) == 0


def test_the_middle_frame_is_in_no_pair():
    truth = torch.rand(1, 5, 6, 8)
    other = truth.clone()
    other[:, 2] = 0
    assert order_losses.pairwise(other, truth, middle=False) == 0 < order_losses.pairwise(other, truth)


# The teacher ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("speed", [(0, 2.0), (0, -2.0), (1.5, 0.5), (-1.5, 0.5)])
def test_the_teacher_tells_the_motion_and_turns_clips_the_same_way(speed):
    truth = torch.from_numpy(panning(speed=speed))[None]
    flow, backwards = half_flow(truth)
    main = speed[int(np.argmax(np.abs(speed)))]
    # frame_t(x) = middle(x + t v(x)): what moves right shows in later frames what lay further left
    expected = -3.5 * np.array(speed) * (-1 if main > 0 else 1)
    assert bool(backwards) == (main > 0)
    inside = flow[0, :, 16:-16, 16:-16].mean((1, 2)).numpy()
    assert np.allclose(inside, expected, atol=0.35)
    again, turned = half_flow(truth.flip(1))
    assert torch.allclose(again, flow, atol=1e-4) and bool(turned) != bool(backwards)


def test_clips_are_turned_in_either_shape_and_turned_ones_stay():
    truth = torch.from_numpy(np.stack([panning(speed=(0, 2.0)), panning(speed=(0, -2.0))]))
    found = turned(truth)
    assert torch.equal(found, torch.stack([truth[0].flip(0), truth[1]])) and torch.equal(turned(found), found)
    assert torch.equal(turned(truth[:, :, None])[:, :, 0], found)


def test_the_flow_of_the_teacher_takes_the_middle_frame_to_all_others():
    clip = panning(speed=(0, -2.0))
    flow, backwards = half_flow(torch.from_numpy(clip)[None])
    frames = moved(torch.from_numpy(clip[3])[None, None], flow, torch.zeros_like(flow), 7)[0].numpy()
    truth = clip[::-1] if backwards else clip
    error, still = (np.abs(one[:, 12:-12, 20:-20] - truth[:, 12:-12, 20:-20]).mean() for one in (frames, clip[3:4]))
    assert error < 0.15 * still


# The network ------------------------------------------------------------------------------------------------------------------


def test_it_begins_as_the_picture_nearly_repeated_and_learns_in_every_layer():
    torch.manual_seed(0)
    network = DisplacementField(**SMALL)
    clip = torch.from_numpy(np.stack([panning(speed=(0, s), size=(64, 64)) for s in (1, -3)]))
    picture = clip.mean(1, keepdim=True)
    made = network(picture, 7)
    assert torch.equal(made.middle, picture) and torch.all(made.error > 0)
    method, values = recon.make("motion"), []
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(5):
        loss = method.picture_loss(network, picture, clip)
        values.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert values[-1] < values[0]
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())


def test_the_field_alone_is_learnt_first_and_not_by_networks_that_have_weights(tmp_path):
    clips = [(255 * panning(9, (0, speed), (48, 64), seed)).astype(np.uint8) for seed, speed in enumerate((2.0, -2.5))]
    words = "channels=[4,4,6,8],sharpening=4,crop=32,batch=2,every=2,kept=4"

    def sharpened(spec):
        return recon.make(spec).fit(clips, camera()).trained_.network.sharpen.head.weight.abs().max()

    assert sharpened(f"motion:{words},steps=4,field_steps=4") == 0
    assert sharpened(f"motion:{words},steps=6,field_steps=4,average=0") > 0
    method = recon.make(f"motion:{words},steps=2,field_steps=2").fit(clips, camera())
    method.save(tmp_path / "w.safetensors")
    assert sharpened(f"motion:{words},steps=2,field_steps=4,average=0,weights={tmp_path / 'w.safetensors'}") > 0


def test_the_loss_does_not_know_the_order_of_the_clip():
    clip = torch.from_numpy(panning(size=(32, 64)))[None]
    torch.manual_seed(1)
    network, method = DisplacementField(**SMALL), recon.make("motion")
    loss = [float(method.picture_loss(network, clip.mean(1, keepdim=True), one).detach()) for one in (clip, clip.flip(1))]
    assert loss[0] == pytest.approx(loss[1], rel=1e-5)


def test_without_a_field_all_frames_are_the_middle_one():
    middle = torch.rand(2, 1, 32, 40)
    still = torch.zeros(2, 2, 32, 40)
    assert torch.allclose(moved(middle, still, still, 6), middle.expand(-1, 6, -1, -1), atol=3e-5)


# The method -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [1, 5, 8])
@pytest.mark.parametrize("size", [(33, 70), (1, 1), (64, 32)])
def test_pictures_of_any_size_become_videos_of_any_length(frames, size):
    method, sensor = learner(), camera(frames)
    video = method.reconstruct(taken(np.random.default_rng(0).random((frames, *size), np.float32), sensor))
    assert video.shape == (1, frames, *size) and np.isfinite(video).all()


def test_the_luminance_of_a_colour_video_is_the_video_of_the_luminance():
    grey, colour = camera(), camera(colour="rgb")
    clip = np.random.default_rng(0).random((7, 40, 56, 3), np.float32)
    method = learner()
    method.precision = "float32"
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    made = method.reconstruct(taken(clip, colour))[0]
    alone = method.reconstruct(taken((clip @ weights).astype(np.float32), grey))[0]
    assert made.shape == (7, 40, 56, 3) and np.allclose(made @ weights, alone, atol=2e-4)
    equal = method.reconstruct(taken(np.repeat(clip[..., :1], 3, -1), colour))[0]
    assert np.allclose(equal, equal[..., :1], atol=1e-5)


def test_a_mosaic_becomes_a_colour_video():
    sensor = camera(colour="rggb")
    assert learner().reconstruct(taken(np.random.default_rng(0).random((7, 36, 52), np.float32), sensor)).shape == (
        1,
        7,
        36,
        52,
        3,
    )


def test_a_two_bucket_camera_serves_and_a_coded_pixel_does_not():
    method = learner()
    clip = np.random.default_rng(0).random((9, 33, 42), np.float32)
    both = sensors.make("two-bucket", codes.make("impulse"))
    blurred = sensors.make("conventional", codes.make("impulse"))
    assert np.allclose(method.reconstruct(taken(clip, both)), method.reconstruct(taken(clip, blurred)), atol=1e-3)
    assert "blurred image" in method.refusal(sensors.make("coded-pixel", codes.make("impulse")))


def test_it_tells_how_far_pixels_moved_and_how_sure_that_is():
    method, sensor = learner(), camera()
    capture = taken(np.random.default_rng(0).random((7, 35, 50), np.float32), sensor)
    sure, field = method.confidence(capture), method.displacement(capture)
    assert sure.shape == (1, 35, 50) and field.shape == (1, 2, 35, 50) and 0 <= sure.min() <= sure.max() <= 1


@pytest.mark.parametrize(("colour", "size"), [("rgb", (35, 50)), ("rggb", (18, 25))])
def test_in_colour_the_field_is_that_of_the_luminance(colour, size):
    shape = (7, 35, 50, 3) if colour == "rgb" else (7, 36, 50)
    capture = taken(np.random.default_rng(0).random(shape, np.float32), camera(colour=colour))
    assert learner().confidence(capture).shape == (1, *size) and learner().displacement(capture).shape == (1, 2, *size)


def test_wrong_settings_are_refused():
    for wrong in ("channels=[4,4,4]", "channels=[4,4,4,0]", "sharpening=-1", "teacher=-1", "field_steps=-1"):
        with pytest.raises(Refusal, match="needed"):
            recon.make(f"motion:{wrong}")


def test_training_is_validated_in_the_better_order_and_goes_on(tmp_path):
    clips = [(255 * panning(9, (0, speed), (48, 64), seed)).astype(np.uint8) for seed, speed in enumerate((1.0, -2.5, 4.0))]
    method = recon.make("motion:channels=[4,4,6,8],sharpening=4,crop=32,batch=2,steps=4,every=2,kept=6")
    rows = []
    method.fit(clips, camera(), held=clips[:2], report=lambda done, total, said, row: rows.append(row))
    found = [row["psnr"] for row in rows if row]
    assert len(found) == 3 and np.isfinite(found).all()
    method.save(tmp_path / "w.safetensors")
    again = recon.make(f"motion:weights={tmp_path / 'w.safetensors'}")
    capture = taken(clips[0][:7] / np.float32(255), camera())
    assert again.refusal(camera()) == "" and again.reconstruct(capture).shape == (1, 7, 48, 64)
    noisy = replace(camera(), readout=sensors.make("cep-2019", codes.make("long:frames=7")).readout)
    assert again.refusal(noisy) == ""


# The weights that come with c2b -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_shipped_weights_move_a_picture_blurred_by_a_turning_camera(seed):
    """The ends gain more over the blurred picture than the middle frame: it is moved, not only sharpened."""
    clip = np.asarray(scenes.make(f"rotating-camera:frames=7,seed={seed},speed=2")[0:7], np.float32)
    made = recon.make("motion").reconstruct(taken(clip, camera()))[0]
    made = made[::-1] if np.square(made[::-1] - clip).sum() < np.square(made - clip).sum() else made
    repeated = np.repeat(clip.mean(0)[None], 7, 0)

    def gain(frames):
        return psnr(made[frames], clip[frames], data_range=1.0) - psnr(repeated[frames], clip[frames], data_range=1.0)

    assert gain(slice(None)) > 1 and gain([0, 6]) > gain([3]) > 0.2


def test_shipped_weights_leave_a_sharp_picture_nearly_as_it_is():
    still = np.asarray(scenes.make("rotating-camera:frames=1,seed=1")[0:1], np.float32)
    clip = np.repeat(still, 7, 0)
    assert psnr(recon.make("motion").reconstruct(taken(clip, camera()))[0], clip, data_range=1.0) > 40


def test_where_it_says_that_it_is_sure_it_is_more_often_right():
    """The surer half of the pixels is nearer to the optical flow of the sharp clip, in which objects go different ways."""
    clip = np.asarray(scenes.make("occluding-objects:frames=7,seed=3")[0:7], np.float32)
    capture, method = taken(clip, camera()), recon.make("motion")
    field, sure = method.displacement(capture)[0], method.confidence(capture)[0]
    flow = half_flow(torch.from_numpy(clip)[None])[0][0].numpy()
    distance = min((np.abs(field - sign * flow).sum(0) for sign in (1, -1)), key=np.mean)
    surer = sure > np.median(sure)
    assert distance[surer].mean() < 0.8 * distance[~surer].mean()
