"""The command line: one file for each command."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from pathlib import Path


class ReaderLeftError(Exception):
    """Whoever reads the output has had enough, as in ``cnncli inspect ... | head``."""


def main() -> None:
    """Run ``cnncli``."""
    # The values of an analysis are small, acyclic and live until the end: looking for cycles among
    # them costs a third of the time. Training, which lives longer, switches the collector on again.
    gc.disable()
    _ready_streams()
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(130)  # before there was a command that could take note of it
    except (OSError, ReaderLeftError) as error:
        # What is left to say goes nowhere, or Python would fail over it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError | ReaderLeftError):
            sys.exit(141)
        with suppress(OSError):  # it may be the stream of messages that is full
            sys.stderr.write(f"error: {error}\n")
        sys.exit(2)


def _ready_streams() -> None:
    """Let no character be too strange to be shown, and no stream that was closed be missed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - to the end
        else:
            stream.reconfigure(errors="replace")


def _run() -> None:
    from cnncli.cli.app import app

    # To build the options of all commands takes longer than to read a spec: only those of the one called.
    called = [command for command in app.registered_commands if command.name in sys.argv[1:2]]
    app.registered_commands = called or app.registered_commands
    try:
        app()
    finally:
        # Here a full disk can still be told of; when Python flushes at its end, it cannot.
        sys.stdout.flush()
