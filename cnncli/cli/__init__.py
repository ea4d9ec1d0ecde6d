"""The command line: one file for each command."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from cnncli.cli.exit_codes import INTERRUPTED, READER_LEFT, UNWRITABLE


class ReaderLeftError(Exception):
    """The reader of the output closed it, as in ``cnncli inspect ... | head``."""


def program() -> NoReturn:
    """Run ``cnncli`` as a program of its own, and end the process.

    Python would take apart every module at its end, a seventh of the time of an ``inspect``. torch has
    threads and device memory to release, so it ends as usual.
    """
    code = _exit_code()
    if "torch" in sys.modules:
        sys.exit(code)
    atexit._run_exitfuncs()
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


def main() -> NoReturn:
    """Run ``cnncli`` inside a process of something else, such as ``python -m`` or a profiler.

    Raises:
        SystemExit: always, with the exit code.
    """
    sys.exit(_exit_code())


def _exit_code() -> int:
    """Run the command that ``sys.argv`` names and return its exit code; its output is flushed."""
    # The values of an analysis are small, acyclic and live until the end: looking for cycles among them
    # costs more than a quarter of the time. Training, which lives longer, switches the collector on again.
    gc.disable()
    _ready_streams()
    try:
        return _run()
    except KeyboardInterrupt:
        return INTERRUPTED  # before there was a command that handles it
    except (OSError, ReaderLeftError) as error:
        # What remains in the buffer cannot be written, and Python would fail again when it flushes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError | ReaderLeftError):
            return READER_LEFT
        from cnncli.report.text.escapes import shown

        with suppress(OSError):  # stderr may be the stream that is full
            what = error if error.filename is not None else f"cannot write the output: {error.strerror}"
            sys.stderr.write(f"{shown(f'error: {what}')}\n")
        return UNWRITABLE


def _ready_streams() -> None:
    """Replace characters that a stream cannot encode, and streams that were closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - to the end
        else:
            stream.reconfigure(errors="replace")


def _run() -> int:
    from cnncli.cli.app import COMMANDS, application

    # Importing all commands takes longer than reading a spec.
    called = [name for name in COMMANDS if name in sys.argv[1:2]]
    try:
        application(called or COMMANDS)()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        # A full disk can still be reported here; when Python flushes at its end, it cannot.
        sys.stdout.flush()
    return 0
