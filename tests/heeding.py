"""Processes that heed signals, however the tests were started."""

from __future__ import annotations

import signal

from cnncli.interrupts import SIGNALS


def heed_signals() -> None:
    """Undo what a process inherits from ``nohup`` and from background jobs: they ignore some signals."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_DFL)
