"""Commands as a person sees them."""

from __future__ import annotations

import os
import pty
import subprocess
import sys


def on_a_terminal(*arguments: str, code: int = 0) -> list[str]:
    """The lines of a command, errors included, on a terminal of 80 columns, without styles."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "cnncli", *arguments],
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
        env=environment,
    ) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    lines = shown.decode().replace("\r", "").splitlines()
    assert process.returncode == code, lines
    return lines


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""  # the other end is closed
