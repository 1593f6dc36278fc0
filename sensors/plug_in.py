"""Sensors, methods, codes and the like from a file of one's own, which is no part of an installed package.

::

    SENSORS = {"complement-pixel": ComplementPixel}     in FILE.py; also CODES, METHODS, PRIORS, METRICS, SCENES, RESPONSES

The file is imported as a module whose name holds that of the file and the sha256 of its content. So whatever names a class by its
module (the digest of a sensor, a capture, a pickle) names the version of the file, too; another process that knows the same files
(``C2B_PLUGINS``, which a spawned process inherits) imports the same module, and no other.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from sensors.refusal import Refusal

#: Where the files are kept, separated as in PATH.
VARIABLE = "C2B_PLUGINS"

#: What the names of their modules begin with.
PREFIX = "c2b_plugin_"

#: Letters of the sha256 of the content that such a name ends in.
LETTERS = 16


def add(path: str | Path) -> ModuleType:
    """Import a file, in this process and in those that it spawns.

    Raises
    ------
    Refusal
        If it is no Python file, or fails while it is imported.
    """
    path = Path(path).absolute()
    if path.suffix != ".py" or not path.is_file():
        raise Refusal(f"plug-in {path} is no Python file; needed: FILE.py")
    known = files()
    if path not in known:
        os.environ[VARIABLE] = os.pathsep.join(map(str, (*known, path)))
    return imported(path)


def files() -> list[Path]:
    """The files that were added."""
    return [Path(one) for one in os.environ.get(VARIABLE, "").split(os.pathsep) if one]


def imported(path: Path) -> ModuleType:
    """The module of a file.

    Raises
    ------
    Refusal
        If it fails while it is imported.
    """
    try:
        return importlib.import_module(module_name(path))
    except Refusal:
        raise
    except Exception as error:  # whatever a file of the user's own raises
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise Refusal(f"plug-in {path} cannot be imported: {type(error).__name__}: {error}{line}") from error


def module_name(path: Path) -> str:
    """``c2b_plugin_FILE_0123456789abcdef``."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Refusal(f"plug-in {path} cannot be read: {error.strerror}") from None
    stem = re.sub(r"\W", "_", path.stem)
    return f"{PREFIX}{stem}_{hashlib.sha256(content).hexdigest()[:LETTERS]}"


def told(target: str) -> str:
    """``FILE.py (0123456789abcdef)`` of a ``module:attribute`` in such a file; the package of one from elsewhere, and else nothing."""
    module = target.partition(":")[0]
    if module.startswith(PREFIX):
        stem, _, sha = module.removeprefix(PREFIX).rpartition("_")
        return f"{stem}.py ({sha})"
    package = module.partition(".")[0]
    return "" if package in ("sensors", "recon", "c2b") else package


class _Finder(MetaPathFinder):
    """Finds modules of the files that were added; asked last."""

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not fullname.startswith(PREFIX):
            return None
        found = next((file for file in files() if file.is_file() and module_name(file) == fullname), None)
        return importlib.util.spec_from_file_location(fullname, found) if found else None


if not any(type(finder).__name__ == _Finder.__name__ and type(finder).__module__ == __name__ for finder in sys.meta_path):
    sys.meta_path.append(_Finder())
