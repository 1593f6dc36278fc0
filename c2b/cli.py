"""The command line. A command is one file in ``c2b/commands``, imported when it is called."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

import c2b
from sensors.refusal import Refusal

#: Name and help line; the function ``name`` in ``c2b/commands/name.py`` does it.
COMMANDS = {
    "demo": "Show it all: a scene, three cameras, their captures and reconstructions, and a page. Needs no input.",
    "simulate": "Expose a video on a sensor and write the capture.",
    "reconstruct": "Turn a capture back into video.",
    "score": "Compare a video with the truth: PSNR and SSIM, with their conventions.",
    "plot": "Draw a capture, a code or a video.",
    "info": "Say what a file is: capture, video or code.",
    "list": "What is known by name: codes, sensors, presets, readouts, methods, scenes, formats.",
    "codes": "A table of codes with their criteria, and a picture of any code.",
    "convert": "From one video or code format to another.",
}

USAGE, INTERRUPTED = 2, 130

app = App(
    name="c2b",
    help="Simulate coded-exposure sensors, compare their codes, reconstruct video from their captures.",
    version=c2b.__version__,
    help_format="plaintext",
    print_error=False,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
)
for _name, _help in COMMANDS.items():
    app.command(f"c2b.commands.{_name}:{_name}", name=_name, help=_help)


def main(words: Sequence[str] | None = None) -> int:
    """Run one command line; 0 on success, 2 where the user can mend something, with one line that says what."""
    try:
        app(sys.argv[1:] if words is None else list(words), result_action="return_value")
    except (Refusal, OSError, CycloptsError, MemoryError) as error:
        if isinstance(error, BrokenPipeError):
            sys.stderr.close()
            return 0
        print(f"c2b: {_one_line(error)}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("c2b: interrupted; nothing half-written is left", file=sys.stderr)
        return INTERRUPTED
    return 0


def _one_line(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return f"not enough memory: {error}" if str(error) else "not enough memory; take fewer frames or a smaller crop"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())
