"""One process that opens damaged files: ``python -m tests.fuzz.worker FORMAT SEED FIRST LAST`` says of each case how it ended.

A line of the standard output is a case: its number, a tab, and ``start``, ``refused``, ``valid``, ``slow``, ``large`` or the name of
an exception, a tab, what it was. A last ``start`` without an end is where the process died or hung.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sensors.refusal import Refusal
from tests.fuzz.mutations import mutated
from tests.fuzz.samples import BOMBS, kinds, samples

SECONDS = 2.0
MEGABYTES = 500

#: Allowed to be asked for, so that what exceeds `MEGABYTES` shows as that and does not hide in a caught MemoryError.
ADDRESS_SPACE = 8 << 30

#: Larger files, which are pixels, are left as they are.
DAMAGED_UP_TO = 400_000

SUFFIXES = (
    ".npy",
    ".npz",
    ".mat",
    ".txt",
    ".tif",
    ".png",
    ".mkv",
    ".mp4",
    ".cine",
    ".cihx",
    ".cih",
    ".mraw",
    ".seq",
    ".raw",
    ".h5",
    ".x",
)


class TooSlow(BaseException):
    """Not an Exception, so that nothing swallows it."""


class Sample:
    """The files of one sample, in a folder where one of them at a time is damaged."""

    def __init__(self, make: Any, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.entry = folder, make(folder)
        self.contents = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
        self.damageable = [path for path, content in self.contents.items() if len(content) <= DAMAGED_UP_TO] or [self.entry]

    def damage(self, rng: np.random.Generator) -> tuple[Path, list[Path]]:
        """Damage a file, or give the sample a wrong name; the path to open and the paths to restore."""
        path = self.damageable[rng.integers(len(self.damageable))]
        content = self.contents[path]
        if rng.random() > 0.02:
            content = mutated(content, rng)
        path.write_bytes(content)
        if rng.random() < 0.03 and self.entry.is_file():
            wrong = self.folder / f"wrong{SUFFIXES[rng.integers(len(SUFFIXES))]}"
            shutil.copy(self.entry, wrong)
            return wrong, [path, wrong]
        return self.entry, [path]

    def restore(self, paths: list[Path]) -> None:
        for path in paths:
            if path in self.contents:
                path.write_bytes(self.contents[path])
            else:
                path.unlink(missing_ok=True)


def read_video(path: Path) -> None:
    """What `c2b info` and `c2b simulate` do with a recording: its facts, single frames, a block, light."""
    from c2b.video.recording import open_recording

    with open_recording(path) as recording:
        json.dumps({**recording.describe(), "record": dict(recording.record)}, allow_nan=False)
        assert len(recording.shape) == (4 if recording.colour == "rgb" else 3) and min(recording.shape) > 0
        first, last = recording[0], recording[-1]
        assert first.shape == last.shape == recording.shape[1:] and first.dtype == recording.dtype
        if first.nbytes < 10e6:
            assert recording[:3].shape == (min(3, len(recording)), *first.shape)
            assert np.isfinite(recording.irradiance(0, 2)).all()
        if hasattr(recording, "times"):
            recording.times(range(min(2, len(recording))))


def read_capture(path: Path) -> None:
    from c2b import captures

    capture = captures.read_capture(path)
    assert len(capture) > 0 and np.asarray(capture.images[0]).shape[0] == capture.sensor.buckets
    json.dumps(dict(capture.record))
    assert capture.sensor.digest and capture.sensor.code.ndim in (3, 4)


def read_code(path: Path) -> None:
    from c2b import code_files

    code = code_files.read_code(path)
    assert code.ndim in (3, 4) and code.size and code.min() >= 0 and code.max() <= 1


def read_sensor(path: Path) -> None:
    from c2b import sensor_file

    sensor = sensor_file.read_sensor(path, np.eye(4)[:, None], {"white": "50"})
    capture = sensor.capture(np.ones((4, 6, 7), np.float32), seed=0)
    assert capture.variance.shape == capture.images.shape == (1, sensor.buckets, 6, 7)
    assert "white" in sensor_file.provenance(path, {"white": "50"})


def read_bench(path: Path) -> None:
    from c2b.calibration_folder import calibrate_folder

    json.dumps(calibrate_folder(path).document, allow_nan=False)


READERS = {"video": read_video, "capture": read_capture, "code": read_code, "sensor": read_sensor, "bench": read_bench}


def made_samples(name: str, folder: Path) -> list[Sample]:
    """Those that can be made: real files may be absent, and a format may not hold every capture."""
    made = []
    for number, make in enumerate(samples(name)):
        try:
            made.append(Sample(make, folder / f"s{number}"))
        except (FileNotFoundError, Refusal, ImportError):
            shutil.rmtree(folder / f"s{number}", ignore_errors=True)
    return made


def outcome(read: Any, path: Path) -> tuple[str, str]:
    """How opening the file ended, and a word about it."""
    _forget_peak()
    before = _resident("VmRSS")
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # processor time: another job on the machine is no fault of ours
    try:
        read(path)
        ended = "valid", ""
    except Refusal as error:
        text = str(error)
        ended = ("refused", "") if "\n" not in text else ("Refusal in several lines", text[:200])
    except TooSlow:
        ended = "slow", "".join(traceback.format_exc().splitlines(True)[-5:])
    except Exception as error:  # what the campaign looks for
        where = traceback.extract_tb(error.__traceback__)
        ours = next((f for f in reversed(where) if "site-packages" not in f.filename), where[-1])
        place = f"{Path(ours.filename).name}:{ours.lineno}"
        ended = type(error).__name__, f"{place}: {' '.join(str(error).split())[:150]} [{Path(where[-1].filename).name}]"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if (rise := _resident("VmHWM") - before) > MEGABYTES and ended[0] in ("valid", "refused"):
        return "large", f"{rise:.0f} MB, {ended[0]}"
    return ended


def cases(name: str, seed: int, first: int, last: int, folder: Path) -> Iterator[tuple[int, str, str]]:
    """Number, ``start`` or outcome, and a word about it, of the samples (below 0), the bomb (-100) and the damaged files.

    The samples and the bomb are opened only if the first case is 0.
    """
    read = READERS[kinds()[name]]
    found = made_samples(name, folder)
    yield len(found), "samples", ""
    for number, sample in enumerate(found):
        read(sample.entry)  # has to succeed; it also loads and compiles everything, outside of the clock
        if first == 0:
            yield -1 - number, *outcome(read, sample.entry)
    if first == 0 and name in BOMBS:
        (folder / "bomb").mkdir()
        yield -100, *outcome(read, BOMBS[name](folder / "bomb"))
        shutil.rmtree(folder / "bomb")
    for case in range(first, last) if found else ():
        rng = np.random.default_rng([seed, zlib.crc32(name.encode()), case])
        sample = found[rng.integers(len(found))]
        path, changed = sample.damage(rng)
        yield case, "start", ""
        yield case, *outcome(read, path)
        if (keep := os.environ.get("FUZZ_KEEP")) and last == first + 1:
            shutil.copytree(sample.folder, Path(keep) / f"{name}-{seed}-{case}", dirs_exist_ok=True)
        sample.restore(changed)


@contextlib.contextmanager
def clock() -> Iterator[None]:
    """Inside, what exceeds `SECONDS` is interrupted, and warnings, which damaged files may cause, are passed over."""
    before = signal.signal(signal.SIGPROF, _too_slow)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        signal.signal(signal.SIGPROF, before)


def main(name: str, seed: int, first: int, last: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.getLogger("c2b").addHandler(logging.NullHandler())  # notes on damaged files would fill the pipe
    with clock(), tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        for said in cases(name, seed, first, last, Path(folder)):
            _say(*said)
    _say(last, "done")


def _say(*words: object) -> None:
    sys.__stdout__.write("\t".join(str(word).replace("\t", " ").replace("\n", " | ") for word in words) + "\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]


def _too_slow(*_: object) -> None:
    raise TooSlow


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _resident(what: str) -> float:
    """VmRSS or VmHWM (its peak) in MB; 0 where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(what))
    except OSError:
        return 0.0


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
