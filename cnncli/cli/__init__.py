"""The command line: one file for each command."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run ``cnncli``."""
    # The values of an analysis are small, acyclic and live until the end: looking for cycles among
    # them costs a third of the time. Training, which lives longer, switches the collector on again.
    gc.disable()
    from cnncli.cli.app import app

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        app()
    except BrokenPipeError:
        # The reader has left, as in `cnncli inspect ... | head`. Nothing can be said any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
