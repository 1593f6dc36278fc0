"""How every numba kernel is compiled, and the one pool of threads it runs on.

A kernel takes ``(..., first_row, last_row)`` as its last arguments, releases the GIL and calls only kernels of its own file
(a cached kernel does not notice that another file changed). There is no ``prange``: a second OpenMP pool beside the one of BLAS
or torch spins, which was measured to cost ten times the work itself.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from numba.core import config

#: ``error_model="numpy"`` removes the zero check of each division, which keeps LLVM from vectorising.
FLAGS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}

#: Below this many array elements a hand-over to threads (about 30 us) costs more than it saves.
SERIAL_BELOW = 600_000

_threads: ContextVar[int] = ContextVar("threads")


def rows(kernel: Callable[..., None], height: int, *arguments: Any, work: int) -> None:
    """Run ``kernel(*arguments, first, last)`` over blocks of rows, one block per thread.

    Parameters
    ----------
    kernel : callable
        Compiled with `FLAGS`; its result must not depend on how the rows are cut.
    height : int
        Rows in all.
    work : int
        Array elements touched; little work stays in this thread.
    """
    count = min(_thread_count(), height) if work >= SERIAL_BELOW else 1
    if count <= 1:
        kernel(*arguments, 0, height)
        return
    edges = [height * i // count for i in range(count + 1)]
    jobs = [_pool(count).submit(kernel, *arguments, a, b) for a, b in pairwise(edges[1:])]
    kernel(*arguments, edges[0], edges[1])
    for job in jobs:
        job.result()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Use ``count`` threads inside the ``with`` block, whatever C2B_THREADS or the machine say."""
    token = _threads.set(max(1, count))
    try:
        yield
    finally:
        _threads.reset(token)


def _thread_count() -> int:
    """The ``with threads(n)`` in force, else C2B_THREADS, else the processors this process may use."""
    if (count := _threads.get(0)) > 0:
        return count
    told = os.environ.get("C2B_THREADS", "")
    if told.isdigit() and int(told) > 0:
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


@cache
def _pool(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="c2b-rows")


def _writable_cache() -> None:
    """Where neither the package folder nor the user's cache can be written, keep compiled kernels in the temporary folder.

    Numba unpickles what it finds there, so that it has to be ours and closed to others; else kernels are compiled by every process.
    """
    beside = Path(__file__).parent / "__pycache__"
    told = config.CACHE_DIR  # type: ignore[attr-defined]
    if told or os.access(beside if beside.exists() else beside.parent, os.W_OK):
        return
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    if not os.access(home if home.exists() else home.parent, os.W_OK):
        folder = Path(tempfile.gettempdir()) / f"c2b-kernels-{os.getuid() if hasattr(os, 'getuid') else 0}"
        if _private(folder):
            config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
        else:
            FLAGS["cache"] = False


def _private(folder: Path) -> bool:
    """Whether a folder, made if it is absent, is ours, no link, and closed to everybody else."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    ours = not hasattr(os, "getuid") or found.st_uid == os.getuid()
    return ours and stat.S_ISDIR(found.st_mode) and not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)


_writable_cache()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
