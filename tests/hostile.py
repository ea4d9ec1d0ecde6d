"""Ask cnncli about files that were made to do harm, in a process that may use little time and memory."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

CPU_SECONDS: Final = 5
MEMORY: Final = 1 << 30
OUTPUT: Final = 1_000_000


class Answer(NamedTuple):
    """What a command ended with, and what it wrote."""

    code: int
    output: str
    errors: str

    @property
    def text(self) -> str:
        """Everything that it wrote."""
        return self.output + self.errors


def ask(*arguments: str, folder: Path, given: bytes | None = None) -> Answer:
    """Run ``cnncli`` in a folder, with ``given`` as its standard input, and check how it ends.

    Raises:
        AssertionError: it takes more than 5 s of CPU time or 1 GiB, writes more than 1 MB, ends with an
            exception or with a code that is not documented.
    """
    done = subprocess.run(
        [sys.executable, "-m", "cnncli", *arguments],
        cwd=folder,
        input=given if given is not None else b"",
        capture_output=True,
        preexec_fn=_restrict,
        timeout=120,  # what waits takes no CPU time
        check=False,
    )
    output, errors = done.stdout.decode(), done.stderr.decode()
    assert done.returncode in (0, 1, 2), f"ended with {done.returncode}: {errors[-500:]}"
    assert "Traceback" not in errors, errors[-2000:]
    assert len(done.stdout) + len(done.stderr) <= OUTPUT, f"{len(done.stdout) + len(done.stderr):,} bytes"
    return Answer(done.returncode, output, errors)


def _restrict() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
