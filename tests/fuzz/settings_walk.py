"""Every setting of everything in ``c2b list`` with hostile values: each must end in a Refusal or work, in bounded time and memory.

``python -m tests.fuzz.settings_walk [TABLE ...] [--every=N]`` prints a table of counts and the escapes, of all cases or every N-th;
exit 1 if there are any. A setting is put into a tiny camera, scene or method, which is used once: as the command line would before the
video, and with its first exposure.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from c2b import catalogue
from sensors.refusal import Refusal
from tests.fuzz.worker import TooSlow, _forget_peak, _resident

#: What nobody means: no number, beyond all numbers, too much, too little, of another kind, what a terminal obeys.
HOSTILE = (
    *("nan", "inf", "-inf", "1e308", "-1e308", "1e-308", "1e30", "0", "-1", "99999999999999999999", "-99999999999999999999"),
    *(
        "1000000000",
        "100000000",
        "1000000",
        "0.5",
        "none",
        "true",
        "word",
        "[]",
        "[1,2]",
        "[1e308,-1]",
        "[100000,100000]",
        "/dev/zero",
    ),
    *("\x1b[2J", "%s", "absent.npy", ""),
)

#: Processor time of one case; what the estimates may allow, and what cases may need, half as much again.
SECONDS, BUDGET_MB, MEGABYTES = 5.0, 400, 600

#: Allowed to be asked for, so that what exceeds `MEGABYTES` shows as that and does not hide in a caught MemoryError.
ADDRESS_SPACE = 24 << 30

#: Tables whose entries have settings.
TABLES = ("codes", "sensors", "presets", "readouts", "responses", "methods", "priors", "metrics", "scenes")

CODE, SCENE = "impulse:tile=3", "frames=9,height=24,width=27"

#: Methods that serve another camera than two buckets.
CAMERAS = {"flutter-deblurring": ("flutter-shutter", "flutter:chips=110100101"), "coded": ("coded-pixel", CODE)}
CAMERAS |= dict.fromkeys(("blurred", "jin", "zhang", "purohit", "argaw", "motion"), ("conventional", "long:frames=7"))


class Escape(NamedTuple):
    """A setting that was neither refused nor worked."""

    text: str
    what: str
    about: str


@cache
def _frames(count: int) -> np.ndarray:
    from c2b import scenes

    return scenes.make(f"occluding-objects:frames={count},height=24,width=27")[:]


@cache
def _capture(method: str) -> Any:
    from c2b import camera

    chip = camera.make(*CAMERAS.get(method, ("two-bucket", CODE))).chip
    return chip.capture(_frames(chip.frames), seed=0)


def use_code(text: str) -> None:
    from c2b import camera

    chip = camera.make("two-bucket", text).chip
    if chip.frames <= 99:
        chip.capture(np.ones((chip.frames, 8, 9), np.float32), seed=0)


def use_sensor(text: str) -> None:
    from c2b import camera

    chip = camera.make(text, CODE).chip
    capture = chip.capture(_frames(9), seed=0) if chip.colour == "mono" else None
    if capture is not None:
        assert not np.isnan(capture.charge).any() and not np.isnan(capture.variance).any()


def use_readout(text: str) -> None:
    from c2b import camera

    capture = camera.make("two-bucket", CODE, text).chip.capture(_frames(9), seed=0)
    assert not np.isnan(capture.charge).any() and not np.isnan(capture.variance).any()


def use_response(text: str) -> None:
    from sensors.response import make

    response = make(text)
    assert np.isfinite(response.decode(response.encode(np.linspace(0, 1, 9)))).all()


def use_method(text: str) -> None:
    import recon

    method = recon.make(text)
    capture = _capture(text.partition(":")[0])
    assert np.isfinite(method.reconstruct(capture)).all()


def use_prior(text: str) -> None:
    from recon import priors

    video = _frames(9)
    assert np.isfinite(priors.make(text).guided_by(video)(video, 0.1)).all()


def use_metric(text: str) -> None:
    from recon import measures
    from recon.measures.measure import Outcome

    video = np.resize(_frames(9), (3, 180, 190))
    for metric in measures.make([text]).values():
        metric(Outcome(video, video + 0.1, tile=(3, 3), variance=lambda: np.full(video.shape, 0.01)))


def use_scene(text: str) -> None:
    from c2b.source import Source

    with Source(text).open() as video:
        assert np.isfinite(video[0]).all() and np.isfinite(video[-1]).all()


USES: dict[str, Callable[[str], None]] = {
    "codes": use_code,
    "sensors": use_sensor,
    "presets": use_sensor,
    "readouts": use_readout,
    "responses": use_response,
    "methods": use_method,
    "priors": use_prior,
    "metrics": use_metric,
    "scenes": use_scene,
}


def words(title: str) -> Iterator[tuple[str, str]]:
    """Name and setting of all that a table has."""
    for name in catalogue.tables()[title]:
        for what, rows in catalogue.explained(name).items():
            if what.startswith(f"{title.removesuffix('s')} "):
                yield from ((name, row[0]) for row in rows)


def cases(title: str, values: Sequence[str] = HOSTILE) -> Iterator[str]:
    """The words of every case of a table, such as ``bernoulli:frames=1e308``."""
    small = {"scenes": SCENE, "readouts": "white=100"}
    for name, setting in words(title):
        others = [part for part in small.get(title, "").split(",") if part and part.partition("=")[0] != setting]
        others = others if name != "ideal" else []
        for value in values:
            yield f"{name}:{','.join([*others, f'{setting}={value}'])}"


def escape(title: str, text: str) -> Escape | None:
    """What was wrong with the way in which a case ended, or None."""
    _forget_peak()
    before = _resident("VmRSS")
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    found: tuple[str, str] | None = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            USES[title](text)
    except Refusal as error:
        found = ("Refusal in several lines", str(error)) if "\n" in str(error) else None
    except OSError as error:  # a file that is not there
        found = None if error.filename else ("OSError", str(error))
    except TooSlow:
        found = "slow", "".join(traceback.format_exc().splitlines(True)[-5:])
    except Exception as error:  # what the walk looks for
        frames = traceback.extract_tb(error.__traceback__)
        ours = next((f for f in reversed(frames) if "site-packages" not in f.filename), frames[-1])
        found = type(error).__name__, f"{Path(ours.filename).name}:{ours.lineno}: {' '.join(str(error).split())[:120]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if found is None and (rise := _resident("VmHWM") - before) > MEGABYTES:
        found = "large", f"{rise:.0f} MB"
    return found and Escape(text, *found)


def _too_slow(*_: object) -> None:
    raise TooSlow


def walk(title: str, every: int = 1, first: int = 0) -> tuple[int, list[Escape]]:
    """How many cases of a table were tried, every so-manyth, and the escapes."""
    before, told = signal.signal(signal.SIGPROF, _too_slow), os.environ.get("C2B_MEMORY")
    os.environ["C2B_MEMORY"] = f"{BUDGET_MB}MB"
    try:
        every_one = [*cases(title)][first::every]
        _warm(title)
        return len(every_one), [found for text in every_one if (found := escape(title, text))]
    finally:
        signal.signal(signal.SIGPROF, before)
        os.environ.pop("C2B_MEMORY") if told is None else os.environ.update(C2B_MEMORY=told)


def _warm(title: str) -> None:
    """Load and compile, outside of the clock, what the entries of a table need."""
    for name in catalogue.tables()[title]:
        with contextlib.suppress(Refusal):
            USES[title](f"{name}:{SCENE}" if title == "scenes" else name)


def main(titles: Sequence[str], every: int = 1, first: int = 0) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    print(f"{'table':<12}{'cases':>8}{'escaped':>9}{'seconds':>9}", flush=True)
    escaped = 0
    for title in titles or TABLES:
        start = time.perf_counter()
        tried, found = walk(title, every, first)
        escaped += len(found)
        print(f"{title:<12}{tried:>8}{len(found):>9}{time.perf_counter() - start:>9.0f}", flush=True)
        kinds = Counter(f"{one.what} {one.about.partition(': ')[0]}" for one in found)
        shown: set[str] = set()
        for one in found:
            kind = f"{one.what} {one.about.partition(': ')[0]}"
            if kind not in shown:
                shown.add(kind)
                print(f"    {kinds[kind]} x {ascii(one.text)[1:-1]}: {one.what}: {one.about}", flush=True)
    return int(escaped > 0)


if __name__ == "__main__":
    options = [word for word in sys.argv[1:] if word.startswith("--every=")]
    sys.exit(main([word for word in sys.argv[1:] if word not in options], int(options[0].removeprefix("--every=")) if options else 1))
