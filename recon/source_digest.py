"""Which version of the code decides a result: digests of the source of packages, and of plug-ins from elsewhere."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

#: Packages whose source `of_packages` is about; what lies elsewhere is a plug-in.
PACKAGES = ("sensors", "recon", "c2b")


@cache
def of_packages(without: tuple[str, ...] = ()) -> str:
    """sha256 over the Python files of `PACKAGES`, but for folders of these names."""
    sha = hashlib.sha256()
    for package in PACKAGES:
        found = find_spec(package)
        assert found is not None and found.origin is not None
        root = Path(found.origin).parent
        for path in sorted(root.rglob("*.py")):
            if not set(without) & set(path.relative_to(root).parts):
                sha.update(f"{package}/{path.relative_to(root).as_posix()}".encode() + path.read_bytes())
    return sha.hexdigest()


def of_plug_ins(kinds: Iterable[type]) -> list[str]:
    """Name, and sha256 of the source file, of each class that is not of `PACKAGES`."""
    return [_of_plug_in(kind) for kind in kinds if kind.__module__.partition(".")[0] not in PACKAGES]


def _of_plug_in(kind: type) -> str:
    try:
        source = Path(inspect.getsourcefile(kind) or "").read_bytes()
    except (OSError, TypeError):  # typed at a prompt, or compiled
        source = b""
    return f"{kind.__module__}:{kind.__qualname__} {hashlib.sha256(source).hexdigest()}"
