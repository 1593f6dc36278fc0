"""A table of names: those that come with c2b, those of plug-in files (`sensors.plug_in`), and those of installed packages.

An installed package has entry points in the group ``c2b.TABLE``, such as ``c2b.sensors`` or ``c2b.methods``: ``name =
"package.module:Class"``. They are read when a name is asked for that is not known, so that nobody else waits for them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from sensors import plug_in
from sensors.refusal import Refusal

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")

_LOG = logging.getLogger("c2b.plug_in")


class NameTable(dict[str, str]):
    """Name to ``"module:attribute"``, imported when the name is first used.

    Parameters
    ----------
    kind : str
        What it holds, such as ``sensors``: the group of entry points is ``c2b.sensors``, a plug-in file has ``SENSORS``.
    names : mapping of str to str
        Those that come with c2b. None of them can be replaced.
    """

    def __init__(self, kind: str, names: Mapping[str, str]) -> None:
        super().__init__(names)
        self.kind = kind
        self._own = frozenset(names)
        self._looked: tuple[Any, ...] = ()

    def __contains__(self, name: object) -> bool:
        if dict.__contains__(self, name):
            return True
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return False
        self.look()
        return dict.__contains__(self, name)

    def __setitem__(self, name: str, target: str) -> None:
        if name in self._own and self[name] != target:
            raise Refusal(f"{name} is the name of one of the {self.kind} that come with c2b; give yours another")
        super().__setitem__(name, target)

    def look(self) -> NameTable:
        """Take in what plug-in files and installed packages have; each is read once.

        Raises
        ------
        Refusal
            If a plug-in cannot be imported, or has a name that comes with c2b.
        """
        files = tuple(plug_in.files())
        if self._looked != (files,):
            if not self._looked:
                self._installed()
            for file in files:
                self._of_file(file)
            self._looked = (files,)
        return self

    def _of_file(self, file: Any) -> None:
        module = plug_in.imported(file)
        given = getattr(module, self.kind.upper(), {})
        if not isinstance(given, Mapping):
            raise Refusal(f"plug-in {file}: {self.kind.upper()} is no table such as {{'name': Class}}")
        for name, thing in given.items():
            if not isinstance(name, str) or not _NAME.fullmatch(name) or not hasattr(thing, "__qualname__"):
                raise Refusal(f"plug-in {file}: {self.kind.upper()} has {name!r}; needed: my-own, and a class or function")
            if name in self._own:
                raise Refusal(
                    f"plug-in {file}: {name} is the name of one of the {self.kind} that come with c2b; give yours another"
                )
            super().__setitem__(name, f"{module.__name__}:{thing.__qualname__}")

    def _installed(self) -> None:
        from importlib.metadata import entry_points

        for point in entry_points(group=f"c2b.{self.kind}"):
            if point.name in self._own:
                _LOG.warning(
                    "%s of %s has the name of one of the %s of c2b and is left out",
                    point.name,
                    point.value,
                    self.kind,
                )
            else:
                super().__setitem__(point.name, point.value)


def look(table: Mapping[str, str]) -> None:
    """`NameTable.look`, if it is such a table."""
    if isinstance(table, NameTable):
        table.look()
