"""Signals that end a training: at once while nothing has to be saved, otherwise after the current batch."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Final, NoReturn, Self

SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name)
)
"""Ctrl-C, the request to end, the end of the connection, and what Slurm sends before the end of a job."""

_SHOW_CURSOR: Final = "\x1b[?25h"


class _Handling:
    """A context with a handler of its own for :data:`SIGNALS`; what was ignored before stays ignored.

    ``nohup`` starts a program so that it ignores SIGHUP. Python delivers signals to the main thread only; in
    another thread the context has no effect.
    """

    _signals: tuple[signal.Signals, ...] = SIGNALS

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for each in self._signals:
                if signal.getsignal(each) != signal.SIG_IGN:
                    self._before[each] = signal.signal(each, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each, handler in self._before.items():
            # None: the handler was not installed from Python and cannot be restored from here.
            signal.signal(each, signal.SIG_DFL if handler is None else handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        raise NotImplementedError


class Interrupts(_Handling):
    """A context in which the first signal sets :attr:`received`; a second SIGINT raises KeyboardInterrupt."""

    def __init__(self) -> None:
        super().__init__()
        self.received: signal.Signals | None = None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number == getattr(signal, "SIGHUP", None):
            _leave_lost_terminal()
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)


class EndingAtOnce(_Handling):
    """A context in which a signal ends the process with 128 and its number, after a word on standard error.

    An exception would have to pass through whatever is running, such as the import of torch or a pool of
    threads that read images. SIGINT still raises KeyboardInterrupt. ``before`` is called first, for both.
    ``says`` is whether there is a word.
    """

    _signals = tuple(each for each in SIGNALS if each != signal.SIGINT)

    def __init__(self, *, says: bool = True) -> None:
        super().__init__()
        self._says = says
        self.before: Callable[[], None] = lambda: None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            self.before()
        super().__exit__(kind, error, trace)

    def _handle(self, number: int, frame: FrameType | None) -> NoReturn:
        del frame
        try:
            self.before()
            with suppress(OSError, ValueError):  # what a closed terminal or a closed file raises
                sys.stdout.flush()
                cursor = _SHOW_CURSOR if sys.stdout.isatty() else ""
                if self._says:
                    sys.stderr.write(f"{cursor}stopped by {signal.Signals(number).name}\n")
                    sys.stderr.flush()
        finally:
            os._exit(128 + number)


def ignore_signals() -> None:
    """Let no signal change the exit code of a process that is about to end."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)


def _leave_lost_terminal() -> None:
    """Write to nowhere what would be written to a terminal that is no longer there."""
    for stream in (1, 2):
        try:
            os.write(stream, b"")
        except OSError:
            with suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream)
                os.close(nowhere)
