"""How often `c2b check` finds a single fault, and one where there is none: ``python -m tests.soak_check [clean] [each]``.

Sessions are drawn by number: a scene or a clip, a code, a specimen of a sensor, a light level. A fault changes what the sensor does or
what is written, never what it says of itself. Half an hour.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from scipy.stats import beta

from c2b import codes, scenes
from c2b.check.checkup import check
from c2b.check.figure import Report
from c2b.video.recording import open_recording
from sensors.capture import Capture
from sensors.readout import Readout
from sensors.two_bucket import TwoBucket
from tests.stored_data import ROOT

CODES = (
    "impulse:tile=3",
    "impulse:tile=2",
    "bernoulli:frames=8,tile=4",
    "bump:frames=9,tile=4",
    "hadamard:order=8",
    "bump:frames=8,tile=3,length=2",
)
EXPOSURES = 3
SIZE = (98, 125)

#: Electrons that a sub-exposure gives on the average in the darkest session.
LEAST = 50.0

#: Irradiance of a crop half of which is darker.
DARK = 0.05


@dataclass(frozen=True)
class Session:
    """What stood before the camera, the sensor as it is, and the generator of what else is drawn."""

    video: NDArray[np.float32]
    sensor: TwoBucket
    seed: int

    def capture(self, sensor: TwoBucket | None = None, video: NDArray | None = None) -> Capture:
        """Taken by the sensor as it is, or by another, under the sensor as it says."""
        taken = (sensor or self.sensor).capture(self.video if video is None else video, seed=self.seed)
        return Capture(taken.images, self.sensor, taken.record)

    @property
    def rng(self) -> np.random.Generator:
        """Draws of a fault."""
        return np.random.default_rng(10_000 + self.seed)


def session(number: int, *, clips: list[Path]) -> Session:
    """Session of that number; every second one before a real clip where there are any."""
    rng = np.random.default_rng(number)
    code = codes.make(CODES[number % len(CODES)])
    frames = EXPOSURES * len(code)
    video = _clip(clips, rng, frames) if clips and number // len(CODES) % 2 else _scene(rng, frames)
    white = max(float(np.exp(rng.uniform(np.log(60), np.log(1500)))), LEAST / float(video.mean()))
    full_well = float(np.ceil(1.3 * white * len(code)))
    read_noise = float(rng.uniform(3, 12))
    black = float(rng.integers(100, 300)) + np.ceil(6 * read_noise * 4095 / full_well)
    readout = Readout(
        white=white, full_well=full_well, read_noise=read_noise, gain=(4095 - black) / full_well, black_level=black,
        bits=12, serial=number, prnu=0.005, dsnu=2.0,
    )  # fmt: skip
    origin = (int(rng.integers(0, 9)), int(rng.integers(0, 9)))
    sensor = TwoBucket(
        code, leakage=float(rng.uniform(0, 0.02)), mismatch=float(rng.uniform(-0.03, 0.03)), readout=readout, origin=origin
    )
    return Session(video, sensor, number)


def _scene(rng: np.random.Generator, frames: int) -> NDArray[np.float32]:
    name = ("occluding-objects", "rotating-camera")[int(rng.integers(0, 2))]
    return np.asarray(
        scenes.make(f"{name}:frames={frames},height={SIZE[0]},width={SIZE[1]},seed={rng.integers(0, 10**6)}")[0:frames],
        np.float32,
    )


def _clip(clips: list[Path], rng: np.random.Generator, frames: int) -> NDArray[np.float32]:
    """A crop of a clip that is not dark; one that is too short runs to and fro."""
    while np.median(video := _crop(clips, rng, frames)) < DARK:
        pass
    return video


def _crop(clips: list[Path], rng: np.random.Generator, frames: int) -> NDArray[np.float32]:
    with open_recording(clips[int(rng.integers(0, len(clips)))], response="srgb") as film:
        top, left = (int(rng.integers(0, size - side)) for size, side in zip((film.height, film.width), SIZE, strict=True))
        count = min(len(film), frames)
        window = film.window(rows=slice(top, top + SIZE[0]), columns=slice(left, left + SIZE[1]), channels="luma")
        video = np.asarray(window.irradiance(0, count), np.float32)
    there = np.concatenate([video, video[-2:0:-1]]) if count > 2 else video
    return np.ascontiguousarray(np.resize(there, (frames, *there.shape[1:])) if count < frames else video)


def _images(one: Session, change: Callable[[NDArray], NDArray]) -> Capture:
    """What is written, changed as floats and rounded."""
    capture = one.capture()
    images = change(capture.images.astype(np.float64))
    return Capture(np.clip(np.rint(images), 0, 4095).astype(np.uint16), one.sensor, capture.record)


def _set(part: tuple, value: float) -> Callable[[NDArray], NDArray]:
    def change(images: NDArray) -> NDArray:
        images[part] = value
        return images

    return change


def _black_of(one: Session) -> float:
    return float(one.sensor.readout.black_level)


def _electrons(one: Session, electrons: float) -> float:
    """In DN."""
    return electrons * float(one.sensor.readout.gain)


def _drift(one: Session, bucket: int, sign: int) -> Capture:
    """A black level of one bucket that is off by 10 % of the mean signal of that bucket, as it was not of the darks."""

    def change(images: NDArray) -> NDArray:
        images[:, bucket] += sign * 0.1 * (images[:, bucket].mean() - _black_of(one))
        return images

    return _images(one, change)


def _hot(one: Session) -> Capture:
    def change(images: NDArray) -> NDArray:
        count = images[0, 0].size // 200
        at = one.rng.choice(images[0, 0].size, count, replace=False)
        for bucket in (0, 1):
            part = images[:, bucket].reshape(len(images), -1)
            part[:, at[bucket::2]] += 0.3 * (4095 - _black_of(one))
        return images

    return _images(one, change)


def _row_noise(one: Session) -> Capture:
    readout = one.sensor.readout
    light = float(one.video.mean()) * float(readout.white or 1) * one.sensor.frames / 2
    strength = 0.5 * np.sqrt(light + float(readout.read_noise) ** 2)
    return one.capture(replace(one.sensor, readout=replace(readout, row_noise=float(strength))))


def _stuck_row(one: Session) -> Capture:
    """A row of the code memory that stays open, so that bucket 0 has all its light."""
    row = int(one.rng.integers(20, SIZE[0] - 20))

    def change(images: NDArray) -> NDArray:
        both = images[:, :, row] - _black_of(one)
        images[:, 0, row] = both.sum(1) + _black_of(one)
        images[:, 1, row] = _black_of(one)
        return images

    return _images(one, change)


def _reversed(one: Session) -> Capture:
    T = one.sensor.frames
    video = np.concatenate([one.video[first : first + T][::-1] for first in range(0, len(one.video), T)])
    return one.capture(video=np.ascontiguousarray(video))


def _flicker(one: Session) -> Capture:
    light = np.repeat([1.0, 0.85, 1.0], one.sensor.frames).astype(np.float32)
    return one.capture(video=one.video * light[:, None, None])


def _stated(one: Session, **readout: float | None) -> Capture:
    """A capture whose sensor says something else of its readout."""
    return Capture(one.capture().images, replace(one.sensor, readout=replace(one.sensor.readout, **readout)))


def _gain(one: Session) -> Capture:
    readout = one.sensor.readout
    return _stated(one, gain=float(readout.gain) / 3, white=3 * float(readout.white or 1), full_well=None)


def _small_well(one: Session) -> Capture:
    readout = one.sensor.readout
    return one.capture(replace(one.sensor, readout=replace(readout, full_well=float(readout.full_well or 1) / 4)))


def _encoded(one: Session) -> Capture:
    black = _black_of(one)
    return _images(one, lambda images: black + (4095 - black) * (np.maximum(images - black, 0) / (4095 - black)) ** (1 / 2.2))


def _resized(one: Session) -> Capture:
    return _images(one, lambda images: uniform_filter(images, (0, 0, 2, 2)))


#: Single faults, by name.
FAULTS: dict[str, Callable[[Session], Capture]] = {
    "buckets swapped": lambda one: _images(one, lambda images: images[:, ::-1]),
    "black of bucket 1 drifted up by 10 % of its signal": lambda one: _drift(one, 1, 1),
    "black of bucket 0 drifted down by 10 % of its signal": lambda one: _drift(one, 0, -1),
    "black level not subtracted (stated 0)": lambda one: _stated(one, black_level=0.0),
    "taps 5 % more unequal than stated": lambda one: one.capture(replace(one.sensor, mismatch=one.sensor.mismatch + 0.05)),
    "leakage 5 % more than stated": lambda one: one.capture(replace(one.sensor, leakage=one.sensor.leakage + 0.05)),
    "a dead row": lambda one: _images(one, _set((slice(None), slice(None), 40), _black_of(one))),
    "a dead column": lambda one: _images(one, _set((..., 40), _black_of(one))),
    "a row of the code stuck open": _stuck_row,
    "0.5 % hot pixels": _hot,
    "four times too much light": _small_well,
    "a hundredth of the light": lambda one: one.capture(video=one.video / np.float32(100)),
    "8 bits scaled to 12": lambda one: _images(one, lambda images: np.rint(images / 16) * 16),
    "an exposure twice": lambda one: _images(one, lambda images: images[[0, 0, 2]]),
    "lamp 15 % darker in one exposure": _flicker,
    "row noise of half the pixel noise": _row_noise,
    "interpolated by half a pixel": _resized,
    "gain stated three times too small": _gain,
    "stored with gamma 2.2": _encoded,
    "code moved by one column": lambda one: one.capture(replace(one.sensor, origin=(one.sensor.origin[0], one.sensor.origin[1] + 1))),
    "code transposed": lambda one: one.capture(replace(one.sensor, code=np.ascontiguousarray(one.sensor.code.swapaxes(-1, -2)))),
    "frames of each exposure in reverse": _reversed,
}  # fmt: skip


def found(report: Report) -> list[str]:
    """Names of the figures that lie outside."""
    return [one.name for one in report.findings]


def interval(hits: int, count: int) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval of a rate."""
    low = 0.0 if hits == 0 else float(beta.ppf(0.025, hits, count - hits + 1))
    high = 1.0 if hits == count else float(beta.ppf(0.975, hits + 1, count - hits))
    return low, high


