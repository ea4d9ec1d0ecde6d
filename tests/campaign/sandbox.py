"""One command inside this process: its output counted, its CPU time and memory limited by the kernel.

No clock is read. A command that is over its CPU time, or waits for something that never comes, ends the
process by a signal whose default action is to do so, whatever the command is doing at that moment.
"""

from __future__ import annotations

import gc
import io
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple, TypeAlias

Program: TypeAlias = Callable[[Sequence[str]], int]
"""What a command line runs; returns the exit code."""

OVER_TIME = signal.SIGPROF
WAITING = signal.SIGALRM


class Limits(NamedTuple):
    """What one case may take."""

    seconds: float = 5
    """CPU time, user and system, of all threads."""
    memory: int = 2**30
    """Bytes that are added to the address space of the process."""
    output: int = 1_000_000
    """Bytes on standard output and standard error together."""
    waiting: float = 60
    """Seconds until the kernel ends a command that waits."""


class Done(NamedTuple):
    """What a command did."""

    code: int | None
    """The exit code; None if something was raised."""
    out: str
    err: str
    written: int
    """Bytes written, those beyond the limit included."""
    raised: str = ""
    """The name of the exception, and the traceback."""
    seconds: float = 0
    """CPU time."""


class _Counted(io.BytesIO):
    """A stream that counts what is written, and keeps as much as is allowed."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.written = 0
        self._most = most

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.written += len(data)
        if self.written <= self._most:
            super().write(data)
        return len(data)


def run(program: Program, arguments: Sequence[str], limits: Limits) -> Done:
    """Run a command within the limits; the process may not survive it."""
    out, err = _Counted(limits.output), _Counted(limits.output)
    code: int | None = None
    raised = ""
    with _stream(out) as stdout, _stream(err) as stderr, redirect_stdout(stdout), redirect_stderr(stderr):
        before = _cpu_time()
        with _limited(limits):
            try:
                code = program(arguments)
            except BaseException as error:  # noqa: BLE001 -- whatever it is, the program would end with it
                raised = f"{type(error).__name__}\n{traceback.format_exc()}"
        spent = _cpu_time() - before
        stdout.flush()
        stderr.flush()
        shown, complained = (stream.getvalue().decode("utf-8", "replace") for stream in (out, err))
    return Done(code, shown, complained, out.written + err.written, raised, spent)


@contextmanager
def _stream(counted: _Counted) -> Iterator[io.TextIOWrapper]:
    stream = io.TextIOWrapper(counted, encoding="utf-8", errors="replace", write_through=False)
    try:
        yield stream
    finally:
        stream.detach()


@contextmanager
def _limited(limits: Limits) -> Iterator[None]:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + limits.memory, hard))
    signal.setitimer(signal.ITIMER_REAL, limits.waiting)
    signal.setitimer(signal.ITIMER_PROF, limits.seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def _cpu_time() -> float:
    """Return the seconds of CPU time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _address_space() -> int:
    """Return the bytes of the address space of this process."""
    pages = int(Path("/proc/self/statm").read_bytes().split()[0])
    return pages * resource.getpagesize()


def cnncli() -> Program:
    """Return the whole command line as a program, as ``cnncli.cli`` runs it."""
    import typer.main

    from cnncli.cli import ReaderLeftError
    from cnncli.cli.app import application
    from cnncli.cli.exit_codes import UNWRITABLE

    command = typer.main.get_command(application())

    def program(arguments: Sequence[str]) -> int:
        gc.disable()  # as cnncli.cli does; a command may have switched it on
        try:
            command([*arguments], prog_name="cnncli")
        except SystemExit as end:
            return int(end.code or 0)
        except (OSError, ReaderLeftError) as error:
            sys.stderr.write(f"error: {error}\n")
            return UNWRITABLE
        return 0

    return program
