"""Captures reconstructed as a camera writes them into a folder, each once it is complete, in their natural order.

A capture is complete when its size and its times have stayed as they are for a while; one that is renamed into place is so at once, as
far as its times say. Beside the results, in ``.watch``, a record of each says which content was reconstructed how: after a restart what
is done is passed over, and what was half done is done anew. Several may watch one folder: each capture is locked while one is at it.
"""

from __future__ import annotations

import hashlib
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from c2b.natural_order import in_natural_order
from c2b.video import sidecar
from sensors.atomic_file import atomic_file
from sensors.refusal import Refusal

#: Folder of the records and locks, within that of the results.
RECORDS = ".watch"

#: Endings of what other programs are still writing.
UNFINISHED = (".partial", ".part", ".tmp", ".temp", ".crdownload", ".filepart")

#: Seconds between two looks at the folder.
LOOK_EVERY = 0.5

#: Files, bytes, and the latest change (ns) of a capture and its sidecar.
State = tuple[int, int, int]


class Stopped(BaseException):
    """A signal asked for the end."""


@dataclass
class Watch:
    """What is watched, and what was seen of it.

    Parameters
    ----------
    folder, results : Path
        Where captures come from, and where their videos go: ``NAME`` of the capture with ``ending``.
    reconstruct : callable, (capture, video)
        Makes the video file of a capture file.
    how : mapping
        JSON: all that decides the video besides the capture; under another one captures that are done are done again.
    ending : str
        Suffix of the videos.
    settled : float
        Seconds without a change after which a capture is complete.
    say : callable
        Told a line of what is not a capture, and of what went wrong.

    Attributes
    ----------
    done : int
        Captures reconstructed so far.

    Raises
    ------
    Refusal
        If there is no such folder, one lies in the other, or the ending is none.
    """

    folder: Path
    results: Path
    reconstruct: Callable[[Path, Path], None]
    how: Mapping[str, Any] = field(default_factory=dict)
    ending: str = ".mkv"
    settled: float = 2.0
    say: Callable[[str], None] = print
    done: int = field(default=0, init=False)
    _seen: dict[str, tuple[State, float]] = field(default_factory=dict, repr=False)
    _left: dict[str, State] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise Refusal(f"there is no folder {self.folder} to watch")
        ours, theirs = self.folder.resolve(), self.results.resolve()
        if ours == theirs or ours in theirs.parents or theirs in ours.parents:
            raise Refusal(
                f"{self.results} lies within {self.folder} or around it; results would be taken for captures: name another"
            )
        if not (self.ending.startswith(".") and len(self.ending) > 1 and "/" not in self.ending):
            raise Refusal(f"{self.ending!r} is not the ending of a video, such as .mkv or .npy")
        if not self.settled >= 0:
            raise Refusal(f"a capture is complete after 0 seconds or more without a change, not {self.settled:g}")
        (self.results / RECORDS).mkdir(parents=True, exist_ok=True)

    def run(self, idle: float | None = None) -> int:
        """Watch until a signal (Ctrl-C, SIGTERM), or until nothing came for so many seconds; how many captures were reconstructed.

        What is still being written counts as coming.

        Raises
        ------
        Refusal
            If the folder is no longer there.
        OSError
            If the results cannot be written: a full disk, say.
        """
        latest = time.monotonic()
        try:
            with _signals():
                while True:
                    if any(self.look()):
                        latest = time.monotonic()
                    elif idle is not None and time.monotonic() - latest >= idle:
                        break
                    time.sleep(LOOK_EVERY)
        except Stopped:
            pass
        return self.done

    def look(self) -> tuple[int, bool]:
        """Reconstruct what is complete and not done: how many, and whether others are on their way."""
        taken, waiting = 0, False
        for path in self._entries():
            state = _state(path)
            if state is None or not state[1] or self._left.get(path.name) == state:
                continue
            if not self._complete(path.name, state):
                waiting = True
            else:
                taken += self._take(path, state)
        return taken, waiting

    def _entries(self) -> Iterator[Path]:
        """What may be a capture; each as it is there when its turn comes."""
        try:
            names = {path.name for path in self.folder.iterdir()}
        except OSError:
            raise Refusal(f"the folder {self.folder} is no longer there") from None
        beside = {sidecar.beside(self.folder / name).name for name in names}
        for name in in_natural_order(names):
            if not (name.startswith(".") or name.lower().endswith(UNFINISHED) or (name in beside and name.endswith(".json"))):
                yield self.folder / name

    def _complete(self, name: str, state: State) -> bool:
        now = time.monotonic()
        known, since = self._seen.get(name, (None, now))
        if known != state:
            self._seen[name], since = (state, now), now
        return max(now - since, time.time() - state[2] / 1e9) >= self.settled

    def _take(self, path: Path, state: State) -> int:
        """Reconstruct one capture unless that is done, or another watch is at it."""
        from filelock import FileLock, Timeout

        record, video = self.results / RECORDS / f"{path.name}.json", self.results / f"{path.name}{self.ending}"
        try:
            with FileLock(record.with_suffix(".lock"), timeout=0):
                digest = _digest(path)
                if video.exists() and _read(record) == self._record(digest):
                    self._left[path.name] = state
                    return 0
                self.reconstruct(path, video)
                if _state(path) != state:  # it was still being written
                    return 0
                with atomic_file(record) as partial:
                    partial.write_text(json.dumps(self._record(digest)), encoding="utf-8")
        except Timeout:
            return 0
        except (Refusal, MemoryError, OSError) as reason:
            if isinstance(reason, OSError) and _of_results(reason, self.results):
                raise
            if _state(path) == state:  # else it changed, or is gone, and is not to be judged
                self.say(f"{path.name}: left alone: {' '.join(str(reason).split())}")
                self._left[path.name] = state
            return 0
        self._left[path.name] = state
        self.done += 1
        return 1

    def _record(self, digest: str) -> dict[str, Any]:
        return {"capture": digest, "how": dict(self.how)}


@contextmanager
def _signals() -> Iterator[None]:
    """Within it SIGINT and SIGTERM raise `Stopped`, which leaves no half-written file behind."""

    def stop(number: int, _: object) -> None:
        raise Stopped(number)

    here = threading.current_thread() is threading.main_thread()
    heard = [each for each in (signal.SIGINT, signal.SIGTERM) if here and signal.getsignal(each) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _files(path: Path) -> list[Path]:
    """The files of a capture, in an order that stays."""
    beside = sidecar.beside(path)
    own = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return sorted({*own, *([beside] if beside.is_file() else [])})


def _state(path: Path) -> State | None:
    """None if it is not there."""
    try:
        facts = [file.stat() for file in _files(path)]
    except OSError:
        return None
    return len(facts), sum(each.st_size for each in facts), max((each.st_mtime_ns for each in facts), default=0)


def _digest(path: Path) -> str:
    sha = hashlib.sha256()
    for file in _files(path):
        sha.update(file.name.encode("utf-8", "surrogateescape"))
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                sha.update(block)
    return sha.hexdigest()


def _read(record: Path) -> Any:
    try:
        return json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _of_results(error: OSError, results: Path) -> bool:
    """Whether it is about where results go, so that the next capture would fail, too."""
    where = Path(str(error.filename)) if error.filename else None
    return where is not None and results.resolve() in (where.resolve(), *where.resolve().parents)
