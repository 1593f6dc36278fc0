"""A session at a prototype camera, with all that goes wrong: calibrate, align, check, reconstruct, score.

python examples/prototype_session.py [CLIP]

It is a stand-in: no frame of a real two-bucket prototype can be had. The camera is simulated, its film is CLIP (or a scene), and what
is done with its files knows nothing of how they were made. The session: PNG pairs of unknown white, their buckets swapped, a tile that
begins at another pixel than stated, taps 4 % unequal, a dead row, 300 hot pixels (here in proportion to the frame), and a black level
that drifts after the darks were taken. At the end the same film under a camera of which everything is known.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import recon
from c2b import codes, scenes
from c2b.calibration_folder import calibrate_folder
from c2b.captures import read_capture
from c2b.captures.scene_white import with_scene_white
from c2b.check.checkup import check
from c2b.sensor_file import write_sensor
from c2b.video.image_folder import write_png
from c2b.video.recording import open_recording
from recon.code_arrangement import align
from sensors.capture import Capture
from sensors.readout import Readout
from sensors.timing import Timing
from sensors.two_bucket import TwoBucket

CODE, EXPOSURES, METHOD = codes.make("impulse:tile=3"), 3, "gap-tv"
T, SECONDS = len(CODE), 0.05
HOT_PART, DEAD_ROW, DRIFT = 300 / (416 * 240), 31, np.array([10.0, 4.0])  # the drift in DN
READOUT = Readout(white=300, full_well=8400, read_noise=10, gain=0.48, black_level=64, bits=12, prnu=0.005, dsnu=4, serial=3)


def film():
    """Light (frames, rows, columns)."""
    if len(sys.argv) > 1:
        with open_recording(sys.argv[1], response="srgb") as clip:
            return np.asarray(clip.window(channels="luma").irradiance(0, EXPOSURES * T), np.float32)
    return np.asarray(scenes.make(f"occluding-objects:frames={EXPOSURES * T},height=76,width=97,seed=4")[:])


class Prototype:
    """The camera as it is."""

    def __init__(self, shape):
        rng = np.random.default_rng(5)
        self.shape, self.drift, self.taken = shape, np.zeros(2), 0
        self.hot = np.zeros((2, *shape))
        at = rng.choice(shape[0] * shape[1], round(HOT_PART * shape[0] * shape[1]), replace=False)
        self.hot.reshape(2, -1)[rng.integers(0, 2, len(at)), at] = rng.uniform(100, 1500, len(at))

    def sensor(self, code):
        return TwoBucket(code, leakage=(0.01, 0.015), mismatch=0.04, readout=READOUT, timing=Timing(sub_exposure=SECONDS / T))

    def take(self, sensor, video):
        """One exposure (2, H, W) in DN, with its defects."""
        video = np.where(np.arange(self.shape[0])[:, None] == DEAD_ROW, np.float32(0), video)
        image = sensor.take(video, seed=7, number=self.taken).astype(np.float64) + self.hot + self.drift[:, None, None]
        self.taken += 1
        return np.clip(np.rint(image), 0, 4095).astype(np.uint16)

    def flat(self, level, open_for, frames):
        code = (np.arange(T) < open_for).astype(np.uint8)[:, None, None]
        video = np.full((T, *self.shape), level, np.float32)
        return np.stack([self.take(self.sensor(code), video) for _ in range(frames)])


def bench(camera, folder):
    """Darks, flats and a duty ramp, of a lamp that nobody measured."""
    folder.mkdir()
    files = []

    def save(name, stack, kind, **words):
        np.save(folder / name, stack)
        files.append({"file": name, "kind": kind, "exposure": SECONDS, **words})

    save("dark.npy", camera.flat(0, T, 12), "dark")
    for level in np.linspace(0.1, 2.6, 6):
        for duty in (1, 0):
            save(f"flat-{duty}-{level:.2f}.npy", camera.flat(level, T * duty, 4), "flat", duty=duty)
    for m in range(0, T + 1, 3):
        save(f"duty-{m}.npy", camera.flat(0.7, m, 4), "duty", duty=f"{m}/{T}")
    head = {"sensor": "two-bucket", "bits": 12, "sub_exposures": T, "sub_exposure": SECONDS / T}
    (folder / "calibration.json").write_text(json.dumps({**head, "files": files}))


def calibrated(folder, path):
    """The sensor file, and words for what it cannot say: white, and PRNU, a mean square that a dead row spoils; 1 % is usual."""
    found = calibrate_folder(folder)
    write_sensor(path, found.document, found.maps)
    numbers = {**found.document["sensor_settings"], **found.document["readout"]}
    print("calibrated:", {name: numbers[name]["value"] for name in ("gain", "leakage", "mismatch", "read_noise", "prnu")})
    return f"{path}:white=100,prnu=0.01"


def without_row(capture, row):
    """The row carries no weight."""
    hot = np.zeros((2, *capture.images.shape[2:]), np.uint8) if capture.sensor.hot is None else np.array(capture.sensor.hot)
    hot[:, row] = 1
    return replace(capture, sensor=replace(capture.sensor, hot=hot))


def score(capture, truth):
    """PSNR in dB after the best factor, since white is unknown; the method sees the camera that the capture says."""
    video = recon.make(METHOD).reconstruct(capture).reshape(truth.shape)
    factor = float((video * truth).sum() / np.square(video).sum())
    return -10 * np.log10(np.mean(np.square(factor * video - truth))), factor


def findings(capture, title):
    """What the check-up finds, by name."""
    report = check(capture, code=False)
    print(f"check, {title}: {len(report.findings)} of {len(report.figures)} figures outside")
    print("".join(f"    {line[:150]}\n" for line in report.causes()), end="")
    return {one.name: one for one in report.findings}


truth = film()
camera = Prototype(truth.shape[1:])

# The session: bench, film, and darks again
bench(camera, Path("bench"))
true = camera.sensor(np.roll(CODE, (2, 1), (1, 2)))
camera.drift = DRIFT
taken = np.stack([camera.take(true, truth[n * T : n * T + T]) for n in range(EXPOSURES)])
darks_after = camera.flat(0, T, 12)
Path("session").mkdir()
for n, exposure in enumerate(taken):
    for tap in (0, 1):
        write_png(Path(f"session/bucket{2 - tap}_{n:04}.png"), exposure[tap])  # swapped

# What is made of it, knowing the files and that the code is an impulse of 3x3
words = calibrated(Path("bench"), Path("camera.json"))


def read(sensor, swap):
    """The pairs, on a white by the brightest parts of the scene."""
    capture = with_scene_white(read_capture("session", code="impulse:tile=3", sensor=sensor, swap=swap))
    print(f"white: {capture.record['white']:.4g} electrons, {capture.record['provenance']['white']}")
    return capture


capture = read(words, swap=False)
first = score(capture, truth)[0]
print(f"as it came: {first:.2f} dB")
found = findings(capture, "as it came")
if "roles" in found:
    capture = read(words, swap=True)
    found = findings(capture, "buckets swapped back")
if "offset" in found or "gain" in found:
    black = np.median(darks_after, (0, 2, 3)).tolist()
    print(f"black level by the darks taken after the film: {black} DN")
    capture = read(f"{words},black_level=[{black[0]},{black[1]}]", swap=True)
    found = findings(capture, "with the later darks")
if "rows" in found:
    capture = without_row(capture, int(found["rows"].remark.split()[1]))
alignment = align(capture)
print("\n".join(alignment.lines))
capture = alignment.capture
findings(capture, "without the dead row, aligned")
last, factor = score(capture, truth)

# The same exposures under the camera as it is
hot = (camera.hot > 0).astype(np.uint8)
known = TwoBucket(
    true.code, leakage=true.leakage, mismatch=true.mismatch, timing=true.timing, hot=hot,
    readout=replace(READOUT, black_level=tuple(READOUT.black_level + DRIFT)),
)  # fmt: skip
best = score(without_row(Capture(taken, known, {}), DEAD_ROW), truth)[0]
print(f"{METHOD}: {first:.2f} dB as it came, {last:.2f} dB after all this, {best:.2f} dB with everything known")
print(f"white was off by the factor {1 / factor:.3f}, of which the score knows nothing")
assert last > best - 0.5
