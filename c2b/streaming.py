"""A recording of any length to a capture file, and a capture file back to video, in memory that does not grow with the length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from c2b.captures import format_of
from c2b.video.finer_film import FinerFilm
from c2b.video.recording import Recording
from recon.reconstructor import Reconstructor
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.response import linearise
from sensors.response import make as make_response
from sensors.sensor import Sensor

Progress = Callable[[Iterable[Any], int, str], Iterator[Any]]


class Simulated(NamedTuple):
    """What a capture file was given: how many exposures, and the share of saturated samples in the worst bucket of the first."""

    exposures: int
    saturated: float


def simulate(
    video: Recording,
    path: str | Path,
    sensor: Sensor,
    *,
    seed: int,
    record: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    film_pixels: int = 1,
) -> Simulated:
    """Expose a recording, one exposure at a time, straight into a capture file.

    Linear integer frames go to the sensor as they are stored; others are linearised first. The capture remembers which frames and
    which part of them it saw, so that scoring finds them again. Where a pixel covers several of the film across (``film_pixels``),
    the lens acts on the film, and its pixels integrate it (`c2b.video.finer_film`).

    Raises
    ------
    Refusal
        If the recording is shorter than one exposure, or the file is not named like a capture.
    """
    kind = format_of(path)
    if kind is None:
        raise Refusal(f"{path} is not named like a capture file; known: NAME.c2b.ome.tif")
    taking = sensor
    if film_pixels != 1:
        video, taking = FinerFilm(video, film_pixels, sensor.optics), replace(sensor, optics=sensor.optics.without_lens())
    count = exposures_in(video, sensor)
    first: list[NDArray] = []

    def passing() -> Iterator[NDArray]:
        for image in images(video, taking, seed=seed):
            first[:] = first or [image]
            yield image

    noted = _record(video, count, sensor, seed, record)
    kind.write(path, sensor, progress(passing(), count, "simulate") if progress else passing(), count, noted)
    return Simulated(count, max(Capture(first[0][None], sensor).saturated))


def exposures_in(video: Recording, sensor: Sensor) -> int:
    """How many exposures a recording gives; a Refusal if it is too short, or is made of runs that are not one exposure each."""
    if video.runs and (not sensor.exposures_apart or {sensor.frames, sensor.period} != {video.runs[0]}):
        each = f"an exposure of {sensor.frames} frames every {sensor.period}"
        needs = each if sensor.exposures_apart else "exposures that share frames"
        raise Refusal(
            f"--windows {video.runs[0]} makes one exposure of each {video.runs[0]} frames, and this camera has {needs}; "
            f"needed: a code of {video.runs[0]} frames, such as --code long:frames={video.runs[0]}"
        )
    return sensor.exposures_in(len(video))


def expose(video: Recording, sensor: Sensor, *, seed: int, record: Mapping[str, Any] | None = None) -> Capture:
    """The same in memory: a `Capture` that remembers what it saw, as `simulate` writes it."""
    taken = np.stack([*images(video, sensor, seed=seed)])
    return Capture(taken, sensor, _record(video, len(taken), sensor, seed, record))


def images(video: Recording, sensor: Sensor, *, seed: int, numbers: range | None = None) -> Iterator[NDArray]:
    """Exposures (B, H, W[, 3]) as they are read out: those of the numbers, or all. Any numbers in any order give the same bits."""
    as_stored, white = _light_of(video)
    row = sensor.timeline(exposures_in(video, sensor))
    for number in range(row.exposures) if numbers is None else numbers:
        window = row.window(number)
        frames = video[window] if as_stored else video.irradiance(window.start, window.stop)
        yield sensor.take(frames, seed=seed, number=number, white=white)


def exposures(
    video: Recording, sensor: Sensor, *, seed: int, numbers: range | None = None, believed: Sensor | None = None
) -> Iterator[tuple[Capture, NDArray[np.float32]]]:
    """Each exposure as a `Capture` of its own, with the noise and the code of its number, and the light (T, H, W[, 3]) it saw.

    Parameters
    ----------
    numbers : range, optional
        Which exposures; all by default.
    believed : Sensor, optional
        By which the numbers read out are understood, and which light is taken to be seen: where it believes another dead time, that of
        other frames.

    Raises
    ------
    Refusal
        If the recording is too short, or holds numbers that the converter of the believed sensor cannot give.
    """
    as_stored, white = _light_of(video)
    response = make_response(video.response)
    seen = believed or sensor
    row, believed_row = (one.timeline(exposures_in(video, one)) for one in (sensor, seen))
    for number in range(min(row.exposures, believed_row.exposures)) if numbers is None else numbers:
        window, believed_window = row.window(number), believed_row.window(number)
        stored = video[window]
        light = linearise(stored, response, black=video.black, white=video.white)
        image = sensor.take(stored if as_stored else light, seed=seed, number=number, white=white)
        if believed is not None:
            _refuse_beyond_converter(image, believed)
        if believed_window != window:
            light = video.irradiance(believed_window.start, believed_window.stop)
        record = seen.record(1, white=white, seed=seed, first=number, start=believed_window.start)
        yield Capture(image[None], seen.from_exposure(number), record), light


def neighbourhood(video: Recording, sensor: Sensor, number: int, reach: int, *, seed: int) -> tuple[Capture, int]:
    """An exposure of a recording with those beside it, so many on either side as far as there are any; and its place among them."""
    numbers = range(max(number - reach, 0), min(number + reach + 1, exposures_in(video, sensor)))
    taken = np.stack([*images(video, sensor, seed=seed, numbers=numbers)])
    _, white = _light_of(video)
    record = sensor.record(len(numbers), white=white, seed=seed, first=numbers[0], start=numbers[0] * sensor.period)
    return Capture(taken, sensor.from_exposure(numbers[0]), record), number - numbers[0]


class Reconstruction(Recording):
    """The video of a capture, reconstructed when it is sliced; the exposure read last is kept.

    Exposures that share frames are solved together, and what they share is shown once.

    Parameters
    ----------
    capture : Capture
    method : Reconstructor
    """

    title = "reconstruction"
    format = "reconstruction"

    def __init__(self, capture: Capture, method: Reconstructor, name: str = "", path: Path = Path("reconstruction")) -> None:
        sensor = capture.sensor
        if not len(capture):
            raise Refusal("the capture holds no exposure")
        if reason := method.refusal(sensor.at(0)):
            raise Refusal(reason)
        self._capture, self._method = capture, method
        self._row = sensor.timeline(len(capture))
        self._latest: tuple[int, NDArray] | None = None
        self._frames_each = method.frames_of(sensor) if sensor.exposures_apart else len(self._row)
        self.path = path
        self.colour = "mono" if sensor.colour == "mono" else "rgb"
        count = len(capture) * self._frames_each if sensor.exposures_apart else len(self._row)
        self.shape = (count, *capture.images.shape[2:4], *([3] if self.colour == "rgb" else []))
        self.dtype = np.dtype(np.float32)
        self.white = 1.0
        self.rate = capture.record.get("rate")
        kept = (
            "frame_index",
            "source_white",
            "source_black",
            "notes",
            "crop",
            "resize",
            "response",
            "source",
            "sensor_spec",
            "code_spec",
            "readout_spec",
            "provenance",
            "seed",
            "mask",
            "mask_registration",
            "encoding",
            "assumed",
            "buckets_exchanged",
        )
        self.record = {"method": name, **{key: capture.record[key] for key in kept if key in capture.record}}
        if not sensor.exposures_apart and "frame_index" in self.record:
            self.record["frame_index"] = [self._row.once(np.asarray(self.record["frame_index"])).tolist()]

    def _exposure(self, number: int) -> NDArray:
        if self._latest is None or self._latest[0] != number:
            video = self._solved(number)
            if len(video) != self._frames_each:
                kind = type(self._method).__name__
                raise Refusal(f"{kind} made {len(video)} frames and says that it makes {self._frames_each}; see its frames_of")
            self._latest = number, video
        return self._latest[1]

    def _solved(self, number: int) -> NDArray:
        """The video of one exposure; of all of them, each frame once, where they share frames."""
        if self._capture.sensor.exposures_apart:
            return self._method.reconstruct_one(self._capture, number)
        return self._row.once(self._method.reconstruct(self._capture))

    def _read(self, frames: range) -> NDArray:
        return np.stack([self._exposure(t // self._frames_each)[t % self._frames_each] for t in frames])


def _refuse_beyond_converter(image: NDArray, believed: Sensor) -> None:
    bits = believed.readout.stored_bits
    if bits is not None and (largest := image.max()) > 2**bits - 1:
        raise Refusal(f"the capture holds {largest:g}, and the believed sensor stores {bits} bits, at most {2**bits - 1}")


def _light_of(video: Recording) -> tuple[bool, float]:
    """Whether stored frames are light already, so that they go to the sensor as they are; and the value of white there."""
    as_stored = video.response == "none" and video.black == 0 and video.dtype.kind == "u"
    return as_stored, video.white if as_stored else 1.0


def _record(video: Recording, count: int, sensor: Sensor, seed: int, further: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a capture remembers: its exposures, where their frames came from, and what the caller adds."""
    _, white = _light_of(video)
    return {**sensor.record(count, white=white, seed=seed), **_source(video, count, sensor), **(further or {})}


def _source(video: Recording, count: int, sensor: Sensor) -> dict[str, Any]:
    """Where the frames came from; frame numbers are those of the file."""
    index = video.frame_index
    seen = [[index[t] for t in window] for window in sensor.timeline(count).seen().tolist()]
    crop = list(video.crop)
    resized = [video.height, video.width] != [round(crop[2]), round(crop[3])]
    facts: dict[str, Any] = {"frame_index": seen, "crop": crop, "response": video.response, "source": video.source}
    if resized:
        facts["resize"] = [video.height, video.width]
    if video.white != (np.iinfo(video.dtype).max if video.dtype.kind == "u" else 1):
        facts["source_white"] = video.white
    if video.black:
        facts["source_black"] = video.black
    if video.notes:
        facts["notes"] = list(video.notes)
    if video.rate is not None and not video.rate_nominal:
        facts["rate"] = video.rate
    return facts
