"""Write beside, then rename: a reader never meets a half-written file, and a failure leaves what was there before."""

from __future__ import annotations

import ctypes
import errno
import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sensors.refusal import Refusal


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success rename it to ``path``, on any failure (Ctrl-C too) remove it.

    The temporary name ends in the suffix of ``path``, for writers that go by it. It may become a file or a folder; a folder
    replaces only a folder that this program wrote, never other data. A link is followed: what it points to is replaced.

    Raises
    ------
    Refusal
        If the folder of ``path`` is absent, or ``path`` is a folder although a file is to be written, or the other way round.
    OSError
        As the system reports it: disk full, read-only, no permission.
    """
    path = _followed(Path(path))
    if not path.parent.is_dir():
        raise Refusal(f"cannot write {path}: the folder {path.parent} does not exist")
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    _remove(partial)
    _sweep(path)
    try:
        yield partial
        if path.is_dir() != partial.is_dir() and path.exists():
            raise Refusal(f"cannot write {path}: a {'folder' if path.is_dir() else 'file'} of that name is in the way")
        if partial.is_dir():
            _replace_folder(partial, path)
        else:
            partial.replace(path)
    except OSError as error:
        if error.filename or not (error.errno or _full(path.parent)):
            raise
        number = error.errno or errno.ENOSPC  # a write that fails says neither where nor, from numpy and Pillow, why
        raise OSError(number, os.strerror(number), str(path)) from None
    finally:
        _remove(partial)


#: Arguments of renameat2: paths from the working folder, and both names changed.
_HERE, _EXCHANGE = -100, 2


def _followed(path: Path) -> Path:
    """What a symbolic link points to, or the path itself."""
    try:
        return path.resolve() if path.is_symlink() else path
    except (OSError, RuntimeError):  # a link to itself
        raise Refusal(f"cannot write {path}: it is a link that leads nowhere") from None


def _replace_folder(partial: Path, path: Path) -> None:
    """Put a finished folder in the place of ``path``; refuses if ``path`` holds files of other names (somebody else's data)."""
    if path.is_dir():
        others = {p.name for p in path.iterdir()} - {p.name for p in partial.iterdir()}
        if others:
            raise Refusal(f"cannot write {path}: the folder holds other files, such as {min(others)}; name a new folder")
        if _exchanged(partial, path):
            return  # what was there is the partial one now, which is removed
        old = path.with_name(f".{path.name}.{os.getpid()}.old")
        path.rename(old)
        partial.rename(path)
        _remove(old)
    else:
        partial.rename(path)


def _exchanged(one: Path, other: Path) -> bool:
    """Whether two folders changed their names in one step, which only Linux can do, and not on every file system."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


def _sweep(path: Path) -> None:
    """Remove what processes that are there no more had begun to write to this path, as after a power cut or a kill."""
    begins, ends = f".{path.stem}.", f".partial{path.suffix}"
    for old in path.parent.glob(f"{glob.escape(begins)}*{glob.escape(ends)}"):
        number = old.name.removeprefix(begins).removesuffix(ends)
        if number.isdigit() and int(number) != os.getpid() and not _runs(int(number)):
            _remove(old)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's
        return True
    return True


def _full(folder: Path) -> bool:
    return shutil.disk_usage(folder).free == 0


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