def rate(
    numbers: range, clips: list[Path], fault: Callable[[Session], Capture] | None = None, *, with_code: bool = False
) -> tuple[int, Counter[str]]:
    """In how many sessions something was found, and by which figure how often."""
    hits, by = 0, Counter[str]()
    for number in numbers:
        one = session(number, clips=clips)
        names = set(found(check(fault(one) if fault else one.capture(), code=with_code)))
        hits += bool(names)
        by.update(names)
    return hits, by


def real_clips() -> list[Path]:
    """Clips of the training and tuning data, where they are."""
    return sorted(path for part in ("train", "devtest") for path in (ROOT / "highspeed" / part).glob("*.mkv"))


def main() -> None:
    clean, each = (int(word) for word in (*sys.argv[1:], *("300", "30")[len(sys.argv) - 1 :]))
    clips = real_clips()
    for title, fault in (("no fault", None), *FAULTS.items()):
        count = clean if fault is None else each
        hits, by = rate(range(count), clips, fault)
        low, high = interval(hits, count)
        said = ", ".join(f"{name} {times}" for name, times in by.most_common(4))
        print(f"{title:55} {hits:4} of {count:4}  {hits / count:6.1%} [{low:.1%}, {high:.1%}]  {said}", flush=True)


if __name__ == "__main__":
    main()
