"""The command line. A command is one file in ``c2b/commands``, whose docstring is its help."""

from __future__ import annotations

import importlib
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from typing import Any, TextIO, cast

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter, UnknownOptionError, UnusedCliTokensError
from cyclopts.exceptions import UnknownCommandError

import c2b
from c2b import every_command
from c2b.command_examples import EXAMPLES
from c2b.terminal import WORDS, PlainOutput, plain
from sensors import spec
from sensors.refusal import Refusal

#: In the order in which one meets them; the function ``name`` in ``c2b/commands/name.py`` does it.
COMMANDS = (
    "demo",
    "simulate",
    "blur",
    "reconstruct",
    "check",
    "score",
    "compare",
    "train",
    "plot",
    "info",
    "list",
    "codes",
    "design",
    "convert",
    "calibrate",
)

USAGE, INTERRUPTED = 2, 130

#: The name under which `sensors.atomic_file` writes until the file is complete.
PARTIAL = re.compile(r"\.([^/]*)\.\d+\.partial")


def _shown(default: object) -> str | None:
    """A default that is worth a word in the help."""
    if isinstance(default, tuple):
        return " ".join(map(str, default)) or None
    return None if default is None or default is False or default == "" else str(default)


app = App(
    name="c2b",
    help="Simulate coded-exposure sensors, compare their codes, reconstruct video from their captures.",
    version=c2b.__version__,
    help_format="plaintext",
    default_parameter=Parameter(negative=(), show_default=_shown),
    print_error=False,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
)
for _place, _name in enumerate(COMMANDS):
    app.command(
        getattr(importlib.import_module(f"c2b.commands.{_name}"), _name),
        name=_name,
        sort_key=_place,
        help_epilogue="\n\n".join((every_command.HELP, "Examples:", *EXAMPLES[_name])),
    )


def main(words: Sequence[str] | None = None) -> int:
    """Run one command line; 0 on success, 2 where the user can mend something, with one line that says what."""
    logging.getLogger().addHandler(_SILENT)
    notes = _Notes()
    logging.getLogger("c2b").addHandler(notes)
    words = sys.argv[1:] if words is None else list(words)
    ended = _end_as_interrupted()
    typed = WORDS.set(tuple(words))
    try:
        of_files = bool(words) and not {"--help", "-h", "--version"} & {*words}
        shown = redirect_stdout(cast("TextIO", PlainOutput(sys.stdout))) if of_files else nullcontext()
        with shown, every_command.applied(words) as rest:
            app(rest, result_action="return_value")
        sys.stdout.flush()
        notes.tell()
    except (Refusal, OSError, CycloptsError, MemoryError) as error:
        if isinstance(error, BrokenPipeError):  # the reader, such as head, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        line = PARTIAL.sub(r"\1", _one_line(error))
        print(f"c2b: {plain(line)}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt as stopped:
        print(f"c2b: interrupted; {plain(str(stopped)) or 'nothing half-written is left'}", file=sys.stderr)
        return INTERRUPTED
    finally:
        if ended is not None:
            signal.signal(signal.SIGTERM, ended)
        WORDS.reset(typed)
        logging.getLogger("c2b").removeHandler(notes)
    return 0


def _end_as_interrupted() -> Any:
    """Let SIGTERM do what Ctrl-C does; what it did before, or None where this is not the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return None

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    return signal.signal(signal.SIGTERM, interrupt)


class _Notes(logging.Handler):
    """Tells on the standard error what is doubtful but goes on, each once: on a terminal at once, else when all is done.

    So a mistake stays one line.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: dict[str, bool] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.setdefault(_one_line(Refusal(record.getMessage())), False)
        if sys.stderr.isatty():
            self.tell()

    def tell(self) -> None:
        for line in [line for line, told in self._lines.items() if not told]:
            print(f"c2b: note: {plain(line)}", file=sys.stderr)
            self._lines[line] = True


def _one_line(error: BaseException) -> str:
    if isinstance(error, CycloptsError):
        return _usage(error)
    if isinstance(error, MemoryError):
        return f"not enough memory: {error}" if str(error) else "not enough memory; take fewer frames or a smaller crop"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())


def _usage(error: CycloptsError) -> str:
    """What is wrong with the words themselves, and what the command knows."""
    command = " ".join(("c2b", *(error.command_chain or ())))
    unused = error.unused_tokens or [""]
    if isinstance(error, UnknownCommandError):
        return spec.unknown("command", unused[0], COMMANDS)
    if isinstance(error, UnknownOptionError):
        own = [name for one in error.argument_collection for name in one.names if name.startswith("--")]
        known = [*own, *every_command.OPTIONS]
        return spec.unknown(f"option of {command}", error.token.keyword or error.token.value, known)
    if isinstance(error, UnusedCliTokensError):
        return f"{command} has no use for {' '.join(map(repr, unused))}; see {command} --help"
    if isinstance(error, MissingArgumentError) and error.argument:
        option = error.keyword or error.argument.name
        return f"{command} needs {f'a value after {option}' if option.startswith('-') else option}; see {command} --help"
    return " ".join(str(error).split())


#: What libraries log, such as tifffile of a damaged file, is said in the one line.
_SILENT = logging.NullHandler()
